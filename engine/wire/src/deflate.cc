#include "sockeye/wire/deflate.h"

#include <zlib.h>

#include <array>

namespace sockeye::wire {

using base::Byte;
using base::Bytes;

struct Deflater::Stream {
  z_stream z{};
  bool live = false;
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (live) deflateEnd(&z);
  }
};

namespace {

constexpr int level = 1;   // speed: it is somebody's latency
constexpr int memory = 5;  // 2^(bits + 2) + 2^14 bytes, at most 144 KiB with 15 bits

}  // namespace

Deflater::Deflater(std::uint8_t window_bits, bool no_context_takeover)
    : window_bits_(window_bits), no_context_takeover_(no_context_takeover), able_(window_bits > 8) {}
Deflater::~Deflater() = default;
Deflater::Deflater(Deflater&&) noexcept = default;
Deflater& Deflater::operator=(Deflater&&) noexcept = default;

bool Deflater::feed(Bytes plain, bool last, std::vector<Byte>& out) {
  if (!able_) return false;
  if (!stream_) {
    stream_ = std::make_unique<Stream>();
    if (deflateInit2(&stream_->z, level, Z_DEFLATED, -static_cast<int>(window_bits_), memory, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      stream_.reset();
      able_ = false;
      return false;
    }
    stream_->live = true;
  }
  z_stream& z = stream_->z;
  z.next_in = const_cast<Bytef*>(plain.data());  // zlib does not write there
  z.avail_in = static_cast<uInt>(plain.size());
  const std::size_t before = out.size();
  std::array<Byte, 4096> piece;
  do {
    z.next_out = piece.data();
    z.avail_out = static_cast<uInt>(piece.size());
    deflate(&z, last ? Z_SYNC_FLUSH : Z_NO_FLUSH);  // Z_BUF_ERROR: nothing left to do
    out.insert(out.end(), piece.data(), piece.data() + (piece.size() - z.avail_out));
  } while (z.avail_out == 0 || z.avail_in != 0);
  if (!last) return true;
  // §7.2.1: the flush ends with an empty block, whose 00 00 ff ff is not sent. A flush with nothing to flush writes no
  // block at all: §7.2.3.6 has the byte for an empty message.
  if (out.size() > before)
    out.resize(out.size() - 4);
  else
    out.push_back(0);
  if (no_context_takeover_) stream_.reset();
  return true;
}

}  // namespace sockeye::wire
