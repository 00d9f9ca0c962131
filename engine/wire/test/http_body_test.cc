#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sockeye/wire/http.h"
#include "split.h"

namespace sockeye::wire {
namespace {

using namespace std::string_literals;

// A framer for a chunked body.
BodyFramer chunked() {
  model::HttpHead head;
  head.method = "POST";
  head.fields = {{"Transfer-Encoding", "chunked"}};
  BodyFramer framer;
  EXPECT_FALSE(BodyFramer::for_request(head, framer));
  return framer;
}

struct Outcome {
  std::size_t size = 0;
  bool done = false, failed = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome feed(BodyFramer framer, const std::vector<std::string>& pieces) {
  Outcome out;
  for (const auto& piece : pieces) {
    const std::size_t n = framer.consume(base::as_bytes(piece));
    out.size += n;
    EXPECT_TRUE(n == piece.size() || framer.done() || framer.failed());
  }
  out.done = framer.done();
  out.failed = framer.failed();
  return out;
}

Outcome feed_all_ways(const BodyFramer& framer, const std::string& text) {
  const Outcome whole = feed(framer, {text});
  for_each_split(text, [&](const std::vector<std::string>& pieces) {
    const Outcome split = feed(framer, pieces);
    ASSERT_EQ(split.size, whole.size) << text;
    ASSERT_EQ(split.done, whole.done) << text;
    ASSERT_EQ(split.failed, whole.failed) << text;
  });
  return whole;
}

// However it is split, what is before the trailer section and what the section is comes to the same.
TEST(BodyFramer, TellsTheTrailerSectionApart) {
  const auto before = [](BodyFramer framer, const std::vector<std::string>& pieces) {
    std::string out;
    for (const auto& piece : pieces) {
      std::size_t n = 0;
      const std::size_t own = framer.consume(base::as_bytes(piece), n);
      EXPECT_LE(n, own);
      out += piece.substr(0, n);
    }
    EXPECT_TRUE(framer.done());
    return out;
  };
  for (const auto* trailers : {"", "a: b\r\n", "a: b\r\nX-Forwarded-For: 1.1.1.1\r\n"}) {
    const std::string text = "3\r\nabc\r\n0;x\r\n"s + trailers + "\r\nGET";
    for_each_split(text, [&](const std::vector<std::string>& pieces) {
      ASSERT_EQ(before(chunked(), pieces), "3\r\nabc\r\n0;x\r\n") << text;
    });
  }
  model::HttpHead head;
  head.fields = {{"content-length", "5"}};
  BodyFramer framer;
  ASSERT_FALSE(BodyFramer::for_request(head, framer));
  EXPECT_EQ(before(framer, {"hel", "lo GET"}), "hello");
}

TEST(BodyFramer, EndsAContentLength) {
  model::HttpHead head;
  head.fields = {{"content-length", "5"}};
  BodyFramer framer;
  ASSERT_FALSE(BodyFramer::for_request(head, framer));
  EXPECT_EQ(feed_all_ways(framer, "hello GET /"), (Outcome{5, true, false}));
  EXPECT_EQ(feed_all_ways(framer, "hell"), (Outcome{4, false, false}));
  head.fields = {{"content-length", "0"}};
  ASSERT_FALSE(BodyFramer::for_request(head, framer));
  EXPECT_TRUE(framer.done());
  head.fields = {{"content-length", "9223372036854775807"}};
  ASSERT_FALSE(BodyFramer::for_request(head, framer));
  EXPECT_EQ(feed(framer, {"x"}), (Outcome{1, false, false}));
}

TEST(BodyFramer, ARequestWithoutFramingHasNoBody) {
  BodyFramer framer;
  ASSERT_FALSE(BodyFramer::for_request({}, framer));
  EXPECT_TRUE(framer.done());
  EXPECT_EQ(framer.consume(base::as_bytes("x")), 0U);
}

TEST(BodyFramer, EndsAChunkedBody) {
  for (const auto& body : {"0\r\n\r\n"s, "5\r\nhello\r\n0\r\n\r\n"s, "a;x=y;z=\"q w\"\r\n0123456789\r\n0\r\n\r\n"s,
                           "00000000000001\r\nx\r\n000\r\n\r\n"s, "A\r\n\r\n\0\xff\r\n\r\n\r\n\r\n0\r\n\r\n"s,
                           "1\r\nx\r\n0\r\nTrailer: v\r\nOther:\r\n\r\n"s}) {
    EXPECT_EQ(feed_all_ways(chunked(), body + "GET / HTTP/1.1"), (Outcome{body.size(), true, false})) << body;
  }
}

TEST(BodyFramer, RefusesWhatTwoReadersWouldReadDifferently) {
  const std::vector<std::string> bodies{
      "\r\n",
      " 5\r\nhello\r\n0\r\n\r\n",
      "5 \r\nhello\r\n0\r\n\r\n",
      "0x5\r\nhello\r\n0\r\n\r\n",
      "+5\r\nhello\r\n0\r\n\r\n",
      "-1\r\n",
      "g\r\n",
      "5\nhello\r\n0\r\n\r\n",
      "5\r\nhello\n0\r\n\r\n",
      "5\r\nhello0\r\n\r\n",
      "5\r\nhelloX\r\n0\r\n\r\n",
      "5\rhello\r\n",
      "5;a\nb\r\nhello\r\n0\r\n\r\n",
      "5;a\0b\r\nhello\r\n0\r\n\r\n"s,
      "5;a\rb\r\n",
      "8000000000000000\r\n",
      "10000000000000000\r\n",
      "FFFFFFFFFFFFFFFF\r\n",
      "00000000000000005\r\nhello\r\n0\r\n\r\n",
      "0\r\n\n",
      "0\r\nTrailer v\r\n\r\n",
      "0\r\n: v\r\n\r\n",
      "0\r\n X: v\r\n\r\n",
      "0\r\nX : v\r\n\r\n",
      "0\r\nX: v\n\r\n",
      "0\r\nX: v\r\n folded\r\n\r\n",
      "0\r\nX: \x01\r\n\r\n",
      "1;" + std::string(5000, 'x'),
      "0\r\nX: " + std::string(17000, 'x'),
      "0\r\n" + std::string(17000, 'x'),
  };
  for (const auto& body : bodies) {
    const Outcome outcome = body.size() > 1000 ? feed(chunked(), {body}) : feed_all_ways(chunked(), body);
    EXPECT_TRUE(outcome.failed) << body.substr(0, 60);
    EXPECT_FALSE(outcome.done) << body.substr(0, 60);
  }
}

TEST(BodyFramer, KnowsResponsesWithoutBody) {
  model::HttpHead head;
  head.fields = {{"Content-Length", "5"}};
  BodyFramer framer;
  for (const int status : {100, 101, 103, 204, 304}) {
    head.status = status;
    ASSERT_FALSE(BodyFramer::for_response(head, "GET", framer));
    EXPECT_TRUE(framer.done()) << status;
  }
  head.status = 200;
  ASSERT_FALSE(BodyFramer::for_response(head, "HEAD", framer));
  EXPECT_TRUE(framer.done());
  ASSERT_FALSE(BodyFramer::for_response(head, "GET", framer));
  EXPECT_FALSE(framer.done());
  EXPECT_FALSE(framer.until_close());
}

TEST(BodyFramer, AResponseWithoutFramingLastsUntilClose) {
  model::HttpHead head;
  head.status = 200;
  BodyFramer framer;
  ASSERT_FALSE(BodyFramer::for_response(head, "GET", framer));
  EXPECT_TRUE(framer.until_close());
  EXPECT_EQ(framer.consume(base::as_bytes("anything")), 8U);
  EXPECT_FALSE(framer.done());
}

TEST(BodyFramer, AnAmbiguousResponseIsTheUpstreamsFault) {
  model::HttpHead head;
  head.status = 200;
  BodyFramer framer;
  using Fields = std::vector<model::HttpField>;
  for (const auto& fields : {Fields{{"Content-Length", "5"}, {"Content-Length", "6"}},
                             Fields{{"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}},
                             Fields{{"Transfer-Encoding", "gzip"}}, Fields{{"Content-Length", "5,5"}}}) {
    head.fields = fields;
    const auto failure = BodyFramer::for_response(head, "GET", framer);
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->status, 502);
    EXPECT_EQ(failure->kind, model::Anomaly::upstream_invalid);
  }
}

}  // namespace
}  // namespace sockeye::wire
