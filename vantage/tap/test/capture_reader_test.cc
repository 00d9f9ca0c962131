#include "../src/capture_reader.h"

#include <gtest/gtest.h>

#include "memory_input.h"
#include "packets.h"

namespace sockeye::tap {
namespace {

using test::Octets;
using test::octets;
using test::PcapngWriter;
using test::PcapWriter;
using Event = Source::Event;

constexpr std::uint64_t noon = 1'772'366'400'123'456'789;  // ns

base::Result<std::unique_ptr<Source>> open_bytes(const Octets& bytes, std::size_t step = SIZE_MAX) {
  return CaptureReader::open("x.pcap", std::make_unique<test::MemoryInput>(bytes, step));
}

struct Read {
  std::vector<std::string> packets;  // "TIME LINK SIZE/WIRE TEXT"
  std::vector<std::string> secrets;
  std::string error;
  std::string truncation;
  std::uint64_t dropped = 0;
};

Read read_all(const Octets& bytes, std::size_t step = SIZE_MAX) {
  Read out;
  auto source = open_bytes(bytes, step);
  if (!source) {
    out.error = source.error().message;
    return out;
  }
  for (Packet packet;;) {
    switch ((*source)->next(packet)) {
      case Event::packet:
        out.packets.push_back(std::to_string(packet.time.time_since_epoch().count()) + " " +
                              std::to_string(packet.link_type) + " " + std::to_string(packet.bytes.size()) + "/" +
                              std::to_string(packet.wire_size) + " " + std::string(base::as_text(packet.bytes)));
        break;
      case Event::secrets:
        out.secrets.emplace_back(base::as_text((*source)->secrets()));
        break;
      case Event::failed:
        out.error = (*source)->error().message;
        [[fallthrough]];
      default:
        out.truncation = (*source)->truncation();
        out.dropped = (*source)->dropped();
        EXPECT_NE((*source)->next(packet), Event::packet) << "an end is an end";
        return out;
    }
  }
}

TEST(Pcap, EveryFlavour) {
  for (const bool big : {false, true})
    for (const bool nano : {false, true})
      for (const bool modified : {false, true}) {
        if (nano && modified) continue;
        PcapWriter writer({big, nano, modified, 113});
        writer.packet(noon, octets("one"));
        writer.packet(noon + 1'000'000'000, octets("tw"), 1500);
        writer.packet(noon, {});
        const auto time = nano ? "1772366400123456789" : "1772366400123456000";
        for (const std::size_t step : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
          const auto read = read_all(writer.bytes(), step);
          ASSERT_EQ(read.packets.size(), 3U) << read.error;
          EXPECT_EQ(read.packets[0], std::string(time) + " 113 3/3 one");
          EXPECT_EQ(read.packets[1].substr(19), " 113 2/1500 tw");
          EXPECT_EQ(read.packets[2].substr(19), " 113 0/0 ");
          EXPECT_EQ(read.error + read.truncation, "");
        }
      }
}

TEST(Pcap, CutOffKeepsWhatCameBefore) {
  PcapWriter writer;
  writer.packet(noon, octets("whole"));
  const auto good = writer.bytes().size();
  writer.packet(noon, octets("cut off"));
  const auto all = writer.bytes();
  for (auto size = good; size < all.size(); ++size) {
    const auto read = read_all({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size)});
    ASSERT_EQ(read.packets.size(), 1U) << size;
    EXPECT_EQ(read.error, "");
    EXPECT_EQ(read.truncation,
              size == good ? "" : "x.pcap: cut off at byte " + std::to_string(size) + ", inside a packet or block");
  }
}

TEST(Pcap, ALyingLengthIsAnErrorWithItsPlace) {
  PcapWriter writer;
  writer.packet(noon, octets("good"));
  const auto at = writer.bytes().size();
  writer.packet(noon, octets("bad"));
  writer.bytes()[at + 8 + 3] = 0x7f;  // the captured length's top byte
  const auto read = read_all(writer.bytes());
  EXPECT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.error,
            "x.pcap: byte 44: a packet says that 2130706435 bytes of it were captured, and more than 262144 "
            "never are");
}

TEST(Pcap, WhatIsNoCaptureIsSaid) {
  EXPECT_EQ(read_all({}).error, "x.pcap: not a capture: it has 0 bytes");
  EXPECT_EQ(read_all(octets("#!/bin/sh")).error, "x.pcap: not a capture: neither pcap nor pcapng begins like this");
  EXPECT_EQ(read_all({0x1f, 0x8b, 8, 0}).error, "x.pcap: compressed by gzip: decompress it first, or pipe it in (-)");
  EXPECT_EQ(read_all(PcapWriter({false, false, false, 147}).bytes()).error,
            "x.pcap: its link type 147 is not understood: Ethernet, loopback, Linux cooked (v1, v2) and raw IP are");
  EXPECT_NE(open_capture("/nonexistent/x.pcap").error().message.find("No such file"), std::string::npos);
  EXPECT_NE(open_capture("/").error().message.find("Is a directory"), std::string::npos);
}

TEST(Pcapng, InterfacesHaveTheirOwnLinkTypeAndClock) {
  for (const bool big : {false, true}) {
    PcapngWriter writer(big);
    writer.interface(1);
    writer.interface(113, 9);
    writer.interface(101, 0x80 | 20, 1000);  // 2^-20 s, and an offset of 1000 s
    writer.enhanced(0, noon / 1000, octets("ether"));
    writer.enhanced(1, noon, octets("cooked"), 99);
    writer.enhanced(2, 3ULL << 19U, octets("raw"));
    writer.simple(octets("simple"));
    writer.block(0x0bad, [&] { writer.file().integer(1, 8); });
    writer.section(!big);
    writer.interface(276);
    writer.enhanced(0, 5, octets("second section"));
    for (const std::size_t step : {std::size_t{1}, std::size_t{11}, SIZE_MAX}) {
      const auto read = read_all(writer.bytes(), step);
      EXPECT_EQ(read.error + read.truncation, "");
      EXPECT_EQ(read.packets,
                (std::vector<std::string>{"1772366400123456000 1 5/5 ether", "1772366400123456789 113 6/99 cooked",
                                          "1001500000000 101 3/3 raw", "1001500000000 1 6/6 simple",
                                          "5000 276 14/14 second section"}));
    }
  }
}

TEST(Pcapng, SecretsAndDropsAreHandedOn) {
  PcapngWriter writer;
  writer.interface(1);
  writer.secrets(0x544c534b, octets("CLIENT_RANDOM 00 11\n"));
  writer.secrets(0x5353484b, octets("of SSH"));
  writer.dropped(0, 17);
  writer.section(false);
  writer.interface(1);
  writer.dropped(0, 4);
  writer.dropped(0, 5);
  const auto read = read_all(writer.bytes());
  EXPECT_EQ(read.error, "");
  EXPECT_EQ(read.secrets, std::vector<std::string>{"CLIENT_RANDOM 00 11\n"});
  EXPECT_EQ(read.dropped, 22U);
}

TEST(Pcapng, LiesAreErrorsWithTheirPlace) {
  const auto error = [](auto&& spoil) {
    PcapngWriter writer;
    writer.interface(1);
    writer.enhanced(0, 1, octets("good"));
    const auto at = writer.bytes().size();
    writer.enhanced(0, 1, octets("bad"));
    spoil(writer, at);
    const auto read = read_all(writer.bytes());
    EXPECT_EQ(read.packets.size(), 1U);
    EXPECT_EQ(read.error.find("x.pcap: byte 88: "), 0U) << read.error;
    return read.error.substr(std::min<std::size_t>(read.error.size(), 17));
  };
  EXPECT_EQ(error([](auto& w, auto at) { w.bytes()[at + 4] = 10; }), "a block of 10 bytes");
  EXPECT_EQ(error([](auto& w, auto at) { w.bytes()[at + 7] = 0x40; }),
            "a block of type 6 says that it has 1073741860 bytes, more than 327680");
  EXPECT_EQ(error([](auto& w, auto) { w.bytes().end()[-4] = 99; }), "a block whose two lengths differ (36 and 99)");
  EXPECT_EQ(error([](auto& w, auto at) { w.bytes()[at + 8] = 3; }), "a packet of interface 3, which is not described");
  EXPECT_EQ(error([](auto& w, auto at) { w.bytes()[at + 20] = 5; }),
            "a packet says that 5 bytes of it were captured, in a block of 36");
}

TEST(Pcapng, CutOffInsideWhatIsSteppedOver) {
  PcapngWriter writer;
  writer.block(0x0bad, [&] { writer.file().integer(1, 8); });
  writer.bytes().resize(writer.bytes().size() - 6);
  EXPECT_EQ(read_all(writer.bytes()).truncation, "x.pcap: cut off at byte 42, inside a packet or block");
}

}  // namespace
}  // namespace sockeye::tap
