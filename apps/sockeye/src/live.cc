#include "live.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "log.h"
#include "sockeye/model/metrics.h"

namespace sockeye::app {
namespace {

std::uint64_t unix_now() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

std::vector<live::Recorded> recorder(const std::vector<model::RecordedMessage>& messages, base::WallOffset wall) {
  std::vector<live::Recorded> out;
  out.reserve(messages.size());
  for (const auto& message : messages)
    out.push_back({wall.unix_ns(message.at), message.length, static_cast<std::uint8_t>(message.side),
                   static_cast<std::uint8_t>(message.opcode), message.compressed != 0, message.injected != 0,
                   message.answered != 0});
  return out;
}

template <class T>
void move_to(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::move_iterator(from.begin()), std::move_iterator(from.end()));
}

live::Detail detail(const model::WatchedSession& watched) {
  live::Detail out;
  out.id = watched.id;
  out.recorder = recorder(watched.recorder, watched.wall);
  for (const auto& each : watched.invocations) {
    live::OpenCall call;
    call.number = each.number;
    call.operation = each.operation;
    call.opened_by = static_cast<std::uint8_t>(each.opened_by);
    call.opened_unix_ns = watched.wall.unix_ns(each.opened);
    if (each.first_chunk) call.first_chunk_unix_ns = watched.wall.unix_ns(*each.first_chunk);
    if (each.last_chunk) call.last_chunk_unix_ns = watched.wall.unix_ns(*each.last_chunk);
    call.chunks = each.chunks;
    call.trace_id = base::parse_trace_id(each.trace_id).value_or(base::TraceId{});
    out.calls.push_back(std::move(call));
  }
  return out;
}

std::optional<std::uint64_t> percentile(std::vector<std::uint64_t>& values, double p) {
  if (values.empty()) return std::nullopt;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(values.size() - 1) * p);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// Totals from the counters, the rest from the workers' walks.
std::vector<live::Summary> summaries(const std::vector<model::RouteCounters>& shards,
                                     const std::vector<model::SessionDelta>& workers) {
  std::vector<live::Summary> out;
  for (const auto& shard : shards) {
    auto& to = out.emplace_back();
    to.route = shard.route;
    std::int64_t active = 0, buffered_sessions = 0, buffered_bytes = 0;
    for (const auto* metrics : shard.workers) {
      active += metrics->connections_active.value();
      to.accepted_total += metrics->connections_accepted.value();
      to.rejected_total += metrics->connections_rejected.value();
      to.closed_total += metrics->connections_closed.value();
      for (const auto& by_basis : metrics->reconnects) to.reconnects_total += by_basis.value();
      buffered_sessions += metrics->buffered_sessions.value();
      buffered_bytes += metrics->buffered_bytes.value();
      for (std::size_t side = 0; side < 2; ++side) {
        const auto& messages = metrics->messages[side];
        to.missed_total += metrics->pong_missed[side].value();
        to.messages_total[side] += messages[static_cast<std::size_t>(model::MessageType::text)].value() +
                                   messages[static_cast<std::size_t>(model::MessageType::binary)].value();
        to.bytes_total[side] += metrics->message_bytes[side].value();
      }
    }
    to.active = static_cast<std::uint64_t>(std::max<std::int64_t>(active, 0));
    to.buffered_sessions = static_cast<std::uint64_t>(std::max<std::int64_t>(buffered_sessions, 0));
    to.buffered_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(buffered_bytes, 0));
    std::array<std::vector<std::uint64_t>, 2> rtts;
    for (const auto& worker : workers) {
      for (const auto& route : worker.routes) {
        if (route.route != shard.route) continue;
        to.missing_pongs += route.missing_pongs;
        to.invocations_open += route.invocations_open;
        for (std::size_t i = 0; i < 2; ++i)
          rtts[i].insert(rtts[i].end(), route.rtt_ns[i].begin(), route.rtt_ns[i].end());
      }
    }
    for (std::size_t i = 0; i < 2; ++i) {
      to.rtt_p50_ns[i] = percentile(rtts[i], 0.5);
      to.rtt_p99_ns[i] = percentile(rtts[i], 0.99);
    }
  }
  return out;
}

}  // namespace

LiveSource::LiveSource(model::SessionSource& sessions, live::Hello hello)
    : sessions_(sessions), hello_(std::move(hello)) {
  sessions_.follow(ended_kept);
}

live::Hello LiveSource::hello() {
  std::int64_t open = 0;
  for (const auto& shard : sessions_.metrics())
    for (const auto* metrics : shard.workers) open += metrics->connections_active.value();
  hello_.open_sessions = static_cast<std::uint64_t>(std::max<std::int64_t>(open, 0));
  return hello_;
}

live::Report LiveSource::collect(bool resync, const live::Ask& ask) {
  model::DeltaRequest request;
  request.resync = resync;
  request.watch = ask.watch;
  auto deltas = sessions_.changes(request);
  live::Report report;
  report.time_unix_ns = unix_now();
  report.all_reported = deltas.complete;
  report.summaries = summaries(sessions_.metrics(), deltas.workers);
  std::uint64_t lost = 0;
  for (auto& worker : deltas.workers) {
    move_to(report.opened, worker.opened);
    move_to(report.changed, worker.changed);
    for (auto& each : worker.ended) {
      report.ended.push_back({{each.record.facts.id, std::move(each.record.figures)},
                              std::move(each.record.end).value_or(model::SessionEnd{}),
                              recorder(each.recorder, each.wall)});
      report.opened.push_back(std::move(each.record.facts));
    }
    for (const auto& watched : worker.watched) report.details.push_back(detail(watched));
    lost += worker.ended_lost;
  }
  if (lost > 0)
    log_warning(std::to_string(lost) + " sessions ended that are not reported to the console: at most " +
                std::to_string(ended_kept) + " are kept for it while it is away");
  return report;
}

}  // namespace sockeye::app
