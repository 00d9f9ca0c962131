// What a route asks of whoever carries its sessions, compiled from configuration. Immutable while any Connection
// borrows it. What it asks of the observation is observer::Options.
#pragma once

#include <cstdint>

#include "sockeye/base/time.h"

namespace sockeye::relay {

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

struct FrameLimits {
  std::uint64_t frame = 16ULL << 20U;    // payload bytes of one frame → 1009
  std::uint64_t message = 64ULL << 20U;  // payload bytes of one message on the wire → 1009
  std::uint32_t fragments = 16384;       // frames of one message, an empty last one not counted → 1008
  std::uint32_t control_rate = 200;      // control frames per second and direction, in bursts of 5 s' worth → 1008
};

// Trace context put into messages, where the dialect has a place for it. Off unless asked for: it changes what peers
// get.
struct InsertOptions {
  bool to_server = false;  // into what the client sends
  bool to_client = false;
  bool tolerated = false;  // also where the dialect knows a place that its protocol does not set aside
};

struct Options {
  HeartbeatOptions heartbeat;
  Conformance conformance = Conformance::strict;
  bool decline_compression = false;  // the offer is stripped from the handshake
  FrameLimits limits;
  InsertOptions insert;
  base::Duration idle_timeout = 0s;   // no data message either way for this long closes 1001; 0: never
  base::Duration close_timeout = 5s;  // from the first Close (or FIN) to the end of both legs
};

}  // namespace sockeye::relay
