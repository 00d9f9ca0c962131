// OTLP over gRPC: the Export methods of the trace, logs and metrics services, as generic calls of bytes, decoded on the
// same path as OTLP/HTTP. Source: OpenTelemetry protocol specification, OTLP/gRPC. grpc++ stays in otlp_grpc.cc.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "budget.h"
#include "guard.h"
#include "ingest.h"
#include "sockeye/base/result.h"
#include "sockeye/console/console.h"

namespace sockeye::console {

struct OtlpGrpcOptions {
  std::string listen;
  std::optional<Tls> tls;
  std::size_t largest_message = 0;
};

class OtlpGrpc {
 public:
  static base::Result<std::unique_ptr<OtlpGrpc>> start(OtlpGrpcOptions, const Guard&, Budget&, Ingest&);
  virtual ~OtlpGrpc() = default;
  [[nodiscard]] virtual std::string address() const = 0;
  virtual void stop(std::chrono::milliseconds timeout) = 0;
};

}  // namespace sockeye::console
