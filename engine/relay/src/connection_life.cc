// The end of a Connection, and all about time. What follows from what is session::Lifecycle's table; here it is done.
#include <algorithm>
#include <cassert>

#include "live_connection.h"
#include "sockeye/wire/frame_writer.h"

namespace sockeye::relay {

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
  if (!close()) observation_->closing({.code = code, .initiator = by, .why = why, .reason = std::string(reason)});
}

void LiveConnection::end_for(Side from, Anomaly kind, const Call& call) {
  const Parting words{.code = model::close_code(kind), .reason = model::explain(kind)};
  begin_close(words.code, Initiator::proxy, why_ended(kind), words.reason);
  stream(from).flow = Flow::discard;
  happened(Event::violation, from, words, call);
  // A Close of ours that waited for the end of this stream's frame has it now, or never.
  const Side to = model::other(from);
  // Inside a frame that will never be whole the other peer cannot be told, so there is no answer to wait for.
  if (life_.state() == session::State::failing && !leg(to).close_sent)
    return happened(Event::timeout, from, words, call);
  if (leg(to).close_waits && at_boundary(to)) boundary_reached(to, call);
  if (leg(to).close_waits) finish_leg(to, Finish::flush);
}

void LiveConnection::happened(Event event, Side who, const Parting& words, const Call& call) {
  // The violator hears late what its violation was, whatever it was that ended the wait.
  const bool failing = life_.state() == session::State::failing;
  const Parting violation = failing ? Parting{.code = close()->code, .reason = close()->reason} : Parting{};
  carry_out(life_.on(event, who), who, failing ? violation : words, call);
}

void LiveConnection::carry_out(session::Actions actions, Side self, const Parting& words, const Call& call) {
  const Side peer = model::other(self);
  if (actions.pass) leg(peer).close_sent = true;
  if (actions.tell_self) tell(self, words, call);
  if (actions.tell_other) tell(peer, words, call);
  if (actions.tell_both_soon) {
    for (const Side side : both) {
      if (at_boundary(side)) {
        tell(side, words, call);
      } else if (!leg(side).close_sent && !leg(side).finished) {
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
  if (life_.state() == session::State::closed || over()) observation_->closed();
  if (close_deadline_ == base::never) close_deadline_ = call.now + options_.close_timeout;
}

// Our Close, the last frame the leg gets. Nothing when it had one, or stands inside a frame: no bytes are invented to
// get out of it, its peer will see the connection end there (1006).
void LiveConnection::tell(Side to, const Parting& words, const Call& call) {
  Leg& l = leg(to);
  if (l.close_sent || l.finished || !at_boundary(to)) return;
  const bool masked = to == Side::server;  // towards it we are the client
  const auto mask = static_cast<std::uint32_t>(call.workspace.random() >> 32U);
  const auto frame = wire::close_frame(words.code, words.reason, masked, mask);
  outlet_->inject(to, frame.view());
  l.close_sent = true;
  l.close_waits = false;
  Stream& feeding = stream(model::other(to));
  if (feeding.flow == Flow::pass) feeding.flow = Flow::drain;
  observation_->close_sent(to, words.reason.size() + 2, call);
}

void LiveConnection::boundary_reached(Side to, const Call& call) {
  Leg& l = leg(to);
  l.wants_boundary = false;
  if (l.close_waits) {
    const bool ours = close() && close()->initiator == Initiator::proxy;  // else a peer's Close came before ours
    tell(to, {.code = parting_code_, .reason = ours ? std::string_view(close()->reason) : std::string_view()}, call);
  } else if (l.heartbeat.waits_for_boundary()) {
    send_ping(to, call);
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

void LiveConnection::eof(Side side, const Call& call) {
  Stream& s = stream(side);
  if (s.ended || finished_) return;
  s.ended = true;
  // Half a frame that breaks a rule breaks it already.
  if (const Anomaly found = s.parser.held_anomaly(); s.flow == Flow::pass && strict() && found != Anomaly::none) {
    observation_->anomaly(found, call);
    s.edge = Edge::boundary;
    end_for(side, found, call);
  }
  if (s.flow == Flow::pass) {
    // Once a FIN was passed on, the other side's is the answer to it.
    const bool first = life_.state() == session::State::open || life_.state() == session::State::close_seen;
    observation_->cut(side, s.parser, first && !s.heard_close, call);
    // Of a message that was held back its receiver gets what there is; of one that is remade, the frames it had.
    const bool remade = s.held && rewriter_->remakes(side);
    if (s.held) {
      rewriter_->give_up(side);
      release(side, false, {});
      s.held = false;
    }
    if (remade) {
      s.edge = Edge::boundary;
    } else if (const auto held = s.parser.held(); !held.empty()) {
      s.edge = Edge::inside;
      outlet_->forward(side, held);
    }
  }
  begin_close(1006, initiator(side), EndReason::reset, {});
  happened(Event::eof, side, {}, call);
  // A Close of ours that waited for the end of this stream's frame will not find it.
  if (leg(model::other(side)).close_waits) finish_leg(model::other(side), Finish::flush);
}

void LiveConnection::reset(Side side, const Call& call) {
  Stream& s = stream(side);
  if (finished_) return;
  s.ended = true;
  begin_close(1006, initiator(side), EndReason::reset, {});
  happened(Event::reset, side, {}, call);
  if (leg(model::other(side)).close_waits) finish_leg(model::other(side), Finish::flush);
}

void LiveConnection::shut(EndReason why, std::uint16_t code, std::string_view reason, const Call& call) {
  if (finished_) return;
  begin_close(code, Initiator::proxy, why, reason);
  happened(Event::shut, Side::client, {.code = code, .reason = reason}, call);
}

void LiveConnection::reading(Side side, bool paused, Time now) {
  leg(side).paused = paused;
  leg(side).heartbeat.reading(paused, now);
}

void LiveConnection::send_ping(Side to, const Call& call) {
  const bool masked = to == Side::server;
  const auto mask = static_cast<std::uint32_t>(call.workspace.random() >> 32U);
  const auto payload = leg(to).heartbeat.sent(call.now);
  outlet_->inject(to, wire::control_frame(Opcode::ping, payload, masked, mask).view());
  observation_->probe_sent(to, payload.size(), call);
}

void LiveConnection::beat(Side side, const Call& call) {
  Leg& l = leg(side);
  for (;;) {
    const auto due = l.heartbeat.due(call.now);
    if (due == session::Heartbeat::Due::nothing) return;
    if (due == session::Heartbeat::Due::ping) {
      if (at_boundary(side)) {
        send_ping(side, call);
      } else {
        l.heartbeat.wait_for_boundary(call.now);
        l.wants_boundary = true;
      }
      continue;
    }
    // A ping that waits for a boundary says nothing about its leg as long as the frame's sender may simply be slow.
    // That sender's being paused means the leg does not take what there is.
    const bool blameless = l.heartbeat.waits_for_boundary() && !leg(model::other(side)).paused;
    if (blameless || outlet_->advancing(side)) {
      l.heartbeat.extend(call.now);
      continue;
    }
    l.wants_boundary = l.close_waits;
    const auto miss = l.heartbeat.miss();
    observation_->probe_missed(side, miss == session::Heartbeat::Miss::late, call);
    if (miss == session::Heartbeat::Miss::last) return give_up_on(side, call);
  }
}

// One peer is silent, and taken for dead. Unless that is only to be reported, the session ends: our decision, whatever
// became of it. Its leg gets the Close if it can; inside a frame it cannot, and then there is nothing worth flushing to
// it.
void LiveConnection::give_up_on(Side side, const Call& call) {
  const Time since = observation_->last_received(side);
  observation_->raise({.kind = model::ConditionKind::silent,
                       .subject = {observation_->id(), side},
                       .since = since,
                       .evidence = {.unanswered_pings = leg(side).heartbeat.misses(),
                                    .rtt = leg(side).heartbeat.rtt(),
                                    .seen = call.now}},
                      call);
  if (options_.heartbeat.on_dead == HeartbeatOptions::OnDead::report) return;
  const std::string reason = silence_in_words(side, call.now - since);
  observation_->closing({.code = 1001,
                         .initiator = Initiator::proxy,
                         .why = EndReason::heartbeat_timeout,
                         .reason = reason,
                         .silent = side,
                         .silent_since = since});
  if (!at_boundary(side)) finish_leg(side, Finish::abort);
  happened(Event::silent, side, {.code = 1001, .reason = reason}, call);
}

Time LiveConnection::next_deadline() const {
  if (finished_ || over()) return base::never;
  Time next = std::min(
      {legs_[0].heartbeat.deadline(), legs_[1].heartbeat.deadline(), close_deadline_, observation_->next_deadline()});
  if (life_.state() == session::State::open && options_.idle_timeout > base::Duration::zero())
    next = std::min(next, observation_->last_data() + options_.idle_timeout);
  return next;
}

void LiveConnection::tick(const Call& call) {
  if (finished_ || over()) return;
  observation_->tick(call);
  if (call.now >= close_deadline_) return happened(Event::timeout, Side::client, {}, call);
  for (const Side side : both) beat(side, call);
  const base::Duration idle = options_.idle_timeout;
  if (life_.state() == session::State::open && idle > base::Duration::zero() &&
      call.now >= observation_->last_data() + idle)
    shut(EndReason::idle, 1001, "idle", call);
}

void LiveConnection::finish(const Call& call) {
  if (finished_) return;
  finished_ = true;
  observation_->finish(call);
}

}  // namespace sockeye::relay
