// The counters of one route on one worker. Written by that worker only, read by a scrape at any time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/model/anomaly.h"
#include "sockeye/model/counters.h"
#include "sockeye/model/dialect_error.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/operations.h"
#include "sockeye/model/session.h"

namespace sockeye::model {

// Message kinds of websocket_messages_total{type}.
enum class MessageType : std::uint8_t { text = 0, binary, ping, pong, close, count_ };

// Closes by (code, initiator, reason): a small open table, bounded. Row `overflow` (code 0 with label "other") takes
// the rest.
struct CloseRow {
  std::atomic<std::uint32_t> key{0};  // code << 16 | initiator << 8 | reason; 0 = free. Written once, before `count`.
  Counter count;
};

struct RouteMetrics {
  Gauge connections_active;
  Counter connections_accepted, connections_rejected, connections_closed;
  // Request message complete → last byte of its reply. Without a dialect that pairs them: a turn, from the first
  // complete client data message to the next complete server data message, one at a time (session/traffic.h).
  DurationHistogram message_duration;
  DurationHistogram handshake_duration;       // request's first byte → 101 or the refusal sent
  Gauge buffered_bytes;                       // sampled: our queues + the kernel's unsent bytes
  Gauge buffered_sessions;                    // sessions with buffered bytes above 0 at the last sample
  std::array<Counter, 2> pong_missed;         // by leg; late ones included
  std::array<Counter, 2> pong_late;           // overdue, but other bytes came since the ping
  std::array<Counter, 2> heartbeat_timeouts;  // silent for as many pings in a row as allowed; by leg
  std::array<std::array<Counter, static_cast<std::size_t>(MessageType::count_)>, 2> messages;  // by sender, type
  std::array<Counter, 2> message_bytes;  // payload bytes as on the wire, by sender
  std::array<SizeHistogram, 2> message_size;
  std::array<DurationHistogram, 2> ping_rtt;  // by leg
  LongDurationHistogram session_duration;
  std::array<Counter, static_cast<std::size_t>(ReconnectBasis::count_)> reconnects;
  std::array<Counter, static_cast<std::size_t>(Anomaly::count_)> anomalies;
  static constexpr std::size_t close_rows = 64;
  std::array<CloseRow, close_rows> closes;
  Counter closes_other;
  Counter http_requests;  // plain HTTP relayed beside the upgrades

  // What a dialect makes of messages; counted by signal/invocation_metrics.h.
  OperationTable operations;
  std::array<Counter, static_cast<std::size_t>(DialectError::count_)> dialect_errors;
  std::array<Counter, 2> beats;                        // application heartbeats, by sender
  std::array<Counter, 2> media_messages, media_bytes;  // data without a reply, by sender; payload as on the wire
  std::array<TokenHistogram, 2> tokens;                // of one invocation: input, output

  void count_close(std::uint16_t code, Initiator, EndReason);
};

// The counters of a route, one shard a worker, borrowed from whoever counts; label `route`.
struct RouteCounters {
  std::string route;
  std::vector<const RouteMetrics*> workers;
};

}  // namespace sockeye::model
