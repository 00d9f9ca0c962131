#include "sockeye/console/console.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "client.h"
#include "has.h"
#include "sockeye/live/messages.h"
#include "store_double.h"

namespace sockeye::console {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using test::Answer;
using test::Client;
using test::StoreDouble;

constexpr auto page_gzip =
    "\x1F\x8B\x08\x00\x00\x00\x00\x00\x02\x03\xB3\x51\x4C\xC9\x4F\x2E\xA9\x2C\x48\x55\xC8\x28\xC9\xCD\xB1\x2B\x48\x4C\x4F\x05\x00\x44\xEC\x89\xAC\x13\x00\x00\x00"sv;
constexpr std::array<Asset, 2> page = {{{"/index.html", page_gzip}, {"/assets/main-1a2b.js", page_gzip}}};
constexpr const char* secret = "0123456789abcdef";
constexpr const char* page_protocol = "sockeye-page.v1";

constexpr std::string_view spans = R"({"resourceSpans":[{"resource":{"attributes":[
    {"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"scope":{"name":"lib"},"spans":[
    {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b170","name":"POST /checkout","kind":2,
     "startTimeUnixNano":"1700000000000000007","endTimeUnixNano":"1700000000030000007",
     "attributes":[{"key":"n","value":{"intValue":"9007199254740993"}}],"status":{"code":2}}]}]}]})";
constexpr std::string_view as_json = "Content-Type: application/json\r\n";

bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

class ConsoleTest : public testing::Test {
 protected:
  static Options options() {
    Options out;
    out.listen = out.otlp_http = out.otlp_grpc = "127.0.0.1:0";
    out.version = "1.2.3";
    out.page = page;
    out.requests_per_second = 10'000;
    return out;
  }
  void start(Options with = options()) {
    auto started = Console::start(std::move(with), store_);
    ASSERT_TRUE(started) << started.error().message;
    console_ = *std::move(started);
  }
  [[nodiscard]] std::string api() const { return console_->address(); }
  [[nodiscard]] std::string otlp() const { return console_->otlp_http_address(); }

  StoreDouble store_;
  std::unique_ptr<Console> console_;
};

TEST_F(ConsoleTest, listens_where_it_says) {
  start();
  for (const auto& address : {console_->address(), console_->otlp_http_address(), console_->otlp_grpc_address()}) {
    EXPECT_TRUE(address.starts_with("127.0.0.1:")) << address;
    EXPECT_FALSE(address.ends_with(":0")) << address;
  }
  auto second = options();
  second.otlp_http = otlp();
  const auto refused = Console::start(second, store_);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("--otlp-http 127.0.0.1:")) << refused.error().message;
  second.otlp_http = second.otlp_grpc = "";
  const auto alone = Console::start(second, store_);
  ASSERT_TRUE(alone) << alone.error().message;
  EXPECT_EQ((*alone)->otlp_http_address(), "");
  for (const auto* bad : {"", "localhost", "example.com:80", "127.0.0.1:65536", "127.0.0.1:x", "[::1:80"}) {
    second.listen = bad;
    EXPECT_FALSE(Console::start(second, store_)) << bad;
  }
}

TEST_F(ConsoleTest, serves_the_page_and_its_files) {
  start();
  Client client(api());
  auto answer = client.get("/", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, page_gzip);
  EXPECT_EQ(answer.field("Content-Encoding"), "gzip");
  EXPECT_EQ(answer.field("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(answer.field("Cache-Control"), "no-cache");
  EXPECT_TRUE(has(answer.field("Content-Security-Policy"), "default-src 'none'"));
  EXPECT_EQ(answer.field("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer.field("X-Frame-Options"), "DENY");
  answer = client.get("/sessions/any/view");
  EXPECT_EQ(answer.body, "<!doctype html>page");
  EXPECT_EQ(answer.field("Content-Encoding"), "");
  answer = client.get("/assets/main-1a2b.js");
  EXPECT_EQ(answer.field("Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_TRUE(has(answer.field("Cache-Control"), "immutable"));
  EXPECT_EQ(client.get("/assets/missing.js").status, 404);
  EXPECT_EQ(client.ask("POST", "/").status, 405);
  EXPECT_EQ(client.ask("HEAD", "/").status, 200);
  EXPECT_EQ(client.get("/healthz").body, "ok\n");
}

TEST_F(ConsoleTest, answers_questions) {
  start();
  Client client(api());
  auto answer = client.get("/api/v1/status");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Content-Type"), "application/json");
  EXPECT_EQ(answer.field("Cache-Control"), "no-store");
  EXPECT_TRUE(has(answer.body, R"("version":"1.2.3")"));
  EXPECT_TRUE(has(answer.body, R"("backend":"memory")"));
  EXPECT_TRUE(has(answer.body, "\"http\":\"" + otlp() + '"'));
  EXPECT_EQ(client.ask("HEAD", "/api/v1/status").status, 200);
  answer = client.get("/api/v1/nothing");
  EXPECT_EQ(answer.status, 404);
  EXPECT_TRUE(has(answer.body, R"({"error":{"code":"not_found")"));
  EXPECT_EQ(client.get("/api/v1/sessions/").status, 404);
  answer = client.ask("POST", "/api/v1/status");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.field("Allow"), "GET, HEAD");
  EXPECT_EQ(client.get("/api/v1/status?x=1").status, 400);
  EXPECT_EQ(client.get("/api/v1/sessions?limit=501").status, 400);
  EXPECT_EQ(client.get("/api/v1/sessions?from_ms=2&to_ms=1").status, 400);
  EXPECT_EQ(client.get("/api/v1/sessions/nonsense").status, 400);
  EXPECT_EQ(client.get("/api/v1/sessions/0190163d-8694-739b-aea5-966c26f8ad91").status, 404);
  EXPECT_EQ(client.get("/api/v1/traces/5b8efff798038103d269b633813fc60c").status, 404);
  EXPECT_EQ(client.get("/api/v1/traces/5b8efff798038103d269b633813fc60c0").status, 400);
  EXPECT_EQ(client.get("/api/v1/traces/nonsense").status, 400);
  for (const auto* path :
       {"/api/v1/fleet", "/api/v1/closes", "/api/v1/sessions", "/api/v1/traces", "/api/v1/services",
        "/api/v1/operations", "/api/v1/latency?histogram=duration&step_seconds=60", "/api/services",
        "/api/services/shop/operations", "/api/operations", "/api/traces?service=x&lookback=1h", "/api/dependencies"})
    EXPECT_EQ(client.get(path).status, 200) << path;
}

TEST_F(ConsoleTest, tells_latencies_with_their_bounds) {
  auto& stored = store_.latencies.emplace();
  stored.total = 5123;
  stored.count = 7;
  stored.cursor = "k.1.2.3";
  auto& point = stored.points.emplace_back();
  point.time_unix_ns = 1'772'366'040'000'000'000;
  point.stats.key = {"gate", "chat"};
  point.stats.count = 2;
  for (const std::uint64_t ns : {50'000'000ULL, 2'000'000'000ULL}) point.stats.latency[0].add(ns);
  start();
  Client client(api());
  const auto answer = client.get(
      "/api/v1/latency?from_ms=1772366050000&to_ms=1772366090500.5&step_seconds=60&histogram=duration"
      "&search=CHA&sort=first_chunk_p99&order=asc&cursor=k.0.0.0&limit=9");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto& asked = store_.asked_latency;
  EXPECT_EQ(asked.time.from_unix_ns, 1'772'366'050'000'000'000U);
  EXPECT_EQ(asked.time.to_unix_ns, 1'772'366'090'500'500'000U);
  EXPECT_EQ(asked.search, "CHA");
  EXPECT_EQ(asked.sort, store::OperationsQuery::Sort::percentile);
  EXPECT_EQ(asked.sort_measure, store::Measure::first_chunk);
  EXPECT_EQ(asked.sort_quantile, 0.99);
  EXPECT_TRUE(asked.ascending);
  EXPECT_EQ(asked.limit, 9U);
  EXPECT_EQ(asked.cursor, "k.0.0.0");
  for (
      const auto* part :
      {R"("time_ms":1772366040000,"from_ms":1772366050000,"to_ms":1772366090500.5,"partial":true)",
       R"("duration":{"count":2,"p50_seconds":0.05,"p95_seconds":2,"p99_seconds":2,"min_seconds":0.05,"max_seconds":2)",
       R"("first_chunk":{"count":0,"p50_seconds":null)",
       R"(,"total":5123,"totals":{"count":7,"errors":0,"cancelled":0})", R"("cursor":"k.1.2.3","complete":true)"})
    EXPECT_TRUE(has(answer.body, part)) << part << " in " << answer.body;
  // The bounds of each bucket come back as a question for exactly what is in it.
  const auto at = answer.body.find(R"("histogram":[[)");
  ASSERT_NE(at, std::string::npos);
  const std::string cell = answer.body.substr(at + 14, answer.body.find(']', at) - at - 14);
  const auto comma = cell.find(',');
  const std::string low = cell.substr(0, comma), high = cell.substr(comma + 1, cell.find(',', comma + 1) - comma - 1);
  EXPECT_EQ(client.get("/api/v1/spans?measure=duration&min_seconds=" + low + "&max_seconds=" + high).status, 200);
  const std::size_t bucket = store::bucket_of(50'000'000);
  EXPECT_EQ(store_.asked_spans.least_measure, store::bucket_low(bucket));
  EXPECT_EQ(store_.asked_spans.below_measure, store::bucket_high(bucket));
  for (const auto* bad : {"sort=p95", "order=up", "limit=1001", "limit=0", "sort=duration_p95&sort=count"})
    EXPECT_EQ(client.get(std::string("/api/v1/latency?") + bad).status, 400) << bad;
}

TEST_F(ConsoleTest, asks_for_calls_in_any_order) {
  start();
  Client sender(otlp());
  ASSERT_EQ(sender
                .ask("POST", "/v1/traces", as_json,
                     R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
      "spanId":"eee19b7ec3c1b170","name":"chat","startTimeUnixNano":"1700000000000000007","endTimeUnixNano":"1700000000030000007",
      "attributes":[{"key":"websocket.invocation.status","value":{"stringValue":"ok"}},
        {"key":"websocket.time_to_first_chunk","value":{"doubleValue":0.25}},{"key":"websocket.chunk.count","value":{"intValue":"3"}},
        {"key":"sockeye.route","value":{"stringValue":"voice"}}]}]}]}]})")
                .status,
            200);
  Client client(api());
  auto answer = client.get(
      "/api/v1/spans?from_ms=1&to_ms=1800000000000&operation_contains=CH&calls=true&sort=perceived&order=asc&limit=7"
      "&route=voice&client=&dialect=graphql&target=/a%20b&instance=i-1&without=attribute:user&measure=first_chunk");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto& asked = store_.asked_spans;
  EXPECT_TRUE(asked.calls);
  EXPECT_EQ(asked.operation_contains, "CH");
  EXPECT_EQ(asked.sort, store::Measure::perceived);
  EXPECT_TRUE(asked.ascending);
  EXPECT_EQ(asked.route, "voice");
  EXPECT_EQ(asked.without, "user");
  EXPECT_EQ(asked.measure, store::Measure::first_chunk);
  EXPECT_EQ(asked.limit, 7U);
  EXPECT_EQ(asked.attributes,
            (std::vector<std::pair<std::string, std::string>>{
                {"url.path", "/a b"}, {"sockeye.dialect", "graphql"}, {"service.instance.id", "i-1"}}));
  answer = client.get("/api/v1/spans?sort=first_chunk");
  for (const auto* part : {R"("name":"chat")", R"("figures":{"first_chunk_seconds":0.25,"last_chunk_seconds":null)",
                           R"("chunks":3,"call_status":"ok"},"route":"voice","target":""})", R"("total":1)"})
    EXPECT_TRUE(has(answer.body, part)) << part << " in " << answer.body;
  EXPECT_EQ(client.get("/api/v1/traces?sort=last_chunk&calls=1&route=voice&operation_contains=c").status, 200);
  for (const auto* bad : {"sort=errors", "calls=maybe", "measure=chunks", "min_seconds=1", "without=service",
                          "without=attribute:", "measure=duration&max_seconds=-1", "limit=201", "by=route"})
    EXPECT_EQ(client.get(std::string("/api/v1/spans?") + bad).status, 400) << bad;
}

TEST_F(ConsoleTest, counts_groups_that_lead_to_their_spans) {
  auto& stored = store_.grouped.emplace();
  stored.total = 3;
  stored.counted = 6;
  const std::vector<std::optional<std::string>> values = {"2", std::nullopt, ""};
  for (const auto& value : values) {
    auto& group = stored.groups.emplace_back();
    group.value = value;
    group.count = 2;
    if (value) group.figure.add(1'500'000'000);
  }
  start();
  Client client(api());
  auto answer = client.get("/api/v1/groups?by=attribute:user.tier&figure=first_chunk&sort=p99&order=asc&calls=true");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(store_.asked_groups.by, store::Dimension::attribute);
  EXPECT_EQ(store_.asked_groups.by_key, "user.tier");
  EXPECT_EQ(store_.asked_groups.figure, store::Measure::first_chunk);
  EXPECT_EQ(store_.asked_groups.sort_quantile, 0.99);
  EXPECT_TRUE(store_.asked_groups.ascending);
  EXPECT_TRUE(store_.asked_groups.spans.calls);
  for (
      const auto* part :
      {R"({"value":"2","count":2,"errors":0,"measured":1,"p50":1.5,"p95":1.5,"p99":1.5,"max":1.5,"query":{"attribute":"user.tier:2"}})",
       R"({"value":null,"count":2,"errors":0,"measured":0,"p50":null,"p95":null,"p99":null,"max":null,"query":{"without":"attribute:user.tier"}})",
       R"("value":"","count":2,"errors":0,"measured":1,"p50":1.5,"p95":1.5,"p99":1.5,"max":1.5,"query":null})",
       R"("total_groups":3,"counted":6,"cursor":"","complete":true)"})
    EXPECT_TRUE(has(answer.body, part)) << part << " in " << answer.body;
  answer = client.get("/api/v1/groups?by=status&figure=attribute:tokens");
  EXPECT_EQ(store_.asked_groups.figure_key, "tokens");
  EXPECT_TRUE(has(answer.body, R"({"value":"error",)")) << answer.body;
  EXPECT_TRUE(has(answer.body, R"("max":1500,"query":{"status":"error"})")) << "millionths: " << answer.body;
  for (const auto* bad :
       {"by=colour", "by=attribute:", "figure=size", "figure=attribute:", "sort=p50,p95", "limit=201"})
    EXPECT_EQ(client.get(std::string("/api/v1/groups?") + bad).status, 400) << bad;
}

TEST_F(ConsoleTest, refuses_names_that_are_not_its_own) {
  start();
  Client client(api());
  client.send("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(client.answer().status, 403);
  Client sender(otlp());
  sender.send("POST /v1/traces HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(sender.answer().status, 403);
}

TEST_F(ConsoleTest, a_token_opens_it) {
  auto with = options();
  with.tokens = {{secret}};
  start(with);
  const std::string bearer = "Authorization: Bearer " + std::string(secret) + "\r\n";
  Client client(api());
  EXPECT_EQ(client.get("/").status, 200) << "the page itself asks for the token";
  EXPECT_EQ(client.get("/healthz").status, 200);
  auto answer = client.get("/api/v1/status");
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.field("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(client.get("/api/services").status, 401);
  EXPECT_EQ(client.get("/api/v1/status", bearer).status, 200);
  EXPECT_EQ(client.upgrade("/api/v1/live", page_protocol).status, 401);

  Client visitor(api());
  EXPECT_EQ(visitor.get("/api/v1/login").status, 405);
  EXPECT_EQ(visitor.ask("POST", "/api/v1/login", as_json, R"({"token":"wrong"})").status, 401);
  EXPECT_EQ(visitor.ask("POST", "/api/v1/login", as_json, "x").status, 400);
  const std::string body = "{\"token\":\"" + std::string(secret) + "\"}";
  answer = visitor.ask("POST", "/api/v1/login", "Origin: http://localhost\r\n", body);
  ASSERT_EQ(answer.status, 204);
  const std::string cookie = answer.field("Set-Cookie").substr(0, answer.field("Set-Cookie").find(';'));
  EXPECT_EQ(visitor.get("/api/v1/status", "Cookie: " + cookie + "\r\n").status, 200);
  answer = visitor.ask("POST", "/api/v1/logout");
  EXPECT_EQ(answer.status, 204);
  EXPECT_TRUE(has(answer.field("Set-Cookie"), "Max-Age=0"));
  EXPECT_EQ(visitor.ask("POST", "/api/v1/login", "Origin: http://evil.example\r\n", body).status, 403);

  Client sender(otlp());
  EXPECT_EQ(sender.ask("POST", "/v1/traces", as_json, spans).status, 401);
  Client again(otlp());
  EXPECT_EQ(again.ask("POST", "/v1/traces", std::string(as_json) + bearer, spans).status, 200);
  // The cookie comes along with what any page of that name sends: it opens no port of programs.
  Client beside(otlp());
  EXPECT_EQ(beside.ask("POST", "/v1/traces", std::string(as_json) + "Cookie: " + cookie + "\r\n", spans).status, 401);
  Client reporter(api());
  EXPECT_EQ(reporter.upgrade("/api/v1/live/report", live::subprotocol, "Cookie: " + cookie + "\r\n").status, 401);
}

TEST_F(ConsoleTest, a_token_opens_what_it_is_for) {
  auto with = options();
  with.tokens = {{"reporter-reporter", scope::report},
                 {"exporter-exporter", scope::export_spans},
                 {"reader-reader-reader", scope::read}};
  std::mutex mutex;
  std::vector<std::string> lines;
  with.log = [&](int level, const std::string& line) {
    const std::lock_guard lock(mutex);
    if (level == 3) lines.push_back(line);
  };
  start(with);
  const auto bearer = [](const std::string& token) { return "Authorization: Bearer " + token + "\r\n"; };
  struct {
    std::string token;
    int reads, acts, exports, reports;
  } const cases[] = {{"reporter-reporter", 403, 403, 403, 101},
                     {"exporter-exporter", 403, 403, 200, 403},
                     {"reader-reader-reader", 200, 403, 403, 403}};
  for (const auto& each : cases) {
    const std::string field = bearer(each.token);
    EXPECT_EQ(Client(api()).get("/api/v1/status", field).status, each.reads) << each.token;
    EXPECT_EQ(Client(api()).ask("POST", "/api/v1/status", field).status, each.acts) << each.token;
    EXPECT_EQ(Client(otlp()).ask("POST", "/v1/traces", std::string(as_json) + field, spans).status, each.exports);
    EXPECT_EQ(Client(api()).upgrade("/api/v1/live/report", live::subprotocol, field).status, each.reports);
    const std::string body = "{\"token\":\"" + each.token + "\"}";
    EXPECT_EQ(Client(api()).ask("POST", "/api/v1/login", "", body).status, each.reads == 200 ? 204 : 403);
  }
  // Guesses share a bucket, wherever they are made; who was right before goes on.
  int wrong = 0;
  for (int status = 401; status == 401 && wrong < 100; ++wrong)
    status = Client(wrong % 2 == 0 ? api() : otlp())
                 .ask(wrong % 2 == 0 ? "GET" : "POST", wrong % 2 == 0 ? "/api/v1/status" : "/v1/traces",
                      std::string(as_json) + bearer("guess-" + std::to_string(wrong)), wrong % 2 == 0 ? "" : spans)
                 .status;
  EXPECT_GE(wrong, 10);
  EXPECT_LT(wrong, 100);
  EXPECT_EQ(Client(api()).get("/api/v1/status", bearer("reader-reader-reader")).status, 200);
  const std::lock_guard lock(mutex);
  ASSERT_GE(lines.size(), 1U);
  EXPECT_LT(lines.size(), 5U);
  EXPECT_EQ(lines[0], "a wrong token from 127.0.0.1, to read");
}

TEST_F(ConsoleTest, limits_how_often) {
  auto with = options();
  with.requests_per_second = 5;
  start(with);
  Client client(api());
  Answer answer;
  for (int i = 0; i < 100 && answer.status != 429; ++i) answer = client.get("/healthz");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.field("Retry-After"), "1");
}

TEST_F(ConsoleTest, takes_spans_and_shows_the_trace) {
  start();
  Client sender(otlp());
  auto answer = sender.ask("POST", "/v1/traces", as_json, spans);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.body, "{}");
  EXPECT_EQ(store_.spans_kept(), 1U) << "acknowledged is stored";

  Client client(api());
  answer = client.get("/api/v1/traces/5b8efff798038103d269b633813fc60c");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(client.get("/api/v1/traces/5B8EFFF798038103D269B633813FC60C").body, answer.body) << "ids of either case";
  for (const auto* part : {R"("name":"POST /checkout","kind":"server","status":"error")",
                           R"("service":"shop","resource":[{"key":"service.name","value":"shop"}])",
                           R"("scope":{"name":"lib","version":"","attributes":[],"schema_url":""})",
                           R"("start_unix_ns":"1700000000000000007","duration_ns":30000000)",
                           R"({"key":"n","value":"9007199254740993","type":"int"})", R"("truncated":false)"})
    EXPECT_TRUE(has(answer.body, part)) << part << " in " << answer.body;
  EXPECT_TRUE(has(client.get("/api/v1/traces?service=shop").body, R"("root_operation":"POST /checkout")"));
  EXPECT_EQ(client.get("/api/v1/traces?service=other").body, R"({"traces":[],"cursor":"","complete":true})");
  EXPECT_EQ(client.get("/api/v1/services").body, R"({"services":["shop"]})");
  for (const auto* query : {"", "?service=shop", "?search=check"})
    EXPECT_EQ(client.get("/api/v1/operations" + std::string(query)).body,
              R"({"operations":["POST /checkout"],"entries":[{"service":"shop","operation":"POST /checkout",)"
              R"("kinds":["server"]}],"cursor":"","complete":true})");

  answer = client.get("/api/traces/5b8efff798038103d269b633813fc60c");
  for (const auto* part : {R"("startTime":1700000000000000,"duration":30000)", R"("serviceName":"shop")",
                           R"({"key":"error","type":"bool","value":true})", R"("errors":null)"})
    EXPECT_TRUE(has(answer.body, part)) << part << " in " << answer.body;
  EXPECT_EQ(client.get("/api/traces/1").status, 404);
  EXPECT_EQ(client.get("/api/traces?service=shop&minDuration=nonsense").status, 400);
}

TEST_F(ConsoleTest, says_no_to_what_is_no_otlp) {
  start();
  Client sender(otlp());
  auto answer = sender.ask("POST", "/v1/traces", as_json, "{");
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(has(answer.body, R"("code":3)")) << answer.body;
  EXPECT_EQ(sender.ask("GET", "/v1/traces").status, 405);
  EXPECT_EQ(sender.ask("POST", "/v1/nothing").status, 404);
  EXPECT_EQ(sender.ask("POST", "/v1/traces", "Content-Type: text/plain\r\n").status, 415);
  answer = sender.ask("POST", "/v1/traces", "Content-Type: application/x-protobuf\r\n", "\xFF");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.field("Content-Type"), "application/x-protobuf");
  EXPECT_EQ(sender.ask("POST", "/v1/traces", std::string(as_json) + "Content-Encoding: br\r\n", "{}").status, 415);
  EXPECT_EQ(sender.ask("POST", "/v1/traces", std::string(as_json) + "Content-Encoding: gzip\r\n", "{}").status, 400);
}

TEST_F(ConsoleTest, tells_senders_when_to_try_again) {
  start();
  Client sender(otlp());
  store_.refuse(store::Refusal::busy);
  auto answer = sender.ask("POST", "/v1/traces", as_json, spans);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.field("Retry-After"), "1");
  store_.refuse(store::Refusal::full);
  answer = sender.ask("POST", "/v1/traces", as_json, spans);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("Retry-After"), "30");
  store_.refuse(store::Refusal::none);
  EXPECT_EQ(sender.ask("POST", "/v1/traces", as_json, spans).status, 200);
}

TEST_F(ConsoleTest, answers_pages_of_allowed_origins) {
  auto with = options();
  with.cors_origins = {"https://app.example"};
  start(with);
  Client page_of_app(otlp());
  auto answer = page_of_app.ask("OPTIONS", "/v1/traces",
                                "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
                                "Access-Control-Request-Headers: content-type,authorization\r\n");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), "https://app.example");
  EXPECT_EQ(answer.field("Access-Control-Allow-Headers"), "content-type,authorization");
  const std::string fields(as_json);
  answer = page_of_app.ask("POST", "/v1/traces", fields + "Origin: https://app.example\r\n", spans);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), "https://app.example");
  answer = page_of_app.ask("POST", "/v1/traces", fields + "Origin: https://evil.example\r\n", spans);
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), "");
}

TEST_F(ConsoleTest, refuses_large_bodies_unread) {
  auto with = options();
  with.largest_body = 1000;
  start(with);
  for (const auto& [address, target] : {std::pair(otlp(), "/v1/traces"), std::pair(api(), "/api/v1/login")}) {
    Client client(address);
    client.send(
        "POST " + std::string(target) +
        " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n");
    const auto answer = client.answer();  // not a byte of the body was sent
    EXPECT_EQ(answer.status, 413) << target;
    EXPECT_EQ(answer.field("Connection"), "close");
  }
  Client chunks(otlp());
  chunks.send(
      "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 20; ++i) chunks.send("64\r\n" + std::string(100, ' ') + "\r\n");
  const auto answer = chunks.answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.field("Content-Type"), "application/x-protobuf");  // a google.rpc.Status, as OTLP asks for
  EXPECT_TRUE(answer.body.starts_with("\x08\x03")) << answer.body;
}

TEST_F(ConsoleTest, holds_a_bounded_number_of_bytes) {
  auto with = options();
  with.bodies_in_flight = 1000;
  start(with);
  auto slow = std::make_unique<Client>(otlp());
  slow->send(
      "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 900\r\n"
      "Expect: 100-continue\r\n\r\n");
  ASSERT_EQ(slow->answer().status, 100);
  Client other(otlp());
  const auto answer = other.ask("POST", "/v1/traces", as_json, "{" + std::string(200, ' ') + "}");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.field("Retry-After"), "1");
  slow.reset();  // gives back what it held
  EXPECT_TRUE(eventually([&] {
    return Client(otlp()).ask("POST", "/v1/traces", as_json, "{" + std::string(200, ' ') + "}").status == 200;
  }));
}

TEST_F(ConsoleTest, keeps_connections_alive_and_takes_requests_in_a_row) {
  start();
  Client client(api());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.get("/healthz").status, 200);
  client.send(
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/v1/services HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.answer().body, "ok\n");
  EXPECT_EQ(client.answer().body, R"({"services":[]})");
  client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_TRUE(client.ended());
}

TEST_F(ConsoleTest, ends_a_connection_on_garbage) {
  start();
  Client client(api());
  client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n\x16\x03\x01 nonsense\r\n\r\n");
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(client.answer().status, 400);
  EXPECT_TRUE(client.ended());
  Client long_head(api());
  long_head.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(40'000, 'a') + "\r\n\r\n");
  EXPECT_EQ(long_head.answer().status, 431);
  for (const auto* target : {"/../etc/passwd", "/%00", "/%zz", "*"}) {
    Client bad(api());
    EXPECT_EQ(bad.get(target).status, 400) << target;
  }
  EXPECT_EQ(Client(api()).get("/healthz").status, 200);
}

TEST_F(ConsoleTest, accepts_a_page_that_looks) {
  start();
  const std::string own = "Origin: http://localhost\r\n";
  EXPECT_EQ(Client(api()).upgrade("/api/v1/live", "").status, 400);
  EXPECT_EQ(Client(api()).upgrade("/api/v1/live", "other, sockeye-page.v10").status, 400);
  EXPECT_EQ(Client(api()).upgrade("/api/v1/live", page_protocol, "Origin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(Client(api()).upgrade("/api/v1/live/report", page_protocol).status, 400);
  EXPECT_EQ(Client(api()).upgrade("/elsewhere", page_protocol).status, 404);
  EXPECT_EQ(Client(otlp()).upgrade("/v1/traces", page_protocol).status, 404);
  EXPECT_EQ(Client(api()).get("/api/v1/live").status, 404) << "without an upgrade";

  Client client(api());
  const auto answer = client.upgrade("/api/v1/live", "other, sockeye-page.v1", own);
  ASSERT_EQ(answer.status, 101) << answer.body;
  EXPECT_EQ(answer.field("Sec-WebSocket-Protocol"), page_protocol);
  client.frame(1, R"({"fleet":1})");
  auto frame = client.frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->payload, R"({"type":"error","message":"fleet: expected true or false"})");
  client.frame(1, R"({"fleet":true,"sessions":{}})");
  frame = client.frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, 1);
  EXPECT_TRUE(frame->payload.starts_with(R"({"type":"fleet",)"));
  frame = client.frame();
  ASSERT_TRUE(frame);
  EXPECT_TRUE(has(frame->payload, R"("total":0,"matched":0,"sessions":[])")) << frame->payload;
}

TEST_F(ConsoleTest, looks_are_limited_in_number) {
  start();
  std::vector<std::unique_ptr<Client>> pages;
  for (int i = 0; i < 64; ++i) {
    pages.push_back(std::make_unique<Client>(api()));
    ASSERT_EQ(pages.back()->upgrade("/api/v1/live", page_protocol).status, 101) << i;
  }
  EXPECT_EQ(Client(api()).upgrade("/api/v1/live", page_protocol).status, 503);
  pages.pop_back();
  EXPECT_TRUE(eventually([&] { return Client(api()).upgrade("/api/v1/live", page_protocol).status == 101; }));
}

TEST_F(ConsoleTest, a_watcher_sees_the_pages_web_socket) {
  struct Seen {
    std::mutex mutex;
    std::string head, client, server;
    bool gone = false;
  };
  class Looker final : public Watcher {
   public:
    explicit Looker(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}
    ~Looker() override {
      const std::lock_guard lock(seen_->mutex);
      seen_->gone = true;
    }
    void sent(bool by_client, base::Bytes bytes) override {
      const std::lock_guard lock(seen_->mutex);
      (by_client ? seen_->client : seen_->server).append(base::as_text(bytes));
    }

   private:
    std::shared_ptr<Seen> seen_;
  };
  const auto seen = std::make_shared<Seen>();
  auto with = options();
  with.watch = [seen](const WatchedRequest& request) {
    const std::lock_guard lock(seen->mutex);
    seen->head = request.head;
    EXPECT_EQ(request.client_address, "127.0.0.1");
    EXPECT_NE(request.client_port, 0);
    EXPECT_FALSE(request.tls);
    return std::make_unique<Looker>(seen);
  };
  start(with);
  {
    Client client(api());
    ASSERT_EQ(client.upgrade("/api/v1/live", page_protocol).status, 101);
    client.frame(1, "{}x");
    ASSERT_TRUE(client.frame());
  }
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(seen->mutex);
    return seen->gone;
  }));
  const std::lock_guard lock(seen->mutex);
  EXPECT_TRUE(seen->head.starts_with("GET /api/v1/live HTTP/1.1\r\n")) << seen->head;
  EXPECT_TRUE(seen->head.ends_with("\r\n\r\n"));
  EXPECT_TRUE(seen->server.starts_with("HTTP/1.1 101 ")) << seen->server;
  EXPECT_TRUE(has(seen->server, R"({"type":"error")"));
  EXPECT_TRUE(has(seen->client, "{}x"));
}

TEST_F(ConsoleTest, a_proxy_reports_and_a_page_sees_it) {
  start();
  live::Report report;
  report.hello.emplace();
  report.hello->instance = "i-1";
  report.hello->service = "gate";
  report.opened.resize(1);
  report.opened[0].id = *base::parse_session_id("0190163d-8694-739b-aea5-966c26f8ad91");
  report.opened[0].route = "chat";
  report.opened[0].opened_unix_ns = 1'700'000'000'000'000'000;
  report.all_reported = true;

  Client wrong(api());
  ASSERT_EQ(wrong.upgrade("/api/v1/live/report", live::subprotocol).status, 101);
  wrong.frame(2, "\xFF\xFF");
  const auto refused = wrong.frame();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->opcode, 8);
  EXPECT_EQ(refused->payload.substr(0, 2), "\x03\xEF");  // 1007

  Client proxy(api());
  ASSERT_EQ(proxy.upgrade("/api/v1/live/report", live::subprotocol).status, 101);
  proxy.frame(2, live::encode(report));
  Client client(api());
  EXPECT_TRUE(eventually([&] {
    return has(client.get("/api/v1/status").body,
               R"("instance":"i-1","service":"gate","host":"","version":"","connected":true)");
  }));
  Client looking(api());
  ASSERT_EQ(looking.upgrade("/api/v1/live", page_protocol).status, 101);
  looking.frame(1, R"({"session":"0190163d-8694-739b-aea5-966c26f8ad91"})");
  const auto frame = looking.frame();
  ASSERT_TRUE(frame);
  EXPECT_TRUE(has(frame->payload, R"("type":"session")")) << frame->payload;
  EXPECT_TRUE(has(frame->payload, R"("route":"chat")")) << frame->payload;
  const auto asked = proxy.frame();  // its console wants details of what is looked at
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->opcode, 2);
  const auto ask = live::decode_ask(base::as_bytes(asked->payload));
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->watch, std::vector{report.opened[0].id});

  EXPECT_TRUE(eventually([&] { return !store_.sessions_kept().empty(); }));
  EXPECT_TRUE(has(client.get("/api/v1/sessions").body, R"("state":"open","live":true)"));
  live::Report last;
  last.ended.resize(1);
  last.ended[0].last.id = report.opened[0].id;
  last.ended[0].end.unix_ns = 1'700'000'001'000'000'000;
  last.ended[0].end.code = 1000;
  last.ended[0].end.why = "normal";
  proxy.frame(2, live::encode(last));
  EXPECT_TRUE(eventually([&] { return store_.sessions_kept().back().ended(); }));
  EXPECT_TRUE(
      has(client.get("/api/v1/sessions/0190163d-8694-739b-aea5-966c26f8ad91").body, R"("end_reason":"normal")"));
}

// A pong confirms what came before its ping, and the proxy forgets it: so it waits until ends are stored.
TEST_F(ConsoleTest, a_ping_behind_an_end_is_answered_when_the_end_is_stored) {
  start();
  Client proxy(api());
  ASSERT_EQ(proxy.upgrade("/api/v1/live/report", live::subprotocol).status, 101);
  live::Report report;
  report.hello.emplace();
  report.hello->instance = "i-1";
  report.all_reported = true;
  const auto end = [&](const char* id) {
    report.opened.resize(1);
    report.opened[0].id = *base::parse_session_id(id);
    report.opened[0].opened_unix_ns = 1'700'000'000'000'000'000;
    report.ended.resize(1);
    report.ended[0].last.id = report.opened[0].id;
    report.ended[0].end.unix_ns = 1'700'000'001'000'000'000;
    report.ended[0].end.code = 1000;
    report.ended[0].end.why = "normal";
    proxy.frame(2, live::encode(report));
    report = {};
  };
  const auto stored = [&] {
    const auto all = store_.sessions_kept();
    return std::count_if(all.begin(), all.end(), [](const auto& each) { return each.ended(); });
  };
  store_.hold_writes(true);
  end("0190163d-8694-739b-aea5-966c26f8ad91");
  proxy.frame(9, "1");
  EXPECT_TRUE(eventually([&] { return stored() == 1; }));
  EXPECT_TRUE(proxy.silent(300ms));
  store_.hold_writes(false);
  auto pong = proxy.frame();
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->opcode, 10);
  EXPECT_EQ(pong->payload, "1");

  // What is refused is not waited for: it is kept, and given to the store again.
  store_.refuse(store::Refusal::busy);
  end("0190163d-8694-739b-aea5-966c26f8ad92");
  proxy.frame(9, "2");
  pong = proxy.frame();
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->payload, "2");
  store_.refuse(store::Refusal::none);
  EXPECT_TRUE(eventually([&] { return stored() == 2; }));

  // A console that stops with an end not stored does not hang on its proxy.
  store_.hold_writes(true);
  end("0190163d-8694-739b-aea5-966c26f8ad93");
  proxy.frame(9, "3");
  EXPECT_TRUE(eventually([&] { return stored() == 3; }));
  auto stopping = std::async(std::launch::async, [&] { console_->stop(1s); });
  EXPECT_TRUE(proxy.silent(300ms));
  store_.hold_writes(false);
  EXPECT_EQ(stopping.wait_for(20s), std::future_status::ready);
}

TEST_F(ConsoleTest, stop_waits_for_what_is_under_way) {
  start();
  Client idle(api());
  EXPECT_EQ(idle.get("/healthz").status, 200);
  store_.hold(true);
  Client client(api());
  client.send("GET /api/v1/services HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(store_.wait_for_question());
  const std::string address = api();
  auto stopping = std::async(std::launch::async, [&] { console_->stop(20s); });
  EXPECT_TRUE(idle.ended());
  EXPECT_TRUE(eventually([&] { return !Client(address).connected(); }));
  EXPECT_EQ(stopping.wait_for(0s), std::future_status::timeout);
  store_.hold(false);
  const auto answer = client.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(stopping.wait_for(10s), std::future_status::ready);
}

TEST_F(ConsoleTest, stop_cuts_what_takes_too_long) {
  start();
  Client client(otlp());
  client.send(
      "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
      "Expect: 100-continue\r\n\r\n");
  ASSERT_EQ(client.answer().status, 100);
  Client looking(api());
  ASSERT_EQ(looking.upgrade("/api/v1/live", page_protocol).status, 101);
  const auto begin = std::chrono::steady_clock::now();
  console_->stop(100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_TRUE(client.ended());
  const auto frame = looking.frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, 8);
  EXPECT_EQ(frame->payload.substr(0, 2), "\x03\xE9");  // 1001
}

}  // namespace
}  // namespace sockeye::console
