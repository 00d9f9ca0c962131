// A finished span as it is exported: OpenTelemetry's data model, no more of it than Sockeye writes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sockeye/base/ids.h"

namespace sockeye::model {

using AttributeValue = std::variant<bool, std::int64_t, double, std::string>;
// Keys are string literals of this program (signals.md), never copies.
using Attributes = std::vector<std::pair<std::string_view, AttributeValue>>;

enum class SpanKind : std::uint8_t { internal = 1, server = 2, client = 3, producer = 4, consumer = 5 };
enum class SpanStatus : std::uint8_t { unset = 0, ok = 1, error = 2 };

struct SpanEvent {
  std::string_view name;  // literal
  std::uint64_t time_unix_ns = 0;
  Attributes attributes;
};

struct SpanLink {
  base::TraceId trace_id;
  base::SpanId span_id;
  Attributes attributes;
};

struct Span {
  std::string name;
  base::TraceId trace_id;
  base::SpanId span_id;
  base::SpanId parent_id;   // zero: a root
  std::string trace_state;  // W3C tracestate, as received
  std::uint8_t flags = 1;   // W3C trace-flags
  bool parent_is_remote = false;
  SpanKind kind = SpanKind::internal;
  SpanStatus status = SpanStatus::unset;
  std::string status_message;
  std::uint64_t start_unix_ns = 0;
  std::uint64_t end_unix_ns = 0;
  Attributes attributes;
  std::vector<SpanEvent> events;
  std::vector<SpanLink> links;
};

// Where finished spans go. offer() never blocks and is safe from any thread; what it cannot take it counts as dropped.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void offer(Span&& span) = 0;
};

}  // namespace sockeye::model
