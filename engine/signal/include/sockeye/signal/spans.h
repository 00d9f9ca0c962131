// Builds the spans a session emits (docs/signals.md). Pure functions from values to a model::Span: who samples, when a
// span ends and where it goes are the caller's business.
//
// One session in a waterfall:
//
//   remote parent (or nothing)
//   └─ websocket.handshake    SERVER    request's first byte → 101 (or the refusal)
//      ├─ whatever the upstream does: the traceparent sent to it names the handshake span
//      └─ websocket.connection   INTERNAL  101 → close
//         └─ websocket.connection.segment   INTERNAL  5 min each, while the session is open
//
// The connection hangs under the handshake rather than beside it: a session without remote parent then still has one
// root, and the upstream's spans, which were started by the handshake, sit next to the connection they belong to.
//
// `sent` and `received` are the service's view: received came from the client, sent went to it. So the same dashboard
// reads the same whether the spans come from a proxy before the service or from inside it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/session.h"
#include "sockeye/model/span.h"

namespace sockeye::signal {

// Who and where: the same for every span of a session. Views are read during the call only. Whatever may carry a secret
// is already redacted (redact.h).
struct SessionAttributes {
  base::SessionId id{};
  base::SessionId reconnect_of{};  // zero: none
  model::ReconnectBasis reconnect_basis{};
  std::string_view vantage{}, route{}, dialect{};
  std::string_view target{};       // origin-form, redacted
  std::string_view host{};         // Host field, "name[:port]"
  std::string_view subprotocol{};  // selected, redacted; "" none
  std::string_view extensions{};   // in force; "" none
  std::string_view client_address{};
  std::string_view upstream_address{};
  std::uint16_t client_port = 0;
  std::uint16_t upstream_port = 0;
  bool tls = false;
};

// Where a span sits in its trace.
struct TracePlace {
  base::TraceId trace_id{};
  base::SpanId span_id{};
  base::SpanId parent_id{};  // zero: a root
  std::uint8_t flags = 1;    // W3C trace-flags
  bool parent_is_remote = false;
  std::string_view trace_state{};
};

// Unix time, nanoseconds.
struct Interval {
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
};

struct HandshakeOutcome {
  std::string_view method = "GET";
  int status = 101;                            // what was answered; 0: nothing
  std::string_view user_agent{};               // "" none
  model::Anomaly kind = model::Anomaly::none;  // why it was refused; error.type
  std::string_view why{};                      // one line for a person; static or redacted text
};
[[nodiscard]] model::Span handshake_span(const SessionAttributes&, const TracePlace&, Interval,
                                         const HandshakeOutcome&);

// Our pings on one leg.
struct PingFigures {
  std::optional<base::Duration> rtt_last, rtt_min;
  std::uint64_t missed = 0;  // in the whole session
  std::uint64_t late = 0;    // of those: other bytes came meanwhile
};

// What is known of a session at the end of a connection or segment span. Cumulative since the 101.
struct ConnectionFigures {
  std::array<model::DirectionCounts, 2> counts;  // by sender
  std::array<PingFigures, 2> pings;              // by leg
  std::array<base::Duration, 2> longest_gap{};   // between data messages of one sender; 0: fewer than two
  std::uint64_t anomalies = 0;
  const model::CloseInfo* close = nullptr;  // borrowed; null while open
};

// The part of ConnectionFigures a connection keeps between two segments, for the deltas. 32 bytes.
struct Totals {
  std::array<std::uint64_t, 2> messages{};  // data messages by sender
  std::array<std::uint64_t, 2> bytes{};     // payload by sender
};
[[nodiscard]] Totals totals(const ConnectionFigures&);

[[nodiscard]] model::Span connection_span(const SessionAttributes&, const TracePlace&, Interval,
                                          const ConnectionFigures&, base::WallOffset);

// `connection` is the place of the connection span, whose child the segment is; `segment` a fresh span id; `index`
// counts from 0; `before` are the totals at the end of the last segment.
[[nodiscard]] model::Span segment_span(const SessionAttributes&, const TracePlace& connection,
                                       const base::SpanId& segment, Interval, const ConnectionFigures&,
                                       const Totals& before, std::uint64_t index);

}  // namespace sockeye::signal
