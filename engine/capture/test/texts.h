// All that was observed of a session as text, to be compared.
#pragma once

#include <array>
#include <string>
#include <variant>
#include <vector>

#include "sockeye/base/ids.h"
#include "sockeye/model/session_source.h"
#include "sockeye/model/span.h"
#include "sockeye/signal/collect.h"

namespace sockeye::capture::test {

inline std::string value_text(const model::AttributeValue& value) {
  struct Text {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return std::to_string(v); }
    std::string operator()(const std::string& v) const { return v; }
  };
  return std::visit(Text{}, value);
}
inline std::string attributes_text(const model::Attributes& attributes) {
  std::string out;
  for (const auto& [key, value] : attributes) out += "  " + std::string(key) + "=" + value_text(value) + "\n";
  return out;
}
inline std::string spans_text(const std::vector<model::Span>& spans) {
  std::string out;
  for (const auto& s : spans) {
    out += s.name + " " + base::to_hex(s.trace_id) + " " + base::to_hex(s.span_id) + " " + base::to_hex(s.parent_id) +
           " " + s.trace_state + " " + std::to_string(s.flags) + " " + std::to_string(s.start_unix_ns) + " " +
           std::to_string(s.end_unix_ns) + " " + std::to_string(static_cast<int>(s.status)) + s.status_message + "\n" +
           attributes_text(s.attributes);
    for (const auto& e : s.events)
      out += " " + std::string(e.name) + std::to_string(e.time_unix_ns) + "\n" + attributes_text(e.attributes);
    for (const auto& l : s.links)
      out += " link " + base::to_hex(l.trace_id) + base::to_hex(l.span_id) + "\n" + attributes_text(l.attributes);
  }
  return out;
}
inline std::string metrics_text(const model::RouteMetrics& metrics) {
  const std::array route{model::RouteCounters{"r", {&metrics}}};
  std::string out;
  for (const auto& family : signal::collect(route))
    for (const auto& sample : family.samples) {
      std::string line(family.name);
      for (const auto& [name, value] : sample.labels) line += " " + std::string(name) + "=" + value;
      line += ": " + std::to_string(sample.value) + " " + std::to_string(sample.histogram.sum);
      for (const auto count : sample.histogram.counts) line += " " + std::to_string(count);
      out += line + "\n";
    }
  return out;
}
inline std::string row_text(const model::SessionFacts& facts, const model::SessionFigures& f,
                            const model::SessionDetail& d, const std::vector<model::RecordedMessage>& recorder) {
  std::string out = base::to_uuid(facts.id) + " " + facts.route + " " + facts.client + " " + facts.server + " " +
                    facts.target + " " + facts.host + " " + facts.subprotocol + " " + facts.extensions + " " +
                    base::to_hex(facts.trace_id) + " " + std::to_string(facts.opened_unix_ns) + " " + f.dialect;
  const auto number = [&out](auto value) { out += " " + std::to_string(value); };
  for (std::size_t i = 0; i < 2; ++i) {
    number(f.messages[i]);
    number(f.bytes[i]);
    number(f.misses[i]);
    number(f.rtt_ns[i].value_or(0));
    number(f.last_message_unix_ns[i]);
    for (const auto count : d.counts[i].messages) number(count);
    number(d.counts[i].wire_bytes);
    number(d.counts[i].fragments);
    number(d.last_received[i].time_since_epoch().count());
    number(d.longest_gap[i].count());
    number(d.pings[i].missed_total);
    number(d.pings[i].late_total);
  }
  number(f.anomalies);
  number(f.missed_total);
  number(static_cast<int>(f.state));
  if (d.close)
    out += " " + std::to_string(d.close->code) + std::string(model::name(d.close->initiator)) +
           std::string(model::name(d.close->why)) + d.close->reason;
  for (const auto& m : recorder) {
    number(m.at.time_since_epoch().count());
    number(std::uint64_t{m.length});
    number(std::uint64_t{m.opcode});
    number(std::uint64_t{m.injected} * 2U + std::uint64_t{m.answered});
  }
  return out + "\n";
}

}  // namespace sockeye::capture::test
