// Deltas: what they have adds up exactly with what happened.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <set>

#include "harness.h"

namespace sockeye::proxy::test {
namespace {

// What a console would know after every delta so far.
struct Known {
  std::map<base::SessionId, model::SessionFacts> opened;
  std::map<base::SessionId, model::SessionFigures> figures;
  std::map<base::SessionId, model::EndedSession> ended;
  std::uint64_t lost = 0, changes = 0;
  bool complete = false;
  std::map<std::string, model::RouteDelta> routes;  // of the last delta
  std::vector<model::WatchedSession> watched;

  void take(model::SessionDeltas delta) {
    routes.clear();
    watched.clear();
    complete = delta.complete;
    for (auto& worker : delta.workers) {
      for (auto& each : worker.opened) {
        EXPECT_FALSE(opened.contains(each.id)) << "told twice";
        opened[each.id] = std::move(each);
      }
      for (const auto& each : worker.changed) {
        EXPECT_TRUE(opened.contains(each.id)) << "figures of a session that was not told";
        figures[each.id] = each.figures;
        ++changes;
      }
      for (auto& each : worker.ended) ended[each.record.facts.id] = std::move(each);
      lost += worker.ended_lost;
      for (auto& each : worker.routes) {
        auto& to = routes[each.route];
        to.open += each.open;
        to.missing_pongs += each.missing_pongs;
        for (std::size_t i = 0; i < 2; ++i)
          to.rtt_ns[i].insert(to.rtt_ns[i].end(), each.rtt_ns[i].begin(), each.rtt_ns[i].end());
      }
      std::move(worker.watched.begin(), worker.watched.end(), std::back_inserter(watched));
    }
  }
};

TEST(Delta, HasWhatIsNewWhatChangedAndWhatEnded) {
  Backend backend(echo);
  TestProxy proxy(backend);
  proxy->follow(100);
  Known known;
  known.take(proxy->changes({}));
  EXPECT_TRUE(known.complete);
  EXPECT_TRUE(known.opened.empty());

  Socket quiet = proxy.open("/quiet?token=secret"), busy = proxy.open("/busy");
  known.take(proxy->changes({}));
  ASSERT_EQ(known.opened.size(), 2U);
  EXPECT_EQ(known.changes, 2U) << "each new session comes with its figures";
  for (const auto& row : proxy->sessions()) {
    const auto& facts = known.opened.at(row.record.facts.id);
    EXPECT_EQ(facts.target, row.record.facts.target);
    EXPECT_EQ(facts.target.find("secret"), std::string::npos);
    EXPECT_EQ(facts.client, "127.0.0.1");
    EXPECT_EQ(facts.server, backend.address().text());
    EXPECT_EQ(facts.route, "default");
    EXPECT_EQ(facts.trace_id, row.record.facts.trace_id);
    EXPECT_EQ(facts.opened_unix_ns / 1'000'000, row.record.facts.opened_unix_ns / 1'000'000);
  }

  for (int i = 0; i < 3; ++i) talk(busy, "words");
  known.take(proxy->changes({}));
  EXPECT_EQ(known.changes, 3U) << "of the one that did something";
  const auto busy_id = std::find_if(known.opened.begin(), known.opened.end(), [](const auto& each) {
                         return each.second.target == "/busy";
                       })->first;
  const auto& figures = known.figures.at(busy_id);
  EXPECT_EQ(figures.messages, (std::array<std::uint64_t, 2>{3, 3}));
  EXPECT_EQ(figures.bytes, (std::array<std::uint64_t, 2>{15, 15}));
  EXPECT_GE(figures.last_message_unix_ns[1], figures.last_message_unix_ns[0]);
  EXPECT_GT(figures.last_message_unix_ns[0], known.opened.at(busy_id).opened_unix_ns);
  EXPECT_EQ(known.routes.at("default").open, 2U);

  known.take(proxy->changes({}));
  EXPECT_EQ(known.changes, 3U) << "a delta in which nothing happened tells nothing";

  ASSERT_TRUE(busy.send(client_frame(close_op, close_payload(4001, "bye"))));
  receive_frame(busy);
  busy.close();
  ASSERT_TRUE(eventually([&] { return proxy.active() == 1; }));
  // Opened and ended between two deltas.
  Socket brief = proxy.open("/brief");
  talk(brief, "hi");
  brief.reset();
  ASSERT_TRUE(eventually([&] {
    known.take(proxy->changes({}));
    return known.ended.size() == 2;
  }));
  const auto& end = known.ended.at(busy_id);
  EXPECT_EQ(end.record.end, (model::SessionEnd{end.record.end->unix_ns, 4001, "normal", "client", "bye"}));
  EXPECT_EQ(end.record.figures.messages, (std::array<std::uint64_t, 2>{3, 3}));
  EXPECT_EQ(end.record.figures.state, model::SessionState::closed);
  EXPECT_EQ(end.record.figures.dialect, "none");
  EXPECT_EQ(end.record.facts.target, "/busy");
  ASSERT_EQ(end.recorder.size(), 8U) << "six messages and two Closes";
  EXPECT_EQ(end.recorder[0].length, 5U);
  EXPECT_GT(end.record.end->unix_ns, end.record.facts.opened_unix_ns);
  for (const auto& [id, ended] : known.ended)
    EXPECT_EQ(ended.record.figures.messages[0], id == busy_id ? 3U : 1U) << "the brief one, whole";
  EXPECT_EQ(known.lost, 0U);
}

TEST(Delta, AResyncHasEverySessionInAsManyDeltasAsItTakes) {
  Backend backend(echo);
  TestProxy proxy(backend);
  std::vector<Socket> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(proxy.open());
  Known before;
  before.take(proxy->changes({}));
  ASSERT_EQ(before.opened.size(), 40U);

  Known after;
  model::DeltaRequest few;
  few.opened_most = 5;
  few.resync = true;
  after.take(proxy->changes(few));
  EXPECT_FALSE(after.complete);
  EXPECT_LE(after.opened.size(), 10U);
  EXPECT_EQ(after.figures.size(), after.opened.size());
  few.resync = false;
  for (int i = 0; i < 40 && !after.complete; ++i) after.take(proxy->changes(few));
  EXPECT_TRUE(after.complete);
  EXPECT_EQ(after.opened.size(), 40U);
  EXPECT_EQ(after.changes, 40U);
}

TEST(Delta, KeepsSoManyEndedAndCountsTheRest) {
  Backend backend(echo);
  Config config = TestProxy::config(backend);
  config.threads = 1;
  TestProxy proxy(config);
  // Before anybody follows nothing is kept.
  proxy.open().reset();
  ASSERT_TRUE(eventually([&] { return proxy.active() == 0; }));
  proxy->follow(5);
  for (int i = 0; i < 12; ++i) proxy.open().reset();
  ASSERT_TRUE(
      eventually([&] { return proxy.count([](const auto& m) { return m.connections_closed.value(); }) == 13; }));
  Known known;
  known.take(proxy->changes({}));
  EXPECT_EQ(known.ended.size(), 5U);
  EXPECT_EQ(known.lost, 7U);
  known.take(proxy->changes({}));
  EXPECT_EQ(known.ended.size(), 5U);
  EXPECT_EQ(known.lost, 7U);
  proxy->follow(0);
  proxy.open().reset();
  ASSERT_TRUE(
      eventually([&] { return proxy.count([](const auto& m) { return m.connections_closed.value(); }) == 14; }));
  known.take(proxy->changes({}));
  EXPECT_EQ(known.ended.size(), 5U);
}

TEST(Delta, ShowsWatchedSessionsAndWhatWaitsAndRoundTrips) {
  Backend backend([](Socket& socket) {
    if (socket.receive_head().empty()) return;
    socket.send(upgrade_response());
    // Answers pings, but never reads what it is owed: its client does not read either.
    for (;;) {
      const Frame got = receive_frame(socket);
      if (got.first < 0) return;
      if (got.first == ping) socket.send(server_frame(pong, got.payload));
      if (got.first == text) socket.send(server_frame(binary, std::string(8'000'000, 'b')));
    }
  });
  TestProxy proxy(backend, [](Route& route) {
    route.carry.heartbeat.upstream = true;
    route.carry.heartbeat.interval = 50ms;
  });
  Socket client = proxy.open();
  Known known;
  ASSERT_TRUE(eventually([&] {
    known.take(proxy->changes({}));
    return known.routes.contains("default") && known.routes["default"].rtt_ns[1].size() == 1;
  }));
  const auto id = known.opened.begin()->first;
  EXPECT_TRUE(known.figures.at(id).rtt_ns[1]);
  EXPECT_FALSE(known.figures.at(id).rtt_ns[0]);
  ASSERT_TRUE(client.send(client_frame(text, "more")));
  ASSERT_TRUE(eventually([&] {
    model::DeltaRequest request;
    request.watch = {id};
    known.take(proxy->changes(request));
    return known.figures.at(id).buffered_bytes[0] > 100'000;
  }));
  EXPECT_EQ(known.figures.at(id).buffered_bytes[1], 0U);
  ASSERT_EQ(known.watched.size(), 1U);
  EXPECT_EQ(known.watched[0].id, id);
  EXPECT_FALSE(known.watched[0].recorder.empty());
  client.close();
}

// Every session that ever was is told once, opened and ended, whatever happens between the deltas.
TEST(Delta, AddsUpUnderChurn) {
  Backend backend(echo);
  TestProxy proxy(backend);
  proxy->follow(10'000);
  std::atomic<bool> done{false};
  std::vector<std::thread> visitors;
  for (int t = 0; t < 2; ++t)
    visitors.emplace_back([&] {
      for (int i = 0; i < 60; ++i) {
        Socket client = proxy.open();
        for (int n = 0; n < i % 4; ++n) talk(client, "word");
        if (i % 3 == 0) client.reset();
      }
      done = true;
    });
  Known known;
  while (!done) known.take(proxy->changes({}));
  for (auto& each : visitors) each.join();
  ASSERT_TRUE(eventually([&] { return proxy.active() == 0; }));
  ASSERT_TRUE(eventually([&] {
    known.take(proxy->changes({}));
    return known.ended.size() == 120;
  }));
  std::uint64_t messages = 0;
  for (const auto& [id, end] : known.ended) messages += end.record.figures.messages[0];
  EXPECT_EQ(messages, proxy.count([](const auto& m) {
    return m.messages[0][static_cast<std::size_t>(model::MessageType::text)].value();
  }));
  EXPECT_EQ(messages, 2U * 15U * (0 + 1 + 2 + 3));
  for (const auto& [id, facts] : known.opened) EXPECT_TRUE(known.ended.contains(id));
}

}  // namespace
}  // namespace sockeye::proxy::test
