#include "sockeye/intake/decompress.h"

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>

namespace sockeye::intake {
namespace {

constexpr int zlib_framing = 15;
constexpr int gzip_framing = 15 + 16;
// RFC 9659 §3: a content encoding's window is at most 8 MiB. It bounds what a frame's head alone makes us allocate.
constexpr int zstd_window_log = 23;

enum class Encoding : unsigned char { identity, gzip, deflate, zstd, unknown };

Encoding parse(std::string_view name) {
  const auto is = [name](std::string_view known) {
    return std::equal(name.begin(), name.end(), known.begin(), known.end(),
                      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b; });
  };
  if (is("") || is("identity")) return Encoding::identity;
  if (is("gzip") || is("x-gzip")) return Encoding::gzip;  // RFC 9110 §8.4.1.3
  if (is("deflate")) return Encoding::deflate;
  if (is("zstd")) return Encoding::zstd;
  return Encoding::unknown;
}

// The text that comes out: grows by doubling, and never to more than one byte over the limit, which tells "just as
// much" from "more".
class Output {
 public:
  Output(std::string& out, std::size_t limit, std::size_t input)
      : out_(out), limit_(limit), most_(limit == std::numeric_limits<std::size_t>::max() ? limit : limit + 1) {
    out_.resize(std::min(most_, std::max<std::size_t>(4 * input, 4096)));
  }
  char* free() {
    if (used_ == out_.size()) out_.resize(std::min(most_, 2 * out_.size()));
    return out_.data() + used_;
  }
  [[nodiscard]] std::size_t room() const { return out_.size() - used_; }
  void add(std::size_t bytes) { used_ += bytes; }
  [[nodiscard]] bool over() const { return used_ > limit_; }
  Unpacking end(Unpacking how) {
    out_.resize(how == Unpacking::done ? used_ : 0);
    return how;
  }

 private:
  std::string& out_;
  std::size_t limit_, most_;
  std::size_t used_ = 0;
};

struct Inflate {
  z_stream stream{};
  bool good;
  explicit Inflate(int framing) : good(inflateInit2(&stream, framing) == Z_OK) {}
  ~Inflate() {
    if (good) inflateEnd(&stream);
  }
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;
};

// RFC 1952 §2.2: a gzip file is a series of members.
Unpacking inflate_all(int framing, std::string_view body, Output& out) {
  constexpr std::size_t most_at_once = std::numeric_limits<uInt>::max() / 2;
  Inflate state(framing);
  if (!state.good) return Unpacking::malformed;
  z_stream& stream = state.stream;
  std::size_t given = 0;
  for (;;) {
    if (stream.avail_in == 0 && given < body.size()) {
      stream.next_in = reinterpret_cast<const Bytef*>(body.data() + given);
      stream.avail_in = static_cast<uInt>(std::min(most_at_once, body.size() - given));
      given += stream.avail_in;
    }
    stream.next_out = reinterpret_cast<Bytef*>(out.free());
    const auto room = static_cast<uInt>(std::min(most_at_once, out.room()));
    stream.avail_out = room;
    const int code = inflate(&stream, Z_NO_FLUSH);
    out.add(room - stream.avail_out);
    if (out.over()) return Unpacking::too_large;
    const bool at_end = stream.avail_in == 0 && given == body.size();
    if (code == Z_STREAM_END) {
      if (at_end) return Unpacking::done;
      if (framing != gzip_framing || inflateReset(&stream) != Z_OK) return Unpacking::malformed;
    } else if (code != Z_OK) {
      return Unpacking::malformed;  // Z_BUF_ERROR: it breaks off
    }
  }
}

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

Unpacking unzstd(std::string_view body, Output& out) {
  const std::unique_ptr<ZSTD_DStream, FreeStream> stream(ZSTD_createDStream());
  if (!stream || ZSTD_isError(ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, zstd_window_log)) != 0)
    return Unpacking::malformed;
  ZSTD_inBuffer in{.src = body.data(), .size = body.size(), .pos = 0};
  for (;;) {
    char* const to = out.free();
    ZSTD_outBuffer part{.dst = to, .size = out.room(), .pos = 0};
    const std::size_t before = in.pos;
    const std::size_t left = ZSTD_decompressStream(stream.get(), &part, &in);
    out.add(part.pos);
    if (ZSTD_isError(left) != 0) return Unpacking::malformed;
    if (out.over()) return Unpacking::too_large;
    if (left == 0 && in.pos == in.size) return Unpacking::done;          // RFC 8878 §3: frames follow one another
    if (in.pos == before && part.pos == 0) return Unpacking::malformed;  // it breaks off
  }
}

}  // namespace

Unpacking decompress(std::string_view encoding, std::string_view body, std::size_t limit, std::string& out) {
  out.clear();
  const Encoding known = parse(encoding);
  if (known == Encoding::unknown) return Unpacking::unknown_encoding;
  if (body.empty()) return Unpacking::done;  // an exporter with nothing to say sends just that
  if (known == Encoding::identity) {
    if (body.size() > limit) return Unpacking::too_large;
    out = body;
    return Unpacking::done;
  }
  Output output(out, limit, body.size());
  if (known == Encoding::zstd) return output.end(unzstd(body, output));
  return output.end(inflate_all(known == Encoding::gzip ? gzip_framing : zlib_framing, body, output));
}

}  // namespace sockeye::intake
