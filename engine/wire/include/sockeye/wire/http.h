// HTTP/1.1 as far as a WebSocket needs it: message heads (RFC 9112), strict where leniency is how requests are smuggled,
// and body framing for the plain requests that share the port.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sockeye/base/bytes.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/http_head.h"

namespace sockeye::wire {

struct HttpLimits {
  std::size_t head = 16 * 1024;    // bytes, blank line included
  std::size_t fields = 100;
};

// A head that is refused: what to answer, what to count, why (static text, fit for a reason body).
struct HttpFailure {
  int status = 400;
  model::Anomaly kind = model::Anomaly::handshake_invalid;
  std::string_view why;
};

// Reads one head from a growing buffer. Linear in the bytes however they are split: the scan resumes where it stopped.
class HeadParser {
 public:
  enum class Kind : std::uint8_t { request, response };
  enum class Progress : std::uint8_t { need_more, done, failed };

  explicit HeadParser(Kind kind, HttpLimits limits = {}) : kind_(kind), limits_(limits) {}

  // `received`: everything since the head's first byte, unchanged from call to call but for what was appended (the buffer
  // may move). After `done`, head() views into it.
  Progress parse(base::Bytes received);

  [[nodiscard]] const model::HttpHead& head() const { return head_; }
  [[nodiscard]] std::size_t size() const { return size_; }  // bytes of the head; what follows belongs to what comes next
  [[nodiscard]] const HttpFailure& failure() const { return failure_; }

 private:
  Kind kind_;
  HttpLimits limits_;
  std::size_t scanned_ = 0;
  std::size_t size_ = 0;
  model::HttpHead head_;
  HttpFailure failure_;
};

// True when the request asks for a WebSocket (Upgrade: websocket), well-formed or not.
[[nodiscard]] bool wants_websocket(const model::HttpHead& request);
// RFC 6455 §4.2.1: 400 with the reason, or 426 for a version other than 13; none when it is a valid upgrade.
[[nodiscard]] std::optional<HttpFailure> check_upgrade_request(const model::HttpHead& request);
// RFC 6455 §4.1 (client requirements): status 101, Upgrade, Connection, Sec-WebSocket-Accept; a subprotocol that was
// offered; extensions that were offered. The failure's status is 502.
[[nodiscard]] std::optional<HttpFailure> check_upgrade_response(const model::HttpHead& request,
                                                                const model::HttpHead& response);
// base64(SHA-1(key + GUID)), RFC 6455 §4.2.2.
[[nodiscard]] std::string accept_key(std::string_view key);

// Where a message's body ends (RFC 9112 §6). Feeding it never copies; chunked framing is checked, not decoded.
class BodyFramer {
 public:
  // A request's or a response's framing; failures are smuggling shapes (400) or an invalid upstream (502).
  static std::optional<HttpFailure> for_request(const model::HttpHead&, BodyFramer& out);
  static std::optional<HttpFailure> for_response(const model::HttpHead& response, std::string_view request_method, BodyFramer& out);

  // How many of `bytes` belong to this message, from the front. done() afterwards tells whether it is complete.
  std::size_t consume(base::Bytes bytes);
  [[nodiscard]] bool done() const;
  [[nodiscard]] bool failed() const;       // malformed chunk framing
  [[nodiscard]] bool until_close() const;  // the body ends with the connection
};

}  // namespace sockeye::wire
