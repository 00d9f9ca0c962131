// The client's half of a recorded session, played to a server.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sockeye/base/bytes.h"
#include "sockeye/base/result.h"

namespace sockeye::app {

struct Played {
  std::uint64_t sent = 0, received = 0;  // data messages
  std::uint64_t sent_bytes = 0;          // frames and all
  std::uint16_t code = 1006;             // of the server's Close; 1005, 1006 as in CloseInfo
  bool cut = false;                      // the server ended before all was sent
};

// Connects to `url` (ws://, its path and query in place of the recorded ones where it has any), asks for what the
// recorded handshake came to, and sends the client's frames as they were, `speed` times as fast; 0: without waiting.
// Pings of the server's are answered. Where the client sent no Close, a Close 1000 follows (or, inside a frame, the
// stream ends) once as many messages came as the recorded server sent, at the latest 3 s after it sent the last one.
// Blocks until the server has closed too, or for at most 10 s then.
[[nodiscard]] base::Result<Played> play(base::Bytes file, std::string_view url, double speed);

}  // namespace sockeye::app
