// The store of the console's tests: a store in memory that can also refuse and hold, and remembers what it was asked.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sockeye/conformance/memory_store.h"

namespace sockeye::console::test {

class StoreDouble final : public conformance::MemoryStore {
 public:
  // What write() answers from now on; none: as it is.
  void refuse(store::Refusal refusal) {
    const std::lock_guard lock(mutex_);
    refusal_ = refusal;
  }
  // While held, questions for the services wait.
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    wake_.notify_all();
  }
  bool wait_for_question(std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, patience, [this] { return waiting_ > 0; });
  }
  // While held, what is written is not answered for.
  void hold_writes(bool held) {
    std::deque<std::function<void()>> late;
    {
      const std::lock_guard lock(mutex_);
      writes_held_ = held;
      if (!held) late.swap(late_);
    }
    for (auto& each : late) each();
  }

  std::atomic<int> happenings_asked = 0, happening_asked = 0;  // how often
  std::atomic<std::uint64_t> kept_since_unix_ns = 0;
  // What was asked last.
  store::OperationsQuery asked_latency;
  store::GroupsQuery asked_groups;
  store::SpanQuery asked_spans;
  store::TimeRange asked_dependencies;
  // Answers instead of its own.
  std::optional<store::OperationsPage> latencies;
  std::optional<store::GroupPage> grouped;

  [[nodiscard]] std::uint64_t spans_kept() { return stats().spans; }
  [[nodiscard]] std::vector<store::Session> sessions_kept() {
    store::SessionQuery all;
    all.limit = 10'000;
    return MemoryStore::sessions(all, store::Deadline::max())->items;
  }

  void write(store::Batch&& batch, store::Done done) override {
    store::Written written;
    {
      const std::lock_guard lock(mutex_);
      written.refusal = refusal_;
    }
    if (written.refusal != store::Refusal::none)
      written.message = "refused by the test";
    else
      MemoryStore::write(std::move(batch), [&](const store::Written& own) { written = own; });
    {
      const std::lock_guard lock(mutex_);
      if (writes_held_) {
        late_.emplace_back([done, written] { done(written); });
        return;
      }
    }
    done(written);
  }
  base::Result<std::vector<std::string>> services(store::Deadline deadline) override {
    {
      std::unique_lock lock(mutex_);
      ++waiting_;
      wake_.notify_all();
      wake_.wait(lock, [this] { return !held_; });
      --waiting_;
    }
    return MemoryStore::services(deadline);
  }
  base::Result<store::SpanPage> spans(const store::SpanQuery& query, store::Deadline deadline) override {
    asked_spans = query;
    return MemoryStore::spans(query, deadline);
  }
  base::Result<store::Page<store::Dependency>> dependencies(store::TimeRange range, store::Deadline deadline) override {
    asked_dependencies = range;
    return MemoryStore::dependencies(range, deadline);
  }
  base::Result<store::OperationsPage> latency(const store::OperationsQuery& query, store::Deadline deadline) override {
    asked_latency = query;
    if (latencies) return *latencies;
    return MemoryStore::latency(query, deadline);
  }
  base::Result<store::GroupPage> groups(const store::GroupsQuery& query, store::Deadline deadline) override {
    asked_groups = query;
    if (grouped) return *grouped;
    return MemoryStore::groups(query, deadline);
  }
  base::Result<store::Page<store::Happening>> happenings(const store::HappeningsQuery& query,
                                                         store::Deadline deadline) override {
    ++happenings_asked;
    return MemoryStore::happenings(query, deadline);
  }
  base::Result<std::optional<std::uint64_t>> happening(const store::HappeningsQuery& query, bool last,
                                                       store::Deadline deadline) override {
    ++happening_asked;
    return MemoryStore::happening(query, last, deadline);
  }
  store::StoreStats stats() override {
    store::StoreStats out = MemoryStore::stats();
    out.kept_since_unix_ns = kept_since_unix_ns;
    return out;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  store::Refusal refusal_ = store::Refusal::none;
  bool held_ = false, writes_held_ = false;
  std::deque<std::function<void()>> late_;
  int waiting_ = 0;
};

}  // namespace sockeye::console::test
