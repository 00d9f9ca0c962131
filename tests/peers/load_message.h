// Messages that tell of any loss, swap or damage, as in tests/lib/load.ts: who sent them, their number, and bytes that
// follow from both; and what an end of the load found wrong with those it got.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace load {

constexpr std::size_t min_message = 8;
constexpr std::size_t noise_size = 1U << 16U;

inline const unsigned char* noise() {
  static const auto bytes = [] {
    std::array<unsigned char, noise_size> out{};
    std::uint32_t x = 0x2545f491;
    for (unsigned char& byte : out) {
      x ^= x << 13U;
      x ^= x >> 17U;
      x ^= x << 5U;
      byte = static_cast<unsigned char>(x >> 9U);
    }
    return out;
  }();
  return bytes.data();
}

// What follows a message's first eight bytes.
inline const unsigned char* noise_of(std::uint32_t session, std::uint32_t sequence, std::size_t size) {
  return noise() + (session * 7919U + sequence) * 2654435761U % (noise_size - size);
}

inline std::uint32_t number(const unsigned char* at) {
  return std::uint32_t{at[0]} << 24U | std::uint32_t{at[1]} << 16U | std::uint32_t{at[2]} << 8U | at[3];
}
inline void put(unsigned char* at, std::uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) at[i] = static_cast<unsigned char>(value >> (24U - 8 * i));
}

inline void make_message(std::vector<unsigned char>& out, std::uint32_t session, std::uint32_t sequence) {
  put(out.data(), session);
  put(out.data() + 4, sequence);
  std::memcpy(out.data() + 8, noise_of(session, sequence, out.size()), out.size() - 8);
}

class Wrong {
 public:
  // The first twenty are enough to go by.
  void note(std::string what) {
    if (found_.size() < 20) found_.push_back(std::move(what));
  }

  // Checks that message `at` bears its number, that session's, and their bytes.
  void check(const unsigned char* message, std::size_t size, std::uint32_t session, std::uint32_t at) {
    if (size < min_message || size >= noise_size) return note(std::to_string(size) + " bytes");
    const std::uint32_t from = number(message), sequence = number(message + 4);
    if (std::memcmp(message + 8, noise_of(from, sequence, size), size - 8) != 0)
      note("message " + std::to_string(sequence) + " of session " + std::to_string(from) + " is damaged");
    else if (from != session || sequence != at)
      note("session " + std::to_string(session) + ": got " + std::to_string(from) + "/" + std::to_string(sequence) +
           " as number " + std::to_string(at));
  }

  [[nodiscard]] std::string json() const {
    std::string out;
    for (const std::string& one : found_) out += (out.empty() ? "\"" : ",\"") + one + '"';
    return "[" + out + "]";
  }

 private:
  std::vector<std::string> found_;
};

}  // namespace load
