#include "sockeye/signal/invocations.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "begin_span.h"
#include "gen_ai.h"
#include "sockeye/signal/redact.h"

namespace sockeye::signal {
namespace {

using model::AttributeValue;
using model::Chunks;
using model::Invocation;
using model::InvocationEnd;
using model::InvocationStatus;
using model::Span;

constexpr std::string_view voice = "audio";
constexpr std::size_t max_chunk_times = 2047;  // bytes; some stores of traces cut an attribute at 2,048

// Attribute keys are literals, so lanes have some when they are in this table; of any other, the first_chunk event says
// the same.
struct LaneKeys {
  std::string_view lane, count, first;
};
constexpr std::array lane_keys{
    LaneKeys{"audio", attribute::websocket_lane_audio_chunk_count, attribute::websocket_lane_audio_time_to_first_chunk},
    LaneKeys{"text", attribute::websocket_lane_text_chunk_count, attribute::websocket_lane_text_time_to_first_chunk},
    LaneKeys{"transcript", attribute::websocket_lane_transcript_chunk_count,
             attribute::websocket_lane_transcript_time_to_first_chunk},
    LaneKeys{"tool", attribute::websocket_lane_tool_chunk_count, attribute::websocket_lane_tool_time_to_first_chunk},
    LaneKeys{"video", attribute::websocket_lane_video_chunk_count, attribute::websocket_lane_video_time_to_first_chunk},
};

TracePlace place_of(const Invocation& invocation, std::string_view trace_state) {
  return {.trace_id = invocation.trace_id,
          .span_id = invocation.span_id,
          .parent_id = invocation.parent_span_id,
          .flags = invocation.trace_flags,
          .parent_is_remote = invocation.parent_is_remote,
          .trace_state = trace_state};
}

AttributeValue clean(const AttributeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return printable(*text);
  return value;
}

bool has(const Span& span, std::string_view key) {
  return std::any_of(span.attributes.begin(), span.attributes.end(), [key](const auto& a) { return a.first == key; });
}

// What Sockeye measured wins over what a rule read under the same name.
void put_read(Span& span, std::string_view key, const AttributeValue& value) {
  if (!has(span, key)) put(span, key, clean(value));
}

void put_gen_ai(Span& span, const model::Attributes& attributes) {
  for (const auto& [key, value] : attributes) {
    if (!gen_ai::is_name(key)) continue;
    const std::string_view name = gen_ai::current_name(key);
    put_read(span, name, gen_ai::typed(name, value));
  }
}

void put_who(Span& span, const Invocation& invocation) {
  put_count(span, attribute::websocket_invocation_number, invocation.number);
  if (invocation.parent != 0) put_count(span, attribute::websocket_invocation_parent, invocation.parent);
  put_text(span, attribute::websocket_invocation_opened_by, model::direction(invocation.opened_by));
  put_text(span, attribute::websocket_invocation_trigger, invocation.trigger);
  if (invocation.cancel_requested) put(span, attribute::websocket_invocation_cancel_requested, true);
}

// The moment a caller perceives: what is heard, where there is something to hear.
void put_perceived(Span& span, const Invocation& invocation) {
  if (invocation.anchor == base::never || invocation.anchor_name.empty()) return;
  const Chunks* const heard = invocation.lane(voice);
  const base::Time first = heard != nullptr ? heard->first : invocation.chunks.first;
  if (first < invocation.anchor) return;
  put(span, attribute::websocket_time_to_first_chunk_perceived, base::seconds(first - invocation.anchor));
  put_text(span, attribute::websocket_time_to_first_chunk_anchor, invocation.anchor_name);
}

// "FIRST,NEXT,…" in whole microseconds. Their sums are rounded, not they themselves, so that no error adds up.
std::string spell(const model::ChunkTimes& times) {
  std::string out;
  double sum = 0;  // microseconds
  std::int64_t last = 0;
  for (const float mark : times.marks()) {
    sum += static_cast<double>(mark) * 1e6;
    const std::int64_t now = std::llround(sum);
    if (!out.empty()) out += ',';
    out += std::to_string(now - last);
    last = now;
  }
  return out;
}

void put_chunk_times(Span& span, const model::ChunkTimes& times) {
  if (times.marks().empty()) return;
  std::string text = spell(times);
  std::uint64_t every = times.every();
  if (text.size() > max_chunk_times) {  // pauses of many seconds between hundreds of chunks
    model::ChunkTimes fewer = times;
    do {
      fewer.thin();
      text = spell(fewer);
    } while (text.size() > max_chunk_times);
    every = fewer.every();
  }
  put(span, attribute::websocket_chunk_times, std::move(text));
  if (every > 1) put_count(span, attribute::websocket_chunk_times_every, every);
}

void put_progress(Span& span, const Invocation& invocation) {
  put_count(span, attribute::websocket_invocation_request_bytes, invocation.request_bytes);
  put_count(span, attribute::websocket_invocation_reply_bytes, invocation.reply_bytes);
  const Chunks& chunks = invocation.chunks;
  put_count(span, attribute::websocket_chunk_count, chunks.count);
  if (chunks.count == 0) return;
  put(span, attribute::websocket_time_to_first_chunk, base::seconds(chunks.first - invocation.opened));
  put(span, attribute::websocket_time_to_last_chunk, base::seconds(chunks.last - invocation.opened));
  put_perceived(span, invocation);
  if (chunks.count > 1) {
    put(span, attribute::websocket_chunk_interval_mean, base::seconds(chunks.mean_interval()));
    put(span, attribute::websocket_chunk_interval_max, base::seconds(chunks.longest_interval));
  }
  put_chunk_times(span, invocation.chunk_times);
  for (const LaneKeys& keys : lane_keys) {
    const Chunks* const lane = invocation.lane(keys.lane);
    if (lane == nullptr) continue;
    put_count(span, keys.count, lane->count);
    put(span, keys.first, base::seconds(lane->first - invocation.opened));
  }
}

void put_seed_names(Span& span, const Chunks& chunks, base::Time opened) {
  constexpr double ms = 1e3;
  put_count(span, attribute::seed::chunk_count, chunks.count);
  if (chunks.count > 0) put(span, attribute::seed::time_to_first_chunk_ms, base::seconds(chunks.first - opened) * ms);
  if (chunks.count > 1)
    put(span, attribute::seed::time_per_output_chunk_ms, base::seconds(chunks.mean_interval()) * ms);
}

void put_events(Span& span, const Invocation& invocation, base::WallOffset wall) {
  const auto first_chunk = [&](const Chunks& chunks) {
    model::SpanEvent& event = span.events.emplace_back();
    event.name = model::event_name::first_chunk;
    event.time_unix_ns = wall.unix_ns(chunks.first);
    if (chunks.lane.empty()) return;
    event.attributes.emplace_back(attribute::websocket_lane, std::string(chunks.lane));
    event.attributes.emplace_back(attribute::websocket_chunk_count, static_cast<std::int64_t>(chunks.count));
  };
  span.events.reserve(invocation.events.size() + Invocation::max_lanes + 2);
  bool has_first = false;
  for (const Chunks& lane : invocation.lanes) {
    if (lane.count == 0) continue;
    first_chunk(lane);
    has_first = has_first || lane.first == invocation.chunks.first;
  }
  if (invocation.chunks.count > 0 && !has_first) first_chunk(invocation.chunks);  // its first chunk was of no lane
  if (invocation.chunks.paused()) {
    model::SpanEvent& event = span.events.emplace_back();
    event.name = model::event_name::chunk_gap;
    event.time_unix_ns = wall.unix_ns(invocation.chunks.longest_ended);
    event.attributes.emplace_back(attribute::websocket_chunk_interval,
                                  base::seconds(invocation.chunks.longest_interval));
  }
  for (const auto& [name, at] : invocation.events) {
    model::SpanEvent& event = span.events.emplace_back();
    event.name = name;
    event.time_unix_ns = wall.unix_ns(at);
  }
  std::stable_sort(span.events.begin(), span.events.end(),
                   [](const auto& a, const auto& b) { return a.time_unix_ns < b.time_unix_ns; });
}

// What the dialect's rules read from its messages.
void put_dialects(Span& span, const Invocation& invocation, const InvocationSettings& settings) {
  for (const auto& [key, value] : invocation.attributes)
    if (!gen_ai::is_name(key)) put_read(span, key, value);
  if (settings.gen_ai) put_gen_ai(span, invocation.attributes);
}

std::string_view why_incomplete(InvocationEnd end) {
  switch (end) {
    case InvocationEnd::timeout:
      return "no reply in time";
    case InvocationEnd::connection_lost:
      return "the connection ended before the reply did";
    case InvocationEnd::evicted:
      return "given up: too many were open, or its key was used again";
    case InvocationEnd::reply:
    case InvocationEnd::cancel:
    case InvocationEnd::unanswered:
      break;
  }
  return "the reply is incomplete";
}

void put_outcome(Span& span, const Invocation& invocation) {
  put_text(span, attribute::websocket_invocation_status, model::name(invocation.status));
  put_text(span, attribute::websocket_invocation_end, model::name(invocation.end));
  std::string type = printable(invocation.error_type);
  if (invocation.status == InvocationStatus::error) {
    const std::string message = type.empty() ? "the reply is an error" : type;
    fail(span, type.empty() ? std::string("_OTHER") : std::move(type), message);
  } else if (invocation.status == InvocationStatus::incomplete) {
    if (type.empty())
      type = invocation.end == InvocationEnd::reply ? "incomplete" : std::string(model::name(invocation.end));
    fail(span, std::move(type), why_incomplete(invocation.end));
  }
}

}  // namespace

Span invocation_span(const SessionAttributes& session, const Invocation& invocation, std::string_view trace_state,
                     const Belonging& belonging, const InvocationSettings& settings, base::WallOffset wall) {
  const base::Time ended = invocation.ended == base::never ? invocation.opened : invocation.ended;
  Span span = begin_span("", model::SpanKind::server, session, place_of(invocation, trace_state),
                         {wall.unix_ns(invocation.opened), wall.unix_ns(ended)});
  span.name = printable(invocation.operation);
  put_who(span, invocation);
  put_progress(span, invocation);
  put_outcome(span, invocation);
  if (settings.seed_names) put_seed_names(span, invocation.chunks, invocation.opened);
  put_dialects(span, invocation, settings);
  if (settings.gen_ai && belonging.session != nullptr) put_gen_ai(span, *belonging.session);
  put_text(span, attribute::websocket_link_client, belonging.link_client);
  put_text(span, attribute::websocket_link_server, belonging.link_server);
  put_events(span, invocation, wall);
  if (!belonging.connection_trace.is_zero() && belonging.connection_trace != invocation.trace_id) {
    model::SpanLink& link = span.links.emplace_back();
    link.trace_id = belonging.connection_trace;
    link.span_id = belonging.connection_span;
    link.attributes.emplace_back(attribute::websocket_link, std::string("connection"));
  }
  return span;
}

Span interim_span(const SessionAttributes& session, const Invocation& invocation, const base::SpanId& id,
                  std::uint64_t index, const InvocationSettings& settings, base::Time now, base::WallOffset wall) {
  TracePlace place = place_of(invocation, {});
  place.parent_id = invocation.span_id;
  place.span_id = id;
  place.parent_is_remote = false;
  Span span = begin_span(model::span_name::invocation_interim, model::SpanKind::internal, session, place,
                         {wall.unix_ns(invocation.opened), wall.unix_ns(now)});
  put_text(span, attribute::websocket_invocation_operation, printable(invocation.operation));
  put_count(span, attribute::websocket_invocation_interim_index, index);
  put_who(span, invocation);
  put_progress(span, invocation);
  put_dialects(span, invocation, settings);
  put_events(span, invocation, wall);
  return span;
}

void add_interpretation(Span& connection, const InterpretationFigures& figures) {
  put_text(connection, attribute::sockeye_dialect_basis, figures.basis);
  if (figures.application_rtt)
    put(connection, attribute::websocket_application_heartbeat_rtt, base::seconds(*figures.application_rtt));
  if (figures.invocations != 0) put_count(connection, attribute::websocket_invocations, figures.invocations);
}

Span message_span(const SessionAttributes& session, const TracePlace& place, const MessageAttributes& message,
                  Interval interval) {
  Span span =
      begin_span(message.sent ? model::span_name::send : model::span_name::receive,
                 message.sent ? model::SpanKind::producer : model::SpanKind::consumer, session, place, interval);
  put_text(span, attribute::websocket_message_direction, model::direction(message.from));
  put_text(span, attribute::websocket_message_type, message.text ? "text" : "binary");
  put_count(span, attribute::websocket_message_number, message.number);
  put_count(span, attribute::websocket_message_length, message.length);
  put_count(span, attribute::websocket_message_frames, message.frames);
  if (message.compressed) put(span, attribute::websocket_message_compressed, true);
  return span;
}

Span transfer_span(const SessionAttributes& session, const TracePlace& place, const Transfer& transfer,
                   base::WallOffset wall) {
  Span span = begin_span(model::span_name::transfer, model::SpanKind::internal, session, place,
                         {wall.unix_ns(transfer.begin), wall.unix_ns(transfer.end)});
  put_text(span, attribute::websocket_transfer_name, transfer.name);
  put_text(span, attribute::websocket_transfer_direction, model::direction(transfer.from));
  put_count(span, attribute::websocket_transfer_messages, transfer.messages);
  put_count(span, attribute::websocket_transfer_bytes, transfer.bytes);
  if (transfer.messages > 1)
    put(span, attribute::websocket_transfer_longest_gap, base::seconds(transfer.longest_interval));
  return span;
}

}  // namespace sockeye::signal
