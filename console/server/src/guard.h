// Who may ask: Host against DNS rebinding, Origin against other sites' pages, the token, and how often.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http.h"

namespace sockeye::console {

struct GuardOptions {
  std::string token;               // "" = none is asked for
  std::vector<std::string> hosts;  // besides addresses and localhost; "*" = any
  double requests_per_second = 200;
};

class Guard {
 public:
  explicit Guard(GuardOptions options);

  // A name that a page elsewhere could make up is refused: it may be bound to this machine's address (DNS rebinding).
  [[nodiscard]] std::optional<Response> host(const Request&) const;
  // A browser says whose page asks. Ours, or none: a program. For WebSockets and whatever changes something.
  [[nodiscard]] std::optional<Response> origin(const Request&) const;
  // Bearer token, or the cookie that login() gave. Compared in constant time.
  [[nodiscard]] std::optional<Response> token(const Request&) const;
  [[nodiscard]] bool right_token(std::string_view offered) const;
  [[nodiscard]] bool open() const { return options_.token.empty(); }
  // Token bucket per client address: bursts of twice the rate. `cost` of a wrong login is more than of a question.
  [[nodiscard]] std::optional<Response> rate(const std::string& client_address, double cost = 1);

  [[nodiscard]] Response login(const Request&);
  [[nodiscard]] static Response logout(const Request&);

 private:
  struct Bucket {
    double left = 0;
    std::uint64_t at_ns = 0;
  };
  const GuardOptions options_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

// "example.com:443" → "example.com"; "[::1]:80" → "::1".
[[nodiscard]] std::string host_name(std::string_view host);

}  // namespace sockeye::console
