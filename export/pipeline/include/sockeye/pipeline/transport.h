// The seam between the pipeline, which decides when and how often a batch is sent, and what carries it to a collector.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sockeye/base/time.h"
#include "sockeye/model/span.h"

namespace sockeye::pipeline {

// Spans as they travel and as they are spooled. A batch is encoded once: every attempt sends the same bytes.
struct Batch {
  std::string body;
  std::uint32_t spans = 0;    // >= 1
  std::uint8_t encoding = 0;  // the transport's own tag for the form of `body`; kept with a spooled batch
};

enum class Outcome : std::uint8_t {
  accepted,   // the collector took all of it
  partial,    // the collector took all but `rejected_spans`; it must not be sent again
  retryable,  // not taken, or not known: send again, after `retry_after` when given
  rejected    // the collector will never take it
};

// Label `kind` of sockeye_export_errors_total.
enum class ErrorKind : std::uint8_t {
  none = 0,
  resolve,      // no address for the host's name
  connect,      // no connection: refused, unreachable, timed out
  tls,          // no TLS session: certificate, version
  timeout,      // the request began and no full answer came in time
  reset,        // the connection ended after the request began
  response,     // an answer that is not the protocol's
  throttled,    // the collector asks to slow down (HTTP 429)
  unavailable,  // the collector says "not now" (HTTP 502, 503, 504)
  refused,      // the collector says "never" (any other HTTP status)
  partial,      // the collector refused some spans of a batch
  spool_write,  // the spool's disk did not take a batch
  spool_read,   // a spooled batch could not be read back
  count_
};
[[nodiscard]] std::string_view name(ErrorKind);

struct Delivery {
  Outcome outcome = Outcome::retryable;
  ErrorKind error = ErrorKind::none;
  std::uint32_t rejected_spans = 0;  // with partial, at most the batch's count
  // With retryable: false says that the collector certainly does not have the batch (it was never reached, it said so,
  // or the request was not sent whole); true says that it may.
  bool maybe_delivered = false;
  std::optional<base::Duration> retry_after;  // from the collector
  std::string message;                        // for a log line: one line, no secrets, no payload
};

// encode() is called by the pipeline's batching thread, send() by its sending thread, the others by any thread.
class Transport {
 public:
  virtual ~Transport() = default;
  // `spans` is not empty and dies after the call.
  [[nodiscard]] virtual Batch encode(std::span<const model::Span> spans) = 0;
  // Blocks until the outcome is known or given up; bounded by the transport's own timeout.
  [[nodiscard]] virtual Delivery send(const Batch& batch) = 0;
  // From now on send() returns at once, a running one too, with retryable. Not undone.
  virtual void cancel() = 0;
  // Where to, for log lines: no credentials.
  [[nodiscard]] virtual std::string destination() const = 0;
};

}  // namespace sockeye::pipeline
