#include "sockeye/net/gzip.h"

#define ZLIB_CONST
#include <zlib.h>

#include <limits>

namespace sockeye::net {
namespace {

constexpr int window_bits = 15 + 16;  // + 16: gzip framing
constexpr int memory_level = 8;

}  // namespace

struct Gzip::State {
  z_stream stream{};
  bool good = false;
};

Gzip::Gzip(int level) : state_(std::make_unique<State>()) {
  state_->good =
      deflateInit2(&state_->stream, level, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY) == Z_OK;
}

Gzip::~Gzip() {
  if (state_->good) deflateEnd(&state_->stream);
}

bool Gzip::compress(std::string_view in, std::string& out) {
  z_stream& stream = state_->stream;
  if (!state_->good || in.size() > std::numeric_limits<uInt>::max() / 2 || deflateReset(&stream) != Z_OK) return false;
  out.resize(deflateBound(&stream, static_cast<uLong>(in.size())));
  stream.next_in = reinterpret_cast<const Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return false;
  out.resize(out.size() - stream.avail_out);
  return true;
}

}  // namespace sockeye::net
