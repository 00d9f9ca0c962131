// The dialect of a route: auto, none, the name of a built-in one, or a rule file.
#include "draft.h"
#include "sockeye/config/text.h"
#include "sockeye/dialect/registry.h"
#include "sockeye/files/read.h"

namespace sockeye::config {

using Mode = observer::DialectOptions::Mode;

RouteDraft::RouteDraft() { route.observe.dialect.mode = Mode::automatic; }

base::Result<observer::DialectOptions> parse_dialect(std::string_view text) {
  observer::DialectOptions options;
  if (text == "none") return options;
  if (text == "auto") {
    options.mode = Mode::automatic;
    return options;
  }
  options.mode = Mode::fixed;
  if (text.find('/') == std::string_view::npos && !text.ends_with(".yaml") && !text.ends_with(".yml")) {
    options.program = dialect::find(dialect::built_in(), text);
    if (options.program) return options;
    std::vector<std::string_view> names = {"auto", "none"};
    for (const auto& each : dialect::built_in()) names.push_back(dialect::name(*each));
    const auto meant = nearest(text, names);
    return base::fail("there is no dialect " + quote(text) +
                      (meant.empty()
                           ? "; expected auto, none, a name that `sockeye dialect list` prints, or a rule file"
                           : "; did you mean " + std::string(meant) + "?"));
  }
  const auto yaml = files::read(std::string(text));
  if (!yaml) return base::fail("cannot read the rule file " + quote(text) + ": " + yaml.error().message);
  auto compiled = dialect::compile(*yaml, text);
  if (!compiled) return tl::unexpected(compiled.error());
  options.program = *std::move(compiled);
  return options;
}

}  // namespace sockeye::config
