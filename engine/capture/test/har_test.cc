// The archive's required members (HAR 1.2), and its messages' times and texts.
#include <gtest/gtest.h>
#include <simdjson.h>
#include <zlib.h>

#include "recorded.h"
#include "sockeye/capture/har.h"

namespace sockeye::capture::test {
namespace {

namespace dom = simdjson::dom;

// A peer's messages, each of which may refer to those before.
std::vector<std::string> packed(const std::vector<std::string>& messages) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  std::vector<std::string> all;
  for (const auto& plain : messages) {
    std::string out(plain.size() + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    ::deflate(&stream, Z_SYNC_FLUSH);
    out.resize(out.size() - stream.avail_out - 4);
    all.push_back(std::move(out));
  }
  deflateEnd(&stream);
  return all;
}
std::string packed(std::string_view plain) { return packed(std::vector{std::string(plain)}).front(); }

std::string recorded(bool payload) {
  RecordedRig rig;
  rig.record.payload = payload;
  rig.deflate();
  rig.open();
  rig.now += 250ms;
  rig.feed(Side::client, text(Side::client, "h\xc3\xa9llo"));
  rig.now += 500ms;
  rig.feed(Side::server, frame(Side::server, {.payload = packed("inflated, inflated"), .rsv = 4}));
  rig.feed(Side::server, frame(Side::server, Opcode::ping, "no message"));
  rig.feed(Side::client, frame(Side::client, Opcode::binary, std::string("\0\xff", 2), false));
  rig.now += 250ms;
  rig.feed(Side::client, frame(Side::client, Opcode::continuation, "\x10"));
  rig.feed(Side::client, close(Side::client, 1000) + "x");
  rig.feed(Side::server, close(Side::server, 1000));
  rig.end();
  return rig.file;
}

// Every member the format calls required, of its type.
void expect_archive(dom::element har) {
  using T = dom::element_type;
  const auto is = [](dom::element of, const char* pointer, T type) {
    dom::element found;
    ASSERT_EQ(of.at_pointer(pointer).get(found), simdjson::SUCCESS) << pointer;
    EXPECT_EQ(found.type(), type) << pointer;
  };
  is(har, "/log/version", T::STRING);
  is(har, "/log/creator/name", T::STRING);
  is(har, "/log/creator/version", T::STRING);
  is(har, "/log/entries", T::ARRAY);
  for (const dom::element entry : har["log"]["entries"].get_array()) {
    for (const auto* text :
         {"/startedDateTime", "/request/method", "/request/url", "/request/httpVersion", "/response/statusText",
          "/response/httpVersion", "/response/redirectURL", "/response/content/mimeType"})
      is(entry, text, T::STRING);
    for (const auto* number : {"/request/headersSize", "/request/bodySize", "/response/status", "/response/headersSize",
                               "/response/bodySize", "/response/content/size"})
      is(entry, number, T::INT64);
    for (const auto* number : {"/time", "/timings/send", "/timings/wait", "/timings/receive"}) {
      double value = -1;
      ASSERT_EQ(entry.at_pointer(number).get(value), simdjson::SUCCESS) << number;
      EXPECT_GE(value, 0) << number;
    }
    for (const auto* list : {"/request/cookies", "/request/headers", "/request/queryString", "/response/cookies",
                             "/response/headers", "/_webSocketMessages"})
      is(entry, list, T::ARRAY);
    is(entry, "/cache", T::OBJECT);
  }
}

TEST(Har, HasTheMessagesWithTheirTimesAndTexts) {
  const std::string file = recorded(true);
  const auto json = to_har(base::as_bytes(file), {.creator_version = "1"});
  ASSERT_TRUE(json) << json.error().message;
  dom::parser parser;
  const dom::element har = parser.parse(*json);
  expect_archive(har);
  const dom::element entry = har["log"]["entries"].at(0);
  EXPECT_EQ(std::string_view(entry["request"]["url"]), "ws://example.org/chat?token=REDACTED&room=1");
  EXPECT_EQ(std::int64_t(entry["response"]["status"]), 101);
  EXPECT_EQ(std::string_view(entry["startedDateTime"]), "2023-11-14T22:30:00.000Z");
  EXPECT_EQ(entry["request"]["queryString"].get_array().size(), 2U);
  const dom::array messages = entry["_webSocketMessages"];
  ASSERT_EQ(messages.size(), 3U);
  const auto expect = [&](std::size_t i, std::string_view type, double time, std::uint64_t opcode,
                          std::string_view data) {
    const dom::element m = messages.at(i);
    EXPECT_EQ(std::string_view(m["type"]), type);
    EXPECT_NEAR(double(m["time"]), 1'700'001'000.003 + time, 0.000'01);
    EXPECT_EQ(std::uint64_t(m["opcode"]), opcode);
    EXPECT_EQ(std::string_view(m["data"]), data);
    EXPECT_EQ(m["_length"].error(), simdjson::NO_SUCH_FIELD);
  };
  expect(0, "send", 0.25, 1, "h\xc3\xa9llo");
  expect(1, "receive", 0.75, 1, "inflated, inflated");
  expect(2, "send", 1.0, 2, "AP8Q");
}

TEST(Har, WithoutPayloadHasLengths) {
  const std::string file = recorded(false);
  const auto json = to_har(base::as_bytes(file), {.creator_version = "1"});
  ASSERT_TRUE(json) << json.error().message;
  dom::parser parser;
  const dom::element har = parser.parse(*json);
  expect_archive(har);
  const dom::array messages = har["log"]["entries"].at(0)["_webSocketMessages"];
  ASSERT_EQ(messages.size(), 3U);
  for (const dom::element m : messages) EXPECT_EQ(std::string_view(m["data"]), "");
  EXPECT_EQ(std::uint64_t(messages.at(0)["_length"]), 6U);
  EXPECT_EQ(std::uint64_t(messages.at(2)["_length"]), 3U);
}

// A recording that began behind the first of what the server sent, of a session with these extensions.
std::string recorded_late(const wire::Extensions& extensions, const std::vector<std::string>& frames) {
  RecordedRig rig;
  Rig& plain = rig;
  rig.extensions = extensions;
  plain.open();
  rig.feed(Side::server, frames.at(0));
  rig.connection->observe([&](std::unique_ptr<observer::Observation> observation) {
    Recording recording({.payload = true}, 7);
    recording.to(std::make_unique<Collect>(rig.file));
    return std::move(recording).observe(std::move(observation),
                                        observer::Endpoints{"192.0.2.1", 4711, "server", 80, false}, rig.call());
  });
  for (std::size_t i = 1; i < frames.size(); ++i) rig.feed(Side::server, frames[i]);
  rig.connection->reset(Side::client, rig.call());
  rig.end();
  return rig.file;
}

void expect_messages(const std::string& file, const std::vector<std::pair<std::string, std::uint64_t>>& expected) {
  const auto json = to_har(base::as_bytes(file), {.creator_version = "1"});
  ASSERT_TRUE(json) << json.error().message;
  dom::parser parser;
  const dom::element har = parser.parse(*json);
  const dom::array messages = har["log"]["entries"].at(0)["_webSocketMessages"];
  ASSERT_EQ(messages.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(std::string_view(messages.at(i)["data"]), expected[i].first);
    std::uint64_t length = 0;
    if (messages.at(i)["_length"].get(length) != simdjson::SUCCESS) length = 0;
    EXPECT_EQ(length, expected[i].second);
  }
}

// What refers back to before the recording cannot be read; what stands alone can.
TEST(Har, OfARecordingThatBeganLateInflates) {
  const std::string word = "a phrase that comes again";
  const auto sent = packed({word, word, "Zwölf Boxkämpfer jagen Viktor"});
  std::vector<std::string> frames;
  for (const auto& each : sent) frames.push_back(frame(Side::server, {.payload = each, .rsv = 4}));
  frames.push_back(text(Side::server, "plain"));
  wire::Extensions extensions;
  extensions.deflate = true;
  expect_messages(recorded_late(extensions, frames),
                  {{"", sent[1].size()}, {"Zwölf Boxkämpfer jagen Viktor", 0}, {"plain", 0}});
  const std::string alone = frame(Side::server, {.payload = packed(word), .rsv = 4});
  extensions.parameters.server_no_context_takeover = true;
  extensions.parameters.server_max_window_bits = 10;
  expect_messages(recorded_late(extensions, {alone, alone, alone}), {{word, 0}, {word, 0}});
}

// The reserved bit of an extension that is not known: the bytes are no text.
TEST(Har, ShowsNoTextThatAnUnknownExtensionMade) {
  wire::Extensions extensions;
  extensions.other = true;
  const std::string plain = text(Side::server, "plain");
  expect_messages(recorded_late(extensions, {plain, frame(Side::server, {.payload = "\x01\x02", .rsv = 4}), plain}),
                  {{"", 2}, {"plain", 0}});
}

TEST(Har, IsBoundedHoweverFarMessagesInflate) {
  RecordedRig rig;
  rig.deflate();
  rig.open();
  rig.feed(Side::client, frame(Side::client, {.payload = packed(std::string(1'000'000, 'a')), .rsv = 4}));
  rig.feed(Side::client, text(Side::client, "behind"));
  rig.connection->reset(Side::client, rig.call());
  rig.end();
  const auto json = to_har(base::as_bytes(rig.file), {.creator_version = "1", .message = 1000, .all = 1003});
  ASSERT_TRUE(json);
  EXPECT_LT(json->size(), 4000U);
  dom::parser parser;
  const dom::element har = parser.parse(*json);
  const dom::array messages = har["log"]["entries"].at(0)["_webSocketMessages"];
  EXPECT_EQ(std::string_view(messages.at(0)["data"]).size(), 1000U);
  EXPECT_GT(std::uint64_t(messages.at(0)["_length"]), 900U);
  EXPECT_EQ(std::string_view(messages.at(1)["data"]), "");
  EXPECT_EQ(std::uint64_t(messages.at(1)["_length"]), 6U);
}

TEST(Har, FailsAsTheReaderDoes) {
  const auto none = to_har(base::as_bytes("nothing"), {.creator_version = "1"});
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("no capture"), std::string::npos);
}

}  // namespace
}  // namespace sockeye::capture::test
