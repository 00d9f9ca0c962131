// The process's log: one line a thing worth a person's attention, to stderr. Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "sockeye/config/settings.h"

namespace sockeye::app {

void start_log(config::LogLevel level, config::LogFormat format);
void set_log_level(config::LogLevel level);
// Levels as spdlog's: 0 trace, 1 debug, 2 info, 3 warn, 4 error. Control characters are made visible: a peer's text
// cannot forge a line.
void log(int level, const std::string& line);

inline void log_info(const std::string& line) { log(2, line); }
inline void log_warning(const std::string& line) { log(3, line); }
inline void log_error(const std::string& line) { log(4, line); }

// One line without its line break, as written to stderr.
//   text: 2026-03-01T12:34:56.789Z warn  route calls: …
//   json: {"time":"2026-03-01T12:34:56.789Z","level":"warn","message":"route calls: …"}
[[nodiscard]] std::string log_line(config::LogFormat format, std::uint64_t unix_ms, std::string_view level,
                                   std::string_view message);

}  // namespace sockeye::app
