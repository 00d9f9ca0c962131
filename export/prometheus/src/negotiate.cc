// RFC 9110 §12.5.1: for each of our two types the most specific range that matches gives its weight.
#include <array>

#include "field_list.h"
#include "sockeye/prometheus/render.h"

namespace sockeye::prometheus {
namespace {

struct Offer {
  Format format;
  std::string_view type, wildcard, version;
};
constexpr std::array<Offer, 2> offers{{
    {Format::openmetrics, "application/openmetrics-text", "application/*", "1.0.0"},
    {Format::text, "text/plain", "text/*", "0.0.4"},
}};

// 3: the type itself, 2: its wildcard, 1: */*, 0: no match. A version we do not speak is no match, and neither is a
// charset.
int specificity(const FieldItem& item, const Offer& offer) {
  if (item.value == "*/*") return 1;
  if (same_token(item.value, offer.wildcard)) return 2;
  if (!same_token(item.value, offer.type)) return 0;
  for (std::string_view rest = item.parameters; const auto parameter = next_parameter(rest);) {
    if (same_token(parameter->first, "version") && parameter->second != offer.version) return 0;
    if (same_token(parameter->first, "charset") && !same_token(parameter->second, "utf-8")) return 0;
  }
  return 3;
}

}  // namespace

Format negotiate(std::string_view accept) {
  struct Best {
    int specific = 0;
    double weight = 0;
  };
  std::array<Best, offers.size()> best;
  while (const auto item = next_item(accept)) {
    for (std::size_t i = 0; i < offers.size(); ++i) {
      const int specific = specificity(*item, offers[i]);
      if (specific > best[i].specific ||
          (specific == best[i].specific && specific > 0 && item->weight > best[i].weight))
        best[i] = {specific, item->weight};
    }
  }
  // OpenMetrics only for who named it: a browser's */* reads plain text better.
  const bool named = best[0].specific == 3 && best[0].weight > 0;
  return named && best[0].weight >= best[1].weight ? Format::openmetrics : Format::text;
}

}  // namespace sockeye::prometheus
