#include "sockeye/model/operations.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

namespace sockeye::model {
namespace {

using namespace std::chrono_literals;

Exemplar exemplar_of(std::uint64_t n) {
  Exemplar out;
  for (auto& byte : out.trace_id.bytes) byte = static_cast<std::uint8_t>(n);
  for (auto& byte : out.span_id.bytes) byte = static_cast<std::uint8_t>(n);
  out.value = static_cast<double>(n);
  out.unix_ns = n;
  return out;
}

TEST(ExemplarSlot, GivesBackWhatWasStoredLast) {
  ExemplarSlot slot;
  EXPECT_FALSE(slot.load());
  slot.store(exemplar_of(1));
  slot.store(exemplar_of(2));
  EXPECT_EQ(slot.load(), exemplar_of(2));
}

TEST(ExemplarHistogram, KeepsOneForEachBucket) {
  ExemplarHistogram h;
  h.observe(3ms);
  h.keep(3ms, exemplar_of(1));
  h.keep(1h, exemplar_of(2));
  EXPECT_EQ(h.count(DurationHistogram::bucket(3ms)), 1U);
  EXPECT_EQ(h.exemplar(DurationHistogram::bucket(3ms)), exemplar_of(1));
  EXPECT_EQ(h.exemplar(DurationHistogram::buckets - 1), exemplar_of(2));
  EXPECT_EQ(h.count(DurationHistogram::buckets - 1), 0U) << "observe() counts, keep() does not";
  EXPECT_FALSE(h.exemplar(0));
}

TEST(OperationTable, HasARowForEachNameAndOneForTheRest) {
  const auto table = std::make_unique<OperationTable>();
  EXPECT_EQ(table->find(OperationTable::other), nullptr) << "rows are made when they are needed";
  EXPECT_EQ(table->index_of("other"), OperationTable::other) << "or there would be two of that name";
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 1; i <= OperationTable::names; ++i) {
      const std::uint16_t index = table->index_of("operation " + std::to_string(i));
      EXPECT_EQ(index, i);
      table->row(index).active.add(1);
    }
  }
  for (std::size_t i = 1; i <= OperationTable::names; ++i) {
    ASSERT_NE(table->find(i), nullptr);
    EXPECT_EQ(table->find(i)->name, "operation " + std::to_string(i));
    EXPECT_EQ(table->find(i)->active.value(), 2);
  }
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(table->index_of(std::to_string(i)), OperationTable::other);
  table->row(OperationTable::other).active.add(7);
  EXPECT_EQ(table->find(OperationTable::other)->name, OperationTable::other_name);
  EXPECT_EQ(table->find(OperationTable::other)->active.value(), 7);
  EXPECT_EQ(table->index_of("operation 200"), 200U) << "full, it still knows its names";
}

TEST(OperationTable, AnIndexItDidNotGiveIsTheRest) {
  OperationTable table;
  EXPECT_EQ(&table.row(5), &table.row(OperationTable::other));
  EXPECT_EQ(&table.row(60000), &table.row(OperationTable::other));
}

// A scrape beside the worker: what it sees is whole. Under TSan this is the proof that no lock is needed.
TEST(OperationTable, IsReadWhileItIsWritten) {
  const auto table = std::make_unique<OperationTable>();
  std::atomic<bool> done{false};
  std::thread scrape([&] {
    std::uint64_t seen = 0;
    std::uint64_t last = 0;
    for (bool over = false; !over;) {
      over = done.load();  // one more pass behind the writer's last word
      for (std::size_t i = 0; i < OperationTable::rows; ++i) {
        const OperationRow* const row = table->find(i);
        if (row == nullptr) continue;
        EXPECT_TRUE(row->name.starts_with("name ") || row->name == OperationTable::other_name);
        const auto exemplar = row->time_to_first_chunk.exemplar(DurationHistogram::bucket(1ms));
        if (!exemplar) continue;
        ++seen;
        EXPECT_EQ(*exemplar, exemplar_of(exemplar->unix_ns)) << "parts of two";
        EXPECT_GT(row->time_to_first_chunk.count(DurationHistogram::bucket(1ms)), 0U) << "shown and not counted";
        if (i == 1) {
          EXPECT_GE(exemplar->unix_ns, last) << "it went back";
          last = exemplar->unix_ns;
        }
      }
    }
    EXPECT_GT(seen, 0U);
  });
  for (std::uint64_t n = 1; n <= 20'000; ++n) {
    OperationRow& row = table->row(table->index_of("name " + std::to_string(n % 250)));
    row.time_to_first_chunk.observe(1ms);
    row.time_to_first_chunk.keep(1ms, exemplar_of(n));
  }
  done.store(true);
  scrape.join();
}

}  // namespace
}  // namespace sockeye::model
