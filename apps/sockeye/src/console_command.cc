#include "console_command.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "confine.h"
#include "log.h"
#include "page.h"
#include "process.h"
#include "self_watch.h"
#include "signals.h"
#include "sockeye/config/text.h"
#include "sockeye/console/console.h"
#include "sockeye/net/secret.h"
#include "sockeye/sqlite/open.h"

namespace sockeye::app {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 3s;  // for answers under way when told to stop

std::string default_directory() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
    return std::string(state) + "/sockeye/console";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return std::string(home) + "/.local/state/sockeye/console";
  return "/var/lib/sockeye/console";
}

bool is_loopback(const std::string& listen) {
  return listen.empty() || listen.starts_with("127.") || listen.starts_with("localhost:") ||
         listen.starts_with("[::1]:");
}

struct Settled {
  console::Options console;
  sqlite::Options store;
};

// "export,report=": what stands before the file of a token that does not open everything. 0: a word is none of them.
unsigned scopes_in(std::string_view list) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 4> words{{{"report", console::scope::report},
                                                                        {"export", console::scope::export_spans},
                                                                        {"read", console::scope::read},
                                                                        {"act", console::scope::act}}};
  unsigned out = 0;
  for (;;) {
    const auto word = list.substr(0, list.find(','));
    const auto* const found = std::find_if(words.begin(), words.end(), [&](auto each) { return each.first == word; });
    if (found == words.end()) return 0;
    out |= found->second;
    if (word.size() == list.size()) return out;
    list.remove_prefix(word.size() + 1);
  }
}

base::Result<console::Token> read_token(const std::string& option) {
  console::Token out;
  std::string path = option;
  if (const auto equals = option.find('='); equals != std::string::npos && option.find('/') > equals) {
    out.scopes = scopes_in(std::string_view(option).substr(0, equals));
    if (out.scopes == 0)
      return base::fail("--token-file " + option + ": expected report, export, read or act before the \"=\"");
    path = option.substr(equals + 1);
  }
  auto token = net::read_token(path);
  if (!token) return base::fail("--token-file " + token.error().message);
  if (token->size() < 16)
    return base::fail("--token-file " + path +
                      ": a token has at least 16 characters; make one with: openssl rand -hex 24");
  out.secret = *std::move(token);
  return out;
}

base::Result<Settled> settle(const ConsoleCommand& command) {
  Settled out;
  auto& c = out.console;
  c.listen = command.listen;
  c.otlp_http = command.otlp_http == "off" ? "" : command.otlp_http;
  c.otlp_grpc = command.otlp_grpc == "off" ? "" : command.otlp_grpc;
  for (auto* each : {&c.listen, &c.otlp_http, &c.otlp_grpc})
    if (!each->empty() && each->find(':') == std::string::npos) *each = "127.0.0.1:" + *each;
  if (command.tls_certificate.empty() != command.tls_key.empty())
    return base::fail("--tls-certificate and --tls-key go together");
  if (!command.tls_key.empty()) c.tls = console::Tls{command.tls_certificate, command.tls_key};
  for (const auto& each : command.token_files) {
    auto token = read_token(each);
    if (!token) return tl::unexpected(token.error());
    c.tokens.push_back(*std::move(token));
  }
  if (c.tokens.empty() && !command.open) {
    for (const auto* each : {&c.listen, &c.otlp_http, &c.otlp_grpc})
      if (!is_loopback(*each))
        return base::fail(*each +
                          " is not loopback: pass --token-file FILE, or --open to let everybody who reaches it read "
                          "and write");
  }
  c.hosts = command.hosts;
  c.cors_origins = command.cors_origins;
  c.version = SOCKEYE_VERSION;
  c.page = page_files();
  c.log = [](int level, const std::string& line) { log(level, line); };

  out.store.directory = command.data.empty() ? default_directory() : command.data;
  out.store.longest_wait = 1s;  // senders give up after ten
  out.store.log = [](int level, const std::string& line) { log(level <= 3 ? 4 : level == 4 ? 3 : 2, line); };
  const auto age = config::parse_duration(command.keep_for);
  if (!age) return base::fail("--keep: " + age.error().message);
  const auto size = config::parse_size(command.keep_bytes);
  if (!size) return base::fail("--keep-size: " + size.error().message);
  const auto live = config::parse_size(command.live_bytes);
  if (!live || *live < (1U << 20U))
    return base::fail("--live-memory: " + (live ? "at least 1MiB" : live.error().message));
  c.live_bytes = *live;
  out.store.keep_for = std::chrono::duration_cast<std::chrono::seconds>(*age);
  out.store.keep_bytes = *size;
  if (out.store.keep_for.count() > 0) c.keep_for = out.store.keep_for;
  if (out.store.keep_bytes > 0) c.keep_bytes = out.store.keep_bytes;
  return out;
}

std::string describe(const console::Console& running, const Settled& settings) {
  const std::string scheme = settings.console.tls ? "https://" : "http://";
  std::string out = "sockeye " SOCKEYE_VERSION " console: " + scheme + running.address();
  if (const auto http = running.otlp_http_address(); !http.empty()) out += "; OTLP " + scheme + http;
  if (const auto grpc = running.otlp_grpc_address(); !grpc.empty()) out += ", gRPC " + grpc;
  return out + "; data in " + settings.store.directory;
}

}  // namespace

int run_console(const ConsoleCommand& command) {
  auto settings = settle(command);
  if (!settings) {
    std::cerr << "sockeye: " << settings.error().message << "\nTry: sockeye console --help\n";
    return 2;
  }
  start_log(command.log_level, command.log_format);
  const Signals signals;
  raise_descriptor_limit();
  if (auto dropped = drop_root(command.user); !dropped) {
    log_error("--user: " + dropped.error().message);
    return 1;
  }
  if (!settings->console.tokens.empty() || !command.tls_key.empty()) keep_memory_private();
  auto store = sqlite::open(settings->store);
  if (!store) {
    log_error("--data: " + store.error().message);
    return 1;
  }
  settings->console.watch = self_watch(**store);
  auto running = console::Console::start(settings->console, **store);
  if (!running) {
    log_error(running.error().message);
    return 1;
  }
  if (auto confined = confine(); !confined) log_warning("not confined: " + confined.error().message);
  log_info(describe(**running, *settings));
  if (settings->console.tokens.empty() && command.open)
    log_warning("--open: everybody who reaches these ports can read and write");
  for (int number = 0; number != SIGTERM && number != SIGINT;) number = signals.wait(-1ms);
  (*running)->stop(patience);
  running->reset();
  store->reset();  // writes what is queued
  log_info("stopped");
  return 0;
}

}  // namespace sockeye::app
