// Joins what two Sockeyes on the two ends of a hop see, without a byte of payload and without a word between them.
//
// The one that passes a handshake on names a span in the traceparent it sends; the other one finds that traceparent in
// its request. So both know (trace id, span id), and both count the data messages of each direction from the handshake
// on. What they make of these is the same on both ends, and stands on the spans of either.
#pragma once

#include <cstdint>
#include <string>

#include "sockeye/base/ids.h"
#include "sockeye/model/frame.h"

namespace sockeye::signal {

// 16 lowercase hex digits: FNV-1a (64 bits, offset 0xcbf29ce484222325, prime 0x100000001b3) over the trace id's 16
// bytes, the span id's 8, one byte for the sender (0 the client, 1 the server) and the message's number in its
// direction, from 1, as 8 bytes, most significant first.
[[nodiscard]] std::string hop_link(const base::TraceId&, const base::SpanId& named, model::Side sender,
                                   std::uint64_t message);

}  // namespace sockeye::signal
