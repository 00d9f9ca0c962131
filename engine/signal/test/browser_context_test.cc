#include <gtest/gtest.h>

#include <string>

#include "sockeye/signal/propagation.h"

namespace sockeye::signal {
namespace {

constexpr std::string_view good = "00-12345678901234567890123456789012-1234567890123456-01";
const std::string in_query = "/chat?traceparent=" + std::string(good);
const std::string in_item = "traceparent." + std::string(good);

model::HttpHead head(std::string_view target, std::string_view offered = "") {
  model::HttpHead out;
  out.target = target;
  if (!offered.empty()) out.fields.push_back({"Sec-WebSocket-Protocol", offered});
  return out;
}

TEST(BrowserContext, IsReadFromTheQuery) {
  const std::string more = in_query + "&tracestate=a%3Db%2Cc%3Dd#x";
  const Extracted found = extract_browser(head(more));
  ASSERT_TRUE(found.parent);
  EXPECT_EQ(base::to_hex(found.parent->trace_id), good.substr(3, 32));
  EXPECT_EQ(found.parent->trace_state, "a=b,c=d");
  EXPECT_EQ(found.sampled, true);
  EXPECT_FALSE(found.invalid);
}

TEST(BrowserContext, IsReadFromASubprotocol) {
  const std::string offered = "chat, " + in_item + " ,v2";
  EXPECT_TRUE(extract_browser(head("/", offered)).parent);
  EXPECT_EQ(context_item(head("/", offered)), in_item);
  EXPECT_EQ(without_context_items(head("/", offered)), "chat, v2");
  EXPECT_EQ(without_context_items(head("/", in_item)), "");
  EXPECT_EQ(context_item(head("/", "chat")), "");
}

TEST(BrowserContext, WhatIsNotValidIsReportedAndIgnored) {
  for (const std::string& target : {std::string("/?traceparent=00-x"), "/?traceparent=" + std::string(good) + "1",
                                    std::string("/?traceparent=%"), std::string("/?traceparent=%0")}) {
    const Extracted found = extract_browser(head(target));
    EXPECT_FALSE(found.parent) << target;
    EXPECT_TRUE(found.invalid) << target;
  }
  EXPECT_FALSE(extract_browser(head("/?xtraceparent=1&traceparent")).invalid);
  EXPECT_FALSE(extract_browser(head("/#?" + in_query)).parent) << "a fragment is no query";
  EXPECT_TRUE(extract_browser(head("/", "traceparent.00-x")).invalid);
}

TEST(BrowserContext, AHeaderComesFirst) {
  const std::string other = "00-99999999999999999999999999999999-9999999999999999-00";
  model::HttpHead both = head(in_query);
  both.fields.push_back({"traceparent", other});
  EXPECT_EQ(base::to_hex(extract(both, {}).parent->trace_id), other.substr(3, 32));
  EXPECT_TRUE(extract(head(in_query), {}).parent);
  EXPECT_FALSE(extract(head(in_query), {.browser = false}).parent);
}

TEST(BrowserContext, IsTakenOutOfATarget) {
  const std::string g(good);
  EXPECT_EQ(without_context("/chat?traceparent=" + g), "/chat");
  EXPECT_EQ(without_context("/chat?a=1&traceparent=" + g + "&b=2"), "/chat?a=1&b=2");
  EXPECT_EQ(without_context("/chat?traceparent=" + g + "&tracestate=x&b=%20&&c#f"), "/chat?b=%20&&c#f");
  EXPECT_EQ(without_context("/chat?a=1"), "/chat?a=1");
  EXPECT_EQ(without_context("/chat?"), "/chat?");
  EXPECT_EQ(without_context("http://h/x?traceparent=1"), "http://h/x");
  EXPECT_EQ(without_context("/chat#?traceparent=1"), "/chat#?traceparent=1");
}

}  // namespace
}  // namespace sockeye::signal
