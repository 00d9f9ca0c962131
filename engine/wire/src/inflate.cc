#include "sockeye/wire/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "sockeye/wire/frame_parser.h"

namespace sockeye::wire {

using base::Byte;
using base::Bytes;

struct Inflater::Stream {
  z_stream z{};
  bool live = false;
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (live) inflateEnd(&z);
  }
};

Inflater::Inflater(std::uint8_t window_bits, bool no_context_takeover, std::uint64_t limit)
    : limit_(limit),
      // zlib's own deflate turns 8 into 9 and then reaches further back than 256 bytes: a peer that uses it is not to
      // be blamed for that.
      window_bits_(std::max<std::uint8_t>(window_bits, 9)),
      no_context_takeover_(no_context_takeover) {}
Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;

// After a block with BFINAL (§7.2.3.4) zlib is done, but the message need not be: a new stream begins at the next byte,
// with the window kept, since the sender's is kept too. inflateResetKeep() does that in no time; saving and restoring
// the window with documented calls copies 64 KiB for every two bytes a hostile peer spends on an empty final block.
bool Inflater::restart() {
  begun_ = false;
  return inflateResetKeep(&stream_->z) == Z_OK;
}

// DEFLATE makes at most 1,032 bytes of one. Both counts are halved every 16 KiB of input, so a stream that has grown a
// lot is taken in small portions for a while, however it goes on.
std::size_t Inflater::portion() const {
  constexpr std::size_t least = 128;
  constexpr std::size_t most = 2048;
  constexpr std::size_t wanted = 128 * 1024;
  const std::size_t growth = came_ == 0 ? 1 : grew_to_ / came_ + 1;
  return std::clamp(wanted / growth, least, most);
}

void Inflater::grew(std::size_t in, std::uint64_t out) {
  constexpr std::uint32_t memory = 16 * 1024;
  came_ += static_cast<std::uint32_t>(in);
  grew_to_ += static_cast<std::uint32_t>(std::min<std::uint64_t>(out, std::uint64_t{1032} * in));
  if (came_ < memory) return;
  came_ /= 2;
  grew_to_ /= 2;
}

Inflater::Result Inflater::run(Bytes plain, Output output, void* context) {
  if (plain.empty()) return Result::ok;
  if (!stream_) {
    stream_ = std::make_unique<Stream>();
    if (inflateInit2(&stream_->z, -static_cast<int>(window_bits_)) != Z_OK) return Result::invalid;
    stream_->live = true;
  }
  z_stream& z = stream_->z;
  z.next_in = const_cast<Bytef*>(plain.data());  // zlib does not write there
  z.avail_in = static_cast<uInt>(plain.size());
  std::array<Byte, 16 * 1024> out;
  for (;;) {
    z.next_out = out.data();
    z.avail_out = static_cast<uInt>(out.size());
    begun_ = true;
    const int status = inflate(&z, Z_NO_FLUSH);
    const std::size_t n = out.size() - z.avail_out;
    produced_ += n;
    if (unknown_ && (known_ += n) >= (std::uint64_t{1} << window_bits_)) unknown_ = false;
    if (produced_ > limit_) return Result::too_large;
    if (n > 0 && !output(context, {out.data(), n})) return Result::refused;
    if (status == Z_STREAM_END) {
      if (!restart()) return Result::invalid;
      if (z.avail_in == 0) return Result::ok;
      continue;
    }
    if (status != Z_OK && status != Z_BUF_ERROR) return unknown_ ? Result::unknown : Result::invalid;
    if (z.avail_in == 0 && z.avail_out > 0) return Result::ok;  // all of it is out
    if (status == Z_BUF_ERROR && n == 0) return unknown_ ? Result::unknown : Result::invalid;
  }
}

Inflater::Result Inflater::feed(Bytes payload, std::uint32_t mask, std::uint64_t offset, Output output, void* context) {
  const std::uint64_t before = produced_;
  const Result result = mask == 0 ? run(payload, output, context) : unmasked(payload, mask, offset, output, context);
  grew(payload.size(), produced_ - before);
  return result;
}

Inflater::Result Inflater::unmasked(Bytes payload, std::uint32_t mask, std::uint64_t offset, Output output,
                                    void* context) {
  std::array<Byte, 4096> plain;
  while (!payload.empty()) {
    const std::size_t n = std::min(plain.size(), payload.size());
    unmask(payload.first(n), mask, offset, plain.data());
    if (const auto result = run({plain.data(), n}, output, context); result != Result::ok) return result;
    payload = payload.subspan(n);
    offset += n;
  }
  return Result::ok;
}

void Inflater::lose_context() {
  stream_.reset();
  produced_ = known_ = 0;
  begun_ = false;
  unknown_ = !no_context_takeover_;
}

Inflater::Result Inflater::end(Output output, void* context) {
  static constexpr std::array<Byte, 4> tail{0x00, 0x00, 0xff, 0xff};
  // A message that ends right behind a BFINAL block, or has no payload at all, lacks the header of the empty block
  // whose end the tail is: there is nothing to complete.
  Result result = Result::ok;
  if (begun_) {
    result = run(tail, output, context);
    // data_type: 128 = between blocks; the low bits = unused bits of the last byte. Else the stream was cut.
    if (result == Result::ok && (!begun_ || (stream_->z.data_type & 0xff) != 128))
      result = unknown_ ? Result::unknown : Result::invalid;
  }
  produced_ = 0;
  begun_ = false;
  if (no_context_takeover_) stream_.reset();
  return result;
}

}  // namespace sockeye::wire
