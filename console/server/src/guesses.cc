#include "guesses.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>

namespace sockeye::console {
namespace {

constexpr std::size_t most_guessers = 8192;
constexpr double most_wrong = 10, wrong_a_second = 1;
constexpr std::uint64_t log_interval_ns = 10'000'000'000;

}  // namespace

std::string client_network(const std::string& address) {
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(bytes.data(), mapped.data(), mapped.size()) == 0) return address;  // an IPv4 address
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

bool Guesses::admit(const std::string& client_address, bool right, std::string_view what_for) {
  const auto now = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  const std::string network = client_network(client_address);
  std::string line;
  bool admitted = true;
  {
    const std::lock_guard lock(mutex_);
    // A full table forgets: that helps who has addresses by the thousand, and costs nobody else.
    if (buckets_.size() >= most_guessers && !buckets_.contains(network)) buckets_.clear();
    auto& bucket = buckets_.try_emplace(network, Bucket{most_wrong, now, false}).first->second;
    bucket.left = std::min(most_wrong, bucket.left + static_cast<double>(now - bucket.at_ns) / 1e9 * wrong_a_second);
    bucket.at_ns = now;
    admitted = bucket.left >= 1 || (right && bucket.proven);
    if (right) {
      bucket.proven = bucket.proven || admitted;
    } else {
      if (admitted) bucket.left -= 1;
      line = note_wrong(client_address, what_for, now);
    }
  }
  if (!line.empty() && log_) log_(3, line);
  return admitted;
}

std::string Guesses::note_wrong(const std::string& client_address, std::string_view what_for, std::uint64_t now) {
  ++unlogged_;
  if (now < quiet_until_ns_) return {};
  quiet_until_ns_ = now + log_interval_ns;
  const auto count = std::exchange(unlogged_, 0);
  const std::string last = client_address + ", " + std::string(what_for);
  if (count == 1) return "a wrong token from " + last;
  return std::to_string(count) + " wrong tokens since the last line about them; the last from " + last;
}

}  // namespace sockeye::console
