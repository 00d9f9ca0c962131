#include <algorithm>
#include <cmath>
#include <limits>

#include "sockeye/store/query.h"

namespace sockeye::store {

double latency_bound(std::size_t bucket) { return 1e-6 * std::exp2(static_cast<double>(bucket) / 4); }

std::size_t latency_bucket(double seconds) {
  if (!(seconds >= 1e-6)) return 0;
  const double at = std::floor(std::log2(seconds * 1e6) * 4) + 1;
  return static_cast<std::size_t>(std::min(at, static_cast<double>(latency_buckets - 1)));
}

double percentile(const LatencyHistogram& histogram, double q) {
  std::uint64_t total = 0;
  for (const auto count : histogram) total += count;
  if (total == 0) return std::numeric_limits<double>::quiet_NaN();
  const double rank = q * static_cast<double>(total);
  double below = 0;
  for (std::size_t i = 0; i < histogram.size(); ++i) {
    const double here = histogram[i];
    if (here > 0 && below + here >= rank) {
      const double low = i == 0 ? 0 : latency_bound(i - 1);
      return low + (latency_bound(i) - low) * std::clamp((rank - below) / here, 0.0, 1.0);
    }
    below += here;
  }
  return latency_bound(latency_buckets - 1);
}

}  // namespace sockeye::store
