// The end of a Connection, and all about time. What follows from what is session::Lifecycle's table; here it is done.
#include <algorithm>
#include <cassert>

#include "live_connection.h"
#include "sockeye/signal/invocations.h"
#include "sockeye/wire/frame_writer.h"

namespace sockeye::observer {

using base::Time;
using model::Anomaly;
using model::EndReason;
using model::Initiator;
using model::Opcode;
using model::Side;
using session::Event;

namespace {

constexpr std::array<Side, 2> both{Side::client, Side::server};

Initiator initiator(Side side) { return side == Side::client ? Initiator::client : Initiator::server; }

// A violation of a route's limit is the route's doing, any other the peer's.
EndReason why_ended(Anomaly kind) {
  const auto code = model::close_code(kind);
  return code == 1008 || code == 1009 ? EndReason::limit : EndReason::protocol_error;
}

// "heartbeat timeout: nothing from the client for 70 s".
std::string silence_in_words(Side side, base::Duration silence) {
  const auto tenths = std::chrono::duration_cast<std::chrono::milliseconds>(silence).count() / 100;
  std::string text = std::to_string(tenths / 10);
  if (tenths < 100) text += "." + std::to_string(tenths % 10);
  return "heartbeat timeout: nothing from the " + std::string(model::leg_name(side)) + " for " + text + " s";
}

}  // namespace

void LiveConnection::begin_close(std::uint16_t code, Initiator by, EndReason why, std::string_view reason) {
  if (!close_) close_ = model::CloseInfo{.code = code, .initiator = by, .why = why, .reason = std::string(reason)};
}

void LiveConnection::end_for(Side from, Anomaly kind, Time now) {
  const Parting words{.code = model::close_code(kind), .reason = model::explain(kind)};
  begin_close(words.code, Initiator::proxy, why_ended(kind), words.reason);
  stream(from).flow = Flow::discard;
  happened(Event::violation, from, words, now);
  // A Close of ours that waited for the end of this stream's frame has it now, or never.
  const Side to = model::other(from);
  // Inside a frame that will never be whole the other peer cannot be told, so there is no answer to wait for.
  if (life_.state() == session::State::failing && !leg(to).told) return happened(Event::timeout, from, words, now);
  if (leg(to).close_waits && at_boundary(to)) boundary_reached(to, now);
  if (leg(to).close_waits) finish_leg(to, Finish::flush);
}

void LiveConnection::happened(Event event, Side who, const Parting& words, Time now) {
  // The violator hears late what its violation was, whatever it was that ended the wait.
  const bool failing = life_.state() == session::State::failing;
  const Parting violation = failing ? Parting{.code = close_->code, .reason = close_->reason} : Parting{};
  carry_out(life_.on(event, who), who, failing ? violation : words, now);
}

void LiveConnection::carry_out(session::Actions actions, Side self, const Parting& words, Time now) {
  const Side peer = model::other(self);
  if (actions.pass) leg(peer).told = true;
  if (actions.tell_self) tell(self, words, now);
  if (actions.tell_other) tell(peer, words, now);
  if (actions.tell_both_soon) {
    for (const Side side : both) {
      if (at_boundary(side)) {
        tell(side, words, now);
      } else if (!leg(side).told && !leg(side).finished) {
        leg(side).close_waits = leg(side).wants_boundary = true;
        parting_code_ = words.code;
      }
    }
  }
  if (actions.abort_self) finish_leg(self, Finish::abort);
  if (actions.finish_self) finish_leg(self, Finish::flush);
  if (actions.finish_other) finish_leg(peer, Finish::flush);
  if (actions.abort_silent)
    for (const Side side : both)
      finish_leg(side, stream(side).heard_close || stream(side).ended ? Finish::flush : Finish::abort);

  if (life_.state() == session::State::open) return;
  for (Leg& each : legs_) each.heartbeat.stop();
  if (life_.state() == session::State::closed)
    for (Stream& each : streams_) each.flow = Flow::discard;
  if (close_deadline_ == base::never) close_deadline_ = now + opening_.options->close_timeout;
}

// Our Close, the last frame the leg gets. Nothing when it had one, or stands inside a frame: no bytes are invented to
// get out of it, its peer will see the connection end there (1006).
void LiveConnection::tell(Side to, const Parting& words, Time now) {
  Leg& l = leg(to);
  if (l.told || l.finished || !at_boundary(to)) return;
  const bool masked = to == Side::server;  // towards it we are the client
  const auto mask = static_cast<std::uint32_t>(opening_.environment->random() >> 32U);
  const auto frame = wire::close_frame(words.code, words.reason, masked, mask);
  outlet_->inject(to, frame.view());
  l.told = true;
  l.close_waits = false;
  Stream& feeding = stream(model::other(to));
  if (feeding.flow == Flow::pass) feeding.flow = Flow::drain;
  note(model::other(to), Opcode::close, words.reason.size() + 2, false, true, now);
}

void LiveConnection::boundary_reached(Side to, Time now) {
  Leg& l = leg(to);
  l.wants_boundary = false;
  if (l.close_waits) {
    const bool ours = close_ && close_->initiator == Initiator::proxy;  // else a peer's Close came before ours
    tell(to, {.code = parting_code_, .reason = ours ? std::string_view(close_->reason) : std::string_view()}, now);
  } else if (l.heartbeat.waits_for_boundary()) {
    send_ping(to, now);
  }
}

void LiveConnection::finish_leg(Side side, Finish how) {
  Leg& l = leg(side);
  if (l.finished) return;
  l.finished = true;
  l.close_waits = l.wants_boundary = false;
  Stream& feeding = stream(model::other(side));
  if (feeding.flow == Flow::pass) feeding.flow = Flow::drain;
  outlet_->finish(side, how);
}

void LiveConnection::eof(Side side, Time now) {
  Stream& s = stream(side);
  if (s.ended || finished_) return;
  s.ended = true;
  if (s.flow == Flow::pass) {
    if (s.parser.mid_frame() && !s.parser.opaque()) count(Anomaly::truncated);
    // Of a message that was held back its receiver gets what there is; of one that is made anew, the frames it had.
    const bool remade = s.held && rewriter_->remakes(side);
    if (s.held) {
      rewriter_->give_up(side);
      release(side, false);
      s.held = false;
    }
    if (remade) {
      s.edge = Edge::boundary;
    } else if (const auto held = s.parser.held(); !held.empty()) {
      s.edge = Edge::inside;
      outlet_->forward(side, held);
    }
    // Once a FIN was passed on, the other side's is the answer to it.
    if (life_.state() == session::State::open || life_.state() == session::State::close_seen)
      if (!s.heard_close) count(Anomaly::half_close);
  }
  begin_close(1006, initiator(side), EndReason::reset, {});
  happened(Event::eof, side, {}, now);
  // A Close of ours that waited for the end of this stream's frame will not find it.
  if (leg(model::other(side)).close_waits) finish_leg(model::other(side), Finish::flush);
}

void LiveConnection::reset(Side side, Time now) {
  Stream& s = stream(side);
  if (finished_) return;
  s.ended = true;
  begin_close(1006, initiator(side), EndReason::reset, {});
  happened(Event::reset, side, {}, now);
  if (leg(model::other(side)).close_waits) finish_leg(model::other(side), Finish::flush);
}

void LiveConnection::shut(EndReason why, std::uint16_t code, std::string_view reason, Time now) {
  if (finished_) return;
  begin_close(code, Initiator::proxy, why, reason);
  happened(Event::shut, Side::client, {.code = code, .reason = reason}, now);
}

void LiveConnection::reading(Side side, bool paused, Time now) {
  leg(side).paused = paused;
  leg(side).heartbeat.reading(paused, now);
}

void LiveConnection::send_ping(Side to, Time now) {
  const bool masked = to == Side::server;
  const auto mask = static_cast<std::uint32_t>(opening_.environment->random() >> 32U);
  const auto payload = leg(to).heartbeat.sent(now);
  outlet_->inject(to, wire::control_frame(Opcode::ping, payload, masked, mask).view());
  model::RecordedMessage entry{};
  entry.at = now;
  entry.length = payload.size();
  entry.side = model::index(model::other(to)) & 1U;
  entry.opcode = static_cast<std::uint8_t>(Opcode::ping) & 15U;
  entry.injected = 1;
  recorder_.record_ping(entry);
}

void LiveConnection::beat(Side side, Time now) {
  Leg& l = leg(side);
  for (;;) {
    const auto due = l.heartbeat.due(now);
    if (due == session::Heartbeat::Due::nothing) return;
    if (due == session::Heartbeat::Due::ping) {
      if (at_boundary(side)) {
        send_ping(side, now);
      } else {
        l.heartbeat.wait_for_boundary(now);
        l.wants_boundary = true;
      }
      continue;
    }
    // A ping that waits for a boundary says nothing about its leg as long as the frame's sender may simply be slow.
    // That sender's being paused means the leg does not take what there is.
    const bool blameless = l.heartbeat.waits_for_boundary() && !leg(model::other(side)).paused;
    if (blameless || outlet_->advancing(side)) {
      l.heartbeat.extend(now);
      continue;
    }
    l.wants_boundary = l.close_waits;
    model::RouteMetrics& metrics = *opening_.metrics;
    metrics.pong_missed[model::index(side)].add();
    const auto miss = l.heartbeat.miss();
    if (miss == session::Heartbeat::Miss::late) metrics.pong_late[model::index(side)].add();
    if (miss != session::Heartbeat::Miss::last) continue;
    metrics.heartbeat_timeouts[model::index(side)].add();
    outlet_->silent(side, l.last_received, now);
    if (opening_.options->heartbeat.on_dead == HeartbeatOptions::OnDead::close) return give_up_on(side, now);
  }
}

// Ends the session because one peer is silent: our decision, whatever became of it. Its leg gets the Close if it can;
// inside a frame it cannot, and then there is nothing worth flushing to it.
void LiveConnection::give_up_on(Side side, Time now) {
  const Time since = leg(side).last_received;
  const std::string reason = silence_in_words(side, now - since);
  begin_close(1001, Initiator::proxy, EndReason::heartbeat_timeout, reason);
  close_->silent = side;
  close_->silent_since = since;
  if (!at_boundary(side)) finish_leg(side, Finish::abort);
  happened(Event::silent, side, {.code = 1001, .reason = reason}, now);
}

Time LiveConnection::next_deadline() const {
  if (finished_ || over()) return base::never;
  Time next = std::min({legs_[0].heartbeat.deadline(), legs_[1].heartbeat.deadline(), segment_end_, close_deadline_});
  if (life_.state() == session::State::open && opening_.options->idle_timeout > base::Duration::zero())
    next = std::min(next, last_data_ + opening_.options->idle_timeout);
  if (meaning_) next = std::min(next, meaning_->next_deadline());
  return next;
}

void LiveConnection::tick(Time now) {
  if (finished_ || over()) return;
  if (now >= segment_end_) emit_segment(now);
  if (meaning_) meaning_->tick(now);
  if (now >= close_deadline_) return happened(Event::timeout, Side::client, {}, now);
  for (const Side side : both) beat(side, now);
  const base::Duration idle = opening_.options->idle_timeout;
  if (life_.state() == session::State::open && idle > base::Duration::zero() && now >= last_data_ + idle)
    shut(EndReason::idle, 1001, "idle", now);
}

signal::SessionFacts LiveConnection::facts() const {
  signal::SessionFacts facts = opening_.facts();
  facts.dialect = meaning_ ? meaning_->dialect() : std::string_view("none");
  return facts;
}

signal::ConnectionFigures LiveConnection::figures() const {
  signal::ConnectionFigures out;
  for (std::size_t i = 0; i < 2; ++i) {
    out.counts[i] = streams_[i].counts;
    out.pings[i] = {.rtt_last = legs_[i].heartbeat.rtt(),
                    .rtt_min = legs_[i].heartbeat.rtt_min(),
                    .missed = legs_[i].heartbeat.missed_total(),
                    .late = legs_[i].heartbeat.late_total()};
    out.longest_gap[i] = streams_[i].gaps.longest();
  }
  out.anomalies = anomalies_;
  out.close = close_ ? &*close_ : nullptr;
  return out;
}

void LiveConnection::emit_segment(Time now) {
  Environment& environment = *opening_.environment;
  const signal::ConnectionFigures now_known = figures();
  const signal::Interval interval{environment.wall.unix_ns(segment_begin_), environment.wall.unix_ns(now)};
  environment.spans->offer(signal::segment_span(facts(), opening_.connection_place(),
                                                base::make_span_id(environment.random), interval, now_known,
                                                segment_before_, segments_++));
  segment_before_ = signal::totals(now_known);
  segment_begin_ = now;
  segment_end_ = now + opening_.options->segment;
}

bool LiveConnection::choose_traced() {
  const double turn = static_cast<double>(opening_.environment->random() >> 11U) * 0x1p-53;  // 0 to 1, without 1
  return turn < opening_.options->message_spans;
}

// What came from one leg went to the other: one span each, side by side under the connection.
void LiveConnection::emit_message(Side from, std::uint64_t number, Time now) {
  Environment& environment = *opening_.environment;
  const Stream& s = stream(from);
  signal::MessageFacts message{.from = from,
                               .text = s.parser.message_opcode() == Opcode::text,
                               .compressed = s.parser.message_compressed(),
                               .length = s.parser.message_length(),
                               .frames = s.frames,
                               .number = number};
  const signal::Interval interval{environment.wall.unix_ns(s.began), environment.wall.unix_ns(now)};
  signal::TracePlace place = opening_.connection_place();
  place.parent_id = place.span_id;
  for (const bool sent : {false, true}) {
    message.sent = sent;
    place.span_id = base::make_span_id(environment.random);
    environment.spans->offer(signal::message_span(facts(), place, message, interval));
  }
}

void LiveConnection::finish(Time now) {
  if (finished_) return;
  finished_ = true;
  begin_close(1006, Initiator::network, EndReason::reset, {});
  model::RouteMetrics& metrics = *opening_.metrics;
  metrics.connections_active.add(-1);
  metrics.connections_closed.add();
  metrics.session_duration.observe(now - opening_.opened);
  metrics.count_close(close_->code, close_->initiator, close_->why);
  if (meaning_) meaning_->finish(now);
  if (!opening_.traced()) return;
  Environment& environment = *opening_.environment;
  const signal::Interval interval{environment.wall.unix_ns(opening_.opened), environment.wall.unix_ns(now)};
  model::Span span =
      signal::connection_span(facts(), opening_.connection_place(), interval, figures(), environment.wall);
  if (meaning_) meaning_->describe(span);
  environment.spans->offer(std::move(span));
}

SessionView LiveConnection::view(Time) const {
  const auto text = [this](SessionTexts::Field field) { return std::string(opening_.texts[field]); };
  SessionView out;
  out.id = opening_.id;
  out.route = opening_.options->route;
  out.method_target = text(SessionTexts::target);
  out.host = text(SessionTexts::host);
  out.subprotocol = text(SessionTexts::subprotocol);
  out.extensions = text(SessionTexts::extensions);
  out.client_address = text(SessionTexts::client_address);
  if (!opening_.reconnect_of.is_zero()) out.reconnect_of = opening_.reconnect_of;
  out.reconnect_basis = opening_.reconnect_basis;
  if ((opening_.trace_flags & 1U) != 0) out.trace_id = base::to_hex(opening_.trace_id);
  out.state = state();
  out.opened = opening_.opened;
  for (std::size_t i = 0; i < 2; ++i) {
    const session::Heartbeat& heartbeat = legs_[i].heartbeat;
    out.counts[i] = streams_[i].counts;
    out.legs[i] = {.heartbeat = heartbeat.enabled(),
                   .rtt = heartbeat.rtt(),
                   .rtt_min = heartbeat.rtt_min(),
                   .peer_ping_interval = heartbeat.peer_interval(),
                   .misses = heartbeat.misses(),
                   .silent = heartbeat.silent(),
                   .missed_total = heartbeat.missed_total(),
                   .late_total = heartbeat.late_total(),
                   .last_received = legs_[i].last_received};
    out.last_message[i] = streams_[i].gaps.last();
    out.longest_gap[i] = streams_[i].gaps.longest();
  }
  out.close = close_;
  out.anomalies = anomalies_;
  if (meaning_) meaning_->view(out);
  return out;
}

Glance LiveConnection::glance() const {
  Glance out;
  out.state = state();
  out.dialect = meaning_ ? meaning_->dialect() : "none";
  for (std::size_t i = 0; i < 2; ++i) {
    const session::Heartbeat& heartbeat = legs_[i].heartbeat;
    out.messages[i] = streams_[i].counts.data_messages();
    out.bytes[i] = streams_[i].counts.bytes;
    out.rtt[i] = heartbeat.rtt();
    out.misses[i] = heartbeat.misses();
    out.missed_total += heartbeat.missed_total();
    out.last_message[i] = streams_[i].gaps.last();
  }
  out.anomalies = anomalies_;
  if (meaning_) out.invocations_open = meaning_->open();
  return out;
}

}  // namespace sockeye::observer
