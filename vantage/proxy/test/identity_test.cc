#include "../src/identity.h"

#include <gtest/gtest.h>

#include "head.h"

namespace sockeye::proxy::identity_test {
namespace {

using model::ReconnectBasis;

struct Asked {
  std::string fields{};
  std::string target = "/chat";
  std::string address = "192.0.2.1";
  std::vector<std::string> client_id{};
  std::string route = "calls";
  std::uint64_t secret = 1;
};

Identity of(const Asked& asked) {
  Route route;
  route.name = asked.route;
  route.client_id = asked.client_id;
  const test::Head head("GET " + asked.target + " HTTP/1.1\nHost: a\nUser-Agent: phone\n" + asked.fields);
  return identify(route, *head, asked.address, asked.target, asked.secret);
}

TEST(Identity, IsAGuessByAddressRoutePathAndAgent) {
  const Identity plain = of({});
  EXPECT_EQ(plain.basis, ReconnectBasis::guess);
  EXPECT_NE(plain.key, 0U);
  EXPECT_EQ(plain, of({}));
  EXPECT_EQ(plain, of({.target = "/chat?token=changes&v=2"})) << "the query does not count";
  EXPECT_NE(plain, of({.address = "192.0.2.2"}));
  EXPECT_NE(plain, of({.route = "other"}));
  EXPECT_NE(plain, of({.target = "/other"}));
  EXPECT_NE(plain, of({.secret = 2}));
}

TEST(Identity, ACookieOrAnIdInTheQueryMakesItSurer) {
  const auto basis = [](const Asked& asked) { return of(asked).basis; };
  EXPECT_EQ(basis({.fields = "Cookie: lang=en; sid=0123456789abcdef"}), ReconnectBasis::cookie);
  EXPECT_EQ(basis({.fields = "Cookie: lang=en; seen=1"}), ReconnectBasis::guess) << "too short to be anybody's own";
  for (const auto* name : {"id", "sid", "session_id", "sessionId", "Session-ID", "client_id", "deviceid", "uuid"})
    EXPECT_EQ(basis({.target = std::string("/chat?v=1&") + name + "=01234567"}), ReconnectBasis::query) << name;
  for (const auto* query : {"id=1", "v=01234567", "token=0123456789abcdef", "idx=01234567", "sid"})
    EXPECT_EQ(basis({.target = std::string("/chat?") + query}), ReconnectBasis::guess) << query;
  const Asked both{.fields = "Cookie: sid=0123456789abcdef", .target = "/chat?id=01234567"};
  EXPECT_EQ(basis(both), ReconnectBasis::cookie);
  // Another value is another client.
  EXPECT_NE(of(both), of({.fields = "Cookie: sid=0123456789abcdeF", .target = "/chat?id=01234567"}));
  EXPECT_NE(of(both), of({.fields = "Cookie: sid=0123456789abcdef", .target = "/chat?id=01234568"}));
  EXPECT_NE(of(both), of({.fields = both.fields, .target = both.target, .address = "192.0.2.2"}));
}

TEST(Identity, IsWhatTheRouteSays) {
  const std::vector<std::string> device{"header.X-Device-Id"};
  const Identity one = of({.fields = "x-device-id: 7", .client_id = device});
  EXPECT_EQ(one.basis, ReconnectBasis::client_id);
  // Wherever it comes from, and whatever else it says.
  EXPECT_EQ(one, of({.fields = "X-Device-Id: 7\nCookie: sid=0123456789abcdef",
                     .target = "/other?id=01234567",
                     .address = "2001:db8::1",
                     .client_id = device}));
  EXPECT_NE(one, of({.fields = "x-device-id: 8", .client_id = device}));
  EXPECT_NE(one, of({.fields = "x-device-id: 7", .client_id = device, .route = "other"}));
  EXPECT_EQ(of({.client_id = device}).key, 0U) << "it says nothing of itself: not known";
  EXPECT_EQ(of({.fields = "x-device-id: ", .client_id = device}).key, 0U);
}

TEST(Identity, TakesEachKindAndAllOfThemTogether) {
  const auto key = [](std::vector<std::string> what, const std::string& fields, const std::string& target = "/") {
    return of({.fields = fields, .target = target, .client_id = std::move(what)}).key;
  };
  EXPECT_EQ(key({"query.d"}, "", "/?a=1&d=7&b=2"), key({"query.d"}, "", "/x?d=7"));
  EXPECT_NE(key({"query.d"}, "", "/?d=7"), key({"query.d"}, "", "/?d=8"));
  EXPECT_EQ(key({"query.d"}, "", "/?dd=7"), 0U);
  EXPECT_EQ(key({"cookie.sid"}, "Cookie: a=1; sid=7"), key({"cookie.sid"}, "Cookie: b=2\nCookie: sid=7;c=3"));
  EXPECT_NE(key({"cookie.sid"}, "Cookie: sid=7"), key({"cookie.sid"}, "Cookie: sid=8"));
  EXPECT_EQ(key({"cookie.sid"}, "Cookie: SID=7"), 0U);
  const std::string context = "traceparent.00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_EQ(key({"subprotocol"}, "Sec-WebSocket-Protocol: chat, key.7"),
            key({"subprotocol"}, "Sec-WebSocket-Protocol: chat," + context + ",key.7"));
  EXPECT_NE(key({"subprotocol"}, "Sec-WebSocket-Protocol: chat, key.7"),
            key({"subprotocol"}, "Sec-WebSocket-Protocol: chat, key.8"));
  EXPECT_EQ(key({"subprotocol"}, "Sec-WebSocket-Protocol: " + context), 0U);
  // Nothing that is moved from one to the other looks the same.
  const std::vector<std::string> two{"header.tenant", "header.device"};
  EXPECT_NE(key(two, "tenant: ab\ndevice: c"), key(two, "tenant: a\ndevice: bc"));
  EXPECT_NE(key(two, "tenant: a"), key(two, "device: a"));
  EXPECT_NE(key(two, "tenant: a"), 0U) << "one of them is enough";
}

TEST(Identity, NamesOfIdentifiers) {
  for (const auto* good : {"header.x", "query.a.b", "cookie.sid", "subprotocol"}) EXPECT_TRUE(names_identifier(good));
  for (const auto* bad : {"", "header.", "header", "query", "cookie.", "x", "subprotocol.x", "path"})
    EXPECT_FALSE(names_identifier(bad)) << bad;
}

}  // namespace
}  // namespace sockeye::proxy::identity_test
