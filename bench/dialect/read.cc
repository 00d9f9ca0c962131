// What reading a message costs: nanoseconds through a dialect's Session (extraction, rules, invocations, a listener),
// beside parsing the same text into a tree, which is where others begin.
//
//   bench_dialect --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true
#include <benchmark/benchmark.h>
#include <simdjson.h>
#ifdef HAVE_NLOHMANN
#include <nlohmann/json.hpp>
#endif
#ifdef HAVE_RAPIDJSON
#include <rapidjson/document.h>
#endif

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/dialect/registry.h"
#include "sockeye/dialect/session.h"

namespace {

using namespace sockeye;
using model::Opcode;
using model::Side;

// Counts, as the observer's does, so that nothing is optimised away.
struct Counts final : dialect::Listener {
  std::uint64_t opened_count = 0, chunks = 0, ended_count = 0, media_bytes = 0, odd_count = 0;
  void opened(model::Invocation&) override { ++opened_count; }
  void chunk(const model::Invocation&, std::optional<base::Duration>) override { ++chunks; }
  void ended(model::Invocation&& i) override { ended_count += i.chunks.count; }
  void media(Side, std::string_view, std::uint64_t bytes, base::Time) override { media_bytes += bytes; }
  void beat(Side, std::string_view, std::optional<base::Duration>, base::Time) override {}
  void session_attribute(std::string_view, const model::AttributeValue&) override {}
  void event(std::string_view, Side, base::Time) override {}
  void error(Side, std::string_view, base::Time) override {}
  void dialect_error(dialect::DialectError, Side, std::uint64_t count, base::Time) override { odd_count += count; }
};

struct Message {
  Side from;
  std::string text;
};

std::string base64(std::size_t size) { return std::string(size, 'A'); }

// What is said before, and the messages that are then said over and over.
struct Exchange {
  std::string_view dialect;
  std::vector<Message> before, over;
};

// 20 ms of mu-law: 160 bytes.
std::string media(std::string_view number) {
  return R"({"event":"media","sequenceNumber":")" + std::string(number) +
         R"(","media":{"track":"inbound","chunk":"1","timestamp":"5","payload":")" + base64(216) +
         R"("},"streamSid":"MZ18ad3ab5a668481ce02b83e7395059f0"})";
}
Exchange twilio() {
  return {"twilio-media-streams",
          {{Side::client,
            R"({"event":"start","start":{"streamSid":"MZ1","callSid":"CA1"},"sequenceNumber":"0","streamSid":"MZ1"})"}},
          // Their numbers begin again and again.
          {{Side::client, media("0")}, {Side::client, media("1")}}};
}
Exchange jsonrpc() {
  return {
      "jsonrpc",
      {},
      {{Side::client,
        R"({"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"search","arguments":{"query":"sockeye","limit":10}}})"},
       {Side::server,
        R"({"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"a page about fish"}],"isError":false}})"}}};
}
Exchange audio_delta() {
  return {
      "openai-realtime",
      {{Side::client, R"({"type":"response.create","event_id":"e1"})"},
       {Side::server,
        R"({"type":"response.created","event_id":"s1","response":{"id":"resp_1","status":"in_progress"}})"}},
      {{Side::server,
        R"({"type":"response.output_audio.delta","event_id":"event_4950","response_id":"resp_1","item_id":"msg_008","output_index":0,"content_index":0,"delta":")" +
            base64(3940) + R"("})"}}};
}

// Texts with room behind them, as the workbench stages them.
class Padded {
 public:
  explicit Padded(std::string_view text) : size_(text.size()), bytes_(text.size() + 64) {
    std::copy(text.begin(), text.end(), bytes_.begin());
  }
  [[nodiscard]] dialect::Payload payload() const {
    return {.bytes = base::Bytes(bytes_).first(size_), .readable = bytes_.size(), .on_wire = size_};
  }
  [[nodiscard]] std::string_view text() const { return base::as_text(base::Bytes(bytes_).first(size_)); }
  [[nodiscard]] std::size_t readable() const { return bytes_.size(); }

 private:
  std::size_t size_;
  std::vector<base::Byte> bytes_;
};

void sockeye_session(benchmark::State& state, const Exchange& exchange, bool wanted) {
  dialect::Workspace workspace;
  Counts counts;
  // Header-only: the dialect that looks into nothing.
  const auto program = wanted ? dialect::find(dialect::built_in(), exchange.dialect) : dialect::none();
  dialect::Session session(program, {.path = "/"}, {}, workspace, counts, 1);
  base::Time now(std::chrono::seconds(1));
  const auto say = [&](Side from, const Padded& text) { session.message(from, Opcode::text, text.payload(), now); };
  for (const Message& message : exchange.before) say(message.from, Padded(message.text));
  std::vector<std::pair<Side, Padded>> over;
  for (const Message& message : exchange.over) over.emplace_back(message.from, Padded(message.text));
  std::size_t next = 0;
  for (auto _ : state) {
    now += std::chrono::microseconds(10);
    say(over[next].first, over[next].second);
    next = next + 1 == over.size() ? 0 : next + 1;
  }
  benchmark::DoNotOptimize(counts);
  if (counts.odd_count != 0) state.SkipWithError("the dialect did not understand it");
  if (wanted && counts.opened_count + counts.media_bytes == 0) state.SkipWithError("nothing was read");
}

// Each message in turn into `parse`.
void peer(benchmark::State& state, const Exchange& exchange, const std::function<bool(const Padded&)>& parse) {
  std::vector<Padded> texts;
  for (const Message& message : exchange.over) texts.emplace_back(message.text);
  std::size_t next = 0;
  for (auto _ : state) {
    if (!parse(texts[next])) return state.SkipWithError("the peer did not parse it");
    next = next + 1 == texts.size() ? 0 : next + 1;
  }
}

bool simdjson_dom(const Padded& text) {
  static simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (parser.parse(text.text().data(), text.text().size(), false).get(document) != simdjson::SUCCESS) return false;
  benchmark::DoNotOptimize(document);
  return true;
}
#ifdef HAVE_NLOHMANN
bool nlohmann_parse(const Padded& text) {
  const auto document = nlohmann::json::parse(text.text(), nullptr, false);
  benchmark::DoNotOptimize(document.size());
  return !document.is_discarded();
}
#endif
#ifdef HAVE_RAPIDJSON
bool rapidjson_parse(const Padded& text) {
  rapidjson::Document document;
  document.Parse(text.text().data(), text.text().size());
  benchmark::DoNotOptimize(document.MemberCount());
  return !document.HasParseError();
}
#endif

void add(const std::string& name, const Exchange& exchange) {
  benchmark::RegisterBenchmark((name + "/Sockeye").c_str(),
                               [=](benchmark::State& s) { sockeye_session(s, exchange, true); });
  benchmark::RegisterBenchmark((name + "/simdjson DOM").c_str(),
                               [=](benchmark::State& s) { peer(s, exchange, simdjson_dom); });
#ifdef HAVE_NLOHMANN
  benchmark::RegisterBenchmark((name + "/nlohmann").c_str(),
                               [=](benchmark::State& s) { peer(s, exchange, nlohmann_parse); });
#endif
#ifdef HAVE_RAPIDJSON
  benchmark::RegisterBenchmark((name + "/RapidJSON").c_str(),
                               [=](benchmark::State& s) { peer(s, exchange, rapidjson_parse); });
#endif
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::RegisterBenchmark("header only/Sockeye", [](benchmark::State& s) { sockeye_session(s, twilio(), false); });
  add("Twilio media, 20 ms", twilio());
  add("JSON-RPC call and reply", jsonrpc());
  add("OpenAI audio delta, 4 KiB", audio_delta());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
