// Spans into requests, answers into what the pipeline does next. The connection is net's HTTP client; an attempt that
// failed is the pipeline's to make again, since it also spools.
#include "sockeye/otlp/transport.h"

#include <utility>

#include "answer.h"
#include "encode.h"
#include "sockeye/net/gzip.h"
#include "sockeye/net/http_client.h"

namespace sockeye::otlp {
namespace {

using pipeline::Batch;
using pipeline::Delivery;
using pipeline::ErrorKind;
using pipeline::Outcome;

constexpr std::uint8_t encoding_plain = 0;  // Batch::encoding, and so part of the spool's content
constexpr std::uint8_t encoding_gzip = 1;
constexpr int gzip_level = 4;
constexpr std::string_view content_type = "application/x-protobuf";

ErrorKind error_of(net::Failure failure) {
  switch (failure) {
    case net::Failure::resolve:
      return ErrorKind::resolve;
    case net::Failure::connect:
      return ErrorKind::connect;
    case net::Failure::tls:
      return ErrorKind::tls;
    case net::Failure::timeout:
      return ErrorKind::timeout;
    case net::Failure::not_http:
      return ErrorKind::response;
    case net::Failure::reset:
      return ErrorKind::reset;
    case net::Failure::none:
    case net::Failure::cancelled:
      break;
  }
  return ErrorKind::none;
}

class HttpTransport final : public pipeline::Transport {
 public:
  HttpTransport(Options options, std::unique_ptr<net::HttpClient> client)
      : options_(std::move(options)), resource_(encode_resource(options_.resource)), client_(std::move(client)) {}

  Batch encode(std::span<const model::Span> spans) override;
  Delivery send(const Batch& batch) override;
  void cancel() override { client_->cancel(); }
  std::string destination() const override { return client_->shown(); }

 private:
  const Options options_;
  const std::string resource_;
  net::Gzip gzip_{gzip_level};
  std::unique_ptr<net::HttpClient> client_;
};

Batch HttpTransport::encode(std::span<const model::Span> spans) {
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

Delivery HttpTransport::send(const Batch& batch) {
  Delivery delivery;
  if (batch.encoding != encoding_plain && batch.encoding != encoding_gzip) {
    delivery.outcome = Outcome::rejected;
    delivery.error = ErrorKind::spool_read;
    delivery.message = "a spooled batch in an encoding that this version does not know";
    return delivery;
  }
  const auto came =
      client_->post({batch.body, content_type, batch.encoding == encoding_gzip ? "gzip" : ""}, options_.timeout);
  if (came.status == 0) {
    delivery.maybe_delivered = came.maybe_delivered;
    delivery.error = error_of(came.failure);
    delivery.message = one_line(came.message);
    return delivery;
  }
  Answer answer;
  answer.status = came.status;
  answer.whole = came.failure == net::Failure::none;
  answer.body = came.body;
  answer.protobuf = !came.content_type || came.content_type->starts_with(content_type);
  answer.retry_after = came.retry_after;
  return judge(answer, batch.spans);
}

}  // namespace

base::Result<std::unique_ptr<pipeline::Transport>> make_transport(Options options) {
  if (options.timeout <= base::Duration::zero()) return base::fail("OTLP timeout must be over 0");
  net::HttpClientOptions http;
  http.what = "OTLP";
  http.url = traces_url(options);
  http.fields = options.headers;
  http.user_agent = "sockeye/" SOCKEYE_VERSION;
  http.tls = {options.tls.ca, options.tls.certificate, options.tls.key};
  auto client = net::HttpClient::make(std::move(http));
  if (!client) return tl::unexpected(client.error());
  return std::make_unique<HttpTransport>(std::move(options), *std::move(client));
}

}  // namespace sockeye::otlp
