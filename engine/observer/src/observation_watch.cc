// Frames that the observation walks itself, for a vantage that only watches, and what is missing of them. Nothing that
// a peer does ends this: a violation is counted, and the walk goes on as sanely as the header allows.
#include <array>
#include <utility>

#include "live_observation.h"
#include "sockeye/wire/extensions.h"

namespace sockeye::observer {

using base::Byte;
using base::Bytes;
using base::Time;
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
  out.other_searched = opening.attached;
  return out;
}

}  // namespace

WatchedStream& LiveObservation::watched(Side from) {
  if (!watched_)
    watched_.reset(new WatchedStreams{.streams = {stream_of(Side::client, opening_), stream_of(Side::server, opening_)},
                                      .waiting = {}});
  return watched_->streams[model::index(from)];
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
  watch(from, bytes, call);
  if (waited_long(call.now)) [[unlikely]]
    wait_no_longer(call);
  account(call);
}

// Walked, or held until frames are found: its own, or those that the other peer said before.
void LiveObservation::watch(Side from, Bytes bytes, const Call& call) {
  WatchedStream& w = watched(from);
  if (w.resync) [[unlikely]] {
    if (w.resync->feed(bytes, call.now)) found(from, call);
    return;
  }
  if (!waits(from, call.now)) [[likely]]
    return walk(from, w.parser, bytes, call);
  wait({.from = from, .at = call.now, .bytes = {bytes.begin(), bytes.end()}}, call);
}

// What was held of it and what waited, in the order of their times.
void LiveObservation::found(Side from, const Call& call) {
  WatchedStream& w = watched(from);
  const auto search = std::move(w.resync);
  tell_other(from);
  lost_[model::index(from)] += search->dropped();
  w.parser.resume();
  const auto waiting = take_waiting();
  watched_->given_up = false;
  auto next = waiting.begin();
  for (const auto& [held, when] : search->held()) {
    for (; next != waiting.end() && next->at < when; ++next) again(*next, call);
    watch(from, held, {call.workspace, call.metrics, when});
  }
  for (; next != waiting.end(); ++next) again(*next, call);
  set_deadline();
}

void LiveObservation::tell_other(Side of) { watched(model::other(of)).other_searched = watched(of).resync != nullptr; }

bool LiveObservation::waits(Side from, Time now) {
  if (!watched(from).other_searched || watched_->given_up) [[likely]]
    return false;
  const auto since = watched(model::other(from)).resync->since();
  return !watched_->waiting.empty() || (since && *since <= now);
}

void LiveObservation::wait(WatchedStreams::Waiting&& what, const Call& call) {
  watched_->size += what.bytes.size() + sizeof what;
  watched_->waiting.push_back(std::move(what));
  if (watched_->size > WatchedStreams::most_waiting || waited_long(call.now))
    wait_no_longer(call);
  else
    set_deadline();
}

std::vector<WatchedStreams::Waiting> LiveObservation::take_waiting() {
  watched_->size = 0;
  return std::exchange(watched_->waiting, {});
}

// What waited, at its time: walked, or waiting again.
void LiveObservation::again(const WatchedStreams::Waiting& what, const Call& call) {
  const Call then{call.workspace, call.metrics, what.at};
  if (!what.bytes.empty()) return watch(what.from, what.bytes, then);
  if (!waits(what.from, what.at)) return miss(what.from, what.missing, then);
  wait(WatchedStreams::Waiting(what), then);
}

void LiveObservation::wait_no_longer(const Call& call) {
  if (!watched_ || watched_->waiting.empty()) return;
  watched_->given_up = true;
  for (const auto& each : take_waiting()) again(each, call);
  set_deadline();
}

// Of streams whose frames were looked for to the end.
void LiveObservation::count_unfound() {
  if (!watched_) return;
  for (const Side from : {Side::client, Side::server})
    if (const auto search = std::move(watched(from).resync)) {
      lost_[model::index(from)] += search->unfound();
      tell_other(from);
    }
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
  if (finished_ || stream(from).heard_close || bytes == 0U) return;
  if (watched(from).resync) {  // what it held is dropped, so nothing has to wait for that
    const bool before = std::exchange(watched_->given_up, true);
    for (const auto& each : take_waiting()) again(each, call);
    watched_->given_up = before;
  } else if (waits(from, call.now)) {
    return wait({.from = from, .at = call.now, .bytes = {}, .missing = bytes}, call);
  }
  miss(from, bytes, call);
}

void LiveObservation::miss(Side from, std::optional<std::uint64_t> bytes, const Call& call) {
  Stream& s = stream(from);
  lost_[model::index(from)] += bytes.value_or(0);
  WatchedStream& w = watched(from);
  lose_context(from);
  if (w.resync) return w.resync->gap();
  Piece piece;
  if (!bytes || !w.parser.skip(*bytes, piece)) {
    w.resync = std::make_unique<wire::Resync>(from);
    tell_other(from);
    return;
  }
  if (!w.parser.in_message_frame()) return;
  s.holed = true;
  if (!piece.message_done) return;
  complete(from, w.parser, piece, {}, call);
}

std::optional<std::uint64_t> LiveObservation::to_next_frame(Side from) const {
  if (!watched_) return opening_.attached ? std::nullopt : std::optional<std::uint64_t>(0);
  const WatchedStream& w = watched_->streams[model::index(from)];
  return w.resync || !watched_->waiting.empty() ? std::nullopt : w.parser.to_next_frame();
}

void LiveObservation::next_frame(Side from) {
  WatchedStream& w = watched(from);
  w.resync.reset();
  tell_other(from);
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
