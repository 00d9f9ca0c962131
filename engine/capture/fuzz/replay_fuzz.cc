// A file that claims to be a capture: read, replayed and exported without a crash, the same twice, and with memory that
// its size bounds.
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "sockeye/capture/har.h"
#include "sockeye/capture/replay.h"

namespace {

using namespace sockeye;

struct Count final : model::SpanSink {
  void offer(model::Span&& span) override { sum = sum * 31 + span.span_id.bytes[0] + span.end_unix_ns; }
  std::uint64_t sum = 0;
};

std::uint64_t once(base::Bytes file) {
  Count spans;
  const auto metrics = std::make_unique<model::RouteMetrics>();
  const auto result = capture::replay(file, std::nullopt, spans, *metrics);
  return spans.sum * 2 + (result ? result->row.record.figures.messages[0] : 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::Bytes file{data, size};
  static_cast<void>(capture::to_har(file, {.creator_version = "fuzz", .message = 1U << 16U, .all = 1U << 20U}));
  if (once(file) != once(file)) std::abort();
  return 0;
}
