// The golden exchanges as bytes on a connection: the spans are those of the reviewed files, and the same whatever
// pieces the bytes come in, however messages are cut into frames, and whether they are compressed.
#include <gtest/gtest.h>
#include <simdjson.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "sockeye/dialect/registry.h"
#include "sockeye/observer/handshake.h"

namespace sockeye::app::testing::spans_test {
namespace {

namespace fs = std::filesystem;
namespace dom = simdjson::dom;
using model::Side;

const fs::path golden = fs::path(SOCKEYE_SOURCE_DIR) / "engine/dialect/golden";

struct Spans final : model::SpanSink {
  void offer(model::Span&& span) override { all.push_back(std::move(span)); }
  std::vector<model::Span> all;
};
std::string unbase64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : text) {
    const auto digit = digits.find(c);
    if (digit == digits.npos) break;
    held = held << 6U | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) out += static_cast<char>(held >> (bits -= 8) & 0xffU);
  }
  return out;
}

struct Sample {
  Side from = Side::client;
  bool binary = false;
  std::string payload;
  double at = 0;
};
struct Exchange {
  std::string target = "/", subprotocol;
  std::vector<Sample> samples;
};

Exchange read(const fs::path& path) {
  Exchange out;
  std::ifstream file(path);
  dom::parser parser;
  double at = 0;
  for (std::string line; std::getline(file, line);) {
    const dom::element element = parser.parse(line);
    std::string_view text;
    if (dom::element handshake; element["handshake"].get(handshake) == simdjson::SUCCESS) {
      if (handshake["target"].get(text) == simdjson::SUCCESS) out.target = text;
      if (handshake["subprotocol"].get(text) == simdjson::SUCCESS) out.subprotocol = text;
      continue;
    }
    Sample sample;
    sample.from = std::string_view(element["dir"]) == "c2s" ? Side::client : Side::server;
    sample.binary = element["text"].get(text) != simdjson::SUCCESS;
    sample.payload = sample.binary ? unbase64(std::string_view(element["binary"])) : std::string(text);
    if (double t = 0; element["t"].get(t) == simdjson::SUCCESS) at = t;
    sample.at = at;
    out.samples.push_back(std::move(sample));
  }
  return out;
}

// How a peer may write the same messages.
struct Way {
  std::string_view name;
  std::size_t read = 1U << 20U;      // bytes the observer is given at a time
  std::size_t fragment = 1U << 20U;  // bytes of a frame
  bool deflate = false;
};
constexpr Way ways[] = {{.name = "as it is"},
                        {.name = "byte by byte", .read = 1},
                        {.name = "reads of 7", .read = 7},
                        {.name = "frames of 5, reads of 11", .read = 11, .fragment = 5},
                        {.name = "compressed", .deflate = true},
                        {.name = "compressed, frames of 3, byte by byte", .read = 1, .fragment = 3, .deflate = true}};

class Peer {
 public:
  Peer() { deflateInit2(&z_, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { deflateEnd(&z_); }
  std::string write(const Sample& sample, const Way& way) {
    std::string rest = way.deflate ? packed(sample.payload) : sample.payload;
    std::string out;
    for (bool first = true; first || !rest.empty(); first = false) {
      const std::string piece = rest.substr(0, way.fragment);
      rest.erase(0, piece.size());
      const unsigned opcode = !first ? 0U : sample.binary ? 2U : 1U;
      const unsigned rsv = first && way.deflate ? 0x40U : 0U;
      const unsigned masked = sample.from == Side::client ? 0x80U : 0U;
      out += static_cast<char>((rest.empty() ? 0x80U : 0U) | rsv | opcode);
      if (piece.size() < 126) {
        out += static_cast<char>(masked | piece.size());
      } else if (piece.size() <= 0xffff) {
        out += static_cast<char>(masked | 126U);
        out += static_cast<char>(piece.size() >> 8U);
        out += static_cast<char>(piece.size() & 0xffU);
      } else {
        out += static_cast<char>(masked | 127U);
        for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(piece.size() >> shift & 0xffU);
      }
      constexpr std::string_view key = "\x5a\xc3\x17\x88";
      if (masked != 0) out += key;
      for (std::size_t i = 0; i < piece.size(); ++i)
        out += static_cast<char>(masked != 0 ? piece[i] ^ key[i & 3U] : piece[i]);
    }
    return out;
  }

 private:
  std::string packed(std::string_view plain) {
    std::string out(plain.size() + 1000, '\0');
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    z_.avail_in = static_cast<uInt>(plain.size());
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = static_cast<uInt>(out.size());
    deflate(&z_, Z_SYNC_FLUSH);
    const std::size_t size = out.size() - z_.avail_out;
    return size < 4 ? std::string(1, '\0') : out.substr(0, size - 4);
  }
  z_stream z_{};
};

std::vector<model::Span> spans_of(const Exchange& exchange, std::string_view dialect, const Way& way,
                                  double sampling_ratio = 1.0) {
  observer::Options options;
  options.sampling.ratio = sampling_ratio;
  using Mode = observer::DialectOptions::Mode;
  options.dialect = {dialect == "auto" ? Mode::automatic : Mode::fixed, dialect::find(dialect::built_in(), dialect),
                     nullptr};
  const auto metrics = std::make_unique<model::RouteMetrics>();
  Spans spans;
  observer::Workspace workspace{.spans = &spans, .random = base::Random(7), .wall = {.ns = 1'700'000'000'000'000'000}};
  const base::Time begin = base::Time{} + std::chrono::seconds(1000);
  base::Time now = begin;
  const auto call = [&] { return observer::Call{workspace, *metrics, now}; };

  model::HttpHead request;
  request.method = "GET";
  request.target = exchange.target;
  model::HttpHead response;
  response.status = 101;
  if (!exchange.subprotocol.empty())
    response.fields.push_back({"Sec-WebSocket-Protocol", std::string_view(exchange.subprotocol)});
  constexpr std::string_view extension = "permessage-deflate";
  if (way.deflate)
    for (model::HttpHead* head : {&request, &response}) head->fields.push_back({"Sec-WebSocket-Extensions", extension});
  observer::Handshake handshake(options, {}, begin, call());
  handshake.request(request, call());
  const auto observation = handshake.accepted(request, response, nullptr, call());

  Peer client;
  Peer server;
  for (const Sample& sample : exchange.samples) {
    now = begin + std::chrono::nanoseconds(static_cast<std::int64_t>(sample.at * 1e9));
    observation->tick(call());
    const std::string bytes = (sample.from == Side::client ? client : server).write(sample, way);
    for (std::size_t at = 0; at < bytes.size(); at += way.read)
      observation->bytes(sample.from, base::as_bytes(std::string_view(bytes).substr(at, way.read)), call());
  }
  observation->end(Side::client, observer::StreamEnd::reset, call());
  observation->finish(call());
  return std::move(spans.all);
}

std::string text_of(const model::AttributeValue& value) {
  std::ostringstream out;
  std::visit([&](const auto& v) { out << v; }, value);
  return out.str();
}

// All of a span that does not say how its bytes were cut.
std::string describe(const model::Span& span, bool deflate) {
  std::ostringstream out;
  out << span.name << ' ' << span.start_unix_ns << ' ' << span.end_unix_ns << ' ' << base::to_hex(span.trace_id) << ' '
      << base::to_hex(span.span_id) << ' ' << base::to_hex(span.parent_id) << '\n';
  for (const auto& [key, value] : span.attributes) {
    const std::string_view name = key;
    // Bytes on the wire, which compression and fragments change.
    if (deflate && (name.find("bytes") != name.npos || name.find("extensions") != name.npos)) continue;
    out << "  " << name << " = " << text_of(value) << '\n';
  }
  for (const auto& event : span.events) out << "  + " << event.name << ' ' << event.time_unix_ns << '\n';
  return out.str();
}

std::string describe_all(const std::vector<model::Span>& spans, bool deflate) {
  std::string out;
  for (const model::Span& span : spans)
    if (span.name != "websocket.handshake" && span.name != "websocket.connection") out += describe(span, deflate);
  return out;
}

std::string attribute(const model::Span& span, std::string_view key) {
  for (const auto& [name, value] : span.attributes)
    if (name == key) return text_of(value);
  return "";
}

std::vector<std::pair<std::string, fs::path>> exchanges() {
  std::vector<std::pair<std::string, fs::path>> out;
  for (const auto& entry : fs::directory_iterator(golden)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".jsonl") || name.ends_with(".expected.jsonl")) continue;
    out.emplace_back(name.substr(0, std::min(name.find('~'), name.find(".jsonl"))), entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// As many marks as chunks (no exchange has so many that they are thinned), and the last one is the last chunk.
void expect_times_of_chunks(const model::Span& span, const fs::path& path) {
  std::istringstream list(attribute(span, "websocket.chunk.times"));
  std::size_t marks = 0;
  double sum = 0;
  for (std::string number; std::getline(list, number, ','); ++marks) sum += std::stod(number) / 1e6;
  EXPECT_EQ(std::to_string(marks), attribute(span, "websocket.chunk.count")) << path << ' ' << span.name;
  if (marks == 0) return;
  EXPECT_NEAR(sum, std::stod(attribute(span, "websocket.time_to_last_chunk")), 2e-6) << path << ' ' << span.name;
}

TEST(GoldenSpans, AreThoseThatWereReviewed) {
  for (const auto& [dialect, path] : exchanges()) {
    std::map<std::string, std::string> expected;  // by number
    fs::path reviewed = path;
    reviewed.replace_extension(".expected.jsonl");
    std::ifstream file(reviewed);
    dom::parser parser;
    for (std::string line; std::getline(file, line);) {
      const dom::element element = parser.parse(line);
      std::string_view name;
      if (element["invocation"].get(name) != simdjson::SUCCESS) continue;
      std::ostringstream text;
      text << name << ' ' << std::string_view(element["opened_by"]) << ' ' << std::string_view(element["status"]) << ' '
           << std::int64_t(element["chunks"]);
      expected[std::to_string(std::int64_t(element["number"]))] = text.str();
    }
    for (const model::Span& span : spans_of(read(path), dialect, ways[0])) {
      const std::string number = attribute(span, "websocket.invocation.number");
      if (number.empty()) continue;
      expect_times_of_chunks(span, path);
      if (span.name == "websocket.invocation.interim") continue;
      const std::string is = span.name + ' ' + attribute(span, "websocket.invocation.opened_by") + ' ' +
                             attribute(span, "websocket.invocation.status") + ' ' +
                             attribute(span, "websocket.chunk.count");
      // What is still open when the file ends is in no line of it, and ends with the connection here.
      if (expected.contains(number)) {
        EXPECT_EQ(is, expected[number]) << path << " #" << number;
      } else {
        const std::string end = attribute(span, "websocket.invocation.end");
        EXPECT_TRUE(end == "connection_lost" || end == "unanswered") << path << " #" << number << ' ' << is;
      }
      expected.erase(number);
    }
    for (const auto& [number, what] : expected) ADD_FAILURE() << path << " has no span of #" << number << ' ' << what;
  }
}

// A dialect that the messages tell begins with what was half said before they did.
TEST(GoldenSpans, AreTheSameWhereTheMessagesTellTheDialect) {
  const auto said = [](const std::vector<model::Span>& spans) {
    std::string out;
    for (const model::Span& span : spans)
      if (!attribute(span, "websocket.invocation.number").empty())
        out += span.name + ' ' + attribute(span, "websocket.invocation.status") + ' ' +
               attribute(span, "websocket.chunk.count") + '\n';
    return out;
  };
  for (const auto& [dialect, name] :
       {std::pair("jsonrpc", "jsonrpc~content-length"), std::pair("stomp", "stomp~sockjs"), std::pair("stomp", "stomp"),
        std::pair("mqtt", "mqtt~pieces")}) {
    Exchange exchange = read(golden / (std::string(name) + ".jsonl"));
    exchange.subprotocol.clear();
    for (const Way& way : ways) {
      const std::string known = said(spans_of(exchange, dialect, way));
      EXPECT_FALSE(known.empty()) << name;
      EXPECT_EQ(said(spans_of(exchange, "auto", way)), known) << name << ", " << way.name;
    }
  }
}

// Where no trace is sampled, what went wrong is kept; what may stay unanswered has not.
TEST(GoldenSpans, WhatMayStayUnansweredIsNotKept) {
  for (const model::Span& span : spans_of(read(golden / "deepgram~unanswered.jsonl"), "deepgram", ways[0], 0))
    ADD_FAILURE() << span.name;
  const std::vector<model::Span> kept = spans_of(read(golden / "phoenix~closed.jsonl"), "phoenix", ways[0], 0);
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].name, "inc");  // LiveView would have answered
  EXPECT_EQ(kept[1].name, "phx_join");
}

TEST(GoldenSpans, AreTheSameHoweverTheBytesAreCut) {
  for (const auto& [dialect, path] : exchanges()) {
    const Exchange exchange = read(path);
    for (const bool deflate : {false, true}) {
      const std::string whole = describe_all(spans_of(exchange, dialect, ways[0]), deflate);
      EXPECT_FALSE(whole.empty()) << path;
      for (const Way& way : ways) {
        if (way.deflate != deflate) continue;
        ASSERT_EQ(describe_all(spans_of(exchange, dialect, way), deflate), whole) << path << ", " << way.name;
      }
    }
  }
}

}  // namespace
}  // namespace sockeye::app::testing::spans_test
