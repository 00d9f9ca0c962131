#include "serve.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>

#include "admin.h"
#include "confine.h"
#include "log.h"
#include "metrics.h"
#include "plural.h"
#include "process.h"
#include "reporting.h"
#include "signals.h"
#include "sockeye/files/directory.h"
#include "sockeye/otlp/transport.h"
#include "sockeye/pipeline/pipeline.h"
#include "sockeye/prometheus/endpoint.h"
#include "sockeye/proxy/proxy.h"

namespace sockeye::app {
namespace {

using namespace std::chrono_literals;
using config::Settings;

constexpr auto flush_time = 5s;       // for the last spans; what is left then goes to the spool or is counted
constexpr auto console_time = 3s;     // for the last report
constexpr auto impatient_flush = 1s;  // after a second signal
constexpr auto impatient_close = 3s;  // enough for peers that answer a Close and go

// What a running process keeps until its next start.
std::string fixed_until_restart(const Settings& now, const Settings& next) {
  std::string out;
  const auto note = [&](bool changed, std::string_view key) {
    if (changed) out += (out.empty() ? "" : ", ") + std::string(key);
  };
  note(now.metrics_listen != next.metrics_listen, "metrics.listen");
  const auto& a = now.otlp;
  const auto& b = next.otlp;
  note(now.user != next.user, "user");
  note(a.resource.service_name != b.resource.service_name, "service");
  note(a.resource.attributes != b.resource.attributes, "resource");
  note(now.tracing != next.tracing || a.endpoint != b.endpoint || a.traces_endpoint != b.traces_endpoint ||
           a.headers != b.headers || a.timeout != b.timeout || a.compression != b.compression || a.tls.ca != b.tls.ca ||
           a.tls.certificate != b.tls.certificate || a.tls.key != b.tls.key ||
           now.spool.directory != next.spool.directory || now.spool.limit != next.spool.limit ||
           now.console.endpoint != next.console.endpoint || now.console.token_file != next.console.token_file ||
           now.console.ca != next.console.ca,
       "export");
  note(now.recordings.directory != next.recordings.directory || now.recordings.limit != next.recordings.limit ||
           now.recordings.total != next.recordings.total,
       "capture");
  note(now.recordings.payload != next.recordings.payload, "privacy.payload");
  note(now.log_format != next.log_format, "log.format");
  return out;
}

// Private keys, or tokens.
bool holds_keys(const Settings& settings) {
  if (!settings.console.token_file.empty() || !settings.otlp.tls.key.empty() || !settings.otlp.headers.empty())
    return true;
  const auto& listeners = settings.proxy.listeners;
  return std::any_of(listeners.begin(), listeners.end(), [](const proxy::Listener& listener) {
    return listener.tls || std::any_of(listener.routes.begin(), listener.routes.end(),
                                       [](const proxy::Route& route) { return !route.client_tls.key.empty(); });
  });
}

void reload(Settings& settings, proxy::Proxy& proxy, const std::function<config::Reading()>& again) {
  if (!again) {
    log_warning("SIGHUP: nothing to read again, this process was started from flags");
    return;
  }
  auto reading = again();
  if (!reading.settings) {
    for (const auto& problem : reading.problems) log_error(problem.text());
    log_error("SIGHUP: the configuration has errors; the one before stays in force");
    return;
  }
  auto& next = *reading.settings;
  if (auto changed = proxy.reload(next.proxy); !changed) {
    log_error("SIGHUP: " + changed.error().message + "; the configuration before stays in force");
    return;
  }
  for (const auto& warning : next.warnings) log_warning(warning);
  if (const auto fixed = fixed_until_restart(settings, next); !fixed.empty())
    log_warning("SIGHUP: changes to " + fixed + " take effect at the next start");
  set_log_level(next.log_level);
  settings.proxy = std::move(next.proxy);
  if (holds_keys(settings)) keep_memory_private();
}

enum class Drained { in_time, at_once, not_all };

// Waits for the sessions to end. A second signal closes them at once; a third, or time, leaves those that still do not.
Drained drain(const Settings& settings, proxy::Proxy& proxy, const Signals& signals) {
  std::thread patient([&] {
    proxy.drain(settings.proxy.drain_timeout);
    signals.done();
  });
  int number = 0;
  do number = signals.wait(-1ms);
  while (number == SIGHUP);
  if (number == 0) {
    patient.join();
    return Drained::in_time;
  }
  log_warning("a second signal: closing every session now");
  std::thread impatient([&] { proxy.drain(0s); });
  if (signals.wait(impatient_close) != 0) {
    patient.detach();
    impatient.detach();
    return Drained::not_all;
  }
  patient.join();
  impatient.join();
  return Drained::at_once;
}

// `addresses`: what was bound, in the order of the listeners.
std::string describe(const Settings& settings, const std::vector<proxy::Address>& addresses,
                     const std::string& metrics) {
  std::string out;
  const auto& listeners = settings.proxy.listeners;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const auto& listener = listeners[i];
    const auto& address = i < addresses.size() ? addresses[i] : listener.address;
    out += (i == 0 ? "" : ", ") + address.text() + (listener.tls ? " (TLS)" : "") + " → ";
    if (listener.routes.size() == 1) {
      const auto& route = listener.routes.front();
      out += std::string(route.upstream_tls ? "wss://" : "ws://") + route.upstream.text() + route.upstream_path;
    } else {
      out += plural(listener.routes.size(), "route");
    }
  }
  out += "; metrics http://" + metrics + "/metrics";
  if (settings.tracing) out += "; spans to " + otlp::traces_url(settings.otlp);
  if (!settings.console.endpoint.empty()) out += "; sessions to " + settings.console.endpoint;
  return out;
}

}  // namespace

std::string summary(const Settings& settings) {
  std::size_t routes = 0;
  for (const auto& listener : settings.proxy.listeners) routes += listener.routes.size();
  return plural(routes, "route") + ": " + describe(settings, {}, settings.metrics_listen);
}

int serve(Settings settings, const std::function<config::Reading()>& again) {
  const Signals signals;
  raise_descriptor_limit();
  if (auto dropped = drop_root(settings.user); !dropped) {
    log_error("user: " + dropped.error().message);
    return 1;
  }
  if (holds_keys(settings)) keep_memory_private();
  for (const auto& warning : settings.warnings) log_warning(warning);

  const Identity identity = identify();
  std::unique_ptr<pipeline::Pipeline> spans;
  if (settings.tracing) {
    auto started = start_pipeline(settings, identity);
    if (!started) {
      log_error("export.otlp: " + started.error().message);
      return 1;
    }
    spans = *std::move(started);
  }

  std::unique_ptr<recordings::Directory> recorded;
  if (!settings.recordings.directory.empty()) {
    auto opened = recordings::Directory::start(settings.recordings);
    if (!opened) {
      log_error("capture.directory: " + opened.error().message);
      return 1;
    }
    recorded = *std::move(opened);
    if (const auto shared = files::shared_with(settings.recordings.directory); !shared.empty())
      log_warning("capture.directory: " + shared);
  }

  // The port first: while the proxy is not listening yet, /readyz says so.
  Admin admin;
  Metrics metrics(admin.sessions);
  metrics.add(spans.get());
  metrics.add(recorded.get());
  admin.metrics = &metrics;
  auto endpoint = start_admin(admin, settings.metrics_listen);
  if (!endpoint) {
    log_error("metrics.listen: " + endpoint.error().message);
    return 1;
  }

  // The proxy tells each listener as it opens; at the start that is one line, below.
  std::atomic<bool> starting{true};
  const auto tell = [&starting](int level, const std::string& line) { log(starting && level == 2 ? 1 : level, line); };
  auto started = proxy::Proxy::start(settings.proxy, spans.get(), tell, recorded.get());
  starting = false;
  if (!started) {
    log_error(started.error().message);
    return 1;
  }
  const std::unique_ptr<proxy::Proxy> proxy = *std::move(started);
  admin.record = [&proxy](const base::SessionId& id) { return proxy->record(id); };
  admin.sessions = proxy.get();
  auto console = start_console(settings, identity, *proxy);
  if (!console) {
    log_error("export.console: " + console.error().message);
    return 1;
  }
  if (auto confined = confine(); !confined) log_warning("not confined: " + confined.error().message);
  log_info("sockeye " SOCKEYE_VERSION ": " + describe(settings, proxy->addresses(), (*endpoint)->address()));

  for (int number = 0; number != SIGTERM && number != SIGINT;) {
    number = signals.wait(-1ms);
    if (number == SIGHUP) reload(settings, *proxy, again);
  }
  const auto drained = drain(settings, *proxy, signals);
  const bool patient = drained == Drained::in_time;
  if (console->reporter) console->reporter->stop(patient ? console_time : impatient_flush);
  if (spans) spans->stop(patient ? flush_time : impatient_flush);
  (*endpoint)->stop(patient ? 1s : 0s);
  admin.sessions = nullptr;
  log_info("stopped");
  // Sessions that would not end hold the proxy's threads: leave without waiting for them.
  if (drained == Drained::not_all) std::_Exit(0);
  return 0;
}

}  // namespace sockeye::app
