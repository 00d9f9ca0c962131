#include "otlp_grpc.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sockeye::console {
namespace {

using intake::Signal;
using net::GrpcStatus;

// google.rpc.Code
enum class Code : std::uint8_t {
  ok = 0,
  invalid_argument = 3,
  permission_denied = 7,
  resource_exhausted = 8,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  unauthenticated = 16
};

std::optional<Signal> signal_of_method(std::string_view method) {
  if (method == "/opentelemetry.proto.collector.trace.v1.TraceService/Export") return Signal::traces;
  if (method == "/opentelemetry.proto.collector.logs.v1.LogsService/Export") return Signal::logs;
  if (method == "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export") return Signal::metrics;
  return std::nullopt;
}

Code code_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::stored:
      return Code::ok;
    case Verdict::invalid:
    case Verdict::unsupported_encoding:
    case Verdict::too_large:
      return Code::invalid_argument;
    case Verdict::busy:
      return Code::resource_exhausted;
    case Verdict::unavailable:
      return Code::unavailable;
  }
  return Code::internal;
}

// A code that may be sent again carries google.rpc.RetryInfo: without it RESOURCE_EXHAUSTED means never.
GrpcStatus grpc_status(Code code, std::string message, std::uint64_t retry_ms = 0) {
  const int number = static_cast<int>(code);
  std::string details;
  if (retry_ms > 0) details = intake::status(intake::Format::protobuf, number, message, retry_ms);
  return {number, std::move(message), std::move(details)};
}

std::optional<GrpcStatus> refuse(const Guard& guard, const Request& head) {
  if (!signal_of_method(head.path))
    return grpc_status(Code::unimplemented, "this receiver knows the Export methods of OTLP's services");
  const auto refused = guard.token(head, scope::export_spans);
  if (!refused) return std::nullopt;
  if (refused->status == 403) return grpc_status(Code::permission_denied, "this token is not one to export with");
  if (refused->status == 429)
    return grpc_status(Code::resource_exhausted, "too many wrong tokens came from this address", 5000);
  return grpc_status(Code::unauthenticated, "a token is needed: authorization: Bearer TOKEN");
}

net::GrpcAdmission admit(std::size_t largest_message, const Guard& guard, Budget& budget, const Request& head) {
  net::GrpcAdmission out;
  out.refusal = refuse(guard, head);
  out.largest_message = largest_message;
  out.lease = [&budget](std::size_t bytes) { return budget.lease(bytes); };
  out.no_room = grpc_status(Code::resource_exhausted, "too many requests are being read or decoded", 1000);
  return out;
}

void handle(Ingest& ingest, net::GrpcCall&& call, net::GrpcRespond respond) {
  const auto signal = signal_of_method(call.request.path);
  if (!signal) return respond({grpc_status(Code::unimplemented, "no such method")});
  ingest.take(*signal, intake::Format::protobuf, {call.request.client_address, call.request.client_port},
              std::move(call.encoding), std::move(call.request.body),
              [signal = *signal, lease = std::move(call.lease), respond = std::move(respond)](const Taken& taken) {
                if (taken.verdict == Verdict::stored)
                  return respond({{}, intake::success(signal, intake::Format::protobuf, taken.tally)});
                respond({grpc_status(code_of(taken.verdict), taken.message, taken.retry_after_ms)});
              });
}

}  // namespace

net::GrpcSite otlp_grpc(std::size_t largest_message, const Guard& guard, Budget& budget, Ingest& ingest) {
  net::GrpcSite site;
  site.encodings = "gzip,deflate,zstd";
  site.admit = [largest_message, &guard, &budget](const Request& head) {
    return admit(largest_message, guard, budget, head);
  };
  site.handle = [&ingest](net::GrpcCall&& call, net::GrpcRespond respond) {
    handle(ingest, std::move(call), std::move(respond));
  };
  return site;
}

}  // namespace sockeye::console
