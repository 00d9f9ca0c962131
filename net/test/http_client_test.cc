// What an attempt leaves behind is told by export/otlp's tests, which drive it against a collector that fails in every
// way; here is what it does of itself.
#include "sockeye/net/http_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "connection.h"
#include "sockeye/net/http_server.h"

namespace sockeye::net {
namespace {

using namespace std::chrono_literals;
using test::eventually;

class Hook {
 public:
  // Answers the nth request, from 1 on; nothing: it never does.
  using Script = std::function<std::optional<Response>(int n)>;

  explicit Hook(Script script) : script_(std::move(script)) {
    Site site;
    site.admit = [](const Request&, std::optional<std::uint64_t>) {
      Admission admission;
      admission.largest_body = 1000;
      return admission;
    };
    site.handle = [this](Request&& request, const Respond& respond) {
      const std::lock_guard lock(mutex_);
      seen_.push_back(std::move(request));
      if (auto answer = script_(static_cast<int>(seen_.size())))
        respond(*std::move(answer));
      else
        unanswered_.push_back(respond);
    };
    threads_ = std::move(*IoThreads::start(1));
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    server_ = std::move(*Server::start(*threads_, std::move(options), std::move(site)));
  }
  ~Hook() {
    for (const auto& respond : take_unanswered()) respond({200, "text/plain", "late"});
    server_.reset();
    take_unanswered();  // none may outlive the threads
    threads_.reset();
  }
  std::vector<Respond> take_unanswered() {
    const std::lock_guard lock(mutex_);
    return std::exchange(unanswered_, {});
  }
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;
  [[nodiscard]] std::string url() const { return "http://" + server_->address() + "/hook?key=secret"; }
  [[nodiscard]] std::vector<Request> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  const Script script_;
  mutable std::mutex mutex_;
  std::vector<Request> seen_;
  std::vector<Respond> unanswered_;
  std::unique_ptr<IoThreads> threads_;
  std::unique_ptr<Server> server_;
};

std::unique_ptr<HttpClient> to(const std::string& url) {
  HttpClientOptions options;
  options.what = "hook";
  options.url = url;
  options.fields = {{"X-Key", "value"}};
  auto made = HttpClient::make(std::move(options));
  if (!made) std::abort();
  return std::move(*made);
}

Retry retrying() {
  Retry retry;
  retry.first = 1ms;
  retry.cap = 4ms;
  retry.deadline = 20s;
  return retry;
}

Response plain(int status, const std::string& body = "ok") { return {status, "text/plain", body}; }

const Post post_of_text{R"({"text":"hello"})", "application/json"};

TEST(HttpClient, OnePost) {
  const Hook peer([](int) { return plain(200, "thanks"); });
  const auto client = to(peer.url());
  const auto answer = client->post(post_of_text, 10s);
  EXPECT_EQ(answer.status, 200) << answer.message;
  EXPECT_EQ(answer.failure, Failure::none);
  EXPECT_EQ(answer.body, "thanks");
  EXPECT_EQ(answer.content_type, "text/plain");
  ASSERT_EQ(peer.seen().size(), 1U);
  const Request request = peer.seen()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/hook?key=secret");
  EXPECT_EQ(request.body, post_of_text.body);
  EXPECT_EQ(request.field("content-type"), "application/json");
  EXPECT_EQ(request.field("x-key"), "value");
  EXPECT_EQ(client->shown().find("secret"), std::string::npos);
}

TEST(HttpClient, TriesAgainWhatMayPass) {
  const Hook peer([](int n) {
    if (n == 1) return plain(503);
    if (n == 2) return plain(429);
    if (n == 3) return plain(502);
    return plain(204, "");
  });
  EXPECT_EQ(to(peer.url())->post(post_of_text, retrying()).status, 204);
  EXPECT_EQ(peer.seen().size(), 4U);
  for (const auto& each : peer.seen()) EXPECT_EQ(each.body, post_of_text.body);
}

TEST(HttpClient, TriesNotAgainWhatWillNot) {
  for (const int status : {200, 400, 401, 404, 413, 500}) {
    const Hook peer([&](int) { return plain(status); });
    EXPECT_EQ(to(peer.url())->post(post_of_text, retrying()).status, status);
    EXPECT_EQ(peer.seen().size(), 1U);
  }
  // A gateway gave up: what is behind it may have taken it.
  const Hook gateway([](int) { return plain(504); });
  Retry once = retrying();
  once.twice = false;
  EXPECT_EQ(to(gateway.url())->post(post_of_text, once).status, 504);
  EXPECT_EQ(gateway.seen().size(), 1U);
}

TEST(HttpClient, WaitsAsLongAsItIsTold) {
  const Hook peer([](int n) {
    auto answer = plain(n == 1 ? 429 : 200);
    if (n == 1) answer.fields.emplace_back("Retry-After", "1");
    return answer;
  });
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(to(peer.url())->post(post_of_text, retrying()).status, 200);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 1s);
  // Later than the deadline: it is not waited for.
  const Hook late([](int) {
    auto answer = plain(503);
    answer.fields.emplace_back("Retry-After", "3600");
    return answer;
  });
  const auto answer = to(late.url())->post(post_of_text, retrying());
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.retry_after, base::Duration(1h));
  EXPECT_EQ(late.seen().size(), 1U);
}

TEST(HttpClient, SilenceEndsAtTheDeadline) {
  const Hook peer([](int) { return std::nullopt; });
  Retry retry = retrying();
  retry.timeout = 100ms;
  retry.deadline = 500ms;
  const auto answer = to(peer.url())->post(post_of_text, retry);
  EXPECT_EQ(answer.status, 0);
  EXPECT_TRUE(answer.failure == Failure::timeout || answer.failure == Failure::connect) << answer.message;
}

TEST(HttpClient, NobodyListening) {
  std::string url;
  {
    const Hook gone([](int) { return plain(200); });
    url = gone.url();
  }
  Retry retry = retrying();
  retry.deadline = 200ms;
  const auto answer = to(url)->post(post_of_text, retry);
  EXPECT_EQ(answer.failure, Failure::connect);
  EXPECT_FALSE(answer.maybe_delivered);
}

TEST(HttpClient, CancelEndsAPauseAndAnAttempt) {
  const Hook peer([](int n) { return n == 1 ? std::optional(plain(503)) : std::nullopt; });
  for (const auto first : {base::Duration(1h), base::Duration(1ms)}) {
    const auto client = to(peer.url());
    Retry retry;
    retry.timeout = 1h;
    retry.deadline = 3h;
    retry.first = first;
    retry.cap = 1h;
    const auto before = peer.seen().size();
    std::thread canceller([&] {
      EXPECT_TRUE(eventually([&] { return peer.seen().size() > before; }));
      client->cancel();
    });
    EXPECT_EQ(client->post(post_of_text, retry).failure, Failure::cancelled);
    canceller.join();
    EXPECT_EQ(client->post(post_of_text, 10s).failure, Failure::cancelled);
  }
}

TEST(HttpClient, SaysWhatIsWrongAndNeverASecret) {
  const auto refused = [](auto change) {
    HttpClientOptions options;
    options.what = "hook";
    options.url = "https://user:secret@hook.example/p?token=secret";
    change(options);
    const auto made = HttpClient::make(options);
    EXPECT_FALSE(made);
    const std::string message = made ? "" : made.error().message;
    EXPECT_EQ(message.find("secret"), std::string::npos) << message;
    EXPECT_TRUE(message.starts_with("hook ")) << message;
  };
  refused([](auto& o) { o.url = "ftp://secret"; });
  refused([](auto& o) { o.url = "secret"; });
  refused([](auto& o) { o.url = "http://user:secret@"; });
  refused([](auto& o) { o.fields = {{"Expect", "secret"}}; });
  refused([](auto& o) { o.fields = {{"k", "secret\r\nX: y"}}; });
  refused([](auto& o) { o.tls.ca = "/does/not/exist.pem"; });
  refused([](auto& o) { o.tls.certificate = "/etc/hostname"; });
  HttpClientOptions good;
  good.what = "hook";
  good.url = "https://user:secret@hook.example/p?token=secret";
  EXPECT_EQ((*HttpClient::make(good))->shown(), "https://hook.example/p");
}

}  // namespace
}  // namespace sockeye::net
