// The end of a session, its pings, its conditions, all about time, and its record.
#include <algorithm>
#include <utility>

#include "live_observation.h"
#include "sockeye/base/utf8.h"
#include "sockeye/observer/memory.h"
#include "sockeye/signal/redact.h"
#include "sockeye/wire/utf8.h"

namespace sockeye::observer {

using base::Bytes;
using base::Time;
using model::Anomaly;
using model::ConditionKind;
using model::EndReason;
using model::Initiator;
using model::Opcode;
using model::Side;

namespace {

// "host:port", "[v6]:port", or an address without port as it is.
std::string authority(std::string_view host, std::uint16_t port) {
  std::string out(host);
  if (port == 0) return out;
  if (host.find(':') != std::string_view::npos) out = "[" + out + "]";
  return out + ":" + std::to_string(port);
}

Initiator initiator(Side side) { return side == Side::client ? Initiator::client : Initiator::server; }

// RFC 6455 §5.5.1, §7.4.
Observation::CloseFrame parse_close(Bytes payload) {
  Observation::CloseFrame out;
  if (payload.size() == 1) {
    out.anomaly = Anomaly::close_payload_truncated;
  } else if (payload.size() >= 2) {
    out.code = static_cast<std::uint16_t>((payload[0] << 8U) | payload[1]);
    const bool registered =
        out.code >= 1000 && out.code <= 1014 && out.code != 1004 && out.code != 1005 && out.code != 1006;
    if (!registered && (out.code < 3000 || out.code > 4999)) out.anomaly = Anomaly::close_code_invalid;
    if (wire::is_utf8(payload.subspan(2))) {
      out.reason = base::as_text(payload.subspan(2));
    } else if (out.anomaly == Anomaly::none) {
      out.anomaly = Anomaly::close_reason_invalid;
    }
  }
  return out;
}

}  // namespace

void LiveObservation::anomaly(Anomaly kind, const Call& call) {
  call.workspace.turn.spend(Turn::control);
  ++anomalies_;
  call.metrics.anomalies[static_cast<std::size_t>(kind)].add();
  if (listener_ != nullptr) listener_->anomaly(kind, call.now);
}

// --- control frames --------------------------------------------------------------------------------------------------

Observation::CloseFrame LiveObservation::read_close(Bytes payload, const Call& call) {
  const CloseFrame close = parse_close(payload);
  if (close.anomaly != Anomaly::none) anomaly(close.anomaly, call);
  return close;
}

void LiveObservation::control(Side from, Opcode opcode, Bytes payload, const Call& call) {
  Stream& s = stream(from);
  if (opcode == Opcode::close) {
    s.heard_close = true;
    const CloseFrame close = parse_close(payload);
    closing({.code = close.code,
             .initiator = initiator(from),
             .why = EndReason::normal,
             .reason = opening_.options->close_reasons ? signal::redact_text(close.reason) : std::string()});
  } else if (opcode == Opcode::ping) {
    leg(from).pings.sent(call.now);
    leg(model::other(from)).pings.asked(payload, call.now);
  } else if (opcode == Opcode::pong) {
    const auto took = leg(from).pings.answered(payload, call.now);
    if (took && watched_) probe_answered(from, took, call);
  }
  const auto type = static_cast<std::size_t>(session::message_type(opcode));
  ++s.counts.messages[type];
  call.metrics.messages[model::index(from)][type].add();
  note(from, opcode, payload.size(), false, false, call);
  if (hears_messages_) listener_->control({from, opcode, payload.size(), false, call.now});
}

void LiveObservation::probe_sent(Side to, std::size_t payload, const Call& call) {
  model::RecordedMessage entry{};
  entry.at = call.now;
  entry.length = payload & 0xffff'ffff'ffffULL;
  entry.side = model::index(model::other(to)) & 1U;
  entry.opcode = static_cast<std::uint8_t>(Opcode::ping) & 15U;
  entry.injected = 1;
  recorder_.record_ping(entry);
}

void LiveObservation::probe_answered(Side from, std::optional<base::Duration> rtt, const Call& call) {
  Leg& l = leg(from);
  if (!watched_) recorder_.answered(model::index(model::other(from)));
  if (!rtt) return;
  l.rtt = rtt;
  l.rtt_min = std::min(l.rtt_min, *rtt);
  call.metrics.ping_rtt[model::index(from)].observe(*rtt);
}

void LiveObservation::probe_missed(Side of, bool late, const Call& call) {
  Leg& l = leg(of);
  ++l.missed_total;
  call.metrics.pong_missed[model::index(of)].add();
  if (late) {
    ++l.late_total;
    call.metrics.pong_late[model::index(of)].add();
    return;
  }
  ++l.misses;
  stream(of).alarmed = true;
  raise({.kind = ConditionKind::missed_pong,
         .subject = {opening_.id, of},
         .since = stream(of).last_received,
         .evidence = {.unanswered_pings = l.misses, .rtt = l.rtt, .seen = call.now}},
        call);
}

void LiveObservation::close_sent(Side to, std::size_t payload, const Call& call) {
  note(model::other(to), Opcode::close, payload, false, true, call);
}

// --- conditions ------------------------------------------------------------------------------------------------------

void LiveObservation::raise(const model::Condition& condition, const Call& call) {
  if (!condition.subject.leg) {
    if (listener_ != nullptr) listener_->raised(condition);
    return;
  }
  Leg& l = leg(*condition.subject.leg);
  if (!l.raised) l.raised = std::make_unique<Leg::Raised>();
  auto& raised = (*l.raised)[static_cast<std::size_t>(condition.kind)];
  if (raised) return;
  raised = condition;
  stream(*condition.subject.leg).alarmed = true;
  if (condition.kind == ConditionKind::silent)
    call.metrics.heartbeat_timeouts[model::index(*condition.subject.leg)].add();
  if (listener_ != nullptr) listener_->raised(condition);
}

// A byte came: whatever said that none does is over.
void LiveObservation::clear(Side of) {
  stream(of).alarmed = false;
  Leg& l = leg(of);
  l.misses = 0;
  if (!l.raised) return;
  const auto raised = std::move(l.raised);
  if (listener_ == nullptr) return;
  for (const auto& each : *raised)
    if (each) listener_->cleared(*each);
}

// --- the end ---------------------------------------------------------------------------------------------------------

void LiveObservation::closing(const model::CloseInfo& how) {
  if (!close_) close_ = how;
}

void LiveObservation::cut(Side from, const wire::FrameParser& parser, bool unexpected, const Call& call) {
  stream(from).ended = true;
  if (parser.mid_frame() && !parser.opaque()) anomaly(Anomaly::truncated, call);
  if (unexpected) anomaly(Anomaly::half_close, call);
}

void LiveObservation::end(Side from, StreamEnd how, const Call& call) {
  Stream& s = stream(from);
  if (s.ended || finished_) return;
  wait_no_longer(call);
  s.ended = true;
  if (how == StreamEnd::fin && !s.heard_close) {
    const bool unexpected = !stream(model::other(from)).ended;
    const WatchedStream& w = watched(from);
    if (!w.resync) cut(from, w.parser, unexpected, call);  // else its Close may be among what could not be read
  }
  closing({.code = 1006, .initiator = initiator(from), .why = EndReason::reset, .reason = {}});
  if (how == StreamEnd::reset || stream(model::other(from)).ended) closed();
}

void LiveObservation::set_deadline() {
  if (finished_ || closed_)
    deadline_ = base::never;
  else
    deadline_ = reading_ ? std::min(segment_end_, reading_->next_deadline()) : segment_end_;
  if (!finished_ && !closed_ && watched_ && !watched_->waiting.empty()) [[unlikely]]
    deadline_ = std::min(deadline_, watched_->waiting.front().at + WatchedStreams::patience);
}

void LiveObservation::closed() {
  closed_ = true;
  set_deadline();
}

void LiveObservation::tick(const Call& call) {
  if (finished_ || closed_) return;
  if (waited_long(call.now)) [[unlikely]]
    wait_no_longer(call);
  if (call.now >= segment_end_) emit_segment(call);
  if (reading_) reading_->tick(at(call));
  set_deadline();
}

void LiveObservation::finish(const Call& call) {
  if (finished_) return;
  wait_no_longer(call);
  count_unfound();
  finished_ = true;
  closed();
  closing({.code = 1006, .initiator = Initiator::network, .why = EndReason::reset, .reason = {}});
  model::RouteMetrics& metrics = call.metrics;
  metrics.connections_active.add(-1);
  metrics.connections_closed.add();
  metrics.session_duration.observe(call.now - opening_.opened);
  metrics.count_close(close_->code, close_->initiator, close_->why);
  if (reading_) reading_->finish(at(call));
  if (opening_.traced(call)) emit_connection(call);
  if (call.workspace.memory != nullptr)
    call.workspace.memory->add(-static_cast<std::int64_t>(std::exchange(accounted_, 0)));
  if (listener_ != nullptr) listener_->ended(*close_, call.now);
}

// --- the record ------------------------------------------------------------------------------------------------------

model::SessionState LiveObservation::state() const {
  if (closed_) return model::SessionState::closed;
  return close_ ? model::SessionState::closing : model::SessionState::open;
}

model::SessionFacts LiveObservation::facts(base::WallOffset wall) const {
  const auto text = [this](SessionTexts::Field field) { return std::string(opening_.texts[field]); };
  model::SessionFacts out;
  out.id = opening_.id;
  out.route = opening_.options->route;
  out.client = text(SessionTexts::client_address);
  out.target = text(SessionTexts::target);
  out.host = text(SessionTexts::host);
  out.subprotocol = text(SessionTexts::subprotocol);
  out.extensions = text(SessionTexts::extensions);
  out.server = authority(opening_.texts[SessionTexts::upstream_address], opening_.upstream_port);
  if ((opening_.trace_flags & 1U) != 0) out.trace_id = opening_.trace_id;
  out.opened_unix_ns = wall.unix_ns(opening_.opened);
  if (!opening_.reconnect_of.is_zero()) out.reconnect_of = opening_.reconnect_of;
  return out;
}

model::SessionFigures LiveObservation::figures(base::WallOffset wall) const {
  model::SessionFigures out;
  out.state = state();
  for (std::size_t i = 0; i < 2; ++i) {
    const Leg& l = legs_[i];
    out.messages[i] = streams_[i].counts.data_messages();
    out.bytes[i] = streams_[i].counts.bytes;
    if (l.rtt) out.rtt_ns[i] = static_cast<std::uint64_t>(l.rtt->count());
    out.buffered_bytes[i] = l.unsent;
    out.misses[i] = l.misses;
    out.missed_total += l.missed_total;
    if (out.messages[i] > 0) out.last_message_unix_ns[i] = wall.unix_ns(streams_[i].gaps.last());
  }
  out.anomalies = anomalies_;
  out.gap_bytes = lost_;
  if (reading_) out.invocations_open = reading_->open();
  return out;
}

model::SessionDetail LiveObservation::detail() const {
  model::SessionDetail out;
  out.vantage = opening_.options->vantage;
  out.attached = opening_.attached;
  out.unreadable = unreadable_;
  out.reconnect_basis = opening_.reconnect_basis;
  out.opened = opening_.opened;
  for (std::size_t i = 0; i < 2; ++i) {
    const Leg& l = legs_[i];
    out.counts[i] = streams_[i].counts;
    out.pings[i] = {.rtt = l.rtt,
                    .rtt_min = l.rtt ? std::optional(l.rtt_min) : std::nullopt,
                    .peer_interval = l.pings.interval(),
                    .misses = l.misses,
                    .silent = l.raised && (*l.raised)[static_cast<std::size_t>(ConditionKind::silent)],
                    .missed_total = l.missed_total,
                    .late_total = l.late_total};
    out.last_received[i] = streams_[i].last_received;
    out.last_message[i] = streams_[i].gaps.last();
    out.longest_gap[i] = streams_[i].gaps.longest();
  }
  out.close = close_;
  if (reading_) reading_->detail(out);
  return out;
}

}  // namespace sockeye::observer
