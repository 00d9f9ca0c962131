// WebSocket connections as packets: what two peers say, cut into segments and acknowledged, with nothing lost. The test
// takes out, repeats or reorders what it likes, and reads the rest as a capture.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "packets.h"
#include "sockeye/tap/source.h"
#include "sockeye/wire/frame_writer.h"
#include "sockeye/wire/http.h"

namespace sockeye::tap::test {

struct Captured {
  base::Time time{};
  Octets bytes;
  bool payload = false;
};

inline std::string upgrade_request(std::string_view target = "/chat", std::string_view more = "") {
  return "GET " + std::string(target) +
         " HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
         std::string(more) + "\r\n";
}
inline std::string upgrade_response(std::string_view more = "") {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
         wire::accept_key("dGhlIHNhbXBsZSBub25jZQ==") + "\r\n" + std::string(more) + "\r\n";
}
inline std::string frame(std::string_view text, bool masked, model::Opcode opcode = model::Opcode::text) {
  std::vector<base::Byte> out;
  wire::append_data_frame(out, opcode, true, false, base::as_bytes(text), masked, 0x2f81c4a7);
  return {out.begin(), out.end()};
}
inline std::string close_of(std::uint16_t code, bool masked) {
  const auto out = wire::close_frame(code, "", masked, 0x11223344);
  return std::string(base::as_text(out.view()));
}

class Talk {
 public:
  explicit Talk(std::uint16_t client_port = 40'000, std::uint16_t server_port = 8765)
      : port_{client_port, server_port}, sequence_{1000U * client_port, 77U * client_port} {}

  base::Time time{std::chrono::seconds(1'700'000'000)};
  base::Duration step = std::chrono::milliseconds(1);
  std::size_t segment = 1448;
  std::vector<Captured> packets;

  void connect() {
    packet(0, 2, {});
    ++sequence_[0];
    packet(1, 2 | 16, {});
    ++sequence_[1];
    packet(0, 16, {});
  }
  void say(model::Side side, std::string_view text) {
    const auto from = model::index(side);
    while (!text.empty()) {
      const auto part = text.substr(0, segment);
      text.remove_prefix(part.size());
      packet(from, 16 | 8, base::as_bytes(part));
      sequence_[from] += static_cast<std::uint32_t>(part.size());
    }
    packet(1 - from, 16, {});
  }
  void client(std::string_view text) { say(model::Side::client, text); }
  void server(std::string_view text) { say(model::Side::server, text); }
  void upgrade(std::string_view more_request = "", std::string_view more_response = "") {
    client(upgrade_request("/chat", more_request));
    server(upgrade_response(more_response));
  }
  // `count` messages each way, each unlike the others.
  void chat(int count, std::size_t size = 50) {
    for (int i = 0; i < count; ++i) {
      client(frame("question " + std::to_string(number_) + std::string(size, '?'), true));
      server(frame("answer " + std::to_string(number_++) + std::string(size, '!'), false));
    }
  }
  void close(std::uint16_t code = 1000) {
    client(close_of(code, true));
    server(close_of(code, false));
    for (const std::size_t from : {1, 0}) {
      packet(from, 1 | 16, {});
      ++sequence_[from];
    }
    packet(1, 16, {});
  }

 private:
  void packet(std::size_t from, int flags, base::Bytes payload) {
    const TcpFields tcp{.source = port_[from],
                        .destination = port_[1 - from],
                        .sequence = sequence_[from],
                        .acknowledged = (flags & 16) != 0 ? sequence_[1 - from] : 0,
                        .flags = static_cast<std::uint8_t>(flags)};
    Ip ip;
    if (from == 1) std::swap(ip.source, ip.destination);
    packets.push_back({time, ethernet(ipv4(tcp_segment(tcp, payload), ip)), !payload.empty()});
    time += step;
  }

  std::uint16_t port_[2];
  std::uint32_t sequence_[2];
  int number_ = 0;
};

// Packets as a source.
class ListSource final : public Source {
 public:
  explicit ListSource(std::vector<Captured> packets) : packets_(std::move(packets)) {}
  Event next(Packet& packet) override {
    if (at_ == packets_.size()) return Event::end;
    const auto& each = packets_[at_++];
    packet = {each.time, each.bytes, static_cast<std::uint32_t>(each.bytes.size()), 1};
    return Event::packet;
  }
  [[nodiscard]] const base::Error& error() const override { return error_; }
  [[nodiscard]] const std::string& truncation() const override { return error_.message; }

 private:
  std::vector<Captured> packets_;
  std::size_t at_ = 0;
  base::Error error_;
};

}  // namespace sockeye::tap::test
