#include "otlp_http.h"

#include <algorithm>
#include <array>

namespace sockeye::console {
namespace {

using intake::Format;
using intake::Signal;

std::optional<Signal> signal_of_path(std::string_view path) {
  if (path == "/v1/traces") return Signal::traces;
  if (path == "/v1/logs") return Signal::logs;
  if (path == "/v1/metrics") return Signal::metrics;
  return std::nullopt;
}

std::optional<Format> format_of(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::tolower(c); });
  if (type == "application/x-protobuf" || type == "application/protobuf") return Format::protobuf;
  if (type == "application/json") return Format::json;
  return std::nullopt;
}

std::string_view content_type(Format format) {
  return format == Format::json ? "application/json" : "application/x-protobuf";
}

struct Outcome {
  int status;
  int code;  // google.rpc.Code
};
Outcome outcome(Verdict verdict) {
  switch (verdict) {
    case Verdict::stored:
      return {200, 0};
    case Verdict::invalid:
      return {400, 3};
    case Verdict::unsupported_encoding:
      return {415, 3};
    case Verdict::too_large:
      return {413, 3};
    case Verdict::busy:
      return {429, 8};
    case Verdict::unavailable:
      return {503, 14};
  }
  return {500, 13};
}

Response refusal(Format format, int status, int code, std::string_view message, std::uint64_t retry_ms = 0) {
  Response out{status, std::string(content_type(format)), intake::status(format, code, message, retry_ms)};
  if (retry_ms > 0) out.fields.emplace_back("Retry-After", std::to_string((retry_ms + 999) / 1000));
  return out;
}

bool allowed_origin(const OtlpHttpOptions& options, std::string_view origin) {
  return std::any_of(options.cors_origins.begin(), options.cors_origins.end(),
                     [&](const std::string& each) { return each == "*" || each == origin; });
}

void allow_origin(Response& response, std::string_view origin) {
  response.fields.emplace_back("Access-Control-Allow-Origin", origin);
  // A beacon, by which the web SDK sends when it has no header fields to add, always asks with credentials.
  response.fields.emplace_back("Access-Control-Allow-Credentials", "true");
  response.fields.emplace_back("Access-Control-Expose-Headers", "Retry-After");
  response.fields.emplace_back("Vary", "Origin");
}

Response preflight(const Request& request) {
  Response out;
  out.status = 204;
  allow_origin(out, request.field("origin"));
  out.fields.emplace_back("Access-Control-Allow-Methods", "POST");
  // What the page's exporter wants to send: its own header fields (a token, say) are its own matter.
  const std::string_view asked = request.field("access-control-request-headers");
  out.fields.emplace_back("Access-Control-Allow-Headers", asked.empty() ? "content-type" : asked.substr(0, 2048));
  out.fields.emplace_back("Access-Control-Max-Age", "7200");
  return out;
}

// What can be said no to without the body.
std::optional<Response> refuse(const OtlpHttpOptions& options, const Guard& guard, const Request& request) {
  const auto format = format_of(request.field("content-type"));
  const auto say = [&](int status, int code, std::string_view message) {
    return refusal(format.value_or(Format::json), status, code, message);
  };
  if (guard.host(request)) return say(403, 7, "asked under a name that is not this receiver's; see --host");
  const std::string_view origin = request.field("origin");
  if (!origin.empty() && !allowed_origin(options, origin))
    return say(403, 7, "pages of " + std::string(origin) + " may not send here; see --cors-origin");
  const auto signal = signal_of_path(request.path);
  if (!signal) return say(404, 5, "OTLP is taken at /v1/traces and /v1/logs");
  if (request.method == "OPTIONS" && !origin.empty()) return preflight(request);
  if (request.method != "POST") {
    auto out = say(405, 12, "OTLP is sent with POST");
    out.fields.emplace_back("Allow", "POST, OPTIONS");
    return out;
  }
  if (const auto refused = guard.token(request, scope::export_spans)) {
    if (refused->status == 403) return say(403, 7, "this token is not one to export with");
    const bool wait = refused->status == 429;
    auto out = wait ? say(429, 8, "too many wrong tokens came from this address")
                    : say(401, 16, "a token is needed: Authorization: Bearer TOKEN");
    out.fields.insert(out.fields.end(), refused->fields.begin(), refused->fields.end());
    return out;
  }
  if (!format) return say(415, 3, "Content-Type: expected application/x-protobuf or application/json");
  return std::nullopt;
}

Admission admit(const OtlpHttpOptions& options, const Guard& guard, Budget& budget, const Request& request,
                std::optional<std::uint64_t> length) {
  Admission out;
  out.largest_body = options.largest_body;
  std::string origin(request.field("origin"));
  if (!allowed_origin(options, origin)) origin.clear();
  const auto seen_by_page = [origin](Response response) {
    if (!origin.empty()) allow_origin(response, origin);
    return response;
  };
  out.refusal = refuse(options, guard, request);
  if (out.refusal) {
    if (out.refusal->status != 204) out.refusal = seen_by_page(*std::move(out.refusal));
    return out;
  }
  const Format format = *format_of(request.field("content-type"));
  out.error = [format, seen_by_page](int status, std::string_view message) {
    return seen_by_page(refusal(format, status, 3, message));
  };
  if (length.value_or(0) > options.largest_body) return out;
  Response busy = seen_by_page(refusal(format, 429, 8, "too many bodies are being read; try again in a second", 1000));
  // As it comes: what is announced and does not come keeps no room from others.
  out.lease_more = [&budget](std::size_t bytes) { return budget.lease(bytes); };
  out.no_room = std::move(busy);
  return out;
}

void handle(const OtlpHttpOptions& options, Ingest& ingest, Request&& request, const Respond& respond) {
  const auto signal = signal_of_path(request.path);
  const auto format = format_of(request.field("content-type"));
  if (!signal || !format) return respond(refusal(Format::json, 400, 3, "not an OTLP request"));
  std::string origin(request.field("origin"));
  if (!allowed_origin(options, origin)) origin.clear();
  ingest.take(*signal, *format, {request.client_address, request.client_port},
              std::string(request.field("content-encoding")), std::move(request.body),
              [signal = *signal, format = *format, origin, respond](const Taken& taken) {
                const auto [status, code] = outcome(taken.verdict);
                Response out =
                    taken.verdict == Verdict::stored
                        ? Response{200, std::string(content_type(format)), intake::success(signal, format, taken.tally)}
                        : refusal(format, status, code, taken.message, taken.retry_after_ms);
                if (!origin.empty()) allow_origin(out, origin);
                respond(std::move(out));
              });
}

}  // namespace

Site otlp_http(const OtlpHttpOptions& options, const Guard& guard, Budget& budget, Ingest& ingest) {
  Site site;
  site.admit = [options, &guard, &budget](const Request& request, std::optional<std::uint64_t> length) {
    return admit(options, guard, budget, request, length);
  };
  site.handle = [options, &ingest](Request&& request, const Respond& respond) {
    handle(options, ingest, std::move(request), respond);
  };
  return site;
}

}  // namespace sockeye::console
