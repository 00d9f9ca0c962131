// Spans of what happens inside a session: invocations, their interim records, transfers (docs/signals.md). Pure
// functions from values to a model::Span, as spans.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/invocation.h"
#include "sockeye/model/span.h"
#include "sockeye/signal/spans.h"

namespace sockeye::signal {

struct InvocationSettings {
  bool gen_ai = true;       // gen_ai.* attributes, and those of the session
  bool seed_names = false;  // signals.compat: seed adds websocket.time_to_first_chunk_ms and its like
};

// What its trace does not say: the connection it belongs to. Linked when the trace is another one.
struct Belonging {
  base::TraceId connection_trace{};
  base::SpanId connection_span{};
  const model::Attributes* session = nullptr;  // what the dialect keeps of the session; borrowed; may be null
  // hop_link() of the opening message on the hop to the client, and on that to the server; "": nothing was said there.
  std::string link_client{}, link_server{};
};

// The span of an ended invocation. Its place is in the invocation itself (trace_id, span_id, parent_span_id, …).
[[nodiscard]] model::Span invocation_span(const SessionAttributes&, const model::Invocation&,
                                          std::string_view trace_state, const Belonging&, const InvocationSettings&,
                                          base::WallOffset);

// What is known of an open one, as a span of its own under it (`websocket.invocation.interim`): should this process
// die, the invocation is not hidden. `index` counts from 0.
[[nodiscard]] model::Span interim_span(const SessionAttributes&, const model::Invocation&, const base::SpanId& id,
                                       std::uint64_t index, const InvocationSettings&, base::Time now,
                                       base::WallOffset);

// What interpreting its messages says of a session, for its connection span.
struct InterpretationFigures {
  std::string_view basis;                         // why the dialect is what it is
  std::optional<base::Duration> application_rtt;  // of the last heartbeat of the protocol's own
  std::uint64_t invocations = 0;                  // so far
};
void add_interpretation(model::Span& connection, const InterpretationFigures&);

// A burst of data without reply from one side.
struct Transfer {
  model::Side from = model::Side::client;
  std::string_view name;  // immortal; what the dialect calls it
  base::Time begin{}, end{};
  std::uint64_t messages = 0, bytes = 0;
  base::Duration longest_interval{};
};
// One data message, as it came from one leg (`websocket.receive`) or went to the other (`websocket.send`).
struct MessageAttributes {
  model::Side from = model::Side::client;
  bool sent = false;  // to the other leg
  bool text = false;
  bool compressed = false;
  std::uint64_t length = 0;  // payload bytes on the wire
  std::uint64_t frames = 1;
  std::uint64_t number = 0;  // in its direction, from 1
};
[[nodiscard]] model::Span message_span(const SessionAttributes&, const TracePlace&, const MessageAttributes&, Interval);

[[nodiscard]] model::Span transfer_span(const SessionAttributes&, const TracePlace&, const Transfer&, base::WallOffset);

}  // namespace sockeye::signal
