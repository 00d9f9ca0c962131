// What the kernel knows of a connection's other end. Apart, since <linux/tcp.h> and Asio's headers cannot be included
// together.
#pragma once

#include <cstdint>

namespace sockeye::net {

// Bytes the peer's kernel has acknowledged since the connection began; 0 where that cannot be told.
[[nodiscard]] std::uint64_t acknowledged(int fd);

}  // namespace sockeye::net
