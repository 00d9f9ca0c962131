// What the observations of a process hold beyond themselves, in all: texts of messages that are not complete, calls
// that are open, what inflating takes. Each has a bound of its own; this is the bound of them together, since the
// peers choose how many sessions there are.
//
// Over it observations are given up, those first that hold most, and their sessions are counted and carried on
// (Observation::count_only). What counts as much is halved with every settle() until the rest fits.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sockeye::observer {

// Thread-safe. Observations report in steps of `grain`, so that calls that come and go touch no shared memory.
class Memory {
 public:
  static constexpr std::size_t grain = 4096;      // bytes
  static constexpr std::size_t most = 1U << 20U;  // what counts as much while there is room

  explicit Memory(std::uint64_t budget) : budget_(budget) {}

  void add(std::int64_t bytes) { held_.fetch_add(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t held() const {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(held_.load(std::memory_order_relaxed), 0));
  }
  [[nodiscard]] std::uint64_t budget() const { return budget_.load(std::memory_order_relaxed); }
  void budget(std::uint64_t bytes) { budget_.store(bytes, std::memory_order_relaxed); }

  // One that holds so much is to be given up. A quarter over budget nothing that is reported may go on growing.
  [[nodiscard]] bool gives_up(std::size_t bytes) const {
    const std::uint64_t all = held();
    const std::uint64_t bound = budget();
    if (all <= bound) return false;
    return bytes >= (all > bound + bound / 4 ? grain : large_.load(std::memory_order_relaxed));
  }
  // Once a second, by one thread: whoever holds much has then been asked.
  void settle() {
    const std::size_t large = large_.load(std::memory_order_relaxed);
    large_.store(held() > budget() ? std::max(large / 2, grain) : std::min(large * 2, most), std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> held_{0};
  std::atomic<std::uint64_t> budget_;
  std::atomic<std::size_t> large_{most};
};

}  // namespace sockeye::observer
