#include "reassembly.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace sockeye::tap {
namespace {

constexpr std::uint8_t tcp_push = 8;

std::size_t length_of(const Segment& segment) { return segment.payload.size() + segment.not_captured; }

// A keep-alive of some systems has one byte, sent before and now nothing in particular: it starts no direction.
bool may_be_probe(const Segment& segment) { return length_of(segment) == 1 && (segment.flags & tcp_push) == 0; }

}  // namespace

void Reassembly::segments(std::span<const Segment> segments) {
  std::array<std::uint32_t, max_batch> hashes;
  std::array<const Stream*, max_batch> streams;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    hashes[i] = table_.hash(segments[i].source, segments[i].destination);
    table_.prefetch(hashes[i]);
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    streams[i] = table_.guess(hashes[i]);
    if (streams[i] != nullptr) streams[i]->prefetch();
  }
  for (const unsigned ahead : {3U, 2U, 1U}) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (streams[i] == nullptr || segments[i].payload.empty()) continue;
      const bool by_client = streams[i]->client == segments[i].source;
      listener_.prefetch(*streams[i], by_client ? model::Side::client : model::Side::server, ahead);
    }
  }
  for (std::size_t i = 0; i < segments.size(); ++i) segment(segments[i], hashes[i]);
}

void Reassembly::segment(const Segment& segment, std::uint32_t hash) {
  ++stats_.segments;
  advance(segment.time);
  auto from = model::Side::client;
  Stream* stream = table_.find(hash, segment.source, segment.destination, from);
  if (stream != nullptr && replaces(*stream, from, segment)) {
    remove(*stream, Closed::replaced);
    stream = nullptr;
  }
  if (stream == nullptr) {
    stream = open(segment, hash, from);
    if (stream == nullptr) return;
  }
  follow(*stream, from, segment);
  if (stream->strange >= max_strange) {
    remove(*stream, Closed::replaced);
    stream = open(segment, hash, from);
    if (stream == nullptr) return;
    follow(*stream, from, segment);
  }
  if (stream->outbox) [[unlikely]]
    release(*stream);
  table_.touch(*stream, now_);
}

void Reassembly::follow(Stream& stream, model::Side from, const Segment& segment) {
  if (segment.window == 0 && (segment.flags & (tcp::rst | tcp::syn)) == 0) ++stats_.zero_windows;
  if (stream.closed) {
    data(stream, from, segment);  // only to find out whether it is of that stream at all
  } else if ((segment.flags & tcp::rst) != 0) {
    reset(stream, from, segment);
  } else {
    if ((segment.flags & tcp::ack) != 0) acknowledge(stream.half(model::other(from)), segment.acknowledged);
    data(stream, from, segment);
    close_if_finished(stream);
  }
}

void Reassembly::advance(base::Time now) {
  now_ = std::max(now_, now);
  if (first_waiting_ != nullptr) [[unlikely]]
    expire();
}

void Reassembly::finish() {
  while (table_.size() != 0) remove(table_.oldest(), Closed::end);
}

Stream* Reassembly::open(const Segment& segment, std::uint32_t hash, model::Side& from) {
  const bool syn = (segment.flags & tcp::syn) != 0;
  const bool opens = syn || (length_of(segment) > 0 && !may_be_probe(segment));
  if (!opens || (segment.flags & tcp::rst) != 0 || segment.source == segment.destination) {
    ++stats_.unrelated;
    return nullptr;
  }
  // Without a SYN the lower port is taken for the server's, and who is heard first for the client.
  const bool from_server = syn ? (segment.flags & tcp::ack) != 0 : segment.source.port < segment.destination.port;
  from = from_server ? model::Side::server : model::Side::client;
  if (table_.full()) {
    if (!table_.oldest().closed) ++stats_.evicted;
    remove(table_.oldest(), Closed::evicted);
  }
  auto& stream = table_.add(hash, from_server ? segment.destination : segment.source,
                            from_server ? segment.source : segment.destination, now_);
  stream.begin_seen = syn;
  ++stats_.streams;
  if (!syn) ++stats_.begun_before;
  listener_.opened(stream, now_);
  return &stream;
}

bool Reassembly::replaces(Stream& stream, model::Side from, const Segment& segment) {
  if ((segment.flags & tcp::syn) == 0 || (segment.flags & tcp::rst) != 0) return false;
  const auto& half = stream.half(from);
  const auto& other = stream.half(model::other(from));
  if (half.started && half.base == segment.sequence + 1) return false;  // once more
  if (stream.closed) return true;
  const bool untouched = half.next == 0 && half.held.empty() && !half.fin;
  if ((segment.flags & tcp::ack) != 0) {
    return !untouched || (other.started && other.base != segment.acknowledged);
  }
  return half.started || other.next != 0;
}

std::int64_t Reassembly::position(const Half& half, std::uint32_t sequence) {
  const auto expected = half.base + static_cast<std::uint32_t>(half.next);
  return half.next + static_cast<std::int32_t>(sequence - expected);
}

void Reassembly::acknowledge(Half& of, std::uint32_t sequence) {
  if (!of.started) {  // so this is where it stands
    of.started = true;
    of.base = sequence;
    return;
  }
  auto to = position(of, sequence);
  if (of.fin) to = std::min(to, of.end);  // a FIN has a number, too
  if (to - of.next <= max_distance) of.acknowledged = std::max(of.acknowledged, to);
  if ((of.waiting || lost(of)) && !of.stream->ignored) [[unlikely]] {
    settle(of);
    give_up_acknowledged(of);
  }
}

void Reassembly::data(Stream& stream, model::Side from, const Segment& segment) {
  auto& half = stream.half(from);
  const bool syn = (segment.flags & tcp::syn) != 0;
  const auto sequence = segment.sequence + (syn ? 1U : 0U);
  if (syn && half.base != sequence && half.next == 0 && half.held.empty()) half.started = false;
  const auto length = static_cast<std::int64_t>(length_of(segment));
  const bool fin = (segment.flags & tcp::fin) != 0;
  if (!half.started) {
    if (!syn && !fin && (length == 0 || may_be_probe(segment))) return;
    half.started = true;
    half.base = sequence;
  }
  const auto at = position(half, sequence);
  if (length == 0 && !fin) {
    if (at + 1 == half.next) ++stats_.keep_alives;
    return;
  }
  const auto bound = stream.closed ? max_distance_closed : max_distance;
  if (at - half.next > bound || half.next - at > bound) {
    ++stats_.strange;
    ++stream.strange;
    return;
  }
  stream.strange = 0;
  if (stream.closed) return;
  if (fin && !half.fin && at + length >= std::max(half.next, half.held.empty() ? 0 : half.held.back().to)) {
    half.fin = true;
    half.end = at + length;
    half.acknowledged = std::min(half.acknowledged, half.end);
  }
  if (stream.ignored) {
    auto to = std::max(half.next, at + length);
    if (half.fin) to = std::min(to, half.end);
    stats_.bytes += static_cast<std::uint64_t>(to - half.next);
    half.next = to;
  } else if (length > 0) {
    take(half, at, segment);
  }
  if (half.waiting || half.fin || !half.held.empty()) [[unlikely]] {
    settle(half);
    give_up_acknowledged(half);
  }
}

void Reassembly::take(Half& half, std::int64_t from, const Segment& segment) {
  if (from == half.next && half.held.empty()) [[likely]] {
    half.next += static_cast<std::int64_t>(length_of(segment));
    if (half.fin && half.next > half.end) half.next = half.end;  // it has said already that there is no more
    const auto size = std::min<std::size_t>(segment.payload.size(), static_cast<std::size_t>(half.next - from));
    stats_.bytes += size;
    if (size > 0) say(half, segment.payload.first(size), segment.time);
    const auto cut = static_cast<std::uint64_t>(half.next - from) - size;
    if (cut > 0) say_gap(half, cut, segment.time);
    return;
  }
  const auto length = static_cast<std::int64_t>(length_of(segment));
  if (from + length <= half.next) {
    ++stats_.repeated;
    if (length <= 1 && from + 1 == half.next) ++stats_.keep_alives;
    return;
  }
  if (from > half.next) ++stats_.out_of_order;
  hold(half, from, segment);
  drain(half, false);
  keep_bounds(half);
}

// Keeps the parts that are not there yet.
void Reassembly::hold(Half& half, std::int64_t start, const Segment& segment) {
  auto to = start + static_cast<std::int64_t>(length_of(segment));
  if (half.fin) to = std::min(to, half.end);
  auto from = std::max(start, half.next);
  auto at = static_cast<std::size_t>(
      std::upper_bound(half.held.begin(), half.held.end(), from, [](auto p, const Held& h) { return p < h.to; }) -
      half.held.begin());
  bool contradicts = false;
  while (from < to) {
    const auto until = at < half.held.size() ? std::clamp(half.held[at].from, from, to) : to;
    if (from < until) at = hold_piece(half, at, from, until, start, segment);
    from = until;
    if (from == to) break;
    const auto& there = half.held[at];
    const auto seen = std::min({to, there.to, start + static_cast<std::int64_t>(segment.payload.size())});
    if (seen > from && !there.bytes.empty()) {
      contradicts =
          contradicts || std::memcmp(there.bytes.data() + (from - there.from), segment.payload.data() + (from - start),
                                     static_cast<std::size_t>(seen - from)) != 0;
    }
    from = std::min(to, there.to);
    ++at;
  }
  if (contradicts) ++stats_.contradictions;
}

// Inserts [from, to) before `at`: what of it was captured, and what was not. Returns where to go on.
std::size_t Reassembly::hold_piece(Half& half, std::size_t at, std::int64_t from, std::int64_t to, std::int64_t start,
                                   const Segment& segment) {
  const auto captured = std::clamp(start + static_cast<std::int64_t>(segment.payload.size()), from, to);
  const auto add = [&](std::int64_t begin, std::int64_t end, base::Bytes bytes) {
    if (begin == end) return;
    half.held.insert(half.held.begin() + static_cast<std::ptrdiff_t>(at),
                     Held{begin, end, segment.time, {bytes.begin(), bytes.end()}});
    half.held_size += bytes.size() + held_overhead;
    held_ += bytes.size() + held_overhead;
    ++at;
  };
  if (captured > from) {
    add(from, captured,
        segment.payload.subspan(static_cast<std::size_t>(from - start), static_cast<std::size_t>(captured - from)));
  }
  add(captured, to, {});
  return at;
}

// Hands on what nothing is missing before any more. `late`: it was all there, only the capture lost what lay before.
void Reassembly::drain(Half& half, bool late) {
  auto& stream = *half.stream;
  std::size_t done = 0;
  for (; done < half.held.size() && half.held[done].from <= half.next; ++done) {
    auto& held = half.held[done];
    half.next = held.to;
    half.held_size -= held.bytes.size() + held_overhead;
    held_ -= held.bytes.size() + held_overhead;
    if (stream.ignored) continue;
    const auto time = late ? held.time : now_;
    if (!held.bytes.empty()) {
      stats_.bytes += held.bytes.size();
      say(half, held.bytes, time);
    } else {
      say_gap(half, static_cast<std::uint64_t>(held.to - held.from), time);
    }
  }
  half.held.erase(half.held.begin(), half.held.begin() + static_cast<std::ptrdiff_t>(done));
  if (half.held.empty() && half.held.capacity() > 0) half.held = {};
}

void Reassembly::reset(Stream& stream, model::Side from, const Segment& segment) {
  const auto& half = stream.half(from);
  const auto& other = stream.half(model::other(from));
  constexpr std::int64_t window = std::int64_t{1} << 20U;
  const auto distance = position(half, segment.sequence) - half.next;
  const bool answers =
      (segment.flags & tcp::ack) != 0 && other.started && position(other, segment.acknowledged) == other.next;
  if (half.started && !answers && (distance > window || distance < -window)) {
    ++stats_.strange;
    return;
  }
  for (auto& each : stream.halves) give_up_all(each);
  if (!half.finished) {
    stream.half(from).finished = true;
    say_finished(stream.half(from), Finish::rst);
  }
  close(stream, Closed::reset);
}

void Reassembly::settle(Half& half) {
  if (half.stream->ignored && !half.held.empty()) {
    half.next = std::max(half.next, half.held.back().to);
    drain(half, true);
  }
  if (half.fin && half.next >= half.end && !half.finished) {
    half.finished = true;
    say_finished(half, Finish::fin);
  }
  const bool hole = has_hole(half) && !half.stream->ignored;
  if (hole && !half.waiting) wait(half);
  if (!hole && half.waiting) stop_waiting(half);
}

void Reassembly::give_up(Half& half, std::int64_t limit) {
  auto to = half.held.empty() ? std::max(half.acknowledged, half.fin ? half.end : half.next) : half.held.front().from;
  to = std::min(to, limit);
  if (to > half.next) {
    const auto count = static_cast<std::uint64_t>(to - half.next);
    half.next = to;
    if (!half.stream->ignored) say_gap(half, count, half.held.empty() ? now_ : half.held.front().time);
  }
  drain(half, true);
}

void Reassembly::give_up_acknowledged(Half& half) {
  if (!half.waiting || now_ - half.waiting_since < limits_.reordering) return;
  while (lost(half)) give_up(half, half.acknowledged);
  settle(half);
}

void Reassembly::give_up_all(Half& half) {
  if (!half.stream->ignored) {
    while (has_hole(half)) give_up(half, std::numeric_limits<std::int64_t>::max());
  }
  settle(half);
}

void Reassembly::keep_bounds(Half& half) {
  while (half.held_size > limits_.held_per_direction) give_up(half, std::numeric_limits<std::int64_t>::max());
  settle(half);
  while (held_ > limits_.held && first_waiting_ != nullptr) {
    auto& longest = *first_waiting_;
    give_up_all(longest);
    release(*longest.stream);
    if (longest.stream != half.stream) close_if_finished(*longest.stream);
  }
}

void Reassembly::expire() {
  while (first_outbox_ != nullptr && now_ - first_outbox_->since >= limits_.reordering) {
    auto& stream = *first_outbox_->stream;
    give_up_lost(stream);
    close_if_finished(stream);
  }
  while (first_waiting_ != nullptr && now_ - first_waiting_->waiting_since >= limits_.patience) {
    auto& half = *first_waiting_;
    auto& stream = *half.stream;
    give_up(half, std::numeric_limits<std::int64_t>::max());
    while (!half.held.empty() && now_ - half.held.front().time >= limits_.patience) {
      give_up(half, std::numeric_limits<std::int64_t>::max());
    }
    stop_waiting(half);  // what is still missing has been for less
    settle(half);
    release(stream);
    close_if_finished(stream);
  }
}

// --- to the listener ------------------------------------------------------------------------------------------------

void Reassembly::say(Half& half, base::Bytes bytes, base::Time time) {
  // Mostly nothing waits in any stream, which is known without looking at this one.
  auto* const to = first_outbox_ == nullptr && first_waiting_ == nullptr ? nullptr : outbox(half);
  if (to != nullptr) [[unlikely]]
    return keep(half, *to, {.kind = Outbox::Event::Kind::bytes, .time = time, .bytes = {bytes.begin(), bytes.end()}});
  listener_.bytes(*half.stream, side_of(half), bytes, time);
}

void Reassembly::say_gap(Half& half, std::uint64_t count, base::Time time) {
  ++stats_.gaps;
  stats_.gap_bytes += count;
  if (auto* to = outbox(half))
    return keep(half, *to, {.kind = Outbox::Event::Kind::gap, .time = time, .bytes = {}, .count = count});
  listener_.gap(*half.stream, side_of(half), count, time);
}

void Reassembly::say_finished(Half& half, Finish how) {
  if (auto* to = outbox(half))
    return keep(half, *to, {.kind = Outbox::Event::Kind::finished, .time = now_, .bytes = {}, .how = how});
  listener_.finished(*half.stream, side_of(half), how, now_);
}

Outbox* Reassembly::outbox(Half& of) {
  auto& stream = *of.stream;
  const auto& other = stream.half(model::other(side_of(of)));
  if (stream.outbox || !behind(other)) [[likely]]
    return stream.outbox.get();
  stream.outbox = std::make_unique<Outbox>();
  auto& out = *stream.outbox;
  out.stream = &stream;
  out.since = now_;
  out.behind = side_of(other);
  out.previous = last_outbox_;
  (last_outbox_ != nullptr ? last_outbox_->following : first_outbox_) = &out;
  last_outbox_ = &out;
  return &out;
}

void Reassembly::keep(Half& half, Outbox& to, Outbox::Event&& event) {
  const auto size = event.bytes.size() + held_overhead;
  to.size += size;
  held_ += size;
  to.events[model::index(side_of(half))].push_back(std::move(event));
}

void Reassembly::release(Stream& stream) {
  if (!stream.outbox) return;
  if (stream.outbox->size > limits_.held_per_direction)
    give_up_lost(stream);
  else if (!behind(stream.halves[0]) && !behind(stream.halves[1]))
    empty_outbox(stream);
  while (held_ > limits_.held && first_outbox_ != nullptr) {
    auto& oldest = *first_outbox_->stream;
    give_up_lost(oldest);
    if (&oldest != &stream) close_if_finished(oldest);
  }
}

void Reassembly::give_up_lost(Stream& stream) {
  for (auto& half : stream.halves) {
    while (lost(half)) give_up(half, half.acknowledged);
    settle(half);
  }
  empty_outbox(stream);
}

void Reassembly::empty_outbox(Stream& stream) {
  if (!stream.outbox) return;
  const auto out = std::move(stream.outbox);
  held_ -= out->size;
  (out->previous != nullptr ? out->previous->following : first_outbox_) = out->following;
  (out->following != nullptr ? out->following->previous : last_outbox_) = out->previous;
  out->empty([&](model::Side side, const Outbox::Event& event) {
    using enum Outbox::Event::Kind;
    if (event.kind == finished) return listener_.finished(stream, side, event.how, event.time);
    if (stream.ignored) return;
    if (event.kind == gap) return listener_.gap(stream, side, event.count, event.time);
    listener_.bytes(stream, side, event.bytes, event.time);
  });
}

void Reassembly::wait(Half& half) {
  half.waiting = true;
  half.waiting_since = now_;
  half.previous = last_waiting_;
  half.following = nullptr;
  (last_waiting_ != nullptr ? last_waiting_->following : first_waiting_) = &half;
  last_waiting_ = &half;
}

void Reassembly::stop_waiting(Half& half) {
  if (!half.waiting) return;
  half.waiting = false;
  (half.previous != nullptr ? half.previous->following : first_waiting_) = half.following;
  (half.following != nullptr ? half.following->previous : last_waiting_) = half.previous;
}

void Reassembly::close_if_finished(Stream& stream) {
  if (stream.halves[0].finished && stream.halves[1].finished) close(stream, Closed::finished);
}

// It stays in the table, so that what comes late or twice is known to be of it.
void Reassembly::close(Stream& stream, Closed why) {
  if (stream.closed) return;
  for (auto& half : stream.halves) {
    give_up_all(half);
    stop_waiting(half);
  }
  empty_outbox(stream);
  stream.closed = true;
  listener_.closed(stream, why, now_);
  stream.context = nullptr;
}

void Reassembly::remove(Stream& stream, Closed why) {
  close(stream, why);
  table_.remove(stream);
}

}  // namespace sockeye::tap
