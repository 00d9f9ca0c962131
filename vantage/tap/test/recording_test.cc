// What a tap records is observed again as the tap observed it.
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "sockeye/capture/har.h"
#include "sockeye/capture/replay.h"
#include "sockeye/tap/tap.h"
#include "talk.h"
#include "texts.h"

namespace sockeye::tap {
namespace {

using capture::Recorded;
using capture::test::metrics_text;
using capture::test::row_text;
using capture::test::spans_text;
using model::Side;
using test::Captured;
using test::frame;
using test::Talk;

struct SpanList final : model::SpanSink {
  void offer(model::Span&& span) override { spans.push_back(std::move(span)); }
  std::vector<model::Span> spans;
};

// Files in memory, by session; at most `room` of them.
class Files final : public capture::Recordings {
 public:
  capture::RecordingOptions kept{.payload = true};
  std::size_t room = 100;
  std::map<base::SessionId, std::string> files;

  [[nodiscard]] const capture::RecordingOptions& options() const override { return kept; }
  std::unique_ptr<capture::Sink> open(const base::SessionId& id) override {
    if (files.size() == room) return nullptr;
    return std::make_unique<File>(files[id]);
  }
  [[nodiscard]] const std::string& only() const { return files.begin()->second; }

 private:
  struct File final : capture::Sink {
    explicit File(std::string& to) : file(to) {}
    bool write(std::string bytes, bool /*last*/) override {
      file += bytes;
      return true;
    }
    std::string& file;
  };
};

struct Rig {
  Files files;
  SpanList spans;
  std::vector<model::SessionRow> rows;
  std::unique_ptr<Tap> tap;

  explicit Rig(const capture::When& when, bool payload = true) {
    files.kept.payload = payload;
    TapOptions options;
    options.observation.vantage = "tap";
    if (payload) options.observation.dialect.mode = observer::DialectOptions::Mode::automatic;
    options.spans = &spans;
    options.recordings = &files;
    options.record = when;
    options.ended = [this](const model::SessionRow& row) { rows.push_back(row); };
    tap = std::move(*Tap::open(std::move(options)));
  }
  void run(std::vector<Captured> packets) const {
    test::ListSource source(std::move(packets));
    EXPECT_TRUE(tap->run(source));
  }
  // What the tap observed, which was one session. One that was open when the capture ended has a row from before its
  // end; a replay only knows that it was finished.
  [[nodiscard]] std::string seen() const {
    const auto& row = rows.at(0);
    return spans_text(spans.spans) + metrics_text(*tap->metrics().at(0).workers.at(0)) +
           (row.record.end ? row_text(row.record.facts, row.record.figures, row.detail, {}) : "");
  }
};

struct Again {
  SpanList spans;
  std::unique_ptr<model::RouteMetrics> metrics = std::make_unique<model::RouteMetrics>();
  model::SessionRow row;
  bool incomplete = true;
  explicit Again(const std::string& file) {
    auto replayed = capture::replay(base::as_bytes(file), std::nullopt, spans, *metrics);
    EXPECT_TRUE(replayed) << replayed.error().message;
    if (!replayed) return;
    row = replayed->row;
    incomplete = replayed->incomplete;
  }
  [[nodiscard]] std::string seen(bool with_row = true) const {
    return spans_text(spans.spans) + metrics_text(*metrics) +
           (with_row ? row_text(row.record.facts, row.record.figures, row.detail, {}) : "");
  }
  [[nodiscard]] std::uint64_t messages(Side from) const { return row.record.figures.messages[model::index(from)]; }
};

constexpr capture::When all{.all = true, .raised = {}, .anomaly = false};

void expect_same(const Rig& rig) {
  ASSERT_EQ(rig.rows.size(), 1U);
  ASSERT_EQ(rig.files.files.size(), 1U);
  EXPECT_EQ(rig.files.files.begin()->first, rig.rows[0].record.facts.id);
  const Again first(rig.files.only());
  EXPECT_EQ(first.seen(rig.rows[0].record.end.has_value()), rig.seen());
  EXPECT_EQ(Again(rig.files.only()).seen(), first.seen());
  EXPECT_FALSE(first.incomplete);
}

Talk graphql() {
  Talk talk;
  talk.connect();
  talk.client("GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
  talk.server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  talk.upgrade("Sec-WebSocket-Protocol: graphql-transport-ws\r\nAuthorization: Bearer verysecret\r\n",
               "Sec-WebSocket-Protocol: graphql-transport-ws\r\n");
  talk.client(frame(R"({"type":"connection_init"})", true));
  talk.server(frame(R"({"type":"connection_ack"})", false));
  talk.client(frame(R"({"type":"subscribe","id":"1","payload":{"query":"query A { a }"}})", true));
  talk.server(frame(R"({"type":"next","id":"1","payload":{"data":{"a":1}}})", false));
  talk.server(frame(R"({"type":"complete","id":"1"})", false));
  return talk;
}

TEST(TapRecording, IsObservedAgainAsItWas) {
  for (const bool payload : {true, false}) {
    SCOPED_TRACE(payload);
    Rig rig(all, payload);
    Talk talk = graphql();
    talk.server(frame("tick", false, model::Opcode::ping));
    talk.client(frame("tick", true, model::Opcode::pong));
    talk.close(4001);
    rig.run(talk.packets);
    rig.tap->finish();
    expect_same(rig);
    EXPECT_EQ(rig.files.only().find("verysecret"), std::string::npos);
    EXPECT_EQ(rig.files.only().find("query A"), std::string::npos) << "it is masked, or not there";
    EXPECT_EQ(rig.files.only().find("complete") != std::string::npos, payload);
    if (payload) {
      EXPECT_EQ(Again(rig.files.only()).row.record.figures.dialect, "graphql-transport-ws");
    }
  }
}

// One that goes on when the capture ends, and one that broke the rules.
TEST(TapRecording, EndsAsTheCaptureEnded) {
  for (const bool broken : {true, false}) {
    Rig rig(all);
    Talk talk = graphql();
    if (broken) talk.client("\x8f\x81\x01\x02\x03\x04x" + frame("after", true));
    rig.run(talk.packets);
    rig.tap->finish();
    expect_same(rig);
    EXPECT_EQ(rig.rows[0].record.figures.anomalies > 0, broken);
  }
}

std::vector<Captured> without(const Talk& talk, std::size_t begin, std::size_t end) {
  auto out = talk.packets;
  out.erase(out.begin() + static_cast<std::ptrdiff_t>(begin), out.begin() + static_cast<std::ptrdiff_t>(end));
  return out;
}

TEST(TapRecording, HasTheHolesOfTheCapture) {
  for (const bool payload : {true, false}) {
    SCOPED_TRACE(payload);
    Rig rig(all, payload);
    Talk talk;
    talk.connect();
    talk.upgrade();
    talk.chat(3);
    const auto before = talk.packets.size();
    talk.server(frame(std::string(10'000, 'x'), false));  // seven segments, of which two are missing
    talk.chat(20);
    talk.close();
    rig.run(without(talk, before + 2, before + 4));
    rig.tap->finish();
    ASSERT_GT(rig.tap->totals().gaps, 0U);
    expect_same(rig);
    EXPECT_EQ(Again(rig.files.only()).row.record.figures.gap_bytes[1], 2U * 1448);
  }
}

// Messages in the archive that is made of it.
std::uint64_t archived(const std::string& file) {
  const auto har = capture::to_har(base::as_bytes(file), {.creator_version = "1"});
  EXPECT_TRUE(har);
  std::uint64_t out = 0;
  for (auto at = har->find("\"opcode\":1,"); at != har->npos; at = har->find("\"opcode\":1,", at + 1)) ++out;
  return out;
}

// Frames whose headers are missing: with payload a replay finds the framing where the tap did.
TEST(TapRecording, LosesFramingAndFindsItAgain) {
  for (const bool payload : {true, false}) {
    SCOPED_TRACE(payload);
    Rig rig(all, payload);
    Talk talk;
    talk.connect();
    talk.upgrade();
    talk.chat(5);
    const auto hole = talk.packets.size();
    talk.chat(1);
    talk.chat(40);
    talk.close();
    rig.run(without(talk, hole, hole + 1));
    rig.tap->finish();
    ASSERT_GT(rig.tap->totals().gaps, 0U);
    if (payload) {
      expect_same(rig);
      EXPECT_EQ(archived(rig.files.only()), rig.rows.at(0).record.figures.messages[0] + 46);
      continue;
    }
    const Again again(rig.files.only());
    EXPECT_EQ(archived(rig.files.only()), again.messages(Side::client) + again.messages(Side::server));
    const auto live = rig.rows.at(0).record.figures.messages;
    EXPECT_EQ(again.messages(Side::server), live[1]) << "nothing of its was missing";
    EXPECT_LE(again.messages(Side::client), live[0]);
    EXPECT_GE(again.messages(Side::client) + 10, live[0]) << "but for those by which framing was found";
    EXPECT_EQ(again.row.record.figures.anomalies, 0U);
    EXPECT_EQ(again.row.detail.close->code, 1000);
    EXPECT_EQ(Again(rig.files.only()).seen(), again.seen());
    for (const auto* text : {"question", "answer", "????", "!!!!"})
      EXPECT_EQ(rig.files.only().find(text), std::string::npos) << text;
  }
}

TEST(TapRecording, OfASessionThatWasOpenBeforeTheCapture) {
  for (const bool payload : {true, false}) {
    SCOPED_TRACE(payload);
    Rig rig(all, payload);
    Talk talk;
    talk.connect();
    talk.upgrade();
    talk.chat(2);
    const auto begin = talk.packets.size();
    talk.chat(40);
    talk.close();
    rig.run(without(talk, 0, begin));
    rig.tap->finish();
    ASSERT_EQ(rig.tap->totals().attached, 1U);
    if (payload) {
      expect_same(rig);
      const auto& seen = rig.rows.at(0).record.figures.messages;
      EXPECT_EQ(archived(rig.files.only()), seen[0] + seen[1]);
      continue;
    }
    const Again again(rig.files.only());
    EXPECT_EQ(again.row.record.facts.id, rig.rows.at(0).record.facts.id);
    for (const Side from : {Side::client, Side::server}) {
      EXPECT_LE(again.messages(from), 40U);
      EXPECT_GE(again.messages(from), 20U);
    }
    EXPECT_EQ(again.row.record.figures.anomalies, 0U);
    for (const auto* text : {"question", "answer", "????", "!!!!"})
      EXPECT_EQ(rig.files.only().find(text), std::string::npos) << text;
  }
}

// From the next frame of either peer on.
TEST(TapRecording, BeginsInTheMiddleWhenAskedFor) {
  for (const bool payload : {true, false})
    for (const bool attached : {true, false}) {
      SCOPED_TRACE(payload);
      SCOPED_TRACE(attached);
      Rig rig({}, payload);
      Talk talk;
      talk.connect();
      talk.upgrade();
      if (attached) talk.packets.clear();
      talk.chat(30);
      const std::string cut = frame(std::string(3000, 'c'), true);
      talk.client(cut.substr(0, 1000));
      rig.run(std::exchange(talk.packets, {}));
      ASSERT_EQ(rig.tap->sessions().size(), 1U);
      const auto id = rig.tap->sessions()[0].record.facts.id;
      EXPECT_EQ(rig.tap->record({}), Recorded::unknown);
      EXPECT_EQ(rig.tap->record(id), Recorded::begun);
      EXPECT_EQ(rig.tap->record(id), Recorded::already);
      talk.client(cut.substr(1000));
      talk.chat(10);
      talk.close();
      rig.run(talk.packets);
      rig.tap->finish();
      const Again again(rig.files.only());
      EXPECT_EQ(rig.files.files.begin()->first, id);
      EXPECT_EQ(again.messages(Side::client), 10U) << "without the one that was under way";
      EXPECT_EQ(again.messages(Side::server), 10U);
      EXPECT_EQ(again.row.record.figures.anomalies, 0U);
      EXPECT_EQ(again.row.detail.close->code, 1000);
      EXPECT_EQ(Again(rig.files.only()).seen(), again.seen());
      EXPECT_EQ(rig.files.only().find("answer") != std::string::npos, payload);
      EXPECT_EQ(rig.rows.at(0).record.figures.messages[0], 41U) << "the tap itself misses nothing";
    }
}

TEST(TapRecording, BeginsWithTheFirstAnomaly) {
  Rig rig({.all = false, .raised = {}, .anomaly = true});
  Talk good(40'000, 80);
  good.connect();
  good.upgrade();
  good.chat(3);
  good.close();
  rig.run(good.packets);
  EXPECT_TRUE(rig.files.files.empty());
  Talk talk(40'001, 80);
  talk.connect();
  talk.upgrade();
  talk.chat(3);
  talk.client(frame("not masked", false));
  talk.chat(4);
  talk.client(frame("nor this", false));
  talk.close();
  rig.run(talk.packets);
  rig.tap->finish();
  ASSERT_EQ(rig.files.files.size(), 1U);
  const Again again(rig.files.only());
  EXPECT_EQ(again.messages(Side::client), 5U);
  EXPECT_EQ(again.messages(Side::server), 4U);
  EXPECT_EQ(again.row.record.figures.anomalies, 1U);
}

TEST(TapRecording, IsRefusedWhereThereIsNoRoomOrNowhere) {
  Rig rig(all);
  rig.files.room = 0;
  Talk talk = graphql();
  rig.run(talk.packets);
  const auto id = rig.tap->sessions().at(0).record.facts.id;
  EXPECT_EQ(rig.tap->record(id), Recorded::full);
  rig.tap->finish();
  EXPECT_EQ(rig.rows.at(0).record.figures.messages[0], 2U);
  auto none = Tap::open({});
  EXPECT_EQ((*none)->record(id), Recorded::off);
}

}  // namespace
}  // namespace sockeye::tap
