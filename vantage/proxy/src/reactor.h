// One epoll loop: readiness, timers, and a mailbox that other threads post to. One a worker thread.
//
// Sockets are registered once, edge-triggered, for everything, and never modified again: who cannot take an edge now
// (paused, or out of its turn) remembers it. A wake-up reads the clock once. Timers sit in a 4-ary heap and are
// re-armed lazily: an owner whose deadline moved later leaves the entry where it is and looks again when it fires, so
// the message path touches the heap only when a deadline moves earlier.
//
// Within one batch of events a handler may be destroyed by another's event, so objects are not deleted at once:
// they are freed when the batch is over. A handler that threw is asked to abandon itself (fault()); the loop goes on.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "sockeye/base/result.h"
#include "sockeye/base/time.h"

namespace sockeye::proxy {

[[nodiscard]] base::Time monotonic_now();

class Deletable {
 public:
  Deletable() = default;
  Deletable(const Deletable&) = delete;
  Deletable& operator=(const Deletable&) = delete;
  virtual ~Deletable() = default;
};

// What a descriptor's events go to.
class Handler : public Deletable {
 public:
  // `events`: epoll's bits; 0 when called again on its own request (Reactor::again).
  virtual void ready(std::uint32_t events) = 0;
  // ready() threw: let go of everything. The session is lost, the worker is not.
  virtual void fault() noexcept = 0;
  // ready() is so many events ahead, 4 to 1: prefetch what it will touch, step by step, since each thing leads to the
  // next. With a thousand connections a round, what an event needs has long left the caches; waiting for it line by
  // line was 6 % of a message's CPU time.
  static constexpr unsigned farthest = 4;
  virtual void prefetch(unsigned /*ahead*/) const noexcept {}

 private:
  friend class Reactor;
  bool again_ = false;
};

class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() = default;
  // Due; no longer armed.
  virtual void expired(base::Time now) = 0;
  virtual void timer_fault() noexcept = 0;

 private:
  friend class TimerHeap;
  static constexpr std::uint32_t idle = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t slot_ = idle;
};

class TimerHeap {
 public:
  // Arms, or moves an armed timer. base::never disarms.
  void arm(Timer&, base::Time at);
  void disarm(Timer&);
  // When it is armed for; base::never when it is not.
  [[nodiscard]] base::Time armed(const Timer& t) const {
    return t.slot_ == Timer::idle ? base::never : heap_[t.slot_].at;
  }
  [[nodiscard]] base::Time next() const { return heap_.empty() ? base::never : heap_.front().at; }
  // The earliest timer due at `now`, disarmed; nullptr when none is.
  Timer* pop(base::Time now);
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    base::Time at;
    Timer* timer;
  };
  static constexpr std::size_t arity = 4;
  void place(std::size_t slot, Entry);
  void up(std::size_t slot);
  void down(std::size_t slot);
  std::vector<Entry> heap_;
};

class Reactor {
 public:
  Reactor() = default;
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  ~Reactor();

  base::Result<void> open();

  // Runs on the calling thread until stop(). Tasks posted before stop() are run.
  void run();
  void stop();  // any thread

  // Any thread. The task runs on the loop's thread.
  void post(std::function<void()> task);

  // The loop's thread only, from here on.
  // False when the kernel refuses (ENOMEM, ENOSPC).
  [[nodiscard]] bool add(int fd, std::uint32_t events, Handler&);
  void remove(int fd);
  // ready(0) once more before the next wait, after the events at hand: how a long transfer takes turns with the others.
  void again(Handler&);
  // Likewise, but before the events of the next round: who had to leave its turn to others has the first one then.
  void put_off(Handler&);
  // Frees `object` when the current batch is over.
  void delete_later(std::unique_ptr<Deletable> object);
  void delete_deferred();
  // The handler is being destroyed: it must not be called again.
  void forget(Handler&);

  [[nodiscard]] base::Time now() const { return now_; }  // of this wake-up
  [[nodiscard]] std::uint64_t round() const { return round_; }
  // How many asked for another turn in the round before.
  [[nodiscard]] std::size_t crowd() const { return crowd_; }
  [[nodiscard]] TimerHeap& timers() { return timers_; }
  // Handlers and timers that threw.
  [[nodiscard]] std::uint64_t faults() const { return faults_; }

 private:
  void run_posted();
  static void prefetch(std::span<const epoll_event> from_now);
  void dispatch(Handler&, std::uint32_t events);
  void dispatch_again(std::vector<Handler*>& who);
  [[nodiscard]] int timeout_ms() const;

  int epoll_ = -1;
  int wake_ = -1;
  base::Time now_{};
  std::uint64_t round_ = 0;
  std::size_t crowd_ = 0;
  TimerHeap timers_;
  std::vector<Handler*> again_, put_off_, again_now_;
  std::vector<std::unique_ptr<Deletable>> deferred_;
  std::uint64_t faults_ = 0;
  bool running_ = true;

  std::mutex mutex_;  // guards posted_; held only to swap it
  std::vector<std::function<void()>> posted_;
};

}  // namespace sockeye::proxy
