// The configuration file's keys (docs/configuration.md): one table a section.
#include <algorithm>
#include <array>

#include "draft.h"
#include "reader.h"
#include "sockeye/config/text.h"
#include "sockeye/model/names.h"

namespace sockeye::config {
namespace {

using namespace std::chrono_literals;
using base::Result;
using proxy::ForwardedPolicy;
using relay::Conformance;

constexpr std::uint64_t greatest_size = 1ULL << 50U;
constexpr std::size_t most_routes = 256;  // `route` is a metric label: bounded

// ── routes[] ────────────────────────────────────────────────────────────────────────────────────────────────────────

constexpr Key<proxy::Match> match_keys[] = {
    {"host",
     [](Reader& r, const Node& n, proxy::Match& m) {
       std::string host;
       if (!r.text(n, "a host name or *.suffix", host)) return;
       const auto star = host.find('*');
       if (host.find_first_of("/ :") != std::string::npos && host.front() != '[')
         r.problem(n.at, quote(host) + " is no host name; write it without scheme, port or path, e.g. example.com");
       else if (star != std::string::npos &&
                (star != 0 || !host.starts_with("*.") || host.find('*', 1) != std::string::npos))
         r.problem(n.at, quote(host) + ": a * can only stand for whole leading labels, e.g. *.example.com");
       else
         m.host = host;
     }},
    {"path",
     [](Reader& r, const Node& n, proxy::Match& m) {
       std::string path;
       if (!r.text(n, "a path prefix such as /media", path)) return;
       if (path.front() != '/')
         r.problem(n.at, quote(path) + " does not begin with /; write " + quote("/" + path));
       else if (path.find_first_of("?#* ") != std::string::npos)
         r.problem(n.at,
                   quote(path) + " is no path prefix; it is matched on whole segments, without query, * or spaces");
       else
         m.path = path;
     }},
    {"subprotocol",
     [](Reader& r, const Node& n, proxy::Match& m) { r.text(n, "a subprotocol's name", m.subprotocol); }},
};

constexpr Key<proxy::ServerTls> server_tls_keys[] = {
    {"certificate", [](Reader& r, const Node& n, proxy::ServerTls& t) { r.file(n, t.certificate); }},
    {"key", [](Reader& r, const Node& n, proxy::ServerTls& t) { r.file(n, t.key); }},
    {"client_ca", [](Reader& r, const Node& n, proxy::ServerTls& t) { r.file(n, t.client_ca); }},
};

constexpr Key<proxy::ClientTls> upstream_tls_keys[] = {
    {"ca", [](Reader& r, const Node& n, proxy::ClientTls& t) { r.file(n, t.ca); }},
    {"certificate", [](Reader& r, const Node& n, proxy::ClientTls& t) { r.file(n, t.certificate); }},
    {"key", [](Reader& r, const Node& n, proxy::ClientTls& t) { r.file(n, t.key); }},
    {"server_name", [](Reader& r, const Node& n, proxy::ClientTls& t) { r.text(n, "a host name", t.server_name); }},
    {"verify", [](Reader& r, const Node& n, proxy::ClientTls& t) { r.boolean(n, t.verify); }},
};

void read_upstream_url(Reader& r, const Node& n, RouteDraft& d) {
  proxy::Upstream upstream;
  d.has_upstream = true;  // a bad one is reported once, not as missing too
  if (!r.value(n, "a URL such as ws://127.0.0.1:9000", upstream, parse_upstream_url)) return;
  d.route.upstream = upstream.address;
  d.route.upstream_tls = upstream.tls;
  d.route.upstream_path = upstream.path;
}

constexpr Key<RouteDraft> upstream_keys[] = {
    {"url", read_upstream_url},
    {"tls",
     [](Reader& r, const Node& n, RouteDraft& d) {
       d.upstream_tls_at = n.at;
       r.map<upstream_tls_keys>(n, d.route.client_tls);
       if (d.route.client_tls.certificate.empty() != d.route.client_tls.key.empty() && n.kind == Node::Kind::map)
         r.problem(n.at, d.route.client_tls.key.empty() ? "certificate without key; add key"
                                                        : "key without certificate; add certificate");
     },
     list_keys<upstream_tls_keys>},
};

constexpr Key<RouteDraft> trace_keys[] = {
    {"scope",
     [](Reader& r, const Node& n, RouteDraft& d) {
       using observer::TraceScope;
       constexpr std::pair<std::string_view, TraceScope> words[] = {{"connection", TraceScope::connection},
                                                                    {"invocation", TraceScope::invocation},
                                                                    {"auto", TraceScope::automatic}};
       r.choice(n, d.route.observe.scope, words);
     }},
    {"segment", [](Reader& r, const Node& n, RouteDraft& d) { r.duration(n, d.route.observe.segment, 1s, true); }},
    {"insert",
     [](Reader& r, const Node& n, RouteDraft& d) {
       constexpr std::string_view words[] = {"none", "to_server", "to_client", "both"};
       const auto at = r.word(n, words);
       if (at >= std::size(words)) return;
       d.route.carry.insert.to_server = at == 1 || at == 3;
       d.route.carry.insert.to_client = at >= 2;
     }},
    {"messages", [](Reader& r, const Node& n,
                    RouteDraft& d) { r.value(n, "a number from 0 to 1", d.route.observe.message_spans, parse_ratio); }},
    {"tolerated", [](Reader& r, const Node& n, RouteDraft& d) { r.boolean(n, d.route.carry.insert.tolerated); }},
};

using Heartbeat = relay::HeartbeatOptions;
constexpr Key<Heartbeat> heartbeat_keys[] = {
    {"interval", [](Reader& r, const Node& n, Heartbeat& h) { r.duration(n, h.interval, 10ms, false); }},
    {"timeout", [](Reader& r, const Node& n, Heartbeat& h) { r.duration(n, h.timeout, 10ms, false); }},
    {"misses", [](Reader& r, const Node& n, Heartbeat& h) { r.integer(n, h.misses, 1, 100); }},
    {"client", [](Reader& r, const Node& n, Heartbeat& h) { r.boolean(n, h.client); }},
    {"upstream", [](Reader& r, const Node& n, Heartbeat& h) { r.boolean(n, h.upstream); }},
    {"on_dead",
     [](Reader& r, const Node& n, Heartbeat& h) {
       constexpr std::pair<std::string_view, Heartbeat::OnDead> words[] = {{"close", Heartbeat::OnDead::close},
                                                                           {"report", Heartbeat::OnDead::report}};
       r.choice(n, h.on_dead, words);
     }},
};

constexpr Key<proxy::Route> limit_keys[] = {
    {"frame", [](Reader& r, const Node& n, proxy::Route& t) { r.size(n, t.carry.limits.frame, 125, greatest_size); }},
    {"message",
     [](Reader& r, const Node& n, proxy::Route& t) { r.size(n, t.carry.limits.message, 125, greatest_size); }},
    {"fragments",
     [](Reader& r, const Node& n, proxy::Route& t) { r.integer(n, t.carry.limits.fragments, 1, 1'000'000'000); }},
    {"control_rate",
     [](Reader& r, const Node& n, proxy::Route& t) { r.integer(n, t.carry.limits.control_rate, 1, 1'000'000'000); }},
    {"sessions", [](Reader& r, const Node& n, proxy::Route& t) { r.integer(n, t.limits.sessions, 1, 100'000'000); }},
    {"requests", [](Reader& r, const Node& n, proxy::Route& t) { r.integer(n, t.limits.requests, 1, 100'000'000); }},
    {"handshake_timeout",
     [](Reader& r, const Node& n, proxy::Route& t) { r.duration(n, t.limits.handshake_timeout, 10ms, false); }},
    {"idle_timeout",
     [](Reader& r, const Node& n, proxy::Route& t) { r.duration(n, t.carry.idle_timeout, 10ms, true); }},
    {"close_timeout",
     [](Reader& r, const Node& n, proxy::Route& t) { r.duration(n, t.carry.close_timeout, 10ms, false); }},
    {"buffered", [](Reader& r, const Node& n, proxy::Route& t) { r.size(n, t.limits.buffered, 4096, greatest_size); }},
};

constexpr Key<capture::When> record_keys[] = {
    {"when",
     [](Reader& r, const Node& n, capture::When& when) {
       constexpr auto kinds = static_cast<std::size_t>(model::ConditionKind::count_);
       std::array<std::string_view, kinds + 1> words;
       for (std::size_t i = 0; i < kinds; ++i) words[i] = model::name(static_cast<model::ConditionKind>(i));
       words[kinds] = "anomaly";
       if (n.kind == Node::Kind::list && n.items.empty())
         r.problem(n.at, "names nothing; expected one or more of " + one_of(words) + ", or write capture: off");
       r.list(n, "[missed_pong, anomaly]", [&](const Node& item) {
         const std::size_t at = r.word(item, words);
         if (at < kinds) when.raised[at] = true;
         if (at == kinds) when.anomaly = true;
       });
     },
     nullptr, "[]"},
};

constexpr Key<RouteDraft> route_keys[] = {
    {"name",
     [](Reader& r, const Node& n, RouteDraft& d) {
       d.named = true;
       d.name_at = n.at;
       if (!r.text(n, "a name", d.route.name)) return;
       if (!is_route_name(d.route.name))
         r.problem(n.at, quote(d.route.name) + " is no route name; expected 1 to 64 letters, digits, '.', '_' or '-'");
     }},
    {"listen",
     [](Reader& r, const Node& n, RouteDraft& d) {
       proxy::Address address;
       d.listen_at = n.at;
       if (r.value(n, "an address such as 127.0.0.1:8080, :8080 or unix:/run/sockeye.sock", address,
                   [](std::string_view text) { return proxy::parse_address(text); }))
         d.listen = address;
     }},
    {"tls",
     [](Reader& r, const Node& n, RouteDraft& d) {
       proxy::ServerTls tls;
       d.tls_at = n.at;
       r.map<server_tls_keys>(n, tls);
       if (n.kind != Node::Kind::map) return;
       if (n.find("certificate") == nullptr || n.find("key") == nullptr)
         r.problem(n.at, std::string(n.find("key") == nullptr ? "key" : "certificate") +
                             " is missing; the listener's TLS needs certificate and key (PEM files)");
       d.tls = tls;
     },
     list_keys<server_tls_keys>},
    {"capture",
     [](Reader& r, const Node& n, RouteDraft& d) {
       constexpr std::pair<std::string_view, bool> words[] = {{"off", false}, {"all", true}};
       if (n.kind != Node::Kind::map) {
         r.choice(n, d.route.record.all, words, ", or {when: [anomaly]}");
         return;
       }
       r.map<record_keys>(n, d.route.record);
       if (n.find("when") == nullptr) r.problem(n.at, "when is missing; add e.g. when: [anomaly], or write off or all");
     },
     list_keys<record_keys>},
    {"match", [](Reader& r, const Node& n, RouteDraft& d) { r.map<match_keys>(n, d.route.match); },
     list_keys<match_keys>},
    {"upstream",
     [](Reader& r, const Node& n, RouteDraft& d) {
       d.upstream_at = n.at;
       if (n.kind != Node::Kind::map) return read_upstream_url(r, n, d);
       r.map<upstream_keys>(n, d);
       if (!d.has_upstream) r.problem(n.at, "url is missing; add e.g. url: ws://127.0.0.1:9000");
       d.has_upstream = true;
     },
     list_keys<upstream_keys>},
    {"host",
     [](Reader& r, const Node& n, RouteDraft& d) {
       constexpr std::pair<std::string_view, bool> words[] = {{"preserve", true}, {"upstream", false}};
       r.choice(n, d.route.preserve_host, words);
     }},
    {"origins",
     [](Reader& r, const Node& n, RouteDraft& d) {
       r.list(n, "[https://app.example.com]", [&](const Node& item) {
         std::string origin;
         if (!r.text(item, "an origin such as https://app.example.com", origin)) return;
         const auto scheme = origin.find("://");
         const auto host = scheme == std::string::npos ? 0 : scheme + 3;
         if (origin == "*")
           r.problem(item.at, "\"*\": leave origins out to allow every origin");
         else if (origin.find('/', host) != std::string::npos)
           r.problem(item.at, quote(origin) + ": an origin has no path; write " +
                                  quote(origin.substr(0, origin.find('/', host))));
         else if (origin != "null" && scheme == std::string::npos && !origin.starts_with("*."))
           r.problem(item.at, quote(origin) + " is no origin; expected scheme://host[:port], *.suffix or null");
         else
           d.route.origins.push_back(origin);
       });
     },
     nullptr, "[]"},
    {"forwarded",
     [](Reader& r, const Node& n, RouteDraft& d) {
       constexpr std::pair<std::string_view, ForwardedPolicy> words[] = {
           {"append", ForwardedPolicy::append}, {"replace", ForwardedPolicy::replace}, {"off", ForwardedPolicy::off}};
       r.choice(n, d.route.forwarded, words);
     }},
    {"trusted_proxies",
     [](Reader& r, const Node& n, RouteDraft& d) {
       r.list(n, "[10.0.0.0/8]", [&](const Node& item) {
         std::string network;
         if (r.value(item, "a network such as 10.0.0.0/8", network, parse_network))
           d.route.trusted_proxies.push_back(network);
       });
     },
     nullptr, "[]"},
    {"client_id",
     [](Reader& r, const Node& n, RouteDraft& d) {
       r.list(n, "[header.x-device-id]", [&](const Node& item) {
         std::string what;
         if (!r.text(item, "header.NAME, query.NAME, cookie.NAME or subprotocol", what)) return;
         if (proxy::names_identifier(what))
           d.route.client_id.push_back(what);
         else
           r.problem(item.at, quote(what) +
                                  " identifies no client; expected header.NAME, query.NAME, cookie.NAME or "
                                  "subprotocol");
       });
     },
     nullptr, "[]"},
    {"plain_http",
     [](Reader& r, const Node& n, RouteDraft& d) {
       constexpr std::pair<std::string_view, bool> words[] = {{"relay", true}, {"refuse", false}};
       r.choice(n, d.route.plain_http, words);
     }},
    {"dialect",
     [](Reader& r, const Node& n, RouteDraft& d) {
       r.value(n, "auto, none, the name of a dialect or a rule file", d.route.observe.dialect, parse_dialect);
     }},
    {"compression",
     [](Reader& r, const Node& n, RouteDraft& d) {
       enum class Chosen : std::uint8_t { automatic, pass, observe, decline } chosen = Chosen::automatic;
       constexpr std::pair<std::string_view, Chosen> words[] = {{"auto", Chosen::automatic},
                                                                {"pass", Chosen::pass},
                                                                {"observe", Chosen::observe},
                                                                {"decline", Chosen::decline}};
       r.choice(n, chosen, words);
       using observer::Inflate;
       d.route.carry.decline_compression = chosen == Chosen::decline;
       d.route.observe.inflate = chosen == Chosen::automatic ? Inflate::automatic
                                 : chosen == Chosen::observe ? Inflate::always
                                                             : Inflate::never;
     }},
    {"conformance",
     [](Reader& r, const Node& n, RouteDraft& d) {
       constexpr std::pair<std::string_view, Conformance> words[] = {{"strict", Conformance::strict},
                                                                     {"forward", Conformance::forward}};
       r.choice(n, d.route.carry.conformance, words);
     }},
    {"trace", [](Reader& r, const Node& n, RouteDraft& d) { r.map<trace_keys>(n, d); }, list_keys<trace_keys>},
    {"heartbeat", [](Reader& r, const Node& n, RouteDraft& d) { r.map<heartbeat_keys>(n, d.route.carry.heartbeat); },
     list_keys<heartbeat_keys>},
    {"limits", [](Reader& r, const Node& n, RouteDraft& d) { r.map<limit_keys>(n, d.route); }, list_keys<limit_keys>},
    {"dead_man", nullptr, nullptr, "", "dead-man switches"},
};

// ── export ──────────────────────────────────────────────────────────────────────────────────────────────────────────

constexpr Key<pipeline::SpoolOptions> spool_keys[] = {
    {"directory", [](Reader& r, const Node& n, pipeline::SpoolOptions& s) { r.text(n, "a directory", s.directory); }},
    {"limit",
     [](Reader& r, const Node& n, pipeline::SpoolOptions& s) { r.size(n, s.limit, 64 * 1024, greatest_size); }},
};

constexpr Key<otlp::Tls> otlp_tls_keys[] = {
    {"ca", [](Reader& r, const Node& n, otlp::Tls& t) { r.file(n, t.ca); }},
    {"certificate", [](Reader& r, const Node& n, otlp::Tls& t) { r.file(n, t.certificate); }},
    {"key", [](Reader& r, const Node& n, otlp::Tls& t) { r.file(n, t.key); }},
};

// RFC 9110 §5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view extra = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           extra.find(c) != std::string_view::npos;
  });
}

constexpr Key<Draft> otlp_keys[] = {
    {"endpoint",
     [](Reader& r, const Node& n, Draft& d) {
       if (!r.value(n, "a URL such as http://127.0.0.1:4318", d.settings.otlp.endpoint, parse_endpoint)) return;
       d.settings.otlp.traces_endpoint.clear();
     }},
    {"protocol",
     [](Reader& r, const Node& n, Draft&) {
       if (n.kind == Node::Kind::scalar && (n.text == "grpc" || n.text == "http/json")) {
         r.problem(n.at, "this version does not support " + n.text +
                             "; write http/protobuf, which collectors take on port 4318");
         return;
       }
       constexpr std::string_view words[] = {"http/protobuf"};
       static_cast<void>(r.word(n, words));
     }},
    {"headers",
     [](Reader& r, const Node& n, Draft& d) {
       d.settings.otlp.headers.clear();
       // Values are secrets: no message quotes one.
       r.names(n, [&](const Entry& entry, const Node& value) {
         if (!is_token(entry.key)) {
           r.problem(entry.at, "the name is no HTTP field name");
           return;
         }
         const auto bad = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; };
         if (value.kind != Node::Kind::scalar || std::any_of(value.text.begin(), value.text.end(), bad))
           r.problem(value.at, "the value is not one line of text");
         else
           d.settings.otlp.headers.emplace_back(entry.key, value.text);
       });
     },
     nullptr, ".{}"},
    {"timeout", [](Reader& r, const Node& n, Draft& d) { r.duration(n, d.settings.otlp.timeout, 10ms, false); }},
    {"compression",
     [](Reader& r, const Node& n, Draft& d) {
       constexpr std::pair<std::string_view, otlp::Compression> words[] = {{"gzip", otlp::Compression::gzip},
                                                                           {"none", otlp::Compression::none}};
       r.choice(n, d.settings.otlp.compression, words);
     }},
    {"tls", [](Reader& r, const Node& n, Draft& d) { r.map<otlp_tls_keys>(n, d.settings.otlp.tls); },
     list_keys<otlp_tls_keys>},
    {"spool",
     [](Reader& r, const Node& n, Draft& d) {
       r.map<spool_keys>(n, d.settings.spool);
       if (n.kind == Node::Kind::map && n.find("directory") == nullptr)
         r.problem(n.at, "directory is missing; add e.g. directory: /var/lib/sockeye");
     },
     list_keys<spool_keys>},
};

constexpr Key<live::ReporterOptions> console_tls_keys[] = {
    {"ca", [](Reader& r, const Node& n, live::ReporterOptions& o) { r.file(n, o.ca); }},
};

constexpr Key<live::ReporterOptions> console_keys[] = {
    {"endpoint",
     [](Reader& r, const Node& n, live::ReporterOptions& o) {
       r.value(n, "a URL such as http://127.0.0.1:16686", o.endpoint, parse_console);
     }},
    {"token_file",
     [](Reader& r, const Node& n, live::ReporterOptions& o) { r.file(n, o.token_file, "a file with the token"); }},
    {"tls", [](Reader& r, const Node& n, live::ReporterOptions& o) { r.map<console_tls_keys>(n, o); },
     list_keys<console_tls_keys>},
};

constexpr Key<Draft> export_keys[] = {
    {"otlp",
     [](Reader& r, const Node& n, Draft& d) {
       d.settings.tracing = true;
       r.map<otlp_keys>(n, d);
     },
     list_keys<otlp_keys>},
    {"console",
     [](Reader& r, const Node& n, Draft& d) {
       d.settings.console.endpoint = "http://127.0.0.1:16686";
       r.map<console_keys>(n, d.settings.console);
     },
     list_keys<console_keys>},
};

// ── the rest ────────────────────────────────────────────────────────────────────────────────────────────────────────

constexpr Key<Draft> sampling_keys[] = {
    {"ratio",
     [](Reader& r, const Node& n, Draft& d) { r.value(n, "a number from 0 to 1", d.sampling.ratio, parse_ratio); }},
    {"parent", [](Reader& r, const Node& n, Draft& d) { r.boolean(n, d.sampling.parent_based); }},
    {"keep",
     [](Reader& r, const Node& n, Draft& d) {
       d.sampling.keep_errors = d.sampling.keep_stuck = false;
       bool slow = false;
       r.list(n, "[errors, stuck, slow]", [&](const Node& item) {
         constexpr std::string_view words[] = {"errors", "stuck", "slow"};
         const auto at = r.word(item, words);
         if (at == 0) d.sampling.keep_errors = true;
         if (at == 1) d.sampling.keep_stuck = true;
         if (at == 2) slow = true;
       });
       d.keep_slow = slow;
     },
     nullptr, "[]"},
    {"slow", [](Reader& r, const Node& n, Draft& d) { r.duration(n, d.sampling.keep_slow, 1ms, false); }},
};

constexpr Key<Draft> signal_keys[] = {
    {"gen_ai",
     [](Reader& r, const Node& n, Draft& d) {
       constexpr std::pair<std::string_view, bool> words[] = {{"on", true}, {"off", false}};
       r.choice(n, d.gen_ai, words);
     }},
    {"compat",
     [](Reader& r, const Node& n, Draft& d) {
       constexpr std::pair<std::string_view, bool> words[] = {{"seed", true}, {"none", false}};
       r.choice(n, d.seed_names, words);
     }},
};

constexpr Key<Draft> propagation_keys[] = {
    {"tracecontext", [](Reader& r, const Node& n, Draft& d) { r.boolean(n, d.propagation.tracecontext); }},
    {"b3",
     [](Reader& r, const Node& n, Draft& d) {
       constexpr std::string_view words[] = {"extract", "inject", "off"};
       const auto at = r.word(n, words);
       if (at < std::size(words)) d.propagation.b3 = at != 2, d.propagation.b3_inject = at == 1;
     }},
    {"baggage", [](Reader& r, const Node& n, Draft& d) { r.boolean(n, d.propagation.baggage); }},
    {"browser",
     [](Reader& r, const Node& n, Draft& d) {
       using Browser = observer::PropagationOptions::Browser;
       constexpr std::pair<std::string_view, Browser> words[] = {
           {"extract", Browser::extract}, {"remove", Browser::remove}, {"off", Browser::off}};
       r.choice(n, d.propagation.browser, words);
     }},
};

constexpr Key<Draft> metrics_keys[] = {
    {"listen",
     [](Reader& r, const Node& n, Draft& d) {
       d.metrics_at = n.at;
       r.value(n, "an address such as 127.0.0.1:9464", d.settings.metrics_listen, parse_metrics_address);
     }},
};

constexpr Key<Draft> privacy_keys[] = {
    {"payload",
     [](Reader& r, const Node& n, Draft& d) {
       constexpr std::pair<std::string_view, bool> words[] = {{"never", false}, {"capture", true}};
       r.choice(n, d.settings.recordings.payload, words);
     }},
    {"redact",
     [](Reader& r, const Node& n, Draft& d) {
       d.redact.clear();
       r.list(n, "[query.token, header.authorization, subprotocol]", [&](const Node& item) {
         std::string what;
         if (!r.text(item, "query.NAME, header.NAME or subprotocol", what)) return;
         const bool query = what.starts_with("query.") && what.size() > 6;
         const bool header = what.starts_with("header.") && what.size() > 7;
         if (query || header || what == "subprotocol")
           d.redact.push_back(what);
         else
           r.problem(item.at, quote(what) + " cannot be redacted; expected query.NAME, header.NAME or subprotocol");
       });
     },
     nullptr, "[]"},
};

constexpr Key<recordings::Options> capture_keys[] = {
    {"directory", [](Reader& r, const Node& n, recordings::Options& o) { r.text(n, "a directory", o.directory); }},
    {"limit", [](Reader& r, const Node& n, recordings::Options& o) { r.size(n, o.limit, 64 * 1024, greatest_size); }},
    {"total", [](Reader& r, const Node& n, recordings::Options& o) { r.size(n, o.total, 64 * 1024, greatest_size); }},
};

constexpr Key<proxy::Config> head_keys[] = {
    {"header",
     [](Reader& r, const Node& n, proxy::Config& c) {
       std::uint64_t size = c.header_limit;
       r.size(n, size, 512, 1U << 20U);
       c.header_limit = static_cast<std::size_t>(size);
     }},
    {"fields", [](Reader& r, const Node& n, proxy::Config& c) { r.integer(n, c.header_fields, 1, 10'000); }},
};

constexpr Key<proxy::Config> drain_keys[] = {
    {"timeout", [](Reader& r, const Node& n, proxy::Config& c) { r.duration(n, c.drain_timeout, 0s, true); }},
};

constexpr Key<Settings> log_keys[] = {
    {"level",
     [](Reader& r, const Node& n, Settings& s) {
       constexpr std::pair<std::string_view, LogLevel> words[] = {
           {"debug", LogLevel::debug}, {"info", LogLevel::info}, {"warn", LogLevel::warn}, {"error", LogLevel::error}};
       r.choice(n, s.log_level, words);
     }},
    {"format",
     [](Reader& r, const Node& n, Settings& s) {
       constexpr std::pair<std::string_view, LogFormat> words[] = {{"text", LogFormat::text},
                                                                   {"json", LogFormat::json}};
       r.choice(n, s.log_format, words);
     }},
};

constexpr Key<proxy::OverloadLimits> overload_keys[] = {
    {"memory",
     [](Reader& r, const Node& n, proxy::OverloadLimits& o) {
       std::uint64_t bytes = 0;
       r.size(n, bytes, 0, greatest_size);
       o.memory = bytes;
     }},
    {"observation",
     [](Reader& r, const Node& n, proxy::OverloadLimits& o) { r.size(n, o.observation, 1U << 20U, greatest_size); }},
    {"lag", [](Reader& r, const Node& n, proxy::OverloadLimits& o) { r.duration(n, o.lag, 100ms, true); }},
};

constexpr Key<Draft> root_keys[] = {
    {"service", [](Reader& r, const Node& n,
                   Draft& d) { r.text(n, "the service's name", d.settings.otlp.resource.service_name); }},
    {"resource",
     [](Reader& r, const Node& n, Draft& d) {
       auto& attributes = d.settings.otlp.resource.attributes;
       r.names(n, [&](const Entry& entry, const Node& value) {
         std::string text;
         if (entry.key == model::attribute::service_name)
           r.problem(entry.at, "the service's name has its own key; write service: at the top");
         else if (r.text(value, "a text", text)) {
           std::erase_if(attributes, [&](const auto& a) { return a.first == entry.key; });
           attributes.emplace_back(entry.key, text);
         }
       });
     },
     nullptr, ".{}"},
    {"routes",
     [](Reader& r, const Node& n, Draft& d) {
       if (n.kind == Node::Kind::list && n.items.size() > most_routes) {
         r.problem(n.at, std::to_string(n.items.size()) + " routes; at most " + std::to_string(most_routes));
         return;
       }
       r.list(n, "- upstream: ws://127.0.0.1:9000", [&](const Node& item) {
         RouteDraft route;
         route.at = item.at;
         r.map<route_keys>(item, route);
         if (item.kind == Node::Kind::map) {
           if (!route.has_upstream) r.problem(item.at, "upstream is missing; add e.g. upstream: ws://127.0.0.1:9000");
           if (route.has_upstream && route.upstream_tls_at.line != 0 && !route.route.upstream_tls &&
               (route.route.upstream.port != 0 || !route.route.upstream.unix_path.empty()))
             r.problem(route.upstream_tls_at, "upstream.tls without wss://; write wss:// in url or remove tls");
         }
         d.routes.push_back(std::move(route));
       });
     },
     list_keys<route_keys>, "[]"},
    {"metrics", [](Reader& r, const Node& n, Draft& d) { r.map<metrics_keys>(n, d); }, list_keys<metrics_keys>},
    {"export", [](Reader& r, const Node& n, Draft& d) { r.map<export_keys>(n, d); }, list_keys<export_keys>},
    {"sampling", [](Reader& r, const Node& n, Draft& d) { r.map<sampling_keys>(n, d); }, list_keys<sampling_keys>},
    {"propagation", [](Reader& r, const Node& n, Draft& d) { r.map<propagation_keys>(n, d); },
     list_keys<propagation_keys>},
    {"privacy", [](Reader& r, const Node& n, Draft& d) { r.map<privacy_keys>(n, d); }, list_keys<privacy_keys>},
    {"capture",
     [](Reader& r, const Node& n, Draft& d) {
       r.map<capture_keys>(n, d.settings.recordings);
       if (n.kind == Node::Kind::map && n.find("directory") == nullptr)
         r.problem(n.at, "directory is missing; add e.g. directory: /var/lib/sockeye/captures");
     },
     list_keys<capture_keys>},
    {"limits", [](Reader& r, const Node& n, Draft& d) { r.map<head_keys>(n, d.settings.proxy); }, list_keys<head_keys>},
    {"user", [](Reader& r, const Node& n, Draft& d) { r.text(n, "the name of a user", d.settings.user); }},
    {"overload", [](Reader& r, const Node& n, Draft& d) { r.map<overload_keys>(n, d.settings.proxy.overload); },
     list_keys<overload_keys>},
    {"threads", [](Reader& r, const Node& n, Draft& d) { r.integer(n, d.settings.proxy.threads, 0, 256); }},
    {"drain", [](Reader& r, const Node& n, Draft& d) { r.map<drain_keys>(n, d.settings.proxy); },
     list_keys<drain_keys>},
    {"log", [](Reader& r, const Node& n, Draft& d) { r.map<log_keys>(n, d.settings); }, list_keys<log_keys>},
    {"alerts", nullptr, nullptr, "", "sending alerts itself (deploy/prometheus has rules for Prometheus)"},
    {"checks", nullptr, nullptr, "", "dependency checks"},
    {"signals", [](Reader& r, const Node& n, Draft& d) { r.map<signal_keys>(n, d); }, list_keys<signal_keys>},
};

}  // namespace

void read_root(Reader& reader, const Node& root, Draft& draft) { reader.map<root_keys>(root, draft); }

std::vector<std::string> known_keys() {
  KeyList out;
  list_keys<root_keys>(out, "");
  return out;
}

}  // namespace sockeye::config
