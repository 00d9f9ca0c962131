#include <gtest/gtest.h>

#include <set>

#include "fake_collector.h"

namespace sockeye::pipeline {
namespace {

TEST(Families, EveryCountIsThereWithEveryLabelValue) {
  test::FakeCollector collector;
  collector.answer_with(test::Answer::refuse);
  Options options;
  options.batch_delay = std::chrono::milliseconds(1);
  auto pipeline = start(options, collector.transport());
  ASSERT_TRUE(pipeline);
  (*pipeline)->offer(test::numbered(1));
  ASSERT_TRUE((*pipeline)->flush(std::chrono::seconds(20)));
  std::map<std::string, double> values;
  for (const auto& family : (*pipeline)->families())
    for (const auto& sample : family.samples) {
      std::string key(family.name);
      for (const auto& [label, value] : sample.labels)
        key.append("{").append(label).append("=").append(value).append("}");
      values[key] = sample.value;
    }
  EXPECT_EQ(values.at("sockeye_spans_received_total{source=process}"), 1);
  EXPECT_EQ(values.at("sockeye_spans_received_total{source=spool}"), 0);
  EXPECT_EQ(values.at("sockeye_spans_exported_total"), 0);
  EXPECT_EQ(values.at("sockeye_spans_dropped_total{reason=rejected}"), 1);
  EXPECT_EQ(values.at("sockeye_export_errors_total{kind=refused}"), 1);
  EXPECT_EQ(values.at("sockeye_queue_length"), 0);
  EXPECT_EQ(values.at("sockeye_spool_bytes"), 0);
  EXPECT_EQ(values.at("sockeye_spool_spans"), 0);
  EXPECT_EQ(values.at("sockeye_spans_resent_total"), 0);
  EXPECT_EQ(values.at("sockeye_collector_away"), 0);
}

TEST(Families, NamesAreDistinct) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(DropReason::count_); ++i)
    EXPECT_TRUE(names.insert(name(static_cast<DropReason>(i))).second);
  for (std::size_t i = 0; i < static_cast<std::size_t>(ErrorKind::count_); ++i)
    EXPECT_TRUE(names.insert(name(static_cast<ErrorKind>(i))).second);
  EXPECT_EQ(names.count(""), 0U);
}

}  // namespace
}  // namespace sockeye::pipeline
