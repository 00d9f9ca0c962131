// The facade: owns the workers' threads and what they share, compiles configurations, and asks the workers.
// Everything public here may be called from any thread; start, reload and drain take turns.
#include "sockeye/proxy/proxy.h"

#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "active_listener.h"
#include "address.h"
#include "worker.h"

namespace sockeye::proxy {
namespace {

constexpr auto answer_bound = std::chrono::seconds(1);
constexpr auto reload_bound = std::chrono::seconds(5);
constexpr unsigned max_workers = 256;

std::uint64_t seed() {
  std::uint64_t out = 0;
  if (::getrandom(&out, sizeof out, 0) != static_cast<ssize_t>(sizeof out))
    out = static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count());
  return out;
}

unsigned worker_count(const Config& config) {
  const unsigned wanted = config.threads != 0 ? config.threads : std::thread::hardware_concurrency();
  return std::clamp(wanted, 1U, max_workers);
}

template <class T>
std::vector<T> wait_for(Collected<T>& answers) {
  std::unique_lock lock(answers.mutex);
  answers.ready.wait_for(lock, answer_bound, [&] { return answers.waiting == 0; });
  return std::exchange(answers.found, {});
}

class Running final : public Proxy {
 public:
  Running(unsigned workers, model::SpanSink* spans, Log log, capture::Recordings* recordings)
      : commons_(workers, seed()) {
    commons_.spans = spans;
    commons_.recordings = recordings;
    commons_.log = log ? std::move(log) : [](int, const std::string&) {};
    for (unsigned i = 0; i < workers; ++i) workers_.push_back(std::make_unique<Worker>(i, commons_, seed()));
  }

  ~Running() override {
    release_all();
    for (auto& worker : workers_) worker->halt();
    for (auto& thread : threads_) thread.join();
    commons_.resolver.reset();  // its answers go to the workers' mailboxes
  }

  base::Result<void> begin(const Config& config) {
    for (auto& worker : workers_)
      if (auto opened = worker->open(); !opened) return opened;
    if (auto applied = apply(config); !applied) return applied;
    for (auto& worker : workers_) threads_.emplace_back([&worker = *worker] { worker.run(); });
    return {};
  }

  base::Result<void> reload(Config config) override {
    const std::lock_guard turn(turn_);
    if (draining_) return base::fail("the proxy is shutting down");
    auto applied = apply(config);
    if (!applied) return applied;
    if (worker_count(config) != workers_.size()) commons_.log(3, "threads: a change takes effect at the next start");
    wait_until_applied();
    commons_.log(2, "configuration reloaded");
    return {};
  }

  void drain(base::Duration timeout) override {
    std::unique_lock turn(turn_);
    const bool first = !draining_.exchange(true);
    if (first)
      commons_.log(2, "draining: no new connections; sessions still open after " +
                          std::to_string(std::chrono::duration_cast<std::chrono::seconds>(timeout).count()) +
                          " s are closed");
    struct Gate {
      std::mutex mutex;
      std::condition_variable empty;
      std::size_t waiting;
    };
    const auto gate = std::make_shared<Gate>();
    gate->waiting = workers_.size();
    const auto deadline = monotonic_now() + timeout;
    release_all();
    for (auto& worker : workers_) {
      worker->reactor().post([&worker = *worker, gate, deadline] {
        worker.drain(deadline, [gate] {
          const std::lock_guard lock(gate->mutex);
          --gate->waiting;
          gate->empty.notify_all();
        });
      });
    }
    turn.unlock();  // another drain may shorten this one
    std::unique_lock lock(gate->mutex);
    gate->empty.wait(lock, [&] { return gate->waiting == 0; });
    lock.unlock();
    if (first) commons_.log(2, "drained");
  }

  [[nodiscard]] bool draining() const override { return draining_; }

  [[nodiscard]] std::vector<Address> addresses() const override {
    const std::lock_guard lock(mutex_);
    std::vector<Address> out;
    for (const auto& listener : listeners_) out.push_back(listener.bound);
    return out;
  }

  [[nodiscard]] std::vector<model::SessionRow> sessions() const override {
    auto rows = ask<model::SessionRow>([](Worker& worker, auto into) { worker.collect(into, SIZE_MAX); });
    std::set<base::SessionId> seen;
    std::erase_if(rows, [&](const model::SessionRow& row) { return !seen.insert(row.record.facts.id).second; });
    return rows;
  }

  [[nodiscard]] std::optional<Found> session(const base::SessionId& id) const override {
    auto found = ask<Found>([id](Worker& worker, auto into) { worker.find(id, into); });
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
  }

  [[nodiscard]] capture::Recorded record(const base::SessionId& id) override {
    if (commons_.recordings == nullptr) return capture::Recorded::off;
    const auto answers = ask<capture::Recorded>([id](Worker& worker, auto into) { worker.record(id, into); });
    return answers.empty() ? capture::Recorded::unknown : answers.front();
  }

  [[nodiscard]] std::vector<model::SessionRow> ended() const override {
    auto rows = ask<model::SessionRow>([](Worker& worker, auto into) { worker.collect_ended(into); });
    std::sort(rows.begin(), rows.end(),
              [](const model::SessionRow& a, const model::SessionRow& b) { return a.now > b.now; });
    return rows;
  }

  void follow(std::size_t ended_kept) override {
    const std::size_t each = (ended_kept + workers_.size() - 1) / workers_.size();
    for (auto& worker : workers_) worker->reactor().post([&worker = *worker, each] { worker.follow(each); });
  }

  [[nodiscard]] model::SessionDeltas changes(const model::DeltaRequest& request) override {
    const std::lock_guard turn(delta_turn_);
    resync_ = resync_ || request.resync;
    model::SessionDeltas out;
    std::unique_lock lock(reports_->mutex);
    const auto idle = [&] { return reports_->walking == 0; };
    // A worker may still be busy with the last one.
    if (reports_->ready.wait_for(lock, answer_bound, idle)) {
      if (std::exchange(resync_, false)) {
        ++epoch_;
        reported_.assign(workers_.size(), false);
      }
      reports_->walking = static_cast<unsigned>(workers_.size());
      for (auto& worker : workers_) {
        const auto walk = std::make_shared<DeltaWalk>();
        walk->into = reports_;
        walk->request = request;
        walk->epoch = epoch_;
        worker->reactor().post([&worker = *worker, walk] { worker.walk(walk); });
      }
      reports_->ready.wait_for(lock, answer_bound, idle);
    }
    for (auto& report : reports_->reports) {
      if (report.epoch != epoch_ || resync_) {  // of sessions that will be reported again
        report.delta.opened.clear();
        report.delta.changed.clear();
      }
      if (report.epoch == epoch_ && report.all) reported_[report.worker] = true;
      out.workers.push_back(std::move(report.delta));
    }
    reports_->reports.clear();
    out.complete = !resync_ && std::all_of(reported_.begin(), reported_.end(), [](bool each) { return each; });
    return out;
  }

  [[nodiscard]] std::vector<model::RouteCounters> metrics() const override { return commons_.stats.all(); }
  [[nodiscard]] model::Overload overload() const override { return commons_.overload.now(); }
  [[nodiscard]] std::vector<model::MetricFamily> families() const override {
    return commons_.overload.families(commons_.memory);
  }

 private:
  struct Listening {
    std::uint64_t id = 0;
    Address configured, bound;
    int fd = -1;  // worker 0's, to tell a Unix socket's file; borrowed
  };

  // Everything that can fail comes first; then the workers are told, which cannot.
  base::Result<void> apply(const Config& config) {
    commons_.overload.configure(config.overload);
    commons_.memory.budget(config.overload.observation);
    struct Change {
      Listening listening;
      ActiveListenerPtr active;
      std::vector<Fd> fresh;  // one a worker; none: the sockets stay
    };
    std::vector<Change> changes;
    std::vector<std::string> warnings;
    if (config.listeners.empty()) return base::fail("no listener is configured");
    for (const auto& listener : config.listeners) {
      const bool twice = listener.address.port != 0 || !listener.address.unix_path.empty();
      for (const auto& earlier : changes)
        if (twice && earlier.listening.configured == listener.address)
          return base::fail("two listeners on " + listener.address.text());
      auto active = ActiveListener::compile(listener, config, commons_.stats, warnings);
      if (!active) return tl::unexpected(active.error());
      Change change;
      change.active = std::move(*active);
      change.listening.configured = listener.address;
      changes.push_back(std::move(change));
    }
    std::vector<Listening> old;
    {
      const std::lock_guard lock(mutex_);
      old = listeners_;
    }
    for (auto& change : changes) {
      const auto same = std::find_if(old.begin(), old.end(), [&](const Listening& each) {
        return each.configured == change.listening.configured;
      });
      if (same != old.end()) {
        change.listening = *same;
        old.erase(same);
        continue;
      }
      auto sockets = listen_on(change.listening.configured, static_cast<unsigned>(workers_.size()));
      if (!sockets) {
        for (auto& undone : changes)
          if (!undone.fresh.empty()) release(undone.listening);
        return tl::unexpected(sockets.error());
      }
      change.fresh = std::move(*sockets);
      change.listening.id = next_id_++;
      change.listening.fd = change.fresh.front().get();
      change.listening.bound = bound_address(change.listening.fd, change.listening.configured);
    }

    for (const auto& warning : warnings) commons_.log(3, warning);
    std::vector<Listening> now;
    for (auto& change : changes) {
      now.push_back(change.listening);
      const auto id = change.listening.id;
      if (change.fresh.empty()) {
        for (auto& worker : workers_)
          worker->reactor().post([&worker = *worker, id, active = change.active] { worker.change(id, active); });
        continue;
      }
      const auto sockets = std::make_shared<std::vector<Fd>>(std::move(change.fresh));
      for (std::size_t i = 0; i < workers_.size(); ++i)
        workers_[i]->reactor().post([&worker = *workers_[i], id, sockets, i, active = change.active] {
          worker.listen(id, std::move((*sockets)[i]), active);
        });
      commons_.log(2, "listening on " + change.listening.bound.text() + (change.active->tls ? " (TLS)" : ""));
    }
    for (auto& gone : old) {
      release(gone);
      for (auto& worker : workers_) worker->reactor().post([&worker = *worker, id = gone.id] { worker.unlisten(id); });
      commons_.log(2, "no longer listening on " + gone.bound.text());
    }
    const std::lock_guard lock(mutex_);
    listeners_ = std::move(now);
    return {};
  }

  void wait_until_applied() const {
    struct Gate {
      std::mutex mutex;
      std::condition_variable done;
      std::size_t waiting;
    };
    const auto gate = std::make_shared<Gate>();
    gate->waiting = workers_.size();
    for (const auto& worker : workers_)
      worker->reactor().post([gate] {
        const std::lock_guard lock(gate->mutex);
        --gate->waiting;
        gate->done.notify_all();
      });
    std::unique_lock lock(gate->mutex);
    gate->done.wait_for(lock, reload_bound, [&] { return gate->waiting == 0; });
  }

  // Before the socket closes: the descriptor tells whether the file is still ours.
  static void release(Listening& listener) {
    if (listener.fd >= 0 && !listener.configured.unix_path.empty())
      remove_socket_file(listener.fd, listener.configured);
    listener.fd = -1;
  }

  void release_all() {
    const std::lock_guard lock(mutex_);
    for (auto& listener : listeners_) release(listener);
  }

  template <class T, class Question>
  std::vector<T> ask(Question question) const {
    const auto answers = std::make_shared<Collected<T>>();
    answers->waiting = static_cast<unsigned>(workers_.size());
    for (const auto& worker : workers_)
      worker->reactor().post([&worker = *worker, answers, question] { question(worker, answers); });
    return wait_for(*answers);
  }

  Commons commons_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::mutex turn_;  // start, reload, drain
  std::uint64_t next_id_ = 1;
  std::atomic<bool> draining_{false};
  std::mutex delta_turn_;  // guards the four below
  const std::shared_ptr<Reports> reports_ = std::make_shared<Reports>();
  std::uint32_t epoch_ = 1;
  bool resync_ = true;
  std::vector<bool> reported_;  // by worker: every session of the epoch
  mutable std::mutex mutex_;    // guards listeners_
  std::vector<Listening> listeners_;
};

}  // namespace

base::Result<std::unique_ptr<Proxy>> Proxy::start(const Config& config, model::SpanSink* spans, Log log,
                                                  capture::Recordings* recordings) {
  auto proxy = std::make_unique<Running>(worker_count(config), spans, std::move(log), recordings);
  if (auto begun = proxy->begin(config); !begun) return tl::unexpected(begun.error());
  return proxy;
}

}  // namespace sockeye::proxy
