#include "cli.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <cstdio>
#include <iostream>
#include <string_view>

#include "sockeye/config/text.h"

namespace sockeye::app {
namespace {

constexpr const char* about = "Sockeye shows what happens inside WebSocket connections.";

constexpr const char* main_footer = R"(
Examples:
  sockeye proxy --listen :8080 --upstream ws://127.0.0.1:9000
  sockeye console
  sockeye proxy --listen :8080 --upstream ws://127.0.0.1:9000 --console http://127.0.0.1:16686
  sockeye tap trace.pcapng
  sockeye check /etc/sockeye.yaml
  sockeye dialect test openai-realtime samples.jsonl
  sockeye replay session.capture

`sockeye COMMAND --help` says more. Exit status: 0 good, 1 the work failed, 2 bad arguments or configuration.)";

constexpr const char* proxy_footer = R"(
Examples:
  sockeye proxy --listen :8080 --upstream ws://127.0.0.1:9000
  sockeye proxy --listen :8080 --upstream wss://api.example.com --otlp http://127.0.0.1:4318
  sockeye proxy --listen :8080 --upstream ws://127.0.0.1:9000 --console http://127.0.0.1:16686
  sockeye proxy --config /etc/sockeye.yaml

Ports:
  127.0.0.1:8080  WebSocket and plain HTTP traffic (--listen)
  127.0.0.1:9464  /metrics, /healthz, /readyz, /sessions, /sessions/ID (--metrics)

Signals:
  SIGHUP          reads the file and the certificates again; live sessions are untouched
  SIGTERM SIGINT  drain: stops accepting, closes what is open with 1001 after drain.timeout
                  (30s), sends the last spans, exits 0; a second signal closes at once

Environment:
  OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_ENDPOINT and OpenTelemetry's other variables;
  the file wins over them, flags win over the file.

Log lines go to stderr. Exit status: 0 good, 1 the work failed, 2 bad arguments or configuration.)";

constexpr const char* console_footer = R"(
Examples:
  sockeye console
  sockeye console --data /var/lib/sockeye --keep 30d --keep-size 200GiB
  sockeye console --listen :16686 --otlp-http :4318 --token-file /etc/sockeye/token
  sockeye console --cors-origin https://app.example.com

Then point a proxy at it, and any OpenTelemetry SDK:
  sockeye proxy --listen :8080 --upstream ws://127.0.0.1:9000 \
                --otlp http://127.0.0.1:4318 --console http://127.0.0.1:16686
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318

Ports:
  127.0.0.1:16686  web page, query API (/api/v1) and Jaeger's (/api/traces) (--listen)
  127.0.0.1:4318   OTLP/HTTP, protobuf and JSON; 4317 OTLP/gRPC

Traces and logs are kept, metrics are not: a Prometheus scrapes them from the proxies. What was
acknowledged survives a crash. Beyond loopback a token is asked for: --token-file, or --open.
A token opens everything, or what stands before its file: --token-file export,report=FILE.

Log lines go to stderr. Exit status: 0 good, 1 the work failed, 2 bad arguments.)";

constexpr const char* tap_footer = R"(
Examples:
  sockeye tap trace.pcapng
  sockeye tap --format json --dialect openai-realtime *.pcap
  sockeye tap --keylog keys.log --otlp http://127.0.0.1:4318 trace.pcap
  sockeye tap --record captures --record-payload trace.pcap
  sudo sockeye tap --interface eth0 --filter 'tcp port 8080' --console http://127.0.0.1:16686

Captures may be pcap or pcapng, of Ethernet, loopback, Linux cooked or raw IP; WebSockets are found on any port, also
those that were open before the capture began. TLS is read with the secrets of SSLKEYLOGFILE (--keylog, or in the
pcapng). Prints a line for each session, and a total. Nothing is sent to anybody who is watched.

On an interface: runs until SIGINT or SIGTERM; /metrics and /sessions as a proxy's (--metrics); privileges are
dropped once the interface is open.

Exit status: 0 good, 1 a capture could not be read, spans not be sent or recordings not be written, 2 bad arguments.)";

constexpr const char* check_footer = R"(
Prints "ok: …" and exits 0, or every problem as FILE:LINE:COLUMN: what, expected, fix, and exits 2.
Nothing is listened on and nothing is connected to; certificates must be readable.)";

constexpr const char* dialect_footer = R"(
Examples:
  sockeye dialect list
  sockeye dialect show openai-realtime > mine.yaml
  sockeye dialect test mine.yaml samples.jsonl

A dialect is a file of rules that says which messages open, continue and end an invocation:
docs/writing-a-dialect.md walks through one.)";

constexpr const char* dialect_test_footer = R"(
SAMPLES has one message a line:
  {"dir":"c2s","text":"{\"type\":\"ask\",\"id\":1}"}
  {"dir":"s2c","binary":"AAEC","t":0.25}
`dir` is who sent it (c2s: the client), `binary` is Base64, `t` seconds (optional). The first line may
tell of the handshake; --target and --subprotocol win over it:
  {"handshake":{"target":"/v1/realtime?model=x","subprotocol":"realtime"}}

Prints what each message was taken for, every invocation as it ends, and what was left over. With
--format json each is a JSON object on a line. Exit status 0 when all samples could be read, whatever
they mean; 2 when the rules or the samples are no such file.)";

constexpr const char* replay_footer = R"(
Examples:
  sockeye replay 0190b5b2-….capture
  sockeye replay session.capture --format json
  sockeye replay session.capture --dialect mine.yaml --otlp http://127.0.0.1:4318
  sockeye replay session.capture --to ws://127.0.0.1:9000 --speed 10

Observes the session in FILE again and prints its record, its spans and what was counted: the same
every time, identifiers and times included. Without its payload (the default of recordings) nothing
is read for a dialect.

With --to nothing is observed: a client connects to URL and sends what the recorded one sent, frame
by frame. That takes a recording with payload, from its session's beginning.

Exit status: 0 good, 1 the spans could not be delivered or the server did not take all, 2 bad
arguments, or FILE is no capture.)";

constexpr const char* capture_footer = R"(
Example:
  sockeye capture export session.capture > session.har

A HAR file opens in the Network panel of a browser's developer tools.)";

// CLI11's own, less what it lists of every option's relations.
class Formatter final : public CLI::Formatter {
 public:
  Formatter() { column_width(26); }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_type_size() == 0 ? std::string() : option->get_type_name();
    return type.empty() || type == "TEXT" ? std::string() : " " + type;
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    if (app->get_name() == "proxy")
      return "Usage: sockeye proxy --upstream URL [OPTIONS]\n       sockeye proxy --config FILE [OPTIONS]\n";
    if (app->get_name() == "console") return "Usage: sockeye console [OPTIONS]\n";
    if (app->get_name() == "tap")
      return "Usage: sockeye tap FILE… [OPTIONS]\n       sockeye tap --interface IF [OPTIONS]\n";
    if (app->get_name() == "check") return "Usage: sockeye check FILE\n";
    if (app->get_name() == "dialect") return "Usage: sockeye dialect list|show|test …\n";
    if (app->get_name() == "list") return "Usage: sockeye dialect list\n";
    if (app->get_name() == "show") return "Usage: sockeye dialect show NAME\n";
    if (app->get_name() == "test") return "Usage: sockeye dialect test NAME|FILE SAMPLES [OPTIONS]\n";
    if (app->get_name() == "replay") return "Usage: sockeye replay FILE [OPTIONS]\n";
    if (app->get_name() == "capture") return "Usage: sockeye capture export FILE\n";
    if (app->get_name() == "export") return "Usage: sockeye capture export FILE [--format har]\n";
    return "Usage: " + name + " COMMAND [OPTIONS]\n";
  }
};

// A size as a person writes it, in bytes.
std::string read_size(std::string& text) {
  const auto size = config::parse_size(text);
  if (!size) return size.error().message;
  text = std::to_string(*size);
  return {};
}

std::string read_recording_size(std::string& text) {
  if (auto error = read_size(text); !error.empty()) return error;
  constexpr std::uint64_t least = 64U << 10U;
  return std::stoull(text) < least ? "must be at least 64KiB" : "";
}

void add_recording(CLI::App* tap, TapCommand& t) {
  const CLI::Validator size(read_recording_size, "", "size");
  const CLI::Validator given([](const std::string& text) { return std::string(text.empty() ? "is empty" : ""); }, "",
                             "given");
  auto* record =
      tap->add_option("--record", t.record.directory, "Record sessions in this directory, for `sockeye replay`")
          ->type_name("DIR")
          ->check(given);
  tap->add_option(
         "--record-when", t.record_when,
         "all; asked: only by POST /sessions/ID/capture; anomaly: also from a\nsession's first anomaly on (all)")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"all", "asked", "anomaly"}))
      ->needs(record);
  tap->add_flag("--record-payload", t.record.payload, "Record payload too, not only headers and sizes")->needs(record);
  tap->add_option("--record-limit", t.record.limit, "Of one recording, which ends there (64MiB)")
      ->type_name("SIZE")
      ->transform(size)
      ->needs(record);
  tap->add_option("--record-total", t.record.total, "Of all in the directory; then no other is begun (1GiB)")
      ->type_name("SIZE")
      ->transform(size)
      ->needs(record);
}

constexpr const char* dialect_help =
    "Application protocol: auto, none, a name of `sockeye dialect list`, or a\nrule file FILE.yaml (auto)";

CLI::Option* add_format(CLI::App* to, std::string& format) {
  return to->add_option("--format", format, "text or json (text)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}));
}

// Where a vantage reports to.
void add_exports(CLI::App* to, config::Flags& flags) {
  to->add_option("--otlp", flags.otlp, "Send spans to this collector, as OTLP over HTTP")->type_name("URL");
  to->add_option("--console", flags.console, "Show live sessions on this console, within a second")->type_name("URL");
}

void add_log(CLI::App* to, config::Flags& flags) {
  to->add_option("--log-level", flags.log_level, "debug, info, warn or error (info)")->type_name("LEVEL");
  to->add_option("--log-format", flags.log_format, "text or json (text)")->type_name("FORMAT");
}

void add_proxy(CLI::App& app, Command& command) {
  auto* proxy = app.add_subcommand("proxy", "Run a sidecar that forwards WebSocket traffic verbatim and observes it");
  proxy->footer(proxy_footer);
  proxy->callback([&command] { command.action = Action::proxy; });
  auto& flags = command.flags;
  auto* file =
      proxy->add_option("-c,--config", command.file, "Configuration file (docs/configuration.md)")->type_name("FILE");
  proxy
      ->add_option("-l,--listen", flags.listen,
                   "Where clients connect: HOST:PORT, :PORT (all interfaces), [V6]:PORT or\nunix:PATH (127.0.0.1:8080)")
      ->type_name("ADDR")
      ->excludes(file);
  proxy->add_option("-u,--upstream", flags.upstream, "The WebSocket server: ws://HOST:PORT[/PATH] or wss://…")
      ->type_name("URL")
      ->excludes(file);
  proxy->add_option("--dialect", flags.dialect, dialect_help)->type_name("NAME")->excludes(file);
  proxy->add_option("--metrics", flags.metrics, "Where /metrics and /sessions are served (127.0.0.1:9464)")
      ->type_name("ADDR");
  add_exports(proxy, flags);
  proxy->add_option("--threads", flags.threads, "Worker threads (one a core)")->type_name("N");
  proxy->add_option("--user", flags.user, "Whom root becomes before it opens a file or a port (stays root)")
      ->type_name("NAME");
  add_log(proxy, flags);
}

void add_console_log(CLI::App* console, ConsoleCommand& c) {
  const auto level = [&c](const std::string& text) {
    c.log_level = text == "debug"   ? config::LogLevel::debug
                  : text == "warn"  ? config::LogLevel::warn
                  : text == "error" ? config::LogLevel::error
                                    : config::LogLevel::info;
  };
  console->add_option_function<std::string>("--log-level", level, "debug, info, warn or error (info)")
      ->type_name("LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  const auto format = [&c](const std::string& text) {
    c.log_format = text == "json" ? config::LogFormat::json : config::LogFormat::text;
  };
  console->add_option_function<std::string>("--log-format", format, "text or json (text)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}));
}

void add_console(CLI::App& app, Command& command) {
  auto* console = app.add_subcommand("console", "Receive, store and show: OTLP receiver, database and web page");
  console->footer(console_footer);
  console->callback([&command] { command.action = Action::console; });
  auto& c = command.console;
  console->add_option("-l,--listen", c.listen, "Web page and API: HOST:PORT or :PORT (127.0.0.1:16686)")
      ->type_name("ADDR");
  console->add_option("--otlp-http", c.otlp_http, "OTLP over HTTP, or off (127.0.0.1:4318)")->type_name("ADDR");
  console->add_option("--otlp-grpc", c.otlp_grpc, "OTLP over gRPC, or off (127.0.0.1:4317)")->type_name("ADDR");
  console->add_option("-d,--data", c.data, "Directory of the database ($XDG_STATE_HOME/sockeye/console)")
      ->type_name("DIR");
  console->add_option("--keep", c.keep_for, "Forget what is older: 12h, 30d; 0 is never (7d)")->type_name("TIME");
  console->add_option("--keep-size", c.keep_bytes, "Forget the oldest beyond this size on disk; 0 is never (10GiB)")
      ->type_name("SIZE");
  console
      ->add_option("--live-memory", c.live_bytes,
                   "What sessions that proxies report may hold; one proxy's two thirds of it (192MiB)")
      ->type_name("SIZE");
  auto* token = console
                    ->add_option("--token-file", c.token_files,
                                 "File with a token that all three ports ask for, or SCOPE,...=FILE\n"
                                 "with one for report, export, read or act alone; repeatable")
                    ->type_name("FILE");
  console->add_flag("--open", c.open, "Listen beyond loopback without a token")->excludes(token);
  console
      ->add_option("--host", c.hosts,
                   "A name the page may be asked under, besides addresses and\nlocalhost; repeatable")
      ->type_name("NAME");
  console->add_option("--cors-origin", c.cors_origins, "An origin whose pages may send OTLP; * is any; repeatable")
      ->type_name("URL");
  console->add_option("--tls-certificate", c.tls_certificate, "PEM; then all three ports speak TLS")->type_name("FILE");
  console->add_option("--tls-key", c.tls_key, "PEM")->type_name("FILE");
  console->add_option("--user", c.user, "Whom root becomes before it opens a file or a port (stays root)")
      ->type_name("NAME");
  add_console_log(console, c);
}

void add_tap(CLI::App& app, Command& command) {
  auto* tap = app.add_subcommand("tap", "Observe WebSockets in capture files or on an interface");
  tap->footer(tap_footer);
  auto& t = command.tap;
  auto& flags = command.flags;
  tap->callback([&command, &t, &flags] {
    if (t.files.empty() && t.interface.empty()) throw CLI::RequiredError("FILE or --interface");
    command.action = Action::tap;
    flags.metrics = t.metrics;
  });
  auto* files = tap->add_option("FILE", t.files, "Captures, pcap or pcapng; - is standard input");
  auto* interface =
      tap->add_option("-i,--interface", t.interface, "Watch this interface, or any")->type_name("IF")->excludes(files);
  tap->add_option("--filter", t.filter, "Take only these packets, as pcap-filter(7) has it")
      ->type_name("EXPR")
      ->needs(interface);
  tap->add_option("--keylog", t.keylog, "TLS secrets, as SSLKEYLOGFILE has them")->type_name("FILE");
  tap->add_option("--dialect", flags.dialect, dialect_help)->type_name("NAME");
  add_exports(tap, flags);
  tap->add_option("--metrics", t.metrics, "Where /metrics and /sessions are served (127.0.0.1:9464 with --interface)")
      ->type_name("ADDR");
  add_format(tap, t.format);
  tap->add_option("--snap-length", t.snap_length, "Bytes kept of each packet (65535)")
      ->type_name("BYTES")
      ->check(CLI::Range(96, 262'144))
      ->needs(interface);
  tap->add_option("--buffer", t.buffer, "MiB of the kernel's ring (32)")
      ->type_name("MIB")
      ->check(CLI::Range(1, 2047))
      ->needs(interface);
  tap->add_option("--user", t.user, "Whom root becomes once the interface is open (nobody)")
      ->type_name("NAME")
      ->needs(interface);
  add_recording(tap, t);
  add_log(tap, flags);
}

void add_check(CLI::App& app, Command& command) {
  auto* check = app.add_subcommand("check", "Check a configuration file");
  check->footer(check_footer);
  check->callback([&command] { command.action = Action::check; });
  check->add_option("FILE", command.file, "Configuration file")->required();
}

void add_dialect(CLI::App& app, Command& command) {
  auto* dialect = app.add_subcommand("dialect", "List, show and try the rules for application protocols");
  dialect->footer(dialect_footer);
  dialect->require_subcommand(1);
  dialect->callback([&command] { command.action = Action::dialect; });
  auto& d = command.dialect;
  auto* list = dialect->add_subcommand("list", "The built-in dialects, a line each");
  list->callback([&d] { d.verb = DialectCommand::Verb::list; });
  auto* show = dialect->add_subcommand("show", "Print the rules of a built-in dialect");
  show->callback([&d] { d.verb = DialectCommand::Verb::show; });
  show->add_option("NAME", d.name, "Its name")->required();

  auto* test = dialect->add_subcommand("test", "Run recorded messages through rules and say what each is taken for");
  test->footer(dialect_test_footer);
  test->callback([&d] { d.verb = DialectCommand::Verb::test; });
  test->add_option("DIALECT", d.name, "A built-in dialect's name, a rule file (FILE.yaml), or auto: detect")
      ->required();
  test->add_option("SAMPLES", d.samples, "File of messages, - for standard input")->required();
  add_format(test, d.format);
  test->add_option("--target", d.target, "Path and query of the handshake, for auto and $query (/)")->type_name("PATH");
  test->add_option("--subprotocol", d.subprotocol, "Subprotocol of the handshake")->type_name("NAME");
}

void add_replay(CLI::App& app, Command& command) {
  auto* replay = app.add_subcommand("replay", "Observe a recorded session again");
  replay->footer(replay_footer);
  replay->callback([&command] { command.action = Action::replay; });
  auto& r = command.replay;
  replay->add_option("FILE", r.file, "A session's recording")->required();
  replay->add_option("--dialect", r.dialect, "Another dialect than it was read for: as `sockeye proxy --dialect`")
      ->type_name("NAME");
  replay->add_option("--otlp", r.otlp, "Send its spans to this collector, as OTLP over HTTP")->type_name("URL");
  add_format(replay, r.format);

  auto* to = replay->add_option("--to", r.to, "Play the client's half to this server: ws://HOST:PORT[/PATH]")
                 ->type_name("URL")
                 ->excludes("--otlp")
                 ->excludes("--dialect")
                 ->excludes("--format");
  replay->add_option("--speed", r.speed, "So many times as fast as it was; 0 without waiting (1)")
      ->type_name("N")
      ->needs(to)
      ->check(CLI::Range(0.0, 1e6));
}

void add_capture(CLI::App& app, Command& command) {
  auto* capture = app.add_subcommand("capture", "Write a recorded session in another format");
  capture->footer(capture_footer);
  capture->require_subcommand(1);
  capture->callback([&command] { command.action = Action::capture; });
  auto& c = command.capture;
  auto* har = capture->add_subcommand("export", "To standard output, as HTTP Archive (HAR)");
  har->add_option("FILE", c.file, "A session's recording")->required();
  har->add_option("--format", c.format, "har (har)")->type_name("FORMAT")->check(CLI::IsMember({"har"}));
}

// The exit status; prints what was asked for (help, the version), or what is wrong.
int explain(const CLI::ParseError& error, const CLI::App& app, const char* first) {
  if (error.get_exit_code() == 0) return app.exit(error);
  std::string what = error.what();
  const auto chosen = app.get_subcommands();
  if (first != nullptr && first[0] != '-' && chosen.empty()) {
    constexpr std::array<std::string_view, 7> commands = {"proxy",   "console", "tap",    "check",
                                                          "dialect", "replay",  "capture"};
    const auto meant = config::nearest(first, commands);
    what = "unknown command " + config::quote(first) + "; expected " + config::one_of(commands) +
           (meant.empty() ? "" : "; did you mean " + std::string(meant) + "?");
  }
  std::cerr << "sockeye: " << what << "\nTry: sockeye " << (chosen.empty() ? "" : chosen[0]->get_name() + " ")
            << "--help\n";
  return 2;
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  Command command;
  CLI::App app{about, "sockeye"};
  app.formatter(std::make_shared<Formatter>());
  app.set_help_flag("-h,--help", "Print this and exit");
  app.set_version_flag("-V,--version", "sockeye " SOCKEYE_VERSION, "Print the version and exit");
  app.footer(main_footer);
  app.require_subcommand(1);
  add_proxy(app, command);
  add_console(app, command);
  add_tap(app, command);
  add_check(app, command);
  add_dialect(app, command);
  add_replay(app, command);
  add_capture(app, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    command.action = Action::exit;
    command.status = explain(error, app, argc > 1 ? argv[1] : nullptr);
  }
  return command;
}

}  // namespace sockeye::app
