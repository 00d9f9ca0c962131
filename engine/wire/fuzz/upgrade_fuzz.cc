// A handshake from hostile peers. Input: one byte (how to split), a request head, and behind its blank line a response
// head, and behind that a body. Where a part does not parse, the next reader gets the same bytes.
//
// Beyond "no crash": splitting changes nothing; what is accepted obeys the limits and holds no byte that could be read
// as a second head; what a framer takes is the same for any split; an offer without permessage-deflate offers none.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "sockeye/wire/extensions.h"
#include "sockeye/wire/http.h"

namespace {

using namespace sockeye;
using wire::HeadParser;
using Progress = HeadParser::Progress;

constexpr wire::HttpLimits limits{.head = 2048, .fields = 40};

void require(bool holds) {
  if (!holds) std::abort();
}

struct Head {
  Progress progress = Progress::need_more;
  std::size_t size = 0;
  wire::HttpFailure failure;
};

// `out` keeps views into `text`.
Head parse(HeadParser::Kind kind, base::Bytes text, std::size_t step, model::HttpHead* out) {
  HeadParser parser(kind, limits);
  Head result;
  for (std::size_t n = std::min(step, text.size());; n = std::min(n + step, text.size())) {
    result.progress = parser.parse(text.first(n));
    if (result.progress != Progress::need_more || n == text.size()) break;
  }
  result.size = parser.size();
  result.failure = parser.failure();
  if (out != nullptr && result.progress == Progress::done) *out = parser.head();
  return result;
}

bool read_head(HeadParser::Kind kind, base::Bytes& text, std::size_t step, model::HttpHead& head) {
  const Head whole = parse(kind, text, text.size() + 1, &head);
  const Head split = parse(kind, text, step, nullptr);
  require(whole.progress == split.progress);
  if (whole.progress == Progress::failed) {
    require(whole.failure.status == split.failure.status && whole.failure.why == split.failure.why);
    require(whole.failure.status >= 400 && !whole.failure.why.empty());
    return false;
  }
  if (whole.progress == Progress::need_more) {
    require(text.size() < limits.head);
    return false;
  }
  require(whole.size == split.size && whole.size <= limits.head && head.fields.size() <= limits.fields);
  for (const auto& field : head.fields) {
    require(!field.name.empty() && field.name.find_first_of(" \t:\r\n") == std::string_view::npos);
    require(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
  text = text.subspan(whole.size);
  return true;
}

void read_body(const wire::BodyFramer& begin, base::Bytes body, std::size_t step) {
  wire::BodyFramer whole = begin;
  const std::size_t taken = whole.consume(body);
  require(taken == body.size() || whole.done() || whole.failed());
  wire::BodyFramer split = begin;
  std::size_t at = 0;
  while (at < body.size()) {
    const auto piece = body.subspan(at, std::min(step, body.size() - at));
    const std::size_t n = split.consume(piece);
    at += n;
    if (n < piece.size()) break;
  }
  require(at == taken && split.done() == whole.done() && split.failed() == whole.failed());
}

void judge(const model::HttpHead& request, model::HttpHead response) {
  const std::string accept = wire::accept_key(request.value("Sec-WebSocket-Key"));
  require(accept.size() == 28);
  for (auto& field : response.fields)  // no fuzzer guesses SHA-1
    if (model::iequals(field.name, "Sec-WebSocket-Accept") && field.value == "*") field.value = accept;
  const bool good_request = !wire::check_upgrade_request(request);
  require(!good_request || (wire::wants_websocket(request) && request.value("Sec-WebSocket-Key").size() == 24));
  const auto refused = wire::check_upgrade_response(request, response);
  const auto negotiated = wire::negotiated(request, response);
  require(refused || (response.status == 101 && negotiated.valid));
  require(negotiated.extensions.certain == negotiated.valid);
  const auto& p = negotiated.extensions.parameters;
  require(p.client_max_window_bits >= 8 && p.client_max_window_bits <= 15);
  require(p.server_max_window_bits >= 8 && p.server_max_window_bits <= 15);

  model::HttpHead declined = request;
  std::vector<std::string> offers;
  offers.reserve(declined.fields.size());
  for (auto& field : declined.fields) {
    if (!model::iequals(field.name, "Sec-WebSocket-Extensions")) continue;
    offers.push_back(wire::without_deflate(field.value));
    require(wire::without_deflate(offers.back()) == offers.back());
    field.value = offers.back();
  }
  const auto left = wire::negotiated(declined, response);
  require(!left.valid || !left.extensions.deflate);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = data[0] % 16 + 1;
  base::Bytes rest{data + 1, size - 1};
  model::HttpHead request;
  model::HttpHead response;
  const bool have_request = read_head(HeadParser::Kind::request, rest, step, request);
  const bool have_response = read_head(HeadParser::Kind::response, rest, step, response);
  wire::BodyFramer framer;
  if (have_request) {
    require(!wire::BodyFramer::for_request(request, framer));  // the parser refuses what has no one framing
    read_body(framer, rest, step);
    const auto path = wire::origin_form(request.target);
    require(!path.empty() && (path.front() == '/' || path == "*"));
  }
  if (have_response && !wire::BodyFramer::for_response(response, request.method, framer)) read_body(framer, rest, step);
  judge(request, response);
  return 0;
}
