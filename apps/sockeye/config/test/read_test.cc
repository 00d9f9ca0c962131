#include "sockeye/config/read.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace sockeye::config {
namespace {

using namespace std::chrono_literals;

Environment variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> const char* {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.c_str();
  };
}
const Environment none = variables({});
constexpr ReadOptions no_files{.check_files = false};

Reading read(std::string_view text, const Flags& flags = {}, const Environment& environment = none) {
  return read_text(text, "f", flags, environment, no_files);
}

std::vector<std::string> texts(const Reading& reading) {
  std::vector<std::string> out;
  for (const auto& problem : reading.problems) out.push_back(problem.text());
  return out;
}

Settings good(std::string_view text, const Flags& flags = {}, const Environment& environment = none) {
  auto reading = read(text, flags, environment);
  for (const auto& line : texts(reading)) ADD_FAILURE() << line;
  return reading.settings.value_or(Settings{});
}

constexpr std::string_view minimal = "routes: [{upstream: 'ws://127.0.0.1:9000'}]\n";

TEST(Read, AFileOfOneLineIsEnough) {
  const auto settings = good(minimal);
  ASSERT_EQ(settings.proxy.listeners.size(), 1U);
  const auto& listener = settings.proxy.listeners[0];
  EXPECT_EQ(listener.address, (proxy::Address{"127.0.0.1", 8080, {}}));
  ASSERT_EQ(listener.routes.size(), 1U);
  EXPECT_EQ(listener.routes[0].name, "default");
  EXPECT_EQ(listener.routes[0].observe.route, "default");
  EXPECT_EQ(listener.routes[0].upstream, (proxy::Address{"127.0.0.1", 9000, {}}));
  EXPECT_EQ(settings.metrics_listen, "127.0.0.1:9464");
  EXPECT_EQ(settings.otlp.resource.service_name, "sockeye");
  EXPECT_FALSE(settings.tracing);
}

TEST(Read, TakesEveryKey) {
  const auto s = good(R"(
service: voice-bridge
resource: {deployment.environment: prod, service.namespace: calls}
threads: 3
routes:
  - name: calls
    listen: 0.0.0.0:8443
    tls: {certificate: c.pem, key: k.pem, client_ca: ca.pem}
    match: {host: "*.example.com", path: /media, subprotocol: audio.v1}
    upstream:
      url: wss://bridge.internal:8084/base
      tls: {ca: up-ca.pem, certificate: up-c.pem, key: up-k.pem, server_name: bridge, verify: no}
    host: upstream
    origins: [https://app.example.com, "*.example.org", "null"]
    forwarded: off
    trusted_proxies: [10.0.0.0/8, ::1, unix]
    client_id: [header.x-device-id, query.device, cookie.sid, subprotocol]
    plain_http: refuse
    capture: all
    dialect: auto
    compression: observe
    conformance: forward
    trace: {scope: connection, segment: 1m}
    heartbeat: {interval: 15s, timeout: 5s, misses: 3, client: yes, upstream: off, on_dead: report}
    limits:
      frame: 1MiB
      message: 2MiB
      fragments: 70000
      control_rate: 50
      sessions: 7
      requests: 8
      handshake_timeout: 3s
      idle_timeout: 0s
      close_timeout: 2s
      buffered: 64KiB
metrics: {listen: ":9999"}
export:
  otlp:
    endpoint: https://collector.example.com:4318
    protocol: http/protobuf
    headers: {authorization: Bearer abc, x-tenant: "7"}
    timeout: 2s
    compression: none
    tls: {ca: o-ca.pem, certificate: o-c.pem, key: o-k.pem}
    spool: {directory: /var/lib/sockeye, limit: 1GiB}
sampling: {ratio: 0.1, parent: false, keep: []}
propagation: {tracecontext: true, b3: inject, baggage: false}
privacy: {payload: capture, redact: [query.sid, header.x-key]}
capture: {directory: /var/lib/captures, limit: 1MiB, total: 2GiB}
limits: {header: 32KiB, fields: 50}
drain: {timeout: 5s}
log: {level: debug, format: json}
)");
  EXPECT_EQ(s.otlp.resource.service_name, "voice-bridge");
  EXPECT_EQ(s.otlp.resource.attributes,
            (otlp::Pairs{{"deployment.environment", "prod"}, {"service.namespace", "calls"}}));
  EXPECT_EQ(s.proxy.threads, 3U);
  EXPECT_EQ(s.proxy.drain_timeout, 5s);
  EXPECT_EQ(s.proxy.header_limit, 32U * 1024);
  EXPECT_EQ(s.proxy.header_fields, 50U);
  EXPECT_EQ(s.metrics_listen, ":9999");
  EXPECT_EQ(s.recordings.directory, "/var/lib/captures");
  EXPECT_EQ(s.recordings.limit, 1U << 20U);
  EXPECT_EQ(s.recordings.total, 2ULL << 30U);
  EXPECT_TRUE(s.recordings.payload);
  EXPECT_EQ(s.log_level, LogLevel::debug);
  EXPECT_EQ(s.log_format, LogFormat::json);

  ASSERT_EQ(s.proxy.listeners.size(), 1U);
  const auto& l = s.proxy.listeners[0];
  EXPECT_EQ(l.address, (proxy::Address{"0.0.0.0", 8443, {}}));
  ASSERT_TRUE(l.tls);
  EXPECT_EQ(l.tls->certificate + l.tls->key + l.tls->client_ca, "c.pemk.pemca.pem");
  const auto& r = l.routes.at(0);
  EXPECT_EQ(r.match.host + r.match.path + r.match.subprotocol, "*.example.com/mediaaudio.v1");
  EXPECT_TRUE(r.upstream_tls);
  EXPECT_EQ(r.upstream, (proxy::Address{"bridge.internal", 8084, {}}));
  EXPECT_EQ(r.upstream_path, "/base");
  EXPECT_EQ(r.client_tls.ca + r.client_tls.certificate + r.client_tls.key + r.client_tls.server_name,
            "up-ca.pemup-c.pemup-k.pembridge");
  EXPECT_FALSE(r.client_tls.verify);
  EXPECT_FALSE(r.preserve_host);
  EXPECT_EQ(r.origins, (std::vector<std::string>{"https://app.example.com", "*.example.org", "null"}));
  EXPECT_EQ(r.forwarded, proxy::ForwardedPolicy::off);
  EXPECT_EQ(r.trusted_proxies, (std::vector<std::string>{"10.0.0.0/8", "::1", "unix"}));
  EXPECT_EQ(r.client_id, (std::vector<std::string>{"header.x-device-id", "query.device", "cookie.sid", "subprotocol"}));
  EXPECT_FALSE(r.plain_http);
  EXPECT_TRUE(r.record.all);
  EXPECT_EQ(r.limits.sessions, 7U);
  EXPECT_EQ(r.limits.requests, 8U);
  EXPECT_EQ(r.limits.handshake_timeout, 3s);
  EXPECT_EQ(r.limits.buffered, 65536U);
  const auto& o = r.observe;
  const auto& c = r.carry;
  EXPECT_EQ(o.route, "calls");
  EXPECT_EQ(o.dialect.mode, observer::DialectOptions::Mode::automatic);
  EXPECT_EQ(o.inflate, observer::Inflate::always);
  EXPECT_EQ(o.inflated, 2U << 20U);
  EXPECT_EQ(c.conformance, relay::Conformance::forward);
  EXPECT_EQ(o.segment, 1min);
  EXPECT_EQ(c.heartbeat.interval, 15s);
  EXPECT_EQ(c.heartbeat.timeout, 5s);
  EXPECT_EQ(c.heartbeat.misses, 3U);
  EXPECT_TRUE(c.heartbeat.client);
  EXPECT_FALSE(c.heartbeat.upstream);
  EXPECT_EQ(c.heartbeat.on_dead, relay::HeartbeatOptions::OnDead::report);
  EXPECT_EQ(c.limits.frame, 1U << 20U);
  EXPECT_EQ(c.limits.message, 2U << 20U);
  EXPECT_EQ(c.limits.fragments, 70000U);
  EXPECT_EQ(c.limits.control_rate, 50U);
  EXPECT_EQ(c.idle_timeout, 0s);
  EXPECT_EQ(c.close_timeout, 2s);
  EXPECT_EQ(o.sampling.ratio, 0.1);
  EXPECT_FALSE(o.sampling.parent_based);
  EXPECT_TRUE(o.propagation.tracecontext && o.propagation.b3 && o.propagation.b3_inject);
  EXPECT_FALSE(o.propagation.baggage);
  EXPECT_EQ(o.redact, (std::vector<std::string>{"query.sid", "header.x-key"}));

  EXPECT_TRUE(s.tracing);
  EXPECT_EQ(s.otlp.endpoint, "https://collector.example.com:4318");
  EXPECT_EQ(s.otlp.headers, (otlp::Pairs{{"authorization", "Bearer abc"}, {"x-tenant", "7"}}));
  EXPECT_EQ(s.otlp.timeout, 2s);
  EXPECT_EQ(s.otlp.compression, otlp::Compression::none);
  EXPECT_EQ(s.otlp.tls.ca + s.otlp.tls.certificate + s.otlp.tls.key, "o-ca.pemo-c.pemo-k.pem");
  EXPECT_EQ(s.spool.directory, "/var/lib/sockeye");
  EXPECT_EQ(s.spool.limit, 1ULL << 30U);
}

TEST(Read, TheDesignsExampleNeedsOnlyWhatThisVersionLacksRemoved) {
  const auto s = good(R"(
service: voice-bridge
routes:
  - name: calls
    listen: 0.0.0.0:8080
    match: {path: /media}
    upstream: ws://127.0.0.1:8084
    compression: auto
    trace: {scope: invocation}
    heartbeat: {interval: 30s, timeout: 10s, misses: 2, client: true, upstream: true, on_dead: close}
    limits: {frame: 16MiB, message: 64MiB, sessions: 100000, handshake_timeout: 10s, idle_timeout: 0s, buffered: 4MiB}
metrics: {listen: 127.0.0.1:9464}
export:
  otlp: {endpoint: http://127.0.0.1:4318, protocol: http/protobuf, spool: {directory: /var/lib/sockeye, limit: 1GiB}}
sampling: {ratio: 1.0}
privacy: {payload: never, redact: [query.token, header.authorization, subprotocol]}
)");
  // It states the defaults, so nothing may differ from them.
  const auto& route = s.proxy.listeners.at(0).routes.at(0);
  const relay::Options defaults;
  EXPECT_EQ(route.carry.limits.frame, defaults.limits.frame);
  EXPECT_EQ(route.carry.limits.message, defaults.limits.message);
  EXPECT_EQ(route.carry.heartbeat.interval, defaults.heartbeat.interval);
  EXPECT_EQ(route.limits.buffered, proxy::RouteLimits{}.buffered);
  EXPECT_EQ(route.limits.sessions, proxy::RouteLimits{}.sessions);
}

TEST(Read, RoutesOfOneAddressShareItsListenerInOrder) {
  const auto s = good(R"(
routes:
  - {name: a, listen: ":8080", match: {path: /a}, upstream: ws://a:1}
  - {name: b, listen: "127.0.0.1:9090", upstream: ws://b:1}
  - {name: c, listen: ":8080", tls: {certificate: c, key: k}, upstream: ws://c:1}
  - {name: d, listen: ":8080", tls: {certificate: c, key: k}, upstream: ws://d:1}
)");
  ASSERT_EQ(s.proxy.listeners.size(), 2U);
  ASSERT_EQ(s.proxy.listeners[0].routes.size(), 3U);
  EXPECT_EQ(s.proxy.listeners[0].routes[0].name, "a");
  EXPECT_EQ(s.proxy.listeners[0].routes[1].name, "c");
  EXPECT_EQ(s.proxy.listeners[0].routes[2].name, "d");
  EXPECT_TRUE(s.proxy.listeners[0].tls);  // stated once, the listener's
  EXPECT_EQ(s.proxy.listeners[1].routes[0].name, "b");
  EXPECT_FALSE(s.proxy.listeners[1].tls);
}

TEST(Read, AliasesSaveRepetition) {
  const auto s = good(R"(
routes:
  - {name: a, listen: ":1001", tls: &tls {certificate: c, key: k}, upstream: ws://a:1}
  - {name: b, listen: ":1002", tls: *tls, upstream: ws://b:1}
)");
  EXPECT_EQ(s.proxy.listeners.at(1).tls->certificate, "c");
}

struct BadFile {
  const char* name;
  std::string_view text;
  std::vector<std::string> problems;
};
void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

class Bad : public testing::TestWithParam<BadFile> {};

TEST_P(Bad, IsReportedWholeWithPlaceAndFix) {
  const auto reading = read(GetParam().text);
  EXPECT_FALSE(reading.settings);
  EXPECT_EQ(texts(reading), GetParam().problems);
}

INSTANTIATE_TEST_SUITE_P(
    Files, Bad,
    testing::Values(
        BadFile{"empty", "", {"f: empty; expected at least routes: [{upstream: ws://127.0.0.1:9000}]"}},
        BadFile{
            "only_comments", "# nothing\n", {"f: empty; expected at least routes: [{upstream: ws://127.0.0.1:9000}]"}},
        BadFile{"text", "hello", {"f:1:1: found \"hello\"; expected keys and values"}},
        BadFile{"list", "- a\n", {"f:1:1: found a list; expected keys and values"}},
        BadFile{
            "no_routes", "threads: 1\n", {"f: routes is missing; add e.g. routes: [{upstream: ws://127.0.0.1:9000}]"}},
        BadFile{"empty_routes",
                "routes: []\n",
                {"f:1:9: routes: the list is empty; add e.g. - upstream: ws://127.0.0.1:9000"}},
        BadFile{"null_routes",
                "routes:\n",
                {"f:1:1: routes: found nothing; expected a list, e.g. - upstream: ws://127.0.0.1:9000"}},
        BadFile{"routes_is_a_map",
                "routes: {upstream: ws://a}\n",
                {"f:1:9: routes: found a map; expected a list, e.g. - upstream: ws://127.0.0.1:9000"}},
        BadFile{
            "route_is_text", "routes: [ws://a]\n", {"f:1:10: routes[0]: found \"ws://a\"; expected keys and values"}},
        BadFile{"no_upstream",
                "routes:\n  - name: a\n",
                {"f:2:5: routes[0]: upstream is missing; add e.g. upstream: ws://127.0.0.1:9000"}},
        BadFile{
            "unknown_keys",
            "routes:\n  - upstraem: ws://a:1\n    colour: red\n    upstream: ws://a:1\nroutess: []\n",
            {"f:2:5: routes[0]: unknown key \"upstraem\"; did you mean upstream?",
             "f:3:5: routes[0]: unknown key \"colour\"; expected name, listen, tls, capture, match, upstream, host, "
             "origins, "
             "forwarded, trusted_proxies, client_id, plain_http, dialect, compression, conformance, trace, heartbeat "
             "or limits",
             "f:5:1: unknown key \"routess\"; did you mean routes?"}},
        BadFile{"keys_in_the_wrong_place",
                "interval: 30s\nroutes:\n  - upstream: ws://a:1\n    path: /x\n    limits: {header: 8KiB}\n    tls: "
                "{ca: x, certificate: c, key: k}\n",
                {"f:1:1: unknown key \"interval\"; it belongs at routes[].heartbeat.interval",
                 "f:4:5: routes[0]: unknown key \"path\"; it belongs at routes[].match.path",
                 "f:5:14: routes[0].limits: unknown key \"header\"; it belongs at limits.header",
                 "f:6:11: routes[0].tls: unknown key \"ca\"; it belongs at routes[].upstream.tls.ca"}},
        BadFile{"repeated_key",
                "routes: [{upstream: ws://a:1}]\nthreads: 1\nthreads: 2\nthread: 3\n",
                {"f:3:1: the key \"threads\" is here a second time; keep one of the two",
                 "f:4:1: unknown key \"thread\"; did you mean threads?"}},
        BadFile{"durations",
                "routes:\n  - upstream: ws://a:1\n    heartbeat: {interval: 30, timeout: 0s, misses: 0}\n"
                "    limits: {idle_timeout: 1ms, close_timeout: -1s, handshake_timeout: [1s]}\n",
                {"f:3:27: routes[0].heartbeat.interval: \"30\" has no unit; expected a duration such as 500ms, 30s, 5m "
                 "or 1h; "
                 "write 30s for seconds",
                 "f:3:40: routes[0].heartbeat.timeout: \"0s\" is too short; expected at least 10ms",
                 "f:3:52: routes[0].heartbeat.misses: \"0\" is out of range; expected a whole number from 1 to 100",
                 "f:4:28: routes[0].limits.idle_timeout: \"1ms\" is too short; expected at least 10ms, or 0s to switch "
                 "it off",
                 "f:4:48: routes[0].limits.close_timeout: \"-1s\" is not a duration; expected a duration such as "
                 "500ms, 30s, "
                 "5m or 1h",
                 "f:4:72: routes[0].limits.handshake_timeout: found a list; expected a duration such as 500ms, 30s, 5m "
                 "or 1h"}},
        BadFile{"sizes",
                "routes:\n  - upstream: ws://a:1\n    limits: {frame: 16M, message: 0, buffered: 1KiB, sessions: "
                "010}\nlimits: {header: 2MiB}\n",
                {"f:3:21: routes[0].limits.frame: \"16M\" has an unknown unit; expected a size such as 4096, 64KB or "
                 "16MiB; write "
                 "16MiB (1024s) or 16MB (1000s)",
                 "f:3:35: routes[0].limits.message: \"0\" is out of range; expected 125 to 1073741824MiB",
                 "f:3:48: routes[0].limits.buffered: \"1KiB\" is out of range; expected 4KiB to 1073741824MiB",
                 "f:3:64: routes[0].limits.sessions: \"010\" has a leading zero, which YAML 1.1 reads as octal; write "
                 "it without",
                 "f:4:18: limits.header: \"2MiB\" is out of range; expected 512 to 1MiB"}},
        BadFile{"choices",
                "routes:\n  - upstream: ws://a:1\n    compression: obsreve\n    conformance: loose\n    forwarded: "
                "no\n    plain_http: true\n    host: keep\n"
                "    trace: {scope: session}\n    heartbeat: {client: maybe}\n",
                {"f:3:18: routes[0].compression: \"obsreve\" is not known; expected auto, pass, observe or decline; "
                 "did you mean "
                 "observe?",
                 "f:4:18: routes[0].conformance: \"loose\" is not known; expected strict or forward",
                 "f:5:16: routes[0].forwarded: \"no\" is not known; expected append, replace or off",
                 "f:6:17: routes[0].plain_http: \"true\" is not known; expected relay or refuse",
                 "f:7:11: routes[0].host: \"keep\" is not known; expected preserve or upstream",
                 "f:8:20: routes[0].trace.scope: \"session\" is not known; expected connection, invocation or auto",
                 "f:9:25: routes[0].heartbeat.client: \"maybe\" is neither true nor false"}},
        BadFile{
            "matches",
            "routes:\n  - upstream: ws://a:1\n    match: {host: 'https://a', path: media}\n"
            "    origins: ['*', app.example.com, https://a.example/, 'https://ok']\n    trusted_proxies: [10.0.0.0/40, "
            "lan]\n",
            {"f:3:19: routes[0].match.host: \"https://a\" is no host name; write it without scheme, port or path, e.g. "
             "example.com",
             "f:3:38: routes[0].match.path: \"media\" does not begin with /; write \"/media\"",
             "f:4:15: routes[0].origins[0]: \"*\": leave origins out to allow every origin",
             "f:4:20: routes[0].origins[1]: \"app.example.com\" is no origin; expected scheme://host[:port], *.suffix "
             "or null",
             "f:4:37: routes[0].origins[2]: \"https://a.example/\": an origin has no path; write \"https://a.example\"",
             "f:5:23: routes[0].trusted_proxies[0]: \"10.0.0.0/40\": the part after / must be from 0 to 32",
             "f:5:36: routes[0].trusted_proxies[1]: \"lan\" is no network; expected an address or network such as "
             "10.0.0.0/8, ::1 or fd00::/8, or unix"}},
        BadFile{"tls",
                "routes:\n  - {name: a, listen: ':1', tls: {certificate: c}, upstream: ws://a:1}\n"
                "  - {name: b, listen: ':2', upstream: {url: ws://a:1, tls: {ca: x}}}\n"
                "  - {name: c, listen: ':3', upstream: {url: wss://a:1, tls: {key: x}}}\n"
                "  - {name: d, listen: ':4', upstream: {tls: {ca: x}}}\n"
                "  - {name: e, listen: ':5', tls: {certificate: c, key: k}, upstream: ws://a:1}\n"
                "  - {name: f, listen: ':5', tls: {certificate: d, key: k}, upstream: ws://a:1}\n",
                {"f:2:34: routes[0].tls: key is missing; the listener's TLS needs certificate and key (PEM files)",
                 "f:3:60: routes[1]: upstream.tls without wss://; write wss:// in url or remove tls",
                 "f:4:61: routes[2].upstream.tls: key without certificate; add certificate",
                 "f:5:39: routes[3].upstream: url is missing; add e.g. url: ws://127.0.0.1:9000",
                 "f:7:34: routes[5].tls: differs from the tls at line 6, which has the same listen address; state it "
                 "once, or "
                 "listen elsewhere"}},
        BadFile{
            "names",
            "routes:\n  - {name: a, upstream: ws://a:1}\n  - {name: a, upstream: ws://a:1}\n  - upstream: ws://a:1\n"
            "  - {name: 'x y', upstream: ws://a:1}\n",
            {"f:3:12: routes[1].name: \"a\" is also the name at line 2; give each route its own",
             "f:4:5: routes[2]: name is missing; of several routes each needs one (it is the metric label route)",
             "f:5:12: routes[3].name: \"x y\" is no route name; expected 1 to 64 letters, digits, '.', '_' or '-'"}},
        BadFile{
            "not_in_this_version",
            "routes:\n  - upstream: ws://a:1\n    dialect: openai-realtim\n    dead_man: [{name: x}]\n"
            "export: {otlp: {protocol: grpc}}\nsampling: {keep: [error]}\nalerts: {}\nchecks: []\nsignals: {compat: "
            "seeds}\n",
            {"f:3:14: routes[0].dialect: there is no dialect \"openai-realtim\"; did you mean openai-realtime?",
             "f:4:5: routes[0].dead_man: this version does not support dead-man switches; remove the key",
             "f:5:27: export.otlp.protocol: this version does not support grpc; write http/protobuf, which collectors "
             "take "
             "on port 4318",
             "f:6:19: sampling.keep[0]: \"error\" is not known; expected errors, stuck or slow; did you mean errors?",
             "f:7:1: alerts: this version does not support sending alerts itself (deploy/prometheus has rules for "
             "Prometheus); remove the key",
             "f:8:1: checks: this version does not support dependency checks; remove the key",
             "f:9:19: signals.compat: \"seeds\" is not known; expected seed or none; did you mean seed?"}},
        BadFile{"exporter",
                "routes: [{upstream: ws://a:1}]\nexport:\n  otlp:\n    endpoint: collector:4318\n    headers: {'a b': "
                "x, ok: \"1\\n2\"}\n"
                "    timeout: 0s\n    compression: zstd\n    spool: {limit: 1KiB}\n",
                {"f:4:15: export.otlp.endpoint: \"collector:4318\" has no http:// or https://; expected a URL such as "
                 "http://127.0.0.1:4318 or https://collector.example.com; write http://collector:4318",
                 "f:5:15: export.otlp.headers.\"a b\": the name is no HTTP field name",
                 "f:5:29: export.otlp.headers.ok: the value is not one line of text",
                 "f:6:14: export.otlp.timeout: \"0s\" is too short; expected at least 10ms",
                 "f:7:18: export.otlp.compression: \"zstd\" is not known; expected gzip or none",
                 "f:8:12: export.otlp.spool: directory is missing; add e.g. directory: /var/lib/sockeye",
                 "f:8:20: export.otlp.spool.limit: \"1KiB\" is out of range; expected 64KiB to 1073741824MiB"}},
        BadFile{
            "console",
            "routes: [{upstream: ws://a:1}]\nexport:\n  console:\n    endpoint: console:16686\n    token: x\n"
            "    token_file: /nonexistent/token\n    tls: {cert: x}\n",
            {"f:4:15: export.console.endpoint: \"console:16686\" has no http:// or https://; expected a URL such as "
             "http://127.0.0.1:16686 or https://console.example.com; write http://console:16686",
             "f:5:5: export.console: unknown key \"token\"; did you mean token_file?",
             "f:7:11: export.console.tls: unknown key \"cert\"; expected ca"}},
        BadFile{"console_files",
                "routes: [{upstream: ws://a:1}]\nexport:\n  console: {endpoint: 'http://a:1', token_file: '', tls: "
                "{ca: ''}}\n",
                {"f:3:49: export.console.token_file: \"\" is empty; expected the path of a file with the token",
                 "f:3:63: export.console.tls.ca: \"\" is empty; expected the path of a PEM file"}},
        BadFile{"capture",
                "routes:\n  - {name: a, listen: ':1', upstream: ws://a:1, capture: {when: [stuck, anomaly]}}\n"
                "  - {name: b, listen: ':2', upstream: ws://a:1, capture: {when: []}}\n"
                "  - {name: c, listen: ':3', upstream: ws://a:1, capture: {on: [anomaly]}}\n"
                "  - {name: d, listen: ':4', upstream: ws://a:1, capture: {when: silent}}\n"
                "  - {name: e, listen: ':5', upstream: ws://a:1, capture: sometimes}\n",
                {"f:2:66: routes[0].capture.when[0]: \"stuck\" is not known; expected missed_pong, silent or anomaly",
                 "f:3:65: routes[1].capture.when: names nothing; expected one or more of missed_pong, silent or "
                 "anomaly, or write capture: off",
                 "f:4:58: routes[2].capture: when is missing; add e.g. when: [anomaly], or write off or all",
                 "f:4:59: routes[2].capture: unknown key \"on\"; expected when",
                 "f:5:65: routes[3].capture.when: found \"silent\"; expected a list, e.g. [missed_pong, anomaly]",
                 "f:6:58: routes[4].capture: \"sometimes\" is not known; expected off or all, or "
                 "{when: [anomaly]}"}},
        BadFile{
            "rest",
            "routes: [{upstream: ws://a:1}]\nservice: ''\nresource: {service.name: x}\nsampling: {ratio: 2}\n"
            "propagation: {b3: multi}\nprivacy: {payload: always, redact: [cookie]}\nlog: {level: verbose}\ndrain: "
            "30s\nthreads: 1000\n",
            {"f:2:10: service: \"\" is empty; expected the service's name",
             "f:3:12: resource.service.name: the service's name has its own key; write service: at the top",
             "f:4:19: sampling.ratio: \"2\" is out of range; expected a number from 0 to 1, e.g. 0.1 for one in ten",
             "f:5:19: propagation.b3: \"multi\" is not known; expected extract, inject or off",
             "f:6:20: privacy.payload: \"always\" is not known; expected never or capture",
             "f:6:37: privacy.redact[0]: \"cookie\" cannot be redacted; expected query.NAME, header.NAME or "
             "subprotocol",
             "f:7:14: log.level: \"verbose\" is not known; expected debug, info, warn or error",
             "f:8:8: drain: found \"30s\"; expected keys and values",
             "f:9:10: threads: \"1000\" is out of range; expected a whole number from 0 to 256"}},
        BadFile{
            "metrics_on_the_traffic_port",
            "routes: [{listen: ':8080', upstream: ws://a:1}]\nmetrics: {listen: '127.0.0.1:8080'}\n",
            {"f:2:19: metrics.listen: \"127.0.0.1:8080\" is also where a route listens; metrics have their own port"}},
        BadFile{"metrics_on_a_unix_socket",
                "routes: [{upstream: ws://a:1}]\nmetrics: {listen: unix:/x}\n",
                {"f:2:19: metrics.listen: \"unix:/x\" is a Unix socket; metrics need host:port, e.g. 127.0.0.1:9464"}},
        BadFile{"not_yaml",
                "routes:\n\t- upstream: ws://a\n",
                {"f:2:1: a tab indents this line; YAML indents with spaces only"}}),
    [](const auto& file) { return std::string(file.param.name); });

TEST(Read, WhatBeginsARecording) {
  const auto of_route = [](const std::string& rest) {
    return read("routes: [{upstream: ws://a:1, " + rest + "}]\ncapture: {directory: /x}\n");
  };
  const auto some = of_route("capture: {when: [silent, anomaly]}");
  ASSERT_TRUE(some.settings);
  EXPECT_TRUE(some.settings->warnings.empty());
  const auto& when = some.settings->proxy.listeners.at(0).routes.at(0).record;
  EXPECT_FALSE(when.all);
  EXPECT_TRUE(when.anomaly);
  EXPECT_EQ(when.raised, (std::array{false, true})) << "missed_pong, silent";
  const auto deaf = of_route("capture: {when: [missed_pong]}, heartbeat: {client: false, upstream: false}");
  ASSERT_TRUE(deaf.settings);
  ASSERT_EQ(deaf.settings->warnings.size(), 1U);
  EXPECT_EQ(deaf.settings->warnings[0],
            "route default: capture.when waits for what a heartbeat finds out, which is off on both legs");
}

TEST(Read, AConsole) {
  EXPECT_EQ(good(minimal).console.endpoint, "") << "off";
  const std::string file(minimal);
  EXPECT_EQ(good(file + "export: {console: {}}\n").console.endpoint, "http://127.0.0.1:16686");
  Flags flags;
  flags.console = "https://flag.example";
  const auto settings = good(file + "export: {console: {endpoint: 'http://file:1'}}\n", flags);
  EXPECT_EQ(settings.console.endpoint, "https://flag.example");
  EXPECT_FALSE(settings.tracing) << "a console is no collector";
}

TEST(Read, NeverQuotesASecret) {
  const auto reading = read(R"(
routes:
  - {name: a, upstream: "ws://user:hunter2@host:1"}
  - {name: b, upstream: {url: "ws://hunter2@host:1"}}
export: {otlp: {endpoint: "http://hunter2@c:1", headers: {authorization: [hunter2]}}, console: {endpoint: "http://hunter2@c:1"}}
)");
  EXPECT_EQ(reading.problems.size(), 5U);
  for (const auto& line : texts(reading)) EXPECT_EQ(line.find("hunter2"), std::string::npos) << line;
}

TEST(Read, EveryProblemIsOneShortLine) {
  const auto reading =
      read("routes:\n- {upstream: \"ws://a\\nb\", listen: \"\\x1b[2J\", name: \"a\\tb\", match: {path: \"" +
           std::string(100'000, 'x') + "\"}}\n");
  EXPECT_EQ(reading.problems.size(), 4U);
  for (const auto& line : texts(reading)) {
    EXPECT_LT(line.size(), 200U) << line;
    EXPECT_EQ(line.find_first_of("\n\t\x1b"), std::string::npos) << line;
  }
}

TEST(Read, StopsAtAHundredProblems) {
  std::string text = "routes:\n";
  for (int i = 0; i < 250; ++i) text += "  - {nope: 1}\n";
  EXPECT_EQ(read(text).problems.size(), 100U);
  std::string keys = "routes: [{upstream: ws://a:1}]\n";
  for (int i = 0; i < 20'000; ++i) keys += "thread" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(read(keys).problems.size(), 100U);
}

TEST(Read, BoundsTheNumberOfRoutes) {
  std::string text = "routes:\n";
  for (int i = 0; i < 257; ++i) text += "  - {name: r" + std::to_string(i) + ", upstream: ws://a:1}\n";
  EXPECT_EQ(texts(read(text)), std::vector<std::string>{"f:2:3: routes: 257 routes; at most 256"});
}

TEST(Read, ChecksThatPemFilesCanBeRead) {
  const auto reading = read_text(
      "routes:\n  - upstream: ws://a:1\n    tls:\n      certificate: /nonexistent/c.pem\n      key: "
      "/nonexistent/k.pem\n",
      "f", {}, none);
  EXPECT_EQ(texts(reading),
            (std::vector<std::string>{
                "f:4:20: routes[0].tls.certificate: cannot read \"/nonexistent/c.pem\": No such file or directory",
                "f:5:12: routes[0].tls.key: cannot read \"/nonexistent/k.pem\": No such file or directory"}));
}

TEST(Read, FlagsWinOverFileOverEnvironment) {
  const auto environment = variables({{"OTEL_SERVICE_NAME", "from-env"},
                                      {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://env:4318"},
                                      {"OTEL_EXPORTER_OTLP_HEADERS", "a=env"},
                                      {"OTEL_TRACES_SAMPLER", "traceidratio"},
                                      {"OTEL_TRACES_SAMPLER_ARG", "0.5"}});
  const std::string file = std::string(minimal) +
                           "service: from-file\nthreads: 2\nmetrics: {listen: ':1'}\nlog: {level: error}\n"
                           "export: {otlp: {endpoint: http://file:4318}}\n";
  const auto plain = good(minimal, {}, environment);
  EXPECT_EQ(plain.otlp.resource.service_name, "from-env");
  EXPECT_EQ(plain.otlp.endpoint, "http://env:4318");
  EXPECT_EQ(plain.proxy.listeners[0].routes[0].observe.sampling.ratio, 0.5);
  EXPECT_TRUE(plain.tracing);
  const auto with_file = good(file, {}, environment);
  EXPECT_EQ(with_file.otlp.resource.service_name, "from-file");
  EXPECT_EQ(with_file.otlp.endpoint, "http://file:4318");
  EXPECT_EQ(with_file.otlp.headers, (otlp::Pairs{{"a", "env"}}));
  Flags flags;
  flags.metrics = ":2";
  flags.otlp = "http://flag:4318";
  flags.log_level = "debug";
  flags.log_format = "json";
  flags.threads = "5";
  const auto with_flags = good(file, flags, environment);
  EXPECT_EQ(with_flags.otlp.endpoint, "http://flag:4318");
  EXPECT_EQ(with_flags.metrics_listen, ":2");
  EXPECT_EQ(with_flags.proxy.threads, 5U);
  EXPECT_EQ(with_flags.log_level, LogLevel::debug);
  EXPECT_EQ(with_flags.log_format, LogFormat::json);
}

TEST(Read, HonoursOpenTelemetrysVariables) {
  const auto s = good(minimal, {},
                      variables({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=attr,team=voice%20ai"},
                                 {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318"},
                                 {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318/custom"},
                                 {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
                                 {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"},
                                 {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"},
                                 {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
                                 {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"},
                                 {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"},
                                 {"OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2%2C3"},
                                 {"OTEL_TRACES_SAMPLER", "parentbased_traceidratio"},
                                 {"OTEL_TRACES_SAMPLER_ARG", "0.25"},
                                 {"OTEL_PROPAGATORS", "b3, baggage"}}));
  EXPECT_TRUE(s.warnings.empty()) << s.warnings.front();
  EXPECT_EQ(s.otlp.resource.service_name, "attr");
  EXPECT_EQ(s.otlp.resource.attributes, (otlp::Pairs{{"team", "voice ai"}}));
  EXPECT_EQ(otlp::traces_url(s.otlp), "http://traces:4318/custom");
  EXPECT_EQ(s.otlp.timeout, 2500ms);
  EXPECT_EQ(s.otlp.compression, otlp::Compression::none);
  EXPECT_EQ(s.otlp.tls.ca, "/ca.pem");
  EXPECT_EQ(s.otlp.headers, (otlp::Pairs{{"a", "1"}, {"b", "2,3"}}));
  const auto& o = s.proxy.listeners[0].routes[0].observe;
  EXPECT_EQ(o.sampling.ratio, 0.25);
  EXPECT_TRUE(o.sampling.parent_based);
  EXPECT_TRUE(o.propagation.b3 && o.propagation.b3_inject && o.propagation.baggage);
  EXPECT_FALSE(o.propagation.tracecontext);
}

TEST(Read, AFilesEndpointReplacesBothVariables) {
  const auto s = good(std::string(minimal) + "export: {otlp: {endpoint: http://file:4318}}\n", {},
                      variables({{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318/custom"}}));
  EXPECT_EQ(otlp::traces_url(s.otlp), "http://file:4318/v1/traces");
}

TEST(Read, StrayVariablesAreWarningsNotErrors) {
  const auto s = good(minimal, {},
                      variables({{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"},
                                 {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
                                 {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"},
                                 {"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"},
                                 {"OTEL_TRACES_SAMPLER", "jaeger_remote"},
                                 {"OTEL_PROPAGATORS", "xray"},
                                 {"OTEL_SDK_DISABLED", "perhaps"}}));
  EXPECT_FALSE(s.tracing);
  EXPECT_EQ(s.warnings.size(), 7U);
  for (const auto& warning : s.warnings) EXPECT_TRUE(warning.starts_with("OTEL_")) << warning;
  EXPECT_EQ(s.proxy.listeners[0].routes[0].observe.sampling.ratio, 1.0);
  EXPECT_TRUE(s.proxy.listeners[0].routes[0].observe.propagation.tracecontext);
}

TEST(Read, ExportCanBeSwitchedOffFromOutside) {
  const std::string file = std::string(minimal) + "export: {otlp: {endpoint: http://file:4318}}\n";
  const auto s = good(file, {}, variables({{"OTEL_SDK_DISABLED", "TRUE"}}));
  EXPECT_FALSE(s.tracing);
  EXPECT_EQ(s.warnings.size(), 1U);
  EXPECT_TRUE(good(file, {}, variables({{"OTEL_SDK_DISABLED", "no"}})).tracing);
  EXPECT_FALSE(
      good(minimal, {}, variables({{"OTEL_TRACES_EXPORTER", "none"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}}))
          .tracing);
}

TEST(Read, FlagsAloneMakeARoute) {
  Flags flags;
  flags.listen = ":8081";
  flags.upstream = "ws://127.0.0.1:9000";
  flags.dialect = "auto";
  flags.metrics = "127.0.0.1:0";
  const auto reading = read_flags(flags, none);
  ASSERT_TRUE(reading.settings) << texts(reading).front();
  const auto& listener = reading.settings->proxy.listeners.at(0);
  EXPECT_EQ(listener.address, (proxy::Address{"", 8081, {}}));
  EXPECT_EQ(listener.routes.at(0).observe.route, "default");
  EXPECT_EQ(listener.routes.at(0).upstream.port, 9000);
}

TEST(Read, FlagProblemsNameTheFlag) {
  Flags flags;
  flags.listen = "8080";
  flags.dialect = "mqtt9";
  flags.metrics = "x";
  flags.otlp = "c:1";
  flags.log_level = "loud";
  flags.log_format = "xml";
  flags.threads = "-1";
  const auto reading = read_flags(flags, none);
  const auto lines = texts(reading);
  ASSERT_EQ(lines.size(), 8U);
  EXPECT_TRUE(lines[0].starts_with("--listen: \"8080\"")) << lines[0];
  EXPECT_EQ(lines[1], "--upstream is missing; write e.g. --upstream ws://127.0.0.1:9000");
  EXPECT_EQ(lines[2], "--dialect: there is no dialect \"mqtt9\"; did you mean mqtt?");
  EXPECT_TRUE(lines[3].starts_with("--metrics: ")) << lines[3];
  EXPECT_TRUE(lines[4].starts_with("--otlp: ")) << lines[4];
  EXPECT_EQ(lines[6], "--log-level: \"loud\" is not known; expected debug, info, warn or error");
  EXPECT_EQ(lines[7], "--log-format: \"xml\" is not known; expected text or json");
}

TEST(Read, FilesThatCannotBeRead) {
  EXPECT_EQ(texts(read_file("/nonexistent.yaml", {}, none)),
            std::vector<std::string>{"/nonexistent.yaml: cannot be read: No such file or directory"});
  EXPECT_EQ(texts(read_file("/", {}, none)), std::vector<std::string>{"/: cannot be read: Is a directory"});
  EXPECT_EQ(texts(read_file("/dev/zero", {}, none)),
            std::vector<std::string>{"/dev/zero: cannot be read: not a regular file"});
}

TEST(Read, ReadsFromDisk) {
  const auto path =
      std::filesystem::temp_directory_path() / ("sockeye_read_test." + std::to_string(::getpid()) + ".yaml");
  std::ofstream(path) << minimal;
  EXPECT_TRUE(read_file(path, {}, none).settings);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace sockeye::config
