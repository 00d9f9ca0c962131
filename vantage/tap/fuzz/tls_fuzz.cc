// TLS records and key logs. The input is a key log of a known session or of its own, and pieces of both directions:
// whatever they are, nothing is kept beyond the bounds, and nothing comes out that does not authenticate.
#include <cstdlib>

#include "../src/tls_stream.h"

namespace {

using namespace sockeye;
using namespace sockeye::tap;
using model::Side;

void check(bool good) {
  if (!good) std::abort();
}

struct Nothing final : TlsListener {
  void plain(Side, base::Bytes bytes, base::Time) override { check(!bytes.empty()); }
  void plain_gap(Side, std::optional<std::uint64_t>, base::Time) override {}
};

}  // namespace

// Pieces: a byte of what (bit 0: side, bit 1: gap, bit 2: key log lines), two of how many bytes, and those.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  TlsShared shared;
  Nothing listener;
  if (size > 0 && (data[0] & 0x80U) != 0) shared.keys.expect_more();
  {
    TlsStream stream(shared, listener, Side::client);
    base::Bytes in{data, size};
    base::Time time{};
    while (in.size() >= 3) {
      const auto what = in[0];
      const auto count = static_cast<std::size_t>(in[1] << 8U | in[2]);
      in = in.subspan(3);
      const auto side = (what & 1U) != 0 ? Side::server : Side::client;
      time += std::chrono::milliseconds(what >> 3U);
      if ((what & 2U) != 0) {
        if (count > 0) stream.gap(side, count, time);
        continue;
      }
      const auto piece = in.first(std::min(count, in.size()));
      in = in.subspan(piece.size());
      if ((what & 4U) != 0) {
        shared.keys.add(piece);
      } else if (!piece.empty()) {
        (void)TlsStream::begins(piece);
        stream.bytes(side, piece, time);
      }
      check(shared.kept <= TlsStream::max_kept);
    }
  }
  check(shared.kept == 0);
  return 0;
}
