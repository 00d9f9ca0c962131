#include "sockeye/wire/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "sockeye/wire/frame_parser.h"

namespace sockeye::wire {
namespace {

// RFC 3629 §4, byte by byte: the reference the fast paths are held against. Returns how many bytes can be the start of
// a valid text (the index of the first impossible byte), and whether the text may end there.
struct Verdict {
  std::size_t good = 0;
  bool complete = true;
};
Verdict reference(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    std::size_t more = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (lead <= 0x7f) {
      more = 0;
    } else if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return {i, false};
    }
    for (std::size_t k = 1; k <= more; ++k) {
      if (i + k == text.size()) return {text.size(), false};
      const auto next = static_cast<unsigned char>(text[i + k]);
      if (next < low || next > high) return {i + k, false};
      low = 0x80;
      high = 0xbf;
    }
    i += more + 1;
  }
  return {text.size(), true};
}

std::string masked(std::string_view text, std::uint32_t key, std::uint64_t offset) {
  std::string out(text.size(), '\0');
  unmask(base::as_bytes(text), key, offset, reinterpret_cast<base::Byte*>(out.data()));
  return out;
}

// Fed in the given pieces, under a mask: fails exactly in the piece that holds the first impossible byte.
void expect_as_reference(std::string_view text, const std::vector<std::size_t>& cuts, std::uint32_t key) {
  const Verdict expected = reference(text);
  Utf8 utf8;
  std::size_t begin = 0;
  for (std::size_t c = 0; c <= cuts.size(); ++c) {
    const std::size_t end = c < cuts.size() ? cuts[c] : text.size();
    const std::string piece = masked(text.substr(begin, end - begin), key, begin);
    const bool good = utf8.feed(base::as_bytes(piece), key, begin);
    const bool expect_good = end <= expected.good;
    ASSERT_EQ(good, expect_good) << "piece " << begin << ".." << end << " of " << text.size();
    if (!good) return;
    ASSERT_EQ(utf8.complete(), reference(text.substr(0, end)).complete);
    begin = end;
  }
}

void every_way(const std::string& text) {
  for (const std::uint32_t key : {0U, 0xdeadbeefU, 0x00ff8001U}) {
    expect_as_reference(text, {}, key);
    for (std::size_t at = 0; at <= text.size(); ++at) expect_as_reference(text, {at}, key);
    std::vector<std::size_t> bytes;
    for (std::size_t at = 1; at < text.size(); ++at) bytes.push_back(at);
    expect_as_reference(text, bytes, key);
  }
}

std::string encode(std::uint32_t point, int length) {  // by brute force: overlong and out of range as asked
  if (length == 1) return {static_cast<char>(point)};
  std::string out;
  const unsigned lead = (0xff00U >> static_cast<unsigned>(length)) & 0xffU;
  out += static_cast<char>(lead | (point >> (6U * static_cast<unsigned>(length - 1))));
  for (int i = length - 2; i >= 0; --i)
    out += static_cast<char>(0x80U | ((point >> (6U * static_cast<unsigned>(i))) & 0x3fU));
  return out;
}

struct Case {
  std::string text;
  bool valid;
};

// Section 6 of the conformance cases.
std::vector<Case> section_6() {
  std::vector<Case> cases;
  const auto good = [&](std::string t) { cases.push_back({std::move(t), true}); };
  const auto bad = [&](std::string t) { cases.push_back({std::move(t), false}); };
  const std::string kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
  // 6.1, 6.2
  good("");
  good("Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!");
  // 6.3, 6.4
  bad(kosme + "\xed\xa0\x80" + "edited");
  bad(kosme + "\xf4\x90\x80\x80" + "edited");
  // 6.5
  for (const char* t : {"\x24", "\xc2\xa2", "\xe2\x82\xac", "\xf0\xa4\xad\xa2"})
    good(std::string("hello") + t + "world");
  good(kosme);
  // 6.6
  for (std::size_t n = 1; n <= kosme.size(); ++n)
    cases.push_back({kosme.substr(0, n), n == 2 || n == 5 || n == 7 || n == 9 || n == 11});
  // 6.7 - 6.10
  good(encode(0, 1)), good(encode(0x80, 2)), good(encode(0x800, 3)), good(encode(0x10000, 4));
  bad(encode(0x200000, 5)), bad(encode(0x4000000, 6));
  good(encode(0x7f, 1)), good(encode(0x7ff, 2)), good(encode(0xffff, 3)), good(encode(0x10ffff, 4));
  bad("\xf7\xbf\xbf\xbf"), bad(encode(0x3ffffff, 5)), bad(encode(0x7fffffff, 6));
  // 6.11
  good("\xed\x9f\xbf"), good("\xee\x80\x80"), good("\xef\xbf\xbd"), good("\xf4\x8f\xbf\xbf"), bad("\xf4\x90\x80\x80");
  // 6.12
  std::string all;
  for (unsigned b = 0x80; b <= 0xbf; ++b) all += static_cast<char>(b);
  for (std::size_t n = 1; n <= 7; ++n) bad(all.substr(0, n));
  bad("\xbf"), bad(all);
  // 6.13: lead bytes followed by a space
  for (const auto& [from, to] :
       {std::pair{0xc0U, 0xdfU}, {0xe0U, 0xefU}, {0xf0U, 0xf7U}, {0xf8U, 0xfbU}, {0xfcU, 0xfdU}}) {
    std::string leads;
    for (unsigned b = from; b <= to; ++b) leads += {static_cast<char>(b), ' '};
    bad(leads);
  }
  // 6.14, 6.15: the last continuation byte missing; all of those joined
  std::string joined;
  for (const std::string& t :
       {encode(0x7ff, 2), encode(0xffff, 3), encode(0x10ffff, 4), encode(0x3ffffff, 5), encode(0x7fffffff, 6),
        encode(0x80, 2), encode(0x800, 3), encode(0x10000, 4), encode(0x200000, 5), encode(0x4000000, 6)}) {
    bad(t.substr(0, t.size() - 1));
    joined += t.substr(0, t.size() - 1);
  }
  bad(joined);
  // 6.16
  bad("\xfe"), bad("\xff"), bad("\xfe\xfe\xff\xff");
  // 6.17 - 6.19: overlong
  for (int n = 2; n <= 6; ++n) bad(encode('/', n)), bad(encode(0, n));
  bad(encode(0x7f, 2)), bad(encode(0x7ff, 3)), bad(encode(0xffff, 4)), bad(encode(0x1fffff, 5)),
      bad(encode(0x3ffffff, 6));
  // 6.20, 6.21: surrogates
  for (const std::uint32_t p : {0xd800U, 0xdb7fU, 0xdb80U, 0xdbffU, 0xdc00U, 0xdf80U, 0xdfffU}) bad(encode(p, 3));
  for (const std::uint32_t h : {0xd800U, 0xdb7fU, 0xdb80U, 0xdbffU})
    for (const std::uint32_t l : {0xdc00U, 0xdfffU}) bad(encode(h, 3) + encode(l, 3));
  // 6.22, 6.23: non-characters are characters here
  for (std::uint32_t plane = 0; plane <= 16; ++plane)
    for (const std::uint32_t low : {0xfffeU, 0xffffU}) good(encode((plane << 16U) | low, plane == 0 ? 3 : 4));
  for (std::uint32_t p = 0xfff9; p <= 0xffff; ++p) good(encode(p, 3));
  return cases;
}

TEST(Utf8, section_6_of_the_conformance_cases) {
  for (const auto& it : section_6()) {
    const Verdict v = reference(it.text);
    ASSERT_EQ(v.good == it.text.size() && v.complete, it.valid);  // the reference itself
    EXPECT_EQ(is_utf8(base::as_bytes(it.text)), it.valid);
    every_way(it.text);
  }
}

// The same in the middle of ASCII, so that each sits at every position of a vector block.
TEST(Utf8, section_6_inside_long_text) {
  for (const auto& it : section_6()) {
    for (std::size_t before = 0; before < 200; before += before < 40 ? 1 : 13) {
      const std::string text = std::string(before, 'a') + it.text + std::string(150, 'b');
      const bool valid = it.valid;
      ASSERT_EQ(is_utf8(base::as_bytes(text)), valid) << before;
      expect_as_reference(text, {before + it.text.size() / 2}, 0x9a8b7c6d);
      expect_as_reference(text, {before, before + 1, before + 2, before + 3}, 0x9a8b7c6d);
    }
  }
}

TEST(Utf8, every_pair_and_every_code_point) {
  for (unsigned a = 0; a < 256; ++a)
    for (unsigned b = 0; b < 256; ++b)
      expect_as_reference(std::string{static_cast<char>(a), static_cast<char>(b)}, {1}, 0);
  for (std::uint32_t p = 0; p <= 0x110100; ++p) {
    const int n = p < 0x80 ? 1 : p < 0x800 ? 2 : p < 0x10000 ? 3 : 4;
    const bool valid = p <= 0x10ffff && (p < 0xd800 || p > 0xdfff);
    const std::string text = encode(p, n);
    ASSERT_EQ(is_utf8(base::as_bytes(text)), valid) << p;
  }
}

TEST(Utf8, random_text_with_random_damage_in_random_pieces) {
  std::mt19937 random(20240607);
  const auto pick = [&random](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    const std::size_t length = pick(6000);
    while (text.size() < length) {
      switch (pick(round % 2 == 0 ? 40 : 5)) {  // mostly ASCII, or hardly
        case 0:
          text += encode(static_cast<std::uint32_t>(0x80 + pick(0x780)), 2);
          break;
        case 1:
          text += encode(static_cast<std::uint32_t>(0x800 + pick(0xd000)), 3);
          break;
        case 2:
          text += encode(static_cast<std::uint32_t>(0x10000 + pick(0x100000)), 4);
          break;
        default:
          text += static_cast<char>(pick(128));
      }
    }
    if (pick(2) == 0 && !text.empty()) text[pick(text.size())] = static_cast<char>(pick(256));
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; at < text.size() && cuts.size() < 50;) {
      at += 1 + pick(pick(2) == 0 ? 4 : 3000);
      if (at < text.size()) cuts.push_back(at);
    }
    expect_as_reference(text, cuts, static_cast<std::uint32_t>(random()));
    if (HasFatalFailure()) return;
  }
}

TEST(Utf8, reset_forgets_an_unfinished_code_point) {
  Utf8 utf8;
  EXPECT_TRUE(utf8.feed(base::as_bytes("\xe2\x82")));
  EXPECT_FALSE(utf8.complete());
  utf8.reset();
  EXPECT_TRUE(utf8.complete());
  EXPECT_TRUE(utf8.feed(base::as_bytes("\xe2\x82\xac")));
}

}  // namespace
}  // namespace sockeye::wire
