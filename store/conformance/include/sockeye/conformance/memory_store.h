// The simplest store that keeps the contract: it holds what it is given, and looks through all of it for every answer.
// The double of every test that needs a store; it passes the conformance suite as the others do.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sockeye/store/cursor.h"
#include "sockeye/store/store.h"

namespace sockeye::conformance {

class MemoryStore : public store::Store {
 public:
  explicit MemoryStore(std::chrono::seconds keep_for = std::chrono::seconds(0));  // 0: for ever

  [[nodiscard]] store::Capabilities capabilities() const override { return {.durable = false, .queues = false}; }
  void write(store::Batch&& batch, store::Done done) override;

  base::Result<store::Batch> trace(const store::TraceId&, std::size_t limit, store::Deadline) override;
  base::Result<store::SpanPage> spans(const store::SpanQuery&, store::Deadline) override;
  base::Result<store::Page<store::TraceSummary>> traces(const store::SpanQuery&, store::Deadline) override;
  base::Result<std::vector<std::string>> services(store::Deadline) override;
  base::Result<store::Page<store::OperationName>> operations(const store::OperationNamesQuery&,
                                                             store::Deadline) override;
  base::Result<store::Page<store::Dependency>> dependencies(store::TimeRange, store::Deadline) override;
  base::Result<store::OperationsPage> latency(const store::OperationsQuery&, store::Deadline) override;
  base::Result<store::GroupPage> groups(const store::GroupsQuery&, store::Deadline) override;

  base::Result<store::Page<store::Session>> sessions(const store::SessionQuery&, store::Deadline) override;
  base::Result<std::optional<store::Session>> session(const store::SessionId&, store::Deadline) override;
  base::Result<std::vector<store::SessionPoint>> points(const store::SessionId&, store::TimeRange,
                                                        store::Deadline) override;
  base::Result<std::vector<store::FleetPoint>> fleet(const store::FleetQuery&, store::Deadline) override;
  base::Result<std::vector<store::CloseCount>> closes(const store::ClosesQuery&, store::Deadline) override;
  base::Result<std::vector<store::Presence>> presences(store::TimeRange, store::Deadline) override;
  base::Result<std::vector<store::RouteTotals>> totals(store::Deadline) override;

  base::Result<store::Lookup> lookup(const store::LookupQuery&, store::Deadline) override;
  base::Result<store::Page<store::Happening>> happenings(const store::HappeningsQuery&, store::Deadline) override;
  base::Result<std::optional<std::uint64_t>> happening(const store::HappeningsQuery&, bool last,
                                                       store::Deadline) override;
  store::StoreStats stats() override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Kept {  // a batch
    store::Batch batch;
    Clock::time_point arrived;
    std::uint64_t arrived_unix_ns = 0;
  };
  struct SpanAt {
    std::int64_t id;  // by arrival, from 1
    const Kept* in;
    const store::Span* span;
    [[nodiscard]] const store::Batch& batch() const { return in->batch; }
    [[nodiscard]] std::string_view service() const { return batch().origins[span->origin].service; }
    [[nodiscard]] store::Figures figures() const;
  };
  struct SessionAt {
    std::int64_t number = 0;  // by arrival, from 1
    store::Session session;
    Clock::time_point arrived;
  };
  struct Found {
    store::Place place;
    const SpanAt* at;
  };

  void take(Kept& kept, store::Written& written);
  void take_session(const store::Session&, Clock::time_point now);
  void expire();
  [[nodiscard]] base::Result<store::Cursor> start_of(const store::SpanQuery&, char list) const;
  // Those that match, of arrivals up to `top`.
  [[nodiscard]] std::vector<Found> find(const store::SpanQuery&, std::int64_t top) const;
  [[nodiscard]] store::TraceSummary summarize(const store::TraceId&, const store::SpanQuery&) const;
  [[nodiscard]] std::vector<const store::Session*> matching(const store::HappeningsQuery&, bool by_end) const;

  const std::chrono::seconds keep_for_;
  std::mutex mutex_;
  std::deque<Kept> batches_;
  std::vector<SpanAt> spans_;
  std::set<std::pair<store::TraceId, store::SpanId>> identities_;
  std::map<store::SessionId, SessionAt> sessions_;
  std::vector<store::SessionPoint> points_;
  std::map<std::tuple<std::uint64_t, std::string, std::string>, store::FleetPoint> fleet_;
  std::map<std::tuple<store::Presence::Who, std::string, std::uint64_t>, store::Presence> presences_;
  std::map<std::pair<std::string, std::string>, store::RouteTotals> totals_;
  std::int64_t last_span_ = 0, last_session_ = 0;
  store::StoreStats stats_;
};

}  // namespace sockeye::conformance
