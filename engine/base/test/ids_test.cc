#include "sockeye/base/ids.h"

#include <gtest/gtest.h>

namespace sockeye::base {
namespace {

TEST(Ids, SessionIdIsUuidV7AndSortsByTime) {
  Random random(1);
  const SessionId early = make_session_id(random, 1'700'000'000'000);
  const SessionId late = make_session_id(random, 1'700'000'000'001);
  const std::string text = to_uuid(early);
  EXPECT_EQ(text[14], '7');
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
  EXPECT_LT(early, late);
  EXPECT_EQ(parse_session_id(text), early);
}

TEST(Ids, HexRoundTripsAndRefusesUpperCaseAndOtherLengths) {
  Random random(2);
  const TraceId trace = make_trace_id(random);
  EXPECT_EQ(parse_trace_id(to_hex(trace)), trace);
  EXPECT_FALSE(parse_trace_id("0AF7651916CD43DD8448EB211C80319C"));
  EXPECT_FALSE(parse_span_id("b7ad6b7169203"));
  EXPECT_FALSE(parse_session_id("0af76519-16cd-43dd-8448-eb211c80319"));
}

TEST(Ids, SameSeedSameIds) {
  Random a(7);
  Random b(7);
  EXPECT_EQ(make_span_id(a), make_span_id(b));
}

}  // namespace
}  // namespace sockeye::base
