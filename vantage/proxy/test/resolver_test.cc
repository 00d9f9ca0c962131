#include "../src/resolver.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace sockeye::proxy {
namespace {

using namespace std::chrono_literals;

// Collects answers from the resolver's thread.
class Mailbox {
 public:
  Resolver::Done done() {
    return [this](Resolver::AnswerPtr answer) {
      const std::lock_guard lock(mutex_);
      answers_.push_back(std::move(answer));
      changed_.notify_all();
    };
  }
  std::vector<Resolver::AnswerPtr> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, 30s, [&] { return answers_.size() >= count; }));
    return answers_;
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Resolver::AnswerPtr> answers_;
};

Resolver::AnswerPtr resolve_soon(Resolver& resolver, const Address& address) {
  Mailbox mailbox;
  if (auto answer = resolver.resolve(address, mailbox.done())) return answer;
  const auto answers = mailbox.wait_for(1);
  return answers.empty() ? nullptr : answers.front();
}

TEST(Resolver, LiteralsNeedNoThread) {
  Resolver resolver;
  Mailbox mailbox;
  for (const auto& address : {Address{"127.0.0.1", 80, ""}, Address{"::1", 80, ""}, Address{"", 0, "/run/x.sock"}}) {
    const auto answer = resolver.resolve(address, mailbox.done());
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->addresses.size(), 1U);
    EXPECT_EQ(answer->addresses.front().text(), address.text());
    EXPECT_EQ(answer->error, "");
  }
  EXPECT_EQ(mailbox.size(), 0U);
}

TEST(Resolver, LocalhostIsLoopbackWithThePortAskedFor) {
  Resolver resolver;
  const auto answer = resolve_soon(resolver, {"localhost", 8080, ""});
  ASSERT_TRUE(answer);
  ASSERT_FALSE(answer->addresses.empty()) << answer->error;
  for (const auto& address : answer->addresses) {
    EXPECT_EQ(address.port(), 8080);
    EXPECT_TRUE(address.host() == "127.0.0.1" || address.host() == "::1") << address.text();
  }
}

TEST(Resolver, AFailureNamesTheHost) {
  Resolver resolver;
  const auto answer = resolve_soon(resolver, {"no-such-host.invalid", 80, ""});
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->addresses.empty());
  EXPECT_EQ(answer->error.find("no-such-host.invalid: "), 0U) << answer->error;
  EXPECT_GT(answer->error.size(), std::string("no-such-host.invalid: ").size());
}

TEST(Resolver, AnswersAndFailuresAreKeptForTheirTime) {
  Resolver::Limits limits;
  limits.keep = 1h;
  limits.keep_failure = 1h;
  Resolver resolver(limits);
  for (const auto* host : {"localhost", "no-such-host.invalid"}) {
    const auto first = resolve_soon(resolver, {host, 80, ""});
    Mailbox unused;
    const auto second = resolver.resolve({host, 80, ""}, unused.done());
    EXPECT_EQ(second, first) << host;
    // Another port is another answer.
    EXPECT_NE(resolve_soon(resolver, {host, 81, ""}), first);
  }
}

TEST(Resolver, WhatExpiredIsAskedAgain) {
  Resolver::Limits limits;
  limits.keep = 0ms;
  Resolver resolver(limits);
  const auto first = resolve_soon(resolver, {"localhost", 80, ""});
  Mailbox mailbox;
  EXPECT_EQ(resolver.resolve({"localhost", 80, ""}, mailbox.done()), nullptr);
  const auto again = mailbox.wait_for(1);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_NE(again.front(), first);
}

// Holds the resolver's thread inside a callback, so that what is asked meanwhile queues up.
class Held {
 public:
  explicit Held(Resolver& resolver) {
    EXPECT_EQ(resolver.resolve({"localhost", 1, ""},
                               [this](const Resolver::AnswerPtr&) {
                                 std::unique_lock lock(mutex_);
                                 inside_ = true;
                                 changed_.notify_all();
                                 changed_.wait(lock, [&] { return released_; });
                               }),
              nullptr);
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, 30s, [&] { return inside_; }));
  }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool inside_ = false, released_ = false;
};

TEST(Resolver, AskersOfOneNameShareOneQuery) {
  Resolver resolver;
  Held held(resolver);
  Mailbox mailbox;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(resolver.resolve({"localhost", 2, ""}, mailbox.done()), nullptr);
  held.release();
  const auto answers = mailbox.wait_for(10);
  ASSERT_EQ(answers.size(), 10U);
  for (const auto& answer : answers) EXPECT_EQ(answer, answers.front());
}

TEST(Resolver, TooManyNamesOrAskersFailAtOnce) {
  Resolver::Limits limits;
  limits.waiting = 2;
  limits.askers = 3;
  Resolver resolver(limits);
  Held held(resolver);
  Mailbox mailbox;
  EXPECT_EQ(resolver.resolve({"localhost", 2, ""}, mailbox.done()), nullptr);
  EXPECT_EQ(resolver.resolve({"localhost", 3, ""}, mailbox.done()), nullptr);
  const auto third = resolver.resolve({"localhost", 4, ""}, mailbox.done());
  ASSERT_TRUE(third);
  EXPECT_EQ(third->error, "localhost: too many names are being looked up");
  EXPECT_EQ(resolver.resolve({"localhost", 3, ""}, mailbox.done()), nullptr);
  const auto fourth = resolver.resolve({"localhost", 3, ""}, mailbox.done());
  ASSERT_TRUE(fourth);
  EXPECT_EQ(fourth->error, "localhost: too many sessions wait for a name");
  held.release();
  EXPECT_EQ(mailbox.wait_for(3).size(), 3U);
  EXPECT_NE(resolve_soon(resolver, {"localhost", 5, ""}), nullptr);  // room again
}

TEST(Resolver, TheCacheIsBounded) {
  Resolver::Limits limits;
  limits.cached = 2;
  Resolver resolver(limits);
  for (std::uint16_t port = 1; port <= 4; ++port) resolve_soon(resolver, {"localhost", port, ""});
  Mailbox mailbox;
  EXPECT_NE(resolver.resolve({"localhost", 4, ""}, mailbox.done()), nullptr);
  EXPECT_NE(resolver.resolve({"localhost", 3, ""}, mailbox.done()), nullptr);
  EXPECT_EQ(resolver.resolve({"localhost", 1, ""}, mailbox.done()), nullptr);  // made room
  mailbox.wait_for(1);
}

TEST(Resolver, StoppingDropsAskers) {
  Mailbox mailbox;
  auto token = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = token;
  {
    auto resolver = std::make_unique<Resolver>();
    Held held(*resolver);
    EXPECT_EQ(resolver->resolve({"localhost", 2, ""}, [token, done = mailbox.done()](auto answer) { done(answer); }),
              nullptr);
    token.reset();
    std::thread stop([&] { resolver.reset(); });
    while (!alive.expired()) std::this_thread::yield();  // dropped while the thread is still inside a callback
    held.release();
    stop.join();
  }
  EXPECT_EQ(mailbox.size(), 0U);
}

TEST(Resolver, IsUsedFromManyThreads) {
  Resolver::Limits limits;
  limits.keep = 1ms;
  Resolver resolver(limits);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::uint16_t i = 0; i < 100; ++i) {
        const auto answer = resolve_soon(resolver, {"localhost", static_cast<std::uint16_t>(1 + (i + t) % 5), ""});
        ASSERT_TRUE(answer);
        EXPECT_FALSE(answer->addresses.empty());
      }
    });
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace sockeye::proxy
