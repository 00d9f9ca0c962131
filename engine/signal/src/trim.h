// Optional white space around what stands in a list field (RFC 9110 §5.6.3).
#pragma once

#include <string_view>

namespace sockeye::signal {

[[nodiscard]] inline std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

}  // namespace sockeye::signal
