#include "sockeye/base/address.h"

#include <gtest/gtest.h>

namespace sockeye::base {
namespace {

std::string parsed(std::string_view text, std::optional<std::uint16_t> default_port = std::nullopt) {
  const auto out = parse_host_port(text, default_port);
  return out ? out->text() : "error: " + out.error().message;
}

TEST(ParseHostPort, TakesTheForms) {
  for (const auto* text : {"127.0.0.1:8080", "localhost:0", "[::1]:8080", "[2001:db8::1]:65535", "[fe80::1%eth0]:80",
                           ":8080", "a-b.example_c:1"})
    EXPECT_EQ(parsed(text), text);
  EXPECT_EQ(parsed("host", 80), "host:80");
  EXPECT_EQ(parsed("[::1]", 443), "[::1]:443");
  EXPECT_EQ(parsed("host:81", 80), "host:81");
  EXPECT_EQ(parsed("", 80), ":80");
}

TEST(ParseHostPort, RefusesTheRestWithAReason) {
  const std::string forms = "; write host:port, [v6]:port or :port";
  EXPECT_EQ(parsed("localhost"), "error: no port" + forms);
  EXPECT_EQ(parsed(""), "error: no port" + forms);
  EXPECT_EQ(parsed("::1:8080"), "error: an IPv6 address goes in brackets" + forms);
  EXPECT_EQ(parsed("[::1]"), "error: no port" + forms);
  EXPECT_EQ(parsed("[::1:80"), "error: no ] after the IPv6 address");
  EXPECT_EQ(parsed("[::zz]:80"), "error: not an IPv6 address in the brackets");
  EXPECT_EQ(parsed("[127.0.0.1]:80"), "error: not an IPv6 address in the brackets");
  EXPECT_EQ(parsed("[fe80::1%]:80"), "error: not an IPv6 address in the brackets");
  EXPECT_EQ(parsed("[fe80::1%an-interface-too-long]:80"), "error: not an IPv6 address in the brackets");
  EXPECT_EQ(parsed("[::1]80"), "error: text after the ]" + forms);
  for (const auto* port : {"", "65536", "-1", "+1", " 1", "1x", "99999999999999999999"})
    EXPECT_EQ(parsed("a:" + std::string(port)), "error: the port is not a number from 0 to 65535") << port;
  for (const auto* host : {"a b", "a\r\nX", "ü", "a@b", "a/b"})
    EXPECT_EQ(parsed(std::string(host) + ":1"), "error: not a host name") << host;
  EXPECT_EQ(parsed(std::string(254, 'a') + ":1"), "error: not a host name");
}

TEST(ParseUrl, TakesItApart) {
  const auto whole = parse_url("HTTPS://user:pa%20ss@Collector.example:4318/a/b?c=d&e=/#f");
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->scheme, "https");
  EXPECT_EQ(whole->user_info, "user:pa%20ss");
  EXPECT_EQ(whole->host, "Collector.example");
  EXPECT_EQ(whole->port, 4318);
  EXPECT_EQ(whole->path, "/a/b");
  EXPECT_EQ(whole->query, "c=d&e=/");
  EXPECT_EQ(whole->authority(), "Collector.example:4318");

  const auto bare = parse_url("ws://[::1]");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->host, "::1");
  EXPECT_FALSE(bare->port);
  EXPECT_EQ(bare->path + bare->query + bare->user_info, "");
  EXPECT_EQ(bare->authority(), "[::1]");
  EXPECT_EQ(parse_url("http://[::1]:81?x")->authority(), "[::1]:81");
  EXPECT_EQ(parse_url("http://a?x/y")->query, "x/y");
  EXPECT_EQ(parse_url("http://a@b@c")->user_info, "a@b");
}

TEST(ParseUrl, RefusesTheRestAndNeverQuotesIt) {
  for (const auto* bad : {"", "secret", "://secret", "http://", "http:///secret", "http://:80", "http://secret:port",
                          "http://secret:65536", "http://user:secret@", "http://sec ret", "http://a/sec\tret",
                          "http://secr\xc3\xa4t", "http://[::1", "http://::1:80", "http://secret:1:2"}) {
    const auto out = parse_url(bad);
    ASSERT_FALSE(out) << bad;
    EXPECT_EQ(out.error().message.find("secret"), std::string::npos) << out.error().message;
  }
}

TEST(IsLoopback, OfNamesAndLiterals) {
  for (const auto* host : {"localhost", "::1", "127.0.0.1", "127.8.9.10"}) EXPECT_TRUE(is_loopback(host)) << host;
  for (const auto* host : {"", "localhost.example", "128.0.0.1", "1127.0.0.1", "::2"})
    EXPECT_FALSE(is_loopback(host)) << host;
}

}  // namespace
}  // namespace sockeye::base
