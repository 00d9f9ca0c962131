// The parts of the OpenTelemetry environment's grammar that are not plain values.
#include <algorithm>

#include "sockeye/base/text.h"
#include "sockeye/otlp/transport.h"

namespace sockeye::otlp {
namespace {

constexpr std::string_view traces_path = "/v1/traces";

}  // namespace

std::string traces_url(const Options& options) {
  if (!options.traces_endpoint.empty()) return options.traces_endpoint;
  const std::string_view whole = options.endpoint;
  const std::size_t end = std::min(whole.find_first_of("?#"), whole.size());
  std::string_view base = whole.substr(0, end);
  while (base.ends_with('/')) base.remove_suffix(1);
  return std::string(base).append(traces_path).append(whole.substr(end));
}

base::Result<Pairs> parse_pairs(std::string_view text) {
  Pairs pairs;
  for (std::size_t position = 1; !text.empty(); ++position) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = base::trim(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (item.empty()) continue;
    const std::size_t equals = item.find('=');
    const std::string_view raw_key = equals == std::string_view::npos ? "" : base::trim(item.substr(0, equals));
    if (raw_key.empty()) return base::fail("pair " + std::to_string(position) + " is not key=value");
    const auto key = base::percent_decode(raw_key);
    const auto value = base::percent_decode(base::trim(item.substr(equals + 1)));
    if (!key || !value)
      return base::fail("pair " + std::to_string(position) + " has a % that is not followed by two hex digits");
    const auto same = std::find_if(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == *key; });
    if (same != pairs.end()) {
      same->second = *value;
    } else {
      pairs.emplace_back(*key, *value);
    }
  }
  return pairs;
}

}  // namespace sockeye::otlp
