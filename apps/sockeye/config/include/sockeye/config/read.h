// From a configuration file, flags and the environment to Settings.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/result.h"
#include "sockeye/config/document.h"
#include "sockeye/config/settings.h"
#include "sockeye/observer/options.h"

namespace sockeye::config {

// An environment variable's value, null when unset: std::getenv, or a table in tests.
using Environment = std::function<const char*(const char* name)>;

// One thing wrong with a configuration.
struct Problem {
  std::string where;  // the file, "environment", or "" for flags
  Position at;        // zero: the whole of it
  std::string message;
  // "sockeye.yaml:7:5: routes[0]: unknown key "upstraem"; did you mean "upstream"?"
  [[nodiscard]] std::string text() const;
};

// What the command line sets. It wins over the file; "" and 0 are "not given".
struct Flags {
  std::string listen, upstream, dialect;  // a single route, when there is no file
  std::string metrics, otlp, console, log_level, log_format, threads, user;
};

struct Reading {
  std::optional<Settings> settings;  // set when there is no problem
  std::vector<Problem> problems;     // all of them, in the order of the file; at most 100
};

struct ReadOptions {
  bool check_files = true;  // certificates and keys must be readable
};

// `text` is the file's content and `file` its name for messages. Never throws, whatever the text.
[[nodiscard]] Reading read_text(std::string_view text, std::string_view file, const Flags&, const Environment&,
                                const ReadOptions& = {});
// The same from disk.
[[nodiscard]] Reading read_file(const std::string& path, const Flags&, const Environment&, const ReadOptions& = {});
// One route from flags alone.
[[nodiscard]] Reading read_flags(const Flags&, const Environment&);

// "auto", "none", a built-in dialect's name, or a rule file: what a route's `dialect` may say.
[[nodiscard]] base::Result<observer::DialectOptions> parse_dialect(std::string_view text);

// Every key the reader takes, as paths: "routes[].heartbeat.interval". `{}` stands for a name of the user's choice.
[[nodiscard]] std::vector<std::string> known_keys();

}  // namespace sockeye::config
