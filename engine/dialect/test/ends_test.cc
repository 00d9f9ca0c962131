// How invocations end that no reply ends: unanswered by right, at their opener's word, under their sub-session, or not
// at all, so that they are not begun.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "notes.h"
#include "sockeye/dialect/registry.h"

namespace sockeye::dialect::ends_test {
namespace {

using namespace std::chrono_literals;
using model::Opcode;
using model::Side;

class Talk {
 public:
  explicit Talk(const std::string& rules, const std::string& top = "")
      : session(program(rules, top), HandshakeView{}, Limits{}, workspace, notes, 1) {}
  Talk& c2s(std::string_view text) { return say(Side::client, text); }
  Talk& s2c(std::string_view text) { return say(Side::server, text); }
  Talk& after(base::Duration d) {
    now += d;
    session.tick(now);
    return *this;
  }
  std::string heard() { return notes.take(); }

  Workspace workspace;
  Notes notes;
  Session session;
  base::Time now{1s};

 private:
  static ProgramRef program(const std::string& rules, const std::string& top) {
    auto compiled = compile("dialect: t\ntype: /t\n" + top + "rules:\n" + rules, "t.yaml");
    EXPECT_TRUE(compiled) << compiled.error().message;
    return *compiled;
  }
  Talk& say(Side from, std::string_view text) {
    session.message(from, Opcode::text,
                    {.bytes = base::as_bytes(text), .readable = text.size(), .on_wire = text.size()}, now);
    return *this;
  }
};

std::string wrong(const std::string& rules, const std::string& top = "") {
  const auto compiled = compile("dialect: t\ntype: /t\n" + top + "rules:\n" + rules, "t.yaml");
  return compiled ? "" : compiled.error().message;
}

// --- reply: optional

constexpr const char* quiet =
    "- {is: ask, do: [{open: {op: ask, keys: {id: /id}, timeout: 10s, reply: optional}}]}\n"
    "- {is: must, do: [{open: {op: must, keys: {id: /id}, timeout: 10s}}]}\n"
    "- {is: piece, do: [{chunk: {to: {key: /id}}}]}\n"
    "- {is: done, do: [{end: {to: {key: /id}}}]}\n"
    "- {is: gone, do: [{end: {to: {pick: all}, status: incomplete, attrs: {error.type: =gone}}}]}\n";

TEST(Unanswered, EndsOkAsOfItsLastSign) {
  Talk talk(quiet);
  talk.c2s(R"({"t":"ask","id":1})").c2s(R"({"t":"must","id":2})").c2s(R"({"t":"ask","id":3})");
  talk.after(4s).s2c(R"({"t":"piece","id":3})").heard();
  talk.after(20s);
  EXPECT_EQ(talk.heard(),
            "end #1 ask ok by unanswered; end #2 must incomplete by timeout; end #3 ask ok by unanswered");
  const auto& ended = talk.notes.finished;
  EXPECT_EQ(ended[0].ended, ended[0].opened);
  EXPECT_EQ(ended[2].ended, ended[2].chunks.last);
}

TEST(Unanswered, IsACallLikeAnyOtherWhenItIsAnswered) {
  Talk talk(quiet);
  talk.c2s(R"({"t":"ask","id":1})").after(3s).s2c(R"({"t":"done","id":1})");
  EXPECT_EQ(talk.heard(), "open #1 ask; end #1 ask ok");
  EXPECT_EQ(talk.notes.finished[0].ended - talk.notes.finished[0].opened, base::Duration(3s));
}

TEST(Unanswered, WhateverEndsItUnderThePeersIsQuiet) {
  Talk talk(quiet);
  talk.c2s(R"({"t":"ask","id":1})").c2s(R"({"t":"must","id":2})").heard();
  talk.s2c(R"({"t":"gone"})");
  EXPECT_EQ(talk.heard(), "end #1 ask ok by unanswered; end #2 must incomplete (gone)");
  EXPECT_EQ(talk.notes.finished[0].error_type, "");
  talk.c2s(R"({"t":"ask","id":1})").c2s(R"({"t":"must","id":2})").heard();
  talk.session.finish(talk.now);
  EXPECT_EQ(talk.heard(), "end #3 ask ok by unanswered; end #4 must incomplete by connection_lost");
}

TEST(Unanswered, NeedsATimeout) {
  const std::string rule = "- {is: ask, do: [{open: {op: ask, reply: optional}}]}\n";
  EXPECT_NE(wrong(rule).find("needs a timeout"), std::string::npos);
  EXPECT_EQ(wrong(rule, "timeout: 5s\n"), "");
  EXPECT_NE(wrong("- {is: ask, do: [{open: {op: ask, reply: maybe}}]}\n").find("required or optional"),
            std::string::npos);
}

// --- at its opener's word

constexpr const char* subscriptions =
    "- {is: sub, do: [{open: {op: sub, keys: {id: /id}}}]}\n"
    "- {is: news, do: [{chunk: {to: {side: other, key: /id}}}]}\n"
    "- {is: over, do: [{end: {to: {side: other, key: /id}, status: /s}}]}\n"
    "- {is: unsub, do: [{end: {to: {side: same, key: /id}}}]}\n"
    "- {is: drop, do: [{cancel: {to: {side: same, key: /id}, end: true}}]}\n"
    "- {is: stop, do: [{cancel: {to: {side: same, key: /id}}}]}\n";

TEST(Late, WhatCrossesTheOpenersEndIsNoOrphan) {
  for (const std::string word : {"unsub", "drop"}) {
    Talk talk(subscriptions);
    talk.c2s(R"({"t":"sub","id":1})").c2s(R"({"t":")" + word + R"(","id":1})").heard();
    talk.after(1s).s2c(R"({"t":"news","id":1})").s2c(R"({"t":"over","id":1})");
    EXPECT_EQ(talk.heard(), "late; late") << word;
    talk.s2c(R"({"t":"news","id":2})").c2s(R"({"t":"news","id":1})");
    EXPECT_EQ(talk.heard(), "orphan; orphan") << "that was never there, or is said by the wrong side";
    talk.after(10s).s2c(R"({"t":"news","id":1})");
    EXPECT_EQ(talk.heard(), "orphan") << "too late";
  }
}

TEST(Late, ThePeersOwnEndLeavesNothingBehind) {
  Talk talk(subscriptions);
  talk.c2s(R"({"t":"sub","id":1})").s2c(R"({"t":"over","id":1})").heard();
  talk.s2c(R"({"t":"news","id":1})");
  EXPECT_EQ(talk.heard(), "orphan");
}

TEST(Late, UsedAgainAnIdIsTheNewerOnes) {
  Talk talk(subscriptions);
  talk.c2s(R"({"t":"sub","id":1})").c2s(R"({"t":"unsub","id":1})").c2s(R"({"t":"sub","id":1})").heard();
  talk.s2c(R"({"t":"news","id":1})").s2c(R"({"t":"over","id":1})");
  EXPECT_EQ(talk.heard(), "chunk #2 sub; end #2 sub ok");
}

TEST(Late, AnEndThatWasOwedIsTheOlderOnes) {
  Talk talk(subscriptions);
  talk.c2s(R"({"t":"sub","id":1})").c2s(R"({"t":"stop","id":1})").c2s(R"({"t":"sub","id":1})");
  EXPECT_EQ(talk.heard(), "open #1 sub; end #1 sub cancelled by cancel; open #2 sub") << "no duplicate";
  talk.s2c(R"({"t":"over","id":1})").s2c(R"({"t":"news","id":1})").s2c(R"({"t":"over","id":1})");
  EXPECT_EQ(talk.heard(), "late; chunk #2 sub; end #2 sub ok");
  // Not where it refuses the newer one, has begun to answer it, or comes long after.
  talk.c2s(R"({"t":"sub","id":1})").c2s(R"({"t":"stop","id":1})").c2s(R"({"t":"sub","id":1})").heard();
  talk.s2c(R"({"t":"over","id":1,"s":"error"})");
  EXPECT_EQ(talk.heard(), "end #4 sub error");
  talk.c2s(R"({"t":"sub","id":1})").c2s(R"({"t":"stop","id":1})").c2s(R"({"t":"sub","id":1})");
  talk.s2c(R"({"t":"news","id":1})").heard();
  talk.s2c(R"({"t":"over","id":1})");
  EXPECT_EQ(talk.heard(), "end #6 sub ok");
  talk.c2s(R"({"t":"sub","id":1})").c2s(R"({"t":"stop","id":1})").c2s(R"({"t":"sub","id":1})").heard();
  talk.after(11s).s2c(R"({"t":"over","id":1})");
  EXPECT_EQ(talk.heard(), "end #8 sub ok");
}

TEST(Late, AReplyToWhatWasGivenUpIsNoOrphanForAsLongAgain) {
  Talk talk(subscriptions);
  talk.c2s(R"({"t":"sub","id":1})").c2s(R"({"t":"stop","id":1})").after(10s);
  EXPECT_EQ(talk.heard(), "open #1 sub; end #1 sub cancelled by cancel");
  talk.after(9s).s2c(R"({"t":"over","id":1})").after(2s).s2c(R"({"t":"over","id":1})");
  EXPECT_EQ(talk.heard(), "late; orphan");
}

TEST(Late, RemembersABoundedNumber) {
  Talk talk(subscriptions);
  for (int i = 0; i < 100; ++i) {
    const std::string id = std::to_string(i);
    talk.c2s(R"({"t":"sub","id":)" + id + "}").c2s(R"({"t":"unsub","id":)" + id + "}");
  }
  talk.heard();
  talk.s2c(R"({"t":"news","id":99})").s2c(R"({"t":"news","id":36})").s2c(R"({"t":"news","id":35})");
  EXPECT_EQ(talk.heard(), "late; late; orphan");
}

// --- under its sub-session

TEST(SubSession, TakesWhatIsOpenInItOldestFirst) {
  Talk talk(
      "- {is: ask, do: [{open: {op: /id, keys: {id: {join: [/s, /id]}}, attrs: {s: /s}}}]}\n"
      "- {is: done, do: [{end: {to: {key: {join: [/s, /id]}}}}]}\n"
      "- {is: gone, do: [{end: {to: {with: {s: /s}, pick: all}, optional: true, status: incomplete}}]}\n");
  for (const char* text :
       {R"({"t":"ask","id":"a"})", R"({"t":"ask","s":"x","id":"a"})", R"({"t":"ask","s":"y","id":"a"})",
        R"({"t":"ask","s":"x","id":"b"})", R"({"t":"done","s":"y","id":"a"})", R"({"t":"ask","s":"x","id":"c"})"})
    talk.c2s(text);
  talk.heard();
  talk.s2c(R"({"t":"gone","s":"x"})");
  EXPECT_EQ(talk.heard(), "end #2 a incomplete; end #4 b incomplete; end #5 c incomplete");
  talk.s2c(R"({"t":"gone","s":"z"})").s2c(R"({"t":"gone"})");
  EXPECT_EQ(talk.heard(), "end #1 a incomplete") << "where none is named, those that are in none";
}

// --- no end to be had

TEST(Keyless, IsNotBegunWhereOnlyAKeyCouldEndIt) {
  Talk talk(
      "- {is: ask, do: [{open: {op: ask, keys: {id: /id, extra: /x}}}]}\n"
      "- {is: late, do: [{bind: {to: {name: extra, key: /x}, keys: {id: /id}}}]}\n"
      "- {is: note, do: [{note: {name: seen, to: {name: other, key: /o}}}]}\n"
      "- {is: named, do: [{open: {op: named, keys: {other: /o, id: /id}}}]}\n"
      "- {is: gone, do: [{end: {to: {pick: all}, optional: true}}]}\n"
      "- {is: done, do: [{end: {to: {key: /id}}}]}\n");
  talk.c2s(R"({"t":"ask"})").c2s(R"({"t":"ask","id":null})").c2s(R"({"t":"ask","id":{}})");
  EXPECT_EQ(talk.heard(), "invalid; invalid; invalid");
  EXPECT_EQ(talk.session.open(), 0U);
  talk.c2s(R"({"t":"ask","x":1})").s2c(R"({"t":"late","x":1,"id":2})").s2c(R"({"t":"done","id":2})");
  EXPECT_EQ(talk.heard(), "open #1 ask; end #1 ask ok") << "by a key it is given a key";
  talk.c2s(R"({"t":"named","o":1})");
  EXPECT_EQ(talk.heard(), "invalid") << "that key ends nothing";
}

TEST(Keyless, IsBegunWhereSomethingElseCanEndIt) {
  for (const std::string open :
       {"op: ask, lane: call", "op: hello", "op: /name", "op: other, timeout: 5s", "op: other, settle: 5s"}) {
    Talk talk("- {is: ask, do: [{open: {" + open +
              ", keys: {id: /id}}}]}\n"
              "- {is: done, do: [{end: {to: {key: /id}}}]}\n"
              "- {is: all, do: [{end: {to: [{op: call}, {op: hello}]}}]}\n");
    talk.c2s(R"({"t":"ask","name":"n"})");
    EXPECT_EQ(talk.session.open(), 1U) << open;
  }
  Talk talk(
      "- {is: ask, do: [{accept: {to: {key: /id}, op: ask, keys: {id: /id}}}]}\n"
      "- {is: done, do: [{end: {to: {key: /id}}}]}\n");
  talk.c2s(R"({"t":"ask"})");
  EXPECT_EQ(talk.heard(), "invalid") << "accept opens, too";
}

TEST(Keyless, NamesOfTypesTellWhatAnEndCanFind) {
  Talk talk(
      "- {is: SUBSCRIBE, do: [{open: {op: /t, keys: {id: /id}}}]}\n"
      "- {is: CONNECT, do: [{open: {op: /t, keys: {id: /id}}}]}\n"
      "- {is: UNSUBSCRIBE, do: [{end: {to: {key: /id}}}]}\n"
      "- {is: CONNECTED, do: [{end: {to: {op: CONNECT}}}]}\n");
  talk.c2s(R"({"t":"SUBSCRIBE"})").c2s(R"({"t":"CONNECT"})");
  EXPECT_EQ(talk.heard(), "invalid; open #1 CONNECT");
}

TEST(Lane, IsWhatAnOperationOfThatNameIsNot) {
  Talk talk(
      "- {is: init, do: [{open: {op: init, lane: init}}]}\n"
      "- {is: ask, do: [{open: {op: /name, lane: call}}]}\n"
      "- {is: bare, do: [{open: {op: init}}]}\n"
      "- {is: ready, do: [{end: {to: {op: init}}}]}\n");
  talk.c2s(R"({"t":"ask","name":"init"})").c2s(R"({"t":"init"})").heard();
  talk.s2c(R"({"t":"ready"})").s2c(R"({"t":"ready"})");
  EXPECT_EQ(talk.heard(), "end #2 init ok; orphan");
  talk.c2s(R"({"t":"bare"})").heard();
  talk.s2c(R"({"t":"ready"})");
  EXPECT_EQ(talk.heard(), "end #3 init ok");
}

// --- pieces, wrappings, and detection on the way

class Any {
 public:
  Any(std::string_view dialect, HandshakeView handshake = {}) {
    if (dialect == "auto") {
      detector.emplace(built_in(), handshake, workspace);
      begin(detector->decision().program, nullptr, handshake);
    } else {
      begin(find(built_in(), dialect), nullptr, handshake);
    }
  }
  void begin(ProgramRef program, Intake* begun, HandshakeView handshake) {
    session.emplace(std::move(program), handshake, Limits{}, workspace, notes, 1, begun);
  }
  std::string say(Side from, std::string_view text, Opcode opcode = Opcode::text) {
    const base::MutableBytes room = workspace.stage(text.size());
    std::transform(text.begin(), text.end(), room.begin(), [](char c) { return static_cast<base::Byte>(c); });
    const Payload payload{.bytes = room.first(text.size()), .readable = room.size(), .on_wire = text.size()};
    if (detector && detector->open() && detector->message(from, opcode, payload))
      begin(detector->decision().program, detector->begun(), {});
    session->message(from, opcode, payload, base::Time(1s));
    return notes.take();
  }
  [[nodiscard]] std::string dialect() const { return std::string(name(session->program())); }

  Workspace workspace;
  Notes notes;
  std::optional<Detector> detector;
  std::optional<Session> session;
};

TEST(Wrapped, APieceIsNoUnknownMessage) {
  Any stomp("stomp");
  EXPECT_EQ(stomp.say(Side::client, "CONNECT\nhost:b\n"), "partial");
  EXPECT_EQ(stomp.say(Side::client, std::string_view("\n\0", 2)), "open #1 CONNECT");
}

TEST(Wrapped, SockJsIsReadInAnyDialect) {
  Any rpc("jsonrpc");
  EXPECT_EQ(rpc.say(Side::server, "o"), "");
  EXPECT_EQ(rpc.say(Side::client, R"(["{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}"])"), "open #1 a");
  EXPECT_EQ(rpc.say(Side::server, R"(a["[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}]"])"), "end #1 a ok") << "a batch";
  EXPECT_EQ(rpc.say(Side::server, "h"), "beat heartbeat");
  EXPECT_EQ(rpc.say(Side::server, R"(c[3000,"Go away!"])"), "event close");
  EXPECT_FALSE(rpc.session->inserts(Side::client, Opcode::text, true)) << "what is inside a string stays as it is";
  Any plain("jsonrpc");
  EXPECT_EQ(plain.say(Side::server, R"({"jsonrpc":"2.0","method":"m"})"), "media notification 30");
  EXPECT_EQ(plain.say(Side::server, "o"), "invalid") << "only the first message says so";
}

TEST(Wrapped, WhatBeganBeforeTheDialectWasKnownGoesOn) {
  Any rpc("auto");
  EXPECT_EQ(rpc.say(Side::client, "Content-Length: 38\r\n", Opcode::binary), "");
  EXPECT_EQ(rpc.dialect(), "none");
  EXPECT_EQ(rpc.say(Side::client, "\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ab\"}", Opcode::binary),
            "open #1 ab");
  EXPECT_EQ(rpc.dialect(), "jsonrpc");
  EXPECT_EQ(rpc.say(Side::server, R"({"jsonrpc":"2.0","id":1,"result":1})"), "end #1 ab ok");
  Any stomp("auto");
  stomp.say(Side::server, "o");
  stomp.say(Side::client, R"(["CONNECT\nhost"])");
  EXPECT_EQ(stomp.say(Side::client, R"([":b\n\n\u0000"])"), "open #1 CONNECT");
  EXPECT_EQ(stomp.dialect(), "stomp");
}

}  // namespace
}  // namespace sockeye::dialect::ends_test
