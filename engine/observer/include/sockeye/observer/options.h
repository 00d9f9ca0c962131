// What one route asks of the observation, compiled from configuration. Immutable while any Observation borrows it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sockeye/base/time.h"

namespace sockeye::dialect {
class Program;
}

namespace sockeye::observer {

using namespace std::chrono_literals;  // NOLINT: durations below read as the configuration does

// Whether compressed messages are inflated (a copy of them), which reading and checking them takes.
enum class Inflate : std::uint8_t {
  automatic,  // where messages are read for a dialect
  always,
  never
};

struct SamplingOptions {
  double ratio = 1.0;        // of new traces, by trace id (OpenTelemetry TraceIdRatioBased)
  bool parent_based = true;  // a remote parent's sampled flag decides
  // Invocations that are exported whatever the ratio says.
  bool keep_errors = true;
  bool keep_stuck = true;          // that never got their reply
  base::Duration keep_slow = 10s;  // that took this long; 0: none
};

struct PropagationOptions {
  bool tracecontext = true;
  bool b3 = true;  // extracted: single and multi; injected: only when `b3_inject`
  bool b3_inject = false;
  bool baggage = true;  // passed on as it came
  // Context in the URL's query (traceparent=) or a subprotocol (traceparent.VALUE), where no header has any: read, or
  // read and not passed on.
  enum class Browser : std::uint8_t { off, extract, remove } browser = Browser::extract;
};

// The application protocol inside the messages (engine/dialect).
struct DialectOptions {
  enum class Mode : std::uint8_t {
    none,       // messages are counted, never looked into
    automatic,  // from the handshake or the first messages, or none
    fixed
  };
  Mode mode = Mode::none;
  std::shared_ptr<const dialect::Program> program;  // fixed
  // automatic: those to choose from; null: the built-in ones.
  std::shared_ptr<const std::vector<std::shared_ptr<const dialect::Program>>> known;
};

// Where the spans of invocations stand that carry no context of their own.
enum class TraceScope : std::uint8_t {
  connection,  // under the connection: one trace a session
  invocation,  // each in a trace of its own, linked to the connection
  automatic    // the first, until the session is 5 min old or has had 1,000 invocations; then the second
};

struct Options {
  std::string route = "default";  // label and sockeye.route; bounded by the configuration
  std::string vantage = "proxy";  // sockeye.vantage
  DialectOptions dialect;
  TraceScope scope = TraceScope::invocation;
  double message_spans = 0;  // of data messages, so many have spans of their own (websocket.receive and .send): 0 to 1
  bool gen_ai = true;        // OpenTelemetry's GenAI attributes and metrics
  bool seed_names = false;   // signals.compat: seed
  Inflate inflate = Inflate::automatic;
  std::uint64_t inflated = 64ULL << 20U;  // bytes a message may inflate to: more is an anomaly, and no longer read
  base::Duration segment = 5min;          // websocket.connection.segment spans; 0: none
  bool close_reasons = true;              // false: a replay of what has no payload, where their bytes are zeros
  SamplingOptions sampling;
  PropagationOptions propagation;
  // Query parameters and headers whose values never leave the process: "query.token", "header.authorization",
  // "subprotocol".
  std::vector<std::string> redact = {"query.token",     "query.access_token",   "query.api_key", "query.key",
                                     "query.signature", "header.authorization", "header.cookie", "subprotocol"};
};

}  // namespace sockeye::observer
