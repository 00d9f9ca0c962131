// The path of a message through a Connection. What it costs a frame is measured by bench/engine.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "live_connection.h"
#include "sockeye/wire/frame_writer.h"

namespace sockeye::observer {

using base::Byte;
using base::Bytes;
using base::Time;
using model::Anomaly;
using model::MessageType;
using model::Opcode;
using model::Side;
using wire::FrameParser;
using Piece = FrameParser::Piece;

namespace {

constexpr double golden = 0.6180339887498949;  // multiples of it mod 1 stay evenly spread however many there are

wire::FrameRules rules_for(Side sender, const Opening& opening) {
  const FrameLimits& limits = opening.options->limits;
  return {.sender = sender,
          .deflate = opening.extensions.deflate,
          .judge_reserved = !opening.extensions.other,
          .fragments = limits.fragments,
          .frame = limits.frame,
          .message = limits.message};
}

session::Heartbeat heartbeat_for(Side leg, const Opening& opening, Time now) {
  const HeartbeatOptions& options = opening.options->heartbeat;
  Environment& environment = *opening.environment;
  const double turns = static_cast<double>(2 * environment.opened + model::index(leg) + 1) * golden;
  return {{.interval = options.interval, .timeout = options.timeout, .misses = options.misses},
          leg == Side::client ? options.client : options.upstream,
          static_cast<std::uint32_t>(environment.random() >> 32U),
          now,
          turns - static_cast<double>(static_cast<std::uint64_t>(turns))};
}

std::unique_ptr<wire::Inflater> inflater_for(Side sender, const Opening& opening, bool read) {
  const Compression wanted = opening.options->compression;
  const bool needed = wanted == Compression::observe || (wanted == Compression::automatic && read);
  if (!opening.extensions.deflate || !needed) return nullptr;
  const wire::DeflateParameters& p = opening.extensions.parameters;
  const bool client = sender == Side::client;
  return std::make_unique<wire::Inflater>(client ? p.client_max_window_bits : p.server_max_window_bits,
                                          client ? p.client_no_context_takeover : p.server_no_context_takeover,
                                          opening.options->limits.message);
}

}  // namespace

// Everything a feed() counts, in registers until it returns.
class LiveConnection::Batch {
 public:
  Batch(model::DirectionCounts& session, model::RouteMetrics& route, std::size_t sender)
      : session_(session), route_(route), sender_(sender) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() {
    if (bytes_ != 0) {
      session_.bytes += bytes_;
      route_.message_bytes[sender_].add(bytes_);
    }
    session_.fragments += fragments_;
    add(MessageType::text, messages_[0]);
    add(MessageType::binary, messages_[1]);
  }
  void frame() { ++fragments_; }
  void bytes(std::size_t n) { bytes_ += n; }
  void message(Opcode opcode, std::uint64_t length) {
    ++messages_[opcode == Opcode::text ? 0 : 1];
    route_.message_size[sender_].observe(length);
  }
  // Of the data message last counted, in the session.
  [[nodiscard]] std::uint64_t number() const {
    return session_.messages[static_cast<std::size_t>(MessageType::text)] +
           session_.messages[static_cast<std::size_t>(MessageType::binary)] + messages_[0] + messages_[1];
  }

 private:
  void add(MessageType type, std::uint64_t n) {
    if (n == 0) return;
    session_.messages[static_cast<std::size_t>(type)] += n;
    route_.messages[sender_][static_cast<std::size_t>(type)].add(n);
  }
  model::DirectionCounts& session_;
  model::RouteMetrics& route_;
  std::size_t sender_;
  std::uint64_t bytes_ = 0;
  std::uint64_t fragments_ = 0;
  std::array<std::uint64_t, 2> messages_{};
};

LiveConnection::LiveConnection(Opening&& opening, Outlet& outlet, Time now, std::unique_ptr<Meaning> meaning)
    : opening_(std::move(opening)),
      meaning_(std::move(meaning)),
      outlet_(&outlet),
      streams_{Stream(rules_for(Side::client, opening_), opening_.options->limits.control_rate, now),
               Stream(rules_for(Side::server, opening_), opening_.options->limits.control_rate, now)},
      legs_{Leg{.heartbeat = heartbeat_for(Side::client, opening_, now), .last_received = now},
            Leg{.heartbeat = heartbeat_for(Side::server, opening_, now), .last_received = now}},
      last_data_(now),
      segment_begin_(now),
      anomalies_(opening_.anomalies) {
  ++opening_.environment->opened;
  for (const Side sender : {Side::client, Side::server})
    stream(sender).inflater = inflater_for(sender, opening_, meaning_ != nullptr);
  if (meaning_) meaning_->begin(opening_, now);
  traces_messages_ = opening_.traced() && opening_.options->message_spans > 0;
  if (meaning_ && meaning_->may_insert() && opening_.extensions.certain)
    rewriter_ = std::make_unique<Rewriter>(opening_.extensions);
  if (opening_.traced() && opening_.options->segment > base::Duration::zero())
    segment_end_ = now + opening_.options->segment;
}

bool LiveConnection::at_boundary(Side to) const {
  const Stream& feeding = streams_[model::index(model::other(to))];
  if (feeding.held) return true;  // whole frames go out, or nothing
  return feeding.edge == Edge::as_parsed ? feeding.parser.at_boundary() : feeding.edge == Edge::boundary;
}

void LiveConnection::note(Side from, Opcode opcode, std::uint64_t length, bool compressed, bool injected, Time now) {
  model::RecordedMessage entry{};
  entry.at = now;
  entry.length = length & 0xffff'ffff'ffffULL;
  entry.side = model::index(from) & 1U;
  entry.opcode = static_cast<std::uint8_t>(opcode) & 15U;
  entry.compressed = compressed;
  entry.injected = injected;
  recorder_.record(entry);
}

inline void LiveConnection::message_done(Side from, Batch& batch, Time now) {
  Stream& s = stream(from);
  const Opcode opcode = s.parser.message_opcode();
  const std::uint64_t length = s.parser.message_length();
  batch.message(opcode, length);
  s.gaps.message(now);
  note(from, opcode, length, s.parser.message_compressed(), false, now);
  if (s.traced) [[unlikely]]
    emit_message(from, batch.number(), now);
  if (meaning_ && meaning_->pairs()) {
    // Its requests and replies are timed one by one.
  } else if (from == Side::client) {
    turn_.client_message(now);
  } else if (base::Duration took{}; turn_.server_message(now, took)) {
    opening_.metrics->message_duration.observe(took);
  }
}

inline LiveConnection::Inspect LiveConnection::choose_inspection(const Stream& s) const {
  if (s.parser.message_compressed()) return s.inflater ? Inspect::inflate : Inspect::nothing;
  return s.parser.message_opcode() == Opcode::text ? Inspect::utf8 : Inspect::nothing;
}

void LiveConnection::feed(Side from, Bytes bytes, Time now) {
  if (bytes.empty() || finished_) return;
  Stream& s = stream(from);
  const Side to = model::other(from);
  s.counts.wire_bytes += bytes.size();
  leg(from).last_received = now;
  if (s.flow != Flow::pass) [[unlikely]]
    return drain(from, bytes, now);
  if (rewriter_) [[unlikely]]
    rewriter_->recall();

  std::array<Byte, FrameParser::max_held> lead;  // must outlive what forward() is given: until this returns
  Bytes lead_left;                  // a header (or control frame) that earlier reads began; not forwarded yet
  const Byte* kept = bytes.data();  // first byte of this read not forwarded yet
  const auto forward_up_to = [&](const Byte* end) {
    if (!lead_left.empty()) [[unlikely]]
      outlet_->forward(from, lead_left);
    lead_left = {};
    if (end > kept) outlet_->forward(from, {kept, end});
    kept = end;
  };

  Batch batch(s.counts, *opening_.metrics, model::index(from));
  bool alive = false;  // anything but whole pongs to our pings came
  Bytes rest = bytes;
  Anomaly violation = Anomaly::none;
  while (!rest.empty()) {
    const Byte* const at = rest.data();
    if (leg(to).wants_boundary && at_boundary(to)) [[unlikely]] {
      forward_up_to(at);
      boundary_reached(to, now);
      if (s.flow != Flow::pass) return drain(from, rest, now);
    }
    const Piece piece = s.parser.next(rest);
    assert(piece.used > 0);
    rest = rest.subspan(piece.used);
    if (piece.kind == Piece::Kind::more) [[unlikely]] {
      forward_up_to(at);
      kept = rest.data();
      alive = true;
      break;
    }
    if (!piece.held.empty()) [[unlikely]] {
      std::memcpy(lead.data(), piece.held.data(), piece.held.size());
      lead_left = {lead.data(), piece.held.size()};
      kept = piece.kind == Piece::Kind::control ? rest.data() : rest.data() - piece.payload.size();
    }
    Verdict verdict = Verdict::pass;
    if (piece.anomaly != Anomaly::none && is_violation(piece.anomaly)) [[unlikely]] {
      violation = piece.anomaly;
    } else if (piece.kind == Piece::Kind::data) [[likely]] {
      alive = true;
      if (s.parser.in_message_frame()) [[likely]] {
        last_data_ = now;
        batch.bytes(piece.payload.size());
        if (piece.starts) {
          batch.frame();
          if (traces_messages_) [[unlikely]]
            ++s.frames;
          if (s.parser.header().opcode != Opcode::continuation) {
            s.inspect = choose_inspection(s);
            s.read = meaning_ && wanted(from, piece);
            if (traces_messages_) [[unlikely]] {
              s.traced = choose_traced();
              s.frames = 1;
              s.began = now;
            }
            if (rewriter_) [[unlikely]]
              s.held = rewriter_->begin(from, s.parser.message_opcode(), s.parser.message_compressed(),
                                        s.parser.header().mask,
                                        s.read && meaning_->inserts(from, s.parser.message_opcode()));
          }
        }
        if (s.held) [[unlikely]] {
          const bool late = !piece.held.empty();  // its header began in an earlier read, and is in `lead`
          if (!late) forward_up_to(at);
          hold(from, lead_left, {late ? kept : at, rest.data()});
          lead_left = {};
          kept = rest.data();
        }
        if (s.inspect != Inspect::nothing) {
          const Anomaly found = inspect(from, piece);
          // A message that is made anew from its text cannot be passed on as it is, whatever is wrong with it.
          if (found != Anomaly::none && (is_violation(found) || (s.held && rewriter_->remakes(from)))) [[unlikely]]
            violation = found;
        }
        if (meaning_ && violation == Anomaly::none) [[unlikely]]
          read(from, piece, now);
        if (s.held && violation == Anomaly::none) [[unlikely]]
          release(from, piece.message_done);
        if (piece.message_done && violation == Anomaly::none) message_done(from, batch, now);
      }
    } else {
      verdict = control(from, piece, now, violation);
      alive = alive || verdict != Verdict::swallow;
    }

    if (violation != Anomaly::none) [[unlikely]] {
      // What came before the bad frame passes. If part of the frame has passed already, the other leg is left inside
      // it.
      if (piece.starts) {
        if (!piece.held.empty()) {
          lead_left = {};
        } else {
          forward_up_to(at);
        }
      }
      s.edge = piece.starts || s.held ? Edge::boundary : Edge::inside;
      return end_for(from, violation, now);
    }
    if (verdict == Verdict::swallow) [[unlikely]] {
      if (!piece.held.empty()) {
        lead_left = {};
      } else {
        forward_up_to(at);
      }
      kept = rest.data();
    } else if (verdict == Verdict::answer) [[unlikely]] {
      if (piece.held.empty()) forward_up_to(at);
      return happened(session::Event::close, from, {}, now);
    } else if (verdict == Verdict::last) [[unlikely]] {
      forward_up_to(rest.data());
      happened(session::Event::close, from, {}, now);
      if (!rest.empty()) drain(from, rest, now);
      return;
    }
  }
  forward_up_to(bytes.data() + bytes.size());
  if (alive) leg(from).heartbeat.received(now);
  if (leg(to).wants_boundary && at_boundary(to)) [[unlikely]]
    boundary_reached(to, now);
}

// The rest of a stream nobody is to get: only its Close matters any more.
void LiveConnection::drain(Side from, Bytes bytes, Time now) {
  Stream& s = stream(from);
  while (s.flow == Flow::drain && !bytes.empty()) {
    const Piece piece = s.parser.next(bytes);
    bytes = bytes.subspan(piece.used);
    if (piece.anomaly != Anomaly::none && is_violation(piece.anomaly)) return end_for(from, piece.anomaly, now);
    if (piece.kind != Piece::Kind::control || s.parser.header().opcode != Opcode::close) continue;
    s.heard_close = true;
    s.flow = Flow::discard;
    happened(session::Event::close, from, {}, now);
  }
  if (!bytes.empty() && s.heard_close && !s.counted_late) {
    s.counted_late = true;
    count(Anomaly::frame_after_close);
  }
}

LiveConnection::Verdict LiveConnection::control(Side from, const Piece& piece, Time now, Anomaly& violation) {
  Stream& s = stream(from);
  const model::FrameHeader& header = s.parser.header();
  std::array<Byte, 125> plain;
  wire::unmask(piece.payload, header.mask, 0, plain.data());
  const Bytes payload{plain.data(), piece.payload.size()};

  if (!s.control.allow(now)) {
    // A flood that is passed on is one anomaly, not one a frame.
    const bool ends = (strict() || !s.counted_flood) && is_violation(Anomaly::control_flood);
    s.counted_flood = true;
    if (ends) {
      violation = Anomaly::control_flood;
      return Verdict::pass;
    }
  }
  if (header.opcode == Opcode::pong) {
    const auto pong = leg(from).heartbeat.pong(payload, now);
    if (pong.rtt) opening_.metrics->ping_rtt[model::index(from)].observe(*pong.rtt);
    if (pong.ours) {
      recorder_.answered(model::index(model::other(from)));
      return Verdict::swallow;
    }
  }
  if (header.opcode == Opcode::close) {
    const Anomaly wrong = read_close(from, payload);
    if (wrong != Anomaly::none && is_violation(wrong)) {
      violation = wrong;
      return Verdict::pass;
    }
    s.heard_close = true;
    s.flow = Flow::discard;
  } else if (header.opcode == Opcode::ping) {
    leg(from).heartbeat.peer_ping(now);
    leg(model::other(from)).heartbeat.ping_passed();
  }
  const auto type = static_cast<std::size_t>(session::message_type(header.opcode));
  ++s.counts.messages[type];
  opening_.metrics->messages[model::index(from)][type].add();
  note(from, header.opcode, payload.size(), false, false, now);
  if (header.opcode != Opcode::close) return Verdict::pass;
  return life_.state() == session::State::failing ? Verdict::answer : Verdict::last;
}

// §5.5.1, §7.4. What it says becomes how the session ended, if it is the first to say so and is right, or passed on
// anyway.
Anomaly LiveConnection::read_close(Side from, Bytes payload) {
  Anomaly wrong = Anomaly::none;
  std::uint16_t code = 1005;
  std::string_view reason;
  if (payload.size() == 1) {
    wrong = Anomaly::close_payload_truncated;
  } else if (payload.size() >= 2) {
    code = static_cast<std::uint16_t>((payload[0] << 8U) | payload[1]);
    const bool registered = code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
    if (!registered && (code < 3000 || code > 4999)) wrong = Anomaly::close_code_invalid;
    if (wire::is_utf8(payload.subspan(2))) {
      reason = base::as_text(payload.subspan(2));
    } else if (wrong == Anomaly::none) {
      wrong = Anomaly::close_reason_invalid;
    }
  }
  if (wrong == Anomaly::none || !strict())
    begin_close(code, from == Side::client ? model::Initiator::client : model::Initiator::server,
                model::EndReason::normal, reason);
  return wrong;
}

// Looks into payload: UTF-8 of text (§8.1), or a copy inflated and then the same. Text that is not UTF-8 and passes all
// the same is one anomaly a message.
Anomaly LiveConnection::inspect(Side from, const Piece& piece) {
  Stream& s = stream(from);
  const model::FrameHeader& header = s.parser.header();
  if (piece.starts && header.opcode != Opcode::continuation) {
    s.utf8.reset();
    s.misspelt = false;
  }
  if (s.inspect == Inspect::utf8) {
    if (s.utf8.feed(piece.payload, header.mask, piece.offset) && (!piece.message_done || s.utf8.complete()))
      return Anomaly::none;
    s.inspect = Inspect::nothing;
    return Anomaly::invalid_utf8;
  }
  const bool text = s.parser.message_opcode() == Opcode::text;
  struct Taker {
    wire::Utf8* utf8;
    Meaning* meaning;
    Rewriter* rewriter;
    Side from;
    bool strict;
    bool misspelt = false;
  } taker{text && !s.misspelt ? &s.utf8 : nullptr, s.read ? meaning_.get() : nullptr,
          s.held && rewriter_->remakes(from) ? rewriter_.get() : nullptr, from, strict()};
  const auto take = [](void* to, Bytes inflated) {
    Taker& t = *static_cast<Taker*>(to);
    if (t.meaning != nullptr) t.meaning->piece(t.from, inflated, 0, 0);
    if (t.rewriter != nullptr) t.rewriter->text(t.from, inflated);
    if (t.utf8 == nullptr || t.utf8->feed(inflated)) return true;
    t.utf8 = nullptr;
    t.misspelt = true;
    return !t.strict;
  };
  void* const context = &taker;
  auto result = s.inflater->feed(piece.payload, header.mask, piece.offset, take, context);
  if (result == wire::Inflater::Result::ok && piece.message_done) {
    result = s.inflater->end(take, context);
    if (taker.utf8 != nullptr && !s.utf8.complete()) taker.misspelt = true;
  }
  if (result == wire::Inflater::Result::ok) {
    s.misspelt = s.misspelt || taker.misspelt;
    return taker.misspelt ? Anomaly::invalid_utf8 : Anomaly::none;
  }
  s.inflater.reset();  // where the peer's context is now cannot be known
  s.inspect = Inspect::nothing;
  s.read = false;
  switch (result) {
    case wire::Inflater::Result::too_large:
      return Anomaly::deflate_bomb;
    case wire::Inflater::Result::refused:
      return Anomaly::invalid_utf8;
    default:
      return Anomaly::deflate_invalid;
  }
}

// Nothing of this piece passes now: `raw` is what came of it in this read, behind `lead` of its header.
void LiveConnection::hold(Side from, Bytes lead, Bytes raw) {
  if (rewriter_->remakes(from)) return;  // its text is what counts
  if (rewriter_->hold(from, lead, raw)) return;
  stream(from).held = false;
  outlet_->forward(from, rewriter_->taken(from));
}

// What the rewriter has to pass on.
void LiveConnection::release(Side from, bool complete) {
  if (complete) rewriter_->finish(from, meaning_ ? meaning_->rewritten() : Bytes());
  if (const Bytes out = rewriter_->taken(from); !out.empty()) outlet_->forward(from, out);
  if (complete) stream(from).held = false;
}

// A message begins: is it to be read for its meaning?
bool LiveConnection::wanted(Side from, const Piece& piece) const {
  const Stream& s = streams_[model::index(from)];
  const model::FrameHeader& header = s.parser.header();
  const bool compressed = s.parser.message_compressed();
  if (compressed && s.inspect != Inspect::inflate) return false;
  std::optional<Byte> first;
  if (!compressed && !piece.payload.empty()) {
    Byte plain{};
    wire::unmask(piece.payload.first(1), header.mask, 0, &plain);
    first = plain;
  }
  return meaning_->reads(from, s.parser.message_opcode(), first, header.length);
}

// The message's meaning. Its bytes are on their way in any case.
void LiveConnection::read(Side from, const Piece& piece, Time now) {
  Stream& s = stream(from);
  const Opcode opcode = s.parser.message_opcode();
  if (!s.read) {
    if (piece.message_done) {
      meaning_->unread(from, opcode, s.parser.message_length(), now);
      drop_meaning();
    }
    return;
  }
  const model::FrameHeader& header = s.parser.header();
  if (s.inspect != Inspect::inflate) {
    // The usual case: one frame, all of it in this read.
    if (piece.starts && piece.message_done && header.opcode != Opcode::continuation)
      meaning_->whole(from, opcode, piece.payload, header.mask, now);
    else
      meaning_->piece(from, piece.payload, header.mask, piece.offset);
  }
  if (!piece.message_done) return;
  const bool was_whole = s.inspect != Inspect::inflate && piece.starts && header.opcode != Opcode::continuation;
  if (!was_whole) meaning_->complete(from, opcode, s.parser.message_length(), now);
  drop_meaning();
}

// When nothing told what it speaks: from here on it is counted and no more.
void LiveConnection::drop_meaning() {
  if (meaning_->of_use()) return;
  meaning_.reset();
  for (Stream& each : streams_) {
    each.read = false;
    if (opening_.options->compression == Compression::observe) continue;
    each.inflater.reset();
    each.inspect = each.inspect == Inspect::inflate ? Inspect::nothing : each.inspect;
  }
}

void LiveConnection::count(Anomaly kind) {
  ++anomalies_;
  opening_.metrics->anomalies[static_cast<std::size_t>(kind)].add();
}

bool LiveConnection::is_violation(Anomaly kind) {
  count(kind);
  if (strict()) return model::close_code(kind) != 0;
  // Nobody can know where a frame of this stream ends any more: nothing of ours can be put into it, and our pongs in it
  // cannot be told apart.
  if (kind == Anomaly::length_too_large)
    for (Leg& each : legs_) each.heartbeat.stop();
  return false;
}

std::unique_ptr<Connection> make_connection(Opening&& opening, Outlet& outlet, Time now,
                                            std::unique_ptr<Meaning> meaning) {
  return std::make_unique<LiveConnection>(std::move(opening), outlet, now, std::move(meaning));
}

std::unique_ptr<Connection> make_connection(Opening&& opening, Outlet& outlet, Time now) {
  return make_connection(std::move(opening), outlet, now, nullptr);
}

}  // namespace sockeye::observer
