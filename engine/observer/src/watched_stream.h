// The frames of one stream, walked by the observation itself.
#pragma once

#include <memory>

#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/resync.h"

namespace sockeye::observer {

// What a frame touches is its first two cache lines.
struct alignas(64) WatchedStream {
  explicit WatchedStream(const wire::FrameRules& rules) : parser(rules) {}
  std::unique_ptr<wire::Resync> resync;  // where the next frame begins is not known; null: it is
  wire::FrameParser parser;
};

}  // namespace sockeye::observer
