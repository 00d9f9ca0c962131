// The contract of a store. Every backend passes store/conformance.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "sockeye/base/result.h"
#include "sockeye/store/batch.h"
#include "sockeye/store/query.h"

namespace sockeye::store {

enum class Refusal : std::uint8_t {
  none,
  busy,   // the queue is full: try again in a moment
  full,   // no room on the disk (or over a quota): try again when there is
  broken  // the store cannot write: the message says why
};

struct Written {
  Refusal refusal = Refusal::none;
  std::string message;           // of a refusal, one line
  std::uint64_t duplicates = 0;  // spans that were there already (same trace and span id): the first stays
};
// What a backend does, where not every backend can, or not cheaply. Who depends on it asks; the conformance suite
// passes over what rests on one of these, and over nothing else.
struct Capabilities {
  bool durable = true;            // what was acknowledged is there when the store is opened again, after kill -9 too
  bool atomic_batches = true;     // nobody ever sees a part of a batch
  bool counts_duplicates = true;  // Written::duplicates and the counts of StoreStats are exact
  bool queues = true;             // it refuses with Refusal::busy where more comes than it can write
};

// Called once for each write, from the store's own thread or from within write().
using Done = std::function<void(const Written&)>;

// How long a question may take. What is not found by then is left out, and the answer says so where it can.
using Deadline = std::chrono::steady_clock::time_point;

class Store {
 public:
  virtual ~Store() = default;  // writes what is queued first

  [[nodiscard]] virtual Capabilities capabilities() const = 0;

  // Takes a batch. `done` with Refusal::none means: on the disk, a crash or a power cut at any later moment loses
  // nothing of it (Capabilities::durable). A batch is written whole or not at all. Writing the same again changes
  // nothing. Never blocks on the disk; safe from any thread.
  virtual void write(Batch&& batch, Done done) = 0;

  // Questions: blocking, safe from any thread, see everything acknowledged before they were asked.

  // Spans of one trace by start time, then its logs; at most `limit` spans (earliest first).
  virtual base::Result<Batch> trace(const TraceId&, std::size_t limit, Deadline) = 0;
  // Matching spans, latest start first where nothing else is asked for; of equal ones the later arrival first.
  virtual base::Result<SpanPage> spans(const SpanQuery&, Deadline) = 0;
  // Traces with a matching span, in the order of their foremost such span.
  virtual base::Result<Page<TraceSummary>> traces(const SpanQuery&, Deadline) = 0;
  virtual base::Result<std::vector<std::string>> services(Deadline) = 0;                           // sorted
  virtual base::Result<Page<OperationName>> operations(const OperationNamesQuery&, Deadline) = 0;  // by service, name
  // Between services, of spans that start within; by parent and child. The latest are counted first; there is no
  // cursor.
  virtual base::Result<Page<Dependency>> dependencies(TimeRange, Deadline) = 0;
  virtual base::Result<OperationsPage> latency(const OperationsQuery&, Deadline) = 0;
  virtual base::Result<GroupPage> groups(const GroupsQuery&, Deadline) = 0;

  virtual base::Result<Page<Session>> sessions(const SessionQuery&, Deadline) = 0;  // recorder left out
  virtual base::Result<std::optional<Session>> session(const SessionId&, Deadline) = 0;
  virtual base::Result<std::vector<SessionPoint>> points(const SessionId&, TimeRange, Deadline) = 0;  // by time
  virtual base::Result<std::vector<FleetPoint>> fleet(const FleetQuery&, Deadline) = 0;  // by time, instance, route
  virtual base::Result<std::vector<CloseCount>> closes(const ClosesQuery&, Deadline) = 0;
  virtual base::Result<std::vector<Presence>> presences(TimeRange, Deadline) = 0;  // that touch it, by `from`
  virtual base::Result<std::vector<RouteTotals>> totals(Deadline) = 0;             // the last written of each

  // Everything that a word may mean.
  virtual base::Result<Lookup> lookup(const LookupQuery&, Deadline) = 0;
  // By step, opens before ends. Not complete: of no use, for anything may be missing. There is no cursor.
  virtual base::Result<Page<Happening>> happenings(const HappeningsQuery&, Deadline) = 0;
  // When the first (`last`: the last) of them was, of those within the range.
  virtual base::Result<std::optional<std::uint64_t>> happening(const HappeningsQuery&, bool last, Deadline) = 0;

  virtual StoreStats stats() = 0;
};

}  // namespace sockeye::store
