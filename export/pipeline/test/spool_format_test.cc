#include <gtest/gtest.h>

#include <array>

#include "sockeye/pipeline/spool.h"

namespace sockeye::pipeline::spool_format {
namespace {

TEST(SpoolFormat, RecordHeaderRoundTripsAndAnyFlippedBitIsSeen) {
  RecordHeader header;
  header.length = 70'000;
  header.body_crc = 0xdeadbeef;
  header.spans = 512;
  header.index = 3;
  header.encoding = 1;
  std::array<base::Byte, record_header_size> bytes{};
  write_record_header(header, bytes);
  const auto read = read_record_header(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->length, header.length);
  EXPECT_EQ(read->body_crc, header.body_crc);
  EXPECT_EQ(read->spans, header.spans);
  EXPECT_EQ(read->index, header.index);
  EXPECT_EQ(read->encoding, header.encoding);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto damaged = bytes;
    damaged[bit / 8] = static_cast<base::Byte>(damaged[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(read_record_header(damaged)) << bit;
  }
}

TEST(SpoolFormat, ARecordOfZerosIsNone) {
  EXPECT_FALSE(read_record_header(std::array<base::Byte, record_header_size>{}));
  EXPECT_FALSE(read_position(std::array<base::Byte, position_slot_size>{}));
}

TEST(SpoolFormat, HeadersWithTrueChecksumsButImpossibleContentAreNone) {
  std::array<base::Byte, record_header_size> bytes{};
  const auto refused = [&](RecordHeader header) {
    write_record_header(header, bytes);
    return !read_record_header(bytes);
  };
  EXPECT_TRUE(refused({.length = 0, .spans = 1}));
  EXPECT_TRUE(refused({.length = 1, .spans = 0}));
  EXPECT_TRUE(refused({.length = max_body + 1, .spans = 1}));
  EXPECT_FALSE(refused({.length = max_body, .spans = 1}));
}

// The bytes of docs/formats/spool.md, so that a changed writer cannot go unseen.
TEST(SpoolFormat, BytesAreAsDocumented) {
  std::array<base::Byte, segment_header_size> segment{};
  write_segment_header(0x0102, segment);
  EXPECT_EQ(std::string(base::as_text(segment)), std::string("SKSPOOL1\x02\x01\0\0\0\0\0\0", 16));
  std::array<base::Byte, record_header_size> record{};
  write_record_header({.length = 0x01020304, .body_crc = 5, .spans = 6, .index = 7, .encoding = 1}, record);
  EXPECT_EQ(std::string(base::as_text(record)).substr(4),
            std::string("\x04\x03\x02\x01\x05\0\0\0\x06\0\0\0\x07\0\0\0\x01\0\0\0", 20));
  EXPECT_EQ(crc32(base::as_bytes("123456789")), 0xcbf43926U);  // CRC-32/ISO-HDLC's check value
}

TEST(SpoolFormat, SegmentNames) {
  EXPECT_EQ(segment_name(255), "00000000000000ff.seg");
  EXPECT_EQ(parse_segment_name("00000000000000ff.seg"), 255U);
  for (const auto* name :
       {"", "position", "lock", "ff.seg", "00000000000000FF.seg", "0000000000000000.seg", "ffffffffffffffff.seg",
        "00000000000000ff.tmp", "+0000000000000ff.seg", "00000000000000ff.seg~"})
    EXPECT_FALSE(parse_segment_name(name)) << name;
}

}  // namespace
}  // namespace sockeye::pipeline::spool_format
