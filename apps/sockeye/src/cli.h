// The command line, as values.
#pragma once

#include <optional>
#include <string>

#include "sockeye/config/read.h"

namespace sockeye::app {

enum class Action { exit, proxy, check, dialect };

struct DialectCommand {
  enum class Verb { list, show, test } verb = Verb::list;
  std::string name;     // of a built-in dialect, or a rule file (what has a / or ends in .yaml), or auto
  std::string samples;  // test: FILE, or - for standard input
  std::string format = "text";
  std::string target;  // path and query of the handshake
  std::string subprotocol;
};

struct Command {
  Action action = Action::exit;
  int status = 0;    // exit
  std::string file;  // --config, or check's FILE; "" = flags alone
  config::Flags flags;
  DialectCommand dialect;
};

// Prints help, the version or what is wrong itself; then the action is `exit`.
[[nodiscard]] Command parse_command_line(int argc, const char* const* argv);

}  // namespace sockeye::app
