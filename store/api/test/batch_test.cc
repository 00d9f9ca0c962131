#include "sockeye/store/batch.h"

#include <gtest/gtest.h>

namespace sockeye::store {
namespace {

TEST(Batch, keeps_texts_where_they_are_while_it_grows_and_moves) {
  Batch batch;
  std::vector<std::pair<std::string, std::string_view>> kept;
  for (std::size_t i = 0; i < 5000; ++i) {
    const std::string text(i % 97 + (i % 500 == 0 ? 20'000 : 1), static_cast<char>('a' + i % 26));
    kept.emplace_back(text, i % 3 == 0 ? batch.adopt(std::string(text)) : batch.keep(text));
  }
  const Batch moved = std::move(batch);
  for (const auto& [text, view] : kept) EXPECT_EQ(text, view);
  EXPECT_GT(moved.footprint(), 5000U * 40);
  EXPECT_TRUE(moved.empty());
}

}  // namespace
}  // namespace sockeye::store
