// What a peer does wrong: strict closes with the code RFC 6455 asks for, forward counts and passes on.
#include <gtest/gtest.h>
#include <zlib.h>

#include "rig.h"
#include "sockeye/dialect/registry.h"

namespace sockeye::relay::test {
namespace {

struct Case {
  std::string name;
  Side side;
  std::string bytes;
  Anomaly kind;
  int code;
};

std::vector<Case> cases() {
  const Side c = Side::client;
  const Side s = Side::server;
  const auto op = [](int o) { return static_cast<Opcode>(o); };
  return {
      {"rsv1", c, frame(c, {.payload = "x", .rsv = 4}), Anomaly::reserved_bits, 1002},
      {"rsv on close", c, frame(c, {.opcode = Opcode::close, .payload = "\x03\xe8", .rsv = 7}), Anomaly::reserved_bits,
       1002},
      {"opcode 3", c, frame(c, {.opcode = op(3), .payload = "x"}), Anomaly::reserved_opcode, 1002},
      {"opcode 15", s, frame(s, {.opcode = op(15)}), Anomaly::reserved_opcode, 1002},
      {"unmasked", c, frame(c, {.payload = "x", .masked = 0}), Anomaly::unmasked_client_frame, 1002},
      {"masked", s, frame(s, {.payload = "x", .masked = 1}), Anomaly::masked_server_frame, 1002},
      {"not minimal", c, frame(c, {.payload = "x", .length_bytes = 2}), Anomaly::length_not_minimal, 1002},
      {"top bit", s, std::string("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10), Anomaly::length_too_large, 1002},
      {"2^63-1", s, std::string("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10), Anomaly::frame_too_large, 1009},
      {"ping of 126", c, frame(c, Opcode::ping, std::string(126, 'x')), Anomaly::control_too_long, 1002},
      {"fragmented ping", s, frame(s, Opcode::ping, "x", false), Anomaly::control_fragmented, 1002},
      {"orphan", c, frame(c, Opcode::continuation, "x"), Anomaly::orphan_continuation, 1002},
      {"interleaved", c, text(c, "").substr(0, 0) + frame(c, Opcode::text, "a", false) + text(c, "b"),
       Anomaly::interleaved_message, 1002},
      {"utf-8", c, text(c, "\xce\xba\xed\xa0\x80"), Anomaly::invalid_utf8, 1007},
      {"utf-8 cut", s, text(s, "\xce\xba\xe1"), Anomaly::invalid_utf8, 1007},
      {"utf-8 in a later fragment", s, frame(s, Opcode::text, "\xce", false) + frame(s, Opcode::continuation, "\xce"),
       Anomaly::invalid_utf8, 1007},
      {"close of 1", c, frame(c, Opcode::close, "x"), Anomaly::close_payload_truncated, 1002},
      {"close 999", c, close(c, 999), Anomaly::close_code_invalid, 1002},
      {"close 1005", s, frame(s, Opcode::close, "\x03\xed"), Anomaly::close_code_invalid, 1002},
      {"close reason", c, close(c, 1000, "\xff"), Anomaly::close_reason_invalid, 1007},
  };
}

TEST(Violation, strict_closes_both_legs_with_the_code) {
  for (const auto& it : cases()) {
    for (const std::size_t size : {1000U, 1U, 3U}) {
      SCOPED_TRACE(it.name + ", pieces of " + std::to_string(size));
      Rig rig;
      rig.open();
      const std::string before = text(it.side, "good");
      // Whatever went before the bad frame in the same read still passes; nothing behind it does.
      rig.chop(it.side, before + it.bytes + text(it.side, "behind"), size);
      const Side other = model::other(it.side);
      EXPECT_EQ(rig.anomalies(it.kind), 1U);
      EXPECT_EQ(rig.figures().anomalies, 1U);
      EXPECT_EQ(rig.to(other).substr(0, before.size()), before);

      const auto others = frames(rig.to(other));
      const bool inside = others.back().opcode != Opcode::close;  // part of the bad frame had passed
      EXPECT_TRUE(!inside || (it.kind == Anomaly::invalid_utf8 && size < 1000));
      std::string answers;
      if (!inside) {
        EXPECT_EQ(others.back().code(), it.code);
        EXPECT_EQ(others.back().masked, other == Side::server);
        // What the other peer says to the good message still arrives, and then it is the offender's turn.
        EXPECT_EQ(rig.figures().state, model::SessionState::closing);
        EXPECT_EQ(rig.to(it.side), "");
        answers = text(other, "to good");
        rig.chop(other, answers + close(other, static_cast<std::uint16_t>(it.code)) + text(other, "late"), size);
      }

      EXPECT_EQ(rig.to(it.side).substr(0, answers.size()), answers);
      const auto offender = frames(rig.to(it.side).substr(answers.size()));
      ASSERT_EQ(offender.size(), 1U);
      EXPECT_EQ(offender[0].opcode, Opcode::close);
      EXPECT_EQ(offender[0].code(), it.code);
      EXPECT_EQ(offender[0].payload.substr(2), model::explain(it.kind));
      EXPECT_EQ(offender[0].masked, it.side == Side::server);
      EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));
      EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
      EXPECT_EQ(rig.after_finish, 0);
      ASSERT_TRUE(rig.connection->observed().close_info());
      EXPECT_EQ(rig.connection->observed().close_info()->code, it.code);
      EXPECT_EQ(rig.connection->observed().close_info()->initiator, model::Initiator::proxy);
      EXPECT_EQ(rig.connection->observed().close_info()->why,
                it.code == 1009 ? model::EndReason::limit : model::EndReason::protocol_error);
      EXPECT_EQ(rig.figures().state, model::SessionState::closed);
      EXPECT_EQ(rig.connection->next_deadline(), base::never);
      // Deaf from here on.
      rig.feed(other, text(other, "still here"));
      EXPECT_EQ(frames(rig.to(it.side)).size(), answers.empty() ? 1U : 2U);
    }
  }
}

// §7.1.7 for the offender, but nothing of what the other peer has to say to the good messages is lost: until it answers
// our Close, or goes, or the close timeout is over.
TEST(Violation, the_other_peer_may_answer_first) {
  const std::string bad = frame(Side::client, Opcode::continuation, "x");
  const auto offended = [&](Rig& rig) {
    rig.open();
    rig.feed(Side::client, text(Side::client, "good") + bad + text(Side::client, "behind"));
    rig.feed(Side::server, text(Side::server, "reply"));
    rig.feed(Side::client, text(Side::client, "deaf to it"));
    EXPECT_EQ(rig.to(Side::client), text(Side::server, "reply"));
    EXPECT_EQ(frames(rig.to(Side::server)).size(), 2U);
    EXPECT_TRUE(rig.finished[0].empty() && rig.finished[1].empty());
  };
  const auto expect_closes = [](const Rig& rig, Finish server = Finish::flush) {
    const auto got = frames(rig.to(Side::client));
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[1].code(), 1002);
    EXPECT_EQ(got[1].payload.substr(2), model::explain(Anomaly::orphan_continuation));
    EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));
    EXPECT_TRUE(rig.was_finished(Side::server, server));
    EXPECT_EQ(rig.figures().state, model::SessionState::closed);
    EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::protocol_error);
  };
  {
    SCOPED_TRACE("a Close of its own");
    Rig rig;
    offended(rig);
    rig.feed(Side::server, close(Side::server, 1000, "bye"));
    expect_closes(rig);
  }
  {
    SCOPED_TRACE("FIN");
    Rig rig;
    offended(rig);
    rig.connection->eof(Side::server, rig.call());
    expect_closes(rig);
  }
  {
    SCOPED_TRACE("reset");
    Rig rig;
    offended(rig);
    rig.connection->reset(Side::server, rig.call());
    expect_closes(rig, Finish::abort);
  }
  {
    SCOPED_TRACE("a violation of its own");
    Rig rig;
    offended(rig);
    rig.feed(Side::server, frame(Side::server, {.payload = "x", .masked = 1}));
    expect_closes(rig);
    EXPECT_EQ(rig.figures().anomalies, 2U);
  }
  {
    SCOPED_TRACE("nothing, for the close timeout");
    Rig rig;
    offended(rig);
    rig.wait(rig.options.close_timeout - 1ms);
    EXPECT_EQ(frames(rig.to(Side::client)).size(), 1U);
    rig.wait(1ms);
    expect_closes(rig);
  }
  {
    SCOPED_TRACE("drain");
    Rig rig;
    offended(rig);
    rig.connection->shut(model::EndReason::drain, 1001, "drain", rig.call());
    expect_closes(rig);
  }
  {
    SCOPED_TRACE("the offender's FIN changes nothing, its reset ends the wait");
    Rig rig;
    offended(rig);
    rig.connection->eof(Side::client, rig.call());
    EXPECT_TRUE(rig.finished[0].empty() && rig.finished[1].empty());
    rig.connection->reset(Side::client, rig.call());
    EXPECT_TRUE(rig.was_finished(Side::client, Finish::abort));
    EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
  }
}

TEST(Violation, forward_counts_and_passes_on) {
  for (const auto& it : cases()) {
    for (const std::size_t size : {1000U, 1U}) {
      SCOPED_TRACE(it.name);
      Rig rig;
      rig.options.conformance = Conformance::forward;
      rig.open();
      const bool ends = (it.bytes[0] & 0x0f) == 8 && it.kind != Anomaly::reserved_bits;
      const std::string bytes = text(it.side, "good") + it.bytes + (ends ? "" : text(it.side, "behind"));
      rig.chop(it.side, bytes, size);
      EXPECT_EQ(rig.to(model::other(it.side)).substr(0, text(it.side, "good").size() + it.bytes.size()),
                bytes.substr(0, text(it.side, "good").size() + it.bytes.size()));
      EXPECT_EQ(rig.anomalies(it.kind), 1U);
      EXPECT_TRUE(rig.finished[0].empty());
      EXPECT_TRUE(rig.finished[1].empty());
      EXPECT_TRUE(rig.injected[0].empty());
      EXPECT_TRUE(rig.injected[1].empty());
    }
  }
}

TEST(Violation, framing_lost_in_forward_stops_our_pings) {
  Rig rig;
  rig.options.conformance = Conformance::forward;
  rig.options.heartbeat = {};
  rig.observe.segment = 0s;
  rig.open();
  const std::string bytes = std::string("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10) + "anything \x8a";
  rig.feed(Side::server, bytes);
  rig.feed(Side::server, "and more");
  rig.wait(300s);
  EXPECT_EQ(rig.to(Side::client), bytes + "and more");
  EXPECT_EQ(rig.to(Side::server), "");
  EXPECT_FALSE(rig.connection->heartbeat(static_cast<Side>(0)));
  // It still ends.
  rig.connection->shut(model::EndReason::drain, 1001, "drain", rig.call());
  rig.wait(10s);
  EXPECT_EQ(frames(rig.to(Side::server)).at(0).code(), 1001);
  EXPECT_EQ(rig.to(Side::client), bytes + "and more");
  EXPECT_EQ(rig.finished[0].size(), 1U);
  EXPECT_EQ(rig.finished[1].size(), 1U);
}

TEST(Violation, inside_a_frame_that_has_partly_passed_no_byte_is_invented) {
  Rig rig;
  rig.open();
  const std::string bad = text(Side::client, std::string(100, 'a') + "\xff" + std::string(100, 'b'));
  rig.feed(Side::client, std::string_view(bad).substr(0, 50));
  rig.feed(Side::client, std::string_view(bad).substr(50));
  EXPECT_EQ(rig.to(Side::server), bad.substr(0, 50));
  EXPECT_EQ(frames(rig.to(Side::client)).at(0).code(), 1007);
  EXPECT_TRUE(rig.was_finished(Side::server, Finish::flush));
}

TEST(Violation, the_offender_is_inside_a_frame_itself) {
  Rig rig;
  rig.open();
  const std::string half = text(Side::server, std::string(100, 'a')).substr(0, 50);
  rig.feed(Side::server, half);
  rig.feed(Side::client, frame(Side::client, Opcode::continuation, "x"));
  EXPECT_EQ(frames(rig.to(Side::server)).at(0).code(), 1002);
  rig.connection->eof(Side::server, rig.call());
  EXPECT_EQ(rig.to(Side::client), half);  // no Close fits
  EXPECT_TRUE(rig.was_finished(Side::client, Finish::flush));
}

// The end of the connection comes before that of a frame which is wrong already.
TEST(Violation, half_a_bad_frame_is_one) {
  const Side c = Side::client;
  const Side s = Side::server;
  struct {
    std::string name;
    Side side;
    std::string bytes;
    Anomaly kind;
  } const halves[] = {
      {"opcode 11, one byte", c, "\x8b", Anomaly::reserved_opcode},
      {"rsv", s, "\xc9", Anomaly::reserved_bits},
      {"fragmented ping", s, std::string("\x09\x05xy", 4), Anomaly::control_fragmented},
      {"unmasked ping", c, std::string("\x89\x05xy", 4), Anomaly::unmasked_client_frame},
      {"masked pong", s, "\x8a\x85", Anomaly::masked_server_frame},
      {"ping of 126 and more", s, std::string("\x89\x7e\x01", 3), Anomaly::control_too_long},
      {"not minimal", s, std::string("\x82\x7f\0\0\0\0\0\0\x01", 9), Anomaly::length_not_minimal},
      {"orphan", s, std::string("\x80"), Anomaly::orphan_continuation},
  };
  for (const auto& it : halves) {
    SCOPED_TRACE(it.name);
    const std::string good = text(it.side, "good");
    const Side other = model::other(it.side);
    Rig rig;
    rig.open();
    rig.feed(it.side, good + it.bytes);
    rig.connection->eof(it.side, rig.call());
    EXPECT_EQ(rig.anomalies(it.kind), 1U);
    EXPECT_EQ(rig.to(other).substr(0, good.size()), good);
    const auto got = frames(rig.to(other));
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[1].code(), 1002);
    rig.feed(other, close(other, 1002));
    EXPECT_TRUE(rig.was_finished(other, Finish::flush));
    EXPECT_EQ(rig.figures().state, model::SessionState::closed);

    Rig lenient;
    lenient.options.conformance = Conformance::forward;
    lenient.open();
    lenient.feed(it.side, good + it.bytes);
    lenient.connection->eof(it.side, lenient.call());
    EXPECT_EQ(lenient.to(other), good + it.bytes);
  }
  // What is not wrong yet passes as far as it came.
  for (const std::string half : {"\x81", "\x89\x05xy", "\x88\x02\x03", "\x82\x7e\x01", "\x82\x7f", "\x82\x7e"}) {
    Rig rig;
    rig.open();
    rig.feed(s, half);
    rig.connection->eof(s, rig.call());
    EXPECT_EQ(rig.to(c), half);
  }
}

TEST(Violation, utf8_fails_at_the_first_impossible_byte) {
  for (const std::string stop : {"\xf4\x90", "\xed\xa0", "\xc0"}) {
    Rig rig;
    rig.open();
    const std::string bytes = text(Side::client, "\xce\xba\xe1\xbd\xb9" + stop + std::string(100, 'x'));
    rig.chop(Side::client, std::string_view(bytes).substr(0, 6 + 5 + stop.size() - 1), 1);
    if (stop.size() > 1) {
      EXPECT_EQ(rig.figures().anomalies, 0U);
      rig.feed(Side::client, std::string_view(bytes).substr(6 + 5 + stop.size() - 1, 1));
    } else {
      rig.feed(Side::client, std::string_view(bytes).substr(6 + 5, 1));
    }
    EXPECT_EQ(rig.anomalies(Anomaly::invalid_utf8), 1U);
  }
}

TEST(Violation, utf8_state_is_per_direction_and_message) {
  Rig rig;
  rig.open();
  rig.feed(Side::client, frame(Side::client, Opcode::text, "\xe2\x82", false));
  rig.feed(Side::server, text(Side::server, "\xac").substr(0, 2));  // its own message: a lone continuation byte to come
  rig.feed(Side::client, frame(Side::client, Opcode::ping, "\xff"));
  rig.feed(Side::client,
           frame(Side::client, Opcode::continuation, "\xac") + frame(Side::client, Opcode::binary, "\xff\xfe"));
  EXPECT_EQ(rig.figures().anomalies, 0U);
  rig.feed(Side::server, "\xac");
  EXPECT_EQ(rig.anomalies(Anomaly::invalid_utf8), 1U);
}

TEST(Violation, message_limits) {
  Rig rig;
  rig.options.limits.frame = 100;
  rig.options.limits.message = 150;
  rig.open();
  rig.feed(Side::client, frame(Side::client, Opcode::binary, std::string(100, 'x'), false));
  EXPECT_EQ(rig.figures().anomalies, 0U);
  rig.feed(Side::client, frame(Side::client, Opcode::continuation, std::string(51, 'x')));
  EXPECT_EQ(rig.anomalies(Anomaly::message_too_large), 1U);
  EXPECT_EQ(rig.connection->observed().close_info()->why, model::EndReason::limit);

  Rig announced;  // and nothing sent: the header is enough
  announced.options.limits.frame = 100;
  announced.open();
  announced.feed(Side::client, frame(Side::client, Opcode::binary, std::string(101, 'x')).substr(0, 6));
  EXPECT_EQ(frames(announced.to(Side::server)).at(0).code(), 1009);
  announced.feed(Side::server, close(Side::server, 1009));
  EXPECT_EQ(frames(announced.to(Side::client)).at(0).code(), 1009);
}

TEST(Violation, ping_flood) {
  Rig rig;
  rig.open();
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += frame(Side::client, Opcode::ping, "");
  rig.feed(Side::client, flood);
  EXPECT_EQ(rig.figures().anomalies, 0U);
  EXPECT_EQ(rig.to(Side::server), flood);
  rig.feed(Side::client, frame(Side::client, Opcode::pong, ""));
  EXPECT_EQ(rig.anomalies(Anomaly::control_flood), 1U);
  rig.feed(Side::server, close(Side::server, 1008));
  EXPECT_EQ(frames(rig.to(Side::client)).at(0).code(), 1008);
  EXPECT_EQ(rig.to(Side::server).substr(0, flood.size()), flood);

  Rig forward;
  forward.options.conformance = Conformance::forward;
  forward.open();
  for (int i = 0; i < 5; ++i) forward.feed(Side::client, flood);
  EXPECT_EQ(forward.anomalies(Anomaly::control_flood), 1U);
  EXPECT_EQ(forward.to(Side::server).size(), 5 * flood.size());
}

// --- permessage-deflate, observed

std::string deflated(std::string_view plain) {
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  std::string out(plain.size() + 100, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_SYNC_FLUSH);
  out.resize(out.size() - z.avail_out - 4);
  deflateEnd(&z);
  return out;
}

struct Observed : Rig {
  Observed() {
    extensions.deflate = true;
    extensions.parameters.client_no_context_takeover = true;
    observe.inflate = observer::Inflate::always;
    options.limits.message = observe.inflated = 1 << 20;
  }
};

TEST(Deflate, observed_messages_pass_and_are_checked) {
  for (const std::size_t size : {1U, 7U, 100'000U}) {
    Observed rig;
    rig.open();
    const std::string a =
        frame(Side::client, {.payload = deflated("h\xc3\xa9llo " + std::string(5000, 'x')), .rsv = 4});
    const std::string compressed = deflated("in fragments");
    const std::string b = frame(Side::client, {.payload = compressed.substr(0, 3), .fin = false, .rsv = 4}) +
                          frame(Side::client, Opcode::ping, "") +
                          frame(Side::client, Opcode::continuation, compressed.substr(3));
    const std::string c = text(Side::client, "plain") +
                          frame(Side::client, {.opcode = Opcode::binary, .payload = deflated("\xff\xff"), .rsv = 4});
    rig.chop(Side::client, a + b + c, size);
    EXPECT_EQ(rig.to(Side::server), a + b + c);
    EXPECT_EQ(rig.figures().anomalies, 0U);
    EXPECT_EQ(rig.detail().counts[0].data_messages(), 4U);
  }
}

TEST(Deflate, what_it_inflates_to_is_part_of_a_turn) {
  const std::string bomb = frame(Side::client, {.payload = deflated(std::string(40U << 20U, 'a')), .rsv = 4});
  for (const bool inserts : {false, true}) {
    Observed rig;
    rig.options.limits.message = rig.observe.inflated = 64U << 20U;
    rig.options.insert.to_server = inserts;
    if (inserts)
      rig.observe.dialect = {observer::DialectOptions::Mode::fixed, dialect::find(dialect::built_in(), "jsonrpc"),
                             nullptr};
    rig.open();
    rig.turn = 500'000;
    rig.feed(Side::client, bomb);
    EXPECT_GT(rig.turns, 100) << inserts;
    EXPECT_TRUE(inserts ? frames(rig.to(Side::server)).size() == 1 : rig.to(Side::server) == bomb);
    EXPECT_EQ(rig.figures().anomalies, 0U);
    EXPECT_EQ(rig.detail().counts[0].wire_bytes, bomb.size());
  }
}

TEST(Deflate, observed_violations_close) {
  const auto verdict = [](const std::string& payload, Conformance conformance = Conformance::strict) {
    Observed rig;
    rig.options.conformance = conformance;
    rig.open();
    const std::string bytes = frame(Side::client, {.payload = payload, .rsv = 4});
    rig.feed(Side::client, bytes);
    if (conformance == Conformance::forward) {
      EXPECT_EQ(rig.to(Side::server), bytes);
      EXPECT_EQ(rig.figures().anomalies, 1U);
      // What does not inflate ends the inflating; text that is no UTF-8 does not.
      const bool goes_on = rig.anomalies(Anomaly::invalid_utf8) == 1;
      rig.feed(Side::client, bytes);
      EXPECT_EQ(rig.figures().anomalies, goes_on ? 2U : 1U);
      rig.feed(Side::client, frame(Side::client, {.payload = deflated("good text"), .rsv = 4}));
      EXPECT_EQ(rig.figures().anomalies, goes_on ? 2U : 1U);
      return 0;
    }
    EXPECT_EQ(frames(rig.to(Side::server)).size(), 1U);
    rig.feed(Side::server, close(Side::server, 1000));
    return frames(rig.to(Side::client)).at(0).code();
  };
  const std::string bomb = deflated(std::string((1 << 20) + 1, '\0'));
  ASSERT_LT(bomb.size(), 2000U);
  EXPECT_EQ(verdict(bomb), 1009);
  EXPECT_EQ(verdict("\xff\xff\xff"), 1007);
  EXPECT_EQ(verdict(deflated("no \xff text")), 1007);
  EXPECT_EQ(verdict(deflated("cut \xe2\x82")), 1007);
  EXPECT_EQ(verdict(deflated("whole").substr(0, 4)), 1007);
  for (const std::string& payload : {bomb, std::string("\xff\xff"), deflated("no \xff text"), deflated("cut \xe2\x82")})
    verdict(payload, Conformance::forward);
}

TEST(Violation, forwarded_text_is_one_anomaly_a_message) {
  Rig rig;
  rig.options.conformance = Conformance::forward;
  rig.open();
  const Side c = Side::client;
  const std::string bad = frame(c, Opcode::text, "\xff", false) + frame(c, Opcode::continuation, "\xff", false) +
                          frame(c, Opcode::continuation, "\xff");
  const std::string bytes =
      bad + text(c, "good") + bad + frame(c, Opcode::binary, "\xff") + text(c, "\xc3\xa4") + text(c, "cut \xc3");
  rig.chop(c, bytes, 3);
  EXPECT_EQ(rig.to(Side::server), bytes);
  EXPECT_EQ(rig.anomalies(Anomaly::invalid_utf8), 3U);
  EXPECT_EQ(rig.figures().anomalies, 3U);
}

TEST(Deflate, rsv1_where_it_must_not_be) {
  for (const std::string& bytes :
       {frame(Side::client, {.opcode = Opcode::ping, .payload = "x", .rsv = 4}),
        frame(Side::client, {.payload = "a", .fin = false, .rsv = 4}) +
            frame(Side::client, {.opcode = Opcode::continuation, .payload = "x", .rsv = 4})}) {
    Rig rig;
    rig.extensions.deflate = true;
    rig.open();
    rig.feed(Side::client, bytes);
    EXPECT_EQ(rig.anomalies(Anomaly::reserved_bits), 1U);
    rig.feed(Side::server, close(Side::server, 1002));
    EXPECT_EQ(frames(rig.to(Side::client)).at(0).code(), 1002);
  }
}

TEST(Violation, unknown_extensions_keep_their_bits) {
  Rig rig;
  rig.extensions.other = true;
  rig.open();
  const std::string bytes = frame(Side::client, {.payload = "x", .rsv = 7});
  rig.feed(Side::client, bytes);
  EXPECT_EQ(rig.to(Side::server), bytes);
  EXPECT_EQ(rig.figures().anomalies, 0U);
}

}  // namespace
}  // namespace sockeye::relay::test
