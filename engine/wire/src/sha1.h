// SHA-1 (RFC 3174) and base64 (RFC 4648 §4) for Sec-WebSocket-Accept, the only place RFC 6455 asks for them. SHA-1
// protects nothing there: it only shows that the server read the key.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "sockeye/base/bytes.h"

namespace sockeye::wire {

using Sha1Digest = std::array<base::Byte, 20>;
[[nodiscard]] Sha1Digest sha1(base::Bytes message);
[[nodiscard]] std::string base64(base::Bytes bytes);

}  // namespace sockeye::wire
