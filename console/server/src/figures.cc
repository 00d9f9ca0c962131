#include "figures.h"

#include <algorithm>
#include <limits>
#include <map>

namespace sockeye::console {
namespace {

using Counts = RouteFigures::Counts;

constexpr std::uint64_t most_points = 360;  // over one gap: an hour as it always is, coarser when it is longer

struct Part {
  Counts counts{};
  std::uint64_t length_ns = interval_ns;
};
using Parts = std::map<std::uint64_t, Part>;  // by the interval's beginning

// `amount` · `part` / `whole`, rounded down. Exact enough: both are nanoseconds, and the rest comes with the last
// share.
std::uint64_t portion(std::uint64_t amount, std::uint64_t part, std::uint64_t whole) {
  if (part >= whole) return amount;
  return static_cast<std::uint64_t>(static_cast<long double>(amount) * static_cast<long double>(part) /
                                    static_cast<long double>(whole));
}

void spread(const Counts& before, const Counts& after, std::uint64_t from_ns, std::uint64_t to_ns, Parts& to) {
  const std::uint64_t first = from_ns / interval_ns * interval_ns;
  if (to_ns <= from_ns) {  // clocks that went back
    auto& all = to[first].counts;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] += after[i] > before[i] ? after[i] - before[i] : 0;
    return;
  }
  const std::uint64_t intervals = (to_ns - first + interval_ns - 1) / interval_ns;
  const std::uint64_t length = (intervals + most_points - 1) / most_points * interval_ns;
  Counts done{};
  for (std::uint64_t begin = first; begin < to_ns; begin += length) {
    const std::uint64_t end = std::min(begin + length, to_ns);
    auto& share = to[begin];
    share.length_ns = std::max(share.length_ns, length);
    for (std::size_t i = 0; i < done.size(); ++i) {
      const std::uint64_t all = after[i] > before[i] ? after[i] - before[i] : 0;
      const std::uint64_t until_here = portion(all, end - from_ns, to_ns - from_ns);
      share.counts[i] += until_here - done[i];
      done[i] = until_here;
    }
  }
}

void put(const Counts& counts, store::FleetPoint& to) {
  to.opened = counts[0];
  to.ended = counts[1];
  to.reconnects = counts[2];
  to.refused = counts[3];
  for (std::size_t i = 0; i < 2; ++i) {
    to.messages[i] = counts[4 + i];
    to.bytes[i] = counts[6 + i];
  }
  to.misses = counts[8];
}

}  // namespace

Counts counts_of(const live::Summary& s) {
  return {s.accepted_total,    s.closed_total,   s.reconnects_total, s.rejected_total, s.messages_total[0],
          s.messages_total[1], s.bytes_total[0], s.bytes_total[1],   s.missed_total};
}

void RouteFigures::heard(const Counts& totals, std::uint64_t now_ns, bool after_gap) {
  if (after_gap) back_ = {totals, now_ns};
  last_ = totals;
}

bool RouteFigures::points(const store::FleetPoint& now, std::uint64_t end_ns, std::vector<store::FleetPoint>& to) {
  if (written_.at_ns >= end_ns) return false;
  Parts shares;
  Mark from = written_;
  if (back_ && back_->at_ns > from.at_ns && back_->at_ns < end_ns) {
    spread(from.totals, back_->totals, from.at_ns, back_->at_ns, shares);
    from = *back_;
  }
  spread(from.totals, last_, from.at_ns, end_ns, shares);
  back_.reset();
  written_ = {last_, end_ns};
  for (const auto& [begin, share] : shares) {
    const bool current = begin + interval_ns == end_ns;
    store::FleetPoint point;
    if (current) {
      point = now;
    } else {
      constexpr float unknown = std::numeric_limits<float>::quiet_NaN();
      point.instance = now.instance;
      point.route = now.route;
      point.covered_ms = 0;
      for (std::size_t i = 0; i < 2; ++i) point.rtt_p50_seconds[i] = point.rtt_p99_seconds[i] = unknown;
      point.interval_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(share.length_ns / 1'000'000, UINT32_MAX));
    }
    point.time_unix_ns = begin;
    put(share.counts, point);
    to.push_back(std::move(point));
  }
  return true;
}

void RouteFigures::stored(const store::RouteTotals& written) {
  if (written.time_unix_ns > stored_.at_ns) stored_ = {written.counts, written.time_unix_ns};
}

void RouteFigures::refused(const store::RouteTotals& written) {
  if (written_.at_ns >= written.time_unix_ns) written_ = stored_;
}

}  // namespace sockeye::console
