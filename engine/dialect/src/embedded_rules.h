// rules/*.yaml, as they were when the binary was built.
#pragma once

#include <span>
#include <string_view>

namespace sockeye::dialect {

struct EmbeddedRules {
  std::string_view file, yaml;
};
[[nodiscard]] std::span<const EmbeddedRules> embedded_rules();

}  // namespace sockeye::dialect
