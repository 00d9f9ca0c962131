// HTTP/1.1 as far as a WebSocket needs it: message heads (RFC 9112), strict where leniency is how requests are
// smuggled, and body framing for the plain requests that share the port.
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
  std::size_t head = 16 * 1024;  // bytes, blank line included
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

  // `received`: everything since the head's first byte, unchanged from call to call but for what was appended (the
  // buffer may move). After `done`, head() views into it; calling again with the same bytes elsewhere moves the views
  // there. A request whose framing is ambiguous (two lengths, Content-Length beside Transfer-Encoding, ...) never
  // becomes `done`.
  Progress parse(base::Bytes received);

  [[nodiscard]] const model::HttpHead& head() const { return head_; }
  [[nodiscard]] std::size_t size() const {
    return size_;
  }  // bytes of the head; what follows belongs to what comes next
  [[nodiscard]] const HttpFailure& failure() const { return failure_; }

 private:
  Progress fail(int status, model::Anomaly kind, std::string_view why);
  Progress scan(std::string_view text);
  Progress read(std::string_view text);

  Kind kind_;
  HttpLimits limits_;
  bool failed_ = false;
  std::size_t scanned_ = 0;     // bytes already looked at
  std::size_t first_line_ = 0;  // where it begins: behind the one blank line a request may start with
  std::size_t line_ = 0;        // where the line being scanned begins
  std::size_t lines_ = 0;       // complete lines
  std::size_t size_ = 0;
  model::HttpHead head_;
  HttpFailure failure_;
};

// The origin-form (RFC 9112 §3.2.1) of a request's target that the parser accepted: path and query, whatever form it
// was sent in. "*" stays.
[[nodiscard]] std::string origin_form(std::string_view target);

// True when the request asks for a WebSocket (Upgrade: websocket), well-formed or not.
[[nodiscard]] bool wants_websocket(const model::HttpHead& request);
// RFC 6455 §4.2.1: 400 with the reason, or 426 for a version other than 13; none when it is a valid upgrade. Answer a
// 426 with `Sec-WebSocket-Version: 13` (§4.4).
[[nodiscard]] std::optional<HttpFailure> check_upgrade_request(const model::HttpHead& request);
// RFC 6455 §4.1 (client requirements): status 101, Upgrade, Connection, Sec-WebSocket-Accept; a subprotocol that was
// offered; extensions that were offered. The failure's status is 502.
[[nodiscard]] std::optional<HttpFailure> check_upgrade_response(const model::HttpHead& request,
                                                                const model::HttpHead& response);
// The part of it without which there is no WebSocket at all: all but the subprotocol and the extensions.
[[nodiscard]] std::optional<HttpFailure> check_switching(const model::HttpHead& request,
                                                         const model::HttpHead& response);
// base64(SHA-1(key + GUID)), RFC 6455 §4.2.2.
[[nodiscard]] std::string accept_key(std::string_view key);

// Where a message's body ends (RFC 9112 §6). Feeding it never copies; chunked framing is checked, not decoded.
class BodyFramer {
 public:
  // A request's or a response's framing; failures are smuggling shapes (400) or an invalid upstream (502).
  static std::optional<HttpFailure> for_request(const model::HttpHead&, BodyFramer& out);
  static std::optional<HttpFailure> for_response(const model::HttpHead& response, std::string_view request_method,
                                                 BodyFramer& out);

  // How many of `bytes` belong to this message, from the front. done() afterwards tells whether it is complete.
  std::size_t consume(base::Bytes bytes);
  // Likewise; `before_trailers`: how many of those come before a chunked body's trailer section (RFC 9112 §7.1.2). The
  // section, and so the message, ends with an empty line, which is part of it.
  std::size_t consume(base::Bytes bytes, std::size_t& before_trailers);
  // So many bytes of the message were not seen. False: whether they all belong to its body is not known.
  [[nodiscard]] bool skip(std::uint64_t bytes);
  [[nodiscard]] bool done() const;
  [[nodiscard]] bool failed() const;       // malformed chunk framing
  [[nodiscard]] bool until_close() const;  // the body ends with the connection

 private:
  enum class State : std::uint8_t {
    done,
    failed,
    close,  // close: everything until the connection ends
    fixed,  // remaining_ bytes of Content-Length
    size_first,
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,  // remaining_ bytes of a chunk, then CRLF
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf
  };
  State chunked_byte(base::Byte byte);
  [[nodiscard]] bool in_trailers() const { return state_ >= State::trailer_start; }

  State state_ = State::done;
  std::uint8_t digits_ = 0;  // of the chunk size being read
  std::uint16_t line_ = 0;   // bytes of the chunk line, or of all trailers
  std::uint64_t remaining_ = 0;
};

}  // namespace sockeye::wire
