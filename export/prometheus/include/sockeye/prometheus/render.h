// Metric families as text: Prometheus text format 0.0.4 and OpenMetrics 1.0.0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/model/metric_family.h"

namespace sockeye::prometheus {

enum class Format : std::uint8_t { text, openmetrics };

// By the request's Accept field (RFC 9110 §12.5.1, q-values honoured; of equals OpenMetrics wins where it was named).
// Text when nothing matches: a scrape is never answered 406.
[[nodiscard]] Format negotiate(std::string_view accept);
[[nodiscard]] std::string_view content_type(Format);

// Families in the order given; a name must come once. Text that is not UTF-8 is repaired (U+FFFD), because one bad
// label value makes Prometheus discard the whole scrape. `le` is spelled alike in both formats. Exemplars are written
// in OpenMetrics only: the text format has none, and whoever parses it strictly fails on them.
[[nodiscard]] std::string render(const std::vector<model::MetricFamily>& families, Format format);

}  // namespace sockeye::prometheus
