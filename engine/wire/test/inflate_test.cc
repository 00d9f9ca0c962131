#include "sockeye/wire/inflate.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>
#include <vector>

#include "sockeye/wire/frame_parser.h"

namespace sockeye::wire {
namespace {

using Result = Inflater::Result;

// A peer's compressor, RFC 7692 §7.2.1.
class Deflater {
 public:
  explicit Deflater(int bits, bool no_context_takeover = false, int level = 6) : reset_(no_context_takeover) {
    deflateInit2(&z_, level, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { deflateEnd(&z_); }
  std::string operator()(std::string_view text, int flush = Z_SYNC_FLUSH) {
    std::string out(deflateBound(&z_, text.size()) + 64, '\0');
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z_.avail_in = static_cast<uInt>(text.size());
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = static_cast<uInt>(out.size());
    deflate(&z_, flush);
    out.resize(out.size() - z_.avail_out);
    if (flush == Z_SYNC_FLUSH) {
      EXPECT_EQ(out.substr(out.size() - 4), std::string("\0\0\xff\xff", 4));
      out.resize(out.size() - 4);
    }
    if (reset_) deflateReset(&z_);
    return out;
  }

 private:
  z_stream z_{};
  bool reset_;
};

bool append(void* context, base::Bytes piece) {
  static_cast<std::string*>(context)->append(base::as_text(piece));
  return true;
}

struct Inflated {
  Result result = Result::ok;
  std::string text;
};
Inflated inflate_message(Inflater& inflater, const std::string& compressed, std::size_t piece = 0,
                         std::uint32_t mask = 0) {
  Inflated out;
  std::string wire(compressed.size(), '\0');
  unmask(base::as_bytes(compressed), mask, 0, reinterpret_cast<base::Byte*>(wire.data()));
  if (piece == 0) piece = wire.size() + 1;
  for (std::size_t at = 0; at < wire.size() && out.result == Result::ok; at += piece)
    out.result = inflater.feed(base::as_bytes(std::string_view(wire).substr(at, piece)), mask, at, append, &out.text);
  if (out.result == Result::ok) out.result = inflater.end(append, &out.text);
  return out;
}

std::string prose(std::size_t n, unsigned seed) {
  static const std::vector<std::string> words{"the ",   "quick ", "brown ",   "socket ",
                                              "keeps ", "its ",   "silence ", "\xc3\xa9t\xc3\xa9 "};
  std::mt19937 random(seed);
  std::string out;
  while (out.size() < n) out += words[random() % words.size()];
  out.resize(n);
  return out;
}

TEST(Inflater, examples_of_the_rfc) {  // RFC 7692 §7.2.3
  Inflater inflater(15, false, 100);
  const auto message = [&](std::string bytes) { return inflate_message(inflater, bytes).text; };
  EXPECT_EQ(message(std::string("\xf2\x48\xcd\xc9\xc9\x07\x00", 7)), "Hello");
  EXPECT_EQ(message(std::string("\xf2\x00\x11\x00\x00", 5)), "Hello");                           // shared window
  EXPECT_EQ(message(std::string("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11)), "Hello");  // no compression
  EXPECT_EQ(message(std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8)), "Hello");               // BFINAL
  EXPECT_EQ(message(std::string("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13)), "Hello");  // two blocks
  EXPECT_EQ(message(std::string("\x00", 1)), "");
}

TEST(Inflater, round_trips_every_window_and_takeover) {
  for (int bits = 8; bits <= 15; ++bits) {
    for (const bool reset : {false, true}) {
      Deflater deflater(std::max(bits, 9), reset);
      Inflater inflater(static_cast<std::uint8_t>(bits), reset, 1 << 20);
      for (unsigned i = 0; i < 30; ++i) {
        const std::string text = prose(i * i * 97 % 50000, i);
        const std::string compressed = deflater(text);
        const auto got = inflate_message(inflater, compressed, i % 7 == 0 ? 1 : i * 13, i % 2 == 0 ? 0 : 0xa5c3e1f0);
        ASSERT_EQ(got.result, Result::ok) << bits << ' ' << reset << ' ' << i;
        ASSERT_EQ(got.text, text);
        EXPECT_EQ(inflater.produced(), 0U);
      }
    }
  }
}

TEST(Inflater, split_at_every_byte) {
  Deflater deflater(15);
  const std::string text = prose(3000, 1) + std::string(1000, 'z');
  const std::string first = deflater(text);
  const std::string second = deflater(text);
  ASSERT_LT(second.size(), first.size());
  for (std::size_t at = 1; at <= first.size(); ++at) {
    Inflater inflater(15, false, 1 << 20);
    ASSERT_EQ(inflate_message(inflater, first, at).text, text);
    ASSERT_EQ(inflate_message(inflater, second, at).text, text);
  }
}

// §7.2.3.4: the sender's window lives on behind a final block, and so must ours.
TEST(Inflater, final_blocks_end_neither_message_nor_context) {
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  const std::string text = prose(2000, 3);
  const auto finish = [&](std::string_view in) {
    std::string out(5000, '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    z.avail_in = static_cast<uInt>(in.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = 5000;
    EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.resize(5000 - z.avail_out);
    return out;
  };
  const std::string one = finish(text);
  deflateReset(&z);
  deflateSetDictionary(&z, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
  const std::string two = finish(text);
  deflateEnd(&z);
  ASSERT_LT(two.size(), 200U);  // it does refer back

  for (std::size_t piece = 1; piece < one.size() + two.size() + 2; ++piece) {
    Inflater inflater(15, false, 1 << 20);
    EXPECT_EQ(inflate_message(inflater, one + std::string(1, '\0'), piece).text, text);  // as the RFC writes it
    EXPECT_EQ(inflate_message(inflater, two, piece).text, text);                         // and without the padding byte
    EXPECT_EQ(inflate_message(inflater, two + two, piece).text, text + text);
  }
}

TEST(Inflater, a_flood_of_final_blocks_is_cheap) {
  std::string blocks;
  for (int i = 0; i < 1'000'000; ++i) blocks += std::string("\x03\x00", 2);
  Inflater inflater(15, false, 1 << 20);
  EXPECT_EQ(inflate_message(inflater, Deflater(15)(prose(40000, 8))).result, Result::ok);  // a full window
  EXPECT_EQ(inflate_message(inflater, blocks).result, Result::ok);
}

TEST(Inflater, refuses_what_is_no_deflate_stream) {
  Deflater deflater(15);
  const std::string text = prose(5000, 4);
  const std::string good = deflater(text);
  const auto verdict = [](const std::string& bytes, std::uint8_t bits = 15) {
    Inflater inflater(bits, false, 1 << 20);
    return inflate_message(inflater, bytes).result;
  };
  EXPECT_EQ(verdict(good), Result::ok);
  EXPECT_EQ(verdict("\x07"), Result::invalid);  // block type 3
  EXPECT_EQ(verdict("\xff\xff\xff\xff"), Result::invalid);
  EXPECT_EQ(verdict(std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00garbage", 15)), Result::invalid);  // behind BFINAL
  EXPECT_EQ(verdict(good + "garbage"), Result::invalid);
  std::size_t cut_found = 0;
  for (std::size_t n = 1; n < good.size(); ++n)
    if (verdict(good.substr(0, n)) == Result::invalid) ++cut_found;
  EXPECT_EQ(cut_found, good.size() - 1);
  // A distance past the negotiated window.
  const std::string block = prose(4000, 5);
  std::string far;
  for (unsigned i = 0; i < 6; ++i) far += prose(3000, 10 + i);
  const std::string wide = Deflater(15)(block + far + block);
  EXPECT_EQ(verdict(wide, 15), Result::ok);
  EXPECT_EQ(verdict(wide, 9), Result::invalid);
}

TEST(Inflater, bombs_cost_no_memory) {
  const std::string zeros(64U << 20U, '\0');
  const std::string bomb = Deflater(15, false, 9)(zeros);
  ASSERT_LT(bomb.size(), zeros.size() / 900);
  struct Tally {
    std::uint64_t bytes = 0;
    std::size_t largest = 0;
  } tally;
  const auto add = [](void* context, base::Bytes piece) {
    auto& t = *static_cast<Tally*>(context);
    t.bytes += piece.size();
    t.largest = std::max(t.largest, piece.size());
    return true;
  };
  {
    Inflater inflater(15, false, 1 << 20);
    EXPECT_EQ(inflater.feed(base::as_bytes(bomb), 0, 0, add, &tally), Result::too_large);
    EXPECT_LE(tally.bytes, 1U << 20U);
    EXPECT_LE(tally.largest, 16384U);
  }
  tally = {};
  Inflater inflater(15, false, 64U << 20U);  // exactly the limit is allowed
  EXPECT_EQ(inflater.feed(base::as_bytes(bomb), 0, 0, add, &tally), Result::ok);
  EXPECT_EQ(inflater.end(add, &tally), Result::ok);
  EXPECT_EQ(tally.bytes, zeros.size());
}

TEST(Inflater, output_can_be_refused) {
  const std::string compressed = Deflater(15)(prose(100000, 6));
  Inflater inflater(15, false, 1 << 20);
  int calls = 0;
  const auto refuse = [](void* context, base::Bytes) { return ++*static_cast<int*>(context) < 2; };
  EXPECT_EQ(inflater.feed(base::as_bytes(compressed), 0, 0, refuse, &calls), Result::refused);
  EXPECT_EQ(calls, 2);
}

TEST(Inflater, empty_payload_is_an_empty_message) {
  Inflater inflater(15, false, 10);
  EXPECT_EQ(inflate_message(inflater, "").result, Result::ok);
  EXPECT_EQ(inflate_message(inflater, std::string("\xf2\x48\xcd\xc9\xc9\x07\x00", 7)).text, "Hello");
}

}  // namespace
}  // namespace sockeye::wire
