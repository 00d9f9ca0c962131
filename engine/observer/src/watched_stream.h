// The frames of one stream, walked by the observation itself.
#pragma once

#include <memory>

#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/resync.h"

namespace sockeye::observer {

struct WatchedStream {
  explicit WatchedStream(const wire::FrameRules& rules) : parser(rules) {}
  wire::FrameParser parser;
  std::unique_ptr<wire::Resync> resync;  // where the next frame begins is not known; null: it is
};

}  // namespace sockeye::observer
