// What holds of any request, however it was made: an error keeps nothing, what is kept is in order and in proportion.
#pragma once

#include <cstdlib>
#include <string>

#include "sockeye/intake/decode.h"

namespace sockeye::intake::fuzz {

inline void check(bool good) {
  if (!good) std::abort();
}

inline void check(const store::Batch& batch, store::Range list) {
  check(list.count <= store::most_attributes && std::size_t{list.first} + list.count <= batch.attributes.size());
  for (const auto& each : batch.of(list)) {
    check(!each.key.empty() && each.key.size() <= store::longest_value);
    check(each.value.text.size() <= store::longest_value);
    // Escaped at most: \u00xx of one byte.
    check(to_json(each.value, 64).size() <= 6 * each.value.text.size() + 64);
    // {"key":"","value":{}} of two bytes.
    check(to_otlp_json(each.value).size() <= 16 * each.value.text.size() + 64);
  }
}

inline void decode_bounded(Signal signal, Format format, const std::string& body) {
  store::Batch batch;
  std::string copy = body;
  const auto tally = decode(signal, format, std::move(copy), batch);
  if (!tally || tally->accepted == 0) {
    check(batch.empty() && batch.origins.empty() && batch.attributes.empty() && batch.events.empty() &&
          batch.links.empty());
    check(tally ? (tally->rejected > 0) == !tally->message.empty() : !tally.error().message.empty());
    if (!tally) return;
  }
  check(tally->accepted == batch.spans.size() + batch.logs.size());
  // The worst is a log of five bytes: 120 in a list that doubles as it grows; and chunks of 16 KiB for mended text.
  check(batch.footprint() <= 64 * body.size() + (32U << 10U));
  for (const auto& each : batch.origins) {
    check(batch, each.resource);
    check(batch, each.scope);
  }
  for (const auto& each : batch.spans) {
    check(!each.trace_id.is_zero() && !each.span_id.is_zero() && each.kind <= 5 && each.status <= 2);
    check(each.origin < batch.origins.size());
    check(each.events.count <= store::most_events && each.links.count <= store::most_links);
    check(batch, each.attributes);
    for (const auto& event : batch.events_of(each)) check(batch, event.attributes);
    for (const auto& link : batch.links_of(each)) check(batch, link.attributes);
  }
  for (const auto& each : batch.logs) {
    check(each.origin < batch.origins.size() && each.severity <= 24);
    check(batch, each.attributes);
  }
  (void)success(signal, format, *tally);
}

inline void decode_all(Format format, const std::string& body) {
  for (const Signal signal : {Signal::traces, Signal::logs, Signal::metrics}) decode_bounded(signal, format, body);
}

}  // namespace sockeye::intake::fuzz
