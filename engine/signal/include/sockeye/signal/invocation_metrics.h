// What is counted of messages that a dialect interprets (docs/signals.md, "Metrics of invocations"): every rule of it,
// so that whoever hears a dialect only says what happened. The worker's own thread; only a new operation allocates.
//
// Not counted here: websocket_message_duration_seconds. Whether a session's turns or its invocations feed it is known
// where the session is known.
#pragma once

#include <cstdint>
#include <optional>

#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/invocation.h"
#include "sockeye/model/metrics.h"

namespace sockeye::signal {

// Sets invocation.operation_row, by which the other two find its row: call it first, once, with the operation set.
void count_opened(model::RouteMetrics&, model::Invocation&);
// After the chunk is in invocation.chunks. `since_last`: as Chunks::add() returned it.
void count_chunk(model::RouteMetrics&, const model::Invocation&, std::optional<base::Duration> since_last);
// `exported`: its span is (trace_id, span_id are set), so that histograms may point to it.
void count_ended(model::RouteMetrics&, const model::Invocation&, bool exported, base::WallOffset);

void count_media(model::RouteMetrics&, model::Side sender, std::uint64_t bytes);
void count_beat(model::RouteMetrics&, model::Side sender);
void count_dialect_error(model::RouteMetrics&, model::DialectError, std::uint64_t count);

}  // namespace sockeye::signal
