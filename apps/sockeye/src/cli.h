// The command line, as values.
#pragma once

#include <optional>
#include <string>

#include "sockeye/config/read.h"

namespace sockeye::app {

enum class Action { exit, proxy, check };

struct Command {
  Action action = Action::exit;
  int status = 0;    // exit
  std::string file;  // --config, or check's FILE; "" = flags alone
  config::Flags flags;
};

// Prints help, the version or what is wrong itself; then the action is `exit`.
[[nodiscard]] Command parse_command_line(int argc, const char* const* argv);

}  // namespace sockeye::app
