#include "coverage.h"

#include <algorithm>
#include <map>
#include <utility>

namespace sockeye::console {
namespace {

using store::Presence;

constexpr std::uint64_t least_ns = 1'000'000'000;
constexpr std::uint64_t sliver_ns = 2'500'000'000;  // of a proxy: it takes a moment to connect

struct Stretch {
  std::uint64_t from, until;
};

// `gap` without the times in `others`, which are sorted and apart.
void add_without(const Gap& gap, const std::vector<Stretch>& others, std::vector<Gap>& to) {
  std::uint64_t at = gap.from_unix_ns;
  const std::uint64_t least = gap.what == Gap::What::proxy ? sliver_ns : least_ns;
  const auto piece = [&](std::uint64_t until) {
    if (until > at && until - at >= least) {
      to.push_back(gap);
      to.back().from_unix_ns = at;
      to.back().to_unix_ns = until;
    }
  };
  for (const auto& other : others) {
    if (other.until <= at || other.from >= gap.to_unix_ns) continue;
    piece(other.from);
    at = std::max(at, other.until);
  }
  piece(gap.to_unix_ns);
}

}  // namespace

base::Result<Watch> watch_of(Api& api, std::uint64_t now, store::Deadline deadline) {
  auto all = api.store.presences({}, deadline);  // a gap is between two of them
  if (!all) return tl::unexpected(all.error());
  for (auto& each : api.fleet.presences(now)) all->push_back(std::move(each));
  return Watch{*std::move(all), api.store.stats().kept_since_unix_ns};
}

std::uint64_t known_since(const Watch& watch) {
  std::uint64_t first = UINT64_MAX;
  for (const auto& each : watch.presences)
    if (each.who == Presence::Who::console) first = std::min(first, each.from_unix_ns);
  return std::max(first == UINT64_MAX ? 0 : first, watch.kept_since_unix_ns);
}

std::uint64_t length_of(const std::vector<Gap>& gaps) {
  std::uint64_t out = 0, until = 0;
  for (const auto& each : gaps) {
    const std::uint64_t from = std::max(each.from_unix_ns, until);
    if (each.to_unix_ns > from) out += each.to_unix_ns - from;
    until = std::max(until, each.to_unix_ns);
  }
  return out;
}

std::vector<Gap> gaps(Watch watch, store::TimeRange range, std::uint64_t now, std::uint64_t patience_ns) {
  auto& presences = watch.presences;
  std::sort(presences.begin(), presences.end(), [](const Presence& a, const Presence& b) {
    return std::pair(a.from_unix_ns, a.until_unix_ns) < std::pair(b.from_unix_ns, b.until_unix_ns);
  });
  std::vector<Stretch> runs;  // of the console
  std::map<std::string, std::vector<const Presence*>> proxies;
  for (const auto& each : presences) {
    if (each.who == Presence::Who::proxy) {
      auto& list = proxies[each.instance];
      if (!list.empty() && list.back()->from_unix_ns == each.from_unix_ns) list.pop_back();
      list.push_back(&each);
    } else if (!runs.empty() && each.from_unix_ns <= runs.back().until) {
      runs.back().until = std::max(runs.back().until, each.until_unix_ns);
    } else {
      runs.push_back({each.from_unix_ns, each.until_unix_ns});
    }
  }
  std::vector<Gap> out;
  if (runs.empty()) return out;
  runs.back().until = std::max(runs.back().until, now);
  const std::uint64_t end = std::min(range.to_unix_ns, now);
  const std::uint64_t known = std::max(known_since(watch), range.from_unix_ns);
  add_without({range.from_unix_ns, std::min(known, end), Gap::What::before, ""}, {}, out);
  std::vector<Stretch> away;
  for (std::size_t i = 1; i < runs.size(); ++i) away.push_back({runs[i - 1].until, runs[i].from});
  const auto bounded = [&](std::uint64_t from, std::uint64_t to, Gap::What what, const std::string& instance) {
    return Gap{std::max(from, known), std::min(to, end), what, instance};
  };
  for (const auto& each : away) add_without(bounded(each.from, each.until, Gap::What::console, ""), {}, out);
  // A stretch that nobody ended went on as long as the console that reported it.
  const auto until = [&](const Presence& p) {
    if (p.end != Presence::End::none) return p.until_unix_ns;
    const auto run =
        std::find_if(runs.rbegin(), runs.rend(), [&](const Stretch& r) { return r.from <= p.from_unix_ns; });
    return run == runs.rend() ? p.until_unix_ns : std::max(p.until_unix_ns, run->until);
  };
  for (const auto& [instance, list] : proxies) {
    std::uint64_t from = list.front()->started_unix_ns;  // it ran, and nobody heard it yet
    for (const auto* each : list) {
      if (from != 0) add_without(bounded(from, each->from_unix_ns, Gap::What::proxy, instance), away, out);
      from = each->end == Presence::End::stopped ? 0 : until(*each);
    }
    if (from != 0 && from < now) add_without(bounded(from, from + patience_ns, Gap::What::proxy, instance), away, out);
  }
  std::stable_sort(out.begin(), out.end(), [](const Gap& a, const Gap& b) { return a.from_unix_ns < b.from_unix_ns; });
  return out;
}

}  // namespace sockeye::console
