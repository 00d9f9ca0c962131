#include "sockeye/config/read.h"

#include <algorithm>

#include "draft.h"
#include "reader.h"
#include "sockeye/config/text.h"
#include "sockeye/dialect/registry.h"
#include "sockeye/files/read.h"

namespace sockeye::config {
namespace {

using base::fail;
using base::Result;

constexpr std::string_view default_listen = "127.0.0.1:8080";

// Whether the part that may hold "user:password@" does.
bool has_userinfo(std::string_view url) {
  const auto scheme = url.find("://");
  const auto begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  return url.substr(begin, url.find_first_of("/?#", begin) - begin).find('@') != std::string_view::npos;
}

void check_names(Draft& draft, Reader& reader) {
  for (std::size_t i = 0; i < draft.routes.size(); ++i) {
    auto& route = draft.routes[i];
    if (!route.named) {
      if (draft.routes.size() > 1)
        reader.problem(route.at,
                       "routes[" + std::to_string(i) +
                           "]: name is missing; of several routes each needs one (it is the metric label route)");
      continue;
    }
    const auto earlier = std::find_if(draft.routes.begin(), draft.routes.begin() + static_cast<std::ptrdiff_t>(i),
                                      [&](const RouteDraft& r) { return r.named && r.route.name == route.route.name; });
    if (earlier != draft.routes.begin() + static_cast<std::ptrdiff_t>(i))
      reader.problem(route.name_at, "routes[" + std::to_string(i) + "].name: " + quote(route.route.name) +
                                        " is also the name at line " + std::to_string(earlier->name_at.line) +
                                        "; give each route its own");
  }
}

bool same(const proxy::ServerTls& a, const proxy::ServerTls& b) {
  return a.certificate == b.certificate && a.key == b.key && a.client_ca == b.client_ca;
}

// Routes that share an address share its listener, in the order of the file. TLS belongs to the listener: the routes
// that state it must state the same, the others take it over.
void join_listeners(Draft& draft, Reader& reader) {
  auto& listeners = draft.settings.proxy.listeners;
  std::vector<Position> stated;  // where each listener's tls was
  for (std::size_t i = 0; i < draft.routes.size(); ++i) {
    auto& route = draft.routes[i];
    if (!route.listen) {
      if (route.listen_at.line != 0) continue;  // given, and reported as unreadable
      route.listen = proxy::parse_address(default_listen).value_or(proxy::Address{"127.0.0.1", 8080, {}});
    }
    auto found = std::find_if(listeners.begin(), listeners.end(), [&](auto& l) { return l.address == *route.listen; });
    if (found == listeners.end()) {
      listeners.push_back({*route.listen, route.tls, {}});
      stated.push_back(route.tls_at);
      found = listeners.end() - 1;
    } else if (route.tls) {
      auto& at = stated[static_cast<std::size_t>(found - listeners.begin())];
      if (!found->tls) {
        found->tls = route.tls;
        at = route.tls_at;
      } else if (!same(*found->tls, *route.tls)) {
        reader.problem(route.tls_at, "routes[" + std::to_string(i) + "].tls: differs from the tls at line " +
                                         std::to_string(at.line) +
                                         ", which has the same listen address; state it once, or listen elsewhere");
      }
    }
    found->routes.push_back(std::move(route.route));
  }
}

void check_metrics(const Draft& draft, Reader& reader) {
  const auto metrics = proxy::parse_address(draft.settings.metrics_listen);
  if (!metrics || metrics->port == 0) return;
  for (const auto& listener : draft.settings.proxy.listeners) {
    if (listener.address.unix_path.empty() && listener.address.port == metrics->port &&
        (listener.address.host == metrics->host || listener.address.host.empty() || metrics->host.empty()))
      reader.problem(draft.metrics_at, "metrics.listen: " + quote(draft.settings.metrics_listen) +
                                           " is also where a route listens; metrics have their own port");
  }
}

void apply_flags(Draft& draft, const Flags& flags, std::vector<Problem>& problems) {
  const auto take = [&](const std::string& text, std::string_view flag, auto parse, auto store) {
    if (text.empty()) return;
    if (auto parsed = parse(std::string_view(text)))
      store(*std::move(parsed));
    else
      problems.push_back({"", {}, std::string(flag) + ": " + parsed.error().message});
  };
  auto& settings = draft.settings;
  take(flags.metrics, "--metrics", parse_metrics_address, [&](std::string value) {
    settings.metrics_listen = std::move(value);
    draft.metrics_at = {};
  });
  take(flags.otlp, "--otlp", parse_endpoint, [&](std::string value) {
    settings.otlp.endpoint = std::move(value);
    settings.otlp.traces_endpoint.clear();
    settings.tracing = true;
  });
  take(flags.console, "--console", parse_console,
       [&](std::string value) { settings.console.endpoint = std::move(value); });
  if (!flags.user.empty()) settings.user = flags.user;
  take(
      flags.threads, "--threads", [](std::string_view text) { return parse_integer(text, 0, 256); },
      [&](std::uint64_t value) { settings.proxy.threads = static_cast<unsigned>(value); });
  take(
      flags.log_level, "--log-level",
      [](std::string_view text) -> Result<LogLevel> {
        constexpr std::array<std::string_view, 4> words = {"debug", "info", "warn", "error"};
        const auto* found = std::find(words.begin(), words.end(), text);
        if (found == words.end()) return fail(quote(text) + " is not known; expected " + one_of(words));
        return static_cast<LogLevel>(found - words.begin() + 1);
      },
      [&](LogLevel value) { settings.log_level = value; });
  take(
      flags.log_format, "--log-format",
      [](std::string_view text) -> Result<LogFormat> {
        if (text == "text") return LogFormat::text;
        if (text == "json") return LogFormat::json;
        return fail(quote(text) + " is not known; expected text or json");
      },
      [&](LogFormat value) { settings.log_format = value; });
}

void warn_of_recordings(const proxy::Route& route, Settings& settings) {
  const auto& raised = route.record.raised;
  const bool conditions = std::find(raised.begin(), raised.end(), true) != raised.end();
  if ((route.record.all || route.record.anomaly || conditions) && settings.recordings.directory.empty())
    settings.warnings.push_back("route " + route.name +
                                ": capture, but there is no capture.directory: nothing is recorded");
  const auto& heartbeat = route.carry.heartbeat;
  if (conditions && !heartbeat.client && !heartbeat.upstream)
    settings.warnings.push_back("route " + route.name +
                                ": capture.when waits for what a heartbeat finds out, which is off on both legs");
}

void finish(Draft& draft) {
  auto& settings = draft.settings;
  if (!draft.keep_slow) draft.sampling.keep_slow = {};
  for (auto& listener : settings.proxy.listeners) {
    for (auto& route : listener.routes) {
      route.observe.route = route.name;
      route.observe.inflated = route.carry.limits.message;
      route.observe.sampling = draft.sampling;
      route.observe.gen_ai = draft.gen_ai;
      route.observe.seed_names = draft.seed_names;
      route.observe.propagation = draft.propagation;
      route.observe.redact = draft.redact;
      // Compiled now, not under the first connection.
      if (route.observe.dialect.mode == observer::DialectOptions::Mode::automatic)
        static_cast<void>(dialect::built_in());
      warn_of_recordings(route, settings);
    }
  }
  if (draft.disabled && settings.tracing) {
    settings.tracing = false;
    settings.warnings.emplace_back("OTEL_SDK_DISABLED is true: no span is exported");
  }
}

Draft begin(const Environment& environment) {
  Draft draft;
  draft.settings.otlp.resource.service_name = "sockeye";
  apply_environment(draft, environment);
  return draft;
}

Reading conclude(Draft&& draft, std::vector<Problem>&& problems) {
  Reading reading;
  if (problems.empty()) {
    finish(draft);
    reading.settings = std::move(draft.settings);
  }
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
  });
  reading.problems = std::move(problems);
  return reading;
}

Reading whole_file(std::string_view file, std::string message) {
  Reading reading;
  reading.problems.push_back({std::string(file), {}, std::move(message)});
  return reading;
}

}  // namespace

std::string Problem::text() const {
  if (where.empty()) return message;
  if (at.line == 0) return where + ": " + message;
  return where + ':' + std::to_string(at.line) + ':' + std::to_string(at.column) + ": " + message;
}

namespace {

Result<std::string> parse_http_url(std::string_view text, std::string_view expected) {
  const bool http = text.starts_with("http://");
  const bool https = text.starts_with("https://");
  if (!http && !https) {
    std::string message = quote(text) + " has no http:// or https://; " + std::string(expected);
    if (text.find("://") == std::string_view::npos && !text.empty()) message += "; write http://" + std::string(text);
    return fail(std::move(message));
  }
  const std::string_view rest = text.substr(https ? 8 : 7);
  std::string_view authority = rest.substr(0, rest.find('/'));
  const auto plain = [](char c) { return c > ' ' && c < '\x7f' && c != '?' && c != '#' && c != '"' && c != '\\'; };
  if (!std::all_of(rest.begin(), rest.end(), plain)) return fail(quote(text) + " is no URL; " + std::string(expected));
  const auto bracket = authority.rfind(']');
  if (const auto colon = authority.rfind(':');
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    if (auto port = parse_integer(authority.substr(colon + 1), 1, 65535); !port)
      return fail("the port of " + quote(text) + " is not 1 to 65535; " + std::string(expected));
    authority = authority.substr(0, colon);
  }
  if (authority.empty()) return fail(quote(text) + " has no host; " + std::string(expected));
  return std::string(text);
}

}  // namespace

Result<std::string> parse_endpoint(std::string_view text) {
  if (has_userinfo(text))
    return fail("the URL holds a user name or password; send it as a header (export.otlp.headers)");
  return parse_http_url(text, "expected a URL such as http://127.0.0.1:4318 or https://collector.example.com");
}

Result<std::string> parse_console(std::string_view text) {
  if (has_userinfo(text))
    return fail("the URL holds a user name or password; put a token into a file (export.console.token_file)");
  return parse_http_url(text, "expected a URL such as http://127.0.0.1:16686 or https://console.example.com");
}

Result<proxy::Upstream> parse_upstream_url(std::string_view text) {
  if (has_userinfo(text))
    return fail("the URL holds a user name or password; remove it: the client's own headers go through");
  return proxy::parse_upstream(text);
}

Result<std::string> parse_metrics_address(std::string_view text) {
  auto address = proxy::parse_address(text);
  if (!address) return fail(std::move(address.error().message));
  if (!address->unix_path.empty())
    return fail(quote(text) + " is a Unix socket; metrics need host:port, e.g. 127.0.0.1:9464");
  return std::string(text);
}

bool is_route_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

Reading read_text(std::string_view text, std::string_view file, const Flags& flags, const Environment& environment,
                  const ReadOptions& options) {
  Draft draft = begin(environment);
  std::vector<Problem> problems;
  const Document document = parse_document(text);
  for (const auto& fault : document.faults) problems.push_back({std::string(file), fault.at, fault.message});
  if (!document.whole) return conclude(std::move(draft), std::move(problems));
  if (document.root.kind == Node::Kind::empty && document.faults.empty())
    return whole_file(file, "empty; expected at least routes: [{upstream: ws://127.0.0.1:9000}]");

  Reader reader(file, options, problems);
  read_root(reader, document.root, draft);
  if (document.root.kind == Node::Kind::map) {
    const Node* routes = document.root.find("routes");
    if (routes == nullptr)
      reader.problem({}, "routes is missing; add e.g. routes: [{upstream: ws://127.0.0.1:9000}]");
    else if (routes->kind == Node::Kind::list && routes->items.empty())
      reader.problem(routes->at, "routes: the list is empty; add e.g. - upstream: ws://127.0.0.1:9000");
  }
  apply_flags(draft, flags, problems);
  check_names(draft, reader);
  join_listeners(draft, reader);
  check_metrics(draft, reader);
  return conclude(std::move(draft), std::move(problems));
}

Reading read_file(const std::string& path, const Flags& flags, const Environment& environment,
                  const ReadOptions& options) {
  const auto text = files::read(path, document_limit);
  if (!text) return whole_file(path, "cannot be read: " + text.error().message);
  return read_text(*text, path, flags, environment, options);
}

Reading read_flags(const Flags& flags, const Environment& environment) {
  Draft draft = begin(environment);
  std::vector<Problem> problems;
  const auto problem = [&](std::string message) { problems.push_back({"", {}, std::move(message)}); };
  RouteDraft route;
  if (auto address = proxy::parse_address(flags.listen.empty() ? default_listen : std::string_view(flags.listen)))
    route.listen = *address;
  else
    problem("--listen: " + address.error().message);
  if (flags.upstream.empty()) {
    problem("--upstream is missing; write e.g. --upstream ws://127.0.0.1:9000");
  } else if (auto upstream = parse_upstream_url(flags.upstream)) {
    route.route.upstream = upstream->address;
    route.route.upstream_tls = upstream->tls;
    route.route.upstream_path = upstream->path;
  } else {
    problem("--upstream: " + upstream.error().message);
  }
  if (!flags.dialect.empty()) {
    if (auto dialect = parse_dialect(flags.dialect))
      route.route.observe.dialect = *std::move(dialect);
    else
      problem("--dialect: " + dialect.error().message);
  }
  apply_flags(draft, flags, problems);
  if (route.listen) draft.settings.proxy.listeners.push_back({*route.listen, std::nullopt, {std::move(route.route)}});
  const ReadOptions options;
  Reader reader("", options, problems);
  check_metrics(draft, reader);
  return conclude(std::move(draft), std::move(problems));
}

}  // namespace sockeye::config
