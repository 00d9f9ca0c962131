// What strangers put into headers and targets. Input: lines "Name: value"; the first line is also taken as a target, a
// subprotocol and a header value.
//
// Beyond "no crash": a context that is accepted is valid, bounded and survives being injected and extracted again; what
// is printed is UTF-8; redaction is idempotent.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "sockeye/signal/propagation.h"
#include "sockeye/signal/redact.h"
#include "sockeye/signal/sampling.h"

namespace {

using namespace sockeye;

void require(bool holds) {
  if (!holds) std::abort();
}

model::HttpHead read_lines(std::string_view text) {
  model::HttpHead head;
  while (!text.empty() && head.fields.size() < 100) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    const auto colon = line.find(": ");
    if (colon != std::string_view::npos) head.fields.push_back({line.substr(0, colon), line.substr(colon + 2)});
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return head;
}

void round_trip(const model::HttpHead& head, const signal::Formats& formats) {
  const auto found = signal::extract(head, formats);
  if (!found.parent) {
    require(!found.sampled || formats.b3);
    return;
  }
  const auto& context = *found.parent;
  require(context.valid() && context.remote && context.trace_state.size() <= 512 && context.flags <= 3);
  (void)signal::sample({.ratio = 0.5}, context.trace_id, found.sampled);
  const auto fields = signal::inject(head, {.b3_inject = true}, context.trace_id, context.span_id, {}, context.flags,
                                     context.trace_state);
  model::HttpHead sent;
  for (const auto& [name, value] : fields) {
    require(value.find_first_of("\r\n") == std::string::npos);
    sent.fields.push_back({name, value});
  }
  const auto again = signal::extract(sent, {.browser = false});
  require(again.parent && !again.invalid && again.parent->trace_id == context.trace_id &&
          again.parent->span_id == context.span_id && again.parent->trace_state == context.trace_state &&
          again.parent->flags == context.flags);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto head = read_lines(text);
  round_trip(head, {});
  round_trip(head, {.tracecontext = false});
  round_trip(head, {.b3 = false});

  static const std::vector<std::string> rules{"query.token", "query.key", "header.authorization", "subprotocol"};
  const auto line = text.substr(0, text.find('\n'));
  const std::string target = signal::redact_target(line, rules);
  require(signal::redact_target(target, rules) == target);
  require(signal::redact_text(line).size() <= 8 * line.size() + 8);
  const std::string name = signal::redact_subprotocol(line, rules);
  require(signal::redact_subprotocol(name, rules) == name);
  model::HttpHead page = head;
  page.target = line;
  (void)signal::extract_browser(page);
  const std::string bare = signal::without_context(line);
  require(signal::without_context(bare) == bare && bare.size() <= line.size());
  require(signal::without_context_items(page).find("traceparent.") != 0);
  const std::string shown = signal::printable(line);
  require(signal::printable(shown) == shown && shown.size() <= 3 * line.size());
  return 0;
}
