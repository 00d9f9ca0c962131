// One request and its streamed reply, whatever protocol carried them: what a dialect makes of messages, and all that
// signals, exporters and the console ever see of one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"
#include "sockeye/model/chunk_times.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/span.h"

namespace sockeye::model {

enum class InvocationStatus : std::uint8_t { ok, error, cancelled, incomplete };
[[nodiscard]] std::string_view name(InvocationStatus);

// What ended it. A reply says its own status; the others follow from what happened instead of one.
enum class InvocationEnd : std::uint8_t {
  reply,
  cancel,           // the opener gave up and no reply came: cancelled
  timeout,          // nothing for the dialect's limit: incomplete
  connection_lost,  // the session ended under it: incomplete
  evicted,          // the table was full and it was the oldest: incomplete
  unanswered        // no reply came, as its protocol allows: ok, as of its last sign
};
[[nodiscard]] std::string_view name(InvocationEnd);

// The pieces of a streamed reply: of all of it, or of one lane (audio, text, …).
struct Chunks {
  std::string_view lane;  // immortal; "" for all
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;  // payload of their messages, on the wire
  base::Time first = base::never;
  base::Time last = base::never;
  base::Duration longest_interval{};  // between two of them
  base::Time longest_ended{};         // when the second of those came
  [[nodiscard]] base::Duration mean_interval() const {
    return count < 2 ? base::Duration{} : (last - first) / static_cast<std::int64_t>(count - 1);
  }
  // The stream stopped for a while: one interval is far longer than the rest are. A pause that a person would notice.
  [[nodiscard]] bool paused() const {
    using namespace std::chrono_literals;
    return count > 2 && longest_interval >= 200ms &&
           longest_interval >= 3 * ((last - first - longest_interval) / static_cast<std::int64_t>(count - 2));
  }
  // The interval since the last one, if there was one.
  std::optional<base::Duration> add(base::Time now, std::uint64_t size) {
    std::optional<base::Duration> interval;
    if (count == 0) {
      first = now;
    } else {
      interval = now - last;
      if (*interval > longest_interval) {
        longest_interval = *interval;
        longest_ended = now;
      }
    }
    last = now;
    ++count;
    bytes += size;
    return interval;
  }
};

struct InvocationEvent {
  std::string_view name;  // immortal
  base::Time at;
};

struct Invocation {
  static constexpr std::size_t max_operation = 128;  // bytes
  static constexpr std::size_t max_attributes = 32;
  static constexpr std::size_t max_text = 256;  // bytes of one attribute
  static constexpr std::size_t max_events = 16;
  static constexpr std::size_t max_lanes = 4;

  std::uint64_t number = 0;   // in its session, from 1
  std::uint64_t message = 0;  // the data message that opened it, in its direction, from 1 since the handshake
  std::uint64_t parent = 0;   // the number of the invocation it serves (a tool call in an answer); 0: none
  std::string operation;
  Side opened_by = Side::client;
  base::Time opened;               // its opening message was complete
  base::Time ended = base::never;  // the last byte of its reply was here
  // A moment the caller would call its beginning, where the dialect knows a better one than the opening message: the
  // end of the user's speech. Latency from here is the perceived one.
  base::Time anchor = base::never;
  std::string_view anchor_name;  // immortal
  std::string_view trigger;      // immortal; what made the peer begin, where no message asked for it ("vad")

  InvocationStatus status = InvocationStatus::ok;
  InvocationEnd end = InvocationEnd::reply;
  bool cancel_requested = false;
  std::string error_type;  // "" none

  Chunks chunks;            // all of them
  bool times_kept = false;  // when each of them came is kept too: set by who builds spans
  ChunkTimes chunk_times;
  std::array<Chunks, max_lanes> lanes{};  // the first ones named
  std::uint64_t request_bytes = 0;        // payload of the opening message
  std::uint64_t reply_bytes = 0;          // of chunks and the end

  // From its opening message, as received and not judged; "" none.
  std::string traceparent;              // at most 256 bytes
  std::string tracestate;               // at most 512
  std::string baggage;                  // at most 8,192
  Attributes attributes;                // at most max_attributes; keys are immortal
  std::vector<InvocationEvent> events;  // at most max_events

  // Its span, placed when it opens so that others can be its children: set by who builds spans. One that serves another
  // begins with that one's trace and, as parent_span_id, span.
  base::TraceId trace_id;
  base::SpanId span_id;
  base::SpanId parent_span_id;  // zero: a root
  std::uint8_t trace_flags = 0;
  bool parent_is_remote = false;
  std::uint16_t reports = 0;        // interim records so far
  std::uint16_t operation_row = 0;  // index into model::OperationTable, for who counts

  // One more piece of the reply; as Chunks::add().
  std::optional<base::Duration> add_chunk(base::Time now, std::uint64_t size) {
    const auto since = chunks.add(now, size);
    if (times_kept) chunk_times.add(since.value_or(now - opened));
    return since;
  }
  [[nodiscard]] const Chunks* lane(std::string_view which) const {
    for (const Chunks& each : lanes)
      if (each.count != 0 && each.lane == which) return &each;
    return nullptr;
  }
};

}  // namespace sockeye::model
