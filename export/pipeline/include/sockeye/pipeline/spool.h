// Encoded batches on disk, first in first out, for the time the collector is away. docs/formats/spool.md is the format
// and says what survives what.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "sockeye/base/bytes.h"
#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/pipeline/pipeline.h"
#include "sockeye/pipeline/transport.h"

namespace sockeye::pipeline {

namespace spool_format {

inline constexpr std::size_t segment_header_size = 16;
inline constexpr std::size_t record_header_size = 24;
inline constexpr std::size_t position_slot_size = 32;
inline constexpr std::uint64_t position_slot_stride = 512;    // a torn sector cannot take both slots
inline constexpr std::uint64_t max_segment = UINT64_MAX / 2;  // room to count on from any number that is believed
inline constexpr std::uint32_t max_body = 64U << 20U;

struct RecordHeader {
  std::uint32_t length = 0;
  std::uint32_t body_crc = 0;
  std::uint32_t spans = 0;
  std::uint32_t index = 0;  // of the record in its segment
  std::uint8_t encoding = 0;
};

struct Position {
  std::uint64_t generation = 0;
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
};

[[nodiscard]] std::uint32_t crc32(base::Bytes bytes);
void write_segment_header(std::uint64_t id, base::MutableBytes to);
[[nodiscard]] std::optional<std::uint64_t> read_segment_header(base::Bytes from);
void write_record_header(const RecordHeader& header, base::MutableBytes to);
[[nodiscard]] std::optional<RecordHeader> read_record_header(base::Bytes from);
void write_position(const Position& position, base::MutableBytes to);
[[nodiscard]] std::optional<Position> read_position(base::Bytes from);
// "00000000000000ff.seg" ↔ 255; none for any other name, for 0 and over max_segment.
[[nodiscard]] std::string segment_name(std::uint64_t id);
[[nodiscard]] std::optional<std::uint64_t> parse_segment_name(std::string_view name);

}  // namespace spool_format

// Not thread-safe. Counts are exact at any time.
class Spool {
 public:
  // What a start found. Damaged bytes are those behind the last record header that can be trusted: a torn tail, or
  // worse.
  struct Recovery {
    std::uint64_t spans = 0;
    std::uint64_t records = 0;
    std::uint64_t damaged_bytes = 0;
  };
  struct Appended {
    std::uint64_t dropped_spans = 0;   // of the oldest segments, to make room; without the head when `pinned`
    std::uint32_t unpinned_spans = 0;  // of the pinned head, when it went with them
    std::optional<base::Error> error;  // set: the batch is not in the spool
  };
  enum class Peek : std::uint8_t {
    empty,
    ready,
    lost,   // the oldest record cannot be read back, ever: it is gone, with all behind it that cannot be found
    failed  // the operating system is short of something: try later
  };

  // Fails when the directory cannot be made, read or written, or another process holds its lock.
  [[nodiscard]] static base::Result<std::unique_ptr<Spool>> open(const SpoolOptions& options);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // True when a batch of this size can ever be appended.
  [[nodiscard]] bool fits(std::size_t body_bytes) const;
  // `pinned`: the head is being sent; if it must make room, pop() must not be called for it.
  [[nodiscard]] Appended append(const Batch& batch, bool pinned);
  // Reads the oldest record; `lost_spans` with lost.
  [[nodiscard]] Peek peek(Batch& out, std::uint64_t& lost_spans);
  // Acknowledges the record that peek() read and persists the position. False: the disk did not take the position.
  bool pop();

  // Forces to disk what was written. False: the disk refused.
  bool sync();
  // When a sync is due for what was written, if anything was.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> sync_due() const;

  [[nodiscard]] bool empty() const { return records_ == 0; }
  [[nodiscard]] std::uint64_t spans() const { return spans_; }
  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] const Recovery& recovery() const { return recovery_; }

 private:
  struct Segment {
    std::uint64_t id = 0;
    std::uint64_t head = 0;       // offset of the oldest record not acknowledged
    std::uint64_t end = 0;        // offset behind the last good record
    std::uint64_t file_size = 0;  // on disk; more than `end` when the tail is damaged
    std::uint64_t spans = 0;      // from `head` to `end`
    std::uint64_t records = 0;
    std::uint32_t next_index = 0;
  };

  explicit Spool(const SpoolOptions& options);
  base::Result<void> open_directory();
  base::Result<void> recover();
  base::Result<void> recover_segment(std::uint64_t id);
  base::Result<void> begin_segment();
  void end_segment(bool keep);
  void make_room(std::uint64_t need, bool pinned, Appended& result);
  void drop_front();
  void unlink(std::uint64_t id);
  int open_reader(std::uint64_t id);
  bool advance(const spool_format::RecordHeader& header);
  [[nodiscard]] base::Error describe(const std::string& what) const;

  SpoolOptions options_;
  std::uint64_t segment_limit_;
  int directory_fd_ = -1;
  int lock_fd_ = -1;
  int position_fd_ = -1;
  int writer_fd_ = -1;  // open for the last of segments_, or -1
  int reader_fd_ = -1;  // open for segment reader_id_, or -1
  std::uint64_t reader_id_ = 0;
  std::deque<Segment> segments_;  // each holds a record, but for the last while it is the writer's
  std::uint64_t next_id_ = 1;
  spool_format::Position position_;
  std::optional<spool_format::RecordHeader> peeked_;  // of the head
  std::uint64_t spans_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t bytes_ = 0;
  Recovery recovery_;
  bool directory_dirty_ = false;
  std::optional<std::chrono::steady_clock::time_point> dirty_since_;
};

}  // namespace sockeye::pipeline
