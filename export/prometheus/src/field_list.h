// Comma-separated HTTP field values with parameters and weights (RFC 9110 §5.6.1, §5.6.6, §12.4.2), as Accept and
// Accept-Encoding are written. Tolerant: what cannot be read is skipped.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

namespace sockeye::prometheus {

struct FieldItem {
  std::string_view value;
  std::string_view parameters;  // from the first ';' on
  double weight = 1;            // q, 0 … 1
};

// Takes the next item off `list`; none at the end. At most as many items as `list` has bytes.
[[nodiscard]] std::optional<FieldItem> next_item(std::string_view& list);
// Takes the next name and value off `parameters`, quotes removed; none at the end.
[[nodiscard]] std::optional<std::pair<std::string_view, std::string_view>> next_parameter(std::string_view& parameters);
[[nodiscard]] bool same_token(std::string_view a, std::string_view b);  // ASCII case-insensitive

// True when Accept-Encoding lists gzip (or *) with a weight over 0.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

}  // namespace sockeye::prometheus
