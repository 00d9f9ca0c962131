// OTLP over HTTP: POST /v1/traces, /v1/logs and /v1/metrics, with CORS for pages of allowed origins.
// Source: OpenTelemetry protocol specification, OTLP/HTTP; Fetch standard, CORS protocol.
#pragma once

#include <string>
#include <vector>

#include "budget.h"
#include "guard.h"
#include "http.h"
#include "ingest.h"

namespace sockeye::console {

struct OtlpHttpOptions {
  std::size_t largest_body = 0;
  std::vector<std::string> cors_origins;  // "*" = any
};

// All are borrowed by the Site's functions.
[[nodiscard]] Site otlp_http(const OtlpHttpOptions&, const Guard&, Budget&, Ingest&);

}  // namespace sockeye::console
