// RFC 7692: permessage-deflate of one direction, for messages that are passed on changed. Once one message of a
// direction whose context is taken over has been changed, every later one must come from here: what its sender refers
// back to is not what the receiver has seen.
//
// Memory: nothing until the first message, then at most 144 KiB of zlib state; released after each message without
// context takeover. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sockeye/base/bytes.h"

namespace sockeye::wire {

class Deflater {
 public:
  // `window_bits`: 8 .. 15, as negotiated for this direction.
  Deflater(std::uint8_t window_bits, bool no_context_takeover);
  ~Deflater();
  Deflater(Deflater&&) noexcept;
  Deflater& operator=(Deflater&&) noexcept;

  // False: messages go out uncompressed instead, as §6 allows for any (zlib cannot keep to a window of 256 bytes, or
  // there is no memory).
  [[nodiscard]] bool able() const { return able_; }
  // The next bytes of the current message; appends the payload they become. False: not able() any more, and the
  // message, if some of it is out already, cannot be completed.
  [[nodiscard]] bool feed(base::Bytes plain, bool last, std::vector<base::Byte>& out);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  std::uint8_t window_bits_;
  bool no_context_takeover_;
  bool able_;
};

}  // namespace sockeye::wire
