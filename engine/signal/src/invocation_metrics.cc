#include "sockeye/signal/invocation_metrics.h"

#include "gen_ai.h"

namespace sockeye::signal {

using model::Invocation;
using model::OperationRow;
using model::RouteMetrics;

void count_opened(RouteMetrics& metrics, Invocation& invocation) {
  invocation.operation_row = metrics.operations.index_of(invocation.operation);
  metrics.operations.row(invocation.operation_row).active.add(1);
}

void count_chunk(RouteMetrics& metrics, const Invocation& invocation, std::optional<base::Duration> since_last) {
  OperationRow& row = metrics.operations.row(invocation.operation_row);
  // The first is counted when it comes, not when the invocation ends: a slow reply shows while it is slow.
  if (since_last)
    row.chunk_interval.observe(*since_last);
  else
    row.time_to_first_chunk.observe(invocation.chunks.first - invocation.opened);
}

void count_ended(RouteMetrics& metrics, const Invocation& invocation, bool exported, base::WallOffset wall) {
  using enum model::InvocationStatus;
  OperationRow& row = metrics.operations.row(invocation.operation_row);
  row.active.add(-1);
  row.ended[static_cast<std::size_t>(invocation.status)].add();
  row.duration.observe(invocation.ended - invocation.opened);

  if (invocation.chunks.count > 0) {
    const base::Duration first = invocation.chunks.first - invocation.opened;
    const base::Duration last = invocation.chunks.last - invocation.opened;
    // Cut short, the last one that came is not the last chunk.
    const bool whole = invocation.status == ok || invocation.status == error;
    if (whole) row.time_to_last_chunk.observe(last);
    if (exported) {
      // All with the time of the end: what a bucket keeps must not go back in time, or Prometheus refuses it.
      model::Exemplar exemplar{invocation.trace_id, invocation.span_id, base::seconds(first),
                               wall.unix_ns(invocation.ended)};
      row.time_to_first_chunk.keep(first, exemplar);
      exemplar.value = base::seconds(last);
      if (whole) row.time_to_last_chunk.keep(last, exemplar);
    }
  }

  if (const auto input = gen_ai::tokens(invocation.attributes, gen_ai::input_tokens)) metrics.tokens[0].observe(*input);
  if (const auto output = gen_ai::tokens(invocation.attributes, gen_ai::output_tokens))
    metrics.tokens[1].observe(*output);
}

void count_media(RouteMetrics& metrics, model::Side sender, std::uint64_t bytes) {
  metrics.media_messages[model::index(sender)].add();
  metrics.media_bytes[model::index(sender)].add(bytes);
}

void count_beat(RouteMetrics& metrics, model::Side sender) { metrics.beats[model::index(sender)].add(); }

void count_dialect_error(RouteMetrics& metrics, model::DialectError kind, std::uint64_t count) {
  metrics.dialect_errors[static_cast<std::size_t>(kind)].add(count);
}

}  // namespace sockeye::signal
