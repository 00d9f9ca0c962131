// One thread of the proxy: its reactor, its listening sockets, and the connections it accepted, for their whole life.
// Nothing a message touches is shared with another worker; what is (route stats, resolver, reconnects, log) is touched
// when a session opens or ends.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "acceptor.h"
#include "active_listener.h"
#include "dial.h"
#include "downstream.h"
#include "gather.h"
#include "idle_upstreams.h"
#include "linger.h"
#include "log_throttle.h"
#include "overload.h"
#include "reactor.h"
#include "reconnects.h"
#include "resolver.h"
#include "session.h"
#include "silence_log.h"
#include "slots.h"
#include "sockeye/model/session_source.h"
#include "sockeye/observer/call.h"
#include "sockeye/observer/memory.h"
#include "sockeye/proxy/proxy.h"

namespace sockeye::proxy {

// What the workers of one proxy share. Thread-safe, and outlives them.
struct Commons {
  Commons(unsigned workers, std::uint64_t hashed_with)
      : overload(workers),
        memory(OverloadLimits{}.observation),
        stats(workers),
        resolver(std::make_unique<Resolver>(Resolver::Limits{}, [this](const std::string& line) { log(3, line); })),
        secret(hashed_with) {}
  Overload overload;
  observer::Memory memory;  // of all observations
  RouteStatsTable stats;
  std::unique_ptr<Resolver> resolver;  // goes before the workers do
  const std::uint64_t secret;          // of this process: identifiers of clients are kept hashed with it
  Reconnects reconnects;
  LogThrottle throttle;
  SilenceLog silences;
  model::SpanSink* spans = nullptr;
  capture::Recordings* recordings = nullptr;  // null: nothing is recorded
  Log log;
};

// What the workers reported since the last changes() took it. Lives on when the asker does not wait for a slow worker.
struct Reports {
  std::mutex mutex;
  std::condition_variable ready;
  unsigned walking = 0;  // workers that have not finished
  struct Report {
    unsigned worker;
    std::uint32_t epoch;
    bool all;  // no session was left out
    model::SessionDelta delta;
  };
  std::vector<Report> reports;
};

// One worker's walk for one delta.
struct DeltaWalk {
  std::shared_ptr<Reports> into;
  model::DeltaRequest request;
  std::uint32_t epoch = 0;
  std::size_t next = SIZE_MAX;  // sessions below it are still to be looked at
  bool all = true;
  model::SessionDelta delta;
};

// Answers collected from the workers; the asker waits at most so long and leaves. Shared, since a slow worker may
// answer after that.
template <class T>
struct Collected {
  std::mutex mutex;
  std::condition_variable ready;
  unsigned waiting = 0;
  std::vector<T> found;
};

class Worker final : public Timer {
 public:
  Worker(unsigned index, Commons& commons, std::uint64_t seed);
  base::Result<void> open() { return reactor_.open(); }
  // The thread's function; returns after halt(). Live sessions are then ended as by a drain whose time is over.
  void run();
  void halt() { reactor_.stop(); }

  // --- from the worker's own thread ---
  [[nodiscard]] Reactor& reactor() { return reactor_; }
  [[nodiscard]] TimerHeap& timers() { return reactor_.timers(); }
  [[nodiscard]] base::Time now() const { return reactor_.now(); }
  [[nodiscard]] Commons& commons() { return commons_; }
  [[nodiscard]] observer::Workspace& workspace() { return workspace_; }
  [[nodiscard]] model::RouteMetrics& metrics(const RouteStats& stats) const { return *stats.shards[index_]; }
  // For an Observation of that route.
  [[nodiscard]] observer::Call call(const RouteStats& stats) { return {workspace_, metrics(stats), now()}; }
  // A connection's turn begins: what it may do before the others have theirs. Shared fairly, so that however many want
  // one, a round of the loop stays near `longest_round`.
  void begin_turn();
  // The turns of this round have used it up: who is known for long ones is to wait for the next. By the clock, since
  // what a long one takes is not known from what was counted.
  [[nodiscard]] bool round_over() const { return monotonic_now() - now() >= std::chrono::nanoseconds(longest_round); }
  [[nodiscard]] bool turn_half_over() const { return 2 * workspace_.turn.left < turn_; }
  // Of a read: what it does not get through is held, so less while memory is short.
  [[nodiscard]] std::uint32_t most_read(std::uint32_t wanted) const {
    const bool short_of_memory = commons_.memory.held() > commons_.memory.budget();
    return workspace_.shedding == model::Shedding::nothing && !short_of_memory ? wanted : std::min(wanted, 16U * 1024U);
  }
  [[nodiscard]] ShedCounts& shed() { return commons_.overload.counts(index_); }
  // Whether a step of a TLS handshake, a millisecond of signing, may be taken in this round.
  bool may_shake_hands();
  // Closes a connection that has not begun a request, so that another can be taken.
  bool evict_idle();
  // Sessions so far.
  [[nodiscard]] std::uint64_t count_session() { return session_count_++; }
  // Where every read goes. Large enough that a 64 KiB message is one read, small enough to stay in the second-level
  // cache while it is written out again.
  [[nodiscard]] base::MutableBytes buffer() { return buffer_->bytes; }
  static constexpr std::size_t buffer_size = 256 * 1024;
  [[nodiscard]] Gather& gather(model::Side to) { return gather_[model::index(to)]; }
  [[nodiscard]] bool draining() const { return draining_; }

  void accepted(Fd fd, const SocketAddress& peer, const ActiveListenerPtr& listener);
  void begin(std::unique_ptr<Session> session, base::Bytes answer, base::Bytes from_client, base::Bytes from_server);
  void linger(std::unique_ptr<Leg> leg);
  void left(Downstream&);
  void left(Session&);
  void left(Linger&);
  // Asks the resolver for `dial`; null when the answer will come by Dial::resolved(). `ticket` is for forget_ticket().
  Resolver::AnswerPtr resolve(const Address&, Dial& dial, std::uint64_t& ticket);
  [[nodiscard]] IdleUpstreams& idle_upstreams() { return idle_upstreams_; }
  void forget_ticket(std::uint64_t ticket) { asked_.erase(ticket); }
  // A session ended: kept for /sessions.
  void keep_ended(model::SessionRow row);
  // And, while somebody follows, for the next delta.
  [[nodiscard]] bool followed() const { return delta_kept_ > 0; }
  void keep_for_delta(const Session& session, base::Time now);

  void log(int level, const std::string& line) const { commons_.log(level, line); }
  // A warning about something that may happen often.
  void warn(std::string_view subject, const std::string& line);

  void listen(std::uint64_t id, Fd fd, const ActiveListenerPtr& listener);
  void change(std::uint64_t id, const ActiveListenerPtr& listener);
  void unlisten(std::uint64_t id);
  // Stops accepting; closes what is idle; at `deadline` ends the sessions, and 10 s later whatever is left. `empty` is
  // called once nothing is.
  void drain(base::Time deadline, std::function<void()> empty);

  void collect(const std::shared_ptr<Collected<model::SessionRow>>& into, std::size_t below);
  void collect_ended(const std::shared_ptr<Collected<model::SessionRow>>& into);
  void follow(std::size_t ended_kept);
  void walk(const std::shared_ptr<DeltaWalk>& walk);
  void record(const base::SessionId& id, const std::shared_ptr<Collected<capture::Recorded>>& into);
  void find(const base::SessionId& id, const std::shared_ptr<Collected<model::SessionSource::Found>>& into);

  void expired(base::Time now) override;
  void timer_fault() noexcept override;

 private:
  void beat(base::Time now);
  void watch_load(base::Time now);
  void sample(base::Time now);
  void drain_step(base::Time now);
  void look(Session& session, DeltaWalk& walk);
  void end_all(base::Time now);

  const unsigned index_;
  Commons& commons_;
  Reactor reactor_;
  observer::Workspace workspace_;
  // observer::Turn's nanoseconds.
  static constexpr std::int64_t longest_turn = 500'000;
  static constexpr std::int64_t least_turn = 50'000;
  static constexpr std::int64_t longest_round = 4'000'000;
  std::int64_t turn_ = 0;        // what was granted last
  std::int64_t round_left_ = 0;  // of this round
  std::uint64_t round_ = 0;
  static constexpr unsigned most_handshakes = 4;  // TLS, in a round
  std::uint64_t handshake_round_ = 0;
  unsigned handshakes_ = 0;
  std::uint64_t session_count_ = 0;
  // On a page of its own: the kernel's copies are slower to and from an address that no cache line begins at.
  struct alignas(4096) Buffer {
    std::array<base::Byte, buffer_size> bytes;
  };
  std::unique_ptr<Buffer> buffer_;
  std::array<Gather, 2> gather_;

  std::unordered_map<std::uint64_t, std::unique_ptr<Acceptor>> acceptors_;
  Slots<Downstream> downstreams_;
  Slots<Session> sessions_;
  Slots<Linger> lingers_;
  IdleUpstreams idle_upstreams_{*this};
  std::unordered_map<std::uint64_t, Dial*> asked_;
  std::uint64_t next_ticket_ = 1;
  std::deque<model::SessionRow> ended_;

  std::size_t delta_kept_ = 0;  // 0: nobody follows
  std::deque<model::EndedSession> delta_ended_;
  std::uint64_t delta_lost_ = 0;

  // The periodic work: `slices` a second, each looking at its share of the sessions.
  static constexpr unsigned slices = 20;
  std::size_t sampled_ = 0;
  unsigned beat_ = 0;
  base::Time due_{};         // the beat that is awaited
  base::Duration used_{};    // processor time of this thread, at the last beat
  std::size_t evicted_ = 0;  // where evict_idle() looked last

  bool draining_ = false;
  base::Time drain_deadline_ = base::never;
  std::vector<std::function<void()>> drained_;
};

}  // namespace sockeye::proxy
