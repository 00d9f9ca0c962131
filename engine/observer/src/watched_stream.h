// The frames of one stream, walked by the observation itself.
#pragma once

#include <cstddef>
#include <memory>

#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/resync.h"

namespace sockeye::observer {

// What a frame touches is its first `hot` bytes.
struct alignas(64) WatchedStream {
  explicit WatchedStream(const wire::FrameRules& rules) : parser(rules) {}
  std::unique_ptr<wire::Resync> resync;  // where the next frame begins is not known; null: it is
  wire::FrameParser parser;
  static constexpr std::size_t hot = 128;
};

}  // namespace sockeye::observer
