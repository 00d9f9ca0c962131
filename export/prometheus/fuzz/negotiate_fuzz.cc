// Any bytes as an Accept field: a format comes out, and the same one whatever surrounds it that cannot matter.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sockeye/prometheus/render.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye::prometheus;
  const std::string accept(reinterpret_cast<const char*>(data), size);
  const Format format = negotiate(accept);
  if (negotiate("," + accept) != format) std::abort();
  // Bytes from a peer as a label's value always give a line that ends where it should.
  sockeye::model::MetricFamily family;
  family.name = "n";
  family.type = sockeye::model::MetricType::gauge;
  family.samples.push_back({{{"l", accept}}, 1, {}});
  const std::string out = render({family}, format);
  std::size_t lines = 0;
  for (const char c : out) lines += c == '\n' ? 1 : 0;
  if (lines != (format == Format::openmetrics ? 3U : 2U)) std::abort();
  return 0;
}
