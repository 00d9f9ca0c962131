#include "sockeye/store/sketch.h"

#include <cmath>

namespace sockeye::store {
namespace {

constexpr std::uint64_t width_divisor = 50;  // 2 %
constexpr std::size_t grain = 32;            // how far a window grows at once

const std::vector<std::uint64_t>& bounds() {
  static const std::vector<std::uint64_t> all = [] {
    std::vector<std::uint64_t> out;
    constexpr std::uint64_t last = std::uint64_t{1} << 63U;
    for (std::uint64_t at = 0; at < last; at += std::max<std::uint64_t>(1, at / width_divisor)) out.push_back(at);
    return out;
  }();
  return all;
}

}  // namespace

std::size_t bucket_count() { return bounds().size(); }

std::size_t bucket_of(std::uint64_t ns) {
  const auto& all = bounds();
  return static_cast<std::size_t>(std::upper_bound(all.begin(), all.end(), ns) - all.begin()) - 1;
}

std::uint64_t bucket_low(std::size_t bucket) { return bounds()[std::min(bucket, bucket_count() - 1)]; }

std::uint64_t bucket_high(std::size_t bucket) {
  return bucket + 1 < bucket_count() ? bounds()[bucket + 1] : UINT64_MAX;
}

std::uint32_t& Sketch::slot(std::size_t bucket) {
  if (counts_.empty()) first_ = bucket / grain * grain;
  if (bucket < first_) {
    const std::size_t first = bucket / grain * grain;
    counts_.insert(counts_.begin(), first_ - first, 0);
    first_ = first;
  }
  if (bucket - first_ >= counts_.size()) counts_.resize((bucket - first_) / grain * grain + grain, 0);
  return counts_[bucket - first_];
}

void Sketch::add(std::uint64_t ns) {
  add(bucket_of(ns), 1);
  widen(ns, ns);
}

void Sketch::add(std::size_t bucket, std::uint32_t count) {
  if (count == 0 || bucket >= bucket_count()) return;
  std::uint32_t& to = slot(bucket);
  to = count > UINT32_MAX - to ? UINT32_MAX : to + count;
  count_ += count;
}

void Sketch::widen(std::uint64_t least, std::uint64_t most) {
  min_ = std::min(min_, least);
  max_ = std::max(max_, most);
}

void Sketch::merge(const Sketch& other) {
  if (other.count_ == 0) return;
  other.each([&](std::size_t bucket, std::uint32_t count) { add(bucket, count); });
  widen(other.min_, other.max_);
  coarse_ = coarse_ || other.coarse_;
}

std::uint64_t Sketch::percentile(double q) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  if (!coarse_ && rank >= count_) return max_;  // these two are known exactly
  if (!coarse_ && rank == 1) return min_;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    below += counts_[i];
    if (below < rank) continue;
    const std::uint64_t low = bucket_low(first_ + i), high = bucket_high(first_ + i);
    return std::clamp(low + (high - low - 1) / 2, min_, std::max(min_, max_));
  }
  return max_;
}

bool operator==(const Sketch& a, const Sketch& b) {
  if (a.count_ != b.count_ || a.coarse_ != b.coarse_ || a.min() != b.min() || a.max() != b.max()) return false;
  std::vector<std::pair<std::size_t, std::uint32_t>> left, right;
  a.each([&](std::size_t bucket, std::uint32_t count) { left.emplace_back(bucket, count); });
  b.each([&](std::size_t bucket, std::uint32_t count) { right.emplace_back(bucket, count); });
  return left == right;
}

}  // namespace sockeye::store
