#include "sockeye/live/messages.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "samples.h"

namespace sockeye::live {
namespace {

using base::as_bytes;

// Protobuf by hand, so that what no encoder of ours would write can be said.
std::string varint(std::uint64_t value) {
  std::string out;
  for (; value > 127; value >>= 7U) out += static_cast<char>((value & 127U) | 128U);
  return out + static_cast<char>(value);
}
std::string number(unsigned field, std::uint64_t value) { return varint(field << 3U) + varint(value); }
std::string nested(unsigned field, const std::string& body) {
  return varint((field << 3U) | 2U) + varint(body.size()) + body;
}
std::string id_bytes() { return std::string(16, 'x'); }

TEST(LiveMessages, ReportRoundTrip) {
  const Report sent = test::report();
  const auto got = decode_report(as_bytes(encode(sent)));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, sent);
  EXPECT_EQ(encode_parts(sent), std::vector<std::string>{encode(sent)});
}

TEST(LiveMessages, EmptyReportRoundTrip) {
  const auto got = decode_report(as_bytes(encode(Report{})));
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, Report{});
  EXPECT_EQ(encode_parts(Report{}).size(), 1U);
}

TEST(LiveMessages, AskAndRecorderRoundTrip) {
  const Ask ask{{test::session(1), test::session(2)}};
  EXPECT_EQ(decode_ask(as_bytes(encode(ask))).value(), ask);
  EXPECT_EQ(decode_ask({}).value(), Ask{});
  EXPECT_EQ(decode_recorder(as_bytes(encode(test::recorder()))).value(), test::recorder());
}

// The schema file is what others generate their readers from: protoc reads our bytes with it, and we read what it
// writes.
TEST(LiveMessages, SchemaFileSaysTheSame) {
  if (std::system("protoc --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "protoc is not installed";
  const auto schema = std::filesystem::path(SOCKEYE_TEST_DIR) / "../../../docs/formats";
  std::string folder = (std::filesystem::temp_directory_path() / "sockeye-live-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string sent = encode(test::report());
  std::ofstream(folder + "/sent", std::ios::binary) << sent;
  const std::string tool = "protoc -I" + schema.string() + " ";
  const std::string type = "=sockeye.live.v1.Report live.proto ";
  ASSERT_EQ(std::system((tool + "--decode" + type + "<" + folder + "/sent >" + folder + "/text").c_str()), 0);
  ASSERT_EQ(std::system((tool + "--encode" + type + "<" + folder + "/text >" + folder + "/again").c_str()), 0);
  const auto content = [&](const char* name) {
    std::ifstream file(folder + name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string text = content("/text"), again = content("/again");
  std::filesystem::remove_all(folder);
  // A field of an unknown number shows as a line that begins with digits.
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    const auto first = text.find_first_not_of(" \n", at);
    if (first == std::string::npos) break;
    EXPECT_FALSE(text[first] >= '0' && text[first] <= '9') << text.substr(first, 40);
  }
  EXPECT_NE(text.find("rtt_ns_client: 0"), std::string::npos);
  const auto got = decode_report(as_bytes(again));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, test::report());
}

TEST(LiveMessages, LongTextsAreCutAndBrokenOnesRepaired) {
  Report sent;
  sent.opened = {test::opened(1)};
  sent.opened[0].target = std::string(4095, 'a') + "ä";  // the character would end at 4097
  sent.opened[0].host =
      "a\xff\xfe"
      "b";
  sent.opened[0].client = std::string(10'000, '\xff');  // each repaired to three bytes
  const auto got = decode_report(as_bytes(encode(sent)));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->opened[0].target, std::string(4095, 'a'));
  EXPECT_EQ(got->opened[0].host,
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "b");
  EXPECT_EQ(got->opened[0].client.size(), 4095U);
}

TEST(LiveMessages, PartsHoldEverythingInOrderWithinTheLimit) {
  Report sent = test::report();
  for (int i = 0; i < 40'000; ++i) {
    model::SessionUpdate each = test::changed(1);
    each.figures.anomalies = static_cast<std::uint64_t>(i);
    sent.changed.push_back(each);
  }
  for (int i = 0; i < 60; ++i) {
    sent.opened.push_back(test::opened(static_cast<std::uint8_t>(i)));
    sent.opened.back().target = std::string(4096, 't');
    sent.opened.back().host = std::string(4096, 'h');
    sent.opened.back().extensions = std::string(9000, 'e');
    sent.opened.back().extensions.resize(4096);
  }
  const auto parts = encode_parts(sent);
  ASSERT_GT(parts.size(), 4U);
  Report together;
  for (const auto& part : parts) {
    EXPECT_LE(part.size(), largest_message);
    const auto got = decode_report(as_bytes(part));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->time_unix_ns, sent.time_unix_ns);
    EXPECT_EQ(got->all_reported, &part == &parts.back());
    EXPECT_EQ(got->hello.has_value(), &part == &parts.front());
    together.time_unix_ns = got->time_unix_ns;
    if (got->hello) together.hello = got->hello;
    const auto join = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    join(together.opened, got->opened);
    join(together.changed, got->changed);
    join(together.ended, got->ended);
    join(together.summaries, got->summaries);
    join(together.details, got->details);
    together.all_reported = got->all_reported;
  }
  EXPECT_EQ(together, sent);
}

TEST(LiveMessages, LargestDetailFitsAMessage) {
  Report sent;
  sent.details = {test::detail(1)};
  sent.details[0].recorder.resize(5'000, test::recorder()[0]);
  sent.details[0].calls.resize(5'000, test::detail(1).calls[0]);
  for (auto& call : sent.details[0].calls) call.operation = std::string(5'000, 'o');
  const auto parts = encode_parts(sent);
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_LE(parts[0].size(), largest_message);
  const auto got = decode_report(as_bytes(parts[0]));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->details[0].calls.size(), 1'024U);
  EXPECT_EQ(got->details[0].calls[0].operation.size(), 256U);
}

TEST(LiveMessages, UnknownFieldsAreSkippedEverywhere) {
  const std::string later = number(500, 7) + nested(501, "what a later version says") + varint((502 << 3U) | 5U) +
                            "\1\2\3\4" + varint((503 << 3U) | 1U) + "\1\2\3\4\5\6\7\b";
  const std::string changed = nested(1, id_bytes()) + later;
  const std::string recorded = number(2, 5) + later;
  const std::string report =
      later + nested(2, number(1, 2) + later) + nested(3, nested(1, id_bytes()) + later) + nested(4, changed) +
      nested(5, later + nested(1, changed) + nested(7, recorded)) + nested(6, nested(1, "r") + later) +
      nested(7, nested(1, id_bytes()) + nested(2, recorded) + nested(3, later + number(1, 3)) + later) + number(8, 1);
  const auto got = decode_report(as_bytes(report));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->hello->version, 2U);
  EXPECT_EQ(got->opened.size(), 1U);
  EXPECT_EQ(got->changed.size(), 1U);
  EXPECT_EQ(got->ended.at(0).recorder.at(0).length, 5U);
  EXPECT_EQ(got->summaries.at(0).route, "r");
  EXPECT_EQ(got->details.at(0).calls.at(0).number, 3U);
  EXPECT_TRUE(got->all_reported);
  EXPECT_EQ(decode_ask(as_bytes(later + nested(1, id_bytes()))).value().watch.size(), 1U);
}

// A prefix is either refused, or ends between two fields and says less.
TEST(LiveMessages, TruncatedAtEveryByte) {
  const std::string whole = encode(test::report());
  std::size_t refused = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto got = decode_report(as_bytes(std::string_view(whole).substr(0, size)));
    if (!got) {
      ++refused;
    } else {
      EXPECT_FALSE(got->all_reported);
      EXPECT_NE(*got, test::report());
    }
  }
  EXPECT_GE(refused, whole.size() - 10);
}

TEST(LiveMessages, RefusesWhatIsOutOfRange) {
  const std::string id = nested(1, id_bytes());
  const struct {
    std::string bytes;
    const char* names;
  } cases[] = {
      {nested(4, id + number(2, 3)), "changed.state"},
      {nested(4, id + number(12, 1ULL << 32U)), "changed.misses"},
      {nested(4, number(4, 1)), "changed.id"},
      {nested(4, nested(1, std::string(16, '\0'))), "changed.id"},
      {nested(4, nested(1, std::string(15, 'x'))), "changed.id"},
      {nested(4, nested(1, std::string(17, 'x'))), "changed.id"},
      {nested(4, id + nested(3, std::string(4097, 'x'))), "changed.dialect"},
      {nested(4, id + nested(3, "\xff")), "changed.dialect"},
      {nested(3, nested(2, "route")), "opened.id"},
      {nested(5, nested(1, id) + number(3, 65'536)), "ended.code"},
      {nested(5, number(3, 1000)), "ended.last"},
      {nested(5, nested(1, id) + nested(7, number(3, 2))), "recorded.side"},
      {nested(5, nested(1, id) + nested(7, number(4, 16))), "recorded.opcode"},
      {nested(5, nested(1, id) + nested(7, number(5, 2))), "recorded.compressed"},
      {nested(6, number(2, 1)), "summary.route"},
      {nested(7, number(9, 1)), "detail.id"},
      {nested(7, id + nested(3, number(3, 2))), "call.opened_by"},
      {nested(2, ""), "hello.version"},
      {number(8, 2), "all_reported"},
      {number(4, 1), "changed"},  // of another wire type
      {nested(1, "12345678"), "time_unix_ns"},
  };
  for (const auto& each : cases) {
    const auto got = decode_report(as_bytes(each.bytes));
    ASSERT_FALSE(got) << each.names;
    EXPECT_NE(got.error().message.find(each.names), std::string::npos) << got.error().message;
  }
}

TEST(LiveMessages, RefusesHostileLengths) {
  for (const std::string& bytes :
       {varint((3 << 3U) | 2U) + varint(UINT64_MAX), varint((3 << 3U) | 2U) + varint(1ULL << 31U),
        varint((3 << 3U) | 2U) + varint(5) + "abcd", std::string(1, '\x1a'), std::string(11, '\xff'),
        varint((3 << 3U) | 3U), varint((1 << 3U) | 1U) + "1234567", std::string(3, '\0')}) {
    EXPECT_FALSE(decode_report(as_bytes(bytes)));
    EXPECT_FALSE(decode_ask(as_bytes(bytes)) && decode_recorder(as_bytes(bytes)));
  }
  const auto large = decode_report(as_bytes(std::string(largest_message + 1, '\0')));
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().message.find("1048577 bytes; at most 1048576"), std::string::npos) << large.error().message;
}

TEST(LiveMessages, ListsAreBounded) {
  const auto repeated = [](std::size_t times, const std::string& what) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += what;
    return out;
  };
  const std::string id = nested(1, id_bytes());
  EXPECT_TRUE(decode_ask(as_bytes(repeated(16, id))));
  EXPECT_FALSE(decode_ask(as_bytes(repeated(17, id))));
  EXPECT_TRUE(decode_recorder(as_bytes(repeated(1'024, nested(1, "")))));
  EXPECT_FALSE(decode_recorder(as_bytes(repeated(1'025, nested(1, "")))));
  EXPECT_TRUE(decode_report(as_bytes(repeated(16'384, nested(4, id)))));
  EXPECT_FALSE(decode_report(as_bytes(repeated(16'385, nested(4, id)))));
  EXPECT_TRUE(decode_report(as_bytes(repeated(16, nested(7, id)))));
  EXPECT_FALSE(decode_report(as_bytes(repeated(17, nested(7, id)))));
}

}  // namespace
}  // namespace sockeye::live
