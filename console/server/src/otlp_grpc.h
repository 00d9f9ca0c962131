// OTLP over gRPC: the Export methods of the trace, logs and metrics services, decoded on the same path as OTLP/HTTP.
// Source: OpenTelemetry protocol specification, OTLP/gRPC.
#pragma once

#include <cstddef>

#include "budget.h"
#include "guard.h"
#include "ingest.h"
#include "sockeye/net/grpc.h"

namespace sockeye::console {

// Guard, budget and ingest are borrowed by the site's functions. `largest_message`: as sent.
[[nodiscard]] net::GrpcSite otlp_grpc(std::size_t largest_message, const Guard&, Budget&, Ingest&);

}  // namespace sockeye::console
