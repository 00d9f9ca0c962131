// What passes, as it came, and what is counted on the way.
#include <gtest/gtest.h>

#include <functional>

#include "rig.h"
#include "sockeye/observer/prefetch.h"
#include "sockeye/relay/prefetch.h"

namespace sockeye::relay::test {
namespace {

TEST(Connection, forwards_verbatim_and_counts) {
  Rig rig;
  rig.open();
  const std::string hello = text(Side::client, "hello");
  const std::string two = frame(Side::server, Opcode::binary, std::string(300, 'x'), false) +
                          frame(Side::server, Opcode::continuation, std::string(70000, 'y'));
  rig.feed(Side::client, hello);
  rig.feed(Side::server, two);
  EXPECT_EQ(rig.to(Side::server), hello);
  EXPECT_EQ(rig.to(Side::client), two);
  const auto view = rig.detail();
  EXPECT_EQ(view.counts[0].messages[0], 1U);
  EXPECT_EQ(view.counts[0].bytes, 5U);
  EXPECT_EQ(view.counts[0].fragments, 1U);
  EXPECT_EQ(view.counts[0].wire_bytes, hello.size());
  EXPECT_EQ(view.counts[1].messages[1], 1U);
  EXPECT_EQ(view.counts[1].bytes, 70300U);
  EXPECT_EQ(view.counts[1].fragments, 2U);
  EXPECT_EQ(view.counts[1].wire_bytes, two.size());
  EXPECT_EQ(rig.metrics->messages[0][0].value(), 1U);
  EXPECT_EQ(rig.metrics->messages[1][1].value(), 1U);
  EXPECT_EQ(rig.metrics->message_bytes[1].value(), 70300U);
  EXPECT_EQ(rig.metrics->message_size[1].sum(), 70300);
}

TEST(Connection, byte_counters_move_while_a_message_is_under_way) {
  Rig rig;
  rig.open();
  const std::string big = frame(Side::client, Opcode::binary, std::string(100'000, 'x'));
  rig.feed(Side::client, std::string_view(big).substr(0, 50'000));
  EXPECT_EQ(rig.metrics->message_bytes[0].value(), 50'000U - 14U);
  EXPECT_EQ(rig.metrics->messages[0][1].value(), 0U);
  rig.feed(Side::client, std::string_view(big).substr(50'000));
  EXPECT_EQ(rig.metrics->message_bytes[0].value(), 100'000U);
  EXPECT_EQ(rig.metrics->messages[0][1].value(), 1U);
}

TEST(Connection, application_pings_and_pongs_pass_and_are_timed) {
  Rig rig;
  rig.open();
  const std::string ping = frame(Side::client, Opcode::ping, "are you there");
  const std::string pong = frame(Side::server, Opcode::pong, "are you there");
  for (int i = 0; i < 3; ++i) {
    rig.feed(Side::client, ping);
    rig.feed(Side::server, pong);
    rig.wait(20s);
  }
  EXPECT_EQ(rig.to(Side::server), ping + ping + ping);
  EXPECT_EQ(rig.to(Side::client), pong + pong + pong);
  EXPECT_EQ(rig.detail().pings[0].peer_interval, std::optional<base::Duration>(20s));
  EXPECT_FALSE(rig.detail().pings[1].peer_interval);  // its pongs answer
  EXPECT_EQ(rig.detail().counts[0].messages[2], 3U);
  EXPECT_EQ(rig.detail().counts[1].messages[3], 3U);
  rig.feed(Side::server, frame(Side::server, Opcode::pong, ""));
  rig.wait(15s);
  rig.feed(Side::server, frame(Side::server, Opcode::pong, ""));
  EXPECT_EQ(rig.detail().pings[1].peer_interval, std::optional<base::Duration>(15s));
}

TEST(Connection, turns_gaps_and_recorder) {
  Rig rig;
  rig.open();
  rig.feed(Side::client, text(Side::client, "question"));
  rig.wait(2s);
  rig.feed(Side::server, frame(Side::server, Opcode::binary, "answer"));
  rig.wait(7s);
  rig.feed(Side::server, frame(Side::server, Opcode::binary, "more"));
  EXPECT_DOUBLE_EQ(rig.metrics->message_duration.sum(), 2.0);
  const auto view = rig.detail();
  EXPECT_EQ(view.longest_gap[1], 7s);
  EXPECT_EQ(view.longest_gap[0], 0s);
  EXPECT_EQ(view.last_message[1], rig.now);
  EXPECT_EQ(view.last_message[0], rig.now - 9s);
  const auto recorded = rig.connection->observed().recorder();
  ASSERT_EQ(recorded.size(), 3U);
  EXPECT_EQ(recorded[0].length, 8U);
  EXPECT_EQ(recorded[0].opcode, 1U);
  EXPECT_EQ(recorded[0].side, 0U);
  EXPECT_EQ(recorded[1].opcode, 2U);
  EXPECT_EQ(recorded[1].side, 1U);
  EXPECT_EQ(recorded[2].at, rig.now);
}

TEST(Connection, compressed_messages_pass_untouched_when_nothing_needs_their_text) {
  Rig rig;
  rig.extensions.deflate = true;
  rig.open();
  const std::string garbage = frame(Side::client, {.payload = "\xff\xff no deflate stream", .rsv = 4});
  rig.feed(Side::client, garbage);
  EXPECT_EQ(rig.to(Side::server), garbage);
  EXPECT_EQ(rig.figures().anomalies, 0U);
  EXPECT_EQ(rig.connection->observed().recorder().at(0).compressed, 1U);
}

// One script of a session; whatever the pieces, the same bytes leave and the same is counted.
void play(Rig& rig, const std::function<void(Side, std::string_view)>& feed) {
  const Side c = Side::client;
  const Side s = Side::server;
  rig.open();
  feed(c, text(c, "hello") + text(c, "") + frame(c, Opcode::binary, "a", false));
  feed(s, frame(s, Opcode::ping, "!") + text(s, "\xc3\xa9t\xc3\xa9 \xe2\x82\xac"));
  feed(c, frame(c, Opcode::pong, "!") + frame(c, Opcode::continuation, std::string(140, 'z')) +
              text(c, "\xf0\x9f\x90\x9f"));
  feed(s, frame(s, Opcode::binary, std::string(127, 'q')) + close(s, 1001, "going"));
  feed(c, close(c, 1001));
  rig.connection->eof(s, rig.call());
  rig.connection->finish(rig.call());
}

TEST(Connection, any_split_gives_the_same) {
  Rig whole;
  std::array<std::string, 2> input;
  std::srand(1);
  play(whole, [&](Side from, std::string_view bytes) {
    input[model::index(from)] += bytes;
    whole.feed(from, bytes);
  });
  EXPECT_EQ(whole.to(Side::server), input[0]);
  EXPECT_EQ(whole.to(Side::client), input[1]);
  EXPECT_EQ(whole.figures().anomalies, 0U);

  const auto expect_same = [&](Rig& rig, const std::string& how) {
    for (const std::size_t i : {0U, 1U}) {
      const auto a = whole.detail().counts[i];
      const auto b = rig.detail().counts[i];
      ASSERT_TRUE(a.messages == b.messages && a.bytes == b.bytes && a.wire_bytes == b.wire_bytes &&
                  a.fragments == b.fragments)
          << how;
      ASSERT_EQ(frames(rig.out[i]).size(), frames(whole.out[i]).size()) << how;
      for (std::size_t f = 0; f < frames(rig.out[i]).size(); ++f)
        ASSERT_EQ(frames(rig.out[i])[f].payload, frames(whole.out[i])[f].payload) << how;
    }
    ASSERT_EQ(rig.connection->observed().recorder().size(), whole.connection->observed().recorder().size()) << how;
    ASSERT_EQ(rig.connection->observed().close_info()->reason, "going") << how;
    ASSERT_EQ(rig.broken_loans, 0) << how;
    ASSERT_EQ(rig.figures().anomalies, 0U) << how;
  };
  for (std::size_t size = 1; size < 300; ++size) {
    Rig rig;
    play(rig, [&](Side from, std::string_view bytes) { rig.chop(from, bytes, size); });
    expect_same(rig, "pieces of " + std::to_string(size));
  }
  for (std::size_t at = 1; at < 200; ++at) {
    Rig rig;
    play(rig, [&](Side from, std::string_view bytes) {
      rig.feed(from, bytes.substr(0, at));
      if (at < bytes.size()) rig.feed(from, bytes.substr(at));
    });
    expect_same(rig, "cut at " + std::to_string(at));
  }
  for (const std::int64_t turn : {1, 40, 100, 500}) {
    Rig rig;
    rig.turn = turn;
    play(rig, [&](Side from, std::string_view bytes) { rig.feed(from, bytes); });
    expect_same(rig, "turns of " + std::to_string(turn));
    EXPECT_TRUE(turn > 1 || rig.turns == 11) << rig.turns;  // a frame each
  }
}

TEST(Connection, a_turn_ends_after_so_many_frames) {
  Rig rig;
  rig.open();
  std::string flood;
  for (int i = 0; i < 10'000; ++i) flood += text(Side::client, "");
  rig.workspace.turn.left = 1000 * observer::Turn::frame;
  EXPECT_EQ(rig.connection->feed(Side::client, base::as_bytes(flood), rig.call()),
            1000 * text(Side::client, "").size());
  EXPECT_EQ(rig.to(Side::server).size(), 1000 * text(Side::client, "").size());
  // With nothing left, nothing is taken.
  EXPECT_EQ(rig.connection->feed(Side::client, base::as_bytes(flood), 0, rig.call()), 0U);
  EXPECT_EQ(rig.detail().counts[0].wire_bytes, flood.size());
}

TEST(Connection, headers_and_control_frames_are_held_back_until_complete) {
  Rig rig;
  rig.open();
  const std::string ping = frame(Side::client, Opcode::ping, std::string(125, 'p'));
  rig.chop(Side::client, std::string_view(ping).substr(0, ping.size() - 1), 10);
  EXPECT_EQ(rig.to(Side::server), "");
  rig.feed(Side::client, std::string_view(ping).substr(ping.size() - 1));
  EXPECT_EQ(rig.to(Side::server), ping);
  const std::string data = text(Side::client, "payload");
  rig.feed(Side::client, std::string_view(data).substr(0, 5));
  EXPECT_EQ(rig.to(Side::server), ping);
  rig.feed(Side::client, std::string_view(data).substr(5, 3));
  EXPECT_EQ(rig.to(Side::server), ping + data.substr(0, 8));
}

TEST(Connection, one_read_of_many_frames_leaves_in_one_piece) {
  Rig rig;
  rig.open();
  std::string many;
  for (int i = 0; i < 2000; ++i) many += text(Side::client, std::string(static_cast<std::size_t>(i % 60), 'm'));
  struct Pieces final : Outlet {
    int forwards = 0;
    void forward(Side, base::Bytes) override { ++forwards; }
    void inject(Side, base::Bytes) override {}
    void finish(Side, Finish) override {}
    bool advancing(Side) override { return false; }
  } pieces;
  const auto connection = carry(observe(rig.observe, {}, {}, nullptr, rig.call()), rig.options, pieces, 0, rig.call());
  connection->feed(Side::client, base::as_bytes(many), rig.call());
  EXPECT_EQ(pieces.forwards, 1);
}

TEST(Connection, million_tiny_fragments_cost_no_memory_and_end_at_the_limit) {
  Rig rig;
  rig.open();
  std::string fragments = frame(Side::client, Opcode::binary, "x", false);
  for (int i = 1; i < 20'000; ++i) fragments += frame(Side::client, Opcode::continuation, "y", false);
  rig.feed(Side::client, fragments);
  EXPECT_EQ(rig.anomalies(Anomaly::too_many_fragments), 1U);
  EXPECT_EQ(frames(rig.to(Side::server)).size(), 16384U + 1U);  // and our Close
  rig.feed(Side::server, close(Side::server, 1008));
  EXPECT_EQ(frames(rig.to(Side::client)).at(0).code(), 1008);

  Rig forward;
  forward.options.conformance = Conformance::forward;
  forward.open();
  std::string input;
  for (int round = 0; round < 50; ++round) {
    input += fragments;
    forward.feed(Side::client, fragments);
  }
  EXPECT_EQ(forward.to(Side::server), input);
  EXPECT_EQ(forward.anomalies(Anomaly::too_many_fragments), 50U);
}

TEST(Connection, an_idle_session_is_small) {
  Rig rig;
  rig.open();
  // The whole of an idle session, the vantage's part included, has 4 KiB.
  EXPECT_LE(object_size(*rig.connection) + object_size(rig.connection->observed()), 1792U);
}

TEST(Connection, spans_tell_the_session) {
  Rig rig;
  rig.observe.segment = 300s;
  rig.open();
  rig.wait(450s);
  rig.feed(Side::client, text(Side::client, "one"));
  rig.wait(200s);
  ASSERT_EQ(rig.spans.spans.size(), 2U);
  EXPECT_EQ(rig.spans.spans[0].name, "websocket.connection.segment");
  EXPECT_EQ(rig.spans.spans[0].end_unix_ns - rig.spans.spans[0].start_unix_ns, 300'000'000'000U);
  EXPECT_EQ(rig.spans.spans[1].start_unix_ns, rig.spans.spans[0].end_unix_ns);
  rig.connection->reset(Side::client, rig.call());
  rig.connection->finish(rig.call());
  ASSERT_EQ(rig.spans.spans.size(), 3U);
  EXPECT_EQ(rig.spans.spans[2].name, "websocket.connection");
  EXPECT_EQ(rig.spans.spans[2].end_unix_ns - rig.spans.spans[2].start_unix_ns, 650'000'000'000U);
  rig.connection->finish(rig.call());
  EXPECT_EQ(rig.spans.spans.size(), 3U);
  EXPECT_EQ(rig.metrics->connections_active.value(), 0);
  EXPECT_EQ(rig.metrics->connections_closed.value(), 1U);
  EXPECT_EQ(rig.metrics->closes[0].key.load() >> 16U, 1006U);
  EXPECT_DOUBLE_EQ(rig.metrics->session_duration.sum(), 650);
}

TEST(Connection, nothing_due_without_heartbeats_segments_and_timeouts) {
  Rig rig;
  rig.observe.segment = 0s;
  rig.open();
  EXPECT_EQ(rig.connection->next_deadline(), base::never);
}

TEST(Connection, messages_have_spans_where_asked) {
  Rig rig;
  rig.observe.message_spans = 1;
  rig.open();
  rig.feed(Side::client, text(Side::client, "one") + frame(Side::client, {.payload = "tw", .fin = false}));
  rig.now += 3ms;
  rig.feed(Side::client, frame(Side::client, {.opcode = Opcode::continuation, .payload = "o"}));
  ASSERT_EQ(rig.spans.spans.size(), 4U);
  const auto figure = [&](std::size_t i, std::string_view key) -> std::int64_t {
    for (const auto& [name, value] : rig.spans.spans[i].attributes)
      if (name == key) return std::get<std::int64_t>(value);
    return -1;
  };
  for (const std::size_t i : {2U, 3U}) {
    EXPECT_EQ(rig.spans.spans[i].name, i == 2 ? "websocket.receive" : "websocket.send");
    EXPECT_EQ(rig.spans.spans[i].end_unix_ns - rig.spans.spans[i].start_unix_ns, 3'000'000U);
    EXPECT_EQ(figure(i, "websocket.message.number"), 2);
    EXPECT_EQ(figure(i, "websocket.message.length"), 3);
    EXPECT_EQ(figure(i, "websocket.message.frames"), 2);
  }
  EXPECT_EQ(figure(0, "websocket.message.frames"), 1);
  EXPECT_EQ(rig.spans.spans[2].parent_id, rig.spans.spans[3].parent_id);
  EXPECT_NE(rig.spans.spans[2].span_id, rig.spans.spans[3].span_id);
  rig.connection->finish(rig.call());
}

TEST(Connection, so_many_messages_have_spans) {
  Rig rig;
  rig.observe.message_spans = 0.25;
  rig.open();
  for (int i = 0; i < 4000; ++i) rig.feed(Side::server, text(Side::server, "x"));
  EXPECT_NEAR(static_cast<double>(rig.spans.spans.size()), 2000, 200);
  rig.connection->finish(rig.call());
}

}  // namespace
}  // namespace sockeye::relay::test
