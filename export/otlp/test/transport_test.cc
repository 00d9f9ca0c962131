#include "sockeye/otlp/transport.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "decode.h"
#include "http_collector.h"

namespace sockeye::otlp {
namespace {

using namespace std::chrono_literals;
using pipeline::Delivery;
using pipeline::ErrorKind;
using pipeline::Outcome;
using test::HttpCollector;
using test::Reply;
using test::Seen;

std::unique_ptr<pipeline::Transport> to(const std::string& url, Options options = {}) {
  options.endpoint = url;
  auto made = make_transport(std::move(options));
  if (!made) {
    ADD_FAILURE() << made.error().message;
    std::abort();
  }
  return std::move(*made);
}

std::vector<model::Span> spans(std::size_t count, std::size_t bytes = 10) {
  std::vector<model::Span> out(count);
  base::Random random(3);
  for (auto& span : out) {
    span.trace_id = base::make_trace_id(random);
    span.span_id = base::make_span_id(random);
    span.name.assign(bytes, 'x');
  }
  return out;
}

Delivery deliver(pipeline::Transport& transport, std::size_t count = 5) {
  return transport.send(transport.encode(spans(count)));
}

// A collector that gives the same answer to all.
Delivery deliver_to(const Reply& reply, std::size_t count = 5) {
  HttpCollector collector([&](const Seen&) { return reply; });
  return deliver(*to(collector.url()), count);
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

TEST(Transport, TheRequestIsAsTheSpecificationSays) {
  HttpCollector collector([](const Seen&) { return Reply{}; });
  Options options;
  options.headers = {{"Api-Key", "k=1"}, {"X-Empty", ""}};
  const auto transport = to(collector.url() + "/base", options);
  const auto delivery = deliver(*transport);
  EXPECT_EQ(delivery.outcome, Outcome::accepted);
  EXPECT_EQ(delivery.error, ErrorKind::none);
  ASSERT_EQ(collector.seen().size(), 1U);
  const Seen seen = collector.seen()[0];
  EXPECT_TRUE(seen.head.starts_with("POST /base/v1/traces HTTP/1.1\r\n")) << seen.head;
  const std::string head = lower(seen.head);
  EXPECT_NE(head.find("\r\ncontent-type: application/x-protobuf\r\n"), std::string::npos);
  EXPECT_NE(head.find("\r\ncontent-encoding: gzip\r\n"), std::string::npos);
  EXPECT_NE(head.find("\r\nuser-agent: sockeye/"), std::string::npos);
  EXPECT_NE(head.find("\r\napi-key: k=1\r\n"), std::string::npos);
  EXPECT_NE(head.find("\r\nx-empty:\r\n"), std::string::npos);
  EXPECT_EQ(head.find("expect:"), std::string::npos);
  EXPECT_EQ(test::decode(test::gunzip(seen.body)).spans.size(), 5U);
}

TEST(Transport, WithoutCompressionThereIsNoEncoding) {
  HttpCollector collector([](const Seen&) { return Reply{}; });
  Options options;
  options.compression = Compression::none;
  EXPECT_EQ(deliver(*to(collector.url(), options)).outcome, Outcome::accepted);
  const Seen seen = collector.seen().at(0);
  EXPECT_EQ(lower(seen.head).find("content-encoding"), std::string::npos);
  EXPECT_EQ(test::decode(seen.body).spans.size(), 5U);
}

TEST(Transport, OneConnectionForManyBatches) {
  HttpCollector collector([](const Seen&) { return Reply{}; });
  const auto transport = to(collector.url());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(deliver(*transport).outcome, Outcome::accepted);
  EXPECT_EQ(collector.connections(), 1U);
}

TEST(Transport, PartialSuccess) {
  // ExportTraceServiceResponse{partial_success{rejected_spans: 3, error_message: "bad\nids"}}
  const std::string body =
      "\x0a\x0b\x08\x03\x12\x07"
      "bad\nids";
  const auto delivery = deliver_to(Reply::status("200 OK", "Content-Type: application/x-protobuf\r\n", body));
  EXPECT_EQ(delivery.outcome, Outcome::partial);
  EXPECT_EQ(delivery.error, ErrorKind::partial);
  EXPECT_EQ(delivery.rejected_spans, 3U);
  EXPECT_NE(delivery.message.find("bad?ids"), std::string::npos);
  // A warning rejects nothing; more than there were cannot be; other shapes of success are success.
  EXPECT_EQ(
      deliver_to(Reply::status("200 OK", "Content-Type: application/x-protobuf\r\n", "\x0a\x04\x12\x02hm")).outcome,
      Outcome::accepted);
  EXPECT_EQ(deliver_to(Reply::status("200 OK", "", "\x0a\x02\x08\x63")).rejected_spans, 5U);
  EXPECT_EQ(deliver_to(Reply::status("200 OK", "Content-Type: application/json\r\n", "{}")).error, ErrorKind::none);
  EXPECT_EQ(deliver_to(Reply::status("202 Accepted")).outcome, Outcome::accepted);
  const auto garbage = deliver_to(Reply::status("200 OK", "", "\x0a\xff\xff"));
  EXPECT_EQ(garbage.outcome, Outcome::accepted);
  EXPECT_EQ(garbage.error, ErrorKind::response);
}

TEST(Transport, StatusesAsTheSpecificationSortsThem) {
  struct Row {
    const char* line;
    Outcome outcome;
    ErrorKind error;
    bool maybe;
  };
  for (const Row& row : {Row{"429 Too Many Requests", Outcome::retryable, ErrorKind::throttled, false},
                         Row{"502 Bad Gateway", Outcome::retryable, ErrorKind::unavailable, true},
                         Row{"503 Service Unavailable", Outcome::retryable, ErrorKind::unavailable, false},
                         Row{"504 Gateway Timeout", Outcome::retryable, ErrorKind::unavailable, true},
                         Row{"400 Bad Request", Outcome::rejected, ErrorKind::refused, false},
                         Row{"401 Unauthorized", Outcome::rejected, ErrorKind::refused, false},
                         Row{"404 Not Found", Outcome::rejected, ErrorKind::refused, false},
                         Row{"413 Payload Too Large", Outcome::rejected, ErrorKind::refused, false},
                         Row{"500 Internal Server Error", Outcome::rejected, ErrorKind::refused, false},
                         Row{"307 Temporary Redirect", Outcome::rejected, ErrorKind::refused, false}}) {
    const auto delivery = deliver_to(Reply::status(row.line, "Location: http://127.0.0.1:1/\r\n"));
    EXPECT_EQ(delivery.outcome, row.outcome) << row.line;
    EXPECT_EQ(delivery.error, row.error) << row.line;
    EXPECT_EQ(delivery.maybe_delivered, row.maybe) << row.line;
    EXPECT_TRUE(delivery.message.starts_with("HTTP " + std::string(row.line, 3))) << delivery.message;
  }
}

TEST(Transport, RetryAfterInBothForms) {
  EXPECT_EQ(deliver_to(Reply::status("503 No", "Retry-After: 7\r\n")).retry_after, 7s);
  EXPECT_EQ(deliver_to(Reply::status("429 No", "Retry-After: 999999999\r\n")).retry_after, 24h);
  EXPECT_EQ(deliver_to(Reply::status("503 No", "Retry-After: soon\r\n")).retry_after, std::nullopt);
  EXPECT_EQ(deliver_to(Reply::status("503 No")).retry_after, std::nullopt);
  char date[64];
  const std::time_t then = std::time(nullptr) + 60;
  std::tm parts{};
  ::gmtime_r(&then, &parts);
  std::strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  const auto by_date = deliver_to(Reply::status("503 No", "Retry-After: " + std::string(date) + "\r\n")).retry_after;
  ASSERT_TRUE(by_date);
  EXPECT_GE(*by_date, 50s);
  EXPECT_LE(*by_date, 61s);
}

TEST(Transport, AStatusMessageFromTheCollectorIsShownOnOneLine) {
  const auto delivery = deliver_to(Reply::status("400 Bad Request", "Content-Type: application/x-protobuf\r\n",
                                                 std::string("\x08\x03\x12\x0b", 4) + "bad\r\nrequest"));
  EXPECT_EQ(delivery.message, "HTTP 400: bad??reques");
}

TEST(Transport, NobodyListening) {
  std::uint16_t port = 0;
  {
    const HttpCollector gone([](const Seen&) { return Reply{}; });
    port = gone.port();
  }
  const auto delivery = deliver(*to("http://127.0.0.1:" + std::to_string(port)));
  EXPECT_EQ(delivery.outcome, Outcome::retryable);
  EXPECT_EQ(delivery.error, ErrorKind::connect);
  EXPECT_FALSE(delivery.maybe_delivered);
}

TEST(Transport, AHostWithNoAddress) {
  const auto delivery = deliver(*to("http://collector.invalid:4318"));
  EXPECT_EQ(delivery.outcome, Outcome::retryable);
  EXPECT_TRUE(delivery.error == ErrorKind::resolve ||
              delivery.error == ErrorKind::connect);  // a resolver may be silent
  EXPECT_FALSE(delivery.maybe_delivered);
}

TEST(Transport, PlainHttpBehindHttps) {
  HttpCollector collector([](const Seen&) { return Reply{}; });
  const auto delivery = deliver(*to("https://127.0.0.1:" + std::to_string(collector.port()), [] {
    Options o;
    o.timeout = 300ms;
    return o;
  }()));
  EXPECT_EQ(delivery.outcome, Outcome::retryable);
  EXPECT_FALSE(delivery.maybe_delivered);
}

TEST(Transport, AConnectionThatEndsAfterTheRequestIsUnknown) {
  for (const bool reset : {false, true}) {
    HttpCollector collector([&](const Seen&) { return Reply{"", true, reset}; });
    const auto delivery = deliver(*to(collector.url()));
    EXPECT_EQ(delivery.outcome, Outcome::retryable);
    EXPECT_EQ(delivery.error, ErrorKind::reset);
    EXPECT_TRUE(delivery.maybe_delivered);
    EXPECT_EQ(collector.seen().size(), 1U);
  }
}

TEST(Transport, AKeptAliveConnectionThatDiesIsNotSilentlySentAgain) {
  // The second request of the first connection is read whole and never answered: curl would send it again by itself.
  HttpCollector collector([count = std::make_shared<std::atomic<int>>(0)](const Seen&) {
    return ++*count == 2 ? Reply{"", true, false} : Reply{};
  });
  const auto transport = to(collector.url());
  EXPECT_EQ(deliver(*transport).outcome, Outcome::accepted);
  const auto second = deliver(*transport);
  EXPECT_EQ(second.outcome, Outcome::retryable);
  EXPECT_EQ(second.error, ErrorKind::reset);
  EXPECT_TRUE(second.maybe_delivered);
  EXPECT_EQ(collector.seen().size(), 2U);
  EXPECT_EQ(deliver(*transport).outcome, Outcome::accepted);
  EXPECT_EQ(collector.seen().size(), 3U);
}

TEST(Transport, ARequestThatWasNotReadWholeIsCertainlyNotDelivered) {
  HttpCollector collector([](const Seen&) { return Reply{}; });
  collector.cut_body_of(1);
  Options options;
  options.compression = Compression::none;
  options.limits.value_bytes = 1U << 20U;
  const auto transport = to(collector.url(), options);
  const auto batch = transport->encode(spans(200, 100'000));  // 20 MB: more than the sockets hold
  const auto first = transport->send(batch);
  EXPECT_EQ(first.outcome, Outcome::retryable);
  EXPECT_EQ(first.error, ErrorKind::reset);
  EXPECT_FALSE(first.maybe_delivered);
  EXPECT_EQ(transport->send(batch).outcome, Outcome::accepted);
  EXPECT_EQ(collector.seen().size(), 1U);
  EXPECT_EQ(test::decode(collector.seen()[0].body).spans.size(), 200U);
}

TEST(Transport, AnAnswerThatBreaksOffAfterItsStatusCounts) {
  const auto taken = deliver_to({"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", true, false});
  EXPECT_EQ(taken.outcome, Outcome::accepted);
  EXPECT_EQ(taken.error, ErrorKind::response);
  EXPECT_EQ(deliver_to({"HTTP/1.1 200 OK\r\nContent-Le", true, false}).outcome, Outcome::accepted);
  const auto later = deliver_to({"HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nabc", true, false});
  EXPECT_EQ(later.outcome, Outcome::retryable);
  EXPECT_FALSE(later.maybe_delivered);
  const auto unknown = deliver_to({"HTTP/1.1 2", true, false});
  EXPECT_EQ(unknown.outcome, Outcome::retryable);
  EXPECT_TRUE(unknown.maybe_delivered);
  const auto nonsense = deliver_to({"SSH-2.0-OpenSSH_9.2\r\n", true, false});
  EXPECT_EQ(nonsense.outcome, Outcome::retryable);
  EXPECT_TRUE(nonsense.maybe_delivered);
}

TEST(Transport, AnEndlessAnswerIsCutOff) {
  std::string body = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 99999999\r\n\r\n";
  body.append(1U << 20U, 'x');
  EXPECT_EQ(deliver_to({body, false, false}).outcome, Outcome::accepted);
}

TEST(Transport, SilenceEndsAtTheTimeout) {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  HttpCollector collector([&](const Seen&) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, 60s, [&] { return over; });
    return Reply{};
  });
  // A busy machine may need longer than the first timeout to send the request at all.
  Delivery delivery;
  Options options;
  for (options.timeout = 200ms; !delivery.maybe_delivered && options.timeout < 20s; options.timeout *= 2) {
    delivery = deliver(*to(collector.url(), options));
    EXPECT_EQ(delivery.outcome, Outcome::retryable);
    EXPECT_EQ(delivery.error, ErrorKind::timeout);
  }
  EXPECT_TRUE(delivery.maybe_delivered);
  const std::lock_guard lock(mutex);
  over = true;
  changed.notify_all();
}

TEST(Transport, CancelEndsARunningSendAndAllLaterOnes) {
  std::mutex mutex;
  std::condition_variable changed;
  bool asked = false;
  bool over = false;
  HttpCollector collector([&](const Seen&) {
    std::unique_lock lock(mutex);
    asked = true;
    changed.notify_all();
    changed.wait_for(lock, 20s, [&] { return over; });
    return Reply{};
  });
  const auto transport = to(collector.url());
  std::thread canceller([&] {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, 20s, [&] { return asked; });
    transport->cancel();
  });
  const auto before = std::chrono::steady_clock::now();
  const auto delivery = deliver(*transport);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 8s);  // its own timeout is 10 s
  EXPECT_EQ(delivery.outcome, Outcome::retryable);
  EXPECT_TRUE(delivery.maybe_delivered);
  canceller.join();
  EXPECT_FALSE(deliver(*transport).maybe_delivered);
  EXPECT_EQ(collector.seen().size(), 1U);
  const std::lock_guard lock(mutex);
  over = true;
  changed.notify_all();
}

TEST(Transport, ASpooledBatchOfAnUnknownEncodingIsNotSent) {
  HttpCollector collector([](const Seen&) { return Reply{}; });
  const auto delivery = to(collector.url())->send({"body", 1, 77});
  EXPECT_EQ(delivery.outcome, Outcome::rejected);
  EXPECT_EQ(collector.connections(), 0U);
}

}  // namespace
}  // namespace sockeye::otlp
