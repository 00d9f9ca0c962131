// What one route asks of the observation, compiled from configuration. Immutable while any connection borrows it.
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

// H1. Our own pings: one every `interval` on each enabled leg, a pong due within `timeout`; after the `misses`-th miss
// in a row without a byte from the peer the session is closed, or only reported.
struct HeartbeatOptions {
  base::Duration interval = 30s;  // > 0
  base::Duration timeout = 10s;   // > 0
  unsigned misses = 2;            // >= 1
  bool client = true;             // ping the client leg
  bool upstream = true;           // ping the upstream leg
  enum class OnDead : std::uint8_t { close, report } on_dead = OnDead::close;
};

enum class Conformance : std::uint8_t {
  strict,  // a violation closes the session on both legs with the code RFC 6455 asks for, or refuses the handshake
  forward  // counted and passed on
};

enum class Compression : std::uint8_t {
  pass,      // compressed messages are forwarded and counted, never inflated
  observe,   // a copy is inflated (and checked)
  decline,   // the offer is stripped from the handshake
  automatic  // observe where messages are read for a dialect, else pass
};

struct FrameLimits {
  std::uint64_t frame = 16ULL << 20U;    // payload bytes of one frame → 1009
  std::uint64_t message = 64ULL << 20U;  // payload bytes of one message, inflated where we inflate → 1009
  std::uint32_t fragments = 16384;       // frames of one message, an empty last one not counted → 1008
  std::uint32_t control_rate = 200;      // control frames per second and direction, in bursts of 5 s' worth → 1008
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

// Trace context put into messages, where the dialect has a place for it. Off unless asked for: it changes what peers
// get.
struct InsertOptions {
  bool to_server = false;  // into what the client sends
  bool to_client = false;
  bool tolerated = false;  // also where the dialect knows a place that its protocol does not set aside
};

// Where the spans of invocations stand that carry no context of their own.
enum class TraceScope : std::uint8_t {
  connection,  // under the connection: one trace a session
  invocation,  // each in a trace of its own, linked to the connection
  automatic    // the first, until the session is 5 min old or has had 1,000 invocations; then the second
};

struct RouteOptions {
  std::string route = "default";  // label and sockeye.route; bounded by the configuration
  std::string vantage = "proxy";  // sockeye.vantage
  DialectOptions dialect;
  TraceScope scope = TraceScope::invocation;
  InsertOptions insert;
  double message_spans = 0;  // of data messages, so many have spans of their own (websocket.receive and .send): 0 to 1
  bool gen_ai = true;        // OpenTelemetry's GenAI attributes and metrics
  bool seed_names = false;   // signals.compat: seed
  HeartbeatOptions heartbeat;
  Conformance conformance = Conformance::strict;
  Compression compression = Compression::automatic;
  FrameLimits limits;
  base::Duration idle_timeout = 0s;   // no data message either way for this long closes 1001; 0: never
  base::Duration close_timeout = 5s;  // from the first Close (or FIN) to the end of both legs
  base::Duration segment = 5min;      // websocket.connection.segment spans; 0: none
  SamplingOptions sampling;
  PropagationOptions propagation;
  // Query parameters and headers whose values never leave the process: "query.token", "header.authorization",
  // "subprotocol".
  std::vector<std::string> redact = {"query.token",     "query.access_token",   "query.api_key", "query.key",
                                     "query.signature", "header.authorization", "header.cookie", "subprotocol"};
};

}  // namespace sockeye::observer
