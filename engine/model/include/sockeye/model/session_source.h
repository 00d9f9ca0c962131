// Where sessions are known: a proxy, a tap. Who shows them (/sessions) or reports them (the live stream) sees no more
// of a vantage than this.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"
#include "sockeye/model/metric_family.h"
#include "sockeye/model/metrics.h"
#include "sockeye/model/overload.h"
#include "sockeye/model/session.h"
#include "sockeye/model/session_record.h"

namespace sockeye::model {

// --- one session, looked at alone ------------------------------------------------------------------------------------

// What is known of one leg's pings: those a carrier sends, or those the peers send each other.
struct PingFigures {
  bool heartbeat = false;             // a carrier's pings are on for this leg
  std::optional<base::Duration> rtt;  // last pong
  std::optional<base::Duration> rtt_min;
  std::optional<base::Duration> peer_interval;  // between the peer's own last pings, or unsolicited pongs
  std::uint32_t misses = 0;                     // in a row and without a byte in between, now
  bool silent = false;                          // that condition is raised
  std::uint64_t missed_total = 0;               // late ones included
  std::uint64_t late_total = 0;                 // overdue, but other bytes came since the ping
};

// A request that has no whole reply yet.
struct OpenInvocation {
  std::uint64_t number = 0;
  std::string operation;
  Side opened_by = Side::client;
  base::Time opened;
  std::uint64_t chunks = 0;
  std::optional<base::Time> first_chunk, last_chunk;
  bool cancel_requested = false;
  std::string trace_id;  // hex; "" when not sampled
};

// What its record has not.
struct SessionDetail {
  std::string vantage;                        // where it was observed: "proxy", "tap", …
  bool attached = false;                      // in its midst: its handshake was not seen
  std::array<std::uint64_t, 2> unreadable{};  // messages that could not be read, since parts of them are missing
  ReconnectBasis reconnect_basis{};
  base::Time opened;
  std::array<DirectionCounts, 2> counts;      // by sender
  std::array<PingFigures, 2> pings;           // by leg
  std::array<base::Time, 2> last_received;    // any byte, by leg
  std::array<base::Time, 2> last_message;     // data messages, by sender; opened when none yet
  std::array<base::Duration, 2> longest_gap;  // between data messages of one sender
  std::optional<CloseInfo> close;
  std::string dialect_basis;                // why its messages are read as what they are; "" nothing was looked for
  std::vector<OpenInvocation> invocations;  // oldest first
  std::optional<base::Duration> application_rtt;
  std::optional<base::Time> last_application_beat;
};

struct SessionRow {
  SessionRecord record;
  SessionDetail detail;
  base::Time now;  // of the snapshot
  base::WallOffset wall;
};

// --- what changed ----------------------------------------------------------------------------------------------------

struct EndedSession {
  SessionRecord record;
  base::WallOffset wall;  // for the recorder's times
  std::vector<RecordedMessage> recorder;
};

// One route's open sessions on one worker.
struct RouteDelta {
  std::string route;
  std::uint64_t open = 0;
  std::uint64_t missing_pongs = 0;  // sessions that have missed heartbeats in a row now
  std::uint64_t invocations_open = 0;
  std::array<std::vector<std::uint64_t>, 2> rtt_ns;  // by leg: each session's last pong
};

struct WatchedSession {
  base::SessionId id;
  base::WallOffset wall;
  std::vector<RecordedMessage> recorder;
  std::vector<OpenInvocation> invocations;
};

// Since the last one: facts of sessions that are new, figures of those whose figures changed, and those that ended.
struct SessionDelta {
  std::vector<SessionFacts> opened;
  std::vector<SessionUpdate> changed;
  std::vector<EndedSession> ended;
  std::uint64_t ended_lost = 0;  // more ended than are kept
  std::vector<RouteDelta> routes;
  std::vector<WatchedSession> watched;
  // Of finding it out, for measuring that; processor time.
  std::uint64_t walked = 0;
  base::Duration busy{}, longest_step{};
};

struct DeltaRequest {
  bool resync = false;  // every open session counts as new
  // Sessions reported as new in one delta, by each worker; the rest with the next ones.
  std::size_t opened_most = 10'000;
  std::vector<base::SessionId> watch;  // few
};

struct SessionDeltas {
  std::vector<SessionDelta> workers;
  bool complete = false;  // every session that was open at the last resync has been among `opened`
};

// Thread-safe.
class SessionSource {
 public:
  virtual ~SessionSource() = default;

  // Live sessions, in no particular order.
  [[nodiscard]] virtual std::vector<SessionRow> sessions() const = 0;
  // One live session and its flight recorder, oldest first; none when there is no such live session.
  struct Found {
    SessionRow row;
    std::vector<RecordedMessage> recorder;
  };
  [[nodiscard]] virtual std::optional<Found> session(const base::SessionId&) const = 0;
  // Those that ended lately (64 a worker), newest first, so that a person can still see how and why a session went.
  [[nodiscard]] virtual std::vector<SessionRow> ended() const = 0;

  // From now on sessions that end are kept for changes(), at most so many of the latest; 0: no longer.
  virtual void follow(std::size_t ended_kept) = 0;
  // What changed since the last call; waits at most 1 s. What is found out later than that comes with the next call,
  // nothing is lost. One caller at a time.
  [[nodiscard]] virtual SessionDeltas changes(const DeltaRequest&) = 0;

  // Shards live as long as the source; counters never go back.
  [[nodiscard]] virtual std::vector<RouteCounters> metrics() const = 0;
  // What else there is to say of the vantage as a whole.
  [[nodiscard]] virtual std::vector<MetricFamily> families() const { return {}; }
  [[nodiscard]] virtual Overload overload() const { return {}; }
  // No new sessions are taken.
  [[nodiscard]] virtual bool draining() const = 0;
};

}  // namespace sockeye::model
