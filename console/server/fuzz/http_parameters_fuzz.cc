// Any bytes as what a client controls of a question: the request target with its query, and the page's messages.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parameters.h"
#include "read_json.h"
#include "sockeye/net/http.h"

namespace {

void check(bool good) {
  if (!good) std::abort();
}

void target(std::string_view text) {
  using namespace sockeye::console;
  std::string path;
  std::string query;
  sockeye::net::split_target(text, path, query);
  check(path.empty() || path.front() == '/');
  check(path.find('\0') == std::string::npos && (path + "/").find("/../") == std::string::npos);
  check(path.size() <= text.size() + 1 && query.size() <= text.size());
  Parameters with(query);
  check(with.text("text").size() <= query.size());
  check(with.texts("attribute").size() <= 64);
  if (const auto number = with.number("number", -5, 5)) check(std::isfinite(*number) && *number >= -5 && *number <= 5);
  const auto limit = with.integer("limit", 50, 1, 500);
  check(limit >= 1 && limit <= 500);
  static_cast<void>(with.flag("abnormal"));
  check(with.word("state", {"any", "open", "ended"}).value_or(0) < 3);
  check(with.time("from_ms").value_or(0) <= 9'200'000'000'000'000'000);
  check(with.duration("min_duration_seconds").value_or(0) <= 9'200'000'000'000'000'000);
  if (const auto good = with.check(); !good) check(!good.error().message.empty());
}

void message(std::string_view text) {
  using namespace sockeye::console;
  if (const auto token = read_token(text)) check(token->size() <= text.size());
  const auto wants = read_subscription(text);
  if (!wants) return check(!wants.error().message.empty());
  if (!wants->sessions) return;
  const auto& s = *wants->sessions;
  check(s.limit <= 500 && s.offset <= 10'000'000);
  for (const auto* each : {&s.route, &s.instance, &s.dialect, &s.client, &s.text}) check(each->size() <= 1024);
}

}  // namespace

// The first byte says which.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(data + 1, data + size);
  if (data[0] == '{')
    message('{' + text);
  else
    target(static_cast<char>(data[0]) + text);
  return 0;
}
