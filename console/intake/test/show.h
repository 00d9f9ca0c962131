// A batch as text, every field of it: what two batches are compared by, and what a failing test prints.
#pragma once

#include <sstream>
#include <string>

#include "sockeye/intake/decode.h"

namespace sockeye::intake::test {

inline void show(std::ostream& out, const store::Value& value) {
  constexpr const char* types[] = {"empty", "text", "boolean", "integer", "real", "bytes", "array", "map"};
  out << types[static_cast<std::size_t>(value.type)] << (value.truncated ? "!" : "") << ' ' << to_json(value, 64);
}

inline void show(std::ostream& out, const store::Batch& batch, store::Range list) {
  out << '{';
  for (const auto& each : batch.of(list)) {
    out << each.key << '=';
    show(out, each.value);
    out << ';';
  }
  out << '}';
}

inline std::string show(const store::Batch& batch) {
  std::ostringstream out;
  for (const auto& each : batch.origins) {
    out << "origin " << each.service << ' ' << each.scope_name << ' ' << each.scope_version << ' ';
    show(out, batch, each.resource);
    show(out, batch, each.scope);
    if (!each.resource_schema_url.empty()) out << " resource schema " << each.resource_schema_url;
    if (!each.scope_schema_url.empty()) out << " scope schema " << each.scope_schema_url;
    out << '\n';
  }
  for (const auto& each : batch.spans) {
    out << "span " << base::to_hex(each.trace_id) << ' ' << base::to_hex(each.span_id) << ' '
        << base::to_hex(each.parent_id) << ' ' << each.flags << ' ' << int{each.kind} << ' ' << int{each.status} << ' '
        << each.start_unix_ns << ' ' << each.end_unix_ns << " [" << each.name << "] [" << each.trace_state << "] ["
        << each.status_message << "] " << (each.session ? base::to_uuid(*each.session) : "-") << ' ' << each.origin
        << ' ' << each.dropped_attributes << ' ' << each.dropped_events << ' ' << each.dropped_links;
    show(out, batch, each.attributes);
    for (const auto& event : batch.events_of(each)) {
      out << "\n  event " << event.time_unix_ns << " [" << event.name << "] " << event.dropped_attributes;
      show(out, batch, event.attributes);
    }
    for (const auto& link : batch.links_of(each)) {
      out << "\n  link " << base::to_hex(link.trace_id) << ' ' << base::to_hex(link.span_id) << " [" << link.trace_state
          << "] " << link.flags << ' ' << link.dropped_attributes;
      show(out, batch, link.attributes);
    }
    out << '\n';
  }
  for (const auto& each : batch.logs) {
    out << "log " << each.time_unix_ns << ' ' << base::to_hex(each.trace_id) << ' ' << base::to_hex(each.span_id) << ' '
        << int{each.severity} << " [" << each.severity_text << "] [" << each.event_name << "] " << each.origin << ' '
        << each.dropped_attributes << ' ';
    if (each.flags != 0) out << "flags " << each.flags << ' ';
    show(out, each.body);
    show(out, batch, each.attributes);
    out << '\n';
  }
  return out.str();
}

}  // namespace sockeye::intake::test
