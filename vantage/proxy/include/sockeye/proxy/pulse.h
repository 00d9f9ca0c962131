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
#include "sockeye/model/session_record.h"
#include "sockeye/observer/connection.h"

namespace sockeye::proxy {

struct EndedSession {
  model::SessionFacts facts;
  model::SessionFigures last;
  model::SessionEnd end;
  base::WallOffset wall;  // for the recorder's times
  std::vector<model::RecordedMessage> recorder;
};

// One route's open sessions on one worker.
struct RoutePulse {
  std::string route;
  std::uint64_t open = 0;
  std::uint64_t missing_pongs = 0;  // sessions that have missed heartbeats in a row now
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
  std::vector<model::SessionFacts> opened;
  std::vector<model::SessionUpdate> changed;
  std::vector<EndedSession> ended;
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
