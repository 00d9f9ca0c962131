// Requests that the JavaScript OpenTelemetry SDK sent (golden/make.mjs), in both formats.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "request.h"
#include "show.h"

namespace sockeye::intake {
namespace {

using namespace test;
using store::Batch;

std::string golden(const std::string& name) {
  std::ifstream file(SOCKEYE_TEST_DIR "/golden/" + name, std::ios::binary);
  std::string out{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(out.empty()) << name;
  return out;
}

struct Sent {
  Signal signal;
  const char* name;
};

constexpr const char* traces =
    R"(origin checkout db  {service.name=text "checkout";telemetry.sdk.language=text "nodejs";telemetry.sdk.name=text "opentelemetry";telemetry.sdk.version=text "1.30.1";service.instance.id=text "c-1";process.pid=integer 4242;}{}
origin checkout cart 1.4.2 {service.name=text "checkout";telemetry.sdk.language=text "nodejs";telemetry.sdk.name=text "opentelemetry";telemetry.sdk.version=text "1.30.1";service.instance.id=text "c-1";process.pid=integer 4242;}{}
span 5b8efff798038103d269b633813fc60c eee19b7ec3c1b171 eee19b7ec3c1b170 0 3 0 1700000000010000007 1700000000020000007 [SELECT] [] [] - 0 0 0 0{}
  event 1700000000015000007 [rows] 0{count=integer 12;}
  link 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 [vendor=1] 0 0{why=text "retried";}
span 5b8efff798038103d269b633813fc60c eee19b7ec3c1b170 0000000000000000 0 2 2 1700000000000000007 1700000000030000007 [POST /checkout] [] [card refused] 0190163d-8694-739b-aea5-966c26f8ad91 1 0 0 0{http.request.method=text "POST";http.response.status_code=integer 500;a.negative=integer -9007199254740991;a.real=real 0.1;a.truth=boolean true;a.lie=boolean false;some.texts=array ["α","<script>alert(1)</script>",""];some.numbers=array [1,-2,3.5];websocket.session.id=text "0190163d-8694-739b-aea5-966c26f8ad91";}
  event 1700000000025000007 [exception] 0{exception.message=text "Ünlucky 🍀";exception.escaped=boolean false;}
)";

constexpr const char* logs =
    R"(origin checkout audit 0.1 {service.name=text "checkout";telemetry.sdk.language=text "nodejs";telemetry.sdk.name=text "opentelemetry";telemetry.sdk.version=text "1.30.1";service.instance.id=text "c-1";process.pid=integer 4242;}{}
log 1700000000012000007 5b8efff798038103d269b633813fc60c eee19b7ec3c1b170 17 [ERROR] [] 0 0 flags 1 text "refused"{card.kind=text "visa";}
log 1700000000014000007 00000000000000000000000000000000 0000000000000000 9 [] [] 0 0 map {"user":"u1","tries":[1,2,{"deep":true}],"raw":"AP+A"}{}
log 1700000000016000007 00000000000000000000000000000000 0000000000000000 0 [] [] 0 0 integer 42{}
)";

TEST(Golden, both_formats_say_what_was_meant) {
  for (const Format format : {Format::protobuf, Format::json}) {
    const std::string suffix = format == Format::json ? ".json" : ".pb";
    Batch spans;
    const auto spans_taken = decode_copy(Signal::traces, golden("traces" + suffix), spans, format);
    ASSERT_TRUE(spans_taken) << spans_taken.error().message;
    EXPECT_EQ(spans_taken->accepted, 2U);
    EXPECT_EQ(show(spans), traces) << suffix;

    Batch records;
    const auto logs_taken = decode_copy(Signal::logs, golden("logs" + suffix), records, format);
    ASSERT_TRUE(logs_taken) << logs_taken.error().message;
    EXPECT_EQ(logs_taken->accepted, 3U);
    EXPECT_EQ(show(records), logs) << suffix;

    Batch nothing;
    const auto points = decode_copy(Signal::metrics, golden("metrics" + suffix), nothing, format);
    ASSERT_TRUE(points) << points.error().message;
    EXPECT_EQ(points->accepted, 0U);
    EXPECT_EQ(points->rejected, 5U) << suffix;  // two of the counter, one of each other
    EXPECT_NE(points->message.find("no metrics"), std::string::npos);
    EXPECT_TRUE(nothing.empty());
    EXPECT_EQ(nothing.footprint(), Batch().footprint());
  }
}

TEST(Golden, nested_values_are_the_same_bytes_in_both_formats) {
  Batch protobuf;
  Batch json;
  ASSERT_TRUE(decode_copy(Signal::logs, golden("logs.pb"), protobuf));
  ASSERT_TRUE(decode_copy(Signal::logs, golden("logs.json"), json, Format::json));
  EXPECT_EQ(protobuf.logs.at(1).body.text, json.logs.at(1).body.text);
}

TEST(Golden, one_sender_is_one_origin_over_many_requests) {
  Batch batch;
  for (int i = 0; i < 3; ++i)
    for (const Format format : {Format::protobuf, Format::json}) {
      const std::string suffix = format == Format::json ? ".json" : ".pb";
      ASSERT_TRUE(decode_copy(Signal::traces, golden("traces" + suffix), batch, format));
      ASSERT_TRUE(decode_copy(Signal::logs, golden("logs" + suffix), batch, format));
    }
  EXPECT_EQ(batch.origins.size(), 3U);  // db, cart, audit
  EXPECT_EQ(batch.spans.size(), 12U);
  EXPECT_EQ(batch.logs.size(), 18U);
  for (std::size_t i = 0; i < batch.spans.size(); ++i) EXPECT_EQ(batch.spans[i].origin, i % 2);
  // A request's spans, events and links have 13 attributes, its logs one; each origin's resource is kept once.
  EXPECT_EQ(batch.attributes.size(), 6U * (13 + 1) + 2 * 6);
}

// Cut anywhere, a request is an error or holds a front part of its spans; never a crash, never a half span kept after
// an error.
TEST(Golden, every_truncation_is_survived) {
  for (const Sent& sent :
       {Sent{Signal::traces, "traces"}, Sent{Signal::logs, "logs"}, Sent{Signal::metrics, "metrics"}}) {
    for (const Format format : {Format::protobuf, Format::json}) {
      const std::string whole = golden(std::string(sent.name) + (format == Format::json ? ".json" : ".pb"));
      for (std::size_t size = 0; size < whole.size(); ++size) {
        Batch batch;
        const auto tally = decode_copy(sent.signal, whole.substr(0, size), batch, format);
        if (size == 0 && format == Format::protobuf) {
          EXPECT_TRUE(tally) << "an empty request is one";
          continue;
        }
        ASSERT_FALSE(tally) << sent.name << " cut to " << size;  // the outermost length is of the whole
        EXPECT_FALSE(tally.error().message.empty());
        EXPECT_TRUE(batch.empty());
        EXPECT_TRUE(batch.attributes.empty() && batch.origins.empty() && batch.events.empty() && batch.links.empty());
      }
    }
  }
}

TEST(Golden, every_changed_byte_is_survived) {
  for (const char* const name : {"traces.pb", "logs.pb", "traces.json"}) {
    const Format format = std::string_view(name).ends_with("json") ? Format::json : Format::protobuf;
    const Signal signal = name[0] == 't' ? Signal::traces : Signal::logs;
    const std::string whole = golden(name);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (const unsigned change : {0x01U, 0x08U, 0x80U, 0xffU}) {
        std::string body = whole;
        body[at] = static_cast<char>(static_cast<std::uint8_t>(body[at]) ^ change);
        Batch batch;
        const auto tally = decode(signal, format, std::move(body), batch);
        EXPECT_EQ(tally ? tally->accepted : 0, batch.spans.size() + batch.logs.size());
        (void)show(batch);
      }
    }
  }
}

}  // namespace
}  // namespace sockeye::intake
