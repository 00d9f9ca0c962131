// The command line, as values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sockeye/config/read.h"

namespace sockeye::app {

enum class Action { exit, proxy, console, check, dialect, tap, replay, capture };

struct DialectCommand {
  enum class Verb { list, show, test } verb = Verb::list;
  std::string name;     // of a built-in dialect, or a rule file (what has a / or ends in .yaml), or auto
  std::string samples;  // test: FILE, or - for standard input
  std::string format = "text";
  std::string target;  // path and query of the handshake
  std::string subprotocol;
};

struct ConsoleCommand {
  std::string listen = "127.0.0.1:16686", otlp_http = "127.0.0.1:4318", otlp_grpc = "127.0.0.1:4317";  // "off"
  std::string data;  // "" = below the user's state directory
  std::string keep_for = "7d", keep_bytes = "10GiB", live_bytes = "192MiB";
  std::vector<std::string> token_files;  // [SCOPE,…=]FILE
  std::string tls_certificate, tls_key;
  std::string user;  // whom root becomes; "": stays what it is
  bool open = false;
  std::vector<std::string> hosts, cors_origins;
  config::LogLevel log_level = config::LogLevel::info;
  config::LogFormat log_format = config::LogFormat::text;
};

struct TapCommand {
  std::vector<std::string> files;  // - is standard input
  std::string interface;           // else
  std::string filter, keylog;
  std::string format = "text";
  std::string metrics;  // as given
  std::string user = "nobody";
  std::uint32_t snap_length = 65535;  // bytes
  std::uint32_t buffer = 32;          // MiB
  recordings::Options record;         // of sessions; no directory: nothing is recorded
  std::string record_when = "all";    // asked, anomaly
};

struct ReplayCommand {
  std::string file;
  std::string dialect;  // in place of the recorded one; "" = as it was
  std::string otlp;     // where spans go; "" = nowhere
  std::string to;       // the client's half is played to this server instead; "" = observed again
  double speed = 1;     // of it; 0: without waiting
  std::string format = "text";
};

struct CaptureCommand {
  std::string file;
  std::string format = "har";
};

struct Command {
  Action action = Action::exit;
  int status = 0;    // exit
  std::string file;  // --config, or check's FILE; "" = flags alone
  config::Flags flags;
  DialectCommand dialect;
  ConsoleCommand console;
  TapCommand tap;
  ReplayCommand replay;
  CaptureCommand capture;
};

// Prints help, the version or what is wrong itself; then the action is `exit`.
[[nodiscard]] Command parse_command_line(int argc, const char* const* argv);

}  // namespace sockeye::app
