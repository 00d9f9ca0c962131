// Hour rows where whole hours are asked for, minute rows at the edges and for finer steps. A first pass reads counts
// only and chooses the operations; the second decodes histograms of those alone.
#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "ask.h"
#include "rollup.h"

namespace sockeye::sqlite::ask {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::size_t most_points = 50'000;  // 2 KB each

struct Part {
  std::int64_t width, from, to;  // seconds, `to` exclusive
};

// The range, rounded out to minutes, as runs of rows.
std::vector<Part> parts_of(std::int64_t from, std::int64_t to, bool hours) {
  if (!hours) return {{minute, from, to}};
  const std::int64_t first_hour = (from + hour - 1) / hour * hour, last_hour = to / hour * hour;
  if (first_hour >= last_hour) return {{minute, from, to}};
  std::vector<Part> out;
  if (from < first_hour) out.push_back({minute, from, first_hour});
  out.push_back({hour, first_hour, last_hour});
  if (last_hour < to) out.push_back({minute, last_hour, to});
  return out;
}

std::uint64_t clamp_sum(std::uint64_t a, std::uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

}  // namespace

base::Result<std::vector<store::OperationPoint>> latency(Database& db, const store::OperationsQuery& query) {
  if (query.step_ns % (static_cast<std::uint64_t>(minute) * second_ns) != 0)
    return base::fail("the step of latencies is a multiple of a minute");
  const std::uint64_t until =
      std::min<std::uint64_t>(query.time.to_unix_ns, UINT64_MAX - static_cast<std::uint64_t>(minute) * second_ns);
  const auto from = static_cast<std::int64_t>(query.time.from_unix_ns / second_ns) / minute * minute;
  const auto to = static_cast<std::int64_t>((until + minute * second_ns - 1) / (minute * second_ns)) * minute;
  const auto step = static_cast<std::int64_t>(query.step_ns / second_ns);
  const auto parts = parts_of(from, to, step % hour == 0);

  std::unordered_map<std::int64_t, std::uint64_t> spans;  // by operation
  std::unordered_set<std::int64_t> steps;
  for (const Part& part : parts) {
    Query rows(db, "SELECT operation, spans, time FROM rollup WHERE width = ?1 AND time >= ?2 AND time < ?3",
               part.width, part.from, part.to);
    while (rows.next()) {
      auto& count = spans[rows.integer(0)];
      count = clamp_sum(count, rows.number(1));
      if (step != 0 && steps.size() <= most_points) steps.insert(rows.integer(2) / step);
    }
  }
  struct Chosen {
    std::int64_t id;
    std::uint64_t spans;
    store::OperationKey key;
  };
  std::vector<Chosen> chosen;
  chosen.reserve(spans.size());
  for (const auto& [id, count] : spans) chosen.push_back({id, count, {}});
  std::sort(chosen.begin(), chosen.end(),
            [](const Chosen& a, const Chosen& b) { return a.spans != b.spans ? a.spans > b.spans : a.id < b.id; });
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, most_points);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < chosen.size() && kept < limit; ++i) {
    Query row(db, "SELECT service, name FROM operation WHERE id = ?1", chosen[i].id);
    if (!row.next() || (!query.service.empty() && row.text(0) != query.service) ||
        (!query.operation.empty() && row.text(1) != query.operation))
      continue;
    chosen[kept] = {chosen[i].id, chosen[i].spans, {std::string(row.text(0)), std::string(row.text(1))}};
    ++kept;
  }
  chosen.resize(kept);
  if (chosen.size() * std::max<std::size_t>(1, steps.size()) > most_points)
    return base::fail("so many operations in so many steps are too much for one answer: ask for longer steps");

  std::unordered_map<std::int64_t, std::size_t> place;
  for (std::size_t i = 0; i < chosen.size(); ++i) place.emplace(chosen[i].id, i);
  std::map<std::pair<std::int64_t, std::size_t>, store::OperationPoint> points;  // by step, then the most spans
  for (const Part& part : parts) {
    Query rows(db,
               "SELECT operation, time, spans, errors, cancelled, duration, first_chunk, last_chunk FROM rollup "
               "WHERE width = ?1 AND time >= ?2 AND time < ?3",
               part.width, part.from, part.to);
    while (rows.next()) {
      const auto known = place.find(rows.integer(0));
      if (known == place.end()) continue;
      const std::int64_t at = step == 0 ? 0 : rows.integer(1) / step * step;
      auto& point = points[{at, known->second}];
      point.stats.count += rows.number(2);
      point.stats.errors += rows.number(3);
      point.stats.cancelled += rows.number(4);
      for (int i = 0; i < 3; ++i) decode_histogram(rows.bytes(5 + i), point.stats.latency[static_cast<std::size_t>(i)]);
    }
  }
  std::vector<store::OperationPoint> out;
  out.reserve(points.size());
  for (auto& [key, point] : points) {
    point.time_unix_ns = step == 0 ? query.time.from_unix_ns : static_cast<std::uint64_t>(key.first) * second_ns;
    point.stats.key = chosen[key.second].key;
    out.push_back(std::move(point));
  }
  return out;
}

}  // namespace sockeye::sqlite::ask
