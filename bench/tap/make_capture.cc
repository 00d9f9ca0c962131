// bench_tap_make FILE MEGABYTES [SESSIONS]: a capture of so many WebSocket sessions at a time over Ethernet, as a busy
// gateway has them: handshakes, small JSON messages both ways with some large ones among them, pings, acknowledgements.
// The same arguments give the same bytes.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "packets.h"
#include "sockeye/base/random.h"
#include "sockeye/wire/frame_writer.h"
#include "sockeye/wire/http.h"

namespace {

using namespace sockeye;
using tap::test::Octets;

constexpr std::size_t segment_size = 1448;

struct Session {
  std::uint32_t client_address = 0;
  std::uint16_t client_port = 0;
  std::uint32_t sequence[2] = {};
  int messages = 0;
  int unacknowledged[2] = {};
};

class Maker {
 public:
  Maker(std::FILE* file, std::size_t sessions) : file_(file), sessions_(sessions) {}

  void run(std::uint64_t size) {
    flush();
    for (auto& session : sessions_) open(session);
    while (written_ < size) {
      auto& session = sessions_[random_() % sessions_.size()];
      if (session.messages == 0) {
        if (session.sequence[0] != 0) end(session);
        open(session);
      }
      --session.messages;
      const bool from_client = random_() % 3 == 0;
      message(session, from_client ? 0 : 1);
    }
    for (auto& session : sessions_) end(session);
    flush();
  }
  [[nodiscard]] std::uint64_t written() const { return written_; }
  [[nodiscard]] std::uint64_t packets() const { return packets_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  [[nodiscard]] std::uint64_t opened() const { return opened_; }

 private:
  void open(Session& s) {
    const auto number = opened_++;
    s.client_address = 0x0a000000U + static_cast<std::uint32_t>(number % 60'000);
    s.client_port = static_cast<std::uint16_t>(10'000 + number / 60'000 % 50'000);
    s.messages = 200 + static_cast<int>(random_() % 2000);
    for (auto& sequence : s.sequence) sequence = static_cast<std::uint32_t>(random_()) | 1U;
    packet(s, 0, 2, {});
    ++s.sequence[0];
    packet(s, 1, 2 | 16, {});
    ++s.sequence[1];
    packet(s, 0, 16, {});
    const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
    bytes(s, 0,
          base::as_bytes("GET /chat HTTP/1.1\r\nHost: gateway.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
                         key + "\r\n\r\n"));
    bytes(s, 1,
          base::as_bytes("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: " +
                         wire::accept_key(key) + "\r\n\r\n"));
  }

  void end(Session& s) {
    for (const int side : {0, 1}) {
      const auto frame = wire::close_frame(1000, "", side == 0, 0x12345678);
      bytes(s, side, frame.view());
    }
    for (const int side : {1, 0}) {
      packet(s, side, 1 | 16, {});
      ++s.sequence[side];
    }
    packet(s, 1, 16, {});
  }

  void message(Session& s, int side) {
    ++messages_;
    const auto kind = random_() % 100;
    std::size_t size = 40 + random_() % 260;
    if (kind >= 70) size = 300 + random_() % 1000;
    if (kind >= 95) size = 4000 + random_() % 12'000;
    std::string text = R"({"type":"delta","id":)" + std::to_string(messages_) + R"(,"text":")";
    while (text.size() + 2 < size) text += static_cast<char>('a' + random_() % 26);
    text += "\"}";
    frame_.clear();
    wire::append_data_frame(frame_, model::Opcode::text, true, false, base::as_bytes(text), side == 0,
                            static_cast<std::uint32_t>(random_()));
    bytes(s, side, frame_);
    if (kind == 0) {
      bytes(s, 1, wire::control_frame(model::Opcode::ping, base::as_bytes("1"), false, 0).view());
      bytes(s, 0, wire::control_frame(model::Opcode::pong, base::as_bytes("1"), true, 7).view());
    }
  }

  void bytes(Session& s, int side, base::Bytes all) {
    while (!all.empty()) {
      const auto part = all.first(std::min(all.size(), segment_size));
      all = all.subspan(part.size());
      packet(s, side, all.empty() ? 16 | 8 : 16, part);
      s.sequence[side] += static_cast<std::uint32_t>(part.size());
      if (++s.unacknowledged[side] == 2) {
        s.unacknowledged[side] = 0;
        packet(s, 1 - side, 16, {});
      }
    }
  }

  void packet(Session& s, int side, int flags, base::Bytes payload) {
    tap::test::TcpFields tcp{s.client_port,
                             443,
                             s.sequence[side],
                             (flags & 16) != 0 ? s.sequence[1 - side] : 0,
                             static_cast<std::uint8_t>(flags),
                             512,
                             12};
    tap::test::Ip ip{s.client_address, 0x0a010203};
    if (side == 1) {
      std::swap(tcp.source, tcp.destination);
      std::swap(ip.source, ip.destination);
    }
    time_ += 500 + random_() % 5000;
    writer_.packet(time_, tap::test::ethernet(tap::test::ipv4(tap::test::tcp_segment(tcp, payload), ip)));
    ++packets_;
    if (writer_.bytes().size() > 1U << 20U) flush();
  }

  void flush() {
    auto& bytes = writer_.bytes();
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
      std::perror("bench_tap_make");
      std::exit(1);
    }
    written_ += bytes.size();
    bytes.clear();
  }

  std::FILE* file_;
  tap::test::PcapWriter writer_{{false, true, false, 1}};
  base::Random random_{1};
  std::vector<Session> sessions_;
  std::vector<base::Byte> frame_;
  std::uint64_t time_ = 1'772'366'400'000'000'000;
  std::uint64_t written_ = 0, packets_ = 0, messages_ = 0, opened_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: bench_tap_make FILE MEGABYTES [SESSIONS]\n"), 2;
  std::FILE* file = std::fopen(argv[1], "wb");
  if (file == nullptr) return std::perror(argv[1]), 1;
  Maker maker(file, argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1000);
  maker.run(std::strtoull(argv[2], nullptr, 10) * 1'000'000);
  if (std::fclose(file) != 0) return std::perror(argv[1]), 1;
  std::printf("{\"bytes\":%" PRIu64 ",\"packets\":%" PRIu64 ",\"sessions\":%" PRIu64 ",\"messages\":%" PRIu64 "}\n",
              maker.written(), maker.packets(), maker.opened(), maker.messages());
  return 0;
}
