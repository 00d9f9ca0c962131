#include "sockeye/wire/utf8.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "sockeye/wire/frame_parser.h"

namespace sockeye::wire {
namespace {

using base::Byte;
using base::Bytes;

// 32 bytes at a time: one AVX2 or two SSE2 registers; the compiler chooses. Each is loaded into a variable of its own:
// an array of them goes through the stack and is four times slower (GCC 12).
using Vector [[gnu::vector_size(32)]] = std::uint64_t;
constexpr std::size_t block = 256;

// How many bytes from the front are ASCII, give or take the last seven of them. `key` repeats the mask.
[[gnu::always_inline]] inline std::size_t ascii_run(const Byte* bytes, std::size_t size, std::uint64_t key) {
  constexpr std::uint64_t top = 0x8080808080808080ULL;
  const Vector keys = {key, key, key, key};
  const auto add = [&keys](Vector & all, const Byte* from) __attribute__((always_inline)) {
    Vector v;
    std::memcpy(&v, from, sizeof v);
    all |= v ^ keys;
  };
  const auto is_ascii = [](const Vector& all) __attribute__((always_inline)) {
    return (((all[0] | all[1]) | (all[2] | all[3])) & top) == 0;
  };
  std::size_t i = 0;
  for (; i + block <= size; i += block) {
    Vector even{};
    Vector odd{};
    add(even, bytes + i), add(odd, bytes + i + 32);
    add(even, bytes + i + 64), add(odd, bytes + i + 96);
    add(even, bytes + i + 128), add(odd, bytes + i + 160);
    add(even, bytes + i + 192), add(odd, bytes + i + 224);
    even |= odd;
    if (!is_ascii(even)) break;
  }
  for (; i + sizeof(Vector) <= size; i += sizeof(Vector)) {
    Vector all{};
    add(all, bytes + i);
    if (!is_ascii(all)) break;
  }
  for (; i + 8 <= size; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i, 8);
    if (((word ^ key) & top) != 0) return i;
  }
  return i;
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] std::size_t ascii_run_avx2(const Byte* bytes, std::size_t size, std::uint64_t key) {
  return ascii_run(bytes, size, key);
}
#endif
std::size_t ascii_run_any(const Byte* bytes, std::size_t size, std::uint64_t key) {
  return ascii_run(bytes, size, key);
}
using AsciiRun = std::size_t (*)(const Byte*, std::size_t, std::uint64_t);
AsciiRun choose_ascii_run() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return ascii_run_avx2;
#endif
  return ascii_run_any;
}
const AsciiRun fast_ascii_run = choose_ascii_run();

std::uint64_t rotated_key(std::uint32_t mask, std::uint64_t offset) {
  const unsigned bits = 8U * static_cast<unsigned>(offset & 3U);
  const std::uint32_t key = std::rotr(mask, static_cast<int>(bits));
  return (std::uint64_t{key} << 32U) | key;
}

// Where the last sequence of `text` begins if its end may be missing; the size when the text ends in ASCII or cannot be
// valid anyway (simdjson then says so).
std::size_t last_lead(Bytes text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(4, text.size()); ++back) {
    const Byte byte = text[text.size() - back];
    if (byte < 0x80) return text.size();
    if (byte >= 0xc0) return text.size() - back;
  }
  return text.size();
}

}  // namespace

// RFC 3629 §4: the lead byte fixes how many follow and, for four of them, narrows the range of the next.
bool Utf8::step(Byte byte) {
  if (need_ > 0) {
    if (byte < low_ || byte > high_) return false;
    --need_;
    low_ = 0x80;
    high_ = 0xbf;
    return true;
  }
  if (byte < 0x80) return true;
  if (byte < 0xc2 || byte > 0xf4) return false;
  need_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  low_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;   // shorter forms exist
  high_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;  // surrogates; past U+10FFFF
  return true;
}

bool Utf8::feed(Bytes bytes, std::uint32_t mask, std::uint64_t offset) {
  std::size_t i = 0;
  const auto plain = [&](std::size_t at) {
    return static_cast<Byte>(bytes[at] ^ (mask >> (8U * static_cast<unsigned>((offset + at) & 3U))));
  };
  while (need_ > 0 && i < bytes.size())
    if (!step(plain(i++))) return false;

  while (i < bytes.size()) {
    i += fast_ascii_run(bytes.data() + i, bytes.size() - i, rotated_key(mask, offset + i));
    if (bytes.size() - i < 16) {  // too little for the vector code to pay
      for (; i < bytes.size(); ++i)
        if (!step(plain(i))) return false;
      return true;
    }
    std::array<Byte, 1024> scratch;
    const std::size_t n = std::min(scratch.size(), bytes.size() - i);
    unmask(bytes.subspan(i, n), mask, offset + i, scratch.data());
    const std::size_t whole = last_lead({scratch.data(), n});
    if (!simdjson::validate_utf8(reinterpret_cast<const char*>(scratch.data()), whole)) return false;
    for (std::size_t at = whole; at < n; ++at)
      if (!step(scratch[at])) return false;
    i += n;
    while (need_ > 0 && i < bytes.size())
      if (!step(plain(i++))) return false;
  }
  return true;
}

bool is_utf8(Bytes bytes) {
  Utf8 text;
  return text.feed(bytes) && text.complete();
}

}  // namespace sockeye::wire
