// Unary gRPC calls as values, and what a server asks of those who answer them.
// Source: gRPC over HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md), compression.md and statuscodes.md beside it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sockeye/net/http.h"

namespace sockeye::net {

struct GrpcStatus {
  int code = 0;              // as google.rpc.Code
  std::string message = {};  // UTF-8
  std::string details = {};  // google.rpc.Status, serialized, for grpc-status-details-bin; "" = none
};

struct GrpcCall {
  Request request;                   // path: "/package.Service/Method"; body: the message, without its prefix
  std::string encoding;              // of the message: one of the site's; "" = as it is
  std::shared_ptr<void> lease = {};  // of the message: to be held for as long as its bytes are
};

struct GrpcAnswer {
  GrpcStatus status = {};
  std::string message = {};  // where the status is OK
};
// Exactly once, from any thread; called or not, it goes before the IoThreads do.
using GrpcRespond = std::function<void(GrpcAnswer)>;

// What is known from the header fields decides whether a message is read at all.
struct GrpcAdmission {
  std::optional<GrpcStatus> refusal = {};
  std::size_t largest_message = 0;  // as sent; a larger one is RESOURCE_EXHAUSTED
  // Leased before they are read, in steps; null: there is no more room, and `no_room` is said.
  std::function<std::shared_ptr<void>(std::size_t bytes)> lease = {};
  GrpcStatus no_room = {};
};

// All are called on an I/O thread, and must not block it. A call whose client has gone is answered all the same.
struct GrpcSite {
  std::string_view encodings;  // taken besides identity, separated by commas
  std::function<GrpcAdmission(const Request& head)> admit;
  std::function<void(GrpcCall&&, GrpcRespond)> handle;
};

}  // namespace sockeye::net
