// OTLP/HTTP with protobuf bodies (opentelemetry.io/docs/specs/otlp, protocol 1.x, traces).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/pipeline/transport.h"

namespace sockeye::otlp {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// Who the spans are from. Empty members are left out, service_name excepted.
struct Resource {
  std::string service_name = "unknown_service:sockeye";
  std::string service_version;
  std::string service_instance_id;
  std::string host_name;
  // OTEL_RESOURCE_ATTRIBUTES. What a user says here wins over the members above, but not over service_name.
  Pairs attributes;
};

enum class Compression : std::uint8_t { none, gzip };

struct Tls {
  std::string ca;           // PEM file; "" = the system's store
  std::string certificate;  // client certificate, PEM file; "" = none
  std::string key;          // PEM file
};

// OpenTelemetry's span limits; what is over them is left out and counted in dropped_*_count.
struct Limits {
  std::size_t attributes = 128;
  std::size_t events = 128;
  std::size_t links = 128;
  std::size_t value_bytes = 16384;  // a longer string is cut at a character boundary
};

struct Options {
  std::string endpoint = "http://127.0.0.1:4318";  // OTEL_EXPORTER_OTLP_ENDPOINT: /v1/traces is appended
  std::string traces_endpoint;                     // OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: used as it is; wins when set
  Pairs headers;                                   // sent with every request; values are never logged
  base::Duration timeout = std::chrono::seconds(10);  // one attempt, connecting included
  Compression compression = Compression::gzip;
  Tls tls;
  Resource resource;
  Limits limits;
};

// Fails on an endpoint that is no http(s) URL, on a header that is not one, on a PEM file that cannot be read.
// Connects at the first send. Proxies are taken from the environment as curl does, but never for a loopback endpoint.
[[nodiscard]] base::Result<std::unique_ptr<pipeline::Transport>> make_transport(Options options);

// The URL of the traces signal that `options` mean, by the specification's rules.
[[nodiscard]] std::string traces_url(const Options& options);

// "k1=v1,k2=v2" with percent-encoded values, as OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES are written.
// An error names the pair's position and never its content.
[[nodiscard]] base::Result<Pairs> parse_pairs(std::string_view text);

}  // namespace sockeye::otlp
