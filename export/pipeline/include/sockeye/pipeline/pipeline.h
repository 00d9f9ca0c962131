// From finished spans to a collector: queue → batches → transport, with a disk spool for the time the collector is
// away.
//
// Every span is accounted for, at all times: received + recovered = exported + Σ dropped{reason} + queued + spooled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/model/metric_source.h"
#include "sockeye/model/span.h"
#include "sockeye/pipeline/transport.h"

namespace sockeye::pipeline {

// One line; levels as spdlog's: 0 trace … 2 info, 3 warn, 4 error. Called from the pipeline's threads, and only when
// something changes: the collector went away, came back, or refuses. Must not call into the pipeline.
using Log = std::function<void(int level, const std::string& line)>;

struct SpoolOptions {
  std::string directory;              // "" = none: what the queue cannot hold is dropped. Made when missing, mode 0700
  std::uint64_t limit = 1ULL << 30U;  // bytes on disk, >= 64 KiB; over it the oldest segment is dropped
  // A write is forced to disk at most this much later; 0 = before the next. What that guards against:
  // docs/formats/spool.md
  base::Duration sync = std::chrono::seconds(1);
};

struct Options {
  std::size_t queue_spans = 65536;                       // spans held in memory, batches being sent included; >= 1
  std::size_t queue_bytes = 64ULL << 20U;                // estimated memory of those
  std::size_t batch_spans = 512;                         // >= 1
  std::size_t batch_bytes = 1ULL << 20U;                 // estimated memory of the spans of one batch
  base::Duration batch_delay = std::chrono::seconds(5);  // the longest a span waits for its batch to fill
  base::Duration retry_first = std::chrono::seconds(1);  // >= 1 ms; doubles with each failure in a row …
  base::Duration retry_cap = std::chrono::seconds(30);   // … up to this; each delay is then drawn from [1/2, 1] of it
  base::Duration retry_after_cap = std::chrono::minutes(5);  // a collector's own wish is honoured up to this
  SpoolOptions spool;
  std::uint64_t seed = 0;  // of the jitter; 0 = from the operating system
  Log log;                 // may be empty
};

// Label `reason` of sockeye_spans_dropped_total.
enum class DropReason : std::uint8_t {
  queue_full = 0,  // offered while the queue was at its bound
  spool_full,      // the oldest in a spool at its bound
  spool_corrupt,   // a spooled batch that could not be read back
  rejected,        // refused by the collector for good
  shutdown,        // still unsent when stop() gave up, or offered after it
  count_
};
[[nodiscard]] std::string_view name(DropReason);

// One consistent reading. Spans unless said otherwise; all before `queued` only grow.
struct SpanCounts {
  std::uint64_t received = 0;   // offered to this process
  std::uint64_t recovered = 0;  // found in the spool at the start
  std::uint64_t exported = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(DropReason::count_)> dropped{};
  // Sent again although an earlier attempt may have arrived: the most that a collector can hold twice.
  std::uint64_t resent = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(ErrorKind::count_)> errors{};  // attempts, by kind
  std::uint64_t queued = 0;                                                         // in memory, in flight included
  std::uint64_t spooled = 0;
  std::uint64_t spool_bytes = 0;  // bytes on disk
  bool collector_away = false;    // the last attempt was retryable
  [[nodiscard]] std::uint64_t dropped_total() const {
    std::uint64_t sum = 0;
    for (const auto n : dropped) sum += n;
    return sum;
  }
};

// All methods are safe from any thread.
class Pipeline : public model::SpanSink, public model::MetricSource {
 public:
  // stop(0s) unless stopped before.
  ~Pipeline() override = default;

  // From SpanSink: void offer(model::Span&&). Takes one short mutex; wakes the batching thread once a batch.

  // Sends what is queued without waiting for batches to fill. True when queue and spool were both empty before
  // `timeout`.
  virtual bool flush(base::Duration timeout) = 0;
  // Takes no more spans, sends until nothing is left or `timeout`, then aborts the attempt in flight. What is left goes
  // to the spool (synced), or without one is dropped as `shutdown`. With a spool it gives up at the first retryable
  // failure. Idempotent.
  virtual void stop(base::Duration timeout) = 0;

  [[nodiscard]] virtual SpanCounts counts() const = 0;

  // families(): sockeye_spans_{received,exported,dropped,resent}_total, sockeye_queue_length,
  // sockeye_spool_{bytes,spans}, sockeye_export_errors_total, sockeye_collector_away.
};

// Opens the spool (fails when its directory cannot be used or another process holds it) and starts two threads. Neither
// connects: a collector that is away at the start is the normal case.
[[nodiscard]] base::Result<std::unique_ptr<Pipeline>> start(Options options, std::unique_ptr<Transport> transport);

}  // namespace sockeye::pipeline
