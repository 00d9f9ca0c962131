#include "sockeye/signal/link.h"

#include <gtest/gtest.h>

#include <set>

namespace sockeye::signal {
namespace {

const base::TraceId trace = *base::parse_trace_id("0af7651916cd43dd8448eb211c80319c");
const base::SpanId span = *base::parse_span_id("b7ad6b7169203331");

// Computed by hand from the description in link.h (docs/signals.md has the same): other programs rely on it.
TEST(HopLink, IsWhatTheDocumentationSays) {
  EXPECT_EQ(hop_link(trace, span, model::Side::client, 1), "1b8dfcacda2ba890");
  EXPECT_EQ(hop_link(trace, span, model::Side::server, 0x0102030405060708U), "eabd083bdf5b4e98");
}

TEST(HopLink, TellsApart) {
  std::set<std::string> seen;
  for (std::uint64_t message = 1; message <= 1000; ++message)
    for (const model::Side sender : {model::Side::client, model::Side::server})
      seen.insert(hop_link(trace, span, sender, message));
  seen.insert(hop_link(trace, *base::parse_span_id("b7ad6b7169203332"), model::Side::client, 1));
  EXPECT_EQ(seen.size(), 2001U);
}

}  // namespace
}  // namespace sockeye::signal
