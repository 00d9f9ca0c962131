// Requests and answers as values, and what a server asks of those who answer. No Beast in here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sockeye::console {

struct Request {
  std::string method, path, query;                          // path percent-decoded, without dots
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case, in order
  std::string body;
  std::string client_address;
  std::uint16_t client_port = 0;
  bool tls = false;
  bool upgrade = false;  // asks for a WebSocket

  // The first field of that (lower-case) name; "" when there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type;
  std::string body;
  std::string_view static_body = {};  // in place of `body`: lives as long as the process
  std::vector<std::pair<std::string, std::string>> fields = {};
  bool close = false;
};
// Exactly once, from any thread.
using Respond = std::function<void(Response)>;

// {"error":{"code":…,"message":…}}; the code follows from the status.
[[nodiscard]] Response error_response(int status, std::string_view message);
[[nodiscard]] Response json_response(std::string body);

// The sending half of an accepted WebSocket. Safe from any thread; after the end nothing happens any more.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual void send(std::string message, bool binary) = 0;
  virtual void close(std::uint16_t code, std::string reason) = 0;
  // From within message(): no more is read, and so no ping answered, until as many calls of release().
  virtual void hold() = 0;
  virtual void release() = 0;
  [[nodiscard]] virtual std::size_t queued() const = 0;  // bytes not yet given to the kernel
};
// The receiving half: calls come in order, from one thread at a time.
class Conversation {
 public:
  virtual ~Conversation() = default;  // the connection is gone
  virtual void opened(std::shared_ptr<Channel>) = 0;
  virtual void message(std::string_view text, bool binary) = 0;
  virtual void closed(std::uint16_t /*code*/) {}  // the peer sent a Close; before the connection is gone
};
struct Accepted {
  std::unique_ptr<Conversation> conversation;
  std::string subprotocol;
  std::size_t largest_message = 64 << 10;
  bool watched = false;  // through Options::watch
};

// What is known from the head decides whether the body is read at all.
struct Admission {
  std::optional<Response> refusal;
  std::size_t largest_body = 0;
  std::shared_ptr<void> lease;  // held until the answer is written
  // A body of unknown length is leased as it grows, in steps; null: there is no more room, and `no_room` is said.
  std::function<std::shared_ptr<void>(std::size_t bytes)> lease_more = {};
  std::optional<Response> no_room = {};
  // How this site words what is wrong with the body itself.
  std::function<Response(int status, std::string_view message)> error = error_response;
};

struct Site {
  std::function<Admission(const Request& head, std::optional<std::uint64_t> content_length)> admit;
  std::function<void(Request&&, Respond)> handle;  // on an I/O thread: must not block
  // Of a request with `upgrade`: who talks, or why not.
  std::function<std::optional<Accepted>(const Request&, Response& refusal)> upgrade;
};

}  // namespace sockeye::console
