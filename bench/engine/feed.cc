// What the engine itself costs: nanoseconds a frame through a Connection with everything on (counters, histograms,
// gaps, turns, flight recorder, heartbeats), without any socket. A relay's whole message costs some 10 µs, nearly all
// of it the kernel's, so this has to stay in the tens of ns.
//
//   sockeye_bench_engine --benchmark_repetitions=5 --benchmark_report_aggregates_only
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "build_frame.h"
#include "rig.h"
#include "sockeye/relay/connection.h"
#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/utf8.h"

namespace {

using namespace sockeye;
using model::Opcode;
using model::Side;

struct Sink final : relay::Outlet {
  std::size_t bytes = 0;
  void forward(Side, base::Bytes b) override { bytes += b.size(); }
  void inject(Side, base::Bytes) override {}
  void finish(Side, relay::Finish) override {}
  bool advancing(Side) override { return false; }
};

struct Session {
  relay::Options options;
  observer::Options observe;
  std::unique_ptr<model::RouteMetrics> metrics = std::make_unique<model::RouteMetrics>();
  observer::Workspace workspace;
  Sink sink;
  base::Time now = base::Time{} + std::chrono::seconds(1);
  std::unique_ptr<relay::Connection> connection;
  Session() {
    connection = relay::carry(
        relay::test::observe(observe, {}, {.target = "/", .host = "host", .subprotocol = {}, .tracestate = {}}, nullptr,
                             call()),
        options, sink, 0, call());
  }
  [[nodiscard]] relay::Call call() { return {workspace, *metrics, now}; }
};

std::string read_of(Side side, Opcode opcode, std::size_t payload, std::size_t total) {
  std::string out;
  while (out.size() < total) out += wire::test::frame(side, opcode, std::string(payload, 'a'));
  return out;
}

// range(0): payload bytes a frame; range(1): 64 KiB reads full of frames, or one frame a read.
void feed(benchmark::State& state, Side side, Opcode opcode) {
  const auto payload = static_cast<std::size_t>(state.range(0));
  const std::string one = wire::test::frame(side, opcode, std::string(payload, 'a'));
  const std::string bytes = read_of(side, opcode, payload, state.range(1) != 0 ? 65536 : 1);
  Session session;
  for (auto _ : state) {
    session.now += std::chrono::microseconds(10);
    session.connection->feed(side, base::as_bytes(bytes), session.call());
    benchmark::DoNotOptimize(session.connection->next_deadline());
  }
  const auto frames = static_cast<std::int64_t>(bytes.size() / one.size());
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * frames);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes.size()));
}
void sizes(benchmark::internal::Benchmark* b) {
  for (const std::int64_t payload : {0, 32, 160, 512, 4096})
    for (const std::int64_t full : {1, 0}) b->Args({payload, full});
  b->Args({65536, 0});
}
BENCHMARK_CAPTURE(feed, client_binary, Side::client, Opcode::binary)->Apply(sizes);
BENCHMARK_CAPTURE(feed, server_binary, Side::server, Opcode::binary)->Apply(sizes);
BENCHMARK_CAPTURE(feed, client_text, Side::client, Opcode::text)->Apply(sizes);

void parse(benchmark::State& state) {
  const std::string bytes = read_of(Side::client, Opcode::binary, static_cast<std::size_t>(state.range(0)), 65536);
  const std::string one =
      wire::test::frame(Side::client, Opcode::binary, std::string(static_cast<std::size_t>(state.range(0)), 'a'));
  wire::FrameParser parser({.sender = Side::client});
  for (auto _ : state) {
    base::Bytes in = base::as_bytes(bytes);
    while (!in.empty()) {
      const auto piece = parser.next(in);
      benchmark::DoNotOptimize(piece.message_done);
      in = in.subspan(piece.used);
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * (bytes.size() / one.size())));
}
BENCHMARK(parse)->Arg(0)->Arg(32)->Arg(512);

void utf8(benchmark::State& state, const std::string& unit) {
  std::string text;
  while (text.size() < 65536) text += unit;
  std::string masked(text.size(), '\0');
  wire::unmask(base::as_bytes(text), 0x11223344, 0, reinterpret_cast<base::Byte*>(masked.data()));
  for (auto _ : state) {
    wire::Utf8 utf8;
    benchmark::DoNotOptimize(utf8.feed(base::as_bytes(masked), 0x11223344, 0));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * masked.size()));
}
BENCHMARK_CAPTURE(utf8, ascii, "all of it is plain");
BENCHMARK_CAPTURE(utf8, mixed, "mostly pl\xc3\xa4in, with s\xc3\xb6me \xe2\x82\xac between the rest of it");
BENCHMARK_CAPTURE(utf8, cjk, "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97");

}  // namespace

BENCHMARK_MAIN();
