#include "../src/rewrite.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "head.h"

namespace sockeye::proxy {
namespace {

using test::Head;

const SocketAddress usual_peer = *literal_address({"192.0.2.1", 4711, ""});

Route plain_route() {
  Route out;
  out.upstream = {"127.0.0.1", 8084, ""};
  out.forwarded = ForwardedPolicy::off;
  return out;
}

// Lines joined by "\n", without the blank line: what a person would write down.
std::string lines(const std::string& head) {
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  std::string out = head.substr(0, head.size() - 4);
  out.erase(std::remove(out.begin(), out.end(), '\r'), out.end());
  return out;
}

std::string request(const std::string& text, const Route& route = plain_route(), RequestRewrite how = {}) {
  const Head head(text);
  if (how.peer == nullptr) how.peer = &usual_peer;
  std::string out;
  append_request(out, *head, route, how);
  return lines(out);
}

std::string response(const std::string& text, const ResponseRewrite& how = {}) {
  const auto head = Head::response(text);
  std::string out;
  append_response(out, *head, how);
  return lines(out);
}

TEST(RewriteRequest, EndToEndFieldsKeepOrderSpellingAndValue) {
  EXPECT_EQ(request("GET /x?y=z HTTP/1.1\nhOsT: a.example:8080\nX-Custom:   spaced  value  \ncookie: a=b\nCookie: c=d\n"
                    "Authorization: Bearer t\nEmpty:\nX-Custom: again",
                    plain_route(), {}),
            "GET /x?y=z HTTP/1.1\nhOsT: a.example:8080\nX-Custom: spaced  value\ncookie: a=b\nCookie: c=d\n"
            "Authorization: Bearer t\nEmpty: \nX-Custom: again");
}

TEST(RewriteRequest, AnUpgradeIsAnnouncedAnew) {
  RequestRewrite how;
  how.upgrade = true;
  EXPECT_EQ(
      request("GET /chat HTTP/1.1\nHost: a\nUpgrade: WebSocket\nConnection: keep-alive, Upgrade\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\nOrigin: https://b\n"
              "Sec-WebSocket-Protocol: x, y\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
              plain_route(), how),
      "GET /chat HTTP/1.1\nHost: a\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n"
      "Origin: https://b\nSec-WebSocket-Protocol: x, y\n"
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\nConnection: Upgrade\nUpgrade: websocket");
}

TEST(RewriteRequest, HopByHopFieldsEndHere) {
  EXPECT_EQ(
      request("POST / HTTP/1.1\nHost: a\nConnection: close, X-Hop , x-other\nKeep-Alive: 5\nProxy-Connection: close\n"
              "TE: trailers\nUpgrade: h2c\nHTTP2-Settings: AA\nProxy-Authorization: Basic x\nx-hop: 1\nX-OTHER: 2\n"
              "X-Hop-Not: 3\nTransfer-Encoding: chunked\nTrailer: T"),
      "POST / HTTP/1.1\nHost: a\nX-Hop-Not: 3\nTransfer-Encoding: chunked\nTrailer: T");
}

TEST(RewriteRequest, ConnectionCannotNameAwayWhatAnUpstreamReliesOn) {
  const std::string fields =
      "Cookie: a=b\nAuthorization: t\nOrigin: https://a\nX-Forwarded-For: 203.0.113.9\nX-Real-IP: 203.0.113.9\n"
      "Forwarded: for=203.0.113.9\ntraceparent: 00-1-2-3\nbaggage: k=v\nX-B3-TraceId: 1\nContent-Type: text/plain\n"
      "Sec-Fetch-Site: same-origin\nUser-Agent: u\nReferer: r\nIf-None-Match: e\nX-Auth-User: alice\nX-SSL-Client-CN: "
      "c";
  std::string names;
  for (const auto* name : {"cookie", "AUTHORIZATION", "Origin", "x-forwarded-for", "X-Real-Ip", "forwarded",
                           "Traceparent", "Baggage", "x-b3-traceid", "content-type", "sec-fetch-site", "user-agent",
                           "referer", "if-none-match", "x-auth-user", "x-ssl-client-cn"})
    names += std::string(names.empty() ? "" : ", ") + name;
  EXPECT_EQ(request("GET / HTTP/1.1\nHost: a\nConnection: " + names + "\n" + fields),
            "GET / HTTP/1.1\nHost: a\n" + fields);
}

TEST(RewriteRequest, ConnectionNamesAreBounded) {
  std::string names;
  for (int i = 0; i < 1000; ++i) names += "h" + std::to_string(i) + ",";
  const auto out = request("GET / HTTP/1.1\nHost: a\nConnection: " + names + "\nh31: x\nh32: y");
  EXPECT_EQ(out, "GET / HTTP/1.1\nHost: a\nh32: y");
}

TEST(RewriteRequest, Hosts) {
  const std::string head = "GET /p HTTP/1.1\nX: 1\nHost: a.example:8443\nY: 2";
  auto route = plain_route();
  EXPECT_EQ(request(head, route), head);
  route.preserve_host = false;
  const auto rewritten = [&](bool tls, const Address& upstream) {
    route.upstream_tls = tls;
    route.upstream = upstream;
    return request(head, route);
  };
  const auto with = [](const std::string& host) { return "GET /p HTTP/1.1\nX: 1\nHost: " + host + "\nY: 2"; };
  EXPECT_EQ(rewritten(false, {"127.0.0.1", 8084, ""}), with("127.0.0.1:8084"));
  EXPECT_EQ(rewritten(false, {"backend", 80, ""}), with("backend"));
  EXPECT_EQ(rewritten(true, {"backend", 443, ""}), with("backend"));
  EXPECT_EQ(rewritten(true, {"backend", 80, ""}), with("backend:80"));
  EXPECT_EQ(rewritten(false, {"::1", 80, ""}), with("[::1]"));
  EXPECT_EQ(rewritten(false, {"::1", 8080, ""}), with("[::1]:8080"));
  EXPECT_EQ(rewritten(false, {"", 0, "/run/app.sock"}), with("localhost"));
}

TEST(RewriteRequest, AnAbsoluteTargetBecomesOriginFormAndItsAuthorityHost) {
  EXPECT_EQ(request("GET http://a.example:81/x?y HTTP/1.1\nHost: A.example:81"),
            "GET /x?y HTTP/1.1\nHost: a.example:81");
  EXPECT_EQ(request("GET ws://a.example HTTP/1.1\nHost: a.example"), "GET / HTTP/1.1\nHost: a.example");
  EXPECT_EQ(request("OPTIONS * HTTP/1.1\nHost: a"), "OPTIONS * HTTP/1.1\nHost: a");
}

TEST(RewriteRequest, AnOldRequestStaysOldAndGetsAHost) {
  EXPECT_EQ(request("GET /x HTTP/1.0\nX: 1"), "GET /x HTTP/1.0\nHost: 127.0.0.1:8084\nX: 1");
  EXPECT_EQ(request("GET http://a.example/x HTTP/1.0"), "GET /x HTTP/1.0\nHost: a.example");
}

TEST(RewriteRequest, ThePathPrefix) {
  auto route = plain_route();
  const auto target = [&](const std::string& asked) {
    const auto out = request("GET " + asked + " HTTP/1.1\nHost: a", route);
    return out.substr(4, out.find(" HTTP/1.1") - 4);
  };
  for (const auto* prefix : {"/v1", "/v1/"}) {
    route.upstream_path = prefix;
    EXPECT_EQ(target("/media?x=/../y"), "/v1/media?x=/../y");
    EXPECT_EQ(target("/"), "/v1");
    EXPECT_EQ(target("/?x"), "/v1?x");
    EXPECT_EQ(target("//x"), "/v1//x");
    EXPECT_EQ(target("/%2e/x"), "/v1/%2e/x");
    EXPECT_EQ(target("http://a"), "/v1");
  }
  route.upstream_path = "";
  EXPECT_EQ(target("/"), "/");
  EXPECT_EQ(target("/%6d;a=b//x?"), "/%6d;a=b//x?");  // verbatim
}

TEST(RewriteRequest, ForwardedFieldsAreAppended) {
  auto route = plain_route();
  route.forwarded = ForwardedPolicy::append;
  EXPECT_EQ(request("GET / HTTP/1.1\nHost: a.example", route),
            "GET / HTTP/1.1\nHost: a.example\nForwarded: for=192.0.2.1;host=a.example;proto=http\n"
            "X-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: http\nX-Forwarded-Host: a.example");
  RequestRewrite how;
  how.tls = true;
  EXPECT_EQ(
      request("GET / HTTP/1.1\nHost: a.example:8443\nX-Forwarded-For: 203.0.113.9\nX: 1\nx-forwarded-for: 10.0.0.1",
              route, how),
      "GET / HTTP/1.1\nHost: a.example:8443\nX: 1\nX-Forwarded-For: 203.0.113.9, 10.0.0.1, 192.0.2.1\n"
      "X-Forwarded-Proto: https\nX-Forwarded-Host: a.example:8443");
  EXPECT_EQ(request("GET / HTTP/1.1\nHost: a\nForwarded: for=203.0.113.9;proto=https\nX-Forwarded-Proto: https\n"
                    "X-Forwarded-Host: www.example\nX-Forwarded-Port: 443",
                    route),
            "GET / HTTP/1.1\nHost: a\nX-Forwarded-Proto: https\nX-Forwarded-Host: www.example\nX-Forwarded-Port: 443\n"
            "Forwarded: for=203.0.113.9;proto=https, for=192.0.2.1;host=a;proto=http\nX-Forwarded-For: 192.0.2.1");
}

TEST(RewriteRequest, ForwardedFieldsAreReplaced) {
  auto route = plain_route();
  route.forwarded = ForwardedPolicy::replace;
  EXPECT_EQ(
      request("GET / HTTP/1.1\nHost: a\nForwarded: for=1.1.1.1\nX-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\n"
              "X-Forwarded-Host: evil\nX-Forwarded-Port: 1\nX-Real-IP: 1.1.1.1\nX: 1",
              route),
      "GET / HTTP/1.1\nHost: a\nX: 1\nForwarded: for=192.0.2.1;host=a;proto=http\nX-Forwarded-For: 192.0.2.1\n"
      "X-Forwarded-Proto: http\nX-Forwarded-Host: a");
}

// Servers that make variables of fields cannot tell "_" from "-".
TEST(RewriteRequest, AReplacedFieldIsSpelledInNoOtherWay) {
  auto route = plain_route();
  route.forwarded = ForwardedPolicy::replace;
  const std::string ours =
      "Forwarded: for=192.0.2.1;host=a;proto=http\nX-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: http\n"
      "X-Forwarded-Host: a";
  EXPECT_EQ(request("GET / HTTP/1.1\nHost: a\nX_Forwarded_For: 1.1.1.1\nx-forwarded_for: 1.1.1.1\nX_REAL_IP: 1.1.1.1\n"
                    "X-Forwarded_Proto: https\nx_forwarded-host: evil\nX_Forwarded_: 1\nXForwarded-For: 1",
                    route),
            "GET / HTTP/1.1\nHost: a\nXForwarded-For: 1\n" + ours);
  EXPECT_EQ(request("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTrailer: X-Forwarded-For", route),
            "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n" + ours);
}

TEST(RewriteRequest, ForwardedFieldsAreLeftAlone) {
  const std::string head = "GET / HTTP/1.1\nHost: a\nForwarded: for=1.1.1.1\nX-Forwarded-For: 1.1.1.1\nX-Real-IP: 2";
  EXPECT_EQ(request(head), head);
}

TEST(RewriteRequest, ForwardedQuotesAsRfc7239Asks) {
  auto route = plain_route();
  route.forwarded = ForwardedPolicy::replace;
  route.preserve_host = false;  // the client's host is what is told, not the rewritten one
  const auto v6 = *literal_address({"2001:db8::1", 1, ""});
  const auto un = SocketAddress::unix_socket("");
  RequestRewrite how;
  how.peer = &v6;
  EXPECT_EQ(request("GET / HTTP/1.1\nHost: a.example:8080", route, how),
            "GET / HTTP/1.1\nHost: 127.0.0.1:8084\n"
            "Forwarded: for=\"[2001:db8::1]\";host=\"a.example:8080\";proto=http\nX-Forwarded-For: 2001:db8::1\n"
            "X-Forwarded-Proto: http\nX-Forwarded-Host: a.example:8080");
  how.peer = &un;
  EXPECT_EQ(request("GET / HTTP/1.1\nHost: a", route, how),
            "GET / HTTP/1.1\nHost: 127.0.0.1:8084\nForwarded: for=unknown;host=a;proto=http\nX-Forwarded-Proto: http\n"
            "X-Forwarded-Host: a");
}

TEST(RewriteRequest, DecliningCompressionFiltersTheOffer) {
  RequestRewrite how;
  how.upgrade = true;
  how.decline_deflate = true;
  EXPECT_EQ(
      request("GET / HTTP/1.1\nHost: a\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\nX: 1\n"
              "Sec-WebSocket-Extensions: foo, permessage-deflate",
              plain_route(), how),
      "GET / HTTP/1.1\nHost: a\nX: 1\nSec-WebSocket-Extensions: foo\nConnection: Upgrade\nUpgrade: websocket");
}

TEST(RewriteRequest, FieldsOfOursReplaceThoseOfTheSameName) {
  const std::vector<Field> fields = {{"traceparent", "00-new"}, {"tracestate", "a=b"}};
  RequestRewrite how;
  how.fields = fields;
  how.close = true;
  EXPECT_EQ(request("GET / HTTP/1.1\nHost: a\nTraceParent: 00-old\ntracestate: x\ntracestate: y\nbaggage: k=v",
                    plain_route(), how),
            "GET / HTTP/1.1\nHost: a\nbaggage: k=v\ntraceparent: 00-new\ntracestate: a=b\nConnection: close");
}

TEST(RewriteRequest, AppendsBehindWhatIsThere) {
  const Head head("GET / HTTP/1.1\nHost: a");
  std::string out = "before";
  RequestRewrite how;
  how.peer = &usual_peer;
  append_request(out, *head, plain_route(), how);
  EXPECT_EQ(out, "beforeGET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(RewriteResponse, AnUpgradePassesVerbatim) {
  ResponseRewrite how;
  how.upgrade = true;
  EXPECT_EQ(response("HTTP/1.1 101 Web Socket Protocol Handshake\nUpgrade: WebSocket\nConnection: Upgrade\n"
                     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\nSec-WebSocket-Protocol: x\nSet-Cookie: a=b\n"
                     "set-cookie: c=d\nServer: s",
                     how),
            "HTTP/1.1 101 Web Socket Protocol Handshake\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n"
            "Sec-WebSocket-Protocol: x\nSet-Cookie: a=b\nset-cookie: c=d\nServer: s\nConnection: Upgrade\n"
            "Upgrade: websocket");
}

TEST(RewriteResponse, HopByHopFieldsEndHereAndFramingStays) {
  ResponseRewrite how;
  how.close = true;
  EXPECT_EQ(response("HTTP/1.1 200 OK\nConnection: keep-alive, X-Hop\nKeep-Alive: timeout=5\nX-Hop: 1\n"
                     "Transfer-Encoding: chunked\nProxy-Authenticate: Basic\nUpgrade: h2c\nContent-Type: text/plain",
                     how),
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Type: text/plain\nConnection: close");
  EXPECT_EQ(response("HTTP/1.0 404 Not Found\nContent-Length: 0"), "HTTP/1.1 404 Not Found\nContent-Length: 0");
  EXPECT_EQ(response("HTTP/1.1 100 Continue"), "HTTP/1.1 100 Continue");
  EXPECT_EQ(response("HTTP/1.1 204\nX: 1"), "HTTP/1.1 204 \nX: 1");
}

// RFC 9110 §8.6, RFC 9112 §6.1.
TEST(RewriteResponse, WhatHasNoBodyIsNotFramed) {
  const auto answer = [](const std::string& status, const ResponseRewrite& how = {}) {
    std::string out = response("HTTP/1.1 " + status + " S\nContent-Length: 5\nTransfer-Encoding: chunked\nX: 1", how);
    return out.substr(out.find('\n') + 1);
  };
  const std::string length = "Content-Length: 5\n";
  const std::string coding = "Transfer-Encoding: chunked\n";
  for (const auto* status : {"100", "102", "103", "199", "204"}) EXPECT_EQ(answer(status), "X: 1") << status;
  EXPECT_EQ(answer("101", {.upgrade = true}), "X: 1\nConnection: Upgrade\nUpgrade: websocket");
  EXPECT_EQ(answer("304"), length + "X: 1");
  EXPECT_EQ(answer("200", {.head = true}), length + "X: 1");
  EXPECT_EQ(answer("204", {.head = true}), "X: 1");
  for (const auto* status : {"200", "205", "206", "404", "500"})
    EXPECT_EQ(answer(status), length + coding + "X: 1") << status;
  EXPECT_EQ(response("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: T", {.head = true}), "HTTP/1.1 200 OK");
}

}  // namespace
}  // namespace sockeye::proxy
