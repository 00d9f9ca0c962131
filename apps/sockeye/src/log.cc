#include "log.h"

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "sockeye/base/json.h"
#include "sockeye/base/utf8.h"

namespace sockeye::app {
namespace {

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(config::LogFormat format) : format_(format) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(message.time.time_since_epoch()).count();
    const std::string_view level = message.level == spdlog::level::warn
                                       ? std::string_view("warn")
                                       : std::string_view(to_string_view(message.level).data());
    std::string line =
        log_line(format_, static_cast<std::uint64_t>(since), level, {message.payload.data(), message.payload.size()});
    line += '\n';
    out.append(line.data(), line.data() + line.size());
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  config::LogFormat format_;
};

// Until start_log(): text, from info.
spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    spdlog::logger made("sockeye", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made.set_formatter(std::make_unique<LineFormatter>(config::LogFormat::text));
    return made;
  }();
  return instance;
}

}  // namespace

std::string log_line(config::LogFormat format, std::uint64_t unix_ms, std::string_view level,
                     std::string_view message) {
  std::string out;
  if (format == config::LogFormat::json) {
    out = R"({"time":")" + base::iso8601(unix_ms) + R"(","level":")" + std::string(level) + R"(","message":)";
    base::append_json_text(out, message);
    return out + '}';
  }
  constexpr std::string_view hex = "0123456789abcdef";
  out = base::iso8601(unix_ms) + ' ' + std::string(level);
  out.append(level.size() < 6 ? 6 - level.size() : 1, ' ');
  const std::string repaired = base::repair_utf8(message);
  for (std::size_t i = 0; i < repaired.size(); ++i) {
    const auto c = static_cast<unsigned char>(repaired[i]);
    // C1 controls (C2 80 to C2 9F) steer terminals as ESC does.
    const bool c1 = c == 0xC2 && static_cast<unsigned char>(repaired[i + 1]) < 0xA0;
    if (c >= 0x20 && c != 0x7F && !c1) {
      out += repaired[i];
      continue;
    }
    const unsigned value = c1 ? static_cast<unsigned char>(repaired[++i]) : c;
    out += "\\x";
    out += hex[value >> 4U];
    out += hex[value & 15U];
  }
  return out;
}

void start_log(config::LogLevel level, config::LogFormat format) {
  logger().set_formatter(std::make_unique<LineFormatter>(format));
  set_log_level(level);
}

void set_log_level(config::LogLevel level) {
  logger().set_level(static_cast<spdlog::level::level_enum>(level));
  logger().flush_on(spdlog::level::trace);
}

void log(int level, const std::string& line) {
  logger().log(static_cast<spdlog::level::level_enum>(std::clamp(level, 0, 4)), spdlog::string_view_t(line));
}

}  // namespace sockeye::app
