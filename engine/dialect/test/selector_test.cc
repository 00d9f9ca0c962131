// Which open invocation a message is about, where no id says so, and when one is over that nothing ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "sockeye/dialect/session.h"

namespace sockeye::dialect::selector_test {
namespace {

using model::Side;
using std::chrono::seconds;

class Heard final : public Listener {
 public:
  std::vector<model::Invocation> ended_ones;
  std::vector<std::string> opened_ones;
  std::uint64_t orphans = 0;
  void opened(model::Invocation& i) override { opened_ones.push_back(i.operation); }
  void chunk(const model::Invocation&, std::optional<base::Duration>) override {}
  void ended(model::Invocation&& i) override { ended_ones.push_back(std::move(i)); }
  void media(Side, std::string_view, std::uint64_t, base::Time) override {}
  void beat(Side, std::string_view, std::optional<base::Duration>, base::Time) override {}
  void session_attribute(std::string_view, const model::AttributeValue&) override {}
  void event(std::string_view, Side, base::Time) override {}
  void error(Side, std::string_view, base::Time) override {}
  void dialect_error(DialectError kind, Side, std::uint64_t n, base::Time) override {
    if (kind == DialectError::orphan) orphans += n;
  }
};

class Rig {
 public:
  explicit Rig(const std::string& rules) {
    auto program = compile("dialect: x\ntype: /t\nrules:\n" + rules, "x.yaml");
    EXPECT_TRUE(program) << program.error().message;
    session.emplace(*program, HandshakeView{}, Limits{}, workspace, heard, 1);
  }
  void say(std::string_view text, seconds at = seconds(0), Side from = Side::client) {
    now = base::Time(at);
    session->tick(now);
    const base::MutableBytes room = workspace.stage(text.size());
    std::transform(text.begin(), text.end(), room.begin(), [](char c) { return static_cast<base::Byte>(c); });
    session->message(from, model::Opcode::text,
                     {.bytes = room.first(text.size()), .readable = room.size(), .on_wire = text.size()}, now);
  }
  void answer(std::string_view text, seconds at = seconds(0)) { say(text, at, Side::server); }
  // Numbers and statuses, in the order of their end.
  std::string ends() {
    std::string all;
    for (const model::Invocation& i : heard.ended_ones)
      all += std::to_string(i.number) + ":" + std::string(model::name(i.status)) + " ";
    return all;
  }
  Workspace workspace;
  Heard heard;
  std::optional<Session> session;
  base::Time now;
};

TEST(Selector, WithComparesAttributes) {
  Rig rig(
      "- {is: ask, do: [{open: {op: ask, attrs: {stream: /s}}}]}\n"
      "- {is: done, do: [{end: {to: {op: ask, with: {stream: /s}}}}]}\n");
  rig.say(R"({"t":"ask","s":"a"})");  // 1
  rig.say(R"({"t":"ask"})");          // 2
  rig.say(R"({"t":"ask","s":"a"})");  // 3
  rig.say(R"({"t":"ask","s":7})");    // 4
  rig.answer(R"({"t":"done"})");      // none asked for: one that has none
  rig.answer(R"({"t":"done"})");
  rig.answer(R"({"t":"done","s":7})");
  rig.answer(R"({"t":"done","s":"a"})");  // the oldest of its kind
  rig.answer(R"({"t":"done","s":"b"})");
  EXPECT_EQ(rig.ends(), "2:ok 4:ok 1:ok ");
  EXPECT_EQ(rig.heard.orphans, 2);
  EXPECT_EQ(rig.session->open(), 1);
}

TEST(Selector, BoundAsksForAKeyWhateverItsValue) {
  Rig rig(
      "- {is: ask, do: [{open: {op: ask, keys: {id: /id}}}]}\n"
      "- {is: done, do: [{end: {to: {op: ask, bound: id}}}]}\n");
  rig.say(R"({"t":"ask"})");
  rig.say(R"({"t":"ask","id":7})");
  rig.answer(R"({"t":"done"})");
  rig.answer(R"({"t":"done"})");
  EXPECT_EQ(rig.ends(), "2:ok ");
  EXPECT_EQ(rig.heard.orphans, 1);
}

TEST(Selector, PickAllActsOnEveryOne) {
  Rig rig(
      "- {is: ask, do: [{open: {op: ask}}]}\n"
      "- {is: other, do: [{open: {op: other}}]}\n"
      "- {is: clear, do: [{cancel: {to: {op: ask, pick: all}, end: true, optional: true}}]}\n");
  for (const char* text : {R"({"t":"ask"})", R"({"t":"other"})", R"({"t":"ask"})", R"({"t":"clear"})"}) rig.say(text);
  EXPECT_EQ(rig.ends(), "1:cancelled 3:cancelled ");
  EXPECT_EQ(rig.session->open(), 1);
  rig.say(R"({"t":"clear"})");
  EXPECT_EQ(rig.heard.orphans, 0);
}

TEST(Selector, ARuleMayAskForAnAnchorThatNothingBeganAt) {
  Rig rig(
      "- {is: stop, do: [{event: {name: stop, anchor: vad}}]}\n"
      "- {is: go, when: {$anchor.vad: {has: true}}, do: [{open: {op: heard, start: vad}}]}\n"
      "- {is: go, do: [{open: {op: asked}}]}\n");
  rig.say(R"({"t":"go"})");
  rig.say(R"({"t":"stop"})", seconds(1));
  rig.say(R"({"t":"go"})", seconds(2));
  rig.say(R"({"t":"go"})", seconds(3));
  EXPECT_EQ(rig.heard.opened_ones, (std::vector<std::string>{"asked", "heard", "asked"}));
}

TEST(Selector, AMapsDefaultIsForWhatIsThere) {
  Rig rig(
      "- {is: ask, do: [{open: {op: ask}}]}\n"
      "- {is: done, do: [{end: {to: {op: ask}, status: {map: [/error, {}], default: error}}}]}\n");
  for (const char* done : {R"({"t":"done"})", R"({"t":"done","error":{"code":1}})", R"({"t":"done","error":"x"})"}) {
    rig.say(R"({"t":"ask"})");
    rig.answer(done);
  }
  EXPECT_EQ(rig.ends(), "1:ok 2:error 3:error ");
}

constexpr const char* settling =
    "- {is: ask, do: [{open: {op: ask, settle: 3s, timeout: 60s}}]}\n"
    "- {is: piece, do: [{chunk: {to: {op: ask}}}]}\n"
    "- {is: cancel, do: [{cancel: {to: {op: ask}}}]}\n";

TEST(Settle, QuietBehindAChunkIsTheEndAndTheChunkWasIt) {
  Rig rig(settling);
  rig.say(R"({"t":"ask"})");
  rig.answer(R"({"t":"piece"})", seconds(10));  // before a chunk the timeout counts
  rig.answer(R"({"t":"piece"})", seconds(12));
  rig.session->tick(base::Time(seconds(14)));
  EXPECT_EQ(rig.session->open(), 1);
  EXPECT_EQ(rig.session->next_deadline(), base::Time(seconds(15)));
  rig.session->tick(base::Time(seconds(20)));
  ASSERT_EQ(rig.heard.ended_ones.size(), 1);
  const model::Invocation& done = rig.heard.ended_ones[0];
  EXPECT_EQ(done.status, model::InvocationStatus::ok);
  EXPECT_EQ(done.end, model::InvocationEnd::reply);
  EXPECT_EQ(done.ended, base::Time(seconds(12)));
}

TEST(Settle, WithoutAChunkItTimesOut) {
  Rig rig(settling);
  rig.say(R"({"t":"ask"})");
  rig.session->tick(base::Time(seconds(61)));
  ASSERT_EQ(rig.heard.ended_ones.size(), 1);
  EXPECT_EQ(rig.heard.ended_ones[0].end, model::InvocationEnd::timeout);
}

TEST(Settle, ACancelledOneDoesNotSettle) {
  Rig rig(settling);
  rig.say(R"({"t":"ask"})");
  rig.answer(R"({"t":"piece"})", seconds(1));
  rig.say(R"({"t":"cancel"})", seconds(2));
  rig.answer(R"({"t":"piece"})", seconds(3));
  rig.session->tick(base::Time(seconds(30)));
  EXPECT_EQ(rig.ends(), "1:cancelled ");
}

}  // namespace
}  // namespace sockeye::dialect::selector_test
