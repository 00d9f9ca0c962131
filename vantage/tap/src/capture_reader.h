// Capture files: pcap (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html) and pcapng
// (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html).
//
// Our own reader, because libpcap's hides the secrets a pcapng file has, refuses one whose interfaces have different
// link layers, and has no bound on a block (docs/decisions/016). Everything is read through a window of bounded size,
// so a file may be a pipe, and a length that lies costs no memory: it ends the file with an error that names the byte.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "byte_order.h"
#include "sockeye/tap/source.h"
#include "window.h"

namespace sockeye::tap {

class CaptureReader final : public Source {
 public:
  static constexpr std::uint32_t max_packet = 262'144;             // bytes captured of one; libpcap's MAXIMUM_SNAPLEN
  static constexpr std::uint32_t max_block = max_packet + 65'536;  // of pcapng, with its options; others are skipped
  static constexpr std::uint32_t max_secrets = 16U << 20U;         // of one secrets block; a longer one is an error
  static constexpr std::size_t max_interfaces = 4096;              // of one section

  // `name` stands at the head of each message.
  static base::Result<std::unique_ptr<Source>> open(std::string name, std::unique_ptr<Input> input);

  CaptureReader(std::string name, std::unique_ptr<Input> input) : name_(std::move(name)), window_(std::move(input)) {}

  Event next(Packet& packet) override {
    if (ended_) return *ended_;
    return blocks_ ? next_block(packet) : next_record(packet);
  }
  [[nodiscard]] std::size_t more(std::span<Packet> room) override;
  [[nodiscard]] base::Bytes secrets() const override { return secrets_; }
  [[nodiscard]] const base::Error& error() const override { return error_; }
  [[nodiscard]] const std::string& truncation() const override { return truncation_; }
  [[nodiscard]] std::uint64_t dropped() override;
  [[nodiscard]] std::uint64_t position() const override { return window_.offset(); }
  [[nodiscard]] std::uint64_t size() const override { return window_.input_size(); }

 private:
  struct Interface {
    std::uint32_t link_type = 0;
    std::uint32_t snap_length = 0;
    std::uint64_t ticks = 1'000'000;  // a second
    std::uint64_t scale = 1000;       // ns a tick, when whole; 0: the slow way
    std::int64_t offset = 0;          // seconds
    std::uint64_t dropped = 0;
  };

  base::Result<void> begin();
  base::Result<void> begin_records(std::uint32_t header);
  Event next_record(Packet& packet);
  void take_record(std::uint32_t captured, Packet& packet);

  Event next_block(Packet& packet);
  // A packet's block is next, and the window has all of it.
  [[nodiscard]] bool block_at_hand() const;
  std::optional<Event> read_block(std::uint32_t type, std::uint32_t length, Packet& packet);
  std::optional<Event> begin_section(std::uint32_t length);
  std::optional<Event> add_interface(base::Bytes body);
  void read_statistics(base::Bytes body);
  std::optional<Event> read_secrets(base::Bytes body);
  Event read_enhanced(base::Bytes body, bool obsolete, Packet& packet);
  Event read_simple(base::Bytes body, Packet& packet);
  [[nodiscard]] base::Time time_of(const Interface& interface, std::uint64_t ticks) const;

  // The input has ended; `inside` of a block that was being stepped over.
  Event end_here(bool inside = false);
  Event fail(const std::string& what);
  Event fail_at(std::uint64_t offset, const std::string& what);

  std::string name_;
  Window window_;
  FileOrder order_;
  bool blocks_ = false;
  std::optional<Event> ended_;

  std::uint32_t record_header_ = 16;  // of pcap: bytes before each packet
  std::uint32_t link_type_ = 0;
  std::uint32_t fraction_ = 1000;  // ns

  std::vector<Interface> interfaces_;
  std::uint64_t dropped_ = 0;  // by interfaces of earlier sections
  base::Time last_{};          // a simple packet block has no time of its own
  base::Bytes secrets_;

  base::Error error_;
  std::string truncation_;
};

}  // namespace sockeye::tap
