// TCP segments, in whatever order and however often they were captured, → the bytes of each direction, in order.
//
// Theory of operation. A segment that continues its direction is handed on as it lies in the packet: nothing is copied
// or allocated. One that lies ahead is held until what is missing comes. What is behind has been seen: retransmitted,
// or captured twice. A hole is given up, and said as a gap of so many bytes, when
//
// - the peer that receives has acknowledged it: the capture lost it, for the peer has it. Such a hole is given
//   `reordering` to be filled by a packet that was captured a little late, and no longer; what the other direction says
//   meanwhile waits with it (outbox.h), so that what was asked is handed on before its answer is;
// - or it stays for `patience`, or more waits behind it than may be held.
//
// The stream goes on behind a gap. Acknowledgements also tell of what is missing with nothing behind it, and where a
// direction begins that was not heard yet. Of bytes that come twice before they are handed on, the first copy counts;
// if the second differs, that is counted.
//
// All time is the capture's. Whatever the packets, memory is bounded by ReassemblyLimits. One thread.
#pragma once

#include <cstdint>
#include <span>

#include "stream_table.h"

namespace sockeye::tap {

struct ReassemblyLimits {
  std::size_t streams = 131'072;               // followed at a time, or remembered as closed
  std::size_t held_per_direction = 1U << 20U;  // bytes that wait for what is missing before them
  std::size_t held = 64U << 20U;               // in all
  base::Duration reordering = std::chrono::milliseconds(5);
  base::Duration patience = std::chrono::seconds(10);
};

struct ReassemblyStats {
  std::uint64_t segments = 0;
  std::uint64_t streams = 0;         // opened, those begun before the capture among them
  std::uint64_t begun_before = 0;    // their beginning was not seen
  std::uint64_t evicted = 0;         // open streams dropped because the table was full
  std::uint64_t unrelated = 0;       // segments of no stream that carry nothing, ignored
  std::uint64_t strange = 0;         // segments whose numbers cannot be of their stream, ignored
  std::uint64_t out_of_order = 0;    // segments held
  std::uint64_t repeated = 0;        // segments all of whose bytes had been seen
  std::uint64_t keep_alives = 0;     // of them, probes
  std::uint64_t contradictions = 0;  // segments that differ from what was held of the same bytes
  std::uint64_t zero_windows = 0;    // segments that say their sender can take no more
  std::uint64_t gaps = 0;
  std::uint64_t gap_bytes = 0;
  std::uint64_t bytes = 0;  // handed on, or of streams that are ignored
};

class Reassembly {
 public:
  // What a held segment counts for in bytes beside its own.
  static constexpr std::size_t held_overhead = 256;
  // A position further off than this is not of the stream, or of one that is closed.
  static constexpr std::int64_t max_distance = std::int64_t{1} << 28U;
  static constexpr std::int64_t max_distance_closed = std::int64_t{1} << 20U;
  // So much such data in a row, and the stream is another with the same ports whose SYN is missing.
  static constexpr std::uint8_t max_strange = 4;

  // `seed` keys the table's hash. The listener must outlive it.
  Reassembly(ReassemblyLimits limits, std::uint64_t seed, StreamListener& listener)
      : limits_(limits), table_(limits.streams, seed), listener_(listener) {}

  static constexpr std::size_t max_batch = 16;

  void segment(const Segment& segment) { this->segment(segment, table_.hash(segment.source, segment.destination)); }
  // Several, at most max_batch, in order. A stream is some cache lines in a few places, and of many streams none is in
  // the caches when its turn comes: what each of these will touch is prefetched while the others are looked at. (Of
  // 1,000 sessions in turn, that is half of the time.)
  void segments(std::span<const Segment> segments);
  // Time went by without a segment.
  void advance(base::Time now);
  // The capture is over: says what is held, and closes every stream.
  void finish();

  [[nodiscard]] const ReassemblyStats& stats() const { return stats_; }
  [[nodiscard]] std::size_t streams() const { return table_.size(); }
  [[nodiscard]] std::size_t held() const { return held_; }

 private:
  void segment(const Segment& segment, std::uint32_t hash);
  Stream* open(const Segment& segment, std::uint32_t hash, model::Side& from);
  // A SYN that cannot be of this stream: its ports are used again.
  static bool replaces(Stream& stream, model::Side from, const Segment& segment);
  void follow(Stream& stream, model::Side from, const Segment& segment);
  void acknowledge(Half& of, std::uint32_t sequence);
  void data(Stream& stream, model::Side from, const Segment& segment);
  // Where `sequence` lies, as near to `next` as 32 bits tell.
  static std::int64_t position(const Half& half, std::uint32_t sequence);
  void take(Half& half, std::int64_t from, const Segment& segment);
  void hold(Half& half, std::int64_t from, const Segment& segment);
  std::size_t hold_piece(Half& half, std::size_t at, std::int64_t from, std::int64_t to, std::int64_t start,
                         const Segment& segment);
  void drain(Half& half, bool late);

  // To the listener, or into the stream's outbox.
  void say(Half& half, base::Bytes bytes, base::Time time);
  void say_gap(Half& half, std::uint64_t count, base::Time time);
  void say_finished(Half& half, Finish how);
  // Null: nothing has to wait.
  Outbox* outbox(Half& of);
  void keep(Half& half, Outbox&, Outbox::Event&&);
  [[nodiscard]] static bool behind(const Half& half) { return half.waiting && lost(half); }
  // When something of the stream may have been settled.
  void release(Stream& stream);
  void give_up_lost(Stream& stream);
  void empty_outbox(Stream& stream);

  void reset(Stream& stream, model::Side from, const Segment& segment);

  // The receiver has it and we do not. A FIN has a number as well: if it was not captured, one more than there are
  // bytes is acknowledged, so one alone does not count. (One of more than one may be the FIN: a gap before a lost end
  // of the stream can be a byte too long.)
  static bool lost(const Half& half) {
    return half.acknowledged - half.next > (half.held.empty() && !half.fin ? 1 : 0);
  }
  static bool has_hole(const Half& half) {
    return !half.held.empty() || lost(half) || (half.fin && half.end > half.next);
  }
  // To be called whenever next, held, acknowledged or end have changed.
  void settle(Half& half);
  // Gives up what is missing before `limit`.
  void give_up(Half& half, std::int64_t limit);
  void give_up_acknowledged(Half& half);
  void give_up_all(Half& half);
  void keep_bounds(Half& half);
  void expire();
  void wait(Half& half);
  void stop_waiting(Half& half);

  void close_if_finished(Stream& stream);
  void close(Stream& stream, Closed why);
  void remove(Stream& stream, Closed why);
  [[nodiscard]] static model::Side side_of(const Half& half) {
    return &half == &half.stream->halves[0] ? model::Side::client : model::Side::server;
  }

  ReassemblyLimits limits_;
  StreamTable table_;
  StreamListener& listener_;
  ReassemblyStats stats_;
  base::Time now_{};
  std::size_t held_ = 0;
  Half* first_waiting_ = nullptr;  // longest
  Half* last_waiting_ = nullptr;
  Outbox* first_outbox_ = nullptr;  // oldest
  Outbox* last_outbox_ = nullptr;
};

}  // namespace sockeye::tap
