// The facade of the engine: one Handshake, then one Connection, per observed WebSocket.
//
//   Handshake ──request()──▶ injected() ──accepted()──▶ Connection ──feed()/tick()──▶ … ──finish()
//
// Sans-I/O: bytes and time come in as arguments; what must be written goes out through an Outlet, spans through a
// SpanSink, counts into RouteMetrics. A Connection is used by one thread. Nothing here throws; steady state allocates
// nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/ids.h"
#include "sockeye/base/random.h"
#include "sockeye/base/time.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/http_head.h"
#include "sockeye/model/metrics.h"
#include "sockeye/model/session.h"
#include "sockeye/model/span.h"
#include "sockeye/observer/options.h"

namespace sockeye::observer {

struct Workbench;  // what reading messages needs, shared by the connections of a thread

// One a worker thread; outlives its connections.
struct Environment {
  model::SpanSink* spans = nullptr;  // null: no tracing
  base::Random random{0};
  base::WallOffset wall;     // the vantage refreshes it
  std::uint64_t opened = 0;  // sessions so far: spreads first pings evenly (golden-ratio sequence)
  std::shared_ptr<Workbench> workbench = nullptr;  // made by the first connection that needs it
};

enum class Finish : std::uint8_t {
  // Write what is queued, then FIN; keep reading, and feeding what is read, until the peer's FIN. While the other leg
  // is not
  // finished it may still be owed those bytes (half-close); once both are, they are discarded and the vantage's linger
  // time bounds how long the leg is kept.
  flush,
  abort  // drop what is queued and release the leg now
};

// What a vantage does for the engine. A passive vantage ignores all of it. Calls come only from inside a Connection's
// methods, in the order the bytes must have on the wire.
class Outlet {
 public:
  virtual ~Outlet() = default;
  // Bytes that `from` sent go to the other leg as they are. Valid until the Connection method that called returns.
  virtual void forward(model::Side from, base::Bytes bytes) = 0;
  // A frame of ours to the leg `to`. Valid during this call only: copy it.
  virtual void inject(model::Side to, base::Bytes frame) = 0;
  // Nothing more will be forwarded or injected to `leg`. May be called once a leg.
  virtual void finish(model::Side leg, Finish how) = 0;
  // Asked when a pong is overdue: is our ping still stuck behind unsent bytes that the peer keeps acknowledging (a slow
  // reader, not a dead one)? True extends the deadline by one timeout.
  virtual bool advancing(model::Side leg) = 0;
  // The heartbeat's last allowed pong was missed and no byte has come from the peer since `since`. The session is about
  // to be closed for it, or (heartbeat.on_dead: report) goes on.
  virtual void silent(model::Side /*leg*/, base::Time /*since*/, base::Time /*now*/) {}
};

// Facts of the transport, for spans and /sessions.
struct Endpoints {
  std::string client_address;  // without port; after trusted forwarding headers were applied
  std::uint16_t client_port = 0;
  std::string server_address;  // upstream host as configured
  std::uint16_t server_port = 0;
  bool tls = false;  // on the client leg
};

struct LegView {
  bool heartbeat = false;             // our pings are on for this leg
  std::optional<base::Duration> rtt;  // last pong to a ping of ours
  std::optional<base::Duration> rtt_min;
  std::optional<base::Duration> peer_ping_interval;  // between the peer's own last pings, or unsolicited pongs
  unsigned misses = 0;                               // in a row and without a byte in between, now
  bool silent = false;                               // as many as are allowed, or more
  std::uint64_t missed_total = 0;                    // late ones included
  std::uint64_t late_total = 0;                      // overdue, but other bytes came since the ping
  base::Time last_received;                          // any byte
};

// A request that has no whole reply yet.
struct OpenInvocation {
  std::uint64_t number = 0;
  std::string operation;
  model::Side opened_by = model::Side::client;
  base::Time opened;
  std::uint64_t chunks = 0;
  std::optional<base::Time> first_chunk, last_chunk;
  bool cancel_requested = false;
  std::string trace_id;  // hex; "" when not sampled
};

// A copy of what is known now, for /sessions.
struct SessionView {
  base::SessionId id;
  std::string route, method_target, host, subprotocol, extensions, client_address;  // target and subprotocol redacted
  std::optional<base::SessionId> reconnect_of;
  model::ReconnectBasis reconnect_basis{};
  std::string trace_id;  // hex; "" when not sampled
  model::SessionState state = model::SessionState::open;
  base::Time opened;
  std::array<model::DirectionCounts, 2> counts;  // by sender
  std::array<LegView, 2> legs;
  std::array<base::Time, 2> last_message;     // data messages, by sender; opened when none yet
  std::array<base::Duration, 2> longest_gap;  // between data messages of one sender
  std::optional<model::CloseInfo> close;
  std::uint64_t anomalies = 0;
  std::string dialect = "none", dialect_basis;  // what the messages are read as, and why; "" nothing was looked for
  std::vector<OpenInvocation> invocations;      // oldest first
  std::optional<base::Duration> application_rtt;
  std::optional<base::Time> last_application_beat;
};

// What of a session changes, without a single allocation: to be looked at for every session of a worker, once a second.
struct Glance {
  model::SessionState state = model::SessionState::open;
  std::string_view dialect;                          // "none" while there is none; valid until the next call
  std::array<std::uint64_t, 2> messages{};           // data messages, by sender
  std::array<std::uint64_t, 2> bytes{};              // their payload on the wire
  std::array<std::optional<base::Duration>, 2> rtt;  // last pong to a ping of ours, by leg
  std::array<std::uint32_t, 2> misses{};             // in a row and without a byte in between, now
  std::uint64_t missed_total = 0;                    // both legs
  std::uint64_t anomalies = 0;
  std::uint32_t invocations_open = 0;
  std::array<base::Time, 2> last_message;  // data messages, by sender; opened when none yet
};

class Connection {
 public:
  virtual ~Connection() = default;  // finish() first

  // Bytes received from `from`. Cannot fail: what the peer did wrong is counted, and under strict conformance ends the
  // session through the Outlet. Incomplete frame headers and control frames are held back (at most 131 bytes) until
  // complete.
  virtual void feed(model::Side from, base::Bytes bytes, base::Time now) = 0;
  // The leg's transport ended: in order (FIN), or with an error (RST, TLS failure, kernel timeout).
  virtual void eof(model::Side leg, base::Time now) = 0;
  virtual void reset(model::Side leg, base::Time now) = 0;
  // Back-pressure: while reading from `leg` is paused its pongs cannot be seen, so its pong deadline stands still.
  virtual void reading(model::Side leg, bool paused, base::Time now) = 0;
  // Ends the session from our side: Close with `code` and `reason` on both legs, at a frame boundary where there is
  // one.
  virtual void shut(model::EndReason why, std::uint16_t code, std::string_view reason, base::Time now) = 0;

  // All about time. next_deadline() may move earlier or later after any call; tick() before the deadline is harmless.
  [[nodiscard]] virtual base::Time next_deadline() const = 0;
  virtual void tick(base::Time now) = 0;

  // Both legs are gone: counts the close, emits the connection span. Once; nothing but the view may follow.
  virtual void finish(base::Time now) = 0;
  // How it ended; set from the first Close, EOF, RST or shut().
  [[nodiscard]] virtual const std::optional<model::CloseInfo>& close_info() const = 0;

  [[nodiscard]] virtual const base::SessionId& id() const = 0;
  // Where this lies, for who wants it in the processor's caches before it calls feed(). Not to be read.
  [[nodiscard]] virtual base::Bytes footprint() const = 0;
  // It is there: fetch what it leads to, which feed() will touch in 2 events or in 1.
  virtual void warm(unsigned ahead) const noexcept = 0;
  [[nodiscard]] virtual SessionView view(base::Time now) const = 0;
  [[nodiscard]] virtual Glance glance() const = 0;
  // Oldest first, at most model::flight_recorder_size.
  [[nodiscard]] virtual std::vector<model::RecordedMessage> recorder() const = 0;
};

class Handshake {
 public:
  // `options` and `metrics` (one per route and worker) and `environment` are borrowed for the life of the Connection
  // too.
  Handshake(const RouteOptions& options, model::RouteMetrics& metrics, Environment& environment, Endpoints endpoints,
            base::Time first_byte);
  ~Handshake();
  Handshake(Handshake&&) noexcept;
  Handshake& operator=(Handshake&&) noexcept;

  // The request head, parsed. Extracts W3C or B3 context, decides sampling. Keeps what spans need; `head` is not kept.
  void request(const model::HttpHead& head, base::Time now);
  // Header fields to send upstream in place of any of the same name: traceparent, tracestate (and b3 when configured).
  // A field with an empty value only takes the client's away. None without a span sink: what the client sent passes as
  // it is. Baggage is an end-to-end field and passes by itself unless propagation.baggage is off.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& injected() const;
  // The request's path and query without trace context: what the same page asks for again when it reconnects. It is
  // also what goes upstream where propagation.browser is `remove`; else "".
  [[nodiscard]] std::string_view bare_target() const;
  [[nodiscard]] std::string_view upstream_target() const;
  // What the 101 has to select where upstream selects nothing: a page whose only offer was its trace context, which was
  // not passed on, would not take an answer without one. Else "".
  [[nodiscard]] std::string_view answered_subprotocol() const;
  void reconnect_of(const base::SessionId&, model::ReconnectBasis);
  [[nodiscard]] const base::SessionId& id() const;

  // The upgrade failed: counted as reject (and `kind` as an anomaly unless none), handshake span with an error.
  void refused(int status, model::Anomaly kind, std::string_view why, base::Time now);
  // The answer broke a rule and is passed on all the same (conformance: forward): counted, here and in the session.
  void passed_on(model::Anomaly kind);
  // 101 was sent: counted as accept, handshake span emitted, the connection begins. The response must have passed
  // wire::check_switching.
  std::unique_ptr<Connection> accepted(const model::HttpHead& request, const model::HttpHead& response, Outlet& outlet,
                                       base::Time now);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sockeye::observer
