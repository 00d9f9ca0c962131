#include "sockeye/store/figures.h"
#include "sockeye/model/names.h"

#include <algorithm>
#include <cmath>

namespace sockeye::store {
namespace {

constexpr std::array<std::string_view, measures> measure_attributes = {
    "",
    model::attribute::websocket_time_to_first_chunk,
    model::attribute::websocket_time_to_last_chunk,
    model::attribute::websocket_chunk_interval_max,
    model::attribute::websocket_time_to_first_chunk_perceived,
    model::attribute::websocket_chunk_count};
constexpr std::array<std::string_view, attribute_dimensions> dimension_attributes = {
    model::attribute::sockeye_route, model::attribute::url_path, model::attribute::client_address,
    model::attribute::sockeye_dialect};
constexpr double longest_ns = 9.0e18;  // what is longer counts as this: 285 years

CallStatus status_of(const Value& value) {
  if (value.type != Value::Type::text) return CallStatus::other;
  if (value.text == "ok") return CallStatus::ok;
  if (value.text == "error") return CallStatus::error;
  if (value.text == "cancelled") return CallStatus::cancelled;
  return value.text == "incomplete" ? CallStatus::incomplete : CallStatus::other;
}

}  // namespace

std::string_view attribute_of(Measure m) { return measure_attributes[static_cast<std::size_t>(m)]; }
std::string_view attribute_of(Dimension d) { return dimension_attributes[static_cast<std::size_t>(d)]; }

std::uint64_t nanoseconds_of(const Value& seconds) {
  double value = 0;
  if (seconds.type == Value::Type::real) {
    value = seconds.real;
  } else if (seconds.type == Value::Type::integer) {
    value = static_cast<double>(seconds.integer);
  } else {
    return Figures::unknown;
  }
  if (!std::isfinite(value) || value < 0) return Figures::unknown;
  return static_cast<std::uint64_t>(std::llround(std::min(value * 1e9, longest_ns)));
}

Figures figures_of(std::span<const Attribute> attributes, std::uint64_t duration_ns) {
  Figures out;
  out.values[0] = std::min(duration_ns, static_cast<std::uint64_t>(longest_ns));
  for (const auto& each : attributes) {
    if (!each.key.starts_with("websocket.")) continue;
    if (each.key == call_attribute) {
      out.status = status_of(each.value);
    } else if (each.key == attribute_of(Measure::chunks)) {
      if (each.value.type == Value::Type::integer && each.value.integer >= 0)
        out.values[static_cast<std::size_t>(Measure::chunks)] = static_cast<std::uint64_t>(each.value.integer);
    } else {
      for (std::size_t i = 1; i < static_cast<std::size_t>(Measure::chunks); ++i)
        if (each.key == measure_attributes[i]) out.values[i] = nanoseconds_of(each.value);
    }
  }
  return out;
}

}  // namespace sockeye::store
