// Any bytes as a configuration file: settings or problems, never both or neither, and every problem one printable line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sockeye/base/utf8.h"
#include "sockeye/config/read.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto reading = sockeye::config::read_text(text, "f", {}, nullptr, {.check_files = false});
  if (reading.settings.has_value() != reading.problems.empty()) std::abort();
  for (const auto& problem : reading.problems) {
    const std::string line = problem.text();
    if (sockeye::base::valid_utf8_prefix(line) != line.size()) std::abort();
    for (const char c : line)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) std::abort();
  }
  if (!reading.settings) return 0;
  std::size_t routes = 0;
  for (const auto& listener : reading.settings->proxy.listeners) {
    for (const auto& route : listener.routes) {
      ++routes;
      if (route.observe.route != route.name || route.carry.heartbeat.misses == 0) std::abort();
    }
  }
  if (routes == 0 || routes > 256) std::abort();
  return 0;
}
