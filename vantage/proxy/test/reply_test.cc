#include "../src/reply.h"

#include <gtest/gtest.h>

#include "head.h"

namespace sockeye::proxy {
namespace {

TEST(Reply, IsOneCompleteResponse) {
  for (const int status : {400, 403, 404, 405, 408, 426, 431, 502, 503, 504, 505}) {
    std::string out;
    append_reply(out, status, "because");
    wire::HeadParser parser(wire::HeadParser::Kind::response);
    ASSERT_EQ(parser.parse(base::as_bytes(out)), wire::HeadParser::Progress::done) << out;
    const auto& head = parser.head();
    EXPECT_EQ(head.status, status);
    EXPECT_EQ(head.reason, status_text(status));
    EXPECT_NE(head.reason, "Unknown");
    EXPECT_TRUE(head.has_token("Connection", "close"));
    EXPECT_EQ(head.value("Content-Type"), "text/plain; charset=utf-8");
    const std::string body = out.substr(parser.size());
    EXPECT_EQ(head.value("Content-Length"), std::to_string(body.size()));
    EXPECT_EQ(body, std::to_string(status) + " " + std::string(status_text(status)) + ": because\n");
    // What each status asks for, and only that one.
    EXPECT_EQ(head.value("Sec-WebSocket-Version"), status == 426 ? "13" : "");
    EXPECT_EQ(head.value("Upgrade"), status == 426 ? "websocket" : "");
    EXPECT_EQ(head.has_token("Connection", "Upgrade"), status == 426);
    EXPECT_EQ(head.value("Retry-After"), status == 503 ? "5" : "");
    EXPECT_EQ(head.find("Allow") != nullptr, status == 405);
  }
}

TEST(Reply, ToHeadHasNoBody) {
  std::string full, head_only;
  append_reply(full, 502, "upstream refused the connection");
  append_reply(head_only, 502, "upstream refused the connection", true);
  EXPECT_EQ(head_only, full.substr(0, full.find("\r\n\r\n") + 4));
}

TEST(Reply, AppendsBehindWhatIsThere) {
  std::string out = "x";
  append_reply(out, 503, "", false, 30);
  EXPECT_EQ(out,
            "xHTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\n"
            "Connection: close\r\nRetry-After: 30\r\n\r\n503 Service Unavailable\n");
  EXPECT_EQ(status_text(299), "Unknown");
}

}  // namespace
}  // namespace sockeye::proxy
