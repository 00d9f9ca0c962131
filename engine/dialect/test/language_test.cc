// What rules can say of a message's invocation, texts and numbers, each in the smallest dialect that needs it.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "sockeye/dialect/registry.h"
#include "sockeye/dialect/session.h"

namespace sockeye::dialect {
namespace {

using namespace std::chrono_literals;
using base::Time;
using model::Opcode;
using model::Side;

class Heard : public Listener {
 public:
  std::vector<std::string> log;
  void opened(model::Invocation& i) override { log.push_back("open " + i.operation); }
  void chunk(const model::Invocation& i, std::optional<base::Duration>) override {
    log.push_back("chunk " + i.operation);
  }
  void ended(model::Invocation&& i) override {
    log.push_back("end " + i.operation + " " + std::string(model::name(i.status)) +
                  (i.traceparent.empty() ? "" : " " + i.traceparent));
  }
  void media(Side, std::string_view name, std::uint64_t, Time) override { log.push_back("media " + std::string(name)); }
  void beat(Side, std::string_view name, std::optional<base::Duration> rtt, Time) override {
    log.push_back(std::string(name) + (rtt ? " " + std::to_string(*rtt / 1ms) : ""));
  }
  void session_attribute(std::string_view, const model::AttributeValue&) override {}
  void event(std::string_view, Side, Time) override {}
  void error(Side, std::string_view, Time) override {}
  void dialect_error(DialectError kind, Side, std::uint64_t, Time) override { log.emplace_back(name(kind)); }
};

class Talk {
 public:
  explicit Talk(std::string_view yaml)
      : session_(*compile(yaml, "test.yaml"), HandshakeView{}, Limits{}, workspace_, heard_, 1) {}
  Talk& c2s(std::string_view text) { return say(Side::client, text); }
  Talk& s2c(std::string_view text) { return say(Side::server, text); }
  Talk& after(base::Duration d) {
    now_ += d;
    return *this;
  }
  std::vector<std::string> heard() { return std::exchange(heard_.log, {}); }

 private:
  Talk& say(Side from, std::string_view text) {
    session_.message(from, Opcode::text,
                     {.bytes = base::as_bytes(text), .readable = text.size(), .on_wire = text.size()}, now_);
    return *this;
  }
  Heard heard_;
  Workspace workspace_;
  Session session_;
  Time now_{1s};
};

using Lines = std::vector<std::string>;

constexpr std::string_view subscriptions = R"(
dialect: t
type: /m
rules:
- {is: sub, do: [{open: {op: /m, lane: sub, keys: {id: /id}}}]}
- {is: call, do: [{open: {op: /m, keys: {id: /id}}}]}
- {is: news, do: [{chunk: {to: {name: sub, key: /sub}}}]}
- {of: {side: other, op: sub, key: /id}, do: [{bind: {to: {side: other, op: sub, key: /id}, keys: {sub: /r}, drop: id}}]}
- {when: {/r: {has: true}}, do: [{end: {to: {side: other, key: /id}}}]}
)";

TEST(Language, OfPicksARuleByWhatIsOpen) {
  Talk talk(subscriptions);
  talk.c2s(R"({"m":"call","id":1})").s2c(R"({"id":1,"r":"x"})");
  EXPECT_EQ(talk.heard(), (Lines{"open call", "end call ok"}));
  talk.c2s(R"({"m":"sub","id":2})").s2c(R"({"id":2,"r":"s"})").s2c(R"({"m":"news","sub":"s"})");
  EXPECT_EQ(talk.heard(), (Lines{"open sub", "chunk sub"}));
  talk.s2c(R"({"id":9,"r":"x"})");
  EXPECT_EQ(talk.heard(), Lines{"orphan"});
}

TEST(Language, DropFreesAKeyForTheNext) {
  Talk talk(subscriptions);
  for (const std::string id : {"a", "b"}) talk.c2s(R"({"m":"sub","id":1})").s2c(R"({"id":1,"r":")" + id + R"("})");
  talk.c2s(R"({"m":"call","id":1})").s2c(R"({"id":1,"r":"x"})");
  talk.s2c(R"({"m":"news","sub":"a"})").s2c(R"({"m":"news","sub":"b"})");
  EXPECT_EQ(talk.heard(), (Lines{"open sub", "open sub", "open call", "end call ok", "chunk sub", "chunk sub"}));
}

TEST(Language, LastOfEndsNumberedChunks) {
  Talk talk(R"(
dialect: t
rules:
- {when: {/ask: {has: true}}, do: [{open: {op: /ask, keys: {id: /ask}}}]}
- {when: {/i: {last_of: /n}}, do: [{end: {to: {key: /id}}}]}
- {when: {/i: {has: true}}, do: [{chunk: {to: {key: /id}}}]}
)");
  talk.c2s(R"({"ask":"x"})").s2c(R"({"id":"x","i":0,"n":2})").s2c(R"({"id":"x","i":1,"n":2})");
  EXPECT_EQ(talk.heard(), (Lines{"open x", "chunk x", "end x ok"}));
  // No number, none, or past the end: not the last.
  talk.c2s(R"({"ask":"x"})").s2c(R"({"id":"x","i":"one","n":2})").s2c(R"({"id":"x","i":0})");
  talk.s2c(R"({"id":"x","i":-1,"n":0})").s2c(R"({"id":"x","i":2,"n":2})").s2c(R"({"id":"x","i":1.0,"n":2})");
  EXPECT_EQ(talk.heard(), (Lines{"open x", "chunk x", "chunk x", "chunk x", "chunk x", "chunk x"}));
}

TEST(Language, WordIsTheFirstOfAText) {
  Talk talk("{dialect: t, rules: [{do: [{open: {op: [{word: /q}, =none]}}]}]}");
  talk.c2s(R"({"q":"query{ a }"})").c2s(R"({"q":"\n\t mutation_2 X"})").c2s(R"({"q":"{ a }"})");
  talk.c2s(R"({"q":"   "})").c2s(R"({"q":7})").c2s("{}");
  EXPECT_EQ(talk.heard(), (Lines{"open query", "open mutation_2", "open none", "open none", "open none", "open none"}));
}

TEST(Language, BeatsAnswerOnlyWhenTheySaySo) {
  Talk talk(R"(
dialect: t
type: /m
rules:
- {is: ping, do: [{beat: {name: ping, answer: false}}]}
- {is: pong, do: [{beat: {name: pong, answer: true}}]}
- {is: tick, do: [{beat: {name: tick}}]}
)");
  // Both ping at once: each pong is the answer to the other side's.
  talk.c2s(R"({"m":"ping"})").after(5ms).s2c(R"({"m":"ping"})").after(10ms).s2c(R"({"m":"pong"})");
  talk.after(20ms).c2s(R"({"m":"pong"})").c2s(R"({"m":"pong"})");
  EXPECT_EQ(talk.heard(), (Lines{"ping", "ping", "pong 15", "pong 30", "pong"}));
  // Unsaid, whoever is second answers.
  talk.c2s(R"({"m":"tick"})").after(7ms).s2c(R"({"m":"tick"})").after(3ms).s2c(R"({"m":"tick"})");
  EXPECT_EQ(talk.heard(), (Lines{"tick", "tick 7", "tick"}));
}

TEST(Language, TraceContextMayHaveAPrefix) {
  Talk talk(R"(
dialect: t
trace: [{prefix: _, at: /o}]
rules:
- {when: {/r: {has: true}}, do: [{end: {to: {key: /r}}}]}
- {do: [{open: {op: call, keys: {id: /id}}}]}
)");
  talk.c2s(R"({"id":1,"o":{"traceparent":"no","_traceparent":"yes"}})").s2c(R"({"r":1})");
  talk.c2s(R"({"id":2,"o":{"traceparent":"no"}})").s2c(R"({"r":2})");
  EXPECT_EQ(talk.heard(), (Lines{"open call", "end call ok yes", "open call", "end call ok"}));
}

TEST(Language, ASequenceMayBeginAnew) {
  Talk talk("{dialect: t, seq: /s, rules: [{do: [{ignore: true}]}]}");
  talk.s2c(R"({"s":7})").s2c(R"({"s":8})").s2c(R"({"s":null})").s2c(R"({"s":1})").s2c(R"({"s":2})");
  EXPECT_EQ(talk.heard(), Lines{});
  talk.s2c(R"({"s":5})").s2c(R"({"s":0})").s2c(R"({"s":1})").s2c(R"({"s":2})").s2c(R"({"s":2})");
  EXPECT_EQ(talk.heard(), (Lines{"gap", "gap"}));
}

TEST(Language, SaysWhatIsWrongWithThem) {
  const auto wrong = [](std::string_view rule) {
    const auto compiled = compile("{dialect: t, rules: [" + std::string(rule) + "]}", "t.yaml");
    return compiled ? std::string() : compiled.error().message;
  };
  EXPECT_NE(wrong("{of: {name: sub, key: /x}, do: [{ignore: true}]}").find("no rule gives the key 'sub'"),
            std::string::npos);
  EXPECT_NE(wrong("{do: [{beat: {name: x, answer: perhaps}}]}").find("true or false"), std::string::npos);
  EXPECT_NE(wrong("{when: {/x: {last_of: y}}, do: [{ignore: true}]}").find("'y' is no extractor"), std::string::npos);
  EXPECT_NE(wrong("{do: [{open: {op: {word: x}}}]}").find("'x' is no extractor"), std::string::npos);
}

TEST(Detect, FirstLooksAtWhatTheDecoderMakes) {
  const std::vector<ProgramRef> known = {
      *compile("{dialect: r, decode: records, detect: [{dir: c2s, first: {/protocol: json}}], rules: []}", "r.yaml"),
      *compile("{dialect: s, decode: stomp, detect: [{first: {/command: CONNECT}}], rules: []}", "s.yaml"),
      *compile("{dialect: j, detect: [{first: {/protocol: json}}], rules: []}", "j.yaml")};
  const auto detected = [&](Side from, std::initializer_list<std::string_view> messages) {
    Workspace workspace;
    Detector detector(known, HandshakeView{}, workspace);
    for (const std::string_view m : messages)
      detector.message(from, Opcode::text, {.bytes = base::as_bytes(m), .readable = m.size(), .on_wire = m.size()});
    return std::string(name(*detector.decision().program));
  };
  EXPECT_EQ(detected(Side::client, {"{\"protocol\":\"json\",\"version\":1}\x1e"}), "r");
  EXPECT_EQ(detected(Side::server, {"{\"protocol\":\"json\",\"version\":1}\x1e"}), "none");
  EXPECT_EQ(detected(Side::client, {"{\"protocol\":", "\"json\"}\x1e"}), "r");
  EXPECT_EQ(detected(Side::client, {"CONNECT\naccept-ver", std::string_view("sion:1.2\n\n\0", 11)}), "s");
  EXPECT_EQ(detected(Side::client, {"{\"protocol\":\"json\"}"}), "j");
}

}  // namespace
}  // namespace sockeye::dialect
