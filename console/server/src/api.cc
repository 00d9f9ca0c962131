#include "api.h"

#include <array>

#include "write.h"

namespace sockeye::console {
namespace {

struct Endpoint {
  std::string_view path;
  bool prefix;  // `path` is followed by the rest
  Question ask;
};

constexpr std::array table{
    Endpoint{"/api/v1/status", false, ask_status},
    Endpoint{"/api/v1/fleet", false, ask_fleet},
    Endpoint{"/api/v1/closes", false, ask_closes},
    Endpoint{"/api/v1/sessions", false, ask_sessions},
    Endpoint{"/api/v1/sessions/", true, ask_session},
    Endpoint{"/api/v1/traces", false, ask_traces},
    Endpoint{"/api/v1/traces/", true, ask_trace},
    Endpoint{"/api/v1/spans", false, ask_spans},
    Endpoint{"/api/v1/groups", false, ask_groups},
    Endpoint{"/api/v1/services", false, ask_services},
    Endpoint{"/api/v1/operations", false, ask_operations},
    Endpoint{"/api/v1/latency", false, ask_latency},
    Endpoint{"/api/v1/search", false, ask_search},
    Endpoint{"/api/v1/tape", false, ask_tape},
    Endpoint{"/api/v1/changes", false, ask_changes},
    Endpoint{"/api/services", false, ask_jaeger_services},
    Endpoint{"/api/services/", true, ask_jaeger_service},
    Endpoint{"/api/operations", false, ask_jaeger_operations},
    Endpoint{"/api/traces", false, ask_jaeger_traces},
    Endpoint{"/api/traces/", true, ask_jaeger_trace},
    Endpoint{"/api/dependencies", false, ask_jaeger_dependencies},
    Endpoint{"/api/v3/services", false, ask_jaeger_v3_services},
    Endpoint{"/api/v3/operations", false, ask_jaeger_v3_operations},
    Endpoint{"/api/v3/traces", false, ask_jaeger_v3_traces},
    Endpoint{"/api/v3/traces/", true, ask_jaeger_v3_trace},
};

}  // namespace

Response answer(Api& api, const Request& request) {
  for (const auto& entry : table) {
    const bool here = entry.prefix ? request.path.starts_with(entry.path) && request.path.size() > entry.path.size()
                                   : request.path == entry.path;
    if (!here) continue;
    if (request.method != "GET" && request.method != "HEAD") {
      Response out = error_response(405, "questions are asked with GET");
      out.fields.emplace_back("Allow", "GET, HEAD");
      return out;
    }
    Parameters with(request.query);
    return entry.ask(api, std::string_view(request.path).substr(entry.path.size()), with);
  }
  return error_response(404, "there is no " + request.path + "; docs/formats/openapi.yaml lists what there is");
}

std::vector<std::string_view> question_paths() {
  std::vector<std::string_view> out;
  out.reserve(table.size());
  for (const auto& entry : table) out.push_back(entry.path);
  return out;
}

store::TimeRange time_range(Parameters& with) {
  store::TimeRange out;
  out.from_unix_ns = with.time("from_ms").value_or(0);
  out.to_unix_ns = with.time("to_ms").value_or(UINT64_MAX);
  if (out.from_unix_ns > out.to_unix_ns) with.wrong("to_ms", "a time not before from_ms");
  return out;
}

std::vector<std::pair<std::string, std::string>> attribute_filters(Parameters& with) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& text : with.texts("attribute")) {
    const auto colon = std::min(text.find(':'), text.size());
    if (colon == 0) with.wrong("attribute", "key:value");
    out.emplace_back(text.substr(0, colon), text.substr(std::min(colon + 1, text.size())));
  }
  if (out.size() > 16) with.wrong("attribute", "at most 16 of them");
  return out;
}

Response store_failed(const base::Error& error) {
  return error_response(error.message == store::bad_cursor ? 400 : 500, error.message);
}

std::optional<Response> refused(const Parameters& with) {
  if (auto good = with.check(); !good) return error_response(400, good.error().message);
  return std::nullopt;
}

}  // namespace sockeye::console
