#include "filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace sockeye::sqlite {
namespace {

constexpr unsigned filters = 200;
constexpr unsigned entries = 6400;  // 400 in a slice

// Most entries are what every block has: services, keys, what is configured.
Term entry(unsigned filter, unsigned n) {
  return value_term(key_term("key"), (n % 8 == 0 ? std::to_string(filter) : "all") + "/" + std::to_string(n));
}

std::vector<std::vector<std::string>> many_filters() {
  std::vector<std::vector<std::string>> out(filters, std::vector<std::string>(filter_slices));
  TermSet set;
  for (unsigned filter = 0; filter < filters; ++filter) {
    set.clear();
    for (unsigned n = 0; n < entries; ++n) EXPECT_TRUE(set.add(entry(filter, n)));
    for (unsigned slice = 0; slice < filter_slices; ++slice) set.bits(slice, filter, out[filter][slice]);
  }
  return out;
}

TEST(Filter, holds_what_was_entered) {
  const auto all = many_filters();
  for (unsigned filter = 0; filter < filters; filter += 20)
    for (unsigned n = 0; n < entries; ++n) {
      const Term term = entry(filter, n);
      ASSERT_TRUE(may_hold(all[filter][slice_of(term)], term, filter)) << filter << "/" << n;
    }
}

// A search for one term asks the filters of all blocks: no term may be an unlucky one in all of them.
TEST(Filter, seldom_holds_what_was_not_and_no_term_is_unlucky_everywhere) {
  const auto all = many_filters();
  constexpr unsigned terms = 20'000;
  unsigned in_vain = 0;
  unsigned worst = 0;
  for (unsigned n = 0; n < terms; ++n) {
    const Term term = value_term(key_term("absent"), std::to_string(n));
    unsigned here = 0;
    for (unsigned filter = 0; filter < filters; ++filter)
      here += may_hold(all[filter][slice_of(term)], term, filter) ? 1 : 0;
    in_vain += here;
    worst = std::max(worst, here);
  }
  EXPECT_LT(in_vain, terms * filters / 1000);
  EXPECT_LE(worst, filters / 40);
}

TEST(Filter, empty_bits_may_hold_anything) {
  EXPECT_TRUE(may_hold("", key_term("x"), 1));
  TermSet none;
  std::string bits;
  none.bits(3, 1, bits);
  EXPECT_FALSE(bits.empty());
  EXPECT_FALSE(may_hold(bits, key_term("x"), 1));
}

}  // namespace
}  // namespace sockeye::sqlite
