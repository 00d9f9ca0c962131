#include "pointer.h"

#include <charconv>

namespace sockeye::dialect {
namespace {

base::Result<Pointer::Step> parse_step(std::string_view raw) {
  Pointer::Step step;
  if (raw == "~json") {
    step.embedded = true;
    return step;
  }
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '~') {
      step.name += raw[i];
      continue;
    }
    const char next = i + 1 < raw.size() ? raw[i + 1] : '\0';
    if (next != '0' && next != '1') return base::fail("a ~ must be ~0 (for ~), ~1 (for /) or the step ~json");
    step.name += next == '0' ? '~' : '/';
    ++i;
  }
  // §4: an array index has no leading zero.
  const bool digits = !step.name.empty() && step.name.find_first_not_of("0123456789") == std::string::npos;
  if (digits && step.name.size() <= 9 && (step.name.size() == 1 || step.name[0] != '0')) {
    step.is_index = true;
    std::from_chars(step.name.data(), step.name.data() + step.name.size(), step.index);
  }
  return step;
}

}  // namespace

base::Result<Pointer> parse_pointer(std::string_view text) {
  Pointer pointer;
  if (text.empty()) return pointer;
  if (text[0] != '/') return base::fail("a JSON Pointer begins with /");
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::size_t end = text.find('/');
    auto step = parse_step(text.substr(0, end));
    if (!step) return tl::unexpected(step.error());
    pointer.steps.push_back(std::move(*step));
    if (pointer.steps.size() > Pointer::most_steps)
      return base::fail("a JSON Pointer has at most " + std::to_string(Pointer::most_steps) + " steps");
    if (end == std::string_view::npos) break;
    text.remove_prefix(end);
  }
  if (pointer.steps.front().embedded) return base::fail("~json needs a string before it: the document is none");
  return pointer;
}

}  // namespace sockeye::dialect
