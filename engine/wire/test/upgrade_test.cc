#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sockeye/wire/http.h"

namespace sockeye::wire {
namespace {

using model::Anomaly;
using model::HttpField;
using model::HttpHead;

// RFC 6455 §1.2's handshake.
HttpHead good_request() {
  HttpHead head;
  head.method = "GET";
  head.target = "/chat";
  head.fields = {{"Host", "server.example.com"},   {"Upgrade", "websocket"},
                 {"Connection", "Upgrade"},        {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                 {"Origin", "http://example.com"}, {"Sec-WebSocket-Protocol", "chat, superchat"},
                 {"Sec-WebSocket-Version", "13"}};
  return head;
}
HttpHead good_response() {
  HttpHead head;
  head.status = 101;
  head.fields = {{"Upgrade", "websocket"},
                 {"Connection", "Upgrade"},
                 {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
                 {"Sec-WebSocket-Protocol", "chat"}};
  return head;
}
void set(HttpHead& head, std::string_view name, std::string_view value) {
  for (auto& field : head.fields)
    if (model::iequals(field.name, name)) {
      field.value = value;
      return;
    }
  head.fields.push_back({name, value});
}
void drop(HttpHead& head, std::string_view name) {
  std::erase_if(head.fields, [&](const HttpField& f) { return model::iequals(f.name, name); });
}

TEST(UpgradeRequest, AcceptsTheRfcsExample) {
  EXPECT_TRUE(wants_websocket(good_request()));
  EXPECT_FALSE(check_upgrade_request(good_request()));
}

TEST(UpgradeRequest, AcceptsWhatBrowsersSend) {
  auto head = good_request();
  set(head, "Upgrade", "WebSocket");
  set(head, "Connection", "keep-alive, Upgrade");
  head.fields.push_back({"Content-Length", "0"});
  EXPECT_FALSE(check_upgrade_request(head));
  set(head, "Upgrade", "h2c, websocket");
  EXPECT_FALSE(check_upgrade_request(head));
  set(head, "Sec-WebSocket-Key", "////////////////////+w==");
  EXPECT_FALSE(check_upgrade_request(head));
}

TEST(UpgradeRequest, RefusesWhatTheRfcForbids) {  // §4.2.1
  struct Case {
    const char* what;
    void (*change)(HttpHead&);
    int status;
  };
  const std::vector<Case> cases{
      {"POST", [](HttpHead& h) { h.method = "POST"; }, 400},
      {"lower-case method", [](HttpHead& h) { h.method = "get"; }, 400},
      {"HTTP/1.0", [](HttpHead& h) { h.version_minor = 0; }, 400},
      {"no Host", [](HttpHead& h) { drop(h, "Host"); }, 400},
      {"empty Host", [](HttpHead& h) { set(h, "Host", ""); }, 400},
      {"no Upgrade", [](HttpHead& h) { drop(h, "Upgrade"); }, 400},
      {"other Upgrade", [](HttpHead& h) { set(h, "Upgrade", "h2c"); }, 400},
      {"longer Upgrade", [](HttpHead& h) { set(h, "Upgrade", "websocket2"); }, 400},
      {"no Connection", [](HttpHead& h) { drop(h, "Connection"); }, 400},
      {"other Connection", [](HttpHead& h) { set(h, "Connection", "keep-alive"); }, 400},
      {"no key", [](HttpHead& h) { drop(h, "Sec-WebSocket-Key"); }, 400},
      {"empty key", [](HttpHead& h) { set(h, "Sec-WebSocket-Key", ""); }, 400},
      {"key of 15 bytes", [](HttpHead& h) { set(h, "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA"); }, 400},
      {"key of 17 bytes", [](HttpHead& h) { set(h, "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAA="); }, 400},
      {"key of 18 bytes", [](HttpHead& h) { set(h, "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAAA"); }, 400},
      {"key not base64", [](HttpHead& h) { set(h, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j*Q=="); }, 400},
      {"key base64url", [](HttpHead& h) { set(h, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j_Q=="); }, 400},
      {"key padded early", [](HttpHead& h) { set(h, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j===="); }, 400},
      {"two keys",
       [](HttpHead& h) {
         h.fields.push_back({"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="});
       },
       400},
      {"no version", [](HttpHead& h) { drop(h, "Sec-WebSocket-Version"); }, 400},
      {"two versions",
       [](HttpHead& h) {
         h.fields.push_back({"Sec-WebSocket-Version", "13"});
       },
       400},
      {"version 8", [](HttpHead& h) { set(h, "Sec-WebSocket-Version", "8"); }, 426},
      {"version 13.0", [](HttpHead& h) { set(h, "Sec-WebSocket-Version", "13.0"); }, 426},
      {"versions in a list", [](HttpHead& h) { set(h, "Sec-WebSocket-Version", "13, 8"); }, 426},
      {"body",
       [](HttpHead& h) {
         h.fields.push_back({"Content-Length", "1"});
       },
       400},
      {"chunked body",
       [](HttpHead& h) {
         h.fields.push_back({"Transfer-Encoding", "chunked"});
       },
       400},
  };
  for (const auto& c : cases) {
    auto head = good_request();
    c.change(head);
    const auto failure = check_upgrade_request(head);
    ASSERT_TRUE(failure) << c.what;
    EXPECT_EQ(failure->status, c.status) << c.what;
    EXPECT_FALSE(failure->why.empty()) << c.what;
  }
  auto body = good_request();
  body.fields.push_back({"Content-Length", "1"});
  EXPECT_EQ(check_upgrade_request(body)->kind, Anomaly::smuggling);
  EXPECT_EQ(check_upgrade_request(HttpHead{})->kind, Anomaly::handshake_invalid);
}

TEST(UpgradeResponse, AcceptsTheRfcsExample) {
  EXPECT_FALSE(check_upgrade_response(good_request(), good_response()));
  auto head = good_response();
  drop(head, "Sec-WebSocket-Protocol");
  set(head, "Upgrade", "WebSocket");
  set(head, "Connection", "upgrade, keep-alive");
  EXPECT_FALSE(check_upgrade_response(good_request(), head));
}

TEST(UpgradeResponse, RefusesWhatTheRfcForbids) {  // §4.1
  struct Case {
    const char* what;
    void (*change)(HttpHead&);
    bool switches = false;
  };
  const std::vector<Case> cases{
      {"200", [](HttpHead& h) { h.status = 200; }},
      {"HTTP/1.0", [](HttpHead& h) { h.version_minor = 0; }},
      {"no Upgrade", [](HttpHead& h) { drop(h, "Upgrade"); }},
      {"other Upgrade", [](HttpHead& h) { set(h, "Upgrade", "h2c, websocket"); }},
      {"no Connection", [](HttpHead& h) { drop(h, "Connection"); }},
      {"no accept", [](HttpHead& h) { drop(h, "Sec-WebSocket-Accept"); }},
      {"accept of another key", [](HttpHead& h) { set(h, "Sec-WebSocket-Accept", "AAAPLMBiTxaQ9kYGzzhZRbK+xOo="); }},
      {"accept in lower case", [](HttpHead& h) { set(h, "Sec-WebSocket-Accept", "s3pplmbitxaq9kygzzhzrbk+xoo="); }},
      {"two accepts",
       [](HttpHead& h) {
         h.fields.push_back({"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="});
       }},
      {"subprotocol not offered", [](HttpHead& h) { set(h, "Sec-WebSocket-Protocol", "mqtt"); }, true},
      {"subprotocol in another case", [](HttpHead& h) { set(h, "Sec-WebSocket-Protocol", "Chat"); }, true},
      {"two subprotocols", [](HttpHead& h) { set(h, "Sec-WebSocket-Protocol", "chat, superchat"); }, true},
      {"two subprotocol fields",
       [](HttpHead& h) {
         h.fields.push_back({"Sec-WebSocket-Protocol", "superchat"});
       },
       true},
      {"empty subprotocol", [](HttpHead& h) { set(h, "Sec-WebSocket-Protocol", ""); }, true},
      {"extension not offered", [](HttpHead& h) { set(h, "Sec-WebSocket-Extensions", "permessage-deflate"); }, true},
  };
  for (const auto& c : cases) {
    auto head = good_response();
    c.change(head);
    const auto failure = check_upgrade_response(good_request(), head);
    ASSERT_TRUE(failure) << c.what;
    EXPECT_EQ(failure->status, 502) << c.what;
    EXPECT_EQ(failure->kind, Anomaly::upstream_invalid) << c.what;
    EXPECT_EQ(!check_switching(good_request(), head), c.switches) << c.what;
  }
}

}  // namespace
}  // namespace sockeye::wire
