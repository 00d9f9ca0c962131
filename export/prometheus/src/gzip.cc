#include "gzip.h"

#define ZLIB_CONST
#include <zlib.h>

#include <limits>

#include "field_list.h"

namespace sockeye::prometheus {

std::optional<std::string> gzip(std::string_view in) {
  // The fastest level: metrics shrink tenfold at any level, and a scrape is answered on a busy machine.
  z_stream stream{};
  if (in.size() > std::numeric_limits<uInt>::max() / 2 ||
      deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return {};
  std::string out(deflateBound(&stream, static_cast<uLong>(in.size())), '\0');
  stream.next_in = reinterpret_cast<const Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool good = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  if (!good) return {};
  return out;
}

bool accepts_gzip(std::string_view list) {
  double any = 0;
  std::optional<double> named;
  while (const auto item = next_item(list)) {
    if (same_token(item->value, "gzip") || same_token(item->value, "x-gzip")) named = item->weight;
    if (item->value == "*") any = item->weight;
  }
  return named.value_or(any) > 0;
}

}  // namespace sockeye::prometheus
