#include "placing.h"

#include <chrono>

#include "sockeye/signal/propagation.h"
#include "sockeye/signal/sampling.h"

namespace sockeye::observer {
namespace {

constexpr std::uint64_t auto_invocations = 1000;  // what one trace holds under trace.scope: auto
constexpr base::Duration auto_age = std::chrono::minutes(5);

bool keeps(const model::Invocation& invocation, const SamplingOptions& sampling) {
  if (sampling.keep_errors && invocation.status == model::InvocationStatus::error) return true;
  if (sampling.keep_stuck && invocation.status == model::InvocationStatus::incomplete) return true;
  return sampling.keep_slow > base::Duration::zero() && invocation.ended - invocation.opened >= sampling.keep_slow;
}

}  // namespace

void place(model::Invocation& invocation, std::uint64_t nth, base::Time begun, const Opening& opening,
           const Call& call) {
  const Options& options = *opening.options;
  base::Random& random = call.workspace.random;
  invocation.span_id = base::make_span_id(random);
  const signal::SamplingPolicy policy{.ratio = options.sampling.ratio, .parent_based = options.sampling.parent_based};
  if (!invocation.traceparent.empty()) {
    if (const auto context = signal::parse_traceparent(invocation.traceparent)) {
      invocation.trace_id = context->trace_id;
      invocation.parent_span_id = context->span_id;
      invocation.parent_is_remote = true;
      const bool sampled = signal::sample(policy, context->trace_id, context->sampled());
      invocation.trace_flags = static_cast<std::uint8_t>((context->flags & ~1U) | (sampled ? 1U : 0U));
      invocation.tracestate = signal::parse_tracestate(invocation.tracestate).value_or("");
      return;
    }
    call.metrics.anomalies[static_cast<std::size_t>(model::Anomaly::trace_context_invalid)].add();
  }
  invocation.tracestate.clear();
  if (!invocation.parent_span_id.is_zero()) return;  // it serves another: same trace, same decision
  const TraceScope scope = options.scope;
  const bool small = nth <= auto_invocations && invocation.opened - begun <= auto_age;
  if (scope == TraceScope::connection || (scope == TraceScope::automatic && small)) {
    invocation.trace_id = opening.trace_id;
    invocation.parent_span_id = opening.connection_span;
    invocation.trace_flags = opening.trace_flags;
    return;
  }
  invocation.trace_id = base::make_trace_id(random);
  invocation.trace_flags = signal::sample(policy, invocation.trace_id, opening.asked) ? 1 : 0;
}

bool may_export(const model::Invocation& invocation, const SamplingOptions& sampling, const Call& call) {
  return call.workspace.spans != nullptr && ((invocation.trace_flags & 1U) != 0 || sampling.keep_errors ||
                                             sampling.keep_stuck || sampling.keep_slow > base::Duration::zero());
}

bool exports(const model::Invocation& invocation, const SamplingOptions& sampling, const Call& call) {
  return call.workspace.spans != nullptr && ((invocation.trace_flags & 1U) != 0 || keeps(invocation, sampling));
}

}  // namespace sockeye::observer
