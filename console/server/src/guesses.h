// How often somebody may be wrong about a token, on whatever port: a bucket of ten an address (IPv6: a /64), which
// fills by one a second. One that is empty lets nothing more in, right or wrong, unless a right token came from there
// before: who guesses beside a healthy exporter, behind one address, must not lock it out. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sockeye::console {

using Log = std::function<void(int level, const std::string& line)>;

class Guesses {
 public:
  explicit Guesses(Log log) : log_(std::move(log)) {}

  // May what was offered, right or wrong, count at all? A wrong one is logged: at once, then with a count once in 10 s.
  // `what_for`: "to read".
  [[nodiscard]] bool admit(const std::string& client_address, bool right, std::string_view what_for);

 private:
  struct Bucket {
    double left = 0;
    std::uint64_t at_ns = 0;
    bool proven = false;  // a right token came from there
  };
  // The line to log now, or "".
  std::string note_wrong(const std::string& client_address, std::string_view what_for, std::uint64_t now);

  const Log log_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
  std::uint64_t unlogged_ = 0;  // wrong ones since the last line
  std::uint64_t quiet_until_ns_ = 0;
};

// What stands for a client in tables by address: IPv6 addresses of one /64 are one client's (RFC 6177).
[[nodiscard]] std::string client_network(const std::string& address);

}  // namespace sockeye::console
