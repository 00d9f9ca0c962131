#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "records.h"
#include "sockeye/base/text.h"
#include "sockeye/model/names.h"
#include "text.h"

namespace sockeye::intake {
namespace {

using protozero::pbf_reader;
using store::Batch;

constexpr std::string_view session_key = model::attribute::websocket_session_id;

// 8-4-4-4-12 hexadecimal digits, of either case: peers copy ids by hand. (base::parse_session_id allocates.)
std::optional<store::SessionId> parse_session(std::string_view text) {
  if (text.size() != 36) return {};
  store::SessionId id;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return {};
      continue;
    }
    const int digit = base::hex_digit(text[i]);
    if (digit < 0) return {};
    std::uint8_t& byte = id.bytes[digits++ / 2];
    byte = static_cast<std::uint8_t>((byte << 4U) | static_cast<unsigned>(digit));
  }
  return id.is_zero() ? std::nullopt : std::optional(id);
}

class Traces {
 public:
  explicit Traces(Batch& batch) : batch_(batch), list_(batch), origins_(batch, list_) {}

  Tally read(std::string_view body) {
    each_record(body, origins_, [this](std::string_view message) { span(message); });
    const auto say = [this](std::uint64_t count, const char* what) {
      if (count == 0) return;
      if (!tally_.message.empty()) tally_.message += "; ";
      tally_.message += std::to_string(count) + what;
    };
    say(without_trace_, " without a valid trace id (16 bytes, not all zero)");
    say(without_span_, " without a valid span id (8 bytes, not all zero)");
    tally_.rejected = without_trace_ + without_span_;
    if (tally_.rejected > 0) tally_.message = "spans rejected: " + tally_.message;
    return std::move(tally_);
  }

 private:
  // Twice over the message: attributes of the span must stand in one run, those of its events and links in others, and
  // the three may come mixed.
  void span(std::string_view message) {
    const std::uint32_t origin = origins_.current();
    store::Span out;
    out.origin = origin;
    std::size_t events = 0;
    std::size_t links = 0;
    list_.begin();
    pbf_reader reader = reader_of(message);
    while (reader.next()) switch (reader.tag_and_type()) {
        case fields::span::trace_id:
          out.trace_id = read_id<store::TraceId>(view_of(reader));
          break;
        case fields::span::span_id:
          out.span_id = read_id<store::SpanId>(view_of(reader));
          break;
        case fields::span::trace_state:
          out.trace_state = take_text(batch_, view_of(reader));
          break;
        case fields::span::parent_id:
          out.parent_id = read_id<store::SpanId>(view_of(reader));
          break;
        case fields::span::name:
          out.name = take_text(batch_, view_of(reader));
          break;
        case fields::span::kind:
          if (const std::int32_t kind = reader.get_enum(); kind >= 0 && kind <= 5)
            out.kind = static_cast<std::uint8_t>(kind);
          break;
        case fields::span::start:
          out.start_unix_ns = reader.get_fixed64();
          break;
        case fields::span::end:
          out.end_unix_ns = reader.get_fixed64();
          break;
        case fields::span::attribute:
          list_.add(view_of(reader));
          break;
        case fields::span::dropped_attributes:
          out.dropped_attributes = reader.get_uint32();
          break;
        case fields::span::event:
          ++events;
          reader.skip();
          break;
        case fields::span::dropped_events:
          out.dropped_events = reader.get_uint32();
          break;
        case fields::span::link:
          ++links;
          reader.skip();
          break;
        case fields::span::dropped_links:
          out.dropped_links = reader.get_uint32();
          break;
        case fields::span::status:
          status(reader.get_message(), out);
          break;
        case fields::span::flags:
          out.flags = reader.get_fixed32();
          break;
        default:
          reader.skip();
      }
    out.attributes = list_.end();
    if (out.trace_id.is_zero() || out.span_id.is_zero()) {
      ++(out.trace_id.is_zero() ? without_trace_ : without_span_);
      batch_.attributes.resize(out.attributes.first);
      return;
    }
    out.dropped_attributes = add_counts(out.dropped_attributes, list_.dropped());
    for (const store::Attribute& each : batch_.of(out.attributes))
      if (each.key == session_key && each.value.type == store::Value::Type::text)
        out.session = parse_session(each.value.text);
    if (events + links > 0) events_and_links(message, out);
    batch_.spans.push_back(out);
    ++tally_.accepted;
  }

  static std::uint8_t status_code(std::int32_t code) {
    return code == 1 || code == 2 ? static_cast<std::uint8_t>(code) : std::uint8_t{0};
  }

  void status(pbf_reader reader, store::Span& out) {
    while (reader.next()) switch (reader.tag_and_type()) {
        case fields::status::message:
          out.status_message = take_text(batch_, view_of(reader));
          break;
        case fields::status::code:
          out.status = status_code(reader.get_enum());
          break;
        default:
          reader.skip();
      }
  }

  void events_and_links(std::string_view message, store::Span& out) {
    out.events.first = static_cast<std::uint32_t>(batch_.events.size());
    out.links.first = static_cast<std::uint32_t>(batch_.links.size());
    pbf_reader reader = reader_of(message);
    while (reader.next()) switch (reader.tag_and_type()) {
        case fields::span::event:
          if (out.events.count < store::most_events && event(reader.get_message())) {
            ++out.events.count;
          } else {
            if (out.events.count == store::most_events) reader.skip();
            out.dropped_events = add_counts(out.dropped_events, 1);
          }
          break;
        case fields::span::link:
          if (out.links.count < store::most_links && link(reader.get_message())) {
            ++out.links.count;
          } else {
            if (out.links.count == store::most_links) reader.skip();
            out.dropped_links = add_counts(out.dropped_links, 1);
          }
          break;
        default:
          reader.skip();
      }
  }

  // False: it says nothing. (Two bytes on the wire, twenty times that in memory.)
  bool event(pbf_reader reader) {
    store::Event out;
    list_.begin();
    while (reader.next()) switch (reader.tag_and_type()) {
        case fields::event::time:
          out.time_unix_ns = reader.get_fixed64();
          break;
        case fields::event::name:
          out.name = take_text(batch_, view_of(reader));
          break;
        case fields::event::attribute:
          list_.add(view_of(reader));
          break;
        case fields::event::dropped_attributes:
          out.dropped_attributes = reader.get_uint32();
          break;
        default:
          reader.skip();
      }
    out.attributes = list_.end();
    out.dropped_attributes = add_counts(out.dropped_attributes, list_.dropped());
    if (out.time_unix_ns == 0 && out.name.empty() && out.attributes.count == 0) return false;
    batch_.events.push_back(out);
    return true;
  }

  // False: it names no span and says nothing either (OpenTelemetry API, "Link").
  bool link(pbf_reader reader) {
    store::Link out;
    list_.begin();
    while (reader.next()) switch (reader.tag_and_type()) {
        case fields::link::trace_id:
          out.trace_id = read_id<store::TraceId>(view_of(reader));
          break;
        case fields::link::span_id:
          out.span_id = read_id<store::SpanId>(view_of(reader));
          break;
        case fields::link::trace_state:
          out.trace_state = take_text(batch_, view_of(reader));
          break;
        case fields::link::attribute:
          list_.add(view_of(reader));
          break;
        case fields::link::dropped_attributes:
          out.dropped_attributes = reader.get_uint32();
          break;
        case fields::link::flags:
          out.flags = reader.get_fixed32();
          break;
        default:
          reader.skip();
      }
    out.attributes = list_.end();
    out.dropped_attributes = add_counts(out.dropped_attributes, list_.dropped());
    const bool names_one = !out.trace_id.is_zero() && !out.span_id.is_zero();
    if (!names_one && out.attributes.count == 0 && out.trace_state.empty()) return false;
    batch_.links.push_back(out);
    return true;
  }

  Batch& batch_;
  AttributeList list_;
  Origins origins_;
  Tally tally_;
  std::uint64_t without_trace_ = 0;
  std::uint64_t without_span_ = 0;
};

}  // namespace

std::string_view find_field(std::string_view message, std::uint32_t tag_and_type) {
  std::string_view found;
  pbf_reader reader = reader_of(message);
  while (reader.next())
    if (reader.tag_and_type() == tag_and_type) {
      found = view_of(reader);
    } else {
      reader.skip();
    }
  return found;
}

std::uint32_t add_counts(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{a} + b, UINT32_MAX));
}

Tally read_traces(Batch& batch, std::string_view body) { return Traces(batch).read(body); }

}  // namespace sockeye::intake
