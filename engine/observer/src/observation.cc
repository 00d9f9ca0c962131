// The path of a message through an Observation. What it costs a frame is measured by bench/engine.
#include <algorithm>
#include <cassert>

#include "live_observation.h"
#include "sockeye/observer/memory.h"
#include "sockeye/wire/extensions.h"

namespace sockeye::observer {

using base::Byte;
using base::Bytes;
using base::Time;
using model::Anomaly;
using model::MessageType;
using model::Opcode;
using model::Side;
using wire::FrameParser;
using wire::Piece;

namespace {

std::unique_ptr<wire::Inflater> inflater_for(Side sender, const Opening& opening, bool read) {
  const Inflate wanted = opening.options->inflate;
  const bool needed = wanted == Inflate::always || (wanted == Inflate::automatic && read);
  if (!opening.extensions.deflate || !needed) return nullptr;
  const wire::DeflateParameters& p = opening.extensions.parameters;
  const bool client = sender == Side::client;
  return std::make_unique<wire::Inflater>(client ? p.client_max_window_bits : p.server_max_window_bits,
                                          client ? p.client_no_context_takeover : p.server_no_context_takeover,
                                          opening.options->inflated);
}

}  // namespace

// Everything a call counts, in registers until it returns.
class LiveObservation::Batch {
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
  [[nodiscard]] std::uint64_t number() const { return session_.data_messages() + messages_[0] + messages_[1]; }

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

LiveObservation::LiveObservation(Opening&& opening, std::unique_ptr<Reading> reading, Listener* listener,
                                 const Call& call)
    : reading_(std::move(reading)),
      hears_messages_(listener != nullptr && listener->wants_messages()),
      anomalies_(opening.anomalies),
      streams_{Stream(call.now), Stream(call.now)},
      opening_(std::move(opening)),
      listener_(listener),
      segment_begin_(call.now) {
  for (const Side side : {Side::client, Side::server})
    stream(side).inflater = inflater_for(side, opening_, reading_ != nullptr);
  traces_messages_ = opening_.traced(call) && opening_.options->message_spans > 0;
  if (opening_.traced(call) && opening_.options->segment > base::Duration::zero())
    segment_end_ = call.now + opening_.options->segment;
  set_deadline();
}

// --- bytes ---

inline void LiveObservation::receive(Side from, std::size_t bytes, const Call& call) {
  Stream& s = stream(from);
  s.counts.wire_bytes += bytes;
  s.last_received = call.now;
  if (s.alarmed) [[unlikely]]
    clear(from);
}

void LiveObservation::received(Side from, std::size_t bytes, const Call& call) { receive(from, bytes, call); }

// --- what is seen of a message ---------------------------------------------------------------------------------------

void LiveObservation::note(Side from, Opcode opcode, std::uint64_t length, bool compressed, bool injected,
                           const Call& call) {
  model::RecordedMessage entry{};
  entry.at = call.now;
  entry.length = length & 0xffff'ffff'ffffULL;
  entry.side = model::index(from) & 1U;
  entry.opcode = static_cast<std::uint8_t>(opcode) & 15U;
  entry.compressed = compressed;
  entry.injected = injected;
  recorder_.record(entry);
}

inline void LiveObservation::message_done(Side from, const FrameParser& parser, Batch& batch, const Call& call) {
  Stream& s = stream(from);
  const Opcode opcode = parser.message_opcode();
  const std::uint64_t length = parser.message_length();
  batch.message(opcode, length);
  s.gaps.message(call.now);
  if (s.holed) [[unlikely]]
    ++unreadable_[model::index(from)];
  note(from, opcode, length, parser.message_compressed(), false, call);
  if (s.traced) [[unlikely]]
    emit_message(from, parser, batch.number(), call);
  if (hears_messages_) [[unlikely]]
    listener_->message({from, opcode, length, parser.message_compressed(), call.now});
  if (reading_ && reading_->pairs()) {
    // Its requests and replies are timed one by one.
  } else if (from == Side::client) {
    turn_.client_message(call.now);
  } else if (base::Duration took{}; turn_.server_message(call.now, took)) {
    call.metrics.message_duration.observe(took);
  }
}

inline LiveObservation::Inspect LiveObservation::choose_inspection(const Stream& s, const FrameParser& parser) const {
  if (parser.message_compressed()) return s.inflater ? Inspect::inflate : Inspect::nothing;
  return parser.message_opcode() == Opcode::text ? Inspect::utf8 : Inspect::nothing;
}

inline void LiveObservation::begin_message(Side from, const FrameParser& parser, const Piece& piece, const Call& call) {
  Stream& s = stream(from);
  s.inspect = choose_inspection(s, parser);
  s.holed = false;
  s.read = reading_ && wanted(from, parser, piece);
  if (traces_messages_ && call.workspace.shedding < model::Shedding::message_spans) [[unlikely]] {
    s.traced = call.workspace.random.unit() < opening_.options->message_spans;
    traced_[model::index(from)] = {.frames = 0, .began = call.now};
  }
}

// A part of a data frame that belongs to a message.
inline Anomaly LiveObservation::content(Side from, const FrameParser& parser, const Piece& piece, Batch& batch,
                                        Text* text, const Call& call) {
  Stream& s = stream(from);
  s.last_data = call.now;
  batch.bytes(piece.payload.size());
  if (piece.starts) {
    batch.frame();
    if (traces_messages_) [[unlikely]]
      ++traced_[model::index(from)].frames;
  }
  if (s.inspect == Inspect::nothing || s.inspect == Inspect::cut) return Anomaly::none;
  const Anomaly found = look(from, parser, piece, text, call.workspace.turn);
  if (found != Anomaly::none) [[unlikely]]
    anomaly(found, call);
  return found;
}

inline Bytes LiveObservation::pass(Side from, const FrameParser& parser, const Piece& piece, Batch& batch,
                                   const Insert& insert, const Call& call) {
  Bytes instead;
  if (reading_) [[unlikely]] {
    instead = read(from, parser, piece, insert, call);
    set_deadline();
  }
  if (piece.message_done) message_done(from, parser, batch, call);
  return instead;
}

Observation::Advance LiveObservation::advance(Side from, FrameParser& parser, Bytes rest, std::size_t came, bool one,
                                              std::optional<Piece>& out, const Call& call) {
  if (came != 0) receive(from, came, call);
  const Advance step = step_over(from, parser, rest, one, out, call);
  account(call);
  return step;
}

inline Observation::Advance LiveObservation::step_over(Side from, FrameParser& parser, Bytes rest, bool one,
                                                       std::optional<Piece>& out, const Call& call) {
  Batch batch(stream(from).counts, call.metrics, model::index(from));
  Turn& turn = call.workspace.turn;
  while (!rest.empty()) {
    const Byte* const begins = rest.data();
    if (turn.over()) [[unlikely]]
      return {.at = begins, .turn_over = true};
    turn.spend(Turn::frame);
    const Piece piece = parser.next(stream(from).inflater ? portion(stream(from), parser, rest) : rest);
    assert(piece.used > 0);
    rest = rest.subspan(piece.used);
    // In this order: neighbours in memory would be read as one, right behind the stores of their parts.
    if (piece.anomaly != Anomaly::none || !piece.held.empty() || piece.kind != Piece::Kind::data) [[unlikely]] {
      if (piece.anomaly != Anomaly::none) anomaly(piece.anomaly, call);
      out = piece;
      return {.at = begins, .anomaly = piece.anomaly};
    }
    if (parser.in_message_frame()) [[likely]] {
      if (piece.starts && parser.header().opcode != Opcode::continuation) {
        begin_message(from, parser, piece, call);
        if (call.workspace.shedding >= model::Shedding::inflating) [[unlikely]]
          shed(from, call);
      }
      const Anomaly found = content(from, parser, piece, batch, nullptr, call);
      if (found != Anomaly::none) [[unlikely]] {
        out = piece;
        return {.at = begins, .anomaly = found, .inspected = true};
      }
      pass(from, parser, piece, batch, {}, call);
    }
    if (one) [[unlikely]] {
      out = piece;
      return {.at = begins, .completed = true};
    }
  }
  return {};
}

void LiveObservation::parsed(Side /*from*/, Bytes /*raw*/, const Piece& piece, const Call& call) {
  call.workspace.turn.spend(Turn::frame);
  if (piece.anomaly != Anomaly::none) anomaly(piece.anomaly, call);
}

bool LiveObservation::begin(Side from, const FrameParser& parser, const Piece& piece, const Call& call) {
  begin_message(from, parser, piece, call);
  return stream(from).read;
}

Anomaly LiveObservation::inspect(Side from, const FrameParser& parser, const Piece& piece, Text* text,
                                 const Call& call) {
  Batch batch(stream(from).counts, call.metrics, model::index(from));
  const Anomaly found = content(from, parser, piece, batch, text, call);
  account(call);
  return found;
}

Bytes LiveObservation::complete(Side from, const FrameParser& parser, const Piece& piece, const Insert& insert,
                                const Call& call) {
  Batch batch(stream(from).counts, call.metrics, model::index(from));
  const Bytes instead = pass(from, parser, piece, batch, insert, call);
  account(call);
  return instead;
}

bool LiveObservation::may_insert(Side from, Opcode opcode, const Insert& insert) const {
  return reading_ && streams_[model::index(from)].read && reading_->inserts(from, opcode, insert);
}

// --- content ---------------------------------------------------------------------------------------------------------

// A piece that is inflated is to be small: a byte may become a thousand, and a turn can end only between two pieces.
Bytes LiveObservation::portion(const Stream& s, const FrameParser& parser, Bytes rest) {
  if (!s.inflater) return rest;
  const bool known = parser.mid_message() || !parser.at_boundary();
  const bool begins = !known && parser.held().empty();
  const bool compressed = known ? parser.message_compressed() : !begins || (rest.front() & 0x40U) != 0;  // RSV1
  return compressed ? rest.first(std::min(rest.size(), s.inflater->portion())) : rest;
}

// UTF-8 of text (RFC 6455 §8.1), or a copy inflated and then the same. Text that is not UTF-8 and passes all the same
// is one anomaly a message.
Anomaly LiveObservation::look(Side from, const FrameParser& parser, const Piece& piece, Text* text, Turn& turn) {
  Stream& s = stream(from);
  const model::FrameHeader& header = parser.header();
  if (piece.starts && header.opcode != Opcode::continuation) {
    s.utf8.reset();
    s.misspelt = false;
  }
  if (s.inspect == Inspect::inflate) return inflate(s, from, parser, piece, text, turn);
  turn.spend(Turn::read(piece.payload.size() / 4));
  if (s.utf8.feed(piece.payload, header.mask, piece.offset) && (!piece.message_done || s.utf8.complete()))
    return Anomaly::none;
  s.inspect = Inspect::nothing;
  return Anomaly::invalid_utf8;
}

Anomaly LiveObservation::inflate(Stream& s, Side from, const FrameParser& parser, const Piece& piece, Text* text,
                                 Turn& turn) {
  const model::FrameHeader& header = parser.header();
  struct Taker {
    wire::Utf8* utf8;
    Reading* reading;
    Text* text;
    Side from;
    std::uint64_t left;  // of what is inflated of this message
    bool misspelt = false;
  } taker{parser.message_opcode() == Opcode::text && !s.misspelt ? &s.utf8 : nullptr, s.read ? reading_.get() : nullptr,
          text, from, most_inflated(s, text)};
  const auto take = [](void* to, Bytes inflated) {
    Taker& t = *static_cast<Taker*>(to);
    if (t.reading != nullptr) t.reading->piece(t.from, inflated, 0, 0);
    if (t.text != nullptr) t.text->text(inflated);
    if (inflated.size() > t.left) return false;
    t.left -= inflated.size();
    if (t.utf8 == nullptr || t.utf8->feed(inflated)) return true;
    t.utf8 = nullptr;
    t.misspelt = true;
    return true;
  };
  void* const context = &taker;
  const std::uint64_t before = s.inflater->produced();
  auto result = s.inflater->feed(piece.payload, header.mask, piece.offset, take, context);
  turn.spend(Turn::inflate(piece.payload.size(), s.inflater->produced() - before));
  if (result == wire::Inflater::Result::ok && piece.message_done) {
    result = s.inflater->end(take, context);
    if (taker.utf8 != nullptr && !s.utf8.complete()) taker.misspelt = true;
  }
  if (result != wire::Inflater::Result::ok) return inflate_failed(s, from, result);
  s.misspelt = s.misspelt || taker.misspelt;
  return taker.misspelt ? Anomaly::invalid_utf8 : Anomaly::none;
}

// Where a message is inflated only to be read, what is longer than would be read is not worth it. Who inflates all, for
// the check of it or to put something into it, goes on.
std::uint64_t LiveObservation::most_inflated(const Stream& s, const Text* text) const {
  if (text != nullptr || opening_.options->inflate == Inflate::always) return Turn::unbounded;
  const std::uint64_t most = dialect::Limits{}.text;
  return most - std::min(most, s.inflater->produced());
}

Anomaly LiveObservation::inflate_failed(Stream& s, Side from, wire::Inflater::Result result) {
  if (result == wire::Inflater::Result::refused) {  // nobody's fault; what refers to it cannot be read
    s.inspect = Inspect::cut;
    s.inflater->lose_context();
    return Anomaly::none;
  }
  s.inspect = Inspect::nothing;
  const bool was_read = s.read;
  s.read = false;
  if (was_read) reading_->abandon(from);
  // Behind a hole its sender may refer to what was not seen: nobody's fault, and the next message may stand alone.
  if (result == wire::Inflater::Result::unknown) {
    s.holed = true;
    s.inflater->lose_context();
    return Anomaly::none;
  }
  s.inflater.reset();  // where the peer's context is now cannot be known
  return result == wire::Inflater::Result::too_large ? Anomaly::deflate_bomb : Anomaly::deflate_invalid;
}

// --- reading for a dialect -------------------------------------------------------------------------------------------

// A message begins: is it to be read?
bool LiveObservation::wanted(Side from, const FrameParser& parser, const Piece& piece) const {
  const Stream& s = streams_[model::index(from)];
  const model::FrameHeader& header = parser.header();
  const bool compressed = parser.message_compressed();
  if (compressed && s.inspect != Inspect::inflate) return false;
  std::optional<Byte> first;
  if (!compressed && !piece.payload.empty()) {
    Byte plain{};
    wire::unmask(piece.payload.first(1), header.mask, 0, &plain);
    first = plain;
  }
  return reading_->reads(from, parser.message_opcode(), first, header.length);
}

Bytes LiveObservation::read(Side from, const FrameParser& parser, const Piece& piece, const Insert& insert,
                            const Call& call) {
  Stream& s = stream(from);
  const Opcode opcode = parser.message_opcode();
  const std::uint64_t length = parser.message_length();
  if (!s.read) {
    if (!piece.message_done) return {};
    if (s.holed)
      reading_->skip(from);
    else
      reading_->unread(from, opcode, length, at(call));
    drop_reading();
    return {};
  }
  const model::FrameHeader& header = parser.header();
  const bool inflated = s.inspect == Inspect::inflate || s.inspect == Inspect::cut;
  // The usual case: one frame, all of it in this read.
  const bool whole = !inflated && piece.starts && piece.message_done && header.opcode != Opcode::continuation;
  if (!inflated && !whole) reading_->piece(from, piece.payload, header.mask, piece.offset);
  if (!piece.message_done) return {};
  call.workspace.turn.spend(Turn::message + Turn::read(std::min<std::uint64_t>(length, dialect::Limits{}.text)));
  const Bytes instead = whole ? reading_->whole(from, opcode, piece.payload, header.mask, length, insert, at(call))
                              : reading_->complete(from, opcode, length, insert, at(call));
  drop_reading();
  return instead;
}

// When nothing told what it speaks: from here on it is counted and no more.
void LiveObservation::drop_reading() {
  if (!reading_->of_use()) stop_reading(opening_.options->inflate == Inflate::always);
}

void LiveObservation::stop_reading(bool keep_inflating) {
  reading_.reset();
  for (Stream& each : streams_) {
    each.read = false;
    if (keep_inflating) continue;
    each.inflater.reset();
    each.inspect = each.inspect == Inspect::inflate ? Inspect::nothing : each.inspect;
  }
}

// --- what it costs ---------------------------------------------------------------------------------------------------

// A message begins while the process is short of something. (Not where a carrier puts something into it: that needs
// its text.)
void LiveObservation::shed(Side from, const Call& call) {
  Stream& s = stream(from);
  const bool inflates = s.inspect == Inspect::inflate;
  if (inflates) {
    s.inspect = Inspect::nothing;
    s.inflater->lose_context();
  } else if (!s.read || call.workspace.shedding < model::Shedding::reading) {
    return;
  }
  s.holed = s.read;
  s.read = false;
  if (reading_) reading_->missed();
}

std::size_t LiveObservation::held() const {
  std::size_t out = reading_ ? reading_->held() : 0;
  for (const Stream& each : streams_)
    if (each.inflater) out += each.inflater->held();
  return out;
}

void LiveObservation::account_held(const Call& call) {
  const std::size_t now = held();
  const std::size_t change = now > accounted_ ? now - accounted_ : accounted_ - now;
  if (change < Memory::grain && now != 0) return;
  call.workspace.memory->add(static_cast<std::int64_t>(now) - static_cast<std::int64_t>(accounted_));
  accounted_ = now;
}

void LiveObservation::count_only(bool keep_inflating, const Call& call) {
  if (finished_) return;
  if (reading_) reading_->finish(at(call));
  stop_reading(keep_inflating);
  account(call);
  set_deadline();
}

// --- an application that sees messages -------------------------------------------------------------------------------

void LiveObservation::message(Side from, Opcode opcode, Bytes payload, std::uint64_t wire_size, const Call& call) {
  if (finished_ || model::is_control(opcode)) return;
  Stream& s = stream(from);
  received(from, wire_size, call);
  s.last_data = call.now;
  {
    Batch batch(s.counts, call.metrics, model::index(from));
    batch.bytes(wire_size);
    batch.frame();
    batch.message(opcode, wire_size);
  }
  s.gaps.message(call.now);
  note(from, opcode, wire_size, false, false, call);
  if (hears_messages_) listener_->message({from, opcode, wire_size, false, call.now});
  if (!reading_) return;
  const std::optional<Byte> first = payload.empty() ? std::nullopt : std::optional(payload[0]);
  if (reading_->reads(from, opcode, first, payload.size()))
    reading_->whole(from, opcode, payload, 0, wire_size, {}, at(call));
  else
    reading_->unread(from, opcode, wire_size, at(call));
  drop_reading();
  account(call);
  set_deadline();
}

void LiveObservation::handled(Side, base::Duration took, const Call& call) {
  call.metrics.message_duration.observe(took);
}

}  // namespace sockeye::observer
