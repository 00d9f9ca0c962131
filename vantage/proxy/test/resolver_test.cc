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

// A name server to be told what to say. It says nothing while held.
class NameServer {
 public:
  Resolver::LookUp look_up() {
    return [this](const std::string& host, std::uint16_t port) {
      std::unique_lock lock(mutex_);
      ++asked_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return !held_; });
      auto answer = answer_;
      for (auto& address : answer.addresses) address = *literal_address({address.host(), port, ""});
      if (!answer.error.empty()) answer.error = host + ": " + answer.error;
      return std::make_shared<const Resolver::Answer>(std::move(answer));
    };
  }
  void is_at(const std::string& address) { say({{*literal_address({address, 1, ""})}, "", false}); }
  void fails() { say({{}, "no answer", false}); }
  void denies() { say({{}, "no such name", true}); }
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  int asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void say(Resolver::Answer answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  Resolver::Answer answer_;
  int asked_ = 0;
  bool held_ = false;
};

struct Lines {
  Resolver::Warn warn() {
    return [this](const std::string& line) {
      const std::lock_guard lock(mutex);
      all.push_back(line);
    };
  }
  std::vector<std::string> now() {
    const std::lock_guard lock(mutex);
    return all;
  }
  std::mutex mutex;
  std::vector<std::string> all;
};

std::string where(const Resolver::AnswerPtr& answer) {
  return answer && !answer->addresses.empty() ? answer->addresses.front().text() : "nowhere";
}

TEST(Resolver, ANameThatCannotBeLookedUpKeepsItsAddresses) {
  Resolver::Limits limits;
  limits.keep = limits.keep_failure = 0ms;
  NameServer names;
  Lines lines;
  Resolver resolver(limits, lines.warn(), names.look_up());
  names.is_at("192.0.2.1");
  EXPECT_EQ(where(resolve_soon(resolver, {"backend", 80, ""})), "192.0.2.1:80");
  names.fails();
  EXPECT_EQ(where(resolve_soon(resolver, {"backend", 80, ""})), "192.0.2.1:80");
  // From now on nobody waits for the look-up, which goes on behind.
  Mailbox unused;
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (names.asked() < 6) {
    ASSERT_EQ(where(resolver.resolve({"backend", 80, ""}, unused.done())), "192.0.2.1:80");
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    std::this_thread::yield();
  }
  ASSERT_EQ(lines.now().size(), 1U) << "a line when it begins";
  EXPECT_EQ(lines.now()[0], "backend: no answer; backend keeps the addresses it had, for up to 60 min");
  names.is_at("192.0.2.2");
  while (where(resolve_soon(resolver, {"backend", 80, ""})) != "192.0.2.2:80")
    ASSERT_LT(std::chrono::steady_clock::now(), end);
  while (lines.now().size() < 2) ASSERT_LT(std::chrono::steady_clock::now(), end);
  EXPECT_EQ(lines.now()[1], "backend is looked up again");
  EXPECT_EQ(unused.size(), 0U);
}

TEST(Resolver, ANameThatIsSaidNotToExistIsGone) {
  Resolver::Limits limits;
  limits.keep = 0ms;
  limits.keep_failure = 1h;
  NameServer names;
  Lines lines;
  Resolver resolver(limits, lines.warn(), names.look_up());
  names.is_at("192.0.2.1");
  EXPECT_EQ(where(resolve_soon(resolver, {"backend", 80, ""})), "192.0.2.1:80");
  names.denies();
  const auto answer = resolve_soon(resolver, {"backend", 80, ""});
  EXPECT_EQ(where(answer), "nowhere");
  EXPECT_EQ(answer->error, "backend: no such name");
  EXPECT_TRUE(lines.now().empty());
}

TEST(Resolver, OldAddressesEnd) {
  Resolver::Limits limits;
  limits.keep = limits.keep_failure = limits.keep_stale = 0ms;
  NameServer names;
  Resolver resolver(limits, {}, names.look_up());
  names.is_at("192.0.2.1");
  EXPECT_EQ(where(resolve_soon(resolver, {"backend", 80, ""})), "192.0.2.1:80");
  names.fails();
  EXPECT_EQ(where(resolve_soon(resolver, {"backend", 80, ""})), "nowhere");
}

// A name server that hangs holds up only those who ask first.
TEST(Resolver, AddressesAtHandAreUsedWhileALookUpHangs) {
  Resolver::Limits limits;
  limits.keep = limits.patience = 0ms;
  NameServer names;
  Resolver resolver(limits, {}, names.look_up());
  names.is_at("192.0.2.1");
  EXPECT_EQ(where(resolve_soon(resolver, {"backend", 80, ""})), "192.0.2.1:80");
  names.hold(true);
  names.is_at("192.0.2.2");
  Mailbox first, second;
  EXPECT_EQ(resolver.resolve({"backend", 80, ""}, first.done()), nullptr);
  EXPECT_EQ(where(resolver.resolve({"backend", 80, ""}, second.done())), "192.0.2.1:80");
  names.hold(false);
  EXPECT_EQ(where(first.wait_for(1).at(0)), "192.0.2.2:80");
  EXPECT_EQ(second.size(), 0U);
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
