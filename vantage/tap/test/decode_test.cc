#include "../src/decode.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "../src/link_type.h"
#include "packets.h"

namespace sockeye::tap {
namespace {

using test::ethernet;
using test::Ip;
using test::ipv4;
using test::ipv6;
using test::Octets;
using test::octets;
using test::put;
using test::put16;
using test::put32;
using test::put8;
using test::tcp_segment;
using Result = Decoder::Result;

Packet packet_of(const Octets& bytes, std::uint32_t link = link_type::ethernet, std::uint32_t cut = 0) {
  return {{}, bytes, static_cast<std::uint32_t>(bytes.size() + cut), link};
}

const Octets hello =
    tcp_segment({.source = 1234, .destination = 80, .sequence = 7, .acknowledged = 9, .flags = 0x18, .options = 12},
                octets("hello"));

void expect_hello(const Octets& bytes, std::uint32_t link, const char* address = "192.0.2.1") {
  Decoder decoder;
  Segment segment;
  ASSERT_EQ(decoder.decode(packet_of(bytes, link), segment), Result::segment);
  EXPECT_EQ(base::as_text(segment.payload), "hello");
  EXPECT_EQ(segment.not_captured, 0U);
  EXPECT_EQ(address_text(segment.source), address);
  EXPECT_EQ(segment.source.port, 1234);
  EXPECT_EQ(segment.destination.port, 80);
  EXPECT_EQ(segment.sequence, 7U);
  EXPECT_EQ(segment.acknowledged, 9U);
  EXPECT_EQ(segment.flags, 0x18);
}

Octets after(Octets header, const Octets& body) {
  put(header, body);
  return header;
}

TEST(Decode, EveryLinkLayer) {
  const auto four = ipv4(hello);
  const auto six = ipv6(hello, {.source = 5});
  expect_hello(ethernet(four), link_type::ethernet);
  expect_hello(ethernet(six, 0x86dd), link_type::ethernet, "2001:db8::5");
  expect_hello(ethernet(four, 0x0800, {0x88a8, 0x8100}), link_type::ethernet);
  expect_hello(after({2, 0, 0, 0}, four), link_type::null);
  expect_hello(after({0, 0, 0, 30}, six), link_type::null, "2001:db8::5");
  expect_hello(after({0, 0, 0, 2}, four), link_type::loop);
  expect_hello(four, link_type::raw);
  expect_hello(six, link_type::raw_bsd, "2001:db8::5");
  expect_hello(four, link_type::ipv4);
  expect_hello(six, link_type::ipv6, "2001:db8::5");
  Octets cooked(14, 0);
  put16(cooked, 0x0800);
  expect_hello(after(cooked, four), link_type::linux_cooked);
  Octets cooked2;
  put16(cooked2, 0x8100), cooked2.resize(20), put16(cooked2, 7), put16(cooked2, 0x86dd);
  expect_hello(after(cooked2, six), link_type::linux_cooked_v2, "2001:db8::5");
  Decoder decoder;
  Segment segment;
  EXPECT_EQ(decoder.decode(packet_of(four, 147), segment), Result::unknown_link);
}

TEST(Decode, PaddingIsNoPayload) {
  auto padded = ethernet(ipv4(hello));
  padded.resize(padded.size() + 20);
  expect_hello(padded, link_type::ethernet);
}

TEST(Decode, ALengthLeftToTheCardIsThePackets) {
  expect_hello(ethernet(ipv4(hello, {.length = 0})), link_type::ethernet);
}

TEST(Decode, ExtensionHeadersAreSteppedOver) {
  Octets body = {60, 0, 0, 0, 0, 0, 0, 0};                             // hop by hop, then destination options
  put(body, Octets{51, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});  // of 16 bytes, then authentication
  put(body, Octets{44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});              // of 12 bytes, then an atomic fragment
  put(body, Octets{6, 0, 0, 0, 0, 0, 0, 1});
  put(body, hello);
  expect_hello(ethernet(ipv6(body, {.source = 5, .protocol = 0}), 0x86dd), link_type::ethernet, "2001:db8::5");
  Octets many;
  for (int i = 0; i < 9; ++i) put(many, Octets{60, 0, 0, 0, 0, 0, 0, 0});
  Decoder decoder;
  Segment segment;
  EXPECT_EQ(decoder.decode(packet_of(ethernet(ipv6(many, {.protocol = 60}), 0x86dd)), segment), Result::other);
}

TEST(Decode, TheSnapLengthLeavesAHoleOfKnownLength) {
  const auto whole = ethernet(ipv4(hello));
  for (std::size_t kept = 0; kept <= whole.size(); ++kept) {
    const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(kept));
    Decoder decoder;
    Segment segment;
    const auto result = decoder.decode(packet_of(cut, 1, static_cast<std::uint32_t>(whole.size() - kept)), segment);
    if (kept < 14 + 20 + 20) {  // as far as TCP's fixed header
      EXPECT_EQ(result, Result::malformed) << kept;
    } else {
      ASSERT_EQ(result, Result::segment) << kept;
      EXPECT_EQ(segment.payload.size() + segment.not_captured, 5U) << kept;
      EXPECT_EQ(base::as_text(segment.payload), std::string_view("hello").substr(0, segment.payload.size()));
    }
  }
}

TEST(Decode, HeadersThatLieAreMalformed) {
  Decoder decoder;
  Segment segment;
  const auto result = [&](const Octets& bytes) { return decoder.decode(packet_of(bytes), segment); };
  EXPECT_EQ(result(ethernet(ipv4(hello, {.length = 9999}))), Result::malformed);
  EXPECT_EQ(result(ethernet(ipv4(hello, {.length = 19}))), Result::malformed);
  EXPECT_EQ(result(ethernet(ipv6(hello, {.length = 9999}), 0x86dd)), Result::malformed);
  auto short_header = hello;
  short_header[12] = 4U << 4U;
  EXPECT_EQ(result(ethernet(ipv4(short_header))), Result::malformed);
  auto long_header = hello;
  long_header[12] = 15U << 4U;
  EXPECT_EQ(result(ethernet(ipv4(long_header))), Result::malformed);
  EXPECT_EQ(result(ethernet(ipv4(hello, {.protocol = 17}))), Result::other);
  EXPECT_EQ(result(ethernet(hello, 0x0806)), Result::other);
}

// The segment in pieces of 8 bytes, in the order given by `order`.
Result in_fragments(Decoder& decoder, Segment& segment, const std::vector<std::size_t>& order, bool six) {
  auto last = Result::other;
  for (const auto i : order) {
    const auto from = i * 8;
    const auto to = std::min(hello.size(), from + 8);
    const bool more = to < hello.size();
    const Octets piece(hello.begin() + static_cast<std::ptrdiff_t>(from),
                       hello.begin() + static_cast<std::ptrdiff_t>(to));
    Octets packet;
    if (six) {
      Octets body = {6, 0};
      put16(body, from | (more ? 1U : 0U)), put32(body, 77), put(body, piece);
      packet = ethernet(ipv6(body, {.protocol = 44}), 0x86dd);
    } else {
      packet = ethernet(ipv4(piece, {.id = 77, .more = more, .offset = from}));
    }
    last = decoder.decode(packet_of(packet), segment);
    if (last == Result::segment) {
      EXPECT_EQ(base::as_text(segment.payload), "hello");
    }
  }
  return last;
}

TEST(Decode, FragmentsInAnyOrder) {
  for (const bool six : {false, true}) {
    std::vector<std::size_t> order = {0, 1, 2, 3, 4};
    do {
      Decoder decoder;
      Segment segment;
      ASSERT_EQ(in_fragments(decoder, segment, order, six), Result::segment);
    } while (std::next_permutation(order.begin(), order.end()));
    Decoder decoder;
    Segment segment;
    EXPECT_EQ(in_fragments(decoder, segment, {3, 3, 0, 1, 2, 1}, six), Result::fragment) << "4 is missing";
    EXPECT_EQ(in_fragments(decoder, segment, {4}, six), Result::segment);
  }
}

TEST(Fragments, OverlapsAgeAndNumberEndThem) {
  Fragments fragments;
  const Octets eight(8, 1);
  const Octets sixteen(16, 1);
  const auto at = [](int seconds) { return base::Time(std::chrono::seconds(seconds)); };
  EXPECT_TRUE(fragments.add({.id = 1}, 8, true, sixteen, at(0)).empty());
  EXPECT_TRUE(fragments.add({.id = 1}, 0, true, sixteen, at(0)).empty());  // overlaps
  EXPECT_EQ(fragments.dropped(), 1U);
  EXPECT_TRUE(fragments.add({.id = 2}, 8, false, eight, at(0)).empty());
  EXPECT_TRUE(fragments.add({.id = 2}, 0, true, eight, at(31)).empty()) << "too old by then";
  EXPECT_EQ(fragments.dropped(), 2U);
  EXPECT_TRUE(fragments.add({.id = 3}, 65'528, false, sixteen, at(31)).empty()) << "beyond 65,535";
  EXPECT_TRUE(fragments.add({.id = 3}, 0, true, Octets(9), at(31)).empty()) << "not a multiple of 8";
  EXPECT_EQ(fragments.dropped(), 4U);
  for (std::uint32_t id = 100; id < 100 + 2 * Fragments::max_datagrams; ++id) {
    fragments.add({.id = id}, 0, true, eight, at(32) + base::Duration(id));
  }
  EXPECT_EQ(fragments.dropped(), 5U + Fragments::max_datagrams);
  EXPECT_EQ(fragments.add({.id = 101 + Fragments::max_datagrams}, 8, false, eight, at(33)).size(), 16U);
}

}  // namespace
}  // namespace sockeye::tap
