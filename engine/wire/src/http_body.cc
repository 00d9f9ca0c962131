// Where a body ends (RFC 9112 §6). The proxy passes bodies on verbatim, so both ends must agree with us on every
// boundary: chunk lines are read by the grammar's letter, with bounds, and anything else fails the message.
#include <algorithm>
#include <limits>

#include "http_syntax.h"
#include "sockeye/base/text.h"

namespace sockeye::wire {
namespace {

using model::Anomaly;

constexpr std::uint16_t max_chunk_line =
    4096;  // extensions are never used; unbounded ones are a known way to burn a server
constexpr std::uint16_t max_trailers = 16 * 1024;
constexpr std::uint64_t max_length = std::numeric_limits<std::int64_t>::max();

HttpFailure unframeable(std::string_view why) { return {400, Anomaly::smuggling, why}; }

std::optional<std::uint64_t> decimal(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::uint64_t n = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (n > (max_length - digit) / 10) return std::nullopt;
    n = n * 10 + digit;
  }
  return n;
}

}  // namespace

std::optional<HttpFailure> read_framing(const model::HttpHead& head, Framing& out) {
  const model::HttpField* length = nullptr;
  const model::HttpField* coding = nullptr;
  for (const auto& field : head.fields) {
    const bool is_length = model::iequals(field.name, "Content-Length");
    if (!is_length && !model::iequals(field.name, "Transfer-Encoding")) continue;
    auto& slot = is_length ? length : coding;
    if (slot != nullptr)
      return unframeable(is_length ? "more than one Content-Length" : "more than one Transfer-Encoding");
    slot = &field;
  }
  if (length != nullptr && coding != nullptr) return unframeable("Content-Length beside Transfer-Encoding");
  if (length != nullptr) {
    out.length = decimal(length->value);
    if (!out.length) return unframeable("malformed Content-Length");
  }
  if (coding != nullptr) {
    if (head.version_minor == 0) return unframeable("Transfer-Encoding in HTTP/1.0");  // RFC 9112 §6.1
    if (!model::iequals(coding->value, "chunked")) {
      // "chunked" anywhere but alone is an attempt at two readings; a coding we do not know is 501 (RFC 9112 §6.1).
      if (coding->value.empty() || head.has_token("Transfer-Encoding", "chunked") || !is_token(coding->value))
        return unframeable("malformed Transfer-Encoding");
      return HttpFailure{501, Anomaly::handshake_invalid, "transfer coding not supported"};
    }
    out.chunked = true;
  }
  return std::nullopt;
}

std::optional<HttpFailure> BodyFramer::for_request(const model::HttpHead& head, BodyFramer& out) {
  out = {};
  Framing framing;
  if (auto bad = read_framing(head, framing)) return bad;
  out.remaining_ = framing.length.value_or(0);
  if (framing.chunked)
    out.state_ = State::size_first;
  else if (out.remaining_ > 0)
    out.state_ = State::fixed;
  return std::nullopt;
}

std::optional<HttpFailure> BodyFramer::for_response(const model::HttpHead& response, std::string_view request_method,
                                                    BodyFramer& out) {
  out = {};
  // RFC 9112 §6.3 (1): these have no body whatever their fields say.
  if (request_method == "HEAD" || response.status < 200 || response.status == 204 || response.status == 304)
    return std::nullopt;
  Framing framing;
  if (const auto bad = read_framing(response, framing)) return HttpFailure{502, Anomaly::upstream_invalid, bad->why};
  if (framing.chunked) {
    out.state_ = State::size_first;
  } else if (!framing.length) {
    out.state_ = State::close;
  } else if (*framing.length > 0) {
    out.remaining_ = *framing.length;
    out.state_ = State::fixed;
  }
  return std::nullopt;
}

bool BodyFramer::done() const { return state_ == State::done; }
bool BodyFramer::failed() const { return state_ == State::failed; }
bool BodyFramer::until_close() const { return state_ == State::close; }

bool BodyFramer::skip(std::uint64_t bytes) {
  if (state_ == State::close) return true;
  if ((state_ != State::fixed && state_ != State::data) || bytes > remaining_) return false;
  remaining_ -= bytes;
  if (remaining_ == 0) state_ = state_ == State::fixed ? State::done : State::data_cr;
  return true;
}

std::size_t BodyFramer::consume(base::Bytes bytes) {
  std::size_t before_trailers = 0;
  return consume(bytes, before_trailers);
}

std::size_t BodyFramer::consume(base::Bytes bytes, std::size_t& before_trailers) {
  if (state_ == State::close) return before_trailers = bytes.size();
  bool trailers = in_trailers();
  before_trailers = 0;
  std::size_t at = 0;
  while (at < bytes.size() && state_ != State::done && state_ != State::failed) {
    if (state_ == State::fixed || state_ == State::data) {
      const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size() - at));
      at += step;
      remaining_ -= step;
      if (remaining_ == 0) state_ = state_ == State::fixed ? State::done : State::data_cr;
      continue;
    }
    state_ = chunked_byte(bytes[at]);
    if (state_ != State::failed) ++at;
    if (!trailers && in_trailers()) {
      trailers = true;
      before_trailers = at;
    }
  }
  if (!trailers) before_trailers = at;
  return at;
}

// RFC 9112 §7.1. CR LF only, never a bare LF; the last-chunk, trailers and the closing CRLF included.
BodyFramer::State BodyFramer::chunked_byte(base::Byte byte) {
  const char c = static_cast<char>(byte);
  const auto expect = [c](char wanted, State next) { return c == wanted ? next : State::failed; };
  switch (state_) {
    case State::size_first:
      if (base::hex_digit(c) < 0) return State::failed;
      remaining_ = static_cast<unsigned>(base::hex_digit(c));
      digits_ = 1;
      line_ = 0;
      return State::size;
    case State::size:
      if (const int digit = base::hex_digit(c); digit >= 0) {
        if (++digits_ > 16 || remaining_ > (max_length >> 4U)) return State::failed;
        remaining_ = remaining_ << 4U | static_cast<unsigned>(digit);
        return State::size;
      }
      if (c == ';') return State::extension;
      return expect('\r', State::size_lf);
    case State::extension:
      if (c == '\r') return State::size_lf;
      return character::is(c, character::value) && ++line_ <= max_chunk_line ? State::extension : State::failed;
    case State::size_lf:
      line_ = 0;
      return expect('\n', remaining_ > 0 ? State::data : State::trailer_start);
    case State::data_cr:
      return expect('\r', State::data_lf);
    case State::data_lf:
      return expect('\n', State::size_first);
    case State::trailer_start:
      if (c == '\r') return State::end_lf;
      [[fallthrough]];
    case State::trailer_name:
      if (++line_ > max_trailers) return State::failed;
      if (c == ':' && state_ == State::trailer_name) return State::trailer_value;
      return character::is(c, character::token) ? State::trailer_name : State::failed;
    case State::trailer_value:
      if (c == '\r') return State::trailer_lf;
      return character::is(c, character::value) && ++line_ <= max_trailers ? State::trailer_value : State::failed;
    case State::trailer_lf:
      return expect('\n', State::trailer_start);
    case State::end_lf:
      return expect('\n', State::done);
    default:
      return State::failed;
  }
}

}  // namespace sockeye::wire
