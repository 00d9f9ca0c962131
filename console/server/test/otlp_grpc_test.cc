#include "otlp_grpc.h"

#include <gtest/gtest.h>

#include <future>
#include <string>

#include "has.h"
#include "store_double.h"

namespace sockeye::console {
namespace {

constexpr std::size_t largest = 1000, room = 1500;

struct OtlpGrpcTest : testing::Test {
  ~OtlpGrpcTest() override { ingest.settle(); }
  OtlpGrpcTest() = default;
  OtlpGrpcTest(const OtlpGrpcTest&) = delete;
  OtlpGrpcTest& operator=(const OtlpGrpcTest&) = delete;
  [[nodiscard]] static std::string method(const std::string& signal) {
    std::string lower = signal;
    lower.front() = static_cast<char>(lower.front() + 32);
    return "/opentelemetry.proto.collector." + lower + ".v1." + signal + "Service/Export";
  }
  static net::Request head(const std::string& path, const std::string& authorization = "Bearer 0123456789abcdef") {
    net::Request out;
    out.method = "POST";
    out.path = path;
    out.fields = {{"authorization", authorization}};
    return out;
  }
  net::GrpcAnswer ask(const std::string& path, std::string body, std::string encoding = "") {
    net::GrpcCall call{head(path), std::move(encoding)};
    call.request.body = std::move(body);
    std::promise<net::GrpcAnswer> answer;
    site.handle(std::move(call), [&](net::GrpcAnswer given) { answer.set_value(std::move(given)); });
    return answer.get_future().get();
  }

  test::StoreDouble store;
  Guard guard{{{{"0123456789abcdef"}}, {}, 1000, {}}};
  Budget budget{room};
  Workers workers{1, 10};
  Ingest ingest{store, workers, 1 << 20};
  net::GrpcSite site = otlp_grpc(largest, guard, budget, ingest);
};

// A span "s" of trace 1…, in an ExportTraceServiceRequest.
std::string one_span() {
  const auto field = [](char key, const std::string& value) {
    return std::string{key, static_cast<char>(value.size())} + value;
  };
  const std::string span = field('\x0a', std::string(16, '\1')) + field('\x12', std::string(8, '\2')) +
                           field('\x2a', "s") + std::string("\x39\1\0\0\0\0\0\0\0", 9) +
                           std::string("\x41\2\0\0\0\0\0\0\0", 9);
  return field('\x0a', field('\x12', field('\x12', span)));
}

TEST_F(OtlpGrpcTest, admits_export_with_the_token) {
  for (const auto* signal : {"Trace", "Logs", "Metrics"}) {
    const auto admission = site.admit(head(method(signal)));
    EXPECT_FALSE(admission.refusal) << signal;
    EXPECT_EQ(admission.largest_message, largest);
    EXPECT_EQ(site.admit(head(method(signal), "")).refusal->code, 16) << signal;
    EXPECT_EQ(site.admit(head(method(signal), "Bearer 0123456789abcdeg")).refusal->code, 16) << signal;
    EXPECT_EQ(site.admit(head(method(signal), "Bearer ")).refusal->code, 16) << signal;
  }
  EXPECT_EQ(site.admit(head("/opentelemetry.proto.collector.trace.v1.TraceService/Import")).refusal->code, 12);
  EXPECT_EQ(site.admit(head("/v1/traces", "")).refusal->code, 12);
}

TEST_F(OtlpGrpcTest, leases_what_a_message_takes) {
  const auto admission = site.admit(head(method("Trace")));
  const auto most = admission.lease(room);
  EXPECT_TRUE(most);
  EXPECT_FALSE(admission.lease(1));
  EXPECT_EQ(admission.no_room.code, 8);
  EXPECT_FALSE(admission.no_room.details.empty()) << "without RetryInfo it means never";
}

TEST_F(OtlpGrpcTest, answers_as_the_store_does) {
  EXPECT_EQ(ask(method("Trace"), one_span()).status.code, 0);
  EXPECT_EQ(store.spans_kept(), 1U);
  auto answer = ask(method("Trace"), "\xFF");
  EXPECT_EQ(answer.status.code, 3);
  EXPECT_TRUE(answer.status.details.empty());
  answer = ask(method("Trace"), "no gzip", "gzip");
  EXPECT_EQ(answer.status.code, 3);
  store.refuse(store::Refusal::busy);
  answer = ask(method("Trace"), one_span());
  EXPECT_EQ(answer.status.code, 8);
  EXPECT_TRUE(has(answer.status.details, "google.rpc.RetryInfo"));
  store.refuse(store::Refusal::full);
  answer = ask(method("Trace"), one_span());
  EXPECT_EQ(answer.status.code, 14);
  EXPECT_TRUE(has(answer.status.details, "google.rpc.RetryInfo"));
}

}  // namespace
}  // namespace sockeye::console
