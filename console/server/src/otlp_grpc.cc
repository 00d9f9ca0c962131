#include "otlp_grpc.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>

#include <fstream>
#include <sstream>
#include <utility>

namespace sockeye::console {
namespace {

using grpc::Status;
using grpc::StatusCode;
using intake::Format;
using intake::Signal;

std::optional<Signal> signal_of_method(std::string_view method) {
  if (method == "/opentelemetry.proto.collector.trace.v1.TraceService/Export") return Signal::traces;
  if (method == "/opentelemetry.proto.collector.logs.v1.LogsService/Export") return Signal::logs;
  if (method == "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export") return Signal::metrics;
  return std::nullopt;
}

StatusCode code_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::stored:
      return StatusCode::OK;
    case Verdict::invalid:
    case Verdict::unsupported_encoding:
    case Verdict::too_large:
      return StatusCode::INVALID_ARGUMENT;
    case Verdict::busy:
      return StatusCode::RESOURCE_EXHAUSTED;
    case Verdict::unavailable:
      return StatusCode::UNAVAILABLE;
  }
  return StatusCode::INTERNAL;
}

// A code that may be sent again carries google.rpc.RetryInfo: without it RESOURCE_EXHAUSTED means never.
Status status(StatusCode code, const std::string& message, std::uint64_t retry_ms = 0) {
  return {code, message, retry_ms > 0 ? intake::status(Format::protobuf, code, message, retry_ms) : std::string()};
}

std::string bytes_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string out;
  if (!buffer.Dump(&slices).ok()) return out;
  out.reserve(buffer.Length());
  for (const auto& slice : slices) out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return out;
}

grpc::ByteBuffer buffer_of(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

// One unary call: reads the request, waits for the store, answers. Owned by gRPC until OnDone.
class Call final : public grpc::ServerGenericBidiReactor {
 public:
  Call(Signal signal, Budget& budget, Ingest& ingest) : signal_(signal), budget_(budget), ingest_(ingest) {
    StartRead(&request_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish({StatusCode::INVALID_ARGUMENT, "no request"});
    lease_ = budget_.lease(request_.Length());
    if (!lease_) return Finish(status(StatusCode::RESOURCE_EXHAUSTED, "too many requests are being decoded", 1000));
    // Once taken, the answer may come, and end this object, before take() returns.
    std::string body = bytes_of(request_);
    request_.Clear();
    ingest_.take(signal_, Format::protobuf, "", std::move(body), [this](const Taken& taken) {
      lease_.reset();
      if (taken.verdict != Verdict::stored)
        return Finish(status(code_of(taken.verdict), taken.message, taken.retry_after_ms));
      answer_ = buffer_of(intake::success(signal_, Format::protobuf, taken.tally));
      StartWriteAndFinish(&answer_, {}, Status::OK);
    });
  }
  void OnDone() override { delete this; }

 private:
  const Signal signal_;
  Budget& budget_;
  Ingest& ingest_;
  std::shared_ptr<void> lease_;
  grpc::ByteBuffer request_, answer_;
};

class Refuse final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refuse(const Status& why) { Finish(why); }
  void OnDone() override { delete this; }
};

class Receiver final : public OtlpGrpc, public grpc::CallbackGenericService {
 public:
  Receiver(OtlpGrpcOptions options, const Guard& guard, Budget& budget, Ingest& ingest)
      : options_(std::move(options)), guard_(guard), budget_(budget), ingest_(ingest) {}
  ~Receiver() override { stop(std::chrono::milliseconds(0)); }

  base::Result<void> listen();
  std::string address() const override { return address_; }
  void stop(std::chrono::milliseconds timeout) override {
    if (server_) server_->Shutdown(std::chrono::system_clock::now() + timeout);
    server_.reset();
  }

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    const auto signal = signal_of_method(context->method());
    if (!signal)
      return new Refuse({StatusCode::UNIMPLEMENTED, "this receiver knows the Export methods of OTLP's services"});
    if (!guard_.open() && !authorised(*context))
      return new Refuse({StatusCode::UNAUTHENTICATED, "a token is needed: authorization: Bearer TOKEN"});
    return new Call(*signal, budget_, ingest_);
  }

 private:
  bool authorised(const grpc::GenericCallbackServerContext& context) const {
    const auto& metadata = context.client_metadata();
    const auto found = metadata.find("authorization");
    if (found == metadata.end()) return false;
    const std::string_view value(found->second.data(), found->second.size());
    return value.size() > 7 && (value.starts_with("Bearer ") || value.starts_with("bearer ")) &&
           guard_.right_token(value.substr(7));
  }

  const OtlpGrpcOptions options_;
  const Guard& guard_;
  Budget& budget_;
  Ingest& ingest_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

base::Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  if (!in) return base::fail("--tls: cannot read " + path);
  return out.str();
}

base::Result<void> Receiver::listen() {
  grpc::ServerBuilder builder;
  auto credentials = grpc::InsecureServerCredentials();
  if (options_.tls) {
    const auto certificate = read_file(options_.tls->certificate);
    const auto key = read_file(options_.tls->key);
    if (!certificate) return tl::unexpected(certificate.error());
    if (!key) return tl::unexpected(key.error());
    grpc::SslServerCredentialsOptions tls;
    tls.pem_key_cert_pairs.push_back({*key, *certificate});
    credentials = grpc::SslServerCredentials(tls);
  }
  const auto colon = options_.listen.rfind(':');
  const std::string host = options_.listen.substr(0, std::min(colon, options_.listen.size()));
  int port = 0;
  builder.AddListeningPort(
      (host.empty() ? "[::]" : host) + options_.listen.substr(std::min(colon, options_.listen.size())), credentials,
      &port);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options_.largest_message));
  // Another process on this port must be an error, not a partner.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 256);
  grpc::ResourceQuota quota("otlp");
  quota.Resize(96U << 20U);
  quota.SetMaxThreads(16);
  builder.SetResourceQuota(quota);
  builder.RegisterCallbackGenericService(this);
  server_ = builder.BuildAndStart();
  if (!server_ || port == 0)
    return base::fail("--otlp-grpc " + options_.listen + ": cannot listen there; is the port taken?");
  address_ = (host.empty() ? "[::]" : host) + ":" + std::to_string(port);
  return {};
}

}  // namespace

base::Result<std::unique_ptr<OtlpGrpc>> OtlpGrpc::start(OtlpGrpcOptions options, const Guard& guard, Budget& budget,
                                                        Ingest& ingest) {
  auto out = std::make_unique<Receiver>(std::move(options), guard, budget, ingest);
  if (auto listening = out->listen(); !listening) return tl::unexpected(listening.error());
  return out;
}

}  // namespace sockeye::console
