// A configuration while it is being put together: what the environment, the file and the flags each left, with the
// positions that the checks across keys need.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/config/read.h"

namespace sockeye::config {

struct RouteDraft {
  RouteDraft();
  Position at, name_at, listen_at, tls_at, upstream_at, upstream_tls_at;
  bool named = false;
  std::optional<proxy::Address> listen;
  std::optional<proxy::ServerTls> tls;
  bool has_upstream = false;
  proxy::Route route;
};

struct Draft {
  Settings settings;
  std::vector<RouteDraft> routes;
  // The same for every route of a process.
  observer::SamplingOptions sampling;
  observer::PropagationOptions propagation;
  bool keep_slow = true;
  bool gen_ai = true;
  bool seed_names = false;
  std::vector<std::string> redact = observer::Options{}.redact;
  Position metrics_at;
  bool disabled = false;  // OTEL_SDK_DISABLED
};

// OTEL_* variables. What cannot be used becomes a warning and is ignored, as OpenTelemetry's specification asks: a
// stray variable must not keep traffic from being served.
void apply_environment(Draft& draft, const Environment& environment);

// The top of the file (keys.cc).
void read_root(class Reader& reader, const Node& root, Draft& draft);

// "http://host:port[/path]" of a collector. The error never quotes what may hold a password.
[[nodiscard]] base::Result<std::string> parse_endpoint(std::string_view text);
// The same of a console.
[[nodiscard]] base::Result<std::string> parse_console(std::string_view text);
[[nodiscard]] base::Result<proxy::Upstream> parse_upstream_url(std::string_view text);
[[nodiscard]] base::Result<std::string> parse_metrics_address(std::string_view text);
[[nodiscard]] bool is_route_name(std::string_view text);

}  // namespace sockeye::config
