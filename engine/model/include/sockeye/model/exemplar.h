// One observation of a histogram and the span it came from: the way from a slow bucket to a trace (OpenMetrics 1.0
// §"Exemplars").
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include "sockeye/base/ids.h"

namespace sockeye::model {

struct Exemplar {
  base::TraceId trace_id;
  base::SpanId span_id;
  double value = 0;  // as the histogram counts it: seconds
  std::uint64_t unix_ns = 0;
  friend bool operator==(const Exemplar&, const Exemplar&) = default;
};

// The last one of a bucket. One writer thread, any number of readers; neither waits. A sequence lock without fences:
// each word is released after the odd sequence, so a reader that acquired a word of a newer one sees the sequence move.
class ExemplarSlot {
 public:
  void store(const Exemplar& exemplar) {
    std::array<std::uint64_t, 5> words{};
    std::memcpy(words.data(), exemplar.trace_id.bytes.data(), 16);
    std::memcpy(words.data() + 2, exemplar.span_id.bytes.data(), 8);
    words[3] = std::bit_cast<std::uint64_t>(exemplar.value);
    words[4] = exemplar.unix_ns;
    const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    for (std::size_t i = 0; i < words.size(); ++i) words_[i].store(words[i], std::memory_order_release);
    sequence_.store(sequence + 2, std::memory_order_release);
  }
  // None when nothing was stored yet, or it was being replaced each time somebody looked: a scrape does without.
  [[nodiscard]] std::optional<Exemplar> load() const {
    for (int attempt = 0; attempt < 4; ++attempt) {
      const std::uint64_t before = sequence_.load(std::memory_order_acquire);
      if (before == 0) return std::nullopt;
      if ((before & 1U) != 0) continue;
      std::array<std::uint64_t, 5> words{};
      for (std::size_t i = 0; i < words.size(); ++i) words[i] = words_[i].load(std::memory_order_acquire);
      if (sequence_.load(std::memory_order_relaxed) != before) continue;
      Exemplar out;
      std::memcpy(out.trace_id.bytes.data(), words.data(), 16);
      std::memcpy(out.span_id.bytes.data(), words.data() + 2, 8);
      out.value = std::bit_cast<double>(words[3]);
      out.unix_ns = words[4];
      return out;
    }
    return std::nullopt;
  }

 private:
  std::atomic<std::uint64_t> sequence_{0};  // odd while it is written
  std::array<std::atomic<std::uint64_t>, 5> words_{};
};

}  // namespace sockeye::model
