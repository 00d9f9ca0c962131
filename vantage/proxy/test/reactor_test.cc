#include "../src/reactor.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

#include "sockeye/base/random.h"

namespace sockeye::proxy {
namespace {

using namespace std::chrono_literals;

struct TestTimer : Timer {
  std::function<void(base::Time)> on;
  int faults = 0;
  void expired(base::Time now) override {
    if (on) on(now);
  }
  void timer_fault() noexcept override { ++faults; }
};

TEST(TimerHeap, gives_back_in_order_whatever_was_moved) {
  TimerHeap heap;
  base::Random random(7);
  std::vector<std::unique_ptr<TestTimer>> timers;
  for (int i = 0; i < 500; ++i) timers.push_back(std::make_unique<TestTimer>());
  for (int round = 0; round < 20; ++round) {
    for (auto& t : timers) {
      const auto dice = random() % 4;
      if (dice == 0) heap.disarm(*t);
      if (dice >= 2) heap.arm(*t, base::Time(std::chrono::milliseconds(random() % 1000)));
    }
    base::Time least = base::never;
    std::size_t armed = 0;
    for (auto& t : timers) {
      least = std::min(least, heap.armed(*t));
      armed += heap.armed(*t) != base::never ? 1 : 0;
    }
    EXPECT_EQ(heap.next(), least);
    EXPECT_EQ(heap.size(), armed);
  }
  base::Time last{};
  std::size_t left = heap.size();
  for (;;) {
    const base::Time at = heap.next();
    Timer* t = heap.pop(base::Time(2s));
    if (t == nullptr) break;
    EXPECT_GE(at, last);
    last = at;
    EXPECT_EQ(heap.armed(*t), base::never);
    --left;
  }
  EXPECT_EQ(left, 0U);
}

TEST(TimerHeap, pops_only_what_is_due) {
  TimerHeap heap;
  TestTimer t;
  heap.arm(t, base::Time(5s));
  EXPECT_EQ(heap.pop(base::Time(5s) - 1ns), nullptr);
  EXPECT_EQ(heap.pop(base::Time(5s)), &t);
  heap.arm(t, base::never);
  EXPECT_EQ(heap.size(), 0U);
}

struct Pipe : Handler {
  Reactor& reactor;
  int calls = 0;
  std::function<void(std::uint32_t)> on;
  explicit Pipe(Reactor& r) : reactor(r) {}
  void ready(std::uint32_t events) override {
    ++calls;
    if (on) on(events);
  }
  int faults = 0;
  void fault() noexcept override {
    ++faults;
    reactor.stop();
  }
};

struct Pair {
  int fds[2];
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
  ~Pair() {
    close(fds[0]);
    close(fds[1]);
  }
};

TEST(Reactor, survives_a_handler_that_throws) {
  Reactor reactor;
  ASSERT_TRUE(reactor.open());
  Pair pair;
  Pipe pipe(reactor);
  pipe.on = [](std::uint32_t) { throw std::runtime_error("bug"); };
  ASSERT_TRUE(reactor.add(pair.fds[0], EPOLLIN | EPOLLET, pipe));
  ASSERT_EQ(write(pair.fds[1], "x", 1), 1);
  reactor.run();
  EXPECT_EQ(pipe.faults, 1);
  EXPECT_EQ(reactor.faults(), 1U);
}

TEST(Reactor, calls_again_after_the_others_and_not_when_buried) {
  Reactor reactor;
  ASSERT_TRUE(reactor.open());
  auto a = std::make_unique<Pipe>(reactor);
  auto b = std::make_unique<Pipe>(reactor);
  Pipe* pb = b.get();
  bool b_called = false;
  pb->on = [&](std::uint32_t) { b_called = true; };
  a->on = [&](std::uint32_t events) {
    EXPECT_EQ(events, 0U);
    if (a->calls < 3) {
      reactor.again(*a);
    } else {
      reactor.forget(*pb);
      reactor.delete_later(std::move(b));
      reactor.stop();
    }
  };
  a->on(0);  // not counted: the first again comes from here
  reactor.again(*a);
  TestTimer t;
  t.on = [&](base::Time) { reactor.again(*pb); };
  reactor.run();
  EXPECT_EQ(a->calls, 3);
  EXPECT_FALSE(b_called);
}

// Who left its turn to others has the first one of the next round, before whoever asked for one more and before events.
TEST(Reactor, calls_first_who_was_put_off) {
  Reactor reactor;
  ASSERT_TRUE(reactor.open());
  Pair pair;
  Pipe again(reactor);
  Pipe late(reactor);
  Pipe event(reactor);
  std::string order;
  again.on = [&](std::uint32_t) {
    order += 'a';
    if (again.calls == 1) {
      reactor.again(again);
      reactor.put_off(late);
      ASSERT_EQ(write(pair.fds[1], "x", 1), 1);
    }
  };
  late.on = [&](std::uint32_t) { order += 'l'; };
  event.on = [&](std::uint32_t) {
    order += 'e';
    reactor.stop();
  };
  ASSERT_TRUE(reactor.add(pair.fds[0], EPOLLIN | EPOLLET, event));
  reactor.again(again);
  reactor.run();
  EXPECT_EQ(order, "alea");
}

// The loop sleeps for as long as nothing is due: a deadline that moved must still be met, neither early nor never.
TEST(Reactor, meets_deadlines_that_moved_after_it_slept_for_them) {
  Reactor reactor;
  ASSERT_TRUE(reactor.open());
  TestTimer stage, earlier, later, repeated;
  base::Time at{};
  int left = 3;
  int repeats = 0;
  const auto one_less = [&] {
    if (--left == 0) reactor.stop();
  };
  stage.on = [&](base::Time now) {
    at = now + 20ms;
    reactor.timers().arm(earlier, at - 10ms);
    reactor.timers().arm(later, at);
    reactor.timers().arm(repeated, base::Time{});  // long ago: at once
  };
  earlier.on = [&](base::Time now) {
    EXPECT_GE(now, at - 10ms);
    one_less();
  };
  later.on = [&](base::Time now) {
    EXPECT_GE(now, at);
    one_less();
  };
  repeated.on = [&](base::Time now) {
    if (++repeats == 5) return one_less();
    reactor.timers().arm(repeated, now + 1ms);
  };
  std::thread loop([&] { reactor.run(); });
  reactor.post([&] {
    reactor.timers().arm(stage, reactor.now() + 1ms);
    reactor.timers().arm(later, reactor.now() + 5ms);
    reactor.timers().arm(earlier, reactor.now() + 1h);
  });
  loop.join();
  EXPECT_EQ(left, 0);
}

TEST(Reactor, runs_posted_tasks_and_timers_from_another_thread) {
  Reactor reactor;
  ASSERT_TRUE(reactor.open());
  TestTimer t;
  std::atomic<int> fired{0};
  t.on = [&](base::Time now) {
    EXPECT_GE(now, base::Time{});
    ++fired;
    reactor.stop();
  };
  std::thread loop([&] { reactor.run(); });
  reactor.post([&] { reactor.timers().arm(t, reactor.now() + 5ms); });
  loop.join();
  EXPECT_EQ(fired, 1);
}

TEST(Reactor, a_timer_that_throws_is_told_and_the_loop_goes_on) {
  Reactor reactor;
  ASSERT_TRUE(reactor.open());
  TestTimer bad, good;
  bad.on = [](base::Time) { throw std::runtime_error("bug"); };
  good.on = [&](base::Time) { reactor.stop(); };
  reactor.timers().arm(bad, reactor.now());
  reactor.timers().arm(good, reactor.now() + 1ms);
  reactor.run();
  EXPECT_EQ(bad.faults, 1);
}

}  // namespace
}  // namespace sockeye::proxy
