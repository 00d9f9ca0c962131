// RFC 7692: undoes permessage-deflate of one direction, for those who need the text. The peer's bytes are hostile: the
// output is bounded by the caller's limit and passed on in pieces, so a message a thousand times its size on the wire
// costs no memory.
//
// Memory: nothing until the first byte, then about 7 KiB of zlib state and, once a message is longer than one piece, a
// window of 2^window_bits bytes; released after each message without context takeover. One thread.
#pragma once

#include <cstdint>
#include <memory>

#include "sockeye/base/bytes.h"

namespace sockeye::wire {

class Inflater {
 public:
  enum class Result : std::uint8_t {
    ok,
    invalid,    // not a DEFLATE stream, or cut off at the message's end
    too_large,  // past the limit
    refused,    // the receiver of the output said stop
    unknown     // it does not inflate, and may refer to what was not seen (lose_context)
  };
  // Takes a piece of the message, in order; valid during the call. False stops: the result is `refused`.
  using Output = bool (*)(void* context, base::Bytes piece);

  // `window_bits`: 8 .. 15, as negotiated for this direction. `limit`: bytes of one inflated message.
  Inflater(std::uint8_t window_bits, bool no_context_takeover, std::uint64_t limit);
  ~Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;

  // The next payload bytes of the current message, masked with `mask` (0: plain) as those from `offset` on of their
  // frame. After anything but `ok` the stream is lost: its context cannot be known any more.
  Result feed(base::Bytes payload, std::uint32_t mask, std::uint64_t offset, Output output, void* context);
  // The message is complete (§7.2.2: the four bytes 00 00 ff ff its sender removed are put back).
  Result end(Output output, void* context);

  // Bytes it holds, nearly: zlib's state and window.
  [[nodiscard]] std::size_t held() const {
    return stream_ ? std::size_t{7 * 1024} + (std::size_t{1} << window_bits_) : 0;
  }

  // A part of the stream was not seen, the current message included: what comes next is a message's beginning. It
  // inflates where it refers to nothing before itself (which DEFLATE then shows by how it fails), and so on until a
  // window's worth is known again; at once without context takeover (§7.1.1).
  void lose_context();

  // How much of the payload to give feed() at once, where what comes out of it is to stay near 128 KiB: by how much
  // what came lately grew. What has never grown much may surprise once, with 2 MiB.
  [[nodiscard]] std::size_t portion() const;

  [[nodiscard]] std::uint64_t produced() const { return produced_; }  // inflated bytes of the current message

 private:
  struct Stream;
  Result run(base::Bytes plain, Output output, void* context);
  Result unmasked(base::Bytes payload, std::uint32_t mask, std::uint64_t offset, Output output, void* context);
  void grew(std::size_t in, std::uint64_t out);
  bool restart();

  std::unique_ptr<Stream> stream_;
  std::uint64_t limit_;
  std::uint64_t produced_ = 0;
  std::uint8_t window_bits_;
  bool no_context_takeover_;
  bool begun_ = false;       // bytes were fed since the message, or the stream inside it, began
  bool unknown_ = false;     // the window has what was not seen
  std::uint64_t known_ = 0;  // bytes inflated since
  std::uint32_t came_ = 0;   // bytes in and out lately, for portion()
  std::uint32_t grew_to_ = 0;
};

}  // namespace sockeye::wire
