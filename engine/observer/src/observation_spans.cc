// The spans of the session itself: segments of it while it is open, of chosen messages, and of the whole.
#include "live_observation.h"

namespace sockeye::observer {

using model::Opcode;
using model::Side;

signal::SessionAttributes LiveObservation::span_attributes() const {
  signal::SessionAttributes attributes = opening_.span_attributes();
  attributes.dialect = dialect();
  return attributes;
}

signal::ConnectionFigures LiveObservation::span_figures() const {
  signal::ConnectionFigures out;
  for (std::size_t i = 0; i < 2; ++i) {
    out.counts[i] = streams_[i].counts;
    out.pings[i] = {.rtt_last = legs_[i].rtt,
                    .rtt_min = legs_[i].rtt ? std::optional(legs_[i].rtt_min) : std::nullopt,
                    .missed = legs_[i].missed_total,
                    .late = legs_[i].late_total};
    out.longest_gap[i] = streams_[i].gaps.longest();
  }
  out.anomalies = anomalies_;
  out.close = close_ ? &*close_ : nullptr;
  return out;
}

void LiveObservation::emit_segment(const Call& call) {
  const signal::ConnectionFigures now_known = span_figures();
  const base::WallOffset wall = call.workspace.wall;
  const signal::Interval interval{wall.unix_ns(segment_begin_), wall.unix_ns(call.now)};
  call.workspace.spans->offer(signal::segment_span(span_attributes(), opening_.connection_place(),
                                                   base::make_span_id(call.workspace.random), interval, now_known,
                                                   segment_before_, segments_++));
  segment_before_ = signal::totals(now_known);
  segment_begin_ = call.now;
  segment_end_ = call.now + opening_.options->segment;
}

// What came from one leg went to the other: one span each, side by side under the connection.
void LiveObservation::emit_message(Side from, const wire::FrameParser& parser, std::uint64_t number, const Call& call) {
  const Traced& traced = traced_[model::index(from)];
  signal::MessageAttributes message{.from = from,
                                    .text = parser.message_opcode() == Opcode::text,
                                    .compressed = parser.message_compressed(),
                                    .length = parser.message_length(),
                                    .frames = traced.frames,
                                    .number = number};
  const base::WallOffset wall = call.workspace.wall;
  const signal::Interval interval{wall.unix_ns(traced.began), wall.unix_ns(call.now)};
  signal::TracePlace place = opening_.connection_place();
  place.parent_id = place.span_id;
  for (const bool sent : {false, true}) {
    message.sent = sent;
    place.span_id = base::make_span_id(call.workspace.random);
    call.workspace.spans->offer(signal::message_span(span_attributes(), place, message, interval));
  }
}

void LiveObservation::emit_connection(const Call& call) {
  const base::WallOffset wall = call.workspace.wall;
  const signal::Interval interval{wall.unix_ns(opening_.opened), wall.unix_ns(call.now)};
  model::Span span =
      signal::connection_span(span_attributes(), opening_.connection_place(), interval, span_figures(), wall);
  if (reading_) reading_->describe(span, at(call));
  call.workspace.spans->offer(std::move(span));
}

}  // namespace sockeye::observer
