// sockeye: one binary, one subcommand a vantage point.
#include <cstdlib>
#include <iostream>

#include "cli.h"
#include "console_command.h"
#include "dialect_command.h"
#include "log.h"
#include "process.h"
#include "replay_command.h"
#include "serve.h"
#include "tap_command.h"

namespace {

using namespace sockeye;

int report(const config::Reading& reading) {
  for (const auto& problem : reading.problems)
    std::cerr << (problem.where.empty() ? "sockeye: " : "") << problem.text() << '\n';
  return 2;
}

int run_check(const app::Command& command, const config::Environment& environment) {
  const auto reading = config::read_file(command.file, {}, environment);
  if (!reading.settings) return report(reading);
  std::cout << "ok: " << app::summary(*reading.settings) << '\n';
  return 0;
}

int run_proxy(const app::Command& command, const config::Environment& environment) {
  const bool from_file = !command.file.empty();
  const auto read = [&] {
    return from_file ? config::read_file(command.file, command.flags, environment)
                     : config::read_flags(command.flags, environment);
  };
  auto reading = read();
  if (!reading.settings) return report(reading);
  app::start_log(reading.settings->log_level, reading.settings->log_format);
  return app::serve(*std::move(reading.settings), from_file ? std::function(read) : nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  app::return_memory();
  const auto command = app::parse_command_line(argc, argv);
  const config::Environment environment = [](const char* name) -> const char* { return std::getenv(name); };
  switch (command.action) {
    case app::Action::exit:
      return command.status;
    case app::Action::check:
      return run_check(command, environment);
    case app::Action::dialect:
      return app::run_dialect(command.dialect);
    case app::Action::console:
      return app::run_console(command.console);
    case app::Action::tap:
      return app::run_tap(command, environment);
    case app::Action::replay:
      return app::run_replay(command.replay);
    case app::Action::capture:
      return app::run_capture(command.capture);
    case app::Action::proxy:
      return run_proxy(command, environment);
  }
  return 2;
}
