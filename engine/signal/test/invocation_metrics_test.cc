#include "sockeye/signal/invocation_metrics.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace sockeye::signal {
namespace {

using namespace std::chrono_literals;
using model::DurationHistogram;
using model::Invocation;
using model::InvocationEnd;
using model::InvocationStatus;

constexpr base::WallOffset wall{1'700'000'000'000'000'000};
base::Time at(base::Duration d) { return base::Time(10s + d); }

struct Counted {
  std::unique_ptr<model::RouteMetrics> metrics = std::make_unique<model::RouteMetrics>();

  Invocation open(std::string operation) const {
    Invocation i;
    i.operation = std::move(operation);
    i.opened = at(0s);
    i.trace_id.bytes[0] = 1;
    i.span_id.bytes[0] = 2;
    count_opened(*metrics, i);
    return i;
  }
  void chunk(Invocation& i, base::Duration when) const { count_chunk(*metrics, i, i.chunks.add(at(when), 10)); }
  void end(Invocation& i, InvocationStatus status, bool exported) const {
    i.status = status;
    i.ended = at(2s);
    count_ended(*metrics, i, exported, wall);
  }
  const model::OperationRow& row(const Invocation& i) const { return metrics->operations.row(i.operation_row); }
};

std::uint64_t total(const DurationHistogram& h) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < DurationHistogram::buckets; ++i) sum += h.count(i);
  return sum;
}

TEST(InvocationMetrics, OfAStreamedReply) {
  Counted counted;
  auto i = counted.open("tools/call");
  const auto& row = counted.row(i);
  EXPECT_EQ(row.name, "tools/call");
  EXPECT_EQ(row.active.value(), 1);
  counted.chunk(i, 300ms);
  EXPECT_EQ(total(row.time_to_first_chunk), 1U) << "when it comes, not at the end";
  counted.chunk(i, 500ms);
  counted.chunk(i, 1500ms);
  counted.end(i, InvocationStatus::ok, true);
  EXPECT_EQ(row.active.value(), 0);
  EXPECT_EQ(row.ended[0].value(), 1U);
  EXPECT_EQ(row.time_to_first_chunk.count(DurationHistogram::bucket(300ms)), 1U);
  EXPECT_EQ(row.time_to_last_chunk.count(DurationHistogram::bucket(1500ms)), 1U);
  EXPECT_EQ(row.duration.count(DurationHistogram::bucket(2s)), 1U);
  EXPECT_EQ(total(row.chunk_interval), 2U);
  EXPECT_DOUBLE_EQ(row.chunk_interval.sum(), 1.2);
  const auto first = row.time_to_first_chunk.exemplar(DurationHistogram::bucket(300ms));
  const auto last = row.time_to_last_chunk.exemplar(DurationHistogram::bucket(1500ms));
  EXPECT_EQ(first, (model::Exemplar{i.trace_id, i.span_id, 0.3, wall.unix_ns(at(2s))}));
  EXPECT_EQ(last, (model::Exemplar{i.trace_id, i.span_id, 1.5, wall.unix_ns(at(2s))}));
}

TEST(InvocationMetrics, WhatIsNotExportedIsCountedAndPointedToByNothing) {
  Counted counted;
  auto i = counted.open("a");
  counted.chunk(i, 300ms);
  counted.end(i, InvocationStatus::ok, false);
  EXPECT_EQ(total(counted.row(i).time_to_last_chunk), 1U);
  for (std::size_t b = 0; b < DurationHistogram::buckets; ++b) {
    EXPECT_FALSE(counted.row(i).time_to_first_chunk.exemplar(b));
    EXPECT_FALSE(counted.row(i).time_to_last_chunk.exemplar(b));
  }
}

TEST(InvocationMetrics, AReplyCutShortHasNoLastChunk) {
  Counted counted;
  for (const auto status : {InvocationStatus::cancelled, InvocationStatus::incomplete}) {
    auto i = counted.open("a");
    counted.chunk(i, 300ms);
    counted.end(i, status, true);
    EXPECT_EQ(counted.row(i).ended[static_cast<std::size_t>(status)].value(), 1U);
  }
  auto plain = counted.open("a");  // a reply without chunks
  counted.end(plain, InvocationStatus::error, true);
  const auto& row = counted.row(plain);
  EXPECT_EQ(total(row.time_to_first_chunk), 2U);
  EXPECT_EQ(total(row.time_to_last_chunk), 0U);
  EXPECT_EQ(total(row.duration), 3U);
  EXPECT_EQ(row.ended[static_cast<std::size_t>(InvocationStatus::error)].value(), 1U);
  EXPECT_EQ(row.active.value(), 0);
}

TEST(InvocationMetrics, Tokens) {
  Counted counted;
  auto i = counted.open("a");
  i.attributes = {{"gen_ai.usage.input_tokens", std::int64_t{17}},
                  {"gen_ai.usage.output_tokens", std::string("5")},
                  {"gen_ai.request.model", std::string("m")}};
  counted.end(i, InvocationStatus::ok, false);
  i = counted.open("a");
  i.attributes = {{"gen_ai.usage.input_tokens", std::int64_t{-1}}, {"gen_ai.usage.output_tokens", std::string("many")}};
  counted.end(i, InvocationStatus::ok, false);
  EXPECT_DOUBLE_EQ(counted.metrics->tokens[0].sum(), 17);
  EXPECT_EQ(counted.metrics->tokens[0].count(3), 1U);
  EXPECT_DOUBLE_EQ(counted.metrics->tokens[1].sum(), 5);
}

TEST(InvocationMetrics, MediaBeatsAndDialectErrors) {
  Counted counted;
  count_media(*counted.metrics, model::Side::client, 100);
  count_media(*counted.metrics, model::Side::client, 60);
  count_beat(*counted.metrics, model::Side::server);
  count_dialect_error(*counted.metrics, model::DialectError::gap, 3);
  EXPECT_EQ(counted.metrics->media_messages[0].value(), 2U);
  EXPECT_EQ(counted.metrics->media_bytes[0].value(), 160U);
  EXPECT_EQ(counted.metrics->media_messages[1].value(), 0U);
  EXPECT_EQ(counted.metrics->beats[1].value(), 1U);
  EXPECT_EQ(counted.metrics->dialect_errors[static_cast<std::size_t>(model::DialectError::gap)].value(), 3U);
}

}  // namespace
}  // namespace sockeye::signal
