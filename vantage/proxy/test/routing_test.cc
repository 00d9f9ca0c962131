#include "../src/routing.h"

#include <gtest/gtest.h>

#include "head.h"

namespace sockeye::proxy {
namespace {

using test::Head;

Route route(const std::string& name, const Match& match) {
  Route out;
  out.name = name;
  out.match = match;
  return out;
}

RouteTable table(const std::vector<Route>& routes) {
  auto out = RouteTable::compile(routes);
  EXPECT_TRUE(out) << (out ? "" : out.error().message);
  return out ? std::move(*out) : RouteTable{};
}

// The name of the route, or "status why".
std::string where(const RouteTable& routes, const model::HttpHead& head) {
  const auto verdict = routes.match(head);
  if (verdict.index >= 0) return routes[verdict.index].config().name;
  return std::to_string(verdict.status) + " " + std::string(verdict.why);
}
std::string where(const RouteTable& routes, const std::string& target, const std::string& host = "a.example",
                  const std::string& more = "") {
  const Head head("GET " + target + " HTTP/1.1\nHost: " + host + "\n" + more);
  return where(routes, *head);
}

constexpr auto* no_route = "404 no route for this host, path and subprotocol";

TEST(SplitTarget, TakesEachForm) {
  const auto parts = [](std::string_view target) {
    const auto out = split_target(target);
    if (!out) return std::string("none");
    return std::string(out->authority) + "|" + std::string(out->path) + "|" + std::string(out->query);
  };
  EXPECT_EQ(parts("/"), "|/|");
  EXPECT_EQ(parts("/a/b?c=d/e?f"), "|/a/b|?c=d/e?f");
  EXPECT_EQ(parts("/?"), "|/|?");
  EXPECT_EQ(parts("*"), "|*|");
  EXPECT_EQ(parts("http://h:1/a?b"), "h:1|/a|?b");
  EXPECT_EQ(parts("ws://h"), "h|/|");
  EXPECT_EQ(parts("ws://h?q"), "h|/|?q");
  EXPECT_EQ(parts("//a/b"), "|//a/b|");
  for (const auto* bad : {"", "a", "host:80", "http://", "http:///x", "http://u@h/", "/a#b", "://h/", "1://h/"})
    EXPECT_EQ(parts(bad), "none") << bad;
}

TEST(Routing, TheFirstMatchWins) {
  const auto routes =
      table({route("calls", {"", "/media", ""}), route("api", {"", "/media/v2", ""}), route("rest", {})});
  EXPECT_EQ(where(routes, "/media/v2"), "calls");
  EXPECT_EQ(where(routes, "/"), "rest");
  EXPECT_EQ(where(table({}), "/"), no_route);
}

TEST(Routing, PathsMatchOnSegmentBoundaries) {
  const auto routes = table({route("media", {"", "/media", ""})});
  for (const auto* in : {"/media", "/media/", "/media/x", "/media?y", "/media/?y=/../..", "/media/x/../y", "/media//x"})
    EXPECT_EQ(where(routes, in), "media") << in;
  for (const auto* out : {"/", "/mediax", "/medi", "/Media", "/x/media", "/media.json", "/?/media"})
    EXPECT_EQ(where(routes, out), no_route) << out;

  const auto directory = table({route("media", {"", "/media/", ""})});
  EXPECT_EQ(where(directory, "/media/x"), "media");
  EXPECT_EQ(where(directory, "/media/"), "media");
  EXPECT_EQ(where(directory, "/media"), no_route);
  EXPECT_EQ(where(table({route("all", {"", "/", ""})}), "/anything"), "all");
}

TEST(Routing, EncodedPathsMatchAsTheyAreRead) {
  const auto routes = table({route("media", {"", "/media", ""}), route("tilde", {"", "/%7Euser", ""})});
  EXPECT_EQ(where(routes, "/%6dedia"), "media");
  EXPECT_EQ(where(routes, "/medi%61/x"), "media");
  EXPECT_EQ(where(routes, "/%6D%65%64%69%61?x"), "media");
  EXPECT_EQ(where(routes, "/~user"), "tilde");
  EXPECT_EQ(where(routes, "/%7euser/x"), "tilde");
  EXPECT_EQ(where(routes, "/media/a%2Fb"), "media");
  EXPECT_EQ(where(routes, "/media/a%20b%zz%"), "media");
  EXPECT_EQ(where(routes, "/media;v=1/x"), "400 ambiguous path");  // a segment of its own, or /media with a parameter
  const auto caf = table({route("caf", {"", "/caf%c3%a9", ""})});
  EXPECT_EQ(where(caf, "/caf%C3%A9/x"), "caf");
  EXPECT_EQ(where(caf, "/caf\xc3\xa9/x"), "caf");
  EXPECT_EQ(where(table({route("caf", {"", "/caf\xc3\xa9", ""})}), "/caf%c3%A9"), "caf");
}

// "admin" is guarded (say by an origin list); "rest" is not. Both lead to one server. No spelling of a path may reach
// what the server takes for /admin by the unguarded route, nor the other way round.
TEST(Routing, NoSpellingOfAPathSlipsPastARoute) {
  const auto routes = table({route("admin", {"", "/admin", ""}), route("rest", {})});
  for (const auto* tricky : {"/public/../admin",
                             "/public/%2e%2e/admin",
                             "/public/.%2E/admin",
                             "/./admin",
                             "/%2e/admin",
                             "//admin",
                             "///admin/x",
                             "/public/..//admin",
                             "/public//../admin",
                             "/\\admin",
                             "/public\\..\\admin",
                             "/public/..%2fadmin",
                             "/public%2f..%2fadmin",
                             "/public/%2e%2e%2fadmin",
                             "/%2fadmin",
                             "/%5cadmin",
                             "/public/..;/admin",
                             "/public/..;x=y/admin",
                             "/admin;x",
                             "/admin;/x",
                             "/;/admin",
                             "/admin%3bx",
                             "/public/%252e%252e/admin",
                             "/%2561dmin",
                             "/%252fadmin",
                             "/public/%25252e%25252e/admin",
                             "/admin/../public",
                             "/admin/%2e%2e/public",
                             "/admin//../public",
                             "/admin/..;/public",
                             "/admin%2f..%2fpublic",
                             "/admin\\..\\public"}) {
    const auto result = where(routes, tricky);
    EXPECT_EQ(result.substr(0, 3), "400") << tricky << " → " << result;
  }
  // What all servers read alike is routed.
  for (const auto* admin :
       {"/admin", "/admin/x", "/%61dmin", "/admin/../admin/x", "/admin/a%2Fb", "/admin/./x", "/admin/a;b"})
    EXPECT_EQ(where(routes, admin), "admin") << admin;
  for (const auto* rest : {"/x", "/x/../y", "/x//y", "/x/%2e%2e/y", "/administrator", "/x?/../admin", "/x;y", "/Admin"})
    EXPECT_EQ(where(routes, rest), "rest") << rest;
}

TEST(Routing, PathsThatClimbOrHoldNulAreRefusedAlways) {
  const auto routes = table({route("rest", {})});
  for (const auto* bad : {"/..", "/../x", "/a/../../x", "/%2e%2e/x", "/a/..%2f../x", "/a\\..\\..\\x", "/..;/x",
                          "/a/%00", "/%2500", "/a/b//../../../x"})
    EXPECT_EQ(where(routes, bad), "400 malformed path") << bad;
  EXPECT_EQ(where(routes, "/a/b/../../x"), "rest");
  EXPECT_EQ(where(routes, "/a/.."), "rest");
}

TEST(Routing, Hosts) {
  const auto routes = table({route("exact", {"Chat.Example", "", ""}), route("suffix", {"*.devices.example", "", ""}),
                             route("v6", {"[::1]", "", ""})});
  for (const auto* host : {"chat.example", "CHAT.EXAMPLE:8443", "chat.example.", "chat.example.:80", "chat.example:"})
    EXPECT_EQ(where(routes, "/", host), "exact") << host;
  for (const auto* host : {"a.devices.example", "A.b.DEVICES.example:1"})
    EXPECT_EQ(where(routes, "/", host), "suffix") << host;
  for (const auto* host :
       {"devices.example", ".devices.example", "xdevices.example", "chat.example.evil", "x.chat.example"})
    EXPECT_EQ(where(routes, "/", host), no_route) << host;
  EXPECT_EQ(where(routes, "/", "[::1]:80"), "v6");
  // The absolute form names the host (the parser insists that both agree).
  EXPECT_EQ(where(routes, "http://chat.example/x", "chat.example"), "exact");
}

TEST(Routing, HeadsThatDoNotNameOneHostAreRefused) {
  const auto routes = table({route("rest", {})});
  model::HttpHead head;
  head.method = "GET";
  head.target = "/";
  EXPECT_EQ(where(routes, head), "400 no Host field");
  head.version_minor = 0;
  EXPECT_EQ(where(routes, head), "rest");
  head.version_minor = 1;
  head.fields = {{"Host", "a"}, {"host", "a"}};
  EXPECT_EQ(where(routes, head), "400 more than one Host field");
  for (const auto* bad : {"a/b", "a b", "a,b", "a@b", "a\"b", "[::1", "[::1]x", "a:b", "a\\b", "a:1:2"}) {
    head.fields = {{"Host", bad}};
    EXPECT_EQ(where(routes, head), "400 malformed Host") << bad;
  }
  head.fields = {{"Host", "a"}};
  for (const auto* bad : {"", "x", "http://", "/a#b", "http://u@h/"}) {
    head.target = bad;
    EXPECT_EQ(where(routes, head), "400 malformed request target") << bad;
  }
  head.method = "CONNECT";
  head.target = "a:443";
  EXPECT_EQ(where(routes, head), "405 CONNECT is not supported");
  head.method = "OPTIONS";
  head.target = "*";
  EXPECT_EQ(where(routes, head), "rest");
}

TEST(Routing, SubprotocolsMatchAmongThoseOffered) {
  const auto routes = table({route("ocpp", {"", "", "ocpp2.0.1"}), route("rest", {})});
  const auto offering = [&](const std::string& fields) { return where(routes, "/", "a", fields); };
  EXPECT_EQ(offering("Sec-WebSocket-Protocol: ocpp2.0.1"), "ocpp");
  EXPECT_EQ(offering("Sec-WebSocket-Protocol: ocpp1.6 , ocpp2.0.1"), "ocpp");
  EXPECT_EQ(offering("sec-websocket-protocol: ocpp1.6\nSec-WebSocket-Protocol: ocpp2.0.1"), "ocpp");
  EXPECT_EQ(offering("Sec-WebSocket-Protocol: OCPP2.0.1"), "rest");  // RFC 6455 §4.1: as spelled
  EXPECT_EQ(offering("Sec-WebSocket-Protocol: ocpp2.0.10"), "rest");
  EXPECT_EQ(offering(""), "rest");
}

TEST(Routing, MistakesInTheConfigurationAreNamed) {
  const auto why = [](const Route& wrong) {
    const auto out = RouteTable::compile({route("first", {}), wrong});
    return out ? std::string("compiled") : out.error().message;
  };
  EXPECT_EQ(why(route("r", {"", "media", ""})), "route r: match.path: \"media\": must begin with /");
  EXPECT_EQ(why(route("r", {"", "/a?b", ""})), "route r: match.path: \"/a?b\": a path only, no query and no fragment");
  EXPECT_EQ(why(route("r", {"", "/a/../b", ""})),
            "route r: match.path: \"/a/../b\": must not contain . or .. segments");
  EXPECT_EQ(why(route("r", {"a*b", "", ""})), "route r: match.host: \"a*b\": not a host name or *.suffix");
  EXPECT_EQ(why(route("r", {"*.", "", ""})), "route r: match.host: \"*.\": not a host name or *.suffix");
  EXPECT_EQ(why(route("r", {"http://a", "", ""})), "route r: match.host: \"http://a\": not a host name or *.suffix");
  auto wrong = route("r", {});
  wrong.trusted_proxies = {"10.0.0.0/33"};
  EXPECT_EQ(why(wrong), "route r: trusted_proxies: \"10.0.0.0/33\": the prefix length is not a number from 0 to 32");
  wrong = route("r", {});
  wrong.origins = {"*"};
  EXPECT_EQ(why(wrong),
            "route r: origins: \"*\": not scheme://host[:port], *.suffix or null; leave origins out to allow any");
  for (const auto* origin :
       {"example.com", "https://", "https://a/", "https://a:x", "https://*a.b", "https://a.*", ""}) {
    wrong.origins = {origin};
    EXPECT_NE(why(wrong), "compiled") << origin;
  }
  wrong = route("r", {});
  for (const auto* path : {"v1", "/v1 /x", "/v1\r\nX: y"}) {
    wrong.upstream_path = path;
    EXPECT_NE(why(wrong), "compiled") << path;
  }
}

bool allowed(const std::vector<std::string>& origins, const std::string& fields) {
  auto one = route("r", {});
  one.origins = origins;
  const auto routes = table({one});
  const Head head("GET / HTTP/1.1\nHost: a\n" + fields);
  return routes[0].origin_allowed(*head);
}

TEST(Origins, TheListDecides) {
  const std::vector<std::string> list = {"https://app.example", "http://localhost:3000", "*.apps.example",
                                         "https://*.secure.example"};
  const auto from = [&](const std::string& origin) { return allowed(list, "Origin: " + origin); };
  for (const auto* good :
       {"https://app.example", "https://APP.example:443", "HTTPS://app.example", "http://localhost:3000",
        "https://a.apps.example", "http://x.y.apps.example:81", "https://a.secure.example"})
    EXPECT_TRUE(from(good)) << good;
  for (const auto* bad :
       {"http://app.example", "https://app.example:444", "https://app.example.evil", "https://evil-app.example",
        "http://localhost", "https://apps.example", "https://xapps.example", "https://.apps.example",
        "http://a.secure.example", "https://a.secure.example:444", "null", "", "app.example", "https://app.example/",
        "https://app.example@evil", "https://app.example https://evil.example", "file://", "https://app.example, x"})
    EXPECT_FALSE(from(bad)) << bad;
}

TEST(Origins, WithoutAListOrWithoutAnOriginAllIsAllowed) {
  EXPECT_TRUE(allowed({}, "Origin: https://anything.example"));
  EXPECT_TRUE(allowed({}, "Origin: null"));
  EXPECT_TRUE(allowed({"https://app.example"}, ""));  // no browser
}

TEST(Origins, NullOnlyWhenListedAndNeverTwo) {
  EXPECT_FALSE(allowed({"https://app.example"}, "Origin: null"));
  EXPECT_TRUE(allowed({"https://app.example", "null"}, "Origin: null"));
  EXPECT_FALSE(allowed({"null"}, "Origin: https://app.example"));
  EXPECT_FALSE(allowed({"https://app.example"}, "Origin: https://app.example\nOrigin: https://evil.example"));
  EXPECT_FALSE(allowed({"https://app.example"}, "Origin: https://app.example\norigin: https://app.example"));
}

std::string client(const std::vector<std::string>& trusted, const std::string& peer, const std::string& fields) {
  auto one = route("r", {});
  one.trusted_proxies = trusted;
  const auto routes = table({one});
  const Head head("GET / HTTP/1.1\nHost: a\n" + fields);
  const auto address = peer == "unix" ? SocketAddress::unix_socket("") : *literal_address({peer, 1, ""});
  return routes[0].client_address(*head, address);
}

TEST(ClientAddress, IsThePeerUnlessThePeerIsTrusted) {
  const std::string chain = "X-Forwarded-For: 203.0.113.9, 10.0.0.7";
  EXPECT_EQ(client({}, "10.0.0.1", chain), "10.0.0.1");
  EXPECT_EQ(client({"192.168.0.0/16"}, "10.0.0.1", chain), "10.0.0.1");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1", chain), "203.0.113.9");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1", ""), "10.0.0.1");
  EXPECT_EQ(client({"10.0.0.1"}, "10.0.0.1", chain), "10.0.0.7");
  EXPECT_EQ(client({"10.0.0.0/8"}, "::ffff:10.0.0.1", chain), "203.0.113.9");
}

TEST(ClientAddress, WhatTheClientMadeUpOnTheLeftDoesNotCount) {
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1", "X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.0.0.7"), "203.0.113.9");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1", "X-Forwarded-For: 1.1.1.1\nX-Forwarded-For: 203.0.113.9"),
            "203.0.113.9");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1", "X-Forwarded-For: 1.1.1.1, <script>, 10.0.0.7"), "10.0.0.7");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1", "X-Forwarded-For: 1.1.1.1, unknown"), "10.0.0.1");
  // An empty element says nothing, neither the truth nor a lie (RFC 9110 §5.6.1.2).
  for (const auto* chain : {"203.0.113.9,", "203.0.113.9, ,", "203.0.113.9,, 10.0.0.7", ", 203.0.113.9 ,\t,10.0.0.7,"})
    EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1", std::string("X-Forwarded-For: ") + chain), "203.0.113.9") << chain;
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1", "X-Forwarded-For: 203.0.113.9\nX-Forwarded-For: "), "203.0.113.9");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1", "X-Forwarded-For: ,"), "10.0.0.1");
  EXPECT_EQ(client({"10.0.0.0/8"}, "10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2"), "10.0.0.3");  // all ours
}

TEST(ClientAddress, IsReadInEverySpelling) {
  const auto from = [](const std::string& entry) {
    return client({"127.0.0.1"}, "127.0.0.1", "X-Forwarded-For: " + entry);
  };
  EXPECT_EQ(from("203.0.113.9:4711"), "203.0.113.9");
  EXPECT_EQ(from("2001:DB8::1"), "2001:db8::1");
  EXPECT_EQ(from("[2001:db8::1]"), "2001:db8::1");
  EXPECT_EQ(from("[2001:db8::1]:4711"), "2001:db8::1");
  EXPECT_EQ(from("::ffff:203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(from("[2001:db8::1"), "127.0.0.1");
  EXPECT_EQ(from(std::string(5000, '1')), "127.0.0.1");
}

TEST(ClientAddress, UnixPeers) {
  EXPECT_EQ(client({}, "unix", "X-Forwarded-For: 203.0.113.9"), "");
  EXPECT_EQ(client({"unix"}, "unix", "X-Forwarded-For: 203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(client({"unix"}, "unix", ""), "");
}

}  // namespace
}  // namespace sockeye::proxy
