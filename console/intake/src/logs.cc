#include <string>

#include "records.h"
#include "text.h"

namespace sockeye::intake {
namespace {

using protozero::pbf_reader;

store::Log read_log(store::Batch& batch, AttributeList& list, std::string_view message) {
  store::Log out;
  std::uint64_t observed = 0;
  std::string_view body;
  list.begin();
  pbf_reader reader = reader_of(message);
  while (reader.next()) switch (reader.tag_and_type()) {
      case fields::log::time:
        out.time_unix_ns = reader.get_fixed64();
        break;
      case fields::log::observed_time:
        observed = reader.get_fixed64();
        break;
      case fields::log::severity:
        if (const std::int32_t severity = reader.get_enum(); severity >= 0 && severity <= 24)
          out.severity = static_cast<std::uint8_t>(severity);
        break;
      case fields::log::severity_text:
        out.severity_text = take_text(batch, view_of(reader));
        break;
      case fields::log::body:
        body = view_of(reader);
        break;
      case fields::log::attribute:
        list.add(view_of(reader));
        break;
      case fields::log::dropped_attributes:
        out.dropped_attributes = reader.get_uint32();
        break;
      case fields::log::trace_id:
        out.trace_id = read_id<store::TraceId>(view_of(reader));
        break;
      case fields::log::span_id:
        out.span_id = read_id<store::SpanId>(view_of(reader));
        break;
      case fields::log::flags:
        out.flags = reader.get_fixed32();
        break;
      case fields::log::event_name:
        out.event_name = take_text(batch, view_of(reader));
        break;
      default:
        reader.skip();
    }
  out.attributes = list.end();
  out.dropped_attributes = add_counts(out.dropped_attributes, list.dropped());
  if (out.time_unix_ns == 0) out.time_unix_ns = observed;
  out.body = read_value(batch, body);
  return out;
}

}  // namespace

// A log without a trace still is a log (an id of the wrong length counts as none). Only one that says nothing is
// rejected: two bytes on the wire, sixty times that in memory.
Tally read_logs(store::Batch& batch, std::string_view body) {
  Tally tally;
  AttributeList list(batch);
  Origins origins(batch, list);
  each_record(body, origins, [&](std::string_view message) {
    const std::uint32_t origin = origins.current();
    store::Log log = read_log(batch, list, message);
    if (log.time_unix_ns == 0 && log.body.type == store::Value::Type::empty && log.attributes.count == 0 &&
        log.event_name.empty() && log.severity_text.empty()) {
      ++tally.rejected;
      return;
    }
    log.origin = origin;
    batch.logs.push_back(log);
    ++tally.accepted;
  });
  if (tally.rejected > 0)
    tally.message = "log records rejected: " + std::to_string(tally.rejected) +
                    " without time, body, attributes, event name and severity text";
  return tally;
}

}  // namespace sockeye::intake
