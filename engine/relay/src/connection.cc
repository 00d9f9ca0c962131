// The path of a message through a Connection. What it costs a frame is measured by bench/engine.
#include <cassert>

#include "forwarding.h"
#include "live_connection.h"
#include "sockeye/base/bytes.h"
#include "sockeye/relay/prefetch.h"
#include "sockeye/wire/extensions.h"

namespace sockeye::relay {

using base::Byte;
using base::Bytes;
using base::Time;
using model::Anomaly;
using model::Opcode;
using model::Side;
using observer::Observation;
using wire::Piece;

namespace {

constexpr double golden = 0.6180339887498949;  // multiples of it mod 1 stay evenly spread however many there are

wire::FrameRules rules_for(Side sender, const wire::Extensions& extensions, const FrameLimits& limits) {
  return {.sender = sender,
          .deflate = extensions.deflate,
          .judge_reserved = !extensions.other,
          .fragments = limits.fragments,
          .frame = limits.frame,
          .message = limits.message};
}

session::Heartbeat heartbeat_for(Side leg, const HeartbeatOptions& options, std::uint64_t nth, const Call& call) {
  const double turns = static_cast<double>(2 * nth + model::index(leg) + 1) * golden;
  return {{.interval = options.interval, .timeout = options.timeout, .misses = options.misses},
          leg == Side::client ? options.client : options.upstream,
          static_cast<std::uint32_t>(call.workspace.random() >> 32U),
          call.now,
          turns - static_cast<double>(static_cast<std::uint64_t>(turns))};
}

}  // namespace

LiveConnection::LiveConnection(std::unique_ptr<Observation> observation, const Options& options, Outlet& outlet,
                               std::uint64_t nth, const Call& call)
    : options_(options),
      outlet_(&outlet),
      observation_(std::move(observation)),
      streams_{
          Stream(rules_for(Side::client, observation_->extensions(), options.limits), options.limits.control_rate),
          Stream(rules_for(Side::server, observation_->extensions(), options.limits), options.limits.control_rate)},
      legs_{Leg{.heartbeat = heartbeat_for(Side::client, options.heartbeat, nth, call)},
            Leg{.heartbeat = heartbeat_for(Side::server, options.heartbeat, nth, call)}} {
  const bool inserts = options.insert.to_server || options.insert.to_client;
  if (inserts && call.workspace.spans != nullptr && observation_->reads() && observation_->extensions().certain)
    rewriter_ = std::make_unique<Rewriter>(observation_->extensions());
}

bool LiveConnection::at_boundary(Side to) const {
  const Stream& feeding = streams_[model::index(model::other(to))];
  if (feeding.held) return true;  // whole frames go out, or nothing
  return feeding.edge == Edge::as_parsed ? feeding.parser.at_boundary() : feeding.edge == Edge::boundary;
}

[[gnu::always_inline]] inline bool LiveConnection::walk(Side from, Bytes bytes, std::size_t came, std::size_t& taken,
                                                        const Call& call) {
  Stream& s = stream(from);
  const Side to = model::other(from);
  Forwarding out(*outlet_, from, bytes);
  bool alive = false;
  Bytes rest = bytes;
  while (!rest.empty()) {
    if (leg(to).wants_boundary && at_boundary(to)) [[unlikely]] {
      out.up_to(rest.data());
      boundary_reached(to, call);
      if (s.flow != Flow::pass) {
        drain(from, rest, call);
        return true;
      }
    }
    std::optional<Piece> stop;
    const Observation::Advance step =
        rewriter_ ? next(from, rest, stop, call)
                  : observation_->advance(from, s.parser, rest, came, leg(to).wants_boundary, stop, call);
    came = 0;
    if (step.at == nullptr) [[likely]] {
      alive = true;
      break;
    }
    alive = alive || step.at != rest.data();
    const Byte* const at = step.at;
    if (step.turn_over) [[unlikely]] {
      out.up_to(at);
      taken = static_cast<std::size_t>(at - bytes.data());
      return alive;
    }
    const Piece& piece = *stop;
    rest = Bytes(at, rest.data() + rest.size()).subspan(piece.used);
    if (piece.kind == Piece::Kind::more) {
      out.up_to(at);
      out.kept = rest.data();
      alive = true;
      break;
    }
    if (step.completed) {
      alive = true;
      continue;
    }
    if (!piece.held.empty()) out.take_lead(piece, rest.data());

    Anomaly violation = Anomaly::none;
    Verdict verdict = Verdict::pass;
    if (step.anomaly != Anomaly::none && is_violation(step.anomaly)) {
      violation = step.anomaly;
    } else if (piece.kind == Piece::Kind::data) {
      alive = true;
      violation = data(from, piece, step, out, call);
    } else {
      verdict = control(from, piece, violation, call);
      alive = alive || verdict != Verdict::swallow;
    }

    if (violation != Anomaly::none) {
      // What came before the bad frame passes. If part of the frame has passed already, the other leg is left inside
      // it.
      if (piece.starts) out.drop(piece, at);
      s.edge = piece.starts || s.held ? Edge::boundary : Edge::inside;
      end_for(from, violation, call);
      return true;
    }
    switch (verdict) {
      case Verdict::pass:
        break;
      case Verdict::swallow:
        out.drop(piece, at);
        out.kept = rest.data();
        break;
      case Verdict::answer:
        if (piece.held.empty()) out.up_to(at);
        happened(session::Event::close, from, {}, call);
        return true;
      case Verdict::last:
        out.up_to(rest.data());
        happened(session::Event::close, from, {}, call);
        if (!rest.empty()) drain(from, rest, call);
        return true;
    }
  }
  out.up_to(bytes.data() + bytes.size());
  return alive;
}

std::size_t LiveConnection::feed(Side from, Bytes bytes, std::size_t came, const Call& call) {
  if (bytes.empty() || finished_) return bytes.size();
  const bool drains = stream(from).flow != Flow::pass;
  if (drains || rewriter_) [[unlikely]] {
    if (came != 0) observation_->received(from, came, call);
    if (drains) {
      drain(from, bytes, call);
      return bytes.size();
    }
    rewriter_->recall();
  }
  std::size_t taken = bytes.size();
  // Anything but whole pongs to our pings.
  if (walk(from, bytes, came, taken, call)) leg(from).heartbeat.received(call.now);
  const Side to = model::other(from);
  if (leg(to).wants_boundary && stream(from).flow == Flow::pass && at_boundary(to)) [[unlikely]]
    boundary_reached(to, call);
  return taken;
}

// The next piece, and no more.
Observation::Advance LiveConnection::next(Side from, Bytes rest, std::optional<Piece>& piece, const Call& call) {
  if (call.workspace.turn.over()) return {.at = rest.data(), .turn_over = true};
  piece = stream(from).parser.next(observation_->portion(from, stream(from).parser, rest));
  observation_->parsed(from, rest, *piece, call);
  return {.at = rest.data(), .anomaly = piece->anomaly};
}

// A piece of a data frame that has to be looked at by itself. Returns what ends the session.
Anomaly LiveConnection::data(Side from, const Piece& piece, const Observation::Advance& step, Forwarding& out,
                             const Call& call) {
  Stream& s = stream(from);
  if (!s.parser.in_message_frame()) return Anomaly::none;
  if (rewriter_) return data_with_insertion(from, piece, out, call);
  if (!step.inspected) {
    if (piece.starts && s.parser.header().opcode != Opcode::continuation)
      observation_->begin(from, s.parser, piece, call);
    const Anomaly found = observation_->inspect(from, s.parser, piece, nullptr, call);
    if (found != Anomaly::none && is_violation(found)) return found;
  }
  observation_->complete(from, s.parser, piece, {}, call);
  return Anomaly::none;
}

// The rest of a stream nobody is to get: only its Close matters any more.
void LiveConnection::drain(Side from, Bytes bytes, const Call& call) {
  Stream& s = stream(from);
  while (s.flow == Flow::drain && !bytes.empty()) {
    const Piece piece = s.parser.next(bytes);
    bytes = bytes.subspan(piece.used);
    if (piece.anomaly != Anomaly::none) {
      observation_->anomaly(piece.anomaly, call);
      if (is_violation(piece.anomaly)) return end_for(from, piece.anomaly, call);
    }
    if (piece.kind != Piece::Kind::control || s.parser.header().opcode != Opcode::close) continue;
    s.heard_close = true;
    s.flow = Flow::discard;
    happened(session::Event::close, from, {}, call);
  }
  if (!bytes.empty() && s.heard_close && !s.counted_late) {
    s.counted_late = true;
    observation_->anomaly(Anomaly::frame_after_close, call);
  }
}

LiveConnection::Verdict LiveConnection::control(Side from, const Piece& piece, Anomaly& violation, const Call& call) {
  Stream& s = stream(from);
  const model::FrameHeader& header = s.parser.header();
  call.workspace.turn.spend(observer::Turn::control);
  std::array<Byte, 125> plain;
  wire::unmask(piece.payload, header.mask, 0, plain.data());
  const Bytes payload{plain.data(), piece.payload.size()};

  if (!s.control.allow(call.now)) {
    // A flood that is passed on is one anomaly, not one a frame.
    const bool counts = strict() || !s.counted_flood;
    s.counted_flood = true;
    if (counts) observation_->anomaly(Anomaly::control_flood, call);
    if (counts && is_violation(Anomaly::control_flood)) {
      violation = Anomaly::control_flood;
      return Verdict::pass;
    }
  }
  if (header.opcode == Opcode::pong) {
    const auto pong = leg(from).heartbeat.pong(payload, call.now);
    if (pong.ours) {
      observation_->probe_answered(from, pong.rtt, call);
      return Verdict::swallow;
    }
  }
  if (header.opcode == Opcode::close) {
    const auto close = observation_->read_close(payload, call);
    if (close.anomaly != Anomaly::none && is_violation(close.anomaly)) {
      violation = close.anomaly;
      return Verdict::pass;
    }
    s.heard_close = true;
    s.flow = Flow::discard;
  }
  observation_->control(from, header.opcode, payload, call);
  if (header.opcode != Opcode::close) return Verdict::pass;
  return life_.state() == session::State::failing ? Verdict::answer : Verdict::last;
}

bool LiveConnection::is_violation(Anomaly kind) {
  if (strict()) return model::close_code(kind) != 0;
  // Nobody can know where a frame of this stream ends any more: nothing of ours can be put into it, and our pongs in it
  // cannot be told apart.
  if (kind == Anomaly::length_too_large)
    for (Leg& each : legs_) each.heartbeat.stop();
  return false;
}

std::unique_ptr<Connection> carry(std::unique_ptr<Observation> observation, const Options& options, Outlet& outlet,
                                  std::uint64_t nth, const Call& call) {
  return std::make_unique<LiveConnection>(std::move(observation), options, outlet, nth, call);
}

std::size_t object_size(const Connection&) { return sizeof(LiveConnection); }

void prefetch(const Connection& connection, Side from) noexcept {
  static_cast<const LiveConnection&>(connection).prefetch(from);
}

}  // namespace sockeye::relay
