#include "sockeye/dialect/session.h"

#include <gtest/gtest.h>

#include <string>

#include "notes.h"
#include "sockeye/dialect/registry.h"

namespace sockeye::dialect::session_test {
namespace {

using model::Opcode;
using model::Side;
using namespace std::chrono_literals;

constexpr Side c2s = Side::client;
constexpr Side s2c = Side::server;

class Rig {
 public:
  explicit Rig(const std::string& rules, const Limits& limits = {}) {
    const auto program = compile("dialect: t\ntype: /t\n" + rules, "t.yaml");
    EXPECT_TRUE(program) << (program ? "" : program.error().message);
    session.emplace(*program, HandshakeView{.path = "/p", .query = "a=1&b=x%20y", .subprotocol = "sub"}, limits,
                    workspace, notes, 7);
  }
  std::string say(Side from, std::string_view text, Opcode opcode = Opcode::text) {
    session->message(from, opcode, {.bytes = base::as_bytes(text), .readable = text.size(), .on_wire = text.size()},
                     now);
    return notes.take();
  }
  std::string wait(base::Duration d) {
    now += d;
    session->tick(now);
    return notes.take();
  }
  Workspace workspace;
  Notes notes;
  std::optional<Session> session;
  base::Time now{1s};
};

const std::string calls = R"(
rules:
- {is: ask, do: [{open: {op: /op, keys: {id: /id}, lane: call, attrs: {x: /x, who: $subprotocol, p: $path, q: $query.a}}}]}
- {is: word, do: [{chunk: {to: {side: other, key: /id}, lane: text}}]}
- {is: end, do: [{end: {to: {side: other, key: /id}, status: {map: [/how, {good: ok, bad: error}]}, attrs: {error.type: /why}}}]}
- {is: stop, do: [{cancel: {to: {side: same, key: /id}}}]}
- {is: kill, do: [{cancel: {to: {side: same, key: /id}, end: true}}]}
- {is: last, do: [{end: {to: {op: call, pick: latest}}}]}
- {is: first, do: [{end: {to: {op: call, pick: oldest}}}]}
)";

TEST(Session, ACallItsChunksAndItsEnd) {
  Rig rig(calls);
  EXPECT_EQ(rig.say(c2s, R"({"t":"ask","id":1,"op":"sum","x":2.5})"), "open #1 sum");
  rig.now += 10ms;
  EXPECT_EQ(rig.say(s2c, R"({"t":"word","id":1})"), "chunk #1 sum");
  rig.now += 30ms;
  EXPECT_EQ(rig.say(s2c, R"({"t":"word","id":1})"), "chunk #1 sum");
  EXPECT_EQ(rig.say(s2c, R"({"t":"end","id":1,"how":"good"})"), "end #1 sum ok");
  const model::Invocation& i = rig.notes.finished.front();
  EXPECT_EQ(i.opened_by, c2s);
  EXPECT_EQ(i.chunks.count, 2U);
  EXPECT_EQ(i.chunks.first - i.opened, 10ms);
  EXPECT_EQ(i.chunks.longest_interval, 30ms);
  EXPECT_EQ(i.lanes[0].lane, "text");
  EXPECT_EQ(i.request_bytes, 37U);
  const model::Attributes expected = {
      {"x", 2.5}, {"who", std::string("sub")}, {"p", std::string("/p")}, {"q", std::string("1")}};
  EXPECT_EQ(i.attributes, expected);
}

TEST(Session, IdsOfTheTwoSidesNeverMeet) {
  Rig rig(calls);
  rig.say(c2s, R"({"t":"ask","id":1,"op":"a"})");
  rig.say(s2c, R"({"t":"ask","id":1,"op":"b"})");
  EXPECT_EQ(rig.say(c2s, R"({"t":"end","id":1})"), "end #2 b ok");
  EXPECT_EQ(rig.say(s2c, R"({"t":"end","id":1})"), "end #1 a ok");
}

TEST(Session, IdsKeepTheirType) {
  Rig rig(calls);
  rig.say(c2s, R"({"t":"ask","id":1,"op":"number"})");
  EXPECT_EQ(rig.say(c2s, R"({"t":"ask","id":"1","op":"text"})"), "open #2 text");
  EXPECT_EQ(rig.say(s2c, R"({"t":"end","id":"1"})"), "end #2 text ok");
  EXPECT_EQ(rig.say(s2c, R"({"t":"end","id":null})"), "orphan");
  EXPECT_EQ(rig.say(s2c, R"({"t":"end"})"), "orphan");
}

TEST(Session, StatusesAndErrors) {
  Rig rig(calls);
  rig.say(c2s, R"({"t":"ask","id":1,"op":"a"})");
  EXPECT_EQ(rig.say(s2c, R"({"t":"end","id":1,"how":"bad","why":"tired"})"), "end #1 a error (tired)");
  rig.say(c2s, R"({"t":"ask","id":1,"op":"a"})");
  EXPECT_EQ(rig.say(s2c, R"({"t":"end","id":1,"how":"odd"})"), "end #2 a ok") << "a map without default has no answer";
}

TEST(Session, ACancelledOneThatNobodyEndsIsCancelledInTime) {
  Rig rig(calls);
  rig.say(c2s, R"({"t":"ask","id":1,"op":"a"})");
  EXPECT_EQ(rig.say(c2s, R"({"t":"stop","id":1})"), "");
  EXPECT_EQ(rig.wait(9s), "");
  EXPECT_EQ(rig.wait(2s), "end #1 a cancelled by cancel");
  rig.say(c2s, R"({"t":"ask","id":2,"op":"a"})");
  rig.say(c2s, R"({"t":"stop","id":2})");
  EXPECT_EQ(rig.say(s2c, R"({"t":"end","id":2})"), "end #2 a cancelled");
  rig.say(c2s, R"({"t":"ask","id":3,"op":"a"})");
  EXPECT_EQ(rig.say(c2s, R"({"t":"kill","id":3})"), "end #3 a cancelled by cancel");
  EXPECT_EQ(rig.say(c2s, R"({"t":"kill","id":3})"), "orphan");
}

TEST(Session, PicksOldestAndLatest) {
  Rig rig(calls);
  for (const char* id : {"1", "2", "3"}) rig.say(c2s, R"({"t":"ask","op":"a","id":)" + std::string(id) + "}");
  EXPECT_EQ(rig.say(s2c, R"({"t":"last"})"), "end #3 a ok");
  EXPECT_EQ(rig.say(s2c, R"({"t":"first"})"), "end #1 a ok");
}

TEST(Session, ADuplicateEndsTheOlder) {
  Rig rig(calls);
  rig.say(c2s, R"({"t":"ask","id":1,"op":"a"})");
  EXPECT_EQ(rig.say(c2s, R"({"t":"ask","id":1,"op":"b"})"), "duplicate; end #1 a incomplete by evicted; open #2 b");
  EXPECT_EQ(rig.session->open(), 1U);
}

TEST(Session, AMillionOpenOnesAreBounded) {
  Rig rig(calls, {.open = 16});
  for (int i = 0; i < 1'000'000; ++i) {
    const std::string text = R"({"t":"ask","op":"a","id":)" + std::to_string(i) + "}";
    const std::string heard = rig.say(c2s, text);
    ASSERT_EQ(heard.starts_with("evicted; end #"), i >= 16) << heard;
    rig.notes.finished.clear();
  }
  EXPECT_EQ(rig.session->open(), 16U);
  rig.session->finish(rig.now);
  EXPECT_EQ(rig.session->open(), 0U);
  EXPECT_EQ(rig.notes.finished.size(), 16U);
  EXPECT_EQ(rig.notes.finished.front().end, model::InvocationEnd::connection_lost);
}

// Some protocols have it that who was told to stop says nothing more: then it was over when it was cancelled.
TEST(Session, WhatWasCancelledAndNotAnsweredEndedWhenItWas) {
  for (const bool lost : {false, true}) {
    Rig rig(calls);
    rig.say(c2s, R"({"t":"ask","id":1,"op":"sum"})");
    rig.now += 100ms;
    rig.say(c2s, R"({"t":"stop","id":1})");
    const base::Time cancelled = rig.now;
    rig.now += 50ms;
    rig.say(s2c, R"({"t":"word","id":1})");
    const base::Time last_word = rig.now;
    rig.say(c2s, R"({"t":"stop","id":1})");
    if (lost) {
      rig.session->finish(rig.now + 1s);
    } else {
      rig.wait(11s);
    }
    ASSERT_EQ(rig.notes.finished.size(), 1U) << lost;
    const model::Invocation& i = rig.notes.finished[0];
    EXPECT_EQ(i.status, model::InvocationStatus::cancelled);
    EXPECT_EQ(i.end, model::InvocationEnd::cancel);
    EXPECT_EQ(i.ended, last_word);
    EXPECT_LT(cancelled, last_word);
  }
}

// The first bytes of one that is too long may say enough.
TEST(Session, TheBeginningOfALongMessageIsRead) {
  Rig rig(calls, {.text = 3000});
  const std::string bulk = R"(,"data":")" + std::string(5000, 'x') + "\"";
  EXPECT_EQ(rig.say(c2s, R"({"t":"ask","id":1,"op":"sum")" + bulk + "}"), "too_large; open #1 sum");
  EXPECT_EQ(rig.say(s2c, R"({"t":"word","id":1)" + bulk + "}"), "too_large; chunk #1 sum");
  EXPECT_EQ(rig.say(s2c, R"({"t":"news","id":1)" + bulk + "}"), "too_large");
  EXPECT_EQ(rig.say(s2c, R"({"a":0)" + bulk + R"(,"t":"end","id":1})"), "too_large") << "said too late";
  EXPECT_EQ(rig.say(s2c, R"({"t":"end","id":1,"how":"good")" + bulk + "}"), "too_large; end #1 sum ok");
}

TEST(Session, UnmatchedInvalidAndTooLarge) {
  Rig rig(calls, {.text = 100});
  EXPECT_EQ(rig.say(c2s, R"({"t":"news"})"), "unmatched");
  EXPECT_EQ(rig.say(c2s, "{"), "invalid");
  EXPECT_EQ(rig.say(c2s, std::string(101, ' ')), "too_large");
  EXPECT_EQ(rig.say(c2s, "\x01\x02", Opcode::binary), "unmatched");
}

TEST(Session, ServesAndChildren) {
  Rig rig(R"(
rules:
- {is: ask, do: [{open: {op: parent, lane: call, keys: {id: /id}}}]}
- {is: tool, do: [{open: {op: child, keys: {tool: /tool}, parent: {key: /id}}}]}
- {is: result, do: [{end: {to: {name: tool, key: /tool}}}]}
)");
  rig.say(c2s, R"({"t":"ask","id":"r"})");
  rig.say(s2c, R"({"t":"tool","tool":"x","id":"r"})");
  EXPECT_EQ(rig.say(c2s, R"({"t":"result","tool":"x"})"), "end #2 child ok");
  EXPECT_EQ(rig.notes.finished.front().parent, 1U);
}

TEST(Session, AdoptsOrOpens) {
  Rig rig(R"(
rules:
- {is: create, dir: c2s, do: [{open: {op: answer, lane: resp, keys: {ev: /ev}}}]}
- {is: stopped, do: [{event: {name: vad.stop, anchor: vad}}]}
- {is: created, do: [{accept: {to: {op: resp, unbound: id}, op: answer, lane: resp, trigger: vad, start: vad, keys: {id: /id}}}]}
- {is: done, do: [{end: {to: {key: /id}}}]}
)");
  rig.say(c2s, R"({"t":"create","ev":"e1"})");
  EXPECT_EQ(rig.say(s2c, R"({"t":"created","id":"r1"})"), "") << "adopted";
  EXPECT_EQ(rig.say(s2c, R"({"t":"stopped"})"), "event vad.stop");
  rig.now += 100ms;
  EXPECT_EQ(rig.say(s2c, R"({"t":"created","id":"r2"})"), "open #2 answer");
  EXPECT_EQ(rig.say(s2c, R"({"t":"done","id":"r2"})"), "end #2 answer ok");
  EXPECT_EQ(rig.notes.finished[0].opened - rig.notes.finished[0].anchor, 100ms);
  EXPECT_EQ(rig.notes.finished[0].anchor_name, "vad");
  EXPECT_EQ(rig.notes.finished[0].trigger, "vad");
  EXPECT_EQ(rig.say(s2c, R"({"t":"done","id":"r1"})"), "end #1 answer ok");
  EXPECT_EQ(rig.notes.finished[1].anchor, base::never);
}

TEST(Session, EachElementOfAnArray) {
  Rig rig(R"(
rules:
- {is: calls, each: /list, do: [{open: {op: ./name, keys: {id: ./id}}}]}
- {is: results, each: /list, do: [{end: {to: {key: ./id}}}]}
)");
  EXPECT_EQ(rig.say(s2c, R"({"t":"calls","list":[{"id":"a","name":"x"},{"id":"b","name":"y\n"}]})"),
            "open #1 x; open #2 y\n");
  EXPECT_EQ(rig.say(c2s, R"({"t":"results","list":[{"id":"b"},{"id":"a"},{"id":"c"}]})"),
            "end #2 y\n ok; end #1 x ok; orphan");
}

TEST(Session, KeysLearnedFromTheReply) {
  Rig rig(R"(
rules:
- {is: subscribe, do: [{open: {op: sub, keys: {id: /id}}}]}
- {is: reply, do: [{bind: {to: {key: /id}, keys: {sub: /result}}}]}
- {is: news, do: [{chunk: {to: {name: sub, key: /sub}}}]}
)");
  rig.say(c2s, R"({"t":"subscribe","id":1})");
  EXPECT_EQ(rig.say(s2c, R"({"t":"reply","id":1,"result":"0xabc"})"), "");
  EXPECT_EQ(rig.say(s2c, R"({"t":"news","sub":"0xabc"})"), "chunk #1 sub");
  EXPECT_EQ(rig.say(s2c, R"({"t":"news","sub":"0xdef"})"), "orphan");
}

TEST(Session, SequenceGapsAndBeatsAndMedia) {
  Rig rig(R"(
seq: {at: /n, dir: c2s}
rules:
- {is: m, do: [{media: {name: audio}}]}
- {is: [ping, pong], do: [{beat: {name: p}}]}
- {when: {$binary: true}, do: [{media: {name: bytes}}]}
)");
  EXPECT_EQ(rig.say(c2s, R"({"t":"m","n":"4"})"), "media audio 17");
  EXPECT_EQ(rig.say(c2s, R"({"t":"m","n":"5"})"), "media audio 17");
  EXPECT_EQ(rig.say(c2s, R"({"t":"m","n":9})"), "gap 3; media audio 15");
  EXPECT_EQ(rig.say(c2s, R"({"t":"m","n":9})"), "gap; media audio 15");
  EXPECT_EQ(rig.say(c2s, "abc", Opcode::binary), "media bytes 3");
  EXPECT_EQ(rig.say(c2s, R"({"t":"ping"})"), "beat p");
  rig.now += 20ms;
  EXPECT_EQ(rig.say(s2c, R"({"t":"pong"})"), "beat p 20ms");
}

TEST(Session, BatchesAndTimeouts) {
  Rig rig("batch: true\ntimeout: 30s\n" + calls.substr(1));
  EXPECT_EQ(rig.say(c2s, R"([{"t":"ask","id":1,"op":"a"},{"t":"ask","id":2,"op":"b"}, 5 ])"),
            "open #1 a; open #2 b; unmatched");
  EXPECT_EQ(rig.wait(20s), "");
  rig.say(s2c, R"({"t":"word","id":2})");
  EXPECT_EQ(rig.wait(11s), "end #1 a incomplete by timeout");
  EXPECT_EQ(rig.wait(20s), "end #2 b incomplete by timeout");
}

TEST(Session, ReadsTraceContextWhereTheDialectSays) {
  Rig rig("trace: [{at: /meta, dir: c2s}, {at: ''}]\n" + calls.substr(1));
  rig.say(c2s, R"({"t":"ask","id":1,"op":"a","meta":{"traceparent":"00-x","tracestate":"k=v","baggage":"b=1"}})");
  rig.say(s2c, R"({"t":"ask","id":2,"op":"a","traceparent":"00-y","meta":{"traceparent":"00-x"}})");
  rig.say(s2c, R"({"t":"end","id":1})");
  rig.say(c2s, R"({"t":"end","id":2})");
  EXPECT_EQ(rig.notes.finished[0].traceparent, "00-x");
  EXPECT_EQ(rig.notes.finished[0].tracestate, "k=v");
  EXPECT_EQ(rig.notes.finished[0].baggage, "b=1");
  EXPECT_EQ(rig.notes.finished[1].traceparent, "00-y");
}

TEST(Detector, OneDialectOrNone) {
  const auto make = [](const std::string& name, const std::string& detect) {
    return *compile("dialect: " + name + "\ndetect: " + detect + "\nrules: [{do: [{ignore: true}]}]\n", name);
  };
  const std::vector<ProgramRef> known = {
      make("a", "[{subprotocol: one}, {path: {suffix: /a}}]"),
      make("b", "[{path: {suffix: /a}, query.k: {has: true}}]"), make("c", "[{first: {/v: '2'}}]"),
      make("d", "[{first: {/v: '2', /w: {has: true}}}, {path: /same}]"), make("e", "[{path: /same}]")};
  Workspace workspace;
  const auto decide = [&](HandshakeView handshake) {
    const Detector detector(known, handshake, workspace);
    return std::string(name(*detector.decision().program)) + " " + std::string(name(detector.decision().basis));
  };
  EXPECT_EQ(decide({.path = "/x", .subprotocol = "one"}), "a subprotocol");
  EXPECT_EQ(decide({.path = "/x/a"}), "a handshake");
  EXPECT_EQ(decide({.path = "/x/a", .query = "k=1"}), "b handshake");
  EXPECT_EQ(decide({.path = "/x/a", .query = "k=1", .subprotocol = "one"}), "a subprotocol");
  EXPECT_EQ(decide({.path = "/same"}), "none ambiguous");
  EXPECT_EQ(decide({.path = "/other"}), "none undecided");

  const auto first = [&](std::vector<std::string> messages) {
    Detector detector(known, {.path = "/other"}, workspace);
    for (const std::string& m : messages)
      if (detector.message(Side::client, Opcode::text, {.bytes = base::as_bytes(m), .readable = m.size()})) break;
    return std::string(name(*detector.decision().program)) + (detector.open() ? " open" : "");
  };
  EXPECT_EQ(first({R"({"v":2})"}), "c");
  EXPECT_EQ(first({R"({"v":2,"w":1})"}), "d");
  EXPECT_EQ(first({"nonsense", R"({"v":3})"}), "none open");
  EXPECT_EQ(first(std::vector<std::string>(Detector::patience, "{}")), "none");
}

}  // namespace
}  // namespace sockeye::dialect::session_test
