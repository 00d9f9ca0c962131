// Capture files and the packets in them: whatever the bytes, reading ends, packets lie within their bounds, and the way
// the file arrives makes no difference.
#include <cstdlib>
#include <vector>

#include "../src/capture_reader.h"
#include "../src/decode.h"
#include "../test/memory_input.h"

namespace {

using namespace sockeye;
using namespace sockeye::tap;

void check(bool good) {
  if (!good) std::abort();
}

std::vector<std::uint64_t> read(base::Bytes bytes, std::size_t step) {
  std::vector<std::uint64_t> out;
  auto source = CaptureReader::open("fuzz", std::make_unique<test::MemoryInput>(bytes, step));
  if (!source) {
    check(!source.error().message.empty());
    return out;
  }
  Decoder decoder;
  for (Packet packet;;) {
    const auto event = (*source)->next(packet);
    out.push_back(static_cast<std::uint64_t>(event));
    if (event == Source::Event::secrets) out.push_back((*source)->secrets().size());
    if (event == Source::Event::failed) check(!(*source)->error().message.empty());
    if (event == Source::Event::end || event == Source::Event::failed) break;
    if (event != Source::Event::packet) continue;
    check(packet.bytes.size() <= CaptureReader::max_packet && packet.wire_size >= packet.bytes.size());
    check(packet.time >= base::Time{});
    Segment segment;
    const auto result = decoder.decode(packet, segment);
    out.push_back(static_cast<std::uint64_t>(packet.time.time_since_epoch().count()));
    out.push_back(static_cast<std::uint64_t>(result));
    if (result != Decoder::Result::segment) continue;
    std::uint64_t sum = segment.sequence + segment.not_captured;
    for (const auto byte : segment.payload) sum = sum * 31 + byte;
    out.push_back(sum);
    check(segment.payload.size() + segment.not_captured <=
          std::max<std::size_t>(packet.wire_size, Fragments::max_bytes));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check(read({data, size}, SIZE_MAX) == read({data, size}, 3));
  return 0;
}
