// bench_tap_read libpcap|source|streams FILE: how long it takes to read a capture: every packet by libpcap alone, by
// our reader alone, and as far as the bytes of TCP streams.
#include <pcap/pcap.h>

#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "decode.h"
#include "reassembly.h"

namespace {

using namespace sockeye;
using namespace sockeye::tap;

struct Counted {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

bool by_libpcap(const char* path, Counted& out) {
  char message[PCAP_ERRBUF_SIZE] = {};
  pcap_t* handle = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, message);
  if (handle == nullptr) return std::fprintf(stderr, "%s\n", message), false;
  pcap_pkthdr* header = nullptr;
  const unsigned char* bytes = nullptr;
  while (pcap_next_ex(handle, &header, &bytes) == 1) {
    ++out.packets;
    out.bytes += header->caplen + bytes[0];
  }
  pcap_close(handle);
  return true;
}

struct Sum final : StreamListener {
  std::uint64_t bytes_seen = 0;
  void opened(Stream&, base::Time) override {}
  void bytes(Stream&, model::Side, base::Bytes bytes, base::Time) override { bytes_seen += bytes.size(); }
  void gap(Stream&, model::Side, std::uint64_t, base::Time) override {}
  void finished(Stream&, model::Side, Finish, base::Time) override {}
  void closed(Stream&, Closed, base::Time) override {}
};

bool by_us(const char* path, bool streams, Counted& out) {
  auto source = open_capture(path);
  if (!source) return std::fprintf(stderr, "%s\n", source.error().message.c_str()), false;
  Sum sum;
  Decoder decoder;
  Reassembly reassembly({}, 1, sum);
  std::array<Packet, Reassembly::max_batch> packets;
  std::array<Segment, Reassembly::max_batch> segments;
  while ((*source)->next(packets[0]) == Source::Event::packet) {
    const auto count = 1 + (*source)->more(std::span(packets).subspan(1));
    out.packets += count;
    std::size_t decoded = 0;
    for (const auto& packet : std::span(packets).first(count)) {
      if (!streams) {
        out.bytes += packet.bytes.size() + packet.bytes[0];
      } else if (decoder.decode(packet, segments[decoded]) == Decoder::Result::segment) {
        ++decoded;  // none of them is put together of fragments
      }
    }
    reassembly.segments(std::span(segments).first(decoded));
  }
  reassembly.finish();
  if (streams) out.bytes = sum.bytes_seen;
  return true;
}

double processor_seconds() {
  timespec ts{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: bench_tap_read libpcap|source|streams FILE\n"), 2;
  Counted counted;
  const auto begun = std::chrono::steady_clock::now();
  const bool good = std::strcmp(argv[1], "libpcap") == 0
                        ? by_libpcap(argv[2], counted)
                        : by_us(argv[2], std::strcmp(argv[1], "streams") == 0, counted);
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.3f,\"cpu_seconds\":%.3f}\n",
              counted.packets, counted.bytes, took, processor_seconds());
  return good ? 0 : 1;
}
