// How sessions end: the close handshake, half-close, reset, our own Close, and what comes too late.
#include <gtest/gtest.h>

#include "rig.h"

namespace sockeye::relay::test {
namespace {

constexpr std::array both{Side::client, Side::server};

TEST(Close, by_the_book_the_server_ends_tcp_first) {
  for (const Side first : both) {
    Rig rig;
    rig.open();
    const Side second = model::other(first);
    const std::string one = close(first, 1000, "bye");
    const std::string two = close(second, 1000);
    rig.feed(first, one);
    EXPECT_EQ(rig.figures().state, model::SessionState::closing);
    // The other direction flows until its own Close.
    const std::string last_words = text(second, "last words");
    rig.feed(second, last_words);
    rig.feed(second, two);
    EXPECT_EQ(rig.to(second), one);
    EXPECT_EQ(rig.to(first), last_words + two);
    EXPECT_TRUE(rig.finished[0].empty() && rig.finished[1].empty());
    rig.connection->eof(Side::server, rig.call());
    EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));
    EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
    EXPECT_EQ(rig.connection->next_deadline(), base::never);
    rig.connection->eof(Side::client, rig.call());
    rig.connection->finish(rig.call());
    ASSERT_TRUE(rig.connection->observed().close_info());
    EXPECT_EQ(rig.connection->observed().close_info()->code, 1000);
    EXPECT_EQ(rig.connection->observed().close_info()->reason, "bye");
    EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::normal);
    EXPECT_EQ(rig.connection->observed().close_info()->initiator,
              first == Side::client ? model::Initiator::client : model::Initiator::server);
    EXPECT_EQ(rig.figures().anomalies, 0U);
    EXPECT_EQ(rig.metrics->messages[model::index(first)][4].value(), 1U);
  }
}

TEST(Close, codes_that_may_be_sent) {
  for (int code = 0; code <= 0xffff; ++code) {
    Rig rig;
    rig.open();
    rig.feed(Side::client, code == 1005 ? frame(Side::client, Opcode::close, "\x03\xed") : close(Side::client, code));
    const bool allowed =
        (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
    ASSERT_EQ(rig.anomalies(Anomaly::close_code_invalid), allowed ? 0U : 1U) << code;
    ASSERT_EQ(rig.connection->observed().close_info()->code, allowed ? code : 1002) << code;
  }
}

TEST(Close, without_a_code_is_1005) {
  Rig rig;
  rig.open();
  rig.feed(Side::server, close(Side::server, 1005));
  EXPECT_EQ(rig.connection->observed().close_info()->code, 1005);
  EXPECT_EQ(rig.to(Side::client), close(Side::server, 1005));
}

TEST(Close, longest_reason_passes) {
  Rig rig;
  rig.open();
  const std::string longest = close(Side::client, 4000, std::string(123, 'r'));
  rig.feed(Side::client, longest);
  EXPECT_EQ(rig.to(Side::server), longest);
  EXPECT_EQ(rig.connection->observed().close_info()->reason.size(), 123U);
}

TEST(Close, what_comes_behind_it_is_discarded_and_counted_once) {
  for (const bool one_read : {true, false}) {
    Rig rig;
    rig.open();
    const std::string bye = close(Side::client, 1000);
    const std::string late =
        frame(Side::client, Opcode::ping, "late") + text(Side::client, "later") + close(Side::client, 1001);
    if (one_read) {
      rig.feed(Side::client, bye + late);
    } else {
      rig.feed(Side::client, bye);
      EXPECT_EQ(rig.anomalies(Anomaly::frame_after_close), 0U);
      rig.feed(Side::client, late);
      rig.feed(Side::client, late);
    }
    EXPECT_EQ(rig.to(Side::server), bye);
    EXPECT_EQ(rig.anomalies(Anomaly::frame_after_close), 1U);
    EXPECT_EQ(rig.connection->observed().close_info()->code, 1000);
  }
}

TEST(Close, a_close_between_fragments_ends_the_message_unfinished) {
  Rig rig;
  rig.open();
  const std::string sent = frame(Side::client, Opcode::text, "frag", false) + close(Side::client, 1000);
  rig.feed(Side::client, sent + frame(Side::client, Opcode::continuation, "ment"));
  EXPECT_EQ(rig.to(Side::server), sent);
  EXPECT_EQ(rig.detail().counts[0].data_messages(), 0U);
}

TEST(Close, no_answer_ends_with_the_close_timeout) {
  Rig rig;
  rig.open();
  rig.feed(Side::client, close(Side::client, 1000));
  rig.wait(4999ms);
  EXPECT_TRUE(rig.finished[0].empty());
  rig.wait(1ms);
  EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));
  EXPECT_TRUE(rig.was_finished(Side::server, Finish::abort));
  EXPECT_EQ(rig.connection->next_deadline(), base::never);
  EXPECT_EQ(rig.connection->observed().close_info()->code, 1000);
}

TEST(Close, agreed_but_the_server_keeps_tcp_open) {
  Rig rig;
  rig.open();
  rig.feed(Side::client, close(Side::client, 1000));
  rig.feed(Side::server, close(Side::server, 1000));
  rig.wait(5s);
  EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));
  EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
}

TEST(Close, the_server_ends_tcp_without_answering) {
  Rig rig;
  rig.open();
  rig.feed(Side::client, close(Side::client, 1000));
  rig.connection->eof(Side::server, rig.call());
  EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));
  EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
  EXPECT_EQ(rig.anomalies(Anomaly::half_close), 1U);
  EXPECT_EQ(rig.to(Side::client), "");  // no Close is invented
}

TEST(Close, client_closes_and_shuts_its_direction_before_the_answer) {
  Rig rig;
  rig.open();
  rig.feed(Side::client, close(Side::client, 1000));
  rig.connection->eof(Side::client, rig.call());
  EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
  EXPECT_TRUE(rig.finished[0].empty());
  rig.feed(Side::server, text(Side::server, "tail") + close(Side::server, 1000));
  EXPECT_EQ(rig.to(Side::client), text(Side::server, "tail") + close(Side::server, 1000));
  rig.connection->eof(Side::server, rig.call());
  EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));
  EXPECT_EQ(rig.figures().anomalies, 0U);
}

TEST(HalfClose, fin_is_passed_on_and_the_other_direction_flows) {
  for (const Side first : both) {
    Rig rig;
    rig.open();
    const Side second = model::other(first);
    rig.connection->eof(first, rig.call());
    EXPECT_EQ(rig.anomalies(Anomaly::half_close), 1U);
    EXPECT_TRUE(rig.was_finished(second, Finish::flush));
    EXPECT_TRUE(rig.finished[model::index(first)].empty());
    const std::string more = text(second, "still talking");
    rig.feed(second, more);
    EXPECT_EQ(rig.to(first), more);
    rig.connection->eof(second, rig.call());
    EXPECT_TRUE(rig.was_finished(first, Finish::flush));
    EXPECT_EQ(rig.anomalies(Anomaly::half_close), 1U);
    EXPECT_EQ(rig.connection->observed().close_info()->code, 1006);
    EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::reset);
    EXPECT_EQ(rig.connection->observed().close_info()->initiator,
              first == Side::client ? model::Initiator::client : model::Initiator::server);
    EXPECT_EQ(rig.after_finish, 0);
  }
}

TEST(HalfClose, bounded_by_the_close_timeout) {
  Rig rig;
  rig.open();
  rig.connection->eof(Side::client, rig.call());
  rig.wait(5s);
  EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));  // it said FIN: what is queued for it may still arrive
  EXPECT_EQ(rig.connection->next_deadline(), base::never);
}

TEST(HalfClose, a_cut_frame_is_counted_and_its_beginning_passed_on) {
  const std::string data = text(Side::client, std::string(50, 'x'));
  const std::string ping = frame(Side::client, Opcode::ping, "0123456789");
  for (const auto& sent : {data.substr(0, 20), data.substr(0, 1), data.substr(0, 5), ping.substr(0, 12)}) {
    Rig rig;
    rig.open();
    rig.feed(Side::client, sent);
    rig.lent.clear();
    rig.connection->eof(Side::client, rig.call());
    EXPECT_EQ(rig.anomalies(Anomaly::truncated), 1U);
    EXPECT_EQ(rig.to(Side::server), sent);
    EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
  }
}

TEST(Reset, releases_both_legs_at_once) {
  for (const Side side : both) {
    Rig rig;
    rig.open();
    rig.connection->reset(side, rig.call());
    EXPECT_TRUE(rig.was_finished(side, Finish::abort));
    EXPECT_TRUE(rig.was_finished(model::other(side), Finish::flush));
    EXPECT_EQ(rig.connection->observed().close_info()->code, 1006);
    EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::reset);
    EXPECT_EQ(rig.connection->next_deadline(), base::never);
  }
}

TEST(Reset, in_every_state_leaves_nothing_open) {
  using Step = void (*)(Rig&);
  const std::vector<Step> steps{
      [](Rig&) {},
      [](Rig& r) { r.feed(Side::client, close(Side::client, 1000)); },
      [](Rig& r) { r.feed(Side::server, close(Side::server, 1000)); },
      [](Rig& r) { r.connection->eof(Side::client, r.call()); },
      [](Rig& r) { r.connection->eof(Side::server, r.call()); },
      [](Rig& r) { r.connection->shut(model::EndReason::drain, 1001, "drain", r.call()); },
      [](Rig& r) { r.feed(Side::server, text(Side::server, "half a frame").substr(0, 5)); },
      [](Rig& r) { r.feed(Side::client, frame(Side::client, Opcode::continuation, "bad")); },
      [](Rig& r) { r.connection->reset(Side::server, r.call()); },
  };
  for (const Step a : steps) {
    for (const Step b : steps) {
      for (const Step c : steps) {
        for (const Side side : both) {
          Rig rig;
          rig.open();
          a(rig), b(rig), c(rig);
          rig.connection->reset(side, rig.call());
          rig.wait(6s);
          EXPECT_EQ(rig.finished[0].size(), 1U);
          EXPECT_EQ(rig.finished[1].size(), 1U);
          EXPECT_EQ(rig.after_finish, 0);
          EXPECT_EQ(rig.connection->next_deadline(), base::never);
          EXPECT_LE(rig.injected[0].size(), 1U);
          EXPECT_LE(rig.injected[1].size(), 1U);
          rig.connection->finish(rig.call());
          EXPECT_TRUE(rig.connection->observed().close_info());
          // Deaf and silent from here on.
          const auto out = rig.out;
          a(rig), b(rig), c(rig);
          rig.wait(100s);
          EXPECT_EQ(rig.out, out);
        }
      }
    }
  }
}

TEST(Shut, closes_each_leg_and_waits_for_its_answer) {
  Rig rig;
  rig.open();
  rig.connection->shut(model::EndReason::drain, 1001, "drain", rig.call());
  for (const Side side : both) {
    const auto got = frames(rig.to(side));
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].code(), 1001);
    EXPECT_EQ(got[0].payload.substr(2), "drain");
    EXPECT_EQ(got[0].masked, side == Side::server);
  }
  EXPECT_TRUE(rig.finished[0].empty() && rig.finished[1].empty());
  // What was under way is dropped, the answers are not passed on.
  rig.feed(Side::client, text(Side::client, "under way") + close(Side::client, 1001));
  EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));  // towards it we are the server
  rig.feed(Side::server, text(Side::server, "under way") + close(Side::server, 1001));
  EXPECT_TRUE(rig.finished[1].empty());
  rig.connection->eof(Side::server, rig.call());
  EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
  EXPECT_EQ(frames(rig.to(Side::client)).size(), 1U);
  EXPECT_EQ(frames(rig.to(Side::server)).size(), 1U);
  EXPECT_EQ(rig.connection->next_deadline(), base::never);
  EXPECT_EQ(rig.figures().state, model::SessionState::closed);
  EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::drain);
  EXPECT_EQ(rig.connection->observed().close_info()->initiator, model::Initiator::proxy);
  EXPECT_EQ(rig.figures().anomalies, 0U);
}

TEST(Shut, waits_for_the_frame_boundary) {
  Rig rig;
  rig.open();
  const std::string big = text(Side::server, std::string(1000, 'x'));
  rig.feed(Side::server, std::string_view(big).substr(0, 300));
  rig.connection->shut(model::EndReason::drain, 1001, "drain", rig.call());
  EXPECT_EQ(frames(rig.to(Side::server)).size(), 1U);
  EXPECT_EQ(rig.to(Side::client), big.substr(0, 300));
  rig.wait(1s);
  rig.feed(Side::server, std::string_view(big).substr(300));
  rig.feed(Side::server, text(Side::server, "more"));
  const auto got = frames(rig.to(Side::client));
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].payload, std::string(1000, 'x'));
  EXPECT_EQ(got[1].code(), 1001);
  EXPECT_EQ(got[1].payload.substr(2), "drain");
}

TEST(Shut, a_boundary_that_never_comes) {
  for (const int how : {0, 1, 2}) {
    Rig rig;
    rig.open();
    rig.feed(Side::server, text(Side::server, std::string(1000, 'x')).substr(0, 300));
    rig.connection->shut(model::EndReason::drain, 1001, "drain", rig.call());
    if (how == 0) rig.wait(5s);
    if (how == 1) rig.connection->eof(Side::server, rig.call());
    if (how == 2) rig.connection->reset(Side::server, rig.call());
    EXPECT_EQ(rig.finished[0].size(), 1U);
    EXPECT_EQ(rig.finished[1].size(), 1U);
    EXPECT_EQ(rig.to(Side::client).size(), 300U);
    EXPECT_EQ(rig.connection->next_deadline(), base::never);
  }
}

// Found by fuzzing: the bad frame was dropped, and what came behind it passed.
TEST(Shut, a_violation_in_the_frame_it_waits_for) {
  for (const bool inside : {true, false}) {
    Rig rig;
    rig.open();
    const std::string bad = text(Side::client, std::string(10, 'x') + "\xff" + std::string(10, 'y'));
    const std::string good = text(Side::client, std::string(21, 'x'));
    const std::string sent = inside ? bad : good + frame(Side::client, Opcode::continuation, "orphan");
    rig.feed(Side::client, std::string_view(sent).substr(0, 10));
    rig.connection->shut(model::EndReason::drain, 1001, "drain", rig.call());
    rig.feed(Side::client, std::string_view(sent).substr(10));
    rig.feed(Side::client, text(Side::client, "behind"));
    if (inside) {
      EXPECT_EQ(rig.to(Side::server), bad.substr(0, 10));
      EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
    } else {
      EXPECT_EQ(rig.passed[1], good);
      EXPECT_EQ(frames(rig.to(Side::server)).back().code(), 1001);
    }
    EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));
    rig.wait(5s);
    EXPECT_EQ(rig.finished[1].size(), 1U);
    EXPECT_EQ(rig.after_finish, 0);
  }
}

TEST(Shut, after_a_close_tells_only_who_has_had_none) {
  Rig rig;
  rig.open();
  rig.feed(Side::client, close(Side::client, 1000));
  rig.connection->shut(model::EndReason::drain, 1001, "drain", rig.call());
  EXPECT_EQ(frames(rig.to(Side::server)).size(), 1U);
  EXPECT_EQ(frames(rig.to(Side::client)).at(0).code(), 1001);
  EXPECT_EQ(rig.connection->observed().close_info()->initiator, model::Initiator::client);
  rig.wait(5s);
  EXPECT_EQ(rig.finished[0].size(), 1U);
  EXPECT_EQ(rig.finished[1].size(), 1U);
}

TEST(Shut, twice_is_once) {
  Rig rig;
  rig.open();
  rig.connection->shut(model::EndReason::drain, 1001, "drain", rig.call());
  rig.connection->shut(model::EndReason::limit, 1008, "again", rig.call());
  EXPECT_EQ(frames(rig.to(Side::client)).size(), 1U);
  EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::drain);
}

TEST(Idle, no_data_message_for_so_long_closes_1001) {
  Rig rig;
  rig.options.idle_timeout = 60s;
  rig.open();
  for (int i = 0; i < 10; ++i) {
    rig.wait(50s);
    rig.feed(i % 2 == 0 ? Side::client : Side::server, text(i % 2 == 0 ? Side::client : Side::server, "x"));
  }
  const base::Time last = rig.now;
  rig.wait(30s);
  rig.feed(Side::client, frame(Side::client, Opcode::ping, ""));  // no data
  rig.wait(29999ms);
  EXPECT_EQ(rig.figures().state, model::SessionState::open);
  rig.wait(1ms);
  EXPECT_EQ(rig.now, last + 60s);
  EXPECT_EQ(frames(rig.to(Side::client)).back().code(), 1001);
  EXPECT_EQ(frames(rig.to(Side::server)).back().code(), 1001);
  EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::idle);
}

TEST(Idle, a_slow_message_is_not_idle) {
  Rig rig;
  rig.options.idle_timeout = 60s;
  rig.open();
  const std::string slow = text(Side::client, std::string(100, 'x'));
  rig.feed(Side::client, std::string_view(slow).substr(0, 6));
  for (const char byte : slow.substr(6)) {
    rig.wait(10s);
    rig.feed(Side::client, std::string_view(&byte, 1));
  }
  EXPECT_EQ(rig.figures().state, model::SessionState::open);
}

}  // namespace
}  // namespace sockeye::relay::test
