// What changed between two windows: what the sessions that died have in common, beside what is usual, and the figures
// of both. The same data give the same answer: nothing here draws lots, and ties are broken by name.
//
// A cohort is grown from the one value that most of the deaths share, by every value that (nearly) all of those share,
// too; its deaths are then set aside, and the rest is looked at again. What sessions share anyhow says nothing, and is
// left out: else the only proxy there is would hide the routes. Each value comes with its share among all sessions of
// the window.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "api.h"
#include "clock.h"
#include "coverage.h"
#include "write.h"

namespace sockeye::console {
namespace {

using base::Json;

constexpr std::uint64_t minute_ns = 60'000'000'000;
constexpr std::size_t most_sessions = 5000;  // looked at of each set
constexpr std::size_t most_cohorts = 5, least_cohort = 3;
constexpr double nearly_all = 0.9;
constexpr double much_more = 1.5;  // than usual
constexpr double no_chance = 3.0;  // log likelihood ratio: one in twenty

constexpr std::array<std::string_view, 9> dimensions = {
    "route", "proxy", "client_network", "minute", "end_reason", "close_code", "dialect", "target", "upstream"};
constexpr std::size_t minute_dimension = 3;
using Values = std::array<std::string, dimensions.size()>;  // "" = has none

Values values_of(const store::Session& s, std::uint64_t at) {
  const auto network = store::neighbourhood(s.client);
  return {s.route,
          s.instance,
          network ? network->text() : "",
          at == 0 ? "" : base::iso8601(at / minute_ns * minute_ns / 1'000'000).substr(0, 16) + "Z",
          s.end.why,
          s.end.code == 0 ? "" : std::to_string(s.end.code),
          s.dialect,
          s.target,
          s.host};
}

struct Died {
  Values values;
  store::SessionId id;
  std::uint64_t at = 0;
  bool in_cohort = false;  // already
};

struct Sample {
  std::vector<Died> list;
  bool complete = true;
};

base::Result<Sample> sessions(Api& api, store::SessionQuery query, std::size_t most, store::Deadline deadline) {
  Sample out;
  query.limit = 1000;
  while (out.list.size() < most) {
    auto page = api.store.sessions(query, deadline);
    if (!page) return tl::unexpected(page.error());
    for (const auto& s : page->items) {
      const std::uint64_t at = s.end.unix_ns;
      out.list.push_back({values_of(s, at), s.id, at});
    }
    query.cursor = page->cursor;
    if (!page->complete) out.complete = false;
    if (query.cursor.empty() || !page->complete) return out;
  }
  out.complete = false;
  return out;
}

base::Result<Sample> deaths(Api& api, const store::TimeRange& time, store::Deadline deadline) {
  store::SessionQuery query;
  query.ended = time;
  query.time = time;  // what ended within was open then
  query.state = store::SessionQuery::State::ended;
  query.sort = store::SessionQuery::Sort::ended;
  query.abnormal = true;
  return sessions(api, query, most_sessions, deadline);
}

struct Share {
  std::size_t dimension = 0;
  std::string value;
};
struct Cohort {
  std::vector<Share> shares;
  std::size_t count = 0;
  std::uint64_t first = UINT64_MAX, last = 0;

  [[nodiscard]] bool has(const Died& one) const {
    return std::all_of(shares.begin(), shares.end(),
                       [&](const Share& s) { return one.values[s.dimension] == s.value; });
  }
};

// How common each value is among all sessions of the window.
class Usual {
 public:
  explicit Usual(const std::vector<Died>& all) : sessions_(static_cast<double>(all.size())) {
    for (const Died& one : all)
      for (std::size_t d = 0; d < dimensions.size(); ++d) ++counts_[d][one.values[d]];
  }
  // None: how an open session ends, and when, is not known.
  [[nodiscard]] std::optional<double> share(std::size_t dimension, const std::string& value) const {
    const std::string_view name = dimensions[dimension];
    if (sessions_ == 0 || name == "minute" || name == "end_reason" || name == "close_code") return std::nullopt;
    const auto found = counts_[dimension].find(value);
    return found == counts_[dimension].end() ? 0 : static_cast<double>(found->second) / sessions_;
  }
  // Whether it says something that `count` of `of` deaths have the value: they have it much more often than sessions
  // have, or too many more of them for chance.
  [[nodiscard]] bool notable(std::size_t dimension, const std::string& value, double count, double of) const {
    const auto usual = share(dimension, value);
    if (!usual || *usual == 0) return true;
    const double here = count / of;
    if (here >= much_more * *usual) return true;
    if (here <= *usual) return false;
    const double rest = here < 1 ? (of - count) * std::log((1 - here) / (1 - *usual)) : 0;
    return count * std::log(here / *usual) + rest >= no_chance;
  }

 private:
  double sessions_;
  std::array<std::map<std::string, std::size_t>, dimensions.size()> counts_;
};

// The value that most of those in `among` share, in any dimension not yet taken; the first of the order on a tie. A
// minute alone says when, not what: it begins no cohort while anything else can.
std::pair<Share, std::size_t> foremost(const std::vector<const Died*>& among, const std::vector<Share>& taken,
                                       const Usual& usual, bool minute) {
  std::pair<Share, std::size_t> best;
  for (std::size_t d = 0; d < dimensions.size(); ++d) {
    if (d == minute_dimension && !minute) continue;
    if (std::any_of(taken.begin(), taken.end(), [&](const Share& s) { return s.dimension == d; })) continue;
    std::map<std::string, std::size_t> counts;
    for (const Died* one : among)
      if (!one->values[d].empty()) ++counts[one->values[d]];
    for (const auto& [value, count] : counts)
      if (count > best.second && usual.notable(d, value, static_cast<double>(count), static_cast<double>(among.size())))
        best = {{d, value}, count};
  }
  return best;
}

std::optional<Cohort> next_cohort(const std::vector<Died>& died, const Usual& usual) {
  std::vector<const Died*> among;
  for (const Died& one : died)
    if (!one.in_cohort) among.push_back(&one);
  Cohort out;
  bool minute = false;
  while (out.shares.size() < dimensions.size()) {
    auto [share, count] = foremost(among, out.shares, usual, minute);
    if (!std::exchange(minute, true) && count < least_cohort)
      std::tie(share, count) = foremost(among, out.shares, usual, minute);
    if (count < least_cohort) break;
    if (!out.shares.empty() && static_cast<double>(count) < nearly_all * static_cast<double>(among.size())) break;
    out.shares.push_back(share);
    std::erase_if(among, [&s = out.shares.back()](const Died* one) { return one->values[s.dimension] != s.value; });
  }
  if (out.shares.empty()) return std::nullopt;
  std::sort(out.shares.begin(), out.shares.end(),
            [](const Share& a, const Share& b) { return a.dimension < b.dimension; });
  // Who reads it asks for all that share this, those of cohorts before among them.
  for (const Died& one : died) {
    if (!out.has(one)) continue;
    ++out.count;
    out.first = std::min(out.first, one.at);
    out.last = std::max(out.last, one.at);
  }
  return out;
}

// The parameters of /api/v1/sessions that list the cohort.
void write_query(Json& json, const Cohort& cohort, const store::TimeRange& time) {
  store::TimeRange ended = time;
  json.open('{').key("abnormal").text("true");
  for (const Share& s : cohort.shares) {
    const std::string_view name = dimensions[s.dimension];
    if (name == "minute") {
      const std::uint64_t minute = cohort.first / minute_ns * minute_ns;
      ended = {std::max(time.from_unix_ns, minute), std::min(time.to_unix_ns, minute + minute_ns)};
    } else if (name == "proxy") {
      json.key("instance").text(s.value);
    } else if (name == "client_network") {
      json.key("client").text(s.value);
    } else if (name == "target") {
      json.key("target").text(s.value);
    } else if (name == "upstream") {
      json.key("host").text(s.value);
    } else {
      json.key(name).text(s.value);
    }
  }
  time_ms(json, "ended_from_ms", ended.from_unix_ns);
  time_ms(json, "ended_to_ms", ended.to_unix_ns);
  json.close('}');
}

struct Figure {
  std::string_view name;
  std::optional<double> before, after;
};

// Of a window: rates a second where they are counts, so that windows of other lengths compare.
struct Totals {
  double opened = 0, ended = 0, reconnects = 0, refused = 0, misses = 0, messages = 0, bytes = 0, active = 0;
  double seconds = 0;         // of which it is known what was counted: whole tens of seconds
  std::uint64_t covered = 0;  // steps of which it is known what was measured
  double rtt_p99 = 0;
};

base::Result<Totals> totals(Api& api, const store::TimeRange& time, store::Deadline deadline) {
  store::FleetQuery query;
  query.time = time;
  query.step_ns = std::max<std::uint64_t>(10'000'000'000, (time.to_unix_ns - time.from_unix_ns) / 200);
  const auto points = api.store.fleet(query, deadline);
  if (!points) return tl::unexpected(points.error());
  Totals out;
  std::map<std::uint64_t, double> active;
  // By time: each is as long as its step, or longer where it was made good.
  const auto tens = [](std::uint64_t ns) { return ns / 10'000'000'000 * 10'000'000'000; };
  const std::uint64_t last = std::min(tens(time.to_unix_ns + 9'999'999'999), tens(unix_now_ns()));
  std::uint64_t counted_until = tens(time.from_unix_ns + 9'999'999'999);
  for (const auto& p : *points) {
    const std::uint64_t end = std::min(p.time_unix_ns + std::uint64_t{p.interval_ms} * 1'000'000, last);
    const std::uint64_t begin = std::max(p.time_unix_ns, counted_until);
    if (end > begin) out.seconds += static_cast<double>(end - begin) / 1e9;
    counted_until = std::max(counted_until, end);
    out.opened += static_cast<double>(p.opened);
    out.ended += static_cast<double>(p.ended);
    out.reconnects += static_cast<double>(p.reconnects);
    out.refused += static_cast<double>(p.refused);
    out.misses += static_cast<double>(p.misses);
    for (int i = 0; i < 2; ++i) {
      out.messages += static_cast<double>(p.messages[i]);
      out.bytes += static_cast<double>(p.bytes[i]);
      if (std::isfinite(p.rtt_p99_seconds[i])) out.rtt_p99 = std::max(out.rtt_p99, double{p.rtt_p99_seconds[i]});
    }
    if (p.covered_ms > 0) active[p.time_unix_ns] += static_cast<double>(p.active);
  }
  out.covered = active.size();
  for (const auto& [at, sum] : active) out.active += sum / static_cast<double>(active.size());
  return out;
}

std::vector<Figure> figures(const Totals& before, const Totals& after) {
  const auto per_second = [](const Totals& t, double value) {
    return t.seconds > 0 ? std::optional(value / t.seconds) : std::nullopt;
  };
  std::vector<Figure> out;
  for (const auto& [name, field] : {std::pair<std::string_view, double Totals::*>{"opened_per_second", &Totals::opened},
                                    {"ended_per_second", &Totals::ended},
                                    {"reconnects_per_second", &Totals::reconnects},
                                    {"refused_per_second", &Totals::refused},
                                    {"misses_per_second", &Totals::misses},
                                    {"messages_per_second", &Totals::messages},
                                    {"bytes_per_second", &Totals::bytes}})
    out.push_back({name, per_second(before, before.*field), per_second(after, after.*field)});
  const auto known = [](const Totals& t, double value) { return t.covered == 0 ? std::nullopt : std::optional(value); };
  out.push_back({"active", known(before, before.active), known(after, after.active)});
  const auto rtt = [](double value) { return value > 0 ? std::optional(value) : std::nullopt; };
  out.push_back({"rtt_p99_max_seconds", rtt(before.rtt_p99), rtt(after.rtt_p99)});
  return out;
}

}  // namespace

// What the dead have in common that the living have not, cohort by cohort; marks those that are in one.
void write_cohorts(Json& json, std::vector<Died>& died, const std::vector<Died>& before, const Usual& usual,
                   const store::TimeRange& now) {
  for (std::size_t i = 0; i < most_cohorts; ++i) {
    const auto cohort = next_cohort(died, usual);
    if (!cohort) break;
    json.open('{').key("share").open('[');
    for (const Share& s : cohort->shares) {
      json.open('{').key("dimension").text(dimensions[s.dimension]).key("value").text(s.value).key("usual");
      if (const auto known = usual.share(s.dimension, s.value))
        json.number(*known);
      else
        json.null();
      json.close('}');
    }
    // The minute is of this window: the one before is asked for the rest.
    Cohort lasting = *cohort;
    std::erase_if(lasting.shares, [](const Share& s) { return s.dimension == minute_dimension; });
    const auto count_before =
        std::count_if(before.begin(), before.end(), [&](const Died& d) { return lasting.has(d); });
    json.close(']').key("count").number(std::uint64_t{cohort->count}).key("of").number(std::uint64_t{died.size()});
    json.key("against_count").number(static_cast<std::uint64_t>(lasting.shares.empty() ? 0 : count_before));
    json.key("against_of").number(std::uint64_t{before.size()});
    time_ms(json, "first_ms", cohort->first);
    time_ms(json, "last_ms", cohort->last);
    json.key("sessions").open('[');
    std::size_t shown = 0;
    for (Died& one : died) {
      if (!cohort->has(one)) continue;
      one.in_cohort = true;
      if (shown++ < store::happening_samples) json.text(base::to_uuid(one.id));
    }
    json.close(']').key("query");
    write_query(json, *cohort, now);
    json.close('}');
  }
}

void write_figures(Json& json, const std::vector<Figure>& list) {
  for (const Figure& figure : list) {
    json.open('{').key("name").text(figure.name);
    for (const auto& [key, value] : {std::pair("before", figure.before), std::pair("after", figure.after)}) {
      json.key(key);
      if (value)
        json.number(*value);
      else
        json.null();
    }
    json.close('}');
  }
}

Response ask_changes(Api& api, std::string_view, Parameters& with) {
  auto now = time_range(with);
  now.to_unix_ns = std::min(now.to_unix_ns, unix_now_ns());
  if (now.from_unix_ns == 0) now.from_unix_ns = now.to_unix_ns - std::min(now.to_unix_ns, 15 * minute_ns);
  now.from_unix_ns = std::min(now.from_unix_ns, now.to_unix_ns);
  const std::uint64_t length = now.to_unix_ns - now.from_unix_ns;
  // By default the window of the same length before.
  store::TimeRange then;
  then.to_unix_ns = with.time("against_to_ms").value_or(now.from_unix_ns);
  then.from_unix_ns = with.time("against_from_ms").value_or(then.to_unix_ns - std::min(then.to_unix_ns, length));
  if (then.from_unix_ns > then.to_unix_ns) with.wrong("against_to_ms", "a time not before against_from_ms");
  if (auto no = refused(with)) return *std::move(no);

  const auto deadline = api.deadline();
  auto died = deaths(api, now, deadline);
  if (!died) return store_failed(died.error());
  const auto died_before = deaths(api, then, deadline);
  if (!died_before) return store_failed(died_before.error());
  store::SessionQuery everybody;
  everybody.time = now;
  const auto all = sessions(api, everybody, most_sessions, deadline);
  if (!all) return store_failed(all.error());
  const auto after = totals(api, now, deadline);
  if (!after) return store_failed(after.error());
  const auto before = totals(api, then, deadline);
  if (!before) return store_failed(before.error());

  const auto moment = unix_now_ns();
  const auto watch = watch_of(api, moment, deadline);
  if (!watch) return store_failed(watch.error());
  const auto unseen = [&](const store::TimeRange& time) {
    return static_cast<double>(length_of(gaps(*watch, time, moment, Fleet::patience_ns))) / 1e9;
  };

  const Usual usual(all->list);
  Json json;
  json.open('{').key("deaths").number(std::uint64_t{died->list.size()});
  json.key("against_deaths").number(std::uint64_t{died_before->list.size()});
  seconds(json, "missing_seconds", unseen(now));
  seconds(json, "against_missing_seconds", unseen(then));
  json.key("few").boolean(died->list.size() < 2 * least_cohort).key("cohorts").open('[');
  write_cohorts(json, died->list, died_before->list, usual, now);
  json.close(']').key("figures").open('[');
  write_figures(json, figures(*before, *after));
  json.close(']');
  time_ms(json, "from_ms", now.from_unix_ns);
  time_ms(json, "to_ms", now.to_unix_ns);
  time_ms(json, "against_from_ms", then.from_unix_ns);
  time_ms(json, "against_to_ms", then.to_unix_ns);
  json.key("complete").boolean(died->complete && died_before->complete && all->complete).close('}');
  return json_response(json.take());
}

}  // namespace sockeye::console
