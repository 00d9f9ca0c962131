#include "invocation_signals.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "bench.h"
#include "placing.h"
#include "sockeye/model/names.h"
#include "sockeye/signal/invocation_metrics.h"
#include "sockeye/signal/link.h"
#include "sockeye/signal/propagation.h"
#include "sockeye/signal/redact.h"

namespace sockeye::observer {

using base::Time;
using model::Invocation;
using model::Side;

namespace {

using namespace std::chrono_literals;

constexpr base::Duration burst_gap = 5s;      // silence that ends a burst of media
constexpr base::Duration report_after = 30s;  // an invocation open for this long is reported while it is open
constexpr std::size_t most_events = 32;

}  // namespace

signal::SessionAttributes InvocationSignals::span_attributes() const {
  signal::SessionAttributes attributes = opening_.span_attributes();
  attributes.dialect = dialect_;
  return attributes;
}

// --- invocations -------------------------------------------------------------------------------------------------

void InvocationSignals::opened(Invocation& invocation) {
  call_.workspace.turn.spend(Turn::signal);
  ++state_.invocations;
  invocation.message = state_.messages[model::index(invocation.opened_by)];
  place(invocation, state_.invocations, state_.begun, opening_, call_);
  invocation.times_kept = may_export(invocation, opening_.options->sampling, call_);
  signal::count_opened(call_.metrics, invocation);
  if (context_) {
    Bench& bench = *call_.workspace.bench;
    bench.traceparent = signal::to_traceparent(invocation.trace_id, invocation.span_id, invocation.trace_flags);
    // The caller's, or, in the connection's trace, that of the handshake.
    bench.tracestate = !invocation.tracestate.empty() || invocation.trace_id != opening_.trace_id
                           ? std::string_view(invocation.tracestate)
                           : opening_.texts[SessionTexts::trace_state];
  }
  if (call_.workspace.spans != nullptr)
    state_.next_report = std::min(state_.next_report, invocation.opened + report_after);
}

void InvocationSignals::chunk(const Invocation& invocation, std::optional<base::Duration> since_last) {
  signal::count_chunk(call_.metrics, invocation, since_last);
}

void InvocationSignals::ended(Invocation&& invocation) {
  call_.workspace.turn.spend(Turn::signal);
  const Options& options = *opening_.options;
  const bool exported = exports(invocation, options.sampling, call_);
  invocation.trace_flags |= exported ? 1 : 0;
  signal::count_ended(call_.metrics, invocation, exported, call_.workspace.wall);
  if (invocation.end == model::InvocationEnd::reply)
    call_.metrics.message_duration.observe(invocation.ended - invocation.opened);
  if (listener_ != nullptr) listener_->invocation(invocation);
  if (!exported) return;
  const auto link = [&](const base::SpanId& named) {
    return signal::hop_link(opening_.trace_id, named, invocation.opened_by, invocation.message);
  };
  signal::Belonging belonging{.connection_trace = opening_.trace_id,
                              .connection_span = opening_.connection_span,
                              .session = &state_.attributes};
  if (!opening_.remote_span.is_zero()) belonging.link_client = link(opening_.remote_span);
  if (opening_.named_upstream) belonging.link_server = link(opening_.handshake_span);
  call_.workspace.spans->offer(signal::invocation_span(span_attributes(), invocation, invocation.tracestate, belonging,
                                                       {.gen_ai = options.gen_ai, .seed_names = options.seed_names},
                                                       call_.workspace.wall));
}

// After 30 s, 1 min, 2 min, 4 min …: often enough to be seen, too rare to be a load.
void InvocationSignals::report_open(dialect::Session& session) {
  state_.next_report = base::never;
  session.for_each_open(
      [](void* context, Invocation& invocation) {
        auto& self = *static_cast<InvocationSignals*>(context);
        const Call& call = self.call_;
        const auto due = [&] {
          return invocation.opened + report_after * (std::int64_t{1} << std::min<unsigned>(invocation.reports, 20));
        };
        if (call.now >= due()) {
          if ((invocation.trace_flags & 1U) != 0)
            call.workspace.spans->offer(signal::interim_span(
                self.span_attributes(), invocation, base::make_span_id(call.workspace.random), invocation.reports,
                {.gen_ai = self.opening_.options->gen_ai}, call.now, call.workspace.wall));
          while (call.now >= due() && invocation.reports < 20) ++invocation.reports;
        }
        self.state_.next_report = std::min<Time>(self.state_.next_report, due());
      },
      this);
}

// --- media -------------------------------------------------------------------------------------------------------

void InvocationSignals::media(Side from, std::string_view name, std::uint64_t bytes, Time now) {
  signal::count_media(call_.metrics, from, bytes);
  InvocationState::Burst& burst = state_.bursts[model::index(from)];
  if (burst.running && (burst.transfer.name != name || now - burst.transfer.end > burst_gap)) end_burst(burst);
  if (!burst.running) {
    burst = {.transfer = {.from = from, .name = name, .begin = now, .end = now}, .running = true};
    state_.burst_check = std::min(state_.burst_check, now + burst_gap);
  }
  signal::Transfer& t = burst.transfer;
  t.longest_interval = std::max(t.longest_interval, now - t.end);
  t.end = now;
  ++t.messages;
  t.bytes += bytes;
}

void InvocationSignals::end_burst(InvocationState::Burst& burst) {
  burst.running = false;
  if (!opening_.traced(call_)) return;
  signal::TracePlace place = opening_.connection_place();
  place.parent_id = place.span_id;
  place.span_id = base::make_span_id(call_.workspace.random);
  call_.workspace.spans->offer(signal::transfer_span(span_attributes(), place, burst.transfer, call_.workspace.wall));
}

// --- of the session ----------------------------------------------------------------------------------------------

void InvocationSignals::beat(Side from, std::string_view, std::optional<base::Duration> rtt, Time now) {
  signal::count_beat(call_.metrics, from);
  if (rtt) state_.beat_rtt = rtt;
  state_.last_beat = now;
}

void InvocationSignals::session_attribute(std::string_view key, const model::AttributeValue& value) {
  for (auto& [name, kept] : state_.attributes)
    if (name == key) return void(kept = value);
  if (state_.attributes.size() < Invocation::max_attributes) state_.attributes.emplace_back(key, value);
}

void InvocationSignals::remember_event(std::string_view what, std::string_view type, Time at) {
  if (state_.events.size() == most_events || !opening_.traced(call_)) return;
  model::SpanEvent event{.name = what, .time_unix_ns = call_.workspace.wall.unix_ns(at), .attributes = {}};
  if (!type.empty()) event.attributes.emplace_back(model::attribute::error_type, std::string(type));
  state_.events.push_back(std::move(event));
}

void InvocationSignals::event(std::string_view name, Side, Time at) { remember_event(name, {}, at); }
void InvocationSignals::error(Side, std::string_view type, Time at) { remember_event("error", type, at); }

void InvocationSignals::dialect_error(dialect::DialectError kind, Side, std::uint64_t count, Time) {
  // What answers nothing that was seen may answer what was not.
  if (state_.holes && (kind == dialect::DialectError::orphan || kind == dialect::DialectError::gap)) return;
  signal::count_dialect_error(call_.metrics, kind, count);
}

// --- time --------------------------------------------------------------------------------------------------------

void InvocationSignals::tick(dialect::Session* session) {
  const Time now = call_.now;
  if (now >= state_.burst_check) {
    state_.burst_check = base::never;
    for (InvocationState::Burst& burst : state_.bursts) {
      if (burst.running && now - burst.transfer.end >= burst_gap) end_burst(burst);
      if (burst.running) state_.burst_check = std::min(state_.burst_check, burst.transfer.end + burst_gap);
    }
  }
  if (now < state_.next_report) return;
  if (session != nullptr)
    report_open(*session);
  else
    state_.next_report = base::never;
}

void InvocationSignals::finish() {
  for (InvocationState::Burst& burst : state_.bursts)
    if (burst.running) end_burst(burst);
}

void InvocationSignals::describe(model::Span& connection, std::string_view basis) {
  for (auto& [key, value] : state_.attributes) {
    if (auto* const text = std::get_if<std::string>(&value)) *text = signal::printable(*text);
    connection.attributes.emplace_back(key, std::move(value));
  }
  signal::add_interpretation(connection,
                             {.basis = basis, .application_rtt = state_.beat_rtt, .invocations = state_.invocations});
  connection.events = std::move(state_.events);
}

}  // namespace sockeye::observer
