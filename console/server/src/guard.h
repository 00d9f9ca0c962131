// Who may ask: Host against DNS rebinding, Origin against other sites' pages, the token, and how often.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "guesses.h"
#include "http.h"
#include "sockeye/console/console.h"

namespace sockeye::console {

struct GuardOptions {
  std::vector<Token> tokens;       // none = none is asked for
  std::vector<std::string> hosts;  // besides addresses and localhost; "*" = any
  double requests_per_second = 200;
  Log log;  // may be empty
};

class Guard {
 public:
  explicit Guard(GuardOptions options);

  // A name that a page elsewhere could make up is refused: it may be bound to this machine's address (DNS rebinding).
  [[nodiscard]] std::optional<Response> host(const Request&) const;
  // A browser says whose page asks. Ours, or none: a program. For WebSockets and whatever changes something.
  [[nodiscard]] std::optional<Response> origin(const Request&) const;
  // The token that opens `wanted`, one bit of console::scope: as a bearer, or to read and act as the cookie that
  // login() gave a page. Refused with 401 (none, or a wrong one), 403 (it opens other things) or 429 (too many wrong
  // ones).
  [[nodiscard]] std::optional<Response> token(const Request&, unsigned wanted) const;
  [[nodiscard]] bool open() const { return options_.tokens.empty(); }
  // Token bucket per client address (IPv6: /64): bursts of twice the rate.
  [[nodiscard]] std::optional<Response> rate(const std::string& client_address);

  [[nodiscard]] Response login(const Request&);
  [[nodiscard]] static Response logout(const Request&);

 private:
  struct Bucket {
    double left = 0;
    std::uint64_t at_ns = 0;
  };
  // The scopes of the token offered; 0: there is none like it. In constant time.
  [[nodiscard]] unsigned scopes_of(std::string_view offered, bool digest) const;
  const GuardOptions options_;
  mutable Guesses guesses_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

// "example.com:443" → "example.com"; "[::1]:80" → "::1".
[[nodiscard]] std::string host_name(std::string_view host);

}  // namespace sockeye::console
