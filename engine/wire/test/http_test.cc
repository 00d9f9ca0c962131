#include "sockeye/wire/http.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "split.h"

namespace sockeye::wire::http_test {
namespace {

using model::Anomaly;
using Kind = HeadParser::Kind;
using Progress = HeadParser::Progress;
using namespace std::string_literals;

struct Outcome {
  Progress progress = Progress::need_more;
  int status = 0;
  Anomaly kind = Anomaly::none;
  std::string why;
  std::size_t size = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};
void PrintTo(const Outcome& o, std::ostream* out) {
  *out << static_cast<int>(o.progress) << " " << o.status << " " << name(o.kind) << " " << o.why << " size " << o.size;
}

// Feeds a growing prefix, the pieces as given; each call sees the buffer at a new address.
Outcome parse_in(Kind kind, const std::vector<std::string>& pieces, HttpLimits limits = {}) {
  HeadParser parser(kind, limits);
  std::string so_far;
  Outcome out;
  for (const auto& piece : pieces) {
    so_far += piece;
    const std::vector<char> moved(so_far.begin(), so_far.end());
    out.progress = parser.parse(base::as_bytes({moved.data(), moved.size()}));
    if (out.progress != Progress::need_more) break;
  }
  if (out.progress == Progress::failed) {
    out.status = parser.failure().status;
    out.kind = parser.failure().kind;
    out.why = parser.failure().why;
  }
  if (out.progress == Progress::done) out.size = parser.size();
  return out;
}

// The outcome, checked to be the same however the bytes are split in two, and byte by byte.
Outcome parse(Kind kind, const std::string& text, HttpLimits limits = {}) {
  const Outcome whole = parse_in(kind, {text}, limits);
  for_each_split(text, [&](const std::vector<std::string>& pieces) {
    ASSERT_EQ(parse_in(kind, pieces, limits), whole) << testing::PrintToString(pieces.front());
  });
  return whole;
}
Outcome request(const std::string& text, HttpLimits limits = {}) { return parse(Kind::request, text, limits); }
Outcome response(const std::string& text) { return parse(Kind::response, text); }

TEST(HeadParser, ReadsARequest) {
  const std::string text =
      "GET /chat?room=1 HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\nX-Empty:\r\nX-Pad: \t a b \t\r\n"
      "\r\nleft over";
  EXPECT_EQ(request(text).size, text.size() - 9);
  HeadParser parser(Kind::request);
  ASSERT_EQ(parser.parse(base::as_bytes(text)), Progress::done);
  const auto& head = parser.head();
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/chat?room=1");
  EXPECT_EQ(head.version_minor, 1);
  ASSERT_EQ(head.fields.size(), 4U);
  EXPECT_EQ(head.fields[0].name, "Host");
  EXPECT_EQ(head.value("host"), "example.com:8080");
  EXPECT_EQ(head.value("X-Empty"), "");
  EXPECT_EQ(head.value("X-Pad"), "a b");
  // The buffer moved: the same call again moves the views.
  const std::string moved = text;
  ASSERT_EQ(parser.parse(base::as_bytes(moved)), Progress::done);
  EXPECT_EQ(parser.head().method.data(), moved.data());
}

TEST(HeadParser, ReadsAResponse) {
  const std::string text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
  EXPECT_EQ(response(text).size, text.size());
  HeadParser parser(Kind::response);
  ASSERT_EQ(parser.parse(base::as_bytes(text)), Progress::done);
  EXPECT_EQ(parser.head().status, 101);
  EXPECT_EQ(parser.head().reason, "Switching Protocols");
  EXPECT_EQ(response("HTTP/1.1 200\r\n\r\n").progress, Progress::done);
  EXPECT_EQ(response("HTTP/1.1 200 \r\n\r\n").progress, Progress::done);
  EXPECT_EQ(response("HTTP/1.0 404 Not Found\r\n\r\n").progress, Progress::done);
}

TEST(HeadParser, AcceptsTheFormsOfATarget) {
  for (const auto* line : {"GET / HTTP/1.1", "GET /a?b=c&d HTTP/1.1", "OPTIONS * HTTP/1.1", "GET http://h/x HTTP/1.1",
                           "GET ws://h HTTP/1.1", "GET ws://h?a HTTP/1.1", "GET HTTPS://H/x?y HTTP/1.1",
                           "POST /\xc3\xa4 HTTP/1.1", "GET /a;b=%20|\"{}^`\\ HTTP/1.1"})
    EXPECT_EQ(request(line + "\r\nHost: h\r\n\r\n"s).progress, Progress::done) << line;
  EXPECT_EQ(request("GET / HTTP/1.0\r\n\r\n").progress, Progress::done);
  EXPECT_EQ(origin_form("/a?b"), "/a?b");
  EXPECT_EQ(origin_form("/a?u=http://h/x"), "/a?u=http://h/x");
  EXPECT_EQ(origin_form("http://h:80/a?b"), "/a?b");
  EXPECT_EQ(origin_form("WSS://h"), "/");
  EXPECT_EQ(origin_form("ws://h?a=/b"), "/?a=/b");
  EXPECT_EQ(origin_form("*"), "*");
}

TEST(HeadParser, ToleratesOneEmptyLineBeforeARequest) {
  EXPECT_EQ(request("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").size, 29U);
  EXPECT_EQ(request("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 400);
  EXPECT_EQ(response("\r\nHTTP/1.1 200 OK\r\n\r\n").status, 502);
}

struct Case {
  const char* what;
  std::string text;
  int status;
  Anomaly kind;
};

TEST(HeadParser, RefusesWhatIsNoRequest) {
  const auto line = [](const std::string& start) { return start + "\r\nHost: h\r\n\r\n"; };
  const std::vector<Case> cases{
      {"no version", line("GET /"), 400, Anomaly::handshake_invalid},
      {"no target", line("GET HTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"two spaces", line("GET  / HTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"tab for space", line("GET\t/\tHTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"space in the target", line("GET /a b HTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"trailing space", line("GET / HTTP/1.1 "), 400, Anomaly::handshake_invalid},
      {"method is no token", line("G@T / HTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"version in lower case", line("GET / http/1.1"), 400, Anomaly::handshake_invalid},
      {"version of three digits", line("GET / HTTP/1.10"), 400, Anomaly::handshake_invalid},
      {"HTTP/1.2", line("GET / HTTP/1.2"), 505, Anomaly::handshake_invalid},
      {"HTTP/0.9", line("GET / HTTP/0.9"), 505, Anomaly::handshake_invalid},
      {"HTTP/2.0", line("GET / HTTP/2.0"), 505, Anomaly::handshake_invalid},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, Anomaly::handshake_invalid},
      {"relative target", line("GET a HTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"asterisk", line("GET * HTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"fragment", line("GET /#x HTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"unknown scheme", line("GET ftp://h/ HTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"userinfo", line("GET http://u:p@h/ HTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"absolute without authority", line("GET http:///x HTTP/1.1"), 400, Anomaly::handshake_invalid},
      {"CONNECT", line("CONNECT h:443 HTTP/1.1"), 501, Anomaly::handshake_invalid},
      {"no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400, Anomaly::handshake_invalid},
      {"line without colon", line("GET / HTTP/1.1\r\nnonsense"), 400, Anomaly::handshake_invalid},
      {"TLS on a plain port", "\x16\x03\x01\x02"s, 400, Anomaly::smuggling},
  };
  for (const auto& c : cases) {
    const auto outcome = request(c.text);
    EXPECT_EQ(outcome.status, c.status) << c.what;
    EXPECT_EQ(outcome.kind, c.kind) << c.what;
  }
}

TEST(HeadParser, RefusesSmuggling) {
  const auto with = [](const std::string& fields) { return "POST / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n\r\n"; };
  const std::vector<Case> cases{
      {"two lengths", with("Content-Length: 5\r\nContent-Length: 6"), 400, Anomaly::smuggling},
      {"the same length twice", with("Content-Length: 5\r\nContent-Length: 5"), 400, Anomaly::smuggling},
      {"list of lengths", with("Content-Length: 5, 5"), 400, Anomaly::smuggling},
      {"signed length", with("Content-Length: +5"), 400, Anomaly::smuggling},
      {"negative length", with("Content-Length: -1"), 400, Anomaly::smuggling},
      {"hex length", with("Content-Length: 0x5"), 400, Anomaly::smuggling},
      {"empty length", with("Content-Length:"), 400, Anomaly::smuggling},
      {"length over 2^63-1", with("Content-Length: 9223372036854775808"), 400, Anomaly::smuggling},
      {"length over 2^64", with("Content-Length: 18446744073709551617"), 400, Anomaly::smuggling},
      {"length and chunked", with("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400, Anomaly::smuggling},
      {"chunked and length", with("Transfer-Encoding: chunked\r\nContent-Length: 5"), 400, Anomaly::smuggling},
      {"two codings", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), 400, Anomaly::smuggling},
      {"chunked twice", with("Transfer-Encoding: chunked, chunked"), 400, Anomaly::smuggling},
      {"chunked not last", with("Transfer-Encoding: chunked, gzip"), 400, Anomaly::smuggling},
      {"chunked not alone", with("Transfer-Encoding: gzip, chunked"), 400, Anomaly::smuggling},
      {"quoted chunked", with("Transfer-Encoding: \"chunked\""), 400, Anomaly::smuggling},
      {"empty coding", with("Transfer-Encoding:"), 400, Anomaly::smuggling},
      {"vertical tab in coding", with("Transfer-Encoding: \x0b"s + "chunked"), 400, Anomaly::smuggling},
      {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, Anomaly::smuggling},
      {"unknown coding", with("Transfer-Encoding: xchunked"), 501, Anomaly::handshake_invalid},
      {"identity coding", with("Transfer-Encoding: identity"), 501, Anomaly::handshake_invalid},
      {"bare LF after the start line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400, Anomaly::smuggling},
      {"bare LF after a field", "GET / HTTP/1.1\r\nHost: h\n\r\n", 400, Anomaly::smuggling},
      {"bare LF at the end", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400, Anomaly::smuggling},
      {"bare LF in front", "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, Anomaly::smuggling},
      {"bare CR in a value", with("X: a\rb"), 400, Anomaly::smuggling},
      {"two CRs", with("X: a\r"), 400, Anomaly::smuggling},
      {"obs-fold", with("X: a\r\n b"), 400, Anomaly::smuggling},
      {"obs-fold with a tab", with("X: a\r\n\tb"), 400, Anomaly::smuggling},
      {"white space before the first field", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400, Anomaly::smuggling},
      {"white space before the start line", " GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, Anomaly::smuggling},
      {"space before the colon", with("Content-Length : 5"), 400, Anomaly::smuggling},
      {"tab before the colon", with("Content-Length\t: 5"), 400, Anomaly::smuggling},
      {"space in a name", with("Content Length: 5"), 400, Anomaly::smuggling},
      {"no name", with(": x"), 400, Anomaly::smuggling},
      {"byte from 0x80 in a name", with("X\xe9: y"), 400, Anomaly::smuggling},
      {"NUL in a name", with("X\0Y: z"s), 400, Anomaly::smuggling},
      {"NUL in a value", with("X: a\0b"s), 400, Anomaly::smuggling},
      {"NUL in the target", "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"s, 400, Anomaly::smuggling},
      {"DEL in a value", with("X: a\x7f"), 400, Anomaly::smuggling},
      {"backspace in a value", with("X: a\b"), 400, Anomaly::smuggling},
      {"two Hosts", with("Host: h"), 400, Anomaly::smuggling},
      {"Host differs from the target", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400, Anomaly::smuggling},
      {"Connection removes the length", with("Connection: close, Content-Length"), 400, Anomaly::smuggling},
      {"Connection removes the key", with("Connection: Upgrade, sec-websocket-key"), 400, Anomaly::smuggling},
  };
  for (const auto& c : cases) {
    const auto outcome = request(c.text);
    EXPECT_EQ(outcome.progress, Progress::failed) << c.what;
    EXPECT_EQ(outcome.status, c.status) << c.what;
    EXPECT_EQ(outcome.kind, c.kind) << c.what;
  }
}

TEST(HeadParser, ChecksTheHost) {
  for (const auto* good : {"h", "h:80", "h:", "a.b-c_d~e:65535", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]", "", "%41"})
    EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: "s + good + "\r\n\r\n").progress, Progress::done) << good;
  for (const auto* bad : {"h:x", "h:65536", "h:99999999999", "a b", "a/b", "u@h", "a\\b", "a?b", "a#b", "[::1", "::1]",
                          "[]", "[::1]x", "[g::]", "h\xc3\xa4", "a\"b", ":80", "1:2:3"})
    EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: "s + bad + "\r\n\r\n").status, 400) << bad;
}

TEST(HeadParser, RefusesWhatIsNoResponse) {
  for (const auto& text :
       {"HTTP/1.1 99 Low\r\n\r\n"s, "HTTP/1.1 600 High\r\n\r\n"s, "HTTP/1.1 1o1 Odd\r\n\r\n"s,
        "HTTP/1.1 2000 Long\r\n\r\n"s, "HTTP/2.0 200 OK\r\n\r\n"s, "HTTP/1.1  200 OK\r\n\r\n"s, "HTTP/1.1\r\n\r\n"s,
        "200 OK\r\n\r\n"s, "HTTP/1.1 200 OK\r\nX : y\r\n\r\n"s, "HTTP/1.1 200 OK\nX: y\n\n"s,
        "HTTP/1.1 200 O\0K\r\n\r\n"s, "SSH-2.0-OpenSSH_9.2\r\n\r\n"s}) {
    const auto outcome = response(text);
    EXPECT_EQ(outcome.status, 502) << text;
    EXPECT_EQ(outcome.kind, Anomaly::upstream_invalid) << text;
  }
}

TEST(HeadParser, KeepsItsLimits) {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\n";
  const std::string exact = start + "X: " + std::string(1024 - start.size() - 7, 'a') + "\r\n\r\n";
  ASSERT_EQ(exact.size(), 1024U);
  EXPECT_EQ(request(exact, {1024, 100}).progress, Progress::done);
  EXPECT_EQ(request(exact, {1023, 100}), (Outcome{Progress::failed, 431, Anomaly::header_too_large, "head too large"}));
  // Nothing after the limit matters, and nothing is waited for once it is reached.
  EXPECT_EQ(request(std::string(1024, 'A'), {1024, 100}).status, 431);
  EXPECT_EQ(request(std::string(1023, 'A'), {1024, 100}).progress, Progress::need_more);

  std::string many = start;
  for (int i = 0; i < 9; ++i) many += "A: b\r\n";
  EXPECT_EQ(request(many + "\r\n", {1024, 10}).progress, Progress::done);
  EXPECT_EQ(request(many + "A: b\r\n\r\n", {1024, 10}),
            (Outcome{Progress::failed, 431, Anomaly::header_too_large, "too many header fields"}));
}

// A megabyte in single bytes: resuming the scan takes 0.1 s, starting over would take hours.
TEST(HeadParser, IsLinearHoweverTheBytesAreSplit) {
  constexpr std::size_t size = 1U << 20U;
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  while (text.size() < size) text += "X: " + std::string(1000, 'x') + "\r\n";
  text += "\r\n";
  HeadParser parser(Kind::request, {2 * size, 2000});
  for (std::size_t n = 1; n < text.size(); ++n)
    ASSERT_EQ(parser.parse(base::as_bytes(std::string_view(text).substr(0, n))), Progress::need_more);
  EXPECT_EQ(parser.parse(base::as_bytes(text)), Progress::done);
}

TEST(HeadParser, StaysFailed) {
  HeadParser parser(Kind::request);
  EXPECT_EQ(parser.parse(base::as_bytes("\n")), Progress::failed);
  EXPECT_EQ(parser.parse(base::as_bytes("GET / HTTP/1.1\r\nHost: h\r\n\r\n")), Progress::failed);
}

}  // namespace
}  // namespace sockeye::wire::http_test
