#include <algorithm>
#include <map>
#include <set>

#include "api.h"
#include "clock.h"
#include "coverage.h"
#include "write.h"

namespace sockeye::console {
namespace {

constexpr std::size_t most_steps = 2000;  // of an answer: no chart is wider

template <class Number>
void pair(base::Json& json, std::string_view key, const Number (&values)[2]) {
  json.key(key).open('[');
  for (const auto value : values) {
    if constexpr (std::is_floating_point_v<Number>)
      json.number(static_cast<double>(value));
    else
      json.number(std::uint64_t{value});
  }
  json.close(']');
}

void write_point(base::Json& json, const store::FleetPoint& p) {
  const bool seen = p.covered_ms > 0;  // what is measured is not known of a time nobody saw
  const auto measured = [&](std::string_view key, std::uint64_t value) {
    json.key(key);
    if (seen)
      json.number(value);
    else
      json.null();
  };
  json.open('{');
  time_ms(json, "time_ms", p.time_unix_ns);
  json.key("instance").text(p.instance).key("route").text(p.route);
  measured("active", p.active);
  json.key("opened").number(p.opened).key("ended").number(p.ended).key("reconnects").number(p.reconnects);
  json.key("refused").number(p.refused);
  pair(json, "messages", p.messages);
  pair(json, "bytes", p.bytes);
  json.key("misses").number(p.misses);
  measured("missing_pongs", p.missing_pongs);
  measured("buffered_sessions", p.buffered_sessions);
  measured("buffered_bytes", p.buffered_bytes);
  measured("invocations_open", p.invocations_open);
  pair(json, "rtt_p50_seconds", p.rtt_p50_seconds);
  pair(json, "rtt_p99_seconds", p.rtt_p99_seconds);
  measured("active_min", p.active_min);
  measured("active_max", p.active_max);
  measured("missing_pongs_max", p.missing_pongs_max);
  measured("buffered_bytes_max", p.buffered_bytes_max);
  pair(json, "rtt_max_seconds", p.rtt_max_seconds);
  seconds(json, "covered_seconds", static_cast<double>(p.covered_ms) / 1e3);
  json.close('}');
}

void write_gap(base::Json& json, const Gap& gap) {
  const bool proxy = gap.what == Gap::What::proxy;
  json.open('{');
  time_ms(json, "from_ms", gap.from_unix_ns);
  time_ms(json, "to_ms", gap.to_unix_ns);
  json.key("what").text(proxy ? "proxy" : gap.what == Gap::What::console ? "console" : "before").key("instance");
  if (proxy)
    json.text(gap.instance);
  else
    json.null();
  seconds(json, "missing_seconds", static_cast<double>(gap.to_unix_ns - gap.from_unix_ns) / 1e9);
  json.close('}');
}

}  // namespace

std::uint64_t step_of(Parameters& with, const store::TimeRange& time, std::uint64_t least_s) {
  const auto span_s = (time.to_unix_ns - time.from_unix_ns) / second_ns;
  const std::uint64_t needed = std::max(least_s, (span_s / most_steps + least_s) / least_s * least_s);
  const auto asked = with.integer("step_seconds", 0, 1, 31 * 86400);
  const std::uint64_t rounded = (asked + least_s - 1) / least_s * least_s;
  return std::max(rounded == 0 ? (span_s / 300 + least_s) / least_s * least_s : rounded, needed) * second_ns;
}

store::TimeRange bounded(Parameters& with) {
  auto out = time_range(with);
  const auto now = unix_now_ns();
  out.to_unix_ns = std::min(out.to_unix_ns, now + 60 * second_ns);
  if (out.from_unix_ns == 0) out.from_unix_ns = out.to_unix_ns - 3600 * second_ns;
  out.from_unix_ns = std::min(out.from_unix_ns, out.to_unix_ns);
  return out;
}

Response ask_status(Api& api, std::string_view, Parameters& with) {
  if (auto no = refused(with)) return *std::move(no);
  const auto stats = api.store.stats();
  base::Json json;
  json.open('{').key("version").text(api.options.version);
  time_ms(json, "now_ms", unix_now_ns());
  time_ms(json, "started_ms", api.started_unix_ns);
  json.key("open").boolean(api.options.tokens.empty());
  json.key("store").open('{').key("backend").text(stats.backend).key("spans").number(stats.spans);
  json.key("logs").number(stats.logs).key("sessions").number(stats.sessions).key("bytes").number(stats.bytes);
  time_ms(json, "oldest_ms", stats.oldest_unix_ns);
  json.key("queued_bytes").number(stats.queued_bytes).key("written_spans").number(stats.written_spans);
  json.key("duplicate_spans").number(stats.duplicate_spans).key("refused_batches").number(stats.refused_batches);
  json.key("expired_spans").number(stats.expired_spans).key("trouble").text(stats.trouble).close('}');
  json.key("retention").open('{').key("age_seconds");
  if (api.options.keep_for)
    json.number(std::int64_t{api.options.keep_for->count()});
  else
    json.null();
  json.key("bytes");
  if (api.options.keep_bytes)
    json.number(*api.options.keep_bytes);
  else
    json.null();
  json.close('}').key("receivers").open('{');
  for (const auto& [key, address] :
       {std::pair<std::string_view, const std::string&>{"http", api.otlp_http}, {"grpc", api.otlp_grpc}}) {
    json.key(key);
    if (address.empty())
      json.null();
    else
      json.text(address);
  }
  json.close('}');
  write_proxies(json, api.fleet.proxies(unix_now_ns()));
  json.key("overload");
  if (api.write_overload)
    api.write_overload(json);
  else
    json.null();
  json.close('}');
  return json_response(json.take());
}

Response ask_fleet(Api& api, std::string_view, Parameters& with) {
  store::FleetQuery query;
  query.time = bounded(with);
  query.step_ns = step_of(with, query.time, 10);
  query.route = with.text("route");
  query.instance = with.text("instance");
  if (auto no = refused(with)) return *std::move(no);
  const auto points = api.store.fleet(query, api.deadline());
  if (!points) return store_failed(points.error());
  const auto now = unix_now_ns();
  auto watch = watch_of(api, now, api.deadline());
  if (!watch) return store_failed(watch.error());
  std::set<std::string> routes;
  std::map<std::string, std::pair<std::string, std::string>> instances;
  for (const auto& point : *points) {
    routes.insert(point.route);
    instances.try_emplace(point.instance);
  }
  for (const auto& each : watch->presences)
    if (const auto found = instances.find(each.instance); found != instances.end() && !each.instance.empty())
      found->second = {each.service, each.host};
  for (const auto& proxy : api.fleet.proxies(now))
    instances[proxy.hello.instance] = {proxy.hello.service, proxy.hello.host};
  base::Json json;
  json.open('{').key("step_seconds").number(query.step_ns / second_ns).key("routes").open('[');
  for (const auto& route : routes) json.text(route);
  json.close(']').key("instances").open('[');
  for (const auto& [instance, names] : instances) {
    json.open('{').key("instance").text(instance).key("service").text(names.first).key("host").text(names.second);
    json.close('}');
  }
  json.close(']').key("points").open('[');
  for (const auto& point : *points) write_point(json, point);
  json.close(']').key("coverage").open('[');
  for (const auto& gap : gaps(*std::move(watch), query.time, now, Fleet::patience_ns))
    if (query.instance.empty() || gap.instance.empty() || gap.instance == query.instance) write_gap(json, gap);
  json.close(']').close('}');
  return json_response(json.take());
}

Response ask_closes(Api& api, std::string_view, Parameters& with) {
  store::ClosesQuery query;
  query.time = bounded(with);
  query.step_ns = step_of(with, query.time, 10);
  query.route = with.text("route");
  query.instance = with.text("instance");
  if (auto no = refused(with)) return *std::move(no);
  const auto closes = api.store.closes(query, api.deadline());
  if (!closes) return store_failed(closes.error());
  base::Json json;
  json.open('{').key("step_seconds").number(query.step_ns / second_ns).key("closes").open('[');
  for (const auto& each : *closes) {
    json.open('{');
    time_ms(json, "time_ms", each.time_unix_ns);
    json.key("route").text(each.route).key("end_reason").text(each.end_reason).key("initiator").text(each.initiator);
    json.key("code").number(std::uint64_t{each.code}).key("count").number(each.count);
    json.key("abnormal").boolean(!each.abnormal.empty()).key("abnormal_why").text(each.abnormal).close('}');
  }
  json.close(']').close('}');
  return json_response(json.take());
}

}  // namespace sockeye::console
