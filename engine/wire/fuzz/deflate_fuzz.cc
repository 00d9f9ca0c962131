// Inflation of hostile streams, and of good ones. Input: one byte of parameters, one of piece size, then either
// messages as they would be on the wire (each: length byte, bytes), or, with the top bit of the parameters, text to be
// compressed.
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "sockeye/wire/inflate.h"

namespace {

using namespace sockeye;
using Result = wire::Inflater::Result;

void require(bool holds) {
  if (!holds) std::abort();
}

bool append(void* context, base::Bytes piece) {
  auto& out = *static_cast<std::string*>(context);
  out += base::as_text(piece);
  return true;
}

Result message(wire::Inflater& inflater, base::Bytes bytes, std::size_t piece, std::string& out) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const base::Bytes part = bytes.subspan(at, std::min(piece, bytes.size() - at));
    if (const Result result = inflater.feed(part, 0, at, append, &out); result != Result::ok) return result;
  }
  return inflater.end(append, &out);
}

void round_trip(std::uint8_t bits, bool reset, std::size_t piece, base::Bytes text) {
  wire::Inflater inflater(bits, reset, 1 << 20);
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, -static_cast<int>(bits < 9 ? 9 : bits), 1, Z_DEFAULT_STRATEGY);
  while (!text.empty()) {
    const base::Bytes part = text.first(std::min<std::size_t>(text.size(), 1 + text[0] * 8U));
    text = text.subspan(part.size());
    std::string packed(deflateBound(&z, part.size()) + 64, '\0');
    z.next_in = const_cast<Bytef*>(part.data());
    z.avail_in = static_cast<uInt>(part.size());
    z.next_out = reinterpret_cast<Bytef*>(packed.data());
    z.avail_out = static_cast<uInt>(packed.size());
    require(deflate(&z, Z_SYNC_FLUSH) == Z_OK);
    packed.resize(packed.size() - z.avail_out - 4);
    if (reset) deflateReset(&z);
    std::string out;
    require(message(inflater, base::as_bytes(packed), piece, out) == Result::ok);
    require(out == base::as_text(part));
  }
  deflateEnd(&z);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto bits = static_cast<std::uint8_t>(8 + (data[0] & 7U));
  const bool reset = (data[0] & 8U) != 0;
  const std::size_t piece = 1U + data[1];
  base::Bytes rest{data + 2, size - 2};
  if ((data[0] & 128U) != 0) {
    round_trip(bits, reset, piece, rest);
    return 0;
  }
  const std::uint64_t limit = (data[0] & 16U) != 0 ? 1000 : 1 << 18;
  wire::Inflater whole(bits, reset, limit);
  wire::Inflater pieces(bits, reset, limit);
  while (!rest.empty()) {
    const std::size_t n = std::min<std::size_t>(rest[0], rest.size() - 1);
    const base::Bytes bytes = rest.subspan(1, n);
    rest = rest.subspan(1 + n);
    std::string a;
    std::string b;
    const Result x = message(whole, bytes, 1U << 20U, a);
    const Result y = message(pieces, bytes, piece, b);
    require(x == y);  // however it was split
    require(a.size() <= limit && b.size() <= limit);
    if (x != Result::ok) return 0;
    require(a == b);
  }
  return 0;
}
