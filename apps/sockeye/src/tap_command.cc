#include "tap_command.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "admin.h"
#include "log.h"
#include "metrics.h"
#include "plural.h"
#include "process.h"
#include "reporting.h"
#include "sessions.h"
#include "signals.h"
#include "sockeye/base/json.h"
#include "sockeye/base/random.h"
#include "sockeye/files/directory.h"
#include "sockeye/files/read.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/pipeline/pipeline.h"
#include "sockeye/tap/tap.h"

namespace sockeye::app {
namespace {

using namespace std::chrono_literals;

constexpr auto span_patience = 30s;  // for the spans of a capture that is read
constexpr std::uint64_t most_waiting = 32'768;

// A capture is read faster than a collector takes its spans. Nothing is in a hurry here: reading waits for it.
class Patient final : public model::SpanSink {
 public:
  Patient(pipeline::Pipeline& pipeline, const std::atomic<bool>& stopped) : pipeline_(pipeline), stopped_(stopped) {}
  void offer(model::Span&& span) override {
    pipeline_.offer(std::move(span));
    if (++offered_ % 1024 != 0) return;
    const auto patience = std::chrono::steady_clock::now() + span_patience;
    while (!stopped_) {
      const auto counts = pipeline_.counts();
      if (counts.queued < most_waiting || counts.collector_away || std::chrono::steady_clock::now() > patience) return;
      std::this_thread::sleep_for(5ms);
    }
  }

 private:
  pipeline::Pipeline& pipeline_;
  const std::atomic<bool>& stopped_;
  std::uint64_t offered_ = 0;
};

// "client → server/path  dialect  12 ↑ 30 ↓ messages, 3 KiB  1.2 s  closed 1000 by client".
std::string line_of(const model::SessionRow& row) {
  const auto& facts = row.record.facts;
  const auto& figures = row.record.figures;
  std::string out = base::iso8601(facts.opened_unix_ns / 1'000'000) + "  " + facts.client + " → " + facts.server +
                    (facts.target.empty() ? " (begun before the capture)" : facts.target);
  out += "  " + figures.dialect + "  " + std::to_string(figures.messages[0]) + " up, " +
         std::to_string(figures.messages[1]) + " down, " + plural(figures.bytes[0] + figures.bytes[1], "byte");
  out += "  " +
         std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(row.now - row.detail.opened).count()) +
         " ms";
  if (figures.gap_bytes[0] + figures.gap_bytes[1] > 0)
    out += "  " + plural(figures.gap_bytes[0] + figures.gap_bytes[1], "byte") + " missing";
  if (figures.anomalies > 0)
    out += "  " + std::to_string(figures.anomalies) + (figures.anomalies == 1 ? " anomaly" : " anomalies");
  if (!row.record.end && !row.detail.close) return out + "  still open";
  if (const auto& close = row.detail.close)
    out += "  closed " + std::to_string(close->code) + " by " + std::string(model::name(close->initiator)) + ", " +
           std::string(model::name(close->why));
  return out;
}

class Report {
 public:
  Report(bool json, bool live) : json_(json), live_(live) {}
  void session(const model::SessionRow& row) {
    ++sessions_;
    std::cout << (json_ ? session_line(row) : line_of(row)) << '\n';
    if (live_) std::cout << std::flush;
  }
  void total(const tap::TapTotals& t) const {
    if (json_) {
      base::Json out;
      out.open('{');
      out.key("packets").number(t.packets).key("connections").number(t.connections);
      out.key("websockets").number(t.websockets).key("sessions").number(sessions_);
      out.key("gaps").number(t.gaps).key("truncated").boolean(!t.truncation.empty());
      out.key("gap_bytes").number(t.gap_bytes).key("dropped").number(t.dropped).key("malformed").number(t.malformed);
      out.key("evicted").number(t.evicted).key("given_up").number(t.given_up).key("repeated").number(t.repeated);
      out.key("contradictions").number(t.contradictions).key("attached").number(t.attached);
      out.key("tls").number(t.tls).key("tls_decrypted").number(t.tls_decrypted).key("tls_bytes").number(t.tls_bytes);
      out.close('}');
      std::cout << out.take() << '\n' << std::flush;
      return;
    }
    std::cout << plural(t.packets, "packet") << ", " << plural(t.connections, "TCP connection") << ", "
              << plural(t.websockets, "WebSocket") << ", " << plural(t.gaps, "gap") << '\n';
    const auto also = [](std::uint64_t n, const char* what) {
      if (n > 0) std::cout << n << ' ' << what << '\n';
    };
    also(t.dropped, "packets that the kernel had no room for");
    also(t.malformed, "packets whose headers contradict themselves or were cut off");
    also(t.unknown_link, "packets of a link layer that is not understood");
    also(t.evicted, "connections given up because too many were open");
    also(t.given_up, "connections given up because too much of them all was unfinished");
    also(t.contradictions, "segments that differ from what was seen of the same bytes");
    also(t.tls - t.tls_decrypted, "TLS connections that could not be read (--keylog)");
    std::cout << std::flush;
  }

 private:
  bool json_;
  bool live_;  // somebody may be waiting for the line
  std::uint64_t sessions_ = 0;
};

// On a terminal only: a file of gigabytes takes a while.
class Progress {
 public:
  void operator()(const std::string& name, const tap::Source& source) {
    if (!terminal_ || source.size() == 0) return;
    std::cerr << '\r' << name << ": " << source.position() * 100 / source.size() << " %" << std::flush;
    shown_ = true;
  }
  void done() {
    if (std::exchange(shown_, false)) std::cerr << "\r\033[K" << std::flush;
  }

 private:
  const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  bool shown_ = false;
};

base::Result<std::unique_ptr<tap::Source>> open_interface(const TapCommand& wanted) {
  tap::LiveOptions options;
  options.interface = wanted.interface;
  options.filter = wanted.filter;
  options.snap_length = wanted.snap_length;
  options.buffer = wanted.buffer << 20U;
  return tap::open_live(options);
}

// The key log, where there is one, before root is given up: it is its owner's alone.
base::Result<int> open_key_log(const TapCommand& wanted) {
  if (wanted.keylog.empty()) return -1;
  auto fd = files::open(wanted.keylog);
  if (!fd) return base::fail("--keylog: " + wanted.keylog + ": " + fd.error().message);
  return fd;
}

tap::TapOptions options_for(const config::Settings& settings, const TapCommand& wanted, int key_log) {
  tap::TapOptions out;
  out.observation = settings.proxy.listeners.front().routes.front().observe;
  out.observation.route = "tap";
  out.observation.vantage = "tap";
  out.key_log_descriptor = key_log;
  if (!wanted.interface.empty()) out.seed = std::random_device{}();  // a file's identifiers are the same each time
  return out;
}

// None where nothing is recorded.
base::Result<std::unique_ptr<recordings::Directory>> start_recordings(const TapCommand& wanted) {
  if (wanted.record.directory.empty()) return nullptr;
  auto options = wanted.record;
  options.waits = options.replaces = wanted.interface.empty();
  raise_descriptor_limit();  // a file for each session that is open
  auto started = recordings::Directory::start(options);
  if (const auto shared = files::shared_with(options.directory); started && !shared.empty())
    log_warning("--record: " + shared);
  return started;
}

int failed(const std::string& what) {
  log_error(what);
  return 1;
}

int run_source(tap::Tap& tap, tap::Source& source, Progress& progress) {
  const auto ran = tap.run(source);
  progress.done();
  if (!source.truncation().empty()) log_warning(source.truncation());
  return ran ? 0 : failed(ran.error().message);
}

int run_file(tap::Tap& tap, const std::string& file, Progress& progress, const std::atomic<bool>& stopped) {
  const auto source = tap::open_capture(file, &stopped);
  return source ? run_source(tap, **source, progress) : failed(source.error().message);
}

// Waits for what is on its way. False: something was lost, and it is said what.
bool deliver(const Console& console, pipeline::Pipeline* spans, const recordings::Directory* recordings) {
  if (console.reporter) console.reporter->stop(3s);
  if (spans != nullptr) spans->stop(span_patience);
  bool all = true;
  if (spans != nullptr && spans->counts().dropped_total() > 0) {
    log_error(plural(spans->counts().dropped_total(), "span") + " could not be sent");
    all = false;
  }
  if (recordings != nullptr && recordings->limited() > 0)
    log_warning(plural(recordings->limited(), "recording") +
                " ended at the limit before its session did (--record-limit)");
  if (recordings != nullptr && recordings->lost() > 0) {
    log_error(plural(recordings->lost(), "recording") +
              " refused or cut off: the directory is full (--record-total), or cannot be written to");
    all = false;
  }
  return all;
}

// All the work, once everything that can be wrong with the arguments is known.
int tap_sources(const config::Settings& settings, const TapCommand& wanted, std::unique_ptr<tap::Source> live,
                int key_log, const Signals& signals) {
  const Identity identity = identify();
  std::unique_ptr<pipeline::Pipeline> spans;
  std::unique_ptr<Patient> patient;
  std::atomic<bool> stopped = false;
  if (settings.tracing) {
    auto started = start_pipeline(settings, identity);
    if (!started) return failed("--otlp: " + started.error().message);
    spans = *std::move(started);
    patient = std::make_unique<Patient>(*spans, stopped);
  }
  auto recorded = start_recordings(wanted);
  if (!recorded) return failed("--record: " + recorded.error().message);
  const std::unique_ptr<recordings::Directory> recordings = *std::move(recorded);
  Report report(wanted.format == "json", live != nullptr);
  Progress progress;
  std::string name = wanted.interface;
  auto options = options_for(settings, wanted, key_log);
  options.spans = live ? static_cast<model::SpanSink*>(spans.get()) : patient.get();
  options.recordings = recordings.get();
  options.record = {.all = wanted.record_when == "all", .raised = {}, .anomaly = wanted.record_when == "anomaly"};
  options.ended = [&](const model::SessionRow& row) { report.session(row); };
  options.progress = [&](tap::Source& source) { progress(name, source); };
  auto opened = tap::Tap::open(std::move(options));
  if (!opened) return failed("--keylog: " + opened.error().message);
  const std::unique_ptr<tap::Tap> tap = *std::move(opened);

  Admin admin;
  Metrics metrics(admin.sessions);
  metrics.add(spans.get());
  metrics.add(recordings.get());
  admin.metrics = &metrics;
  admin.record = [&tap](const base::SessionId& id) { return tap->record(id); };
  admin.sessions = tap.get();
  std::unique_ptr<prometheus::Endpoint> endpoint;
  if (live || !wanted.metrics.empty()) {
    auto started = start_admin(admin, settings.metrics_listen);
    if (!started) return failed("--metrics: " + started.error().message);
    endpoint = *std::move(started);
  }
  auto console = start_console(settings, identity, *tap);
  if (!console) return failed("--console: " + console.error().message);

  std::atomic<bool> flushing = false;  // there is only waiting left
  std::thread watcher([&] {
    while (signals.wait(-1ms) != 0) {
      if (flushing) {
        log_error("stopped before all was sent");
        std::_Exit(1);
      }
      stopped = true;
      tap->stop();
    }
  });
  if (live)
    log_info("sockeye " SOCKEYE_VERSION ": watching " + wanted.interface + "; metrics http://" + endpoint->address() +
             "/metrics");
  int status = live ? run_source(*tap, *live, progress) : 0;
  for (const std::string& file : wanted.files) {
    if (stopped) break;
    name = file;
    if (run_file(*tap, file, progress, stopped) != 0) status = 1;
  }
  tap->finish();
  report.total(tap->totals());
  if (!std::cout) status = failed("standard output cannot be written to");
  if (recordings) recordings->flush();
  flushing = true;
  if (!deliver(*console, spans.get(), recordings.get())) status = 1;
  signals.done();
  watcher.join();
  if (endpoint) endpoint->stop(0s);
  return status;
}

}  // namespace

int run_tap(const Command& command, const config::Environment& environment) {
  // What of a proxy's settings has a meaning here: the dialect, where to report to, and the environment's.
  config::Flags flags = command.flags;
  flags.upstream = "ws://tap.invalid:80";
  auto reading = config::read_flags(flags, environment);
  if (!reading.settings) {
    for (const auto& problem : reading.problems) std::cerr << "sockeye: " << problem.text() << '\n';
    return 2;
  }
  const config::Settings& settings = *reading.settings;
  start_log(settings.log_level, settings.log_format);
  const Signals signals;
  const auto key_log = open_key_log(command.tap);
  if (!key_log) return failed(key_log.error().message);
  std::unique_ptr<tap::Source> live;
  if (!command.tap.interface.empty()) {
    auto opened = open_interface(command.tap);
    if (!opened) return failed(opened.error().message);
    live = *std::move(opened);
    if (auto dropped = tap::drop_privileges(command.tap.user); !dropped) return failed(dropped.error().message);
  }
  return tap_sources(settings, command.tap, std::move(live), *key_log, signals);
}

}  // namespace sockeye::app
