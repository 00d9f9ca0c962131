// Counts of one route of one proxy, out of the absolute figures it reports: what is between two of them belongs to the
// time between. Where nothing was heard for a while, or the store refused, the difference is spread evenly over that
// time, in points that say they were not observed (covered_ms 0): whatever range is asked for that has the gap in it
// adds up to what the proxy counted.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sockeye/live/messages.h"
#include "sockeye/store/store.h"

namespace sockeye::console {

inline constexpr std::uint64_t interval_ns = 10'000'000'000;

class RouteFigures {
 public:
  using Counts = store::RouteTotals::Counts;

  // Begins at what was counted by then: before it there is nothing to report.
  RouteFigures(const Counts& totals, std::uint64_t at_ns) : last_(totals), written_{totals, at_ns}, stored_(written_) {}

  // The proxy has counted so much by now; `after_gap`: it was not heard for a while before.
  void heard(const Counts& totals, std::uint64_t now_ns, bool after_gap);
  // Appends the points of all intervals up to `end_ns`, which is where one ends. The last of them is `now`, completed
  // by its counts; those before were not observed. False: it began later.
  [[nodiscard]] bool points(const store::FleetPoint& now, std::uint64_t end_ns, std::vector<store::FleetPoint>& to);
  // By then, as of the last points().
  [[nodiscard]] store::RouteTotals written() const { return {{}, {}, written_.at_ns, written_.totals}; }
  // What became of those points.
  void stored(const store::RouteTotals& written);
  void refused(const store::RouteTotals& written);

 private:
  struct Mark {
    Counts totals{};
    std::uint64_t at_ns = 0;
  };

  Counts last_;
  Mark written_, stored_;
  std::optional<Mark> back_;  // the first figures after a gap that written_ lies before
};

[[nodiscard]] RouteFigures::Counts counts_of(const live::Summary&);

}  // namespace sockeye::console
