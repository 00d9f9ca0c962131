#include "worker.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace sockeye::proxy {
namespace {

constexpr base::Duration second = std::chrono::seconds(1);
// Sessions that are asked to close get the engine's close_timeout and the linger's bounds; what is left after this is
// cut.
constexpr base::Duration drain_margin = std::chrono::seconds(10);
// Sessions described for /sessions in one turn of the loop.
constexpr std::size_t batch = 256;
constexpr std::size_t kept_ended = 64;

base::WallOffset measure_wall(base::Time now) {
  timespec ts{};
  clock_gettime(CLOCK_REALTIME, &ts);
  return {ts.tv_sec * 1'000'000'000LL + ts.tv_nsec - now.time_since_epoch().count()};
}

}  // namespace

Worker::Worker(unsigned index, Commons& commons, std::uint64_t seed)
    : index_(index), commons_(commons), buffer_(std::make_unique_for_overwrite<Buffer>()) {
  workspace_.spans = commons.spans;
  workspace_.random = base::Random(seed);
  workspace_.wall = measure_wall(monotonic_now());
  workspace_.turn.left = 0;
  workspace_.memory = &commons.memory;
}

void Worker::run() {
  // Signals are the main thread's; and a name for top -H.
  sigset_t every;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, nullptr);
  pthread_setname_np(pthread_self(), ("worker " + std::to_string(index_)).c_str());
  due_ = monotonic_now() + second;
  timers().arm(*this, due_);
  reactor_.run();
  end_all(now());
  for (std::size_t i = sessions_.size(); i-- > 0;) sessions_[i].kill();
  for (std::size_t i = downstreams_.size(); i-- > 0;) downstreams_[i].abort();
  for (std::size_t i = lingers_.size(); i-- > 0;) lingers_[i].abort();
  if (const auto line = commons_.silences.due(base::never); !line.empty()) log(3, line);
  idle_upstreams_.clear();
  acceptors_.clear();
  reactor_.delete_deferred();
}

void Worker::begin_turn() {
  round_left_ -= turn_ - workspace_.turn.left;
  if (reactor_.round() != round_) {
    round_ = reactor_.round();
    round_left_ = longest_round;
  }
  const auto crowd = static_cast<std::int64_t>(reactor_.crowd() + 1);
  turn_ = std::clamp(std::min(longest_round / crowd, round_left_), least_turn, longest_turn);
  workspace_.turn.left = turn_;
}

bool Worker::may_shake_hands() {
  if (std::exchange(handshake_round_, reactor_.round()) != reactor_.round()) handshakes_ = 0;
  return ++handshakes_ <= most_handshakes;
}

// --- connections ---

void Worker::listen(std::uint64_t id, Fd fd, const ActiveListenerPtr& listener) {
  auto acceptor = std::make_unique<Acceptor>(*this, std::move(fd), listener);
  if (!acceptor->watch()) return log(4, "listener " + listener->text + ": the kernel refuses to watch it");
  acceptors_.emplace(id, std::move(acceptor));
}

void Worker::change(std::uint64_t id, const ActiveListenerPtr& listener) {
  idle_upstreams_.clear();  // they are the old configuration's
  if (const auto at = acceptors_.find(id); at != acceptors_.end()) at->second->change(listener);
}

void Worker::unlisten(std::uint64_t id) {
  idle_upstreams_.clear();
  const auto at = acceptors_.find(id);
  if (at == acceptors_.end()) return;
  at->second->close();
  reactor_.delete_later(std::move(at->second));
  acceptors_.erase(at);
}

void Worker::accepted(Fd fd, const SocketAddress& peer, const ActiveListenerPtr& listener) {
  prepare_stream(fd.get());
  auto transport = listener->tls ? listener->tls->accept(std::move(fd)) : Transport(std::move(fd));
  downstreams_.add(std::make_unique<Downstream>(*this, std::move(transport), peer, listener)).begin();
}

void Worker::begin(std::unique_ptr<Session> session, base::Bytes answer, base::Bytes from_client,
                   base::Bytes from_server) {
  sessions_.add(std::move(session)).begin(answer, from_client, from_server);
}

void Worker::linger(std::unique_ptr<Leg> leg) { lingers_.add(std::make_unique<Linger>(*this, std::move(leg))).begin(); }

void Worker::left(Downstream& d) { reactor_.delete_later(downstreams_.remove(d)); }
void Worker::left(Session& session) { reactor_.delete_later(sessions_.remove(session)); }
void Worker::left(Linger& l) { reactor_.delete_later(lingers_.remove(l)); }

Resolver::AnswerPtr Worker::resolve(const Address& address, Dial& dial, std::uint64_t& ticket) {
  ticket = next_ticket_++;
  auto answer = commons_.resolver->resolve(address, [this, ticket](Resolver::AnswerPtr late) {
    reactor_.post([this, ticket, late = std::move(late)] {
      const auto at = asked_.find(ticket);
      if (at == asked_.end()) return;
      Dial& asker = *at->second;
      asked_.erase(at);
      asker.resolved(late);
    });
  });
  if (answer) {
    ticket = 0;
  } else {
    asked_.emplace(ticket, &dial);
  }
  return answer;
}

void Worker::keep_ended(model::SessionRow row) {
  if (ended_.size() >= kept_ended) ended_.pop_front();
  ended_.push_back(std::move(row));
}

void Worker::warn(std::string_view subject, const std::string& line) {
  if (const auto admitted = commons_.throttle.admit(subject, line, now())) log(3, *admitted);
}

// --- periodic work ---

void Worker::expired(base::Time now) {
  watch_load(now);
  beat(now);
  due_ = now + (sessions_.empty() && downstreams_.empty() && !draining_ ? second : second / slices);
  timers().arm(*this, due_);
}

void Worker::timer_fault() noexcept {
  due_ = now() + second;
  timers().arm(*this, due_);
}

// How late this timer is tells how long an event waits for its turn, wherever the time went.
void Worker::watch_load(base::Time now) {
  timespec ts{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  const auto used = std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec);
  Overload& overload = commons_.overload;
  // Waits are rounded up to a whole millisecond.
  overload.lagged(index_, std::max(now - due_ - std::chrono::milliseconds(1), base::Duration::zero()), used - used_);
  used_ = used;
  if (index_ == 0) {
    if (overload.look(now)) {
      const auto verdict = overload.now();
      log(verdict.shedding == model::Shedding::nothing ? 2 : 3,
          "overload: " + overload.why() + "; given up now: " + std::string(model::name(verdict.shedding)));
    }
    if (beat_ % slices == 0) commons_.memory.settle();
  }
  workspace_.shedding = overload.shedding();
}

bool Worker::evict_idle() {
  constexpr std::size_t looked_at = 64;
  for (std::size_t i = 0; i < std::min(looked_at, downstreams_.size()); ++i) {
    evicted_ = evicted_ + 1 < downstreams_.size() ? evicted_ + 1 : 0;
    if (downstreams_[evicted_].give_way(now())) {
      shed().connections.add();
      return true;
    }
  }
  return false;
}

void Worker::beat(base::Time now) {
  sample(now);
  if (const auto line = commons_.silences.due(now); !line.empty()) log(3, line);
  if (++beat_ % slices == 0) workspace_.wall = measure_wall(now);
  if (draining_) drain_step(now);
}

// Each session once a second, a slice at a time, so that ten thousand of them do not hold up the loop.
void Worker::sample(base::Time) {
  const std::size_t share = (sessions_.size() + slices - 1) / slices;
  for (std::size_t i = 0; i < share; ++i) {
    if (sampled_ >= sessions_.size()) sampled_ = 0;
    sessions_[sampled_++].sample();
  }
}

// --- the end ---

void Worker::drain(base::Time deadline, std::function<void()> empty) {
  drained_.push_back(std::move(empty));
  drain_deadline_ = std::min(drain_deadline_, deadline);
  if (!draining_) {
    while (!acceptors_.empty()) unlisten(acceptors_.begin()->first);
    draining_ = true;
    for (std::size_t i = downstreams_.size(); i-- > 0;) downstreams_[i].drain();
  }
  timers().arm(*this, now() + second / slices);
  drain_step(now());
}

void Worker::drain_step(base::Time now) {
  if (now >= drain_deadline_) end_all(now);
  if (now >= drain_deadline_ && now - drain_deadline_ >= drain_margin) {
    for (std::size_t i = sessions_.size(); i-- > 0;) sessions_[i].kill();
    for (std::size_t i = lingers_.size(); i-- > 0;) lingers_[i].abort();
  }
  if (sessions_.empty() && downstreams_.empty() && lingers_.empty()) {
    for (auto& each : std::exchange(drained_, {})) each();
  }
}

void Worker::end_all(base::Time) {
  for (std::size_t i = downstreams_.size(); i-- > 0;) downstreams_[i].abort();
  for (std::size_t i = sessions_.size(); i-- > 0;)
    if (!sessions_[i].observed().close_info()) sessions_[i].shut(model::EndReason::drain, 1001, "server shutting down");
}

// --- questions ---

namespace {

template <class T>
void answer(const std::shared_ptr<Collected<T>>& into, std::vector<T> found, bool last) {
  {
    const std::lock_guard lock(into->mutex);
    std::move(found.begin(), found.end(), std::back_inserter(into->found));
    if (last) --into->waiting;
  }
  if (last) into->ready.notify_all();
}

}  // namespace

// From the back to the front, a batch a turn: a session that leaves meanwhile puts the last one in its place, which may
// then be seen twice (the asker drops doubles) but is never missed.
void Worker::collect(const std::shared_ptr<Collected<model::SessionRow>>& into, std::size_t below) {
  std::size_t at = std::min(below, sessions_.size());
  const std::size_t stop = at > batch ? at - batch : 0;
  std::vector<model::SessionRow> rows;
  rows.reserve(at - stop);
  while (at > stop) rows.push_back(sessions_[--at].row());
  answer(into, std::move(rows), at == 0);
  if (at > 0) reactor_.post([this, into, at] { collect(into, at); });
}

void Worker::collect_ended(const std::shared_ptr<Collected<model::SessionRow>>& into) {
  answer(into, {ended_.begin(), ended_.end()}, true);
}

void Worker::record(const base::SessionId& id, const std::shared_ptr<Collected<capture::Recorded>>& into) {
  std::vector<capture::Recorded> outcome;
  for (std::size_t i = 0; i < sessions_.size(); ++i)
    if (sessions_[i].observed().id() == id) outcome.push_back(sessions_[i].record());
  answer(into, std::move(outcome), true);
}

void Worker::find(const base::SessionId& id, const std::shared_ptr<Collected<model::SessionSource::Found>>& into) {
  std::vector<model::SessionSource::Found> found;
  for (std::size_t i = 0; i < sessions_.size(); ++i) {
    if (sessions_[i].observed().id() == id) found.push_back({sessions_[i].row(), sessions_[i].observed().recorder()});
  }
  answer(into, std::move(found), true);
}

}  // namespace sockeye::proxy
