// Frames that the observation walks itself, for a vantage that only watches, and what is missing of them. Nothing that
// a peer does ends this: a violation is counted, and the walk goes on as sanely as the header allows.
#include <array>

#include "live_observation.h"
#include "sockeye/wire/extensions.h"

namespace sockeye::observer {

using base::Byte;
using base::Bytes;
using model::Anomaly;
using model::Opcode;
using model::Side;
using wire::FrameParser;
using wire::Piece;

namespace {

WatchedStream stream_of(Side sender, const Opening& opening) {
  const wire::Extensions& extensions = opening.extensions;
  WatchedStream out({.sender = sender, .deflate = extensions.deflate, .judge_reserved = !extensions.other});
  if (opening.attached) out.resync = std::make_unique<wire::Resync>(sender);
  return out;
}

}  // namespace

WatchedStream& LiveObservation::watched(Side from) {
  if (!watched_)
    watched_ = std::make_unique<std::array<WatchedStream, 2>>(
        std::array{stream_of(Side::client, opening_), stream_of(Side::server, opening_)});
  return (*watched_)[model::index(from)];
}

void LiveObservation::bytes(Side from, Bytes bytes, const Call& call) {
  if (bytes.empty() || finished_) return;
  received(from, bytes.size(), call);
  Stream& s = stream(from);
  if (s.heard_close) {
    if (!s.counted_late) anomaly(Anomaly::frame_after_close, call);
    s.counted_late = true;
    return;
  }
  WatchedStream& w = watched(from);
  if (!w.resync) return walk(from, w.parser, bytes, call);
  if (!w.resync->feed(bytes, call.now)) return;
  const auto found = std::move(w.resync);
  lost_[model::index(from)] += found->dropped();
  w.parser.resume();
  for (const auto& [held, when] : found->held())
    walk(from, w.parser, held, {.workspace = call.workspace, .metrics = call.metrics, .now = when});
}

void LiveObservation::walk(Side from, FrameParser& parser, Bytes rest, const Call& call) {
  while (!rest.empty() && !stream(from).heard_close) {
    std::optional<Piece> stop;
    const Advance step = advance(from, parser, rest, 0, false, stop, call);
    if (step.at == nullptr || stop->kind == Piece::Kind::more) return;
    const Piece& piece = *stop;
    rest = Bytes(step.at, rest.data() + rest.size()).subspan(piece.used);
    if (piece.kind == Piece::Kind::control) {
      watch_control(from, parser, piece, call);
    } else if (parser.in_message_frame() && !step.completed) {
      if (!step.inspected) {
        if (piece.starts && parser.header().opcode != Opcode::continuation) begin(from, parser, piece, call);
        inspect(from, parser, piece, nullptr, call);
      }
      complete(from, parser, piece, {}, call);
    }
  }
  // What follows a Close in the same read.
  if (!rest.empty()) {
    if (!stream(from).counted_late) anomaly(Anomaly::frame_after_close, call);
    stream(from).counted_late = true;
  }
}

void LiveObservation::watch_control(Side from, const FrameParser& parser, const Piece& piece, const Call& call) {
  std::array<Byte, 125> plain;
  wire::unmask(piece.payload, parser.header().mask, 0, plain.data());
  const Bytes payload{plain.data(), piece.payload.size()};
  if (parser.header().opcode == Opcode::close) read_close(payload, call);
  control(from, parser.header().opcode, payload, call);
}

void LiveObservation::gap(Side from, std::optional<std::uint64_t> bytes, const Call& call) {
  Stream& s = stream(from);
  if (finished_ || s.heard_close || bytes == 0U) return;
  lost_[model::index(from)] += bytes.value_or(0);
  WatchedStream& w = watched(from);
  lose_context(from);
  if (w.resync) return w.resync->gap();
  Piece piece;
  if (!bytes || !w.parser.skip(*bytes, piece)) {
    w.resync = std::make_unique<wire::Resync>(from);
    return;
  }
  if (!w.parser.in_message_frame()) return;
  s.holed = true;
  if (!piece.message_done) return;
  complete(from, w.parser, piece, {}, call);
}

std::optional<std::uint64_t> LiveObservation::to_next_frame(Side from) const {
  if (!watched_) return opening_.attached ? std::nullopt : std::optional<std::uint64_t>(0);
  const WatchedStream& w = (*watched_)[model::index(from)];
  return w.resync ? std::nullopt : w.parser.to_next_frame();
}

void LiveObservation::next_frame(Side from) {
  WatchedStream& w = watched(from);
  w.resync.reset();
  w.parser.resume();
}

// What compressed messages refer back to is not known, nor the rest of the message under way; and what is missing may
// have been anything: a reply, or the next request.
void LiveObservation::lose_context(Side from) {
  Stream& s = stream(from);
  if (s.inflater) s.inflater->lose_context();
  if (s.read) reading_->abandon(from);
  s.read = false;
  s.inspect = Inspect::nothing;
  turn_ = {};
  if (reading_) reading_->missed();
}

}  // namespace sockeye::observer
