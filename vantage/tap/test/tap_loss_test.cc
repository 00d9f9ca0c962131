// A capture that begins in the midst of a session and has lost packets: what is told is held against the truth.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "sockeye/base/random.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/tap/tap.h"
#include "talk.h"

namespace sockeye::tap {
namespace {

using test::Captured;
using test::Talk;

struct Exported final : model::SpanSink {
  void offer(model::Span&& span) override { spans.push_back(std::move(span)); }
  std::vector<model::Span> spans;
};

// JSON-RPC calls one after the other, each of them called what no other is.
struct Calls {
  struct Call {
    std::size_t request = 0, reply = 0, end = 0;  // packets: where each begins, and the one behind
  };
  Talk talk;
  std::vector<Call> calls;

  Calls(int count, std::size_t size) {
    talk.segment = 400;
    talk.connect();
    talk.upgrade();
    const std::string padding(size, 'x');
    for (int i = 0; i < count; ++i) {
      Call call{.request = talk.packets.size()};
      const std::string id = std::to_string(i);
      talk.client(test::frame(
          R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"call)" + id + R"(","params":[")" + padding + "\"]}", true));
      call.reply = talk.packets.size();
      talk.server(test::frame(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":")" + padding + "\"}", false));
      call.end = talk.packets.size();
      calls.push_back(call);
    }
    talk.close();
  }
};

struct Told {
  std::map<std::string, model::Span> invocations;  // by operation
  std::vector<model::SessionRow> rows;
  TapTotals totals;
  std::string anomalies, dialect_errors;
};

Told told_of(const std::vector<Captured>& packets) {
  Told out;
  Exported spans;
  TapOptions options;
  options.observation.dialect.mode = observer::DialectOptions::Mode::automatic;
  options.spans = &spans;
  options.ended = [&out](const model::SessionRow& row) { out.rows.push_back(row); };
  auto tap = Tap::open(std::move(options));
  EXPECT_TRUE(tap);
  test::ListSource source(packets);
  EXPECT_TRUE((*tap)->run(source));
  (*tap)->finish();
  out.totals = (*tap)->totals();
  const auto& metrics = *(*tap)->metrics()[0].workers[0];
  for (std::size_t i = 0; i < metrics.anomalies.size(); ++i)
    if (metrics.anomalies[i].value() > 0)
      out.anomalies += std::string(model::name(static_cast<model::Anomaly>(i))) + " ";
  for (auto& each : spans.spans) {
    if (!each.name.starts_with("call")) continue;
    const std::string name = each.name;
    EXPECT_TRUE(out.invocations.emplace(name, std::move(each)).second) << name << " twice";
  }
  return out;
}

std::uint64_t unix_ns(base::Time time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }

TEST(TapLoss, BegunInItsMidstWithTwoPercentMissing) {
  std::size_t whole = 0, seen = 0;  // calls that are all in the capture; of them, those that were told right
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    base::Random random(seed);
    const Calls truth(300, 20 + random() % 1500);
    const auto& sent = truth.talk.packets;
    const std::size_t begin = truth.calls[20].request + random() % (truth.calls[21].request - truth.calls[20].request);
    std::vector<bool> captured(sent.size(), false);
    std::vector<Captured> packets;
    std::size_t lost = 0;
    for (std::size_t i = begin; i < sent.size(); ++i) {
      captured[i] = i + 10 >= sent.size() || random() % 50 != 0;
      if (captured[i]) packets.push_back(sent[i]);
      if (!captured[i] && sent[i].payload) ++lost;
    }
    const auto has = [&](std::size_t from, std::size_t to) {
      for (; from < to; ++from)
        if (sent[from].payload && !captured[from]) return false;
      return true;
    };

    const Told told = told_of(packets);
    ASSERT_EQ(told.rows.size(), 1U);
    const auto& row = told.rows[0];
    EXPECT_EQ(told.anomalies, "");
    EXPECT_TRUE(row.detail.attached);
    EXPECT_EQ(row.record.figures.dialect, "jsonrpc");
    EXPECT_TRUE(lost == 0 || told.totals.gaps > 0);

    std::array<std::uint64_t, 2> there{};
    for (std::size_t i = 0; i < truth.calls.size(); ++i) {
      const auto& call = truth.calls[i];
      const bool request = has(call.request, call.reply);
      const bool reply = has(call.reply, call.end);
      there[0] += request ? 1U : 0U;
      there[1] += reply ? 1U : 0U;
      const auto found = told.invocations.find("call" + std::to_string(i));
      if (found == told.invocations.end()) {
        whole += request && reply ? 1U : 0U;
        continue;
      }
      EXPECT_TRUE(request) << "call " << i << " was invented";
      const auto& span = found->second;
      const auto status = std::find_if(span.attributes.begin(), span.attributes.end(),
                                       [](const auto& each) { return each.first == "websocket.invocation.status"; });
      ASSERT_NE(status, span.attributes.end());
      const bool ok = status->second == model::AttributeValue(std::string("ok"));
      EXPECT_TRUE(reply || !ok) << "the reply of call " << i << " was invented";
      whole += reply ? 1U : 0U;
      if (!ok) continue;
      ++seen;
      const auto last = [&](std::size_t from, std::size_t to) {
        std::size_t at = from;
        for (; from < to; ++from)
          if (sent[from].payload) at = from;
        return sent[at].time;
      };
      EXPECT_LE(unix_ns(sent[call.request].time), span.start_unix_ns) << "call " << i;
      EXPECT_LE(span.start_unix_ns, unix_ns(last(call.request, call.reply))) << "call " << i;
      EXPECT_LE(span.end_unix_ns, unix_ns(last(call.reply, call.end))) << "call " << i;
      EXPECT_GE(span.end_unix_ns, unix_ns(sent[call.reply].time)) << "call " << i;
    }
    for (const auto side : {std::size_t{0}, std::size_t{1}})
      EXPECT_LE(row.record.figures.messages[side] - row.detail.unreadable[side], there[side] + 1);
  }
  // A message between two holes in a row cannot be told from what is none.
  EXPECT_GE(whole, 4000U);
  EXPECT_LE(whole - seen, whole / 500);
}

}  // namespace
}  // namespace sockeye::tap
