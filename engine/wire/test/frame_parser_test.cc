#include "sockeye/wire/frame_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "build_frame.h"

namespace sockeye::wire {
namespace {

using model::Anomaly;
using model::Opcode;
using model::Side;
using test::frame;
using test::FrameSpec;
using Kind = FrameParser::Piece::Kind;

// What a parser reported, with whatever depends on how the bytes were split removed.
struct Seen {
  struct Item {
    Kind kind = Kind::more;
    model::FrameHeader header;
    Anomaly anomaly = Anomaly::none;
    std::string payload;  // unmasked
    bool frame_done = false;
    bool message_done = false;
    bool belongs = false;
    std::uint64_t message_length = 0;
  };
  std::vector<Item> frames;
  std::string wire;  // all bytes that pieces covered
};

void run(FrameParser& parser, Seen& seen, std::string_view chunk) {
  base::Bytes in = base::as_bytes(chunk);
  while (!in.empty()) {
    const base::Bytes before = in;
    const auto piece = parser.next(in);
    ASSERT_GT(piece.used, 0U);
    in = in.subspan(piece.used);
    if (piece.kind == Kind::more) {
      ASSERT_TRUE(in.empty());
      break;
    }
    seen.wire += base::as_text(piece.held);
    if (piece.held.empty()) {
      seen.wire += base::as_text(before.first(piece.used));
    } else if (piece.kind == Kind::data) {
      seen.wire += base::as_text(piece.payload);
    }
    if (piece.starts) {
      seen.frames.push_back({.kind = piece.kind,
                             .header = parser.header(),
                             .anomaly = piece.anomaly,
                             .payload = {},
                             .belongs = parser.in_message_frame(),
                             .message_length = parser.message_length()});
    } else {
      ASSERT_EQ(piece.anomaly, Anomaly::none);
    }
    auto& item = seen.frames.back();
    ASSERT_FALSE(item.frame_done);
    if (!parser.opaque()) {
      ASSERT_EQ(piece.offset, item.payload.size());
      std::string plain(piece.payload.size(), '\0');
      unmask(piece.payload, parser.header().mask, piece.offset, reinterpret_cast<base::Byte*>(plain.data()));
      item.payload += plain;
    }
    item.frame_done = piece.frame_done;
    item.message_done = piece.message_done;
  }
}

Seen parse(const FrameRules& rules, std::string_view bytes, std::size_t split_at) {
  FrameParser parser(rules);
  Seen seen;
  run(parser, seen, bytes.substr(0, split_at));
  if (split_at < bytes.size()) run(parser, seen, bytes.substr(split_at));
  seen.wire += base::as_text(parser.held());
  return seen;
}

void expect_same(const Seen& a, const Seen& b, const std::string& how) {
  ASSERT_EQ(a.wire, b.wire) << how;
  ASSERT_EQ(a.frames.size(), b.frames.size()) << how;
  for (std::size_t i = 0; i < a.frames.size(); ++i) {
    const auto& x = a.frames[i];
    const auto& y = b.frames[i];
    ASSERT_TRUE(x.kind == y.kind && x.anomaly == y.anomaly && x.payload == y.payload && x.frame_done == y.frame_done &&
                x.message_done == y.message_done && x.belongs == y.belongs && x.message_length == y.message_length &&
                x.header.length == y.header.length && x.header.mask == y.header.mask &&
                x.header.opcode == y.header.opcode && x.header.size == y.header.size && x.header.rsv == y.header.rsv)
        << how << ", frame " << i;
  }
}

// Whole, cut in two at every byte, and in pieces of every small size: the same. Returns the whole one.
Seen parse_every_way(const FrameRules& rules, const std::string& bytes) {
  const Seen whole = parse(rules, bytes, bytes.size());
  EXPECT_EQ(whole.wire, bytes);
  for (std::size_t at = 1; at < bytes.size(); ++at)
    expect_same(whole, parse(rules, bytes, at), "cut at " + std::to_string(at));
  for (std::size_t size = 1; size <= 20; ++size) {
    FrameParser parser(rules);
    Seen seen;
    for (std::size_t at = 0; at < bytes.size(); at += size) run(parser, seen, std::string_view(bytes).substr(at, size));
    seen.wire += base::as_text(parser.held());
    expect_same(whole, seen, "pieces of " + std::to_string(size));
  }
  return whole;
}

TEST(FrameParser, reads_every_length_form_of_both_sides) {
  for (const Side side : {Side::client, Side::server}) {
    for (const std::size_t n : {0U, 1U, 2U, 125U, 126U, 127U, 128U, 300U}) {
      const auto seen =
          parse_every_way({.sender = side}, test::text(side, std::string(n, 'q')) + test::text(side, "z"));
      ASSERT_EQ(seen.frames.size(), 2U);
      EXPECT_EQ(seen.frames[0].payload, std::string(n, 'q'));
      EXPECT_TRUE(seen.frames[0].message_done);
      EXPECT_EQ(seen.frames[0].anomaly, Anomaly::none);
      EXPECT_EQ(seen.frames[1].payload, "z");
    }
    for (const std::size_t n : {65535U, 65536U, 200000U}) {
      const std::string bytes = test::text(side, std::string(n, 'q'));
      const auto seen = parse({.sender = side}, bytes, bytes.size());
      ASSERT_EQ(seen.frames.size(), 1U);
      EXPECT_EQ(seen.frames[0].payload.size(), n);
      EXPECT_TRUE(seen.frames[0].message_done);
      expect_same(seen, parse({.sender = side}, bytes, 9), "in the header");
      expect_same(seen, parse({.sender = side}, bytes, n / 2), "in the payload");
    }
  }
}

TEST(FrameParser, reads_fragments_with_control_frames_between_them) {
  const Side c = Side::client;
  const std::string bytes = frame(c, Opcode::text, "ab", false) + frame(c, Opcode::ping, "p") +
                            frame(c, Opcode::continuation, "", false) + frame(c, Opcode::pong, std::string(125, 'o')) +
                            frame(c, Opcode::continuation, "cde") + frame(c, Opcode::binary, "f") +
                            frame(c, Opcode::close, "\x03\xe8");
  const auto seen = parse_every_way({.sender = c}, bytes);
  ASSERT_EQ(seen.frames.size(), 7U);
  for (const auto& item : seen.frames) {
    EXPECT_EQ(item.anomaly, Anomaly::none);
    EXPECT_TRUE(item.frame_done);
  }
  EXPECT_EQ(seen.frames[1].kind, Kind::control);
  EXPECT_EQ(seen.frames[3].payload.size(), 125U);
  EXPECT_FALSE(seen.frames[0].message_done);
  EXPECT_FALSE(seen.frames[2].message_done);
  EXPECT_TRUE(seen.frames[4].message_done);
  EXPECT_EQ(seen.frames[4].message_length, 5U);
  EXPECT_TRUE(seen.frames[5].message_done);
  EXPECT_EQ(seen.frames[6].header.opcode, Opcode::close);
}

TEST(FrameParser, finds_each_anomaly_and_goes_on) {
  struct Case {
    Side side;
    std::vector<FrameSpec> frames;
    Anomaly expected;
    std::size_t at;  // which frame
    FrameRules rules;
  };
  const Side c = Side::client;
  const Side s = Side::server;
  const auto op = [](int o) { return static_cast<Opcode>(o); };
  std::vector<Case> cases;
  for (const unsigned rsv : {1U, 2U, 3U, 4U, 5U, 6U, 7U})
    for (const Opcode opcode : {Opcode::text, Opcode::binary, Opcode::ping, Opcode::close})
      cases.push_back(
          {c, {{.opcode = opcode, .payload = "\x03\xe8", .rsv = rsv}}, Anomaly::reserved_bits, 0, {.sender = c}});
  for (const int o : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15})
    cases.push_back({c, {{.opcode = op(o), .payload = "x"}}, Anomaly::reserved_opcode, 0, {.sender = c}});
  cases.push_back({c, {{.payload = "x", .masked = 0}}, Anomaly::unmasked_client_frame, 0, {.sender = c}});
  cases.push_back(
      {c, {{.opcode = Opcode::ping, .payload = "x", .masked = 0}}, Anomaly::unmasked_client_frame, 0, {.sender = c}});
  cases.push_back({s, {{.payload = "x", .masked = 1}}, Anomaly::masked_server_frame, 0, {.sender = s}});
  cases.push_back(
      {s, {{.opcode = Opcode::pong, .payload = "x", .masked = 1}}, Anomaly::masked_server_frame, 0, {.sender = s}});
  for (const std::size_t n : {0U, 1U, 125U})
    for (const int form : {2, 8})
      for (const Opcode opcode : {Opcode::binary, Opcode::pong})
        cases.push_back({c,
                         {{.opcode = opcode, .payload = std::string(n, 'x'), .length_bytes = form}},
                         Anomaly::length_not_minimal,
                         0,
                         {.sender = c}});
  cases.push_back(
      {c, {{.payload = std::string(126, 'x'), .length_bytes = 8}}, Anomaly::length_not_minimal, 0, {.sender = c}});
  for (const Opcode opcode : {Opcode::ping, Opcode::pong, Opcode::close}) {
    cases.push_back(
        {c, {{.opcode = opcode, .payload = std::string(126, 'x')}}, Anomaly::control_too_long, 0, {.sender = c}});
    cases.push_back(
        {c, {{.opcode = opcode, .payload = "xx", .fin = false}}, Anomaly::control_fragmented, 0, {.sender = c}});
  }
  cases.push_back(
      {c, {{.opcode = Opcode::continuation, .payload = "x"}}, Anomaly::orphan_continuation, 0, {.sender = c}});
  cases.push_back({c,
                   {{.opcode = Opcode::continuation, .payload = "x", .fin = false}},
                   Anomaly::orphan_continuation,
                   0,
                   {.sender = c}});
  cases.push_back(
      {c, {{.payload = "a", .fin = false}, {.payload = "b"}}, Anomaly::interleaved_message, 1, {.sender = c}});
  cases.push_back({c,
                   {{.payload = "a", .fin = false}, {.opcode = Opcode::binary, .payload = "b", .fin = false}},
                   Anomaly::interleaved_message,
                   1,
                   {.sender = c}});
  // permessage-deflate: RSV1 only where a message starts
  const FrameRules deflate{.sender = c, .deflate = true};
  cases.push_back({c, {{.payload = "a", .rsv = 4}}, Anomaly::none, 0, deflate});
  cases.push_back({c, {{.payload = "a", .rsv = 6}}, Anomaly::reserved_bits, 0, deflate});
  cases.push_back({c, {{.opcode = Opcode::ping, .payload = "a", .rsv = 4}}, Anomaly::reserved_bits, 0, deflate});
  cases.push_back(
      {c,
       {{.payload = "a", .fin = false, .rsv = 4}, {.opcode = Opcode::continuation, .payload = "a", .rsv = 4}},
       Anomaly::reserved_bits,
       1,
       deflate});
  // an extension we do not know: its bits are not judged
  cases.push_back({c, {{.payload = "a", .rsv = 7}}, Anomaly::none, 0, {.sender = c, .judge_reserved = false}});
  cases.push_back({c,
                   {{.opcode = Opcode::pong, .payload = "a", .rsv = 3}},
                   Anomaly::none,
                   0,
                   {.sender = c, .judge_reserved = false}});
  // limits
  cases.push_back(
      {c, {{.payload = std::string(10, 'x')}}, Anomaly::none, 0, {.sender = c, .frame = 10, .message = 10}});
  cases.push_back({c, {{.payload = std::string(11, 'x')}}, Anomaly::frame_too_large, 0, {.sender = c, .frame = 10}});
  cases.push_back({c,
                   {{.payload = "123456", .fin = false}, {.opcode = Opcode::continuation, .payload = "12345"}},
                   Anomaly::message_too_large,
                   1,
                   {.sender = c, .message = 10}});
  cases.push_back({c,
                   {{.payload = "1", .fin = false},
                    {.opcode = Opcode::continuation, .payload = "2", .fin = false},
                    {.opcode = Opcode::continuation, .payload = "3"}},
                   Anomaly::too_many_fragments,
                   2,
                   {.sender = c, .fragments = 2}});
  cases.push_back({c,
                   {{.payload = "1", .fin = false},
                    {.opcode = Opcode::continuation, .payload = "2", .fin = false},
                    {.opcode = Opcode::continuation, .payload = "", .fin = false},
                    {.opcode = Opcode::continuation, .payload = ""}},
                   Anomaly::too_many_fragments,
                   2,
                   {.sender = c, .fragments = 2}});

  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    const Case& it = cases[i];
    std::string bytes;
    for (const auto& spec : it.frames) bytes += frame(it.side, spec);
    bytes += test::close(it.side, 1000);  // its framing must still be known
    const auto seen = parse_every_way(it.rules, bytes);
    ASSERT_EQ(seen.frames.size(), it.frames.size() + 1);
    for (std::size_t f = 0; f < it.frames.size(); ++f) {
      EXPECT_EQ(seen.frames[f].anomaly, f == it.at ? it.expected : Anomaly::none) << f;
      EXPECT_EQ(seen.frames[f].payload, it.frames[f].payload);
    }
    EXPECT_EQ(seen.frames.back().header.opcode, Opcode::close);
    EXPECT_EQ(seen.frames.back().anomaly, Anomaly::none);
  }
}

TEST(FrameParser, frames_of_no_legal_kind_end_no_message) {
  const Side c = Side::client;
  const auto seen =
      parse_every_way({.sender = c}, frame(c, {.opcode = static_cast<Opcode>(3), .payload = "x"}) +
                                         frame(c, Opcode::continuation, "y") +
                                         frame(c, {.opcode = Opcode::ping, .payload = std::string(126, 'z')}));
  for (const auto& item : seen.frames) {
    EXPECT_EQ(item.kind, Kind::data);
    EXPECT_FALSE(item.belongs);
    EXPECT_FALSE(item.message_done);
    EXPECT_TRUE(item.frame_done);
  }
}

TEST(FrameParser, knows_compressed_messages) {
  const Side s = Side::server;
  FrameParser parser({.sender = s, .deflate = true});
  const auto feed = [&](const FrameSpec& spec) {
    const std::string bytes = frame(s, spec);
    parser.next(base::as_bytes(bytes));
    return parser.message_compressed();
  };
  EXPECT_TRUE(feed({.payload = "a", .fin = false, .rsv = 4}));
  EXPECT_TRUE(feed({.opcode = Opcode::continuation, .payload = "a"}));
  EXPECT_FALSE(feed({.payload = "a"}));
}

TEST(FrameParser, takes_lengths_up_to_2_to_the_63) {
  for (const std::uint64_t length : {(1ULL << 63U) - 1, (1ULL << 32U), (1ULL << 63U), ~0ULL}) {
    std::string bytes{'\x82', '\xff'};
    for (unsigned i = 8; i-- > 0;) bytes += static_cast<char>(length >> (8U * i));
    bytes += "KEY!payload";
    for (std::size_t at = 1; at <= bytes.size(); ++at) {
      FrameParser parser({.sender = Side::client});
      Seen seen;
      run(parser, seen, std::string_view(bytes).substr(0, at));
      run(parser, seen, std::string_view(bytes).substr(at));
      ASSERT_EQ(seen.frames.size(), 1U);
      EXPECT_EQ(seen.wire, bytes);
      EXPECT_EQ(seen.frames[0].anomaly, (length >> 63U) != 0 ? Anomaly::length_too_large : Anomaly::none);
      EXPECT_EQ(parser.opaque(), (length >> 63U) != 0);
      EXPECT_FALSE(parser.at_boundary());
      EXPECT_EQ(parser.message_length(), (length >> 63U) != 0 ? 0 : length);
    }
  }
}

TEST(FrameParser, opaque_takes_everything) {
  FrameParser parser({.sender = Side::client});
  parser.become_opaque();
  const std::string garbage(100000, '\x8a');
  const auto piece = parser.next(base::as_bytes(garbage));
  EXPECT_EQ(piece.used, garbage.size());
  EXPECT_FALSE(piece.frame_done);
  EXPECT_TRUE(parser.opaque());
}

TEST(FrameParser, holds_at_most_what_it_says_and_knows_boundaries) {
  const Side c = Side::client;
  const std::string ping = frame(c, Opcode::ping, std::string(125, 'x'));
  ASSERT_EQ(ping.size(), FrameParser::max_held);
  FrameParser parser({.sender = c});
  for (std::size_t at = 0; at + 1 < ping.size(); ++at) {
    EXPECT_EQ(parser.next(base::as_bytes(ping).subspan(at, 1)).kind, Kind::more);
    EXPECT_TRUE(parser.at_boundary());
    EXPECT_TRUE(parser.mid_frame());
    EXPECT_EQ(parser.held().size(), at + 1);
  }
  EXPECT_EQ(parser.next(base::as_bytes(ping).last(1)).kind, Kind::control);
  EXPECT_FALSE(parser.mid_frame());

  const std::string data = frame(c, Opcode::text, "abc", false);
  parser.next(base::as_bytes(data).first(7));
  EXPECT_FALSE(parser.at_boundary());
  parser.next(base::as_bytes(data).subspan(7));
  EXPECT_TRUE(parser.at_boundary());
  EXPECT_FALSE(parser.mid_frame());
  EXPECT_TRUE(parser.mid_message());
}

TEST(FrameParser, as_many_fragments_as_allowed_and_an_empty_last_frame) {
  const Side c = Side::client;
  constexpr std::uint32_t most = 16384;
  for (const std::string last : {"z", ""}) {
    for (const std::uint32_t before : {most - 1, most}) {
      std::string bytes = frame(c, Opcode::text, "x", false);
      for (std::uint32_t i = 1; i < before; ++i) bytes += frame(c, Opcode::continuation, "y", false);
      bytes += frame(c, Opcode::continuation, last);
      FrameParser parser({.sender = c, .fragments = most});
      base::Bytes in = base::as_bytes(bytes);
      Anomaly found = Anomaly::none;
      while (!in.empty()) {
        const auto piece = parser.next(in);
        in = in.subspan(piece.used);
        if (piece.anomaly != Anomaly::none) found = piece.anomaly;
      }
      EXPECT_EQ(found, before == most && !last.empty() ? Anomaly::too_many_fragments : Anomaly::none)
          << before << " frames, then \"" << last << '"';
    }
  }
}

TEST(FrameParser, million_tiny_fragments) {
  const Side s = Side::server;
  std::string bytes = frame(s, Opcode::binary, "x", false);
  const std::string fragment = frame(s, Opcode::continuation, "y", false);
  for (int i = 0; i < 1'000'000; ++i) bytes += fragment;
  FrameParser parser({.sender = s, .fragments = 500'000});
  base::Bytes in = base::as_bytes(bytes);
  std::size_t too_many = 0;
  std::size_t frames = 0;
  while (!in.empty()) {
    const auto piece = parser.next(in);
    in = in.subspan(piece.used);
    ++frames;
    if (piece.anomaly == Anomaly::too_many_fragments) ++too_many;
  }
  EXPECT_EQ(frames, 1'000'001U);
  EXPECT_EQ(too_many, 1U);  // not one a frame
  EXPECT_EQ(parser.message_length(), 1'000'001U);
}

TEST(Unmask, every_length_and_offset) {
  const std::uint32_t key = 0x04030201;
  for (std::size_t n = 0; n < 40; ++n) {
    for (std::uint64_t offset = 0; offset < 9; ++offset) {
      const std::string in(n, 'a');
      std::string out(n, '\0');
      unmask(base::as_bytes(in), key, offset, reinterpret_cast<base::Byte*>(out.data()));
      for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(out[i], static_cast<char>('a' ^ (1 + (offset + i) % 4)));
    }
  }
}

}  // namespace
}  // namespace sockeye::wire
