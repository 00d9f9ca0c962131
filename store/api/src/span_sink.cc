#include "sockeye/store/span_sink.h"

#include <utility>
#include <variant>
#include <vector>

#include "sockeye/model/names.h"
#include "sockeye/store/batch.h"

namespace sockeye::store {
namespace {

class Sink final : public model::SpanSink {
 public:
  Sink(Store& store, std::string service, std::string version)
      : store_(store), service_(std::move(service)), version_(std::move(version)) {}

  void offer(model::Span&& span) override {
    Batch batch;
    Origin& origin = batch.origins.emplace_back();
    origin.service = service_;
    origin.resource = attributes(batch, {{model::attribute::service_name, service_}});
    origin.scope_name = "sockeye";
    origin.scope_version = version_;
    Span out;
    out.trace_id = span.trace_id;
    out.span_id = span.span_id;
    out.parent_id = span.parent_id;
    out.flags = span.flags;
    out.kind = static_cast<std::uint8_t>(span.kind);
    out.status = static_cast<std::uint8_t>(span.status);
    out.start_unix_ns = span.start_unix_ns;
    out.end_unix_ns = span.end_unix_ns;
    out.name = batch.keep(span.name);
    out.trace_state = batch.keep(span.trace_state);
    out.status_message = batch.keep(span.status_message);
    out.attributes = attributes(batch, span.attributes);
    std::vector<Event> events;
    for (const auto& event : span.events)
      events.push_back({event.time_unix_ns, batch.keep(event.name), attributes(batch, event.attributes)});
    out.events = {0, static_cast<std::uint32_t>(events.size())};
    batch.events = std::move(events);
    batch.spans.push_back(out);
    store_.write(std::move(batch), [](const Written&) {});  // what a full store refuses is counted there
  }

 private:
  static Range attributes(Batch& batch, const model::Attributes& from) {
    const Range out{static_cast<std::uint32_t>(batch.attributes.size()), static_cast<std::uint32_t>(from.size())};
    for (const auto& [key, value] : from) {
      Attribute& each = batch.attributes.emplace_back();
      each.key = batch.keep(key);
      if (const auto* text = std::get_if<std::string>(&value)) {
        each.value.type = Value::Type::text;
        each.value.text = batch.keep(*text);
      } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        each.value.type = Value::Type::integer;
        each.value.integer = *integer;
      } else if (const auto* real = std::get_if<double>(&value)) {
        each.value.type = Value::Type::real;
        each.value.real = *real;
      } else {
        each.value.type = Value::Type::boolean;
        each.value.boolean = std::get<bool>(value);
      }
    }
    return out;
  }

  Store& store_;
  const std::string service_, version_;
};

}  // namespace

std::unique_ptr<model::SpanSink> span_sink(Store& store, std::string service, std::string version) {
  return std::make_unique<Sink>(store, std::move(service), std::move(version));
}

}  // namespace sockeye::store
