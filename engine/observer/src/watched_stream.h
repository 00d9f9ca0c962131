// The frames of a session's two streams, walked by the observation itself.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"
#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/resync.h"

namespace sockeye::observer {

// What a frame touches is its first `hot` bytes.
struct alignas(64) WatchedStream {
  explicit WatchedStream(const wire::FrameRules& rules) : parser(rules) {}
  std::unique_ptr<wire::Resync> resync;  // where the next frame begins is not known; null: it is
  bool other_searched = false;           // the other stream has a resync
  wire::FrameParser parser;
  static constexpr std::size_t hot = 128;
};

struct WatchedStreams {
  std::array<WatchedStream, 2> streams;  // by sender

  // What one peer says waits while the other's frames are looked for, where that holds bytes that came before it: a
  // reply must not be seen before its request is.
  static constexpr std::size_t most_waiting = 256U << 10U;
  static constexpr base::Duration patience = std::chrono::seconds(5);
  struct Waiting {
    model::Side from;
    base::Time at;
    std::vector<base::Byte> bytes;           // none: a gap
    std::optional<std::uint64_t> missing{};  // its bytes, as Observation::gap() has them
  };
  std::vector<Waiting> waiting;  // in the order it came
  std::size_t size = 0;          // bytes of it
  bool given_up = false;         // it was too much or too long: until the search is over nothing waits
};

}  // namespace sockeye::observer
