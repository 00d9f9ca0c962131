#include "reactor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "sockeye/base/prefetch.h"

namespace sockeye::proxy {

base::Time monotonic_now() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return base::Time(std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec));
}

void TimerHeap::place(std::size_t slot, Entry entry) {
  entry.timer->slot_ = static_cast<std::uint32_t>(slot);
  heap_[slot] = entry;
}

void TimerHeap::up(std::size_t slot) {
  const Entry entry = heap_[slot];
  while (slot > 0) {
    const std::size_t parent = (slot - 1) / arity;
    if (heap_[parent].at <= entry.at) break;
    place(slot, heap_[parent]);
    slot = parent;
  }
  place(slot, entry);
}

void TimerHeap::down(std::size_t slot) {
  const Entry entry = heap_[slot];
  for (;;) {
    const std::size_t first = slot * arity + 1;
    if (first >= heap_.size()) break;
    const std::size_t last = std::min(first + arity, heap_.size());
    std::size_t least = first;
    for (std::size_t i = first + 1; i < last; ++i)
      if (heap_[i].at < heap_[least].at) least = i;
    if (heap_[least].at >= entry.at) break;
    place(slot, heap_[least]);
    slot = least;
  }
  place(slot, entry);
}

void TimerHeap::arm(Timer& timer, base::Time at) {
  if (at == base::never) {
    disarm(timer);
    return;
  }
  if (timer.slot_ == Timer::idle) {
    heap_.push_back({at, &timer});
    up(heap_.size() - 1);
    return;
  }
  const std::size_t slot = timer.slot_;
  const bool earlier = at < heap_[slot].at;
  heap_[slot].at = at;
  if (earlier) {
    up(slot);
  } else {
    down(slot);
  }
}

void TimerHeap::disarm(Timer& timer) {
  if (timer.slot_ == Timer::idle) return;
  const std::size_t slot = timer.slot_;
  timer.slot_ = Timer::idle;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (slot == heap_.size()) return;
  place(slot, last);
  up(slot);
  down(last.timer->slot_);
}

Timer* TimerHeap::pop(base::Time now) {
  if (heap_.empty() || heap_.front().at > now) return nullptr;
  Timer* timer = heap_.front().timer;
  disarm(*timer);
  return timer;
}

Reactor::~Reactor() {
  if (wake_ >= 0) close(wake_);
  if (epoll_ >= 0) close(epoll_);
}

base::Result<void> Reactor::open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return base::fail(std::string("epoll_create1: ") + std::strerror(errno));
  wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_ < 0) return base::fail(std::string("eventfd: ") + std::strerror(errno));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // the mailbox
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0)
    return base::fail(std::string("epoll_ctl: ") + std::strerror(errno));
  now_ = monotonic_now();
  return {};
}

bool Reactor::add(int fd, std::uint32_t events, Handler& handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Reactor::remove(int fd) { epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

void Reactor::again(Handler& handler) {
  if (handler.again_) return;
  handler.again_ = true;
  again_.push_back(&handler);
}

void Reactor::put_off(Handler& handler) {
  if (handler.again_) return;
  handler.again_ = true;
  put_off_.push_back(&handler);
}

void Reactor::delete_later(std::unique_ptr<Deletable> object) { deferred_.push_back(std::move(object)); }

void Reactor::delete_deferred() {
  while (!deferred_.empty()) {  // a destructor may defer others in turn
    auto dead = std::exchange(deferred_, {});
    dead.clear();
  }
}

void Reactor::forget(Handler& handler) {
  if (!handler.again_) return;
  handler.again_ = false;
  std::replace(again_.begin(), again_.end(), &handler, static_cast<Handler*>(nullptr));
  std::replace(put_off_.begin(), put_off_.end(), &handler, static_cast<Handler*>(nullptr));
  std::replace(again_now_.begin(), again_now_.end(), &handler, static_cast<Handler*>(nullptr));
}

void Reactor::post(std::function<void()> task) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(task));
  }
  if (first) {
    const std::uint64_t one = 1;
    // EAGAIN means the counter is full: the loop is awake already.
    [[maybe_unused]] const auto n = write(wake_, &one, sizeof one);
  }
}

void Reactor::stop() {
  post([this] { running_ = false; });
}

void Reactor::run_posted() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = read(wake_, &count, sizeof count);
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) {
    try {
      task();
    } catch (...) {
      ++faults_;
    }
  }
}

void Reactor::dispatch(Handler& handler, std::uint32_t events) {
  try {
    handler.ready(events);
  } catch (...) {
    ++faults_;
    handler.fault();
  }
}

// Those who ask once more wait for the next round.
void Reactor::dispatch_again(std::vector<Handler*>& who) {
  again_now_.swap(who);
  for (std::size_t i = 0; i < again_now_.size(); ++i) {
    Handler* handler = again_now_[i];
    if (handler == nullptr) continue;
    handler->again_ = false;
    dispatch(*handler, 0);
  }
  again_now_.clear();
}

int Reactor::timeout_ms() const {
  if (!again_.empty() || !put_off_.empty()) return 0;
  const base::Time next = timers_.next();
  if (next == base::never) return -1;
  if (next <= now_) return 0;
  // Rounded up: waking a fraction of a millisecond early would spin.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - now_).count();
  return static_cast<int>(std::min<decltype(wait)>(wait, 60'000));
}

void Reactor::prefetch(std::span<const epoll_event> from_now) {
  const auto handler = [&](std::size_t i) {
    return i < from_now.size() ? static_cast<const Handler*>(from_now[i].data.ptr) : nullptr;
  };
  if (const Handler* const next = handler(Handler::farthest + 1)) base::prefetch(next, 128);
  for (unsigned ahead = Handler::farthest; ahead > 0; --ahead)
    if (const Handler* const each = handler(ahead)) each->prefetch(ahead);
}

void Reactor::run() {
  std::array<epoll_event, 256> events;
  now_ = monotonic_now();
  while (running_) {
    const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms());
    now_ = monotonic_now();
    ++round_;
    crowd_ = again_.size() + put_off_.size();
    dispatch_again(put_off_);
    bool mail = false;
    for (int i = 0; i < n; ++i) {
      auto& event = events[static_cast<std::size_t>(i)];
      prefetch(std::span(events).subspan(static_cast<std::size_t>(i), static_cast<std::size_t>(n - i)));
      if (event.data.ptr == nullptr) {
        mail = true;
      } else {
        dispatch(*static_cast<Handler*>(event.data.ptr), event.events);
      }
    }
    dispatch_again(again_);
    while (Timer* timer = timers_.pop(now_)) {
      try {
        timer->expired(now_);
      } catch (...) {
        ++faults_;
        timer->timer_fault();
      }
    }
    if (mail) run_posted();
    if (!deferred_.empty()) delete_deferred();
  }
}

}  // namespace sockeye::proxy
