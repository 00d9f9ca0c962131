// Field numbers of docs/formats/live.proto. A number is never used again for something else.
#pragma once

#include <cstddef>
#include <protozero/types.hpp>

namespace sockeye::live {

// Bounds of one message besides its size; what is more goes into the next.
inline constexpr std::size_t most_items = 16'384;      // of each list of a Report
inline constexpr std::size_t most_recorded = 1'024;    // entries of one recorder
inline constexpr std::size_t most_calls = 1'024;       // of one Detail
inline constexpr std::size_t most_watched = 16;        // sessions of an Ask
inline constexpr std::size_t longest_operation = 256;  // bytes of an OpenCall's operation

using Tag = protozero::pbf_tag_type;

namespace report_field {
enum : Tag {
  time_unix_ns = 1,
  hello = 2,
  opened = 3,
  changed = 4,
  ended = 5,
  summaries = 6,
  details = 7,
  all_told = 8
};
}
namespace hello_field {
enum : Tag {
  version = 1,
  instance = 2,
  service = 3,
  host = 4,
  sockeye_version = 5,
  started_unix_ns = 6,
  open_sessions = 7
};
}
namespace opened_field {
enum : Tag {
  id = 1,
  route = 2,
  client = 3,
  target = 4,
  host = 5,
  subprotocol = 6,
  extensions = 7,
  server = 8,
  trace_id = 9,
  opened_unix_ns = 10,
  reconnect_of = 11
};
}
// Where a figure is kept twice, the first number is the client's and the next one the server's.
namespace changed_field {
enum : Tag {
  id = 1,
  state = 2,
  dialect = 3,
  messages = 4,
  bytes = 6,
  rtt_ns = 8,
  buffered_bytes = 10,
  misses = 12,
  missed_total = 14,
  anomalies = 15,
  invocations_open = 16,
  last_message_unix_ns = 17
};
}
namespace recorded_field {
enum : Tag { time_unix_ns = 1, length = 2, side = 3, opcode = 4, compressed = 5, injected = 6, answered = 7 };
}
namespace recorder_field {
enum : Tag { messages = 1 };
}
namespace ended_field {
enum : Tag { last = 1, ended_unix_ns = 2, code = 3, why = 4, initiator = 5, reason = 6, recorder = 7 };
}
namespace summary_field {
enum : Tag {
  route = 1,
  active = 2,
  accepted_total = 3,
  rejected_total = 4,
  closed_total = 5,
  reconnects_total = 6,
  missed_total = 7,
  messages_total = 8,
  bytes_total = 10,
  missing_pongs = 12,
  buffered_sessions = 13,
  buffered_bytes = 14,
  invocations_open = 15,
  rtt_p50_ns = 16,
  rtt_p99_ns = 18
};
}
namespace call_field {
enum : Tag {
  number = 1,
  operation = 2,
  opened_by = 3,
  opened_unix_ns = 4,
  first_chunk_unix_ns = 5,
  last_chunk_unix_ns = 6,
  chunks = 7,
  trace_id = 8
};
}
namespace detail_field {
enum : Tag { id = 1, recorder = 2, calls = 3 };
}
namespace ask_field {
enum : Tag { watch = 1 };
}

}  // namespace sockeye::live
