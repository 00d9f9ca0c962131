// bench_tap_send FILE INTERFACE PACKETS RATE: puts that many packets of a capture on an interface, RATE a second, from
// the beginning again where it ends, and prints how long that took.
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Packet = std::vector<unsigned char>;
constexpr std::size_t batch = 64;

bool read(const char* path, std::size_t most, std::vector<Packet>& out) {
  std::array<char, PCAP_ERRBUF_SIZE> message{};
  pcap_t* const handle = pcap_open_offline(path, message.data());
  if (handle == nullptr) return std::fprintf(stderr, "%s\n", message.data()), false;
  pcap_pkthdr* header = nullptr;
  const unsigned char* bytes = nullptr;
  while (out.size() < most && pcap_next_ex(handle, &header, &bytes) == 1)
    out.emplace_back(bytes, bytes + header->caplen);
  pcap_close(handle);
  return !out.empty();
}

int open(const char* interface) {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  // Protocol 0: it receives nothing itself.
  const int fd = to.sll_ifindex == 0 ? -1 : socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return std::perror(interface), -1;
  return fd;
}

// False: the interface took no more.
bool send(int fd, const std::vector<Packet>& packets, std::size_t from, std::size_t count) {
  std::array<mmsghdr, batch> messages{};
  std::array<iovec, batch> parts{};
  for (std::size_t i = 0; i < count; ++i) {
    const Packet& packet = packets[(from + i) % packets.size()];
    parts[i] = {const_cast<unsigned char*>(packet.data()), packet.size()};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (std::size_t sent = 0; sent < count;) {
    const int n = sendmmsg(fd, messages.data() + sent, static_cast<unsigned>(count - sent), 0);
    if (n < 0) return std::perror("sendmmsg"), false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return std::fprintf(stderr, "usage: bench_tap_send FILE INTERFACE PACKETS RATE\n"), 2;
  const std::size_t count = std::strtoull(argv[3], nullptr, 10);
  const double rate = std::strtod(argv[4], nullptr);
  std::vector<Packet> packets;
  if (rate <= 0 || !read(argv[1], count, packets)) return 1;
  const int fd = open(argv[2]);
  if (fd < 0) return 1;
  const auto begun = Clock::now();
  for (std::size_t sent = 0; sent < count; sent += std::min(batch, count - sent)) {
    std::this_thread::sleep_until(begun + std::chrono::duration<double>(static_cast<double>(sent) / rate));
    if (!send(fd, packets, sent, std::min(batch, count - sent))) return 1;
  }
  const double took = std::chrono::duration<double>(Clock::now() - begun).count();
  std::printf("{\"packets\":%" PRIu64 ",\"seconds\":%.3f}\n", std::uint64_t{count}, took);
  return 0;
}
