#include "sockeye/sdk/watch.h"

#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sockeye::sdk {
namespace {

using model::Side;

struct Spans final : model::SpanSink {
  void offer(model::Span&& span) override {
    const std::lock_guard lock(mutex);
    names.push_back(span.name);
  }
  std::mutex mutex;
  std::vector<std::string> names;
};

const std::string request =
    "GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const std::string response =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

std::uint64_t sum(const model::RouteCounters& counters, model::Counter model::RouteMetrics::*which) {
  std::uint64_t out = 0;
  for (const auto* each : counters.workers) out += (each->*which).value();
  return out;
}

TEST(Watch, TellsOfAConnectionFromItsBytesAlone) {
  Spans spans;
  Watch watch({}, &spans);
  {
    const auto connection = watch.connection({.client_address = "192.0.2.1", .server_address = "server"});
    connection->bytes(Side::client, base::as_bytes(request));
    connection->bytes(Side::server, base::as_bytes(response + std::string("\x81\x02hi", 4)));
    connection->bytes(Side::client, base::as_bytes(std::string("\x88\x82\0\0\0\0\x03\xe8", 8)));
    connection->bytes(Side::server, base::as_bytes(std::string("\x88\x02\x03\xe8", 4)));
  }
  EXPECT_EQ(spans.names, (std::vector<std::string>{"websocket.handshake", "websocket.connection"}));
  const auto counters = watch.metrics();
  EXPECT_EQ(sum(counters, &model::RouteMetrics::connections_accepted), 1U);
  EXPECT_EQ(sum(counters, &model::RouteMetrics::connections_closed), 1U);
}

TEST(Watch, AnUpgradeWithoutAnswerIsARefusal) {
  Watch watch({}, nullptr);
  watch.connection({})->bytes(Side::client, base::as_bytes(request));
  EXPECT_EQ(sum(watch.metrics(), &model::RouteMetrics::connections_rejected), 1U);
}

TEST(Watch, ManyThreadsWatchAtOnce) {
  Spans spans;
  Watch watch({}, &spans);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const auto connection = watch.connection({});
        connection->bytes(Side::client, base::as_bytes(request));
        connection->bytes(Side::server, base::as_bytes(response));
        for (int n = 0; n < 20; ++n) connection->bytes(Side::server, base::as_bytes(std::string("\x81\x02hi", 4)));
      }
    });
  for (auto& each : threads) each.join();
  std::uint64_t messages = 0;
  for (const auto* each : watch.metrics().workers) messages += each->messages[1][0].value();
  EXPECT_EQ(messages, 8U * 50U * 20U);
  EXPECT_EQ(spans.names.size(), 8U * 50U * 2U);
}

}  // namespace
}  // namespace sockeye::sdk
