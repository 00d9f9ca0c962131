// What became of the proxy's sessions since the last look, for one that reports them elsewhere: facts of those that are
// new, figures of those whose figures changed, and those that ended. Costs a message nothing: a worker walks over its
// sessions when asked and compares what it sees with a hash of what it told last.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"
#include "sockeye/model/session.h"
#include "sockeye/observer/connection.h"

namespace sockeye::proxy {

struct SessionFacts {
  base::SessionId id;
  std::string route, client, target, host, subprotocol, extensions;  // redacted
  std::string server;                                                // upstream as configured
  std::string trace_id;                                              // hex; "" when not sampled
  std::uint64_t opened_unix_ns = 0;
  std::optional<base::SessionId> reconnect_of;
};

// Absolute. By sender: messages, bytes, last_message; by leg: the rest.
struct SessionFigures {
  base::SessionId id;
  model::SessionState state = model::SessionState::open;
  std::uint16_t dialect = 0;  // index into WorkerPulse::dialects
  std::array<std::uint64_t, 2> messages{}, bytes{}, buffered{};
  std::array<std::optional<base::Duration>, 2> rtt;
  std::array<std::uint32_t, 2> misses{};
  std::uint64_t missed_total = 0, anomalies = 0;
  std::uint32_t invocations_open = 0;
  std::array<std::uint64_t, 2> last_message_unix_ns{};  // 0: none yet
};

struct SessionEnd {
  SessionFacts facts;
  SessionFigures last;
  std::string dialect;
  std::uint64_t ended_unix_ns = 0;
  model::CloseInfo close;
  base::WallOffset wall;  // for the recorder's times
  std::vector<model::RecordedMessage> recorder;
};

// One route's open sessions on one worker.
struct RoutePulse {
  std::string route;
  std::uint64_t open = 0;
  std::uint64_t missing = 0;  // sessions that have missed heartbeats in a row now
  std::uint64_t invocations_open = 0;
  std::array<std::vector<std::uint64_t>, 2> rtt_ns;  // by leg: each session's last pong
};

struct WatchedSession {
  base::SessionId id;
  base::WallOffset wall;
  std::vector<model::RecordedMessage> recorder;
  std::vector<observer::OpenInvocation> invocations;
};

struct WorkerPulse {
  std::vector<SessionFacts> opened;
  std::vector<SessionFigures> changed;
  std::vector<std::string> dialects;
  std::vector<SessionEnd> ended;
  std::uint64_t ended_lost = 0;  // since the last pulse: more ended than are kept
  std::vector<RoutePulse> routes;
  std::vector<WatchedSession> watched;
  // Of the walk, for measuring it; processor time.
  std::uint64_t walked = 0;
  base::Duration busy{}, longest_step{};
};

struct PulseRequest {
  bool anew = false;  // every open session counts as new
  // Sessions told as new in one pulse, by each worker; the rest with the next ones.
  std::size_t opened_most = 10'000;
  std::vector<base::SessionId> watch;  // few
};

struct Pulse {
  std::vector<WorkerPulse> workers;
  bool all_told = false;  // every session that was open at the last `anew` has been among `opened`
};

}  // namespace sockeye::proxy
