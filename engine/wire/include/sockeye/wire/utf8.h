// UTF-8 (RFC 3629) as RFC 6455 §8.1 needs it: incremental, over masked bytes, failing at the first byte that no valid
// text can have there.
//
// Most text is ASCII, so a run of it is judged without unmasking it anywhere: a byte is ASCII when the top bits of it
// and of its key byte agree. Only where a non-ASCII byte turns up is a block unmasked, into a scratch buffer on the
// stack that the vector validator of simdjson reads. What the chunk's end cuts off is followed byte by byte, with the
// range the next byte must be in as the only state.
#pragma once

#include <cstdint>

#include "sockeye/base/bytes.h"

namespace sockeye::wire {

class Utf8 {
 public:
  // The next bytes of the text, masked with `mask` (0: plain) as the payload bytes from `offset` on of their frame.
  // False when they cannot be UTF-8; the object is of no more use then, until reset().
  [[nodiscard]] bool feed(base::Bytes bytes, std::uint32_t mask = 0, std::uint64_t offset = 0);
  // The text may end here: no code point is incomplete.
  [[nodiscard]] bool complete() const { return need_ == 0; }
  void reset() { need_ = 0; }

 private:
  bool step(base::Byte byte);

  std::uint8_t need_ = 0;  // continuation bytes to come
  base::Byte low_ = 0x80;  // range of the next one
  base::Byte high_ = 0xbf;
};

// The whole of it is UTF-8.
[[nodiscard]] bool is_utf8(base::Bytes bytes);

}  // namespace sockeye::wire
