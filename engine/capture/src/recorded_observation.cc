#include "recorded_observation.h"

#include <algorithm>

namespace sockeye::capture {

using base::Bytes;
using model::Opcode;
using model::Side;
using observer::Call;
using wire::FrameParser;
using wire::Piece;
using Kind = Event::Kind;

RecordedObservation::RecordedObservation(std::unique_ptr<observer::Observation> inner,
                                         std::unique_ptr<Recorder> recorder, Begun begun)
    : inner_(std::move(inner)),
      recorder_(std::move(recorder)),
      follows_{begun == Begun::at_once, begun == Begun::at_once},
      attached_(begun == Begun::late) {
  moved();
}

void RecordedObservation::simple(Kind kind, Side side, std::optional<std::uint64_t> count, bool flag,
                                 const Call& call) {
  Event event;
  event.kind = kind;
  event.side = side;
  event.count = count;
  event.flag = flag;
  recorder_->event(event, call);
}

void RecordedObservation::step(Side side, Step what, const Call& call) {
  if (attached_) return;
  Event event;
  event.kind = Kind::step;
  event.side = side;
  event.step = what;
  recorder_->event(event, call);
}

// --- a vantage that only watches -------------------------------------------------------------------------------------

void RecordedObservation::passed(Side from, Bytes bytes, std::uint64_t came, bool watched, const Call& call) {
  Event event;
  event.kind = Kind::bytes;
  event.side = from;
  event.watched = watched;
  event.data = bytes;
  event.count = came;
  recorder_->bytes(event, call);
}

void RecordedObservation::bytes(Side from, Bytes bytes, const Call& call) {
  const Bytes kept = follows_[model::index(from)] ? bytes : from_next_frame(from, bytes, call);
  if (!kept.empty()) passed(from, kept, 0, true, call);
  const Identifiers own(recorder_->random(), call.workspace);
  inner_->bytes(from, bytes, call);
  moved();
}

void RecordedObservation::gap(Side from, std::optional<std::uint64_t> bytes, const Call& call) {
  simple(Kind::gap, from, bytes, false, call);
  recorder_->gap(from, bytes);
  const Identifiers own(recorder_->random(), call.workspace);
  inner_->gap(from, bytes, call);
  moved();
  // With payload a replay will find the framing as it was found here.
  if (!recorder_->options().payload && !inner_->to_next_frame(from)) follows_[model::index(from)] = false;
}

// What of it lies behind the beginning of the next frame, where that is known.
Bytes RecordedObservation::from_next_frame(Side from, Bytes bytes, const Call& call) {
  const auto before = std::min<std::uint64_t>(inner_->to_next_frame(from).value_or(bytes.size()), bytes.size());
  if (before > 0) simple(Kind::received, from, before, false, call);
  if (before == bytes.size()) return {};
  follows_[model::index(from)] = true;
  simple(Kind::frame, from, std::nullopt, false, call);
  recorder_->frame(from);
  return bytes.subspan(static_cast<std::size_t>(before));
}

void RecordedObservation::message(Side from, Opcode opcode, Bytes payload, std::uint64_t wire_size, const Call& call) {
  const Identifiers own(recorder_->random(), call.workspace);
  inner_->message(from, opcode, payload, wire_size, call);
  moved();
}

void RecordedObservation::handled(Side from, base::Duration took, const Call& call) {
  const Identifiers own(recorder_->random(), call.workspace);
  inner_->handled(from, took, call);
  moved();
}

// --- a carrier -------------------------------------------------------------------------------------------------------

void RecordedObservation::received(Side from, std::size_t bytes, const Call& call) {
  if (!attached_) simple(Kind::received, from, bytes, false, call);
  inner_->received(from, bytes, call);
}

void RecordedObservation::walked(Side from, Bytes raw, std::uint64_t came, const Piece* piece, const base::Byte* at,
                                 const Call& call) {
  stopped_ = from;
  if (attached_) return walked_late(from, raw, piece, at, call);
  passed(from, raw, came, false, call);
}

// A frame that is not whole yet, and a control frame, are kept back until it is known what becomes of them.
void RecordedObservation::walked_late(Side from, Bytes raw, const Piece* piece, const base::Byte* at,
                                      const Call& call) {
  Late& late = late_[model::index(from)];
  if (!late.aligned) return;
  if (late.decides) {  // the carrier took the one before for no frame of the peer's
    late.held.clear();
    late.decides = false;
  }
  const bool keeps = piece != nullptr && piece->kind != Piece::Kind::data;
  const Bytes now = keeps ? raw.first(static_cast<std::size_t>(at - raw.data())) : raw;
  if (!now.empty()) {
    const std::string held = std::exchange(late.held, {});
    passed(from, base::as_bytes(held), held.size(), false, call);
    passed(from, now, now.size(), false, call);
  }
  if (!keeps) return;
  late.held.append(base::as_text(raw.subspan(now.size())));
  late.decides = piece->kind == Piece::Kind::control;
}

observer::Observation::Advance RecordedObservation::advance(Side from, FrameParser& parser, Bytes rest,
                                                            std::size_t came, bool one, std::optional<Piece>& piece,
                                                            const Call& call) {
  Late& late = late_[model::index(from)];
  late.aligned = late.aligned || (parser.at_boundary() && !parser.mid_message() && parser.held().empty());
  Advance out;
  {
    const Identifiers own(recorder_->random(), call.workspace);
    out = inner_->advance(from, parser, rest, came, one, piece, call);
  }
  const bool stops = out.at != nullptr;
  const bool decides = stops && !out.completed && !out.turn_over;
  const auto end =
      stops ? static_cast<std::size_t>(out.at - rest.data()) + (out.turn_over ? 0 : piece->used) : rest.size();
  // Written before what follows from it is called, so after what it did itself: that needs no record.
  if (end == 0) {
    if (came != 0 && !attached_) simple(Kind::received, from, came, false, call);
  } else {
    walked(from, rest.first(end), came, decides ? &*piece : nullptr, out.at, call);
  }
  moved();
  return out;
}

void RecordedObservation::parsed(Side from, Bytes raw, const Piece& piece, const Call& call) {
  Late& late = late_[model::index(from)];
  late.aligned = late.aligned || (piece.starts && piece.held.empty());
  walked(from, raw.first(piece.used), 0, &piece, raw.data(), call);
  inner_->parsed(from, raw, piece, call);
}

bool RecordedObservation::begin(Side from, const FrameParser& parser, const Piece& piece, const Call& call) {
  step(from, Step::begin, call);
  const Identifiers own(recorder_->random(), call.workspace);
  return inner_->begin(from, parser, piece, call);
}

model::Anomaly RecordedObservation::inspect(Side from, const FrameParser& parser, const Piece& piece, Text* text,
                                            const Call& call) {
  step(from, Step::inspect, call);
  const Identifiers own(recorder_->random(), call.workspace);
  return inner_->inspect(from, parser, piece, text, call);
}

Bytes RecordedObservation::complete(Side from, const FrameParser& parser, const Piece& piece, const Insert& insert,
                                    const Call& call) {
  step(from, Step::complete, call);
  const Identifiers own(recorder_->random(), call.workspace);
  const Bytes out = inner_->complete(from, parser, piece, insert, call);
  moved();
  return out;
}

bool RecordedObservation::may_insert(Side from, Opcode opcode, const Insert& insert) const {
  return inner_->may_insert(from, opcode, insert);
}

observer::Observation::CloseFrame RecordedObservation::read_close(Bytes payload, const Call& call) {
  step(stopped_, Step::read_close, call);
  return inner_->read_close(payload, call);
}

void RecordedObservation::control(Side from, Opcode opcode, Bytes payload, const Call& call) {
  step(from, Step::control, call);
  if (Late& late = late_[model::index(from)]; attached_ && late.decides) {
    late.decides = false;
    const std::string held = std::exchange(late.held, {});
    passed(from, base::as_bytes(held), held.size(), false, call);
  }
  inner_->control(from, opcode, payload, call);
}

void RecordedObservation::anomaly(model::Anomaly kind, const Call& call) {
  Event event;
  event.kind = Kind::anomaly;
  event.anomaly = kind;
  recorder_->event(event, call);
  inner_->anomaly(kind, call);
}

void RecordedObservation::probe_sent(Side leg, std::size_t payload, const Call& call) {
  simple(Kind::probe_sent, leg, payload, false, call);
  inner_->probe_sent(leg, payload, call);
}

void RecordedObservation::probe_answered(Side leg, std::optional<base::Duration> rtt, const Call& call) {
  if (Late& late = late_[model::index(leg)]; attached_ && late.decides) {
    simple(Kind::received, leg, late.held.size(), false, call);
    late.held.clear();
    late.decides = false;
  }
  const auto took = rtt ? std::optional(static_cast<std::uint64_t>(rtt->count())) : std::nullopt;
  simple(Kind::probe_answered, leg, took, false, call);
  inner_->probe_answered(leg, rtt, call);
}

void RecordedObservation::probe_missed(Side leg, bool late, const Call& call) {
  simple(Kind::probe_missed, leg, std::nullopt, late, call);
  inner_->probe_missed(leg, late, call);
}

void RecordedObservation::close_sent(Side leg, std::size_t payload, const Call& call) {
  simple(Kind::close_sent, leg, payload, false, call);
  inner_->close_sent(leg, payload, call);
}

void RecordedObservation::closing(const model::CloseInfo& close) {
  Event event;
  event.kind = Kind::closing;
  event.close = close;
  recorder_->event(event);
  inner_->closing(close);
}

void RecordedObservation::closed() {
  Event event;
  event.kind = Kind::closed;
  recorder_->event(event);
  inner_->closed();
  moved();
}

// --- both ------------------------------------------------------------------------------------------------------------

void RecordedObservation::raise(const model::Condition& condition, const Call& call) {
  Event event;
  event.kind = Kind::condition;
  event.condition = condition;
  recorder_->event(event, call);
  inner_->raise(condition, call);
}

void RecordedObservation::end(Side from, observer::StreamEnd how, const Call& call) {
  simple(Kind::end, from, std::nullopt, how == observer::StreamEnd::reset, call);
  const Identifiers own(recorder_->random(), call.workspace);
  inner_->end(from, how, call);
  moved();
}

void RecordedObservation::cut(Side from, const FrameParser& parser, bool unexpected, const Call& call) {
  simple(Kind::cut, from, std::nullopt, unexpected, call);
  inner_->cut(from, parser, unexpected, call);
}

void RecordedObservation::tick(const Call& call) {
  if (call.now >= inner_->next_deadline()) simple(Kind::tick, {}, std::nullopt, false, call);
  const Identifiers own(recorder_->random(), call.workspace);
  inner_->tick(call);
  moved();
}

void RecordedObservation::finish(const Call& call) {
  simple(Kind::finish, {}, std::nullopt, false, call);
  {
    const Identifiers own(recorder_->random(), call.workspace);
    inner_->finish(call);
  }
  recorder_->finish();
  moved();
}

}  // namespace sockeye::capture
