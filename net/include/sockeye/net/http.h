// Requests and answers as values, and what a server asks of those who answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/net/web_socket.h"

namespace sockeye::net {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;
  std::string path, query;  // split_target() of `target`
  Fields fields;            // names in lower case, in order
  std::string body;
  std::string client_address;
  std::uint16_t client_port = 0;
  bool tls = false;
  bool upgrade = false;  // asks for a WebSocket
  std::string target;    // as sent

  // The first field of that (lower-case) name; "" when there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = {};
  std::string body = {};
  std::string_view static_body = {};  // in place of `body`: lives as long as the process
  Fields fields = {};
  bool close = false;
};
// Exactly once, from any thread.
using Respond = std::function<void(Response)>;

// "/a%20b?x=1" → "/a b", "x=1". Takes absolute-form (RFC 9112 §3.2.2), too. `path` is "" for what is no path: not
// beginning with a slash, bad escapes, NUL, or a segment "..".
void split_target(std::string_view target, std::string& path, std::string& query);

// What is known from the head decides whether the body is read at all.
struct Admission {
  std::optional<Response> refusal =
      {};  // said without reading the body; after it the connection ends where there is one
  std::size_t largest_body = 0;
  std::shared_ptr<void> lease = {};  // held until the answer is written
  // A body is leased as it comes, in steps; null: there is no more room, and `no_room` is said.
  std::function<std::shared_ptr<void>(std::size_t bytes)> lease_more = {};
  std::optional<Response> no_room = {};
  // How what is wrong with the body itself is worded; empty: as the site words errors.
  std::function<Response(int status, std::string_view message)> error = {};
};

struct Accepted {
  std::unique_ptr<Conversation> conversation;
  std::string subprotocol;  // "" = none is selected
  std::size_t largest_message = 64 << 10;
  bool deflate = true;  // where the client offers permessage-deflate
  // Shown what is read and written from the answer on: given the head of the request as bytes.
  std::function<std::unique_ptr<ByteObserver>(std::string_view head)> observe = {};
};

// All are called on an I/O thread, and must not block it.
struct Site {
  std::function<Admission(const Request& head, std::optional<std::uint64_t> content_length)> admit;
  std::function<void(Request&&, Respond)> handle;
  // Of a request with `upgrade`: who talks, or why not. Empty: it is a request like any other (RFC 9110 §7.8).
  std::function<std::optional<Accepted>(const Request&, Response& refusal)> upgrade = {};
  // How the server's own refusals are worded: what is no HTTP, too large, or no WebSocket.
  std::function<Response(int status, std::string_view message)> error = {};
};

}  // namespace sockeye::net
