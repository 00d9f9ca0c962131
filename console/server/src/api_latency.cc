#include <algorithm>
#include <array>

#include "api.h"
#include "clock.h"
#include "write.h"

namespace sockeye::console {
namespace {

constexpr std::array<std::string_view, 3> rolled_up = {"duration", "first_chunk", "last_chunk"};

double in_seconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e9; }

void read_sort(Parameters& with, store::OperationsQuery& query) {
  using Sort = store::OperationsQuery::Sort;
  const auto word = with.word(
      "sort", {"count", "errors", "error_rate", "cancelled", "operation", "service", "duration_p50", "duration_p95",
               "duration_p99", "duration_max", "first_chunk_p50", "first_chunk_p95", "first_chunk_p99",
               "first_chunk_max", "last_chunk_p50", "last_chunk_p95", "last_chunk_p99", "last_chunk_max"});
  constexpr std::array sorts = {Sort::count,     Sort::errors,    Sort::error_rate,
                                Sort::cancelled, Sort::operation, Sort::service};
  query.sort = word.value_or(0) < sorts.size() ? sorts[word.value_or(0)] : Sort::percentile;
  if (query.sort == Sort::percentile) {
    constexpr std::array quantiles = {0.5, 0.95, 0.99, 1.0};
    const std::size_t place = *word - sorts.size();
    query.sort_measure = static_cast<store::Measure>(place / quantiles.size());
    query.sort_quantile = quantiles[place % quantiles.size()];
  }
  query.ascending = with.word("order", {"desc", "asc"}).value_or(0) == 1;
}

void write_percentiles(base::Json& json, std::string_view key, const store::Sketch& sketch) {
  json.key(key).open('{').key("count").number(sketch.count());
  const auto figure = [&](std::string_view name, std::uint64_t ns) {
    json.key(name);
    if (sketch.count() == 0)
      json.null();
    else
      json.number(in_seconds(ns));
  };
  figure("p50_seconds", sketch.percentile(0.5));
  figure("p95_seconds", sketch.percentile(0.95));
  figure("p99_seconds", sketch.percentile(0.99));
  figure("min_seconds", sketch.min());
  figure("max_seconds", sketch.max());
  json.key("relative_error").number(sketch.error()).close('}');
}

// [low, high) as /api/v1/spans takes them, and how many are in it.
void write_histogram(base::Json& json, const store::Sketch& sketch) {
  json.key("histogram").open('[');
  sketch.each([&](std::size_t bucket, std::uint32_t count) {
    json.open('[').number(in_seconds(store::bucket_low(bucket)));
    json.number(std::min(longest_seconds, in_seconds(store::bucket_high(bucket))));
    json.number(std::uint64_t{count}).close(']');
  });
  json.close(']');
}

}  // namespace

Response ask_latency(Api& api, std::string_view, Parameters& with) {
  store::OperationsQuery query;
  query.time = bounded(with);
  query.service = with.text("service");
  query.operation = with.text("operation");
  query.search = with.text("search");
  read_sort(with, query);
  query.limit = with.integer("limit", 200, 1, 1000);
  query.cursor = with.text("cursor");
  if (with.integer("step_seconds", 0, 0, 31 * 86400) > 0) query.step_ns = step_of(with, query.time, 60);
  const auto measure = with.word("histogram", {"duration", "first_chunk", "last_chunk"});
  if (auto no = refused(with)) return *std::move(no);
  const auto page = api.store.latency(query, api.deadline());
  if (!page) return store_failed(page.error());
  const std::uint64_t known_until = std::min(query.time.to_unix_ns, unix_now_ns());
  base::Json json;
  json.open('{').key("step_seconds").number(query.step_ns / 1'000'000'000).key("rows").open('[');
  for (const auto& row : page->points) {
    const auto& s = row.stats;
    const std::uint64_t end = query.step_ns == 0 ? query.time.to_unix_ns : row.time_unix_ns + query.step_ns;
    json.open('{');
    time_ms(json, "time_ms", row.time_unix_ns);
    time_ms(json, "from_ms", std::max(row.time_unix_ns, query.time.from_unix_ns));
    time_ms(json, "to_ms", std::min(end, query.time.to_unix_ns));
    json.key("partial").boolean(row.time_unix_ns < query.time.from_unix_ns || end > known_until);
    json.key("service").text(s.key.service).key("operation").text(s.key.operation).key("count").number(s.count);
    json.key("errors").number(s.errors).key("cancelled").number(s.cancelled);
    for (std::size_t i = 0; i < rolled_up.size(); ++i) write_percentiles(json, rolled_up[i], s.latency[i]);
    if (measure) write_histogram(json, s.latency[*measure]);
    json.close('}');
  }
  json.close(']').key("total").number(page->total).key("totals").open('{').key("count").number(page->count);
  json.key("errors").number(page->errors).key("cancelled").number(page->cancelled).close('}');
  json.key("cursor").text(page->cursor).key("complete").boolean(page->complete).close('}');
  return json_response(json.take());
}

}  // namespace sockeye::console
