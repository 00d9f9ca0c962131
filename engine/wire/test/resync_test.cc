#include "sockeye/wire/resync.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "build_frame.h"
#include "sockeye/base/random.h"
#include "sockeye/wire/frame_parser.h"

namespace sockeye::wire {
namespace {

using model::Opcode;
using model::Side;
using test::frame;

struct WrittenFrames {
  std::vector<std::string> frames;  // each as it went out, in a segment of its own
};

std::string payload_of(base::Random& random, bool text, std::size_t size) {
  std::string out;
  while (out.size() < size) out += text ? static_cast<char>('a' + random() % 26) : static_cast<char>(random() & 0xffU);
  return out;
}

WrittenFrames traffic(base::Random& random, Side side, bool text, int count, std::size_t longest) {
  WrittenFrames out;
  for (int i = 0; i < count; ++i) {
    const auto size = static_cast<std::size_t>(random() % longest);
    out.frames.push_back(
        frame(side, {.opcode = text ? Opcode::text : Opcode::binary, .payload = payload_of(random, text, size)}));
    if (i % 9 == 4) out.frames.push_back(frame(side, Opcode::ping, "beat"));
  }
  return out;
}

// Messages that whole frames from `from` on have, and what a search that begins there finds.
struct SearchResult {
  bool found = false;
  std::uint64_t messages = 0;
  bool wrong = false;  // something was found that is not one of the frames
};
SearchResult search(const WrittenFrames& written, std::size_t skip, std::size_t cut, Side side) {
  std::string all;
  std::vector<std::size_t> begins;
  for (const auto& each : written.frames) {
    begins.push_back(all.size());
    all += each;
  }
  Resync resync;
  FrameParser parser({.sender = side, .deflate = true});
  SearchResult out;
  std::size_t at = 0;
  std::size_t first = all.size();
  const auto parse = [&](base::Bytes in) {
    while (!in.empty()) {
      const auto piece = parser.next(in);
      in = in.subspan(piece.used);
      out.wrong = out.wrong || piece.anomaly != model::Anomaly::none;
      out.messages += piece.message_done ? 1 : 0;
    }
  };
  for (std::size_t i = 0; i < written.frames.size(); ++i) {
    std::string segment = written.frames[i];
    if (i < skip) {
      at += segment.size();
      continue;
    }
    if (i == skip) segment.erase(0, cut);
    at = begins[i] + (i == skip ? cut : 0);
    if (segment.empty()) continue;
    if (out.found) {
      parse(base::as_bytes(segment));
    } else if (resync.feed(base::as_bytes(segment), base::Time{} + std::chrono::milliseconds(i))) {
      out.found = true;
      out.wrong = out.wrong || resync.sender() != side;
      parser.resume();
      const auto held = resync.held();
      std::size_t size = 0;
      for (const auto& chunk : held) size += chunk.bytes.size();
      first = at + segment.size() - size;
      out.wrong = out.wrong || std::find(begins.begin(), begins.end(), first) == begins.end();
      for (const auto& chunk : held) parse(chunk.bytes);
    }
  }
  return out;
}

TEST(Resync, FindsTextWithinAFewMessagesWhereverItBegins) {
  base::Random random(1);
  for (const Side side : {Side::client, Side::server}) {
    for (int i = 0; i < 300; ++i) {
      const WrittenFrames written = traffic(random, side, true, 12, 200);
      const std::size_t skip = random() % 4;
      const std::size_t cut = random() % (written.frames[skip].size() + 1);
      const SearchResult out = search(written, skip, cut, side);
      ASSERT_TRUE(out.found) << i;
      ASSERT_FALSE(out.wrong) << i;
      ASSERT_GE(out.messages, 5U) << i;
      ASSERT_LE(out.messages, 12U) << i;
    }
  }
}

TEST(Resync, FindsBinaryAndInventsNothing) {
  base::Random random(2);
  int found = 0;
  for (int i = 0; i < 200; ++i) {
    const Side side = i % 2 == 0 ? Side::client : Side::server;
    const WrittenFrames written = traffic(random, side, false, 14, i % 10 == 0 ? 20'000 : 300);
    const std::size_t skip = random() % 4;
    const std::size_t cut = random() % (written.frames[skip].size() + 1);
    const SearchResult out = search(written, skip, cut, side);
    found += out.found ? 1 : 0;
    ASSERT_FALSE(out.wrong) << i;
    ASSERT_LE(out.messages, 14U) << i;
  }
  EXPECT_GE(found, 197);
}

TEST(Resync, FindsNothingInWhatIsNone) {
  base::Random random(3);
  for (int i = 0; i < 12; ++i) {
    Resync resync;
    for (int n = 0; n < 200; ++n) {
      const std::string segment = payload_of(random, i % 3 == 0, 1 + random() % 1400);
      ASSERT_FALSE(resync.feed(base::as_bytes(segment), base::Time{})) << i << ' ' << n;
    }
  }
}

// Where each byte begins a segment, that says nothing of what begins there.
TEST(Resync, TinySegmentsAreNoEvidence) {
  base::Random random(10);
  for (int i = 0; i < 8; ++i) {
    Resync resync;
    const std::string all = payload_of(random, false, 20'000);
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t size = 1 + random() % 3;
      ASSERT_FALSE(resync.feed(base::as_bytes(std::string_view(all).substr(at, size)), base::Time{})) << i << ' ' << at;
      at += size;
    }
  }
}

// Silence, and other payloads that repeat themselves.
TEST(Resync, WhatRepeatsItselfIsNoEvidence) {
  for (const std::string& unit : {std::string(2, '\0'), std::string("\x82\0", 2), std::string("\x89\0", 2),
                                  std::string("\x8a\0", 2), std::string("\x81\0", 2), std::string("\x01\0\x80\0", 4)}) {
    Resync resync(Side::server);
    std::string segment;
    while (segment.size() < 1400) segment += unit;
    for (int n = 0; n < 20; ++n) ASSERT_FALSE(resync.feed(base::as_bytes(segment), base::Time{})) << int{unit[0]};
  }
}

// An idle session has nothing else.
TEST(Resync, FindsEmptyPings) {
  Resync resync(Side::server);
  bool found = false;
  for (int n = 0; n < 12 && !found; ++n)
    found =
        resync.feed(base::as_bytes(frame(Side::server, {.opcode = model::Opcode::ping, .payload = ""})), base::Time{});
  EXPECT_TRUE(found);
}

TEST(Resync, KeepsNoMoreThanItsBound) {
  // One frame that never ends: nothing to find, however long it is looked for.
  Resync resync(Side::server);
  const std::string part(64 * 1024, 'x');
  ASSERT_FALSE(resync.feed(base::as_bytes(frame(Side::server, {.payload = part})), base::Time{}));
  for (int i = 0; i < 100; ++i) ASSERT_FALSE(resync.feed(base::as_bytes(part), base::Time{}));
  EXPECT_GE(resync.dropped(), 100U * part.size() - Resync::most_held);
}

TEST(Resync, AGapBeginsTheSearchAnew) {
  Resync resync(Side::server);
  const std::string one = frame(Side::server, {.payload = "hello, this is text"});
  ASSERT_FALSE(resync.feed(base::as_bytes(one), base::Time{}));
  resync.gap();
  for (int i = 0; i < 2; ++i) ASSERT_FALSE(resync.feed(base::as_bytes(one), base::Time{}));
  ASSERT_TRUE(resync.feed(base::as_bytes(one), base::Time{}));
  EXPECT_EQ(resync.dropped(), one.size());
}

TEST(FrameParser, SkipsWhatLiesInsideAFrame) {
  const std::string whole = frame(Side::server, {.opcode = Opcode::binary, .payload = std::string(100, 'x')});
  FrameParser parser({.sender = Side::server});
  static_cast<void>(parser.next(base::as_bytes(whole).first(10)));
  Piece piece;
  ASSERT_TRUE(parser.skip(50, piece));
  EXPECT_FALSE(piece.message_done);
  EXPECT_EQ(piece.offset, 8U);
  ASSERT_TRUE(parser.skip(42, piece));
  EXPECT_TRUE(piece.message_done);
  EXPECT_FALSE(parser.skip(1, piece)) << "nothing is under way";
}

TEST(FrameParser, PassesOverWhatContinuesTheUnseen) {
  FrameParser parser({.sender = Side::server});
  parser.resume();
  const std::string bytes =
      frame(Side::server, Opcode::continuation, "the rest of", false) + frame(Side::server, Opcode::ping, "") +
      frame(Side::server, Opcode::continuation, "something") + frame(Side::server, {.payload = "whole"});
  base::Bytes in = base::as_bytes(bytes);
  int messages = 0;
  while (!in.empty()) {
    const Piece piece = parser.next(in);
    in = in.subspan(piece.used);
    EXPECT_EQ(piece.anomaly, model::Anomaly::none);
    messages += piece.message_done ? 1 : 0;
  }
  EXPECT_EQ(messages, 1);
  const std::string orphan = frame(Side::server, Opcode::continuation, "of nothing");
  EXPECT_EQ(parser.next(base::as_bytes(orphan)).anomaly, model::Anomaly::orphan_continuation);
}

}  // namespace
}  // namespace sockeye::wire
