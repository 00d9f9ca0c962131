// What one direction of a stream said while the other was behind: bytes of it are missing that its receiver has
// acknowledged. What answers them must not be handed on before them, so all that both say is kept here, and handed on
// in the order of its times once nothing is missing, or is given up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"

namespace sockeye::tap {

struct Stream;
enum class Finish : std::uint8_t;

struct Outbox {
  struct Event {
    enum class Kind : std::uint8_t { bytes, gap, finished } kind{};
    base::Time time{};
    std::vector<base::Byte> bytes;
    std::uint64_t count = 0;
    Finish how{};
  };

  Stream* stream = nullptr;
  base::Time since{};
  model::Side behind{};                      // goes first where times are equal
  std::size_t size = 0;                      // bytes it holds
  std::array<std::vector<Event>, 2> events;  // by sender, in the order of its bytes
  Outbox* previous = nullptr;
  Outbox* following = nullptr;

  // `take(side, event)` for each.
  template <class Take>
  void empty(Take take) {
    const std::size_t first = model::index(behind);
    std::array<std::size_t, 2> at{};
    for (;;) {
      const bool left[] = {at[0] < events[0].size(), at[1] < events[1].size()};
      if (!left[0] && !left[1]) return;
      std::size_t next = first;
      if (!left[first] || (left[1 - first] && events[1 - first][at[1 - first]].time < events[first][at[first]].time))
        next = 1 - first;
      take(next == 0 ? model::Side::client : model::Side::server, events[next][at[next]++]);
    }
  }
};

}  // namespace sockeye::tap
