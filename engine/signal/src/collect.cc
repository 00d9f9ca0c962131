// One function a family, in the order of docs/signals.md. Shards are summed bucket by bucket; a scrape that runs beside
// the writers may see one shard a few events ahead of another, which is all a scrape ever promises.
#include "sockeye/signal/collect.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <type_traits>

#include "sockeye/model/names.h"
#include "sockeye/signal/redact.h"

namespace sockeye::signal {
namespace {

using model::MetricFamily;
using model::MetricSample;
using model::MetricType;
using model::RouteMetrics;

struct Route {
  std::string_view name;
  std::vector<const RouteMetrics*> shards;
};
using Routes = std::vector<Route>;
using Labels = std::vector<std::pair<std::string_view, std::string>>;

constexpr std::array<std::string_view, 2> directions{"c2s", "s2c"};                          // by sender
constexpr std::array<std::string_view, 2> legs{"client", "upstream"};                        // by model::Side
constexpr std::array<std::string_view, 5> types{"text", "binary", "ping", "pong", "close"};  // by model::MessageType
static_assert(types.size() == static_cast<std::size_t>(model::MessageType::count_));

Labels route_label(const Route& route) { return {{"route", std::string(route.name)}}; }
Labels with(const Route& route, std::string_view key, std::string_view value) {
  return {{"route", std::string(route.name)}, {key, std::string(value)}};
}

// `read` takes one shard to a number.
template <class Read>
double sum(const Route& route, Read read) {
  double total = 0;
  for (const auto* shard : route.shards) total += static_cast<double>(read(*shard));
  return total;
}

void add(MetricFamily& family, Labels labels, double value) {
  MetricSample sample;
  sample.labels = std::move(labels);
  sample.value = value;
  family.samples.push_back(std::move(sample));
}

// The newest of each bucket. Read before its count: what it shows is then counted, because it was first.
void add_exemplars(model::HistogramValue& out, const model::ExemplarHistogram& histogram) {
  out.exemplars.resize(model::ExemplarHistogram::buckets);
  for (std::size_t i = 0; i < out.exemplars.size(); ++i) {
    const auto exemplar = histogram.exemplar(i);
    auto& newest = out.exemplars[i];
    if (exemplar && (!newest || newest->unix_ns < exemplar->unix_ns)) newest = exemplar;
  }
}

// `pick` takes one of `parts` (shards of a route, rows of an operation) to one histogram of type H.
template <class H, class Part, class Pick>
void add_histogram(MetricFamily& family, Labels labels, const std::vector<const Part*>& parts, Pick pick) {
  MetricSample sample;
  sample.labels = std::move(labels);
  auto& out = sample.histogram;
  for (std::size_t i = 0; i + 1 < H::buckets; ++i) out.bounds.push_back(H::bound(i));
  out.counts.assign(H::buckets, 0);
  for (const Part* part : parts) {
    const H& histogram = pick(*part);
    if constexpr (std::is_same_v<H, model::ExemplarHistogram>) add_exemplars(out, histogram);
    for (std::size_t i = 0; i < H::buckets; ++i) out.counts[i] += histogram.count(i);
    out.sum += histogram.sum();
  }
  family.samples.push_back(std::move(sample));
}

class Collector {
 public:
  explicit Collector(const Routes& routes) : routes_(routes) {}

  template <class Read>
  void plain(MetricType type, std::string_view name, std::string_view unit, std::string_view help, Read read) {
    auto& family = begin(type, name, unit, help);
    for (const auto& route : routes_) add(family, route_label(route), sum(route, read));
  }

  // One sample for each value of a label; `read` takes a shard and the value's index.
  template <std::size_t N, class Read>
  void by(MetricType type, std::string_view name, std::string_view unit, std::string_view help, std::string_view label,
          const std::array<std::string_view, N>& values, Read read) {
    auto& family = begin(type, name, unit, help);
    for (const auto& route : routes_)
      for (std::size_t i = 0; i < N; ++i)
        add(family, with(route, label, values[i]), sum(route, [&](const RouteMetrics& m) { return read(m, i); }));
  }

  template <class H, class Pick>
  void histogram(std::string_view name, std::string_view unit, std::string_view help, Pick pick) {
    auto& family = begin(MetricType::histogram, name, unit, help);
    for (const auto& route : routes_) add_histogram<H>(family, route_label(route), route.shards, pick);
  }

  template <class H, std::size_t N, class Pick>
  void histogram_by(std::string_view name, std::string_view unit, std::string_view help, std::string_view label,
                    const std::array<std::string_view, N>& values, Pick pick) {
    auto& family = begin(MetricType::histogram, name, unit, help);
    for (const auto& route : routes_)
      for (std::size_t i = 0; i < N; ++i)
        add_histogram<H>(family, with(route, label, values[i]), route.shards,
                         [&](const RouteMetrics& m) -> const H& { return pick(m, i); });
  }

  MetricFamily& begin(MetricType type, std::string_view name, std::string_view unit, std::string_view help) {
    families_.push_back({name, help, unit, type, {}});
    return families_.back();
  }
  std::vector<MetricFamily> take() { return std::move(families_); }

 private:
  const Routes& routes_;
  std::vector<MetricFamily> families_;
};

// model::RouteMetrics::count_close packs code, initiator and reason into the key; bit 7 marks it used.
void collect_closes(MetricFamily& family, const Routes& routes) {
  for (const auto& route : routes) {
    std::map<std::uint32_t, std::uint64_t> rows;
    std::uint64_t other = 0;
    for (const auto* shard : route.shards) {
      for (const auto& row : shard->closes)
        if (const auto key = row.key.load(std::memory_order_acquire); key != 0) rows[key] += row.count.value();
      other += shard->closes_other.value();
    }
    const auto labels = [&](std::string code, std::string_view initiator, std::string_view reason) {
      return Labels{{"route", std::string(route.name)},
                    {"code", std::move(code)},
                    {"initiator", std::string(initiator)},
                    {"reason", std::string(reason)}};
    };
    for (const auto& [key, count] : rows)
      add(family,
          labels(std::to_string(key >> 16U), model::name(static_cast<model::Initiator>(key >> 8U & 0xffU)),
                 model::name(static_cast<model::EndReason>(key & 0x7fU))),
          static_cast<double>(count));
    if (other > 0) add(family, labels("other", "other", "other"), static_cast<double>(other));
  }
}

// The rows of each operation of each route, over its workers, by the name that is its label.
using Operations = std::vector<std::map<std::string, std::vector<const model::OperationRow*>>>;

Operations find_operations(const Routes& routes) {
  using Table = model::OperationTable;
  Operations all;
  for (const auto& route : routes) {
    auto& operations = all.emplace_back();
    // Worker by worker of one row before the next row: over the bound, the names that were first anywhere stay.
    for (std::size_t index = 0; index < Table::rows; ++index) {
      for (const auto* shard : route.shards) {
        const model::OperationRow* const row = shard->operations.find(index);
        if (row == nullptr) continue;
        std::string name = printable(row->name);  // two that print alike are one series
        const bool room = operations.size() - operations.count(std::string(Table::other_name)) < Table::names;
        if (index == Table::other || (!room && !operations.contains(name))) name = Table::other_name;
        operations[std::move(name)].push_back(row);
      }
    }
  }
  return all;
}

template <class Read>
void each_operation(const Routes& routes, const Operations& operations, Read read) {
  for (std::size_t i = 0; i < routes.size(); ++i)
    for (const auto& [name, rows] : operations[i]) read(with(routes[i], "operation", name), rows);
}

void collect_invocations(Collector& out, const Routes& routes) {
  using enum MetricType;
  using Row = model::OperationRow;
  const Operations operations = find_operations(routes);

  auto& ended =
      out.begin(counter, model::metric::websocket_invocations_total, "", "Invocations ended, by operation and status.");
  each_operation(routes, operations, [&](const Labels& labels, const std::vector<const Row*>& rows) {
    for (std::size_t status = 0; status < std::tuple_size_v<decltype(Row::ended)>; ++status) {
      Labels all = labels;
      all.emplace_back("status", model::name(static_cast<model::InvocationStatus>(status)));
      double total = 0;
      for (const Row* row : rows) total += static_cast<double>(row->ended[status].value());
      add(ended, std::move(all), total);
    }
  });

  auto& active = out.begin(gauge, model::metric::websocket_invocations_active, "", "Invocations open now.");
  for (std::size_t i = 0; i < routes.size(); ++i) {
    double total = 0;
    for (const auto& [name, rows] : operations[i])
      for (const Row* row : rows) total += static_cast<double>(row->active.value());
    add(active, route_label(routes[i]), total);
  }

  const auto durations = [&]<class H>(std::string_view name, std::string_view help, H Row::*which) {
    auto& family = out.begin(histogram, name, "seconds", help);
    each_operation(routes, operations, [&](const Labels& labels, const std::vector<const Row*>& rows) {
      add_histogram<H>(family, labels, rows, [which](const Row& row) -> const H& { return row.*which; });
    });
  };
  durations(model::metric::websocket_invocation_duration_seconds,
            "From the opening message of an invocation to its end.", &Row::duration);
  durations(model::metric::websocket_time_to_first_chunk_seconds,
            "From the opening message to the first chunk of the reply.", &Row::time_to_first_chunk);
  durations(model::metric::websocket_time_to_last_chunk_seconds,
            "From the opening message to the last chunk of a whole reply.", &Row::time_to_last_chunk);
  durations(model::metric::websocket_chunk_interval_seconds, "Between two chunks of a reply.", &Row::chunk_interval);
}

void collect_dialect(Collector& out) {
  using enum MetricType;
  static const auto kinds = [] {
    std::array<std::string_view, static_cast<std::size_t>(model::DialectError::count_)> names;
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = model::name(static_cast<model::DialectError>(i));
    return names;
  }();
  static constexpr std::array<std::string_view, 2> token_types{"input", "output"};
  out.by(counter, model::metric::websocket_media_messages_total, "", "Messages of data that has no reply, by sender.",
         "direction", directions, [](const RouteMetrics& m, std::size_t i) { return m.media_messages[i].value(); });
  out.by(counter, model::metric::websocket_media_bytes_total, "bytes",
         "Payload bytes of such messages as on the wire, by sender.", "direction", directions,
         [](const RouteMetrics& m, std::size_t i) { return m.media_bytes[i].value(); });
  out.by(counter, model::metric::websocket_application_heartbeats_total, "",
         "Heartbeats of the application protocol, by sender.", "direction", directions,
         [](const RouteMetrics& m, std::size_t i) { return m.beats[i].value(); });
  out.by(counter, model::metric::sockeye_dialect_errors_total, "", "Messages that their dialect did not expect.",
         "kind", kinds, [](const RouteMetrics& m, std::size_t i) { return m.dialect_errors[i].value(); });
  out.histogram_by<model::TokenHistogram>(
      model::metric::gen_ai_client_token_usage, "", "Tokens of an invocation, by type.", "gen_ai_token_type",
      token_types, [](const RouteMetrics& m, std::size_t i) -> const auto& { return m.tokens[i]; });
}

// Routes of one name share their samples: a label set must not appear twice.
Routes merge(std::span<const model::RouteCounters> counters) {
  Routes routes;
  for (const auto& one : counters) {
    auto at = std::find_if(routes.begin(), routes.end(), [&](const Route& r) { return r.name == one.route; });
    if (at == routes.end()) at = routes.insert(routes.end(), Route{one.route, {}});
    at->shards.insert(at->shards.end(), one.workers.begin(), one.workers.end());
  }
  return routes;
}

}  // namespace

std::vector<MetricFamily> collect(std::span<const model::RouteCounters> counters) {
  using enum MetricType;
  const Routes routes = merge(counters);
  Collector out(routes);

  out.plain(gauge, model::metric::websocket_connections_active, "", "Sessions open now.",
            [](const RouteMetrics& m) { return m.connections_active.value(); });
  static constexpr std::array<std::string_view, 3> results{"accept", "reject", "close"};
  out.by(counter, model::metric::websocket_connections_total, "",
         "Upgrades accepted and rejected, and sessions closed.", "result", results,
         [](const RouteMetrics& m, std::size_t i) {
           return (i == 0 ? m.connections_accepted : i == 1 ? m.connections_rejected : m.connections_closed).value();
         });
  out.histogram<model::DurationHistogram>(
      model::metric::websocket_message_duration_seconds, "seconds",
      "From a complete request message to the last byte of its reply.",
      [](const RouteMetrics& m) -> const auto& { return m.message_duration; });
  out.histogram<model::DurationHistogram>(
      model::metric::websocket_handshake_duration_seconds, "seconds",
      "From the request's first byte to the 101 or the refusal.",
      [](const RouteMetrics& m) -> const auto& { return m.handshake_duration; });
  out.plain(gauge, model::metric::websocket_buffered_amount_bytes, "bytes",
            "Bytes received and not yet acknowledged by the other peer: queued here and unsent in the kernel, sampled.",
            [](const RouteMetrics& m) { return m.buffered_bytes.value(); });
  out.by(counter, model::metric::websocket_pong_missed_total, "", "Pongs to our pings that did not come in time.",
         "leg", legs, [](const RouteMetrics& m, std::size_t i) { return m.pong_missed[i].value(); });
  out.by(counter, model::metric::websocket_pong_late_total, "",
         "Missed pongs of peers that sent something else meanwhile.", "leg", legs,
         [](const RouteMetrics& m, std::size_t i) { return m.pong_late[i].value(); });
  out.by(counter, model::metric::websocket_heartbeat_timeouts_total, "",
         "Peers that were silent for as many pings as allowed.", "leg", legs,
         [](const RouteMetrics& m, std::size_t i) { return m.heartbeat_timeouts[i].value(); });

  auto& messages = out.begin(counter, model::metric::websocket_messages_total, "", "Messages, by sender and type.");
  for (const auto& route : routes)
    for (std::size_t side = 0; side < 2; ++side)
      for (std::size_t type = 0; type < types.size(); ++type)
        add(messages,
            {{"route", std::string(route.name)},
             {"direction", std::string(directions[side])},
             {"type", std::string(types[type])}},
            sum(route, [&](const RouteMetrics& m) { return m.messages[side][type].value(); }));
  out.by(counter, model::metric::websocket_message_bytes_total, "bytes",
         "Payload bytes of data messages as on the wire, by sender.", "direction", directions,
         [](const RouteMetrics& m, std::size_t i) { return m.message_bytes[i].value(); });
  out.histogram_by<model::SizeHistogram>(
      model::metric::websocket_message_size_bytes, "bytes", "Payload size of data messages as on the wire, by sender.",
      "direction", directions, [](const RouteMetrics& m, std::size_t i) -> const auto& { return m.message_size[i]; });
  collect_closes(out.begin(counter, model::metric::websocket_closes_total, "",
                           "Sessions ended, by Close code, who ended them and why."),
                 routes);
  static const auto bases = [] {
    std::array<std::string_view, static_cast<std::size_t>(model::ReconnectBasis::count_)> names;
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = model::name(static_cast<model::ReconnectBasis>(i));
    return names;
  }();
  out.by(counter, model::metric::websocket_reconnects_total, "",
         "Sessions recognised as the continuation of an ended one, by what.", "basis", bases,
         [](const RouteMetrics& m, std::size_t i) { return m.reconnects[i].value(); });
  out.histogram_by<model::DurationHistogram>(
      model::metric::websocket_ping_rtt_seconds, "seconds", "Round trip of our pings.", "leg", legs,
      [](const RouteMetrics& m, std::size_t i) -> const auto& { return m.ping_rtt[i]; });
  out.histogram<model::LongDurationHistogram>(
      model::metric::websocket_session_duration_seconds, "seconds", "From the 101 to the end of both legs.",
      [](const RouteMetrics& m) -> const auto& { return m.session_duration; });
  out.plain(gauge, model::metric::websocket_buffered_sessions, "", "Sessions with buffered bytes at the last sample.",
            [](const RouteMetrics& m) { return m.buffered_sessions.value(); });

  static const auto kinds = [] {
    std::array<std::string_view, static_cast<std::size_t>(model::Anomaly::count_) - 1> names;
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = model::name(static_cast<model::Anomaly>(i + 1));
    return names;
  }();
  out.by(counter, model::metric::websocket_anomalies_total, "", "What peers did wrong.", "kind", kinds,
         [](const RouteMetrics& m, std::size_t i) { return m.anomalies[i + 1].value(); });
  out.plain(counter, model::metric::sockeye_http_requests_total, "", "Plain HTTP requests relayed beside the upgrades.",
            [](const RouteMetrics& m) { return m.http_requests.value(); });
  collect_invocations(out, routes);
  collect_dialect(out);
  return out.take();
}

}  // namespace sockeye::signal
