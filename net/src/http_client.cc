// Theory of operation. One curl handle, driven through the multi interface only so that cancel() can wake it.
//
// What a failed attempt left at the peer decides whether sending again can do something twice, so three things are told
// apart: the body was not handed over whole (Content-Length makes such a request worthless: certainly not delivered);
// it was, and no status came (it may be delivered); a status came (the peer said). curl itself sends a request again on
// a fresh connection when a kept-alive one turns out dead, which would hide the second case: the body is therefore fed
// by a callback that starts over only while the peer cannot have all of it.
#include "sockeye/net/http_client.h"

#include <curl/curl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cstring>
#include <mutex>
#include <utility>

#include "sockeye/base/address.h"
#include "sockeye/base/random.h"
#include "sockeye/files/read.h"

namespace sockeye::net {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int poll_ms = 1000;
constexpr curl_off_t longest_retry_after = 86'400;  // seconds

struct EasyDeleter {
  void operator()(CURL* p) const { curl_easy_cleanup(p); }
};
struct MultiDeleter {
  void operator()(CURLM* p) const { curl_multi_cleanup(p); }
};
struct ListDeleter {
  void operator()(curl_slist* p) const { curl_slist_free_all(p); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

bool append(List& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return false;
  static_cast<void>(list.release());
  list.reset(longer);
  return true;
}

bool is_token(std::string_view text) {  // RFC 9110 §5.6.2
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || marks.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {  // RFC 9110 §5.5
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
  });
}

std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

base::Result<void> check_fields(const std::string& what, const Fields& fields) {
  for (const auto& [name, value] : fields) {
    if (!is_token(name) || !is_field_value(value))
      return base::fail(what + " header " + printable(name.substr(0, 160)) + " is not a valid HTTP field");
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    for (const std::string_view ours :
         {"content-type", "content-encoding", "content-length", "transfer-encoding", "expect"})
      if (lower == ours) return base::fail(what + " header " + name + " cannot be set: the client sets it");
  }
  return {};
}

std::uint64_t random_seed() {
  std::uint64_t out = 0;
  static_cast<void>(!::getrandom(&out, sizeof out, 0));
  return out;
}

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(HttpClientOptions options) : options_(std::move(options)), random_(random_seed()) {}
  ~CurlClient() override {
    easy_.reset();  // before the multi handle that holds its connection
    multi_.reset();
  }

  base::Result<void> prepare();
  Answer post(const Post& request, base::Duration timeout) override;
  Answer post(const Post& request, const Retry& retry) override;
  void cancel() override {
    cancelled_.store(true);
    curl_multi_wakeup(multi_.get());
  }
  [[nodiscard]] const std::string& shown() const override { return shown_; }

 private:
  // One attempt as curl's callbacks see it.
  struct Attempt {
    std::string_view body;
    std::size_t handed = 0;   // bytes of the body in the request that is under way
    bool whole_once = false;  // a request got all of the body
    std::string answer;
  };

  static std::size_t on_read(char* to, std::size_t size, std::size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  static int on_request(void* self, char*, char*, int, int);
  static std::size_t on_answer(char* from, std::size_t size, std::size_t count, void* self);
  base::Result<void> parse_url();
  base::Result<void> check_files() const;
  bool set_up();
  bool begin_body();
  [[nodiscard]] List fields_of(const Post& request) const;
  CURLcode transfer();
  void pause(Clock::time_point until);
  Answer explain(CURLcode code);
  Answer failed(CURLcode code);

  const HttpClientOptions options_;
  std::string shown_;
  bool loopback_ = false;
  base::Random random_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::unique_ptr<CURL, EasyDeleter> easy_;
  std::array<char, CURL_ERROR_SIZE> detail_{};
  std::atomic<bool> cancelled_{false};
  Attempt attempt_;
};

base::Result<void> CurlClient::prepare() {
  if (auto good = parse_url(); !good) return good;
  static std::once_flag once;
  static CURLcode global = CURLE_OK;
  std::call_once(once, [] { global = curl_global_init(CURL_GLOBAL_DEFAULT); });
  multi_.reset(curl_multi_init());
  easy_.reset(curl_easy_init());
  if (global != CURLE_OK || !multi_ || !easy_) return base::fail(options_.what + ": curl does not start");
  if (auto good = check_fields(options_.what, options_.fields); !good) return good;
  if (auto good = check_files(); !good) return good;
  if (!set_up()) return base::fail(options_.what + ": this curl lacks an option");
  return {};
}

base::Result<void> CurlClient::parse_url() {
  const auto url = base::parse_url(options_.url);
  if (!url) return base::fail(options_.what + " endpoint is not a URL such as http://127.0.0.1:4318");
  if (url->scheme != "http" && url->scheme != "https")
    return base::fail(options_.what + " endpoint must begin with http:// or https://");
  shown_ = url->scheme + "://" + url->authority() + (url->path.empty() ? "/" : url->path);
  loopback_ = base::is_loopback(url->host);
  return {};
}

base::Result<void> CurlClient::check_files() const {
  const auto& tls = options_.tls;
  for (const std::string* file : {&tls.ca, &tls.certificate, &tls.key}) {
    if (file->empty()) continue;
    if (const auto checked = files::check(*file); !checked)
      return base::fail(options_.what + " TLS file " + *file + " cannot be read: " + checked.error().message);
  }
  if (tls.certificate.empty() != tls.key.empty())
    return base::fail(options_.what + " TLS: a client certificate and its key must be given together");
  return {};
}

bool CurlClient::set_up() {
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = curl_easy_setopt(easy_.get(), option, value) == CURLE_OK && good;
  };
  set(CURLOPT_URL, options_.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_POST, 1L);
  if (!options_.user_agent.empty()) set(CURLOPT_USERAGENT, options_.user_agent.c_str());
  set(CURLOPT_ERRORBUFFER, detail_.data());
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  if (loopback_) set(CURLOPT_PROXY, "");
  set(CURLOPT_READFUNCTION, &on_read);
  set(CURLOPT_READDATA, static_cast<void*>(this));
  set(CURLOPT_SEEKFUNCTION, &on_seek);
  set(CURLOPT_SEEKDATA, static_cast<void*>(this));
  set(CURLOPT_PREREQFUNCTION, &on_request);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &on_answer);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  const auto& tls = options_.tls;
  if (!tls.ca.empty()) set(CURLOPT_CAINFO, tls.ca.c_str());
  if (!tls.certificate.empty()) {
    set(CURLOPT_SSLCERT, tls.certificate.c_str());
    set(CURLOPT_SSLKEY, tls.key.c_str());
  }
  return good;
}

// --- an attempt ---

std::size_t CurlClient::on_read(char* to, std::size_t size, std::size_t count, void* self) {
  Attempt& a = static_cast<CurlClient*>(self)->attempt_;
  const std::size_t n = std::min(size * count, a.body.size() - a.handed);
  std::memcpy(to, a.body.data() + a.handed, n);
  a.handed += n;
  if (a.handed == a.body.size()) a.whole_once = true;
  return n;
}

// A request begins, the first or curl's own second.
bool CurlClient::begin_body() {
  attempt_.handed = 0;
  return !attempt_.whole_once;
}

int CurlClient::on_seek(void* self, curl_off_t offset, int origin) {
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_FAIL;
  return static_cast<CurlClient*>(self)->begin_body() ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

int CurlClient::on_request(void* self, char* /*to*/, char* /*from*/, int /*to_port*/, int /*from_port*/) {
  return static_cast<CurlClient*>(self)->begin_body() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

std::size_t CurlClient::on_answer(char* from, std::size_t size, std::size_t count, void* self) {
  auto& client = *static_cast<CurlClient*>(self);
  std::string& answer = client.attempt_.answer;
  if (answer.size() + size * count > client.options_.largest_answer) return 0;
  answer.append(from, size * count);
  return size * count;
}

List CurlClient::fields_of(const Post& request) const {
  List list;
  // "Expect:" alone removes curl's 100-continue, which costs a round trip and which many servers do not answer.
  bool good = append(list, "Content-Type: " + std::string(request.content_type)) && append(list, "Expect:");
  if (!request.content_encoding.empty())
    good = good && append(list, "Content-Encoding: " + std::string(request.content_encoding));
  for (const auto& [name, value] : options_.fields)  // a ';' is libcurl's notation for a field without a value
    good = good && append(list, name + (value.empty() ? ";" : ": " + value));
  return good ? std::move(list) : nullptr;
}

Answer CurlClient::post(const Post& request, base::Duration timeout) {
  attempt_ = Attempt{request.body, 0, false, {}};
  detail_[0] = '\0';
  const List fields = fields_of(request);
  if (!fields) return {0, Failure::reset, "out of memory"};
  const auto ms = std::max<long>(1, static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(timeout).count()));
  curl_easy_setopt(easy_.get(), CURLOPT_TIMEOUT_MS, ms);
  curl_easy_setopt(easy_.get(), CURLOPT_CONNECTTIMEOUT_MS, ms);
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, fields.get());
  curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  const CURLcode code = transfer();
  Answer answer = explain(code);
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, nullptr);
  return answer;
}

CURLcode CurlClient::transfer() {
  CURLcode code = CURLE_FAILED_INIT;
  if (curl_multi_add_handle(multi_.get(), easy_.get()) != CURLM_OK) return code;
  for (bool done = false; !done && !cancelled_;) {
    int running = 0;
    if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) break;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      code = message->data.result;
      done = true;
    }
    if (!done && curl_multi_poll(multi_.get(), nullptr, 0, poll_ms, nullptr) != CURLM_OK) break;
  }
  curl_multi_remove_handle(multi_.get(), easy_.get());
  return code;
}

Answer CurlClient::explain(CURLcode code) {
  Answer answer;
  if (cancelled_) {
    answer.failure = Failure::cancelled;
    answer.maybe_delivered = attempt_.whole_once;
    answer.message = "given up";
    return answer;
  }
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status > 599) return failed(code);
  answer.status = static_cast<int>(status);
  if (code != CURLE_OK) {
    answer.failure = Failure::reset;
    answer.message = "the answer broke off after its status";
  }
  answer.body = std::move(attempt_.answer);
  const char* type = nullptr;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_TYPE, &type);
  if (type != nullptr) answer.content_type = type;
  curl_off_t wait = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &wait);
  if (wait > 0) answer.retry_after = std::chrono::seconds(std::min(wait, longest_retry_after));
  return answer;
}

// No status: the network's failure, not the peer's word.
Answer CurlClient::failed(CURLcode code) {
  Answer answer;
  answer.maybe_delivered = attempt_.whole_once;
  answer.message = printable(detail_[0] != '\0' ? detail_.data() : curl_easy_strerror(code));
  curl_off_t connected = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONNECT_TIME_T, &connected);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      answer.failure = Failure::resolve;
      break;
    case CURLE_COULDNT_CONNECT:
      answer.failure = Failure::connect;
      break;
    case CURLE_OPERATION_TIMEDOUT:
      answer.failure = connected > 0 ? Failure::timeout : Failure::connect;
      break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
      answer.failure = Failure::tls;
      break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
      answer.failure = Failure::not_http;
      break;
    default:
      answer.failure = Failure::reset;
      break;
  }
  if (code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_SEND_FAIL_REWIND)
    answer.message = "the connection ended before an answer came";
  return answer;
}

// --- again ---

bool worth_another(const Answer& answer, bool twice) {
  if (answer.failure == Failure::cancelled) return false;
  if (answer.status == 0) return twice || !answer.maybe_delivered;
  // 502 and 504 are a gateway's: what is behind it may have the request.
  return answer.status == 429 || answer.status == 503 || (twice && (answer.status == 502 || answer.status == 504));
}

Answer CurlClient::post(const Post& request, const Retry& retry) {
  const auto deadline = Clock::now() + retry.deadline;
  auto delay = retry.first;
  for (;;) {
    const auto left = std::chrono::duration_cast<base::Duration>(deadline - Clock::now());
    Answer answer = post(request, std::min(retry.timeout, left));
    if (!worth_another(answer, retry.twice)) return answer;
    const double jitter = 0.5 + random_.unit() / 2;
    const auto drawn = std::chrono::duration_cast<base::Duration>(delay * jitter);
    const auto next = Clock::now() + std::max(drawn, answer.retry_after.value_or(base::Duration::zero()));
    if (next >= deadline) return answer;
    pause(next);
    delay = std::min(delay * 2, retry.cap);
  }
}

void CurlClient::pause(Clock::time_point until) {
  for (auto now = Clock::now(); now < until && !cancelled_; now = Clock::now()) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(std::min<long>(ms, poll_ms)), nullptr);
  }
}

}  // namespace

base::Result<std::unique_ptr<HttpClient>> HttpClient::make(HttpClientOptions options) {
  auto client = std::make_unique<CurlClient>(std::move(options));
  if (auto prepared = client->prepare(); !prepared) return tl::unexpected(prepared.error());
  return client;
}

}  // namespace sockeye::net
