// Theory of operation. One curl handle and one connection, kept alive between batches, driven through the multi
// interface only so that cancel() can wake it.
//
// What a failed attempt left at the collector decides whether sending again can double spans, so three things are told
// apart: the body was not handed over whole (Content-Length makes such a request worthless: certainly not delivered);
// it was, and no status came (it may be delivered); a status came (the collector said). curl itself sends a request
// again on a fresh connection when a kept-alive one turns out dead, which would hide the second case: the body is
// therefore fed by a callback that begins anew only while the collector cannot have all of it.
#include "sockeye/otlp/transport.h"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstring>
#include <mutex>

#include "answer.h"
#include "encode.h"
#include "sockeye/net/gzip.h"

namespace sockeye::otlp {
namespace {

using pipeline::Batch;
using pipeline::Delivery;
using pipeline::ErrorKind;
using pipeline::Outcome;

constexpr std::uint8_t encoding_plain = 0;  // Batch::encoding, and so part of the spool's content
constexpr std::uint8_t encoding_gzip = 1;
constexpr int gzip_level = 4;
constexpr std::size_t largest_answer = 64U << 10U;
constexpr int poll_ms = 1000;

struct EasyDeleter {
  void operator()(CURL* p) const { curl_easy_cleanup(p); }
};
struct MultiDeleter {
  void operator()(CURLM* p) const { curl_multi_cleanup(p); }
};
struct ListDeleter {
  void operator()(curl_slist* p) const { curl_slist_free_all(p); }
};
struct UrlDeleter {
  void operator()(CURLU* p) const { curl_url_cleanup(p); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

bool append(List& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return false;
  static_cast<void>(list.release());
  list.reset(longer);
  return true;
}

struct Target {
  std::string url;
  std::string shown;  // without user, password and query
  bool loopback = false;
};

base::Result<Target> parse_target(const std::string& url) {
  const std::unique_ptr<CURLU, UrlDeleter> parsed(curl_url());
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    std::string out;
    if (curl_url_get(parsed.get(), which, &text, 0) == CURLUE_OK && text != nullptr) out = text;
    curl_free(text);
    return out;
  };
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
    return base::fail("OTLP endpoint is not a URL such as http://127.0.0.1:4318");
  const std::string scheme = part(CURLUPART_SCHEME);
  const std::string host = part(CURLUPART_HOST);
  if (scheme != "http" && scheme != "https") return base::fail("OTLP endpoint must begin with http:// or https://");
  if (host.empty()) return base::fail("OTLP endpoint names no host");
  Target target;
  target.url = url;
  const std::string port = part(CURLUPART_PORT);
  target.shown = scheme + "://" + host + (port.empty() ? "" : ":" + port) + part(CURLUPART_PATH);
  target.loopback = host == "localhost" || host == "[::1]" || host.starts_with("127.");
  return target;
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

base::Result<List> make_headers(const Pairs& extra, bool gzip) {
  List list;
  // "Expect:" alone removes curl's 100-continue, which costs a round trip and which many collectors do not answer.
  bool good = append(list, "Content-Type: application/x-protobuf") && append(list, "Expect:");
  if (gzip) good = good && append(list, "Content-Encoding: gzip");
  for (const auto& [name, value] : extra) {
    if (!is_token(name) || !is_field_value(value))
      return base::fail("OTLP header " + one_line(name) + " is not a valid HTTP field");
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    for (const std::string_view ours :
         {"content-type", "content-encoding", "content-length", "transfer-encoding", "expect"})
      if (lower == ours) return base::fail("OTLP header " + name + " cannot be set: the exporter sets it");
    std::string line = name;
    // libcurl's notation for a header without a value.
    line.append(value.empty() ? ";" : ": ").append(value);
    good = good && append(list, line);
  }
  if (!good) return base::fail("OTLP headers: out of memory");
  return list;
}

class CurlTransport final : public pipeline::Transport {
 public:
  CurlTransport(Options options, Target target) : options_(std::move(options)), target_(std::move(target)) {
    resource_ = encode_resource(options_.resource);
  }
  ~CurlTransport() override {
    easy_.reset();  // before the multi handle that holds its connection
    multi_.reset();
  }

  base::Result<void> prepare();
  Batch encode(std::span<const model::Span> spans) override;
  Delivery send(const Batch& batch) override;
  void cancel() override {
    cancelled_.store(true);
    curl_multi_wakeup(multi_.get());
  }
  std::string destination() const override { return target_.shown; }

 private:
  // One send() as curl's callbacks see it.
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
  bool begin_body();
  CURLcode transfer(bool& cancelled);
  Delivery explain(CURLcode code, std::uint32_t spans);
  Delivery failure(CURLcode code);

  const Options options_;
  const Target target_;
  std::string resource_;
  net::Gzip gzip_{gzip_level};
  List plain_headers_;
  List gzip_headers_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::unique_ptr<CURL, EasyDeleter> easy_;
  std::array<char, CURL_ERROR_SIZE> detail_{};
  std::atomic<bool> cancelled_{false};
  Attempt attempt_;
};

base::Result<void> CurlTransport::prepare() {
  static std::once_flag once;
  static CURLcode global = CURLE_OK;
  std::call_once(once, [] { global = curl_global_init(CURL_GLOBAL_DEFAULT); });
  multi_.reset(curl_multi_init());
  easy_.reset(curl_easy_init());
  if (global != CURLE_OK || !multi_ || !easy_) return base::fail("OTLP exporter: curl does not start");
  auto plain = make_headers(options_.headers, false);
  if (!plain) return tl::unexpected(plain.error());
  auto gzip = make_headers(options_.headers, true);
  if (!gzip) return tl::unexpected(gzip.error());
  plain_headers_ = std::move(*plain);
  gzip_headers_ = std::move(*gzip);

  const Tls& tls = options_.tls;
  for (const std::string* file : {&tls.ca, &tls.certificate, &tls.key})
    if (!file->empty() && ::access(file->c_str(), R_OK) != 0)
      return base::fail("OTLP TLS file " + *file +
                        " cannot be read: " + std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
  if (tls.certificate.empty() != tls.key.empty())
    return base::fail("OTLP TLS: a client certificate and its key must be given together");

  CURL* const c = easy_.get();
  const auto ms =
      std::max<long>(1, static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(options_.timeout).count()));
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = curl_easy_setopt(c, option, value) == CURLE_OK && good;
  };
  set(CURLOPT_URL, target_.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_POST, 1L);
  set(CURLOPT_TIMEOUT_MS, ms);
  set(CURLOPT_CONNECTTIMEOUT_MS, ms);
  set(CURLOPT_USERAGENT, "sockeye/" SOCKEYE_VERSION);
  set(CURLOPT_ERRORBUFFER, detail_.data());
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  if (target_.loopback) set(CURLOPT_PROXY, "");
  set(CURLOPT_READFUNCTION, &on_read);
  set(CURLOPT_READDATA, static_cast<void*>(this));
  set(CURLOPT_SEEKFUNCTION, &on_seek);
  set(CURLOPT_SEEKDATA, static_cast<void*>(this));
  set(CURLOPT_PREREQFUNCTION, &on_request);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &on_answer);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  if (!tls.ca.empty()) set(CURLOPT_CAINFO, tls.ca.c_str());
  if (!tls.certificate.empty()) {
    set(CURLOPT_SSLCERT, tls.certificate.c_str());
    set(CURLOPT_SSLKEY, tls.key.c_str());
  }
  if (!good) return base::fail("OTLP exporter: this curl lacks an option");
  return {};
}

Batch CurlTransport::encode(std::span<const model::Span> spans) {
  Batch batch;
  batch.spans = static_cast<std::uint32_t>(spans.size());
  batch.encoding = encoding_plain;
  batch.body = encode_request(spans, resource_, options_.limits);
  std::string smaller;
  if (options_.compression == Compression::gzip && gzip_.compress(batch.body, smaller)) {
    batch.encoding = encoding_gzip;
    batch.body.assign(smaller);  // and not its bound's capacity
  }
  return batch;
}

std::size_t CurlTransport::on_read(char* to, std::size_t size, std::size_t count, void* self) {
  Attempt& a = static_cast<CurlTransport*>(self)->attempt_;
  const std::size_t n = std::min(size * count, a.body.size() - a.handed);
  std::memcpy(to, a.body.data() + a.handed, n);
  a.handed += n;
  if (a.handed == a.body.size()) a.whole_once = true;
  return n;
}

// A request begins, the first or curl's own second.
bool CurlTransport::begin_body() {
  attempt_.handed = 0;
  return !attempt_.whole_once;
}

int CurlTransport::on_seek(void* self, curl_off_t offset, int origin) {
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_FAIL;
  return static_cast<CurlTransport*>(self)->begin_body() ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

int CurlTransport::on_request(void* self, char* /*to*/, char* /*from*/, int /*to_port*/, int /*from_port*/) {
  return static_cast<CurlTransport*>(self)->begin_body() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

std::size_t CurlTransport::on_answer(char* from, std::size_t size, std::size_t count, void* self) {
  std::string& answer = static_cast<CurlTransport*>(self)->attempt_.answer;
  if (answer.size() + size * count > largest_answer) return 0;
  answer.append(from, size * count);
  return size * count;
}

Delivery CurlTransport::send(const Batch& batch) {
  if (batch.encoding != encoding_plain && batch.encoding != encoding_gzip) {
    Delivery delivery;
    delivery.outcome = Outcome::rejected;
    delivery.error = ErrorKind::spool_read;
    delivery.message = "a spooled batch in an encoding that this version does not know";
    return delivery;
  }
  attempt_ = Attempt{batch.body, 0, false, {}};
  detail_[0] = '\0';
  const bool gzip = batch.encoding == encoding_gzip;
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, gzip ? gzip_headers_.get() : plain_headers_.get());
  curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(batch.body.size()));

  bool cancelled = false;
  const CURLcode code = transfer(cancelled);
  if (!cancelled) return explain(code, batch.spans);
  Delivery delivery;
  delivery.maybe_delivered = attempt_.whole_once;
  delivery.message = "given up";
  return delivery;
}

CURLcode CurlTransport::transfer(bool& cancelled) {
  CURLcode code = CURLE_FAILED_INIT;
  if (curl_multi_add_handle(multi_.get(), easy_.get()) != CURLM_OK) return code;
  for (bool done = false; !done;) {
    cancelled = cancelled_.load();
    if (cancelled) break;
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

Delivery CurlTransport::explain(CURLcode code, std::uint32_t spans) {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status > 599) return failure(code);
  Answer answer;
  answer.status = static_cast<int>(status);
  answer.whole = code == CURLE_OK;
  answer.body = attempt_.answer;
  const char* type = nullptr;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_TYPE, &type);
  answer.protobuf = type == nullptr || std::string_view(type).starts_with("application/x-protobuf");
  curl_off_t wait = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &wait);
  if (wait > 0) answer.retry_after = std::chrono::seconds(std::min<curl_off_t>(wait, 86400));
  return judge(answer, spans);
}

// No status: the network's failure, not the collector's word.
Delivery CurlTransport::failure(CURLcode code) {
  Delivery delivery;
  delivery.maybe_delivered = attempt_.whole_once;
  delivery.message = one_line(detail_[0] != '\0' ? detail_.data() : curl_easy_strerror(code));
  curl_off_t connected = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONNECT_TIME_T, &connected);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      delivery.error = ErrorKind::resolve;
      break;
    case CURLE_COULDNT_CONNECT:
      delivery.error = ErrorKind::connect;
      break;
    case CURLE_OPERATION_TIMEDOUT:
      delivery.error = connected > 0 ? ErrorKind::timeout : ErrorKind::connect;
      break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
      delivery.error = ErrorKind::tls;
      break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
      delivery.error = ErrorKind::response;
      break;
    default:
      delivery.error = ErrorKind::reset;
      break;
  }
  if (code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_SEND_FAIL_REWIND)
    delivery.message = "the connection ended before an answer came";
  return delivery;
}

}  // namespace

base::Result<std::unique_ptr<pipeline::Transport>> make_transport(Options options) {
  if (options.timeout <= base::Duration::zero()) return base::fail("OTLP timeout must be over 0");
  auto target = parse_target(traces_url(options));
  if (!target) return tl::unexpected(target.error());
  auto transport = std::make_unique<CurlTransport>(std::move(options), std::move(*target));
  if (auto prepared = transport->prepare(); !prepared) return tl::unexpected(prepared.error());
  return transport;
}

}  // namespace sockeye::otlp
