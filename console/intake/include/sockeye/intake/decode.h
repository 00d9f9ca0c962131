// OTLP requests → store::Batch, and the answers to them. Sans-I/O: bytes in, values out; no exception leaves.
// Source: OpenTelemetry protocol specification 1.5, opentelemetry-proto 1.x (collector/*/v1), JSON mapping included.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sockeye/base/bytes.h"
#include "sockeye/base/result.h"
#include "sockeye/store/batch.h"

namespace sockeye::intake {

enum class Signal : std::uint8_t { traces, logs, metrics };
enum class Format : std::uint8_t { protobuf, json };

// What became of the records of a request. Rejected ones are named in partial_success; one bad span rejects nothing
// but itself.
struct Tally {
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;
  std::string message;  // why, of the first few kinds; "" when nothing was rejected
};

// `body` is decompressed. Appends to `batch`, which copies nothing it can adopt. An error is a request that is no OTLP
// at all (malformed protobuf or JSON, too deep): answer 400 / INVALID_ARGUMENT, nothing of it is kept. Metrics are
// counted and all rejected, with a message that says where to send them instead: this console keeps traces and logs.
[[nodiscard]] base::Result<Tally> decode(Signal, Format, std::string&& body, store::Batch& batch);

// ExportTraceServiceResponse & co.; partial_success only when something was rejected.
[[nodiscard]] std::string success(Signal, Format, const Tally&);
// google.rpc.Status, for what is refused. `code` as in google.rpc.Code. `retry_after_ms` > 0 adds RetryInfo.
[[nodiscard]] std::string status(Format, int code, std::string_view message, std::uint64_t retry_after_ms = 0);

// A value as plain JSON, by one rule at every depth: integers beyond 2^53 - 1 of either sign are text, and so are NaN,
// Infinity and -Infinity; bytes are base64 (standard alphabet, padded). Arrays and maps, which are kept serialized
// (store::Value), are shown down to `depth` levels: by default all that decode() keeps.
[[nodiscard]] std::string to_json(const store::Value&, int depth = 33);
// The same as OTLP/JSON spells an AnyValue: {"intValue":"5"}; {} for the empty one.
[[nodiscard]] std::string to_otlp_json(const store::Value&);

}  // namespace sockeye::intake
