#include "replay_command.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include "log.h"
#include "replay_output.h"
#include "replay_to.h"
#include "sockeye/capture/har.h"
#include "sockeye/capture/replay.h"
#include "sockeye/files/read.h"
#include "sockeye/otlp/transport.h"
#include "sockeye/pipeline/pipeline.h"
#include "sockeye/signal/collect.h"

namespace sockeye::app {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t largest_file = 2ULL << 30U;  // bytes; it is read as a whole
constexpr auto send_time = 10s;

base::Result<std::string> read_capture(const std::string& path) {
  auto file = files::read(path, largest_file);
  if (!file) return base::fail("cannot read " + path + ": " + file.error().message);
  return file;
}

// A capture of packets is told from one of a session.
std::string unreadable(const std::string& path, std::string_view file, const base::Error& error) {
  using namespace std::string_view_literals;
  constexpr std::array packets{"\xd4\xc3\xb2\xa1"sv, "\xa1\xb2\xc3\xd4"sv, "\x4d\x3c\xb2\xa1"sv, "\xa1\xb2\x3c\x4d"sv,
                               "\x0a\x0d\x0d\x0a"sv};  // pcap, with ns, pcapng
  const bool is_packets =
      std::any_of(packets.begin(), packets.end(), [&](std::string_view each) { return file.starts_with(each); });
  return path + ": " + error.message + (is_packets ? "; it has packets, which `sockeye tap " + path + "` reads" : "");
}

int fail(const std::string& message, int status) {
  std::cerr << "sockeye: " << message << '\n';
  return status;
}

// Kept to be printed, and sent on where there is somewhere to send them.
struct Spans final : model::SpanSink {
  void offer(model::Span&& span) override {
    all.push_back(span);
    if (onward != nullptr) onward->offer(std::move(span));
  }
  std::vector<model::Span> all;
  model::SpanSink* onward = nullptr;
};

base::Result<std::unique_ptr<pipeline::Pipeline>> start_export(const std::string& endpoint) {
  otlp::Options options;
  options.endpoint = endpoint;
  options.resource.service_name = "sockeye";
  options.resource.service_version = SOCKEYE_VERSION;
  auto transport = otlp::make_transport(std::move(options));
  if (!transport) return tl::unexpected(transport.error());
  pipeline::Options pipe;
  pipe.log = [](int level, const std::string& line) { log(level, line); };
  return pipeline::start(std::move(pipe), *std::move(transport));
}

// False: not every span arrived.
bool finish_export(pipeline::Pipeline& spans) {
  spans.stop(send_time);
  const auto counts = spans.counts();
  return counts.exported == counts.received;
}

int run_play(const ReplayCommand& command, std::string_view file) {
  const auto played = play(base::as_bytes(file), command.to, command.speed);
  if (!played) return fail("--to: " + played.error().message, 1);
  std::cout << "sent " << played->sent << " messages (" << played->sent_bytes << " bytes of frames), received "
            << played->received << "; closed with " << played->code << '\n'
            << std::flush;
  return played->cut ? fail("--to: the server ended before all was sent", 1) : 0;
}

}  // namespace

int run_replay(const ReplayCommand& command) {
  std::optional<observer::DialectOptions> dialect;
  if (!command.dialect.empty()) {
    auto parsed = config::parse_dialect(command.dialect);
    if (!parsed) return fail("--dialect: " + parsed.error().message, 2);
    dialect = *std::move(parsed);
  }
  const auto file = read_capture(command.file);
  if (!file) return fail(file.error().message, 2);

  if (!command.to.empty()) return run_play(command, *file);

  Spans spans;
  std::unique_ptr<pipeline::Pipeline> pipeline;
  if (!command.otlp.empty()) {
    start_log(config::LogLevel::info, config::LogFormat::text);
    auto started = start_export(command.otlp);
    if (!started) return fail("--otlp: " + started.error().message, 2);
    pipeline = *std::move(started);
    spans.onward = pipeline.get();
  }
  const auto metrics = std::make_unique<model::RouteMetrics>();
  auto replayed = capture::replay(base::as_bytes(*file), dialect, spans, *metrics);
  if (!replayed) return fail(unreadable(command.file, *file, replayed.error()), 2);

  Observed observed{.session = *std::move(replayed), .spans = std::move(spans.all), .metrics = {}};
  const std::array routes{model::RouteCounters{observed.session.row.record.facts.route, {metrics.get()}}};
  observed.metrics = signal::collect(routes);
  std::cout << (command.format == "json" ? replay_json(observed) : replay_text(observed)) << std::flush;
  if (pipeline && !finish_export(*pipeline)) return fail("--otlp: not every span could be delivered", 1);
  return std::cout ? 0 : fail("standard output cannot be written", 1);
}

int run_capture(const CaptureCommand& command) {
  const auto file = read_capture(command.file);
  if (!file) return fail(file.error().message, 2);
  const auto har = capture::to_har(base::as_bytes(*file), {.creator_version = SOCKEYE_VERSION});
  if (!har) return fail(unreadable(command.file, *file, har.error()), 2);
  std::cout << *har << std::flush;
  return std::cout ? 0 : fail("standard output cannot be written", 1);
}

}  // namespace sockeye::app
