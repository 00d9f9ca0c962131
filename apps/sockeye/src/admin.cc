#include "admin.h"

#include <arpa/inet.h>

#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include "sessions.h"
#include "sockeye/base/ids.h"
#include "sockeye/base/json.h"
#include "sockeye/model/http_head.h"

namespace sockeye::app {
namespace {

using base::Json;
using prometheus::Request;
using prometheus::Response;

std::uint64_t now_unix_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

Response json_response(std::string body, int status = 200) { return {status, "application/json", std::move(body)}; }

Response json_error(int status, std::string_view message) {
  Json json;
  json.open('{').key("error").text(message).close('}');
  return json_response(json.take() + "\n", status);
}

Response metrics(const Admin& admin, const Request& request) {
  return prometheus::metrics_response(request, admin.metrics->families());
}

Response ready(const Admin& admin) {
  const auto* source = admin.sessions.load();
  if (source == nullptr) return {503, "text/plain; charset=utf-8", "starting\n"};
  if (source->draining()) return {503, "text/plain; charset=utf-8", "draining\n"};
  const model::Overload overload = source->overload();
  if (overload.shedding == model::Shedding::nothing) return {200, "text/plain; charset=utf-8", "ready\n"};
  // Not ready only where new sessions are refused: what is given up before that does not concern them.
  const int status = overload.shedding == model::Shedding::sessions ? 503 : 200;
  return {status, "text/plain; charset=utf-8",
          std::string(status == 200 ? "ready" : "overloaded") + "; given up for " +
              std::string(model::name(overload.because)) + ": " + std::string(model::name(overload.shedding)) + "\n"};
}

// Sessions tell who talks to whom. A page in a browser on this machine can reach loopback under a name of its own
// making (DNS rebinding); it cannot make the browser send an address or "localhost" as Host.
bool host_is_ours(std::string_view host) {
  if (host.empty()) return true;
  std::string name(host);
  if (name.front() == '[') {
    name = name.substr(1, name.find(']') - 1);
  } else if (const auto colon = name.find(':'); colon != std::string::npos) {
    name.resize(colon);
  }
  std::array<unsigned char, 16> bytes{};
  return model::iequals(name, "localhost") || ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

Response sessions(const Admin& admin, const Request& request) {
  const auto query = parse_session_query(request.query);
  if (!query) return json_error(400, query.error().message);
  const auto* source = admin.sessions.load();
  if (source == nullptr) return json_error(503, "starting");
  return json_response(sessions_json(source->sessions(), source->ended(), *query, now_unix_ms()));
}

constexpr std::string_view capture_suffix = "/capture";

// Not for pages: what one makes a browser send has an Origin, whoever's page it is.
Response record(const Admin& admin, const Request& request) {
  if (!request.origin.empty()) return json_error(403, "a page cannot ask for a recording");
  const auto rest = request.rest;
  const auto id = base::parse_session_id(rest.substr(0, rest.size() - capture_suffix.size()));
  if (!id) return json_error(400, "expected /sessions/ID/capture, with an id as /sessions shows them");
  if (admin.sessions.load() == nullptr || !admin.record) return json_error(503, "nothing can be recorded here (yet)");
  switch (admin.record(*id)) {
    case capture::Recorded::begun:
      return json_response("{\"recording\":true}\n", 202);
    case capture::Recorded::already:
      return json_response("{\"recording\":true}\n");
    case capture::Recorded::unknown:
      return json_error(404, "no session with this id is live");
    case capture::Recorded::off:
      return json_error(409, "recordings are off: there is no capture.directory, or --record of a tap");
    case capture::Recorded::full:
      return json_error(507, "the directory of recordings is full (capture.total, --record-total)");
  }
  return json_error(500, "internal error");
}

Response session(const Admin& admin, const Request& request) {
  if (request.rest.ends_with(capture_suffix)) {
    if (request.method == "POST") return record(admin, request);
    return json_error(405, "recordings are asked for with POST");
  }
  if (request.method == "POST") return json_error(405, "POST is for /sessions/ID/capture");
  const auto id = base::parse_session_id(request.rest);
  if (!id) return json_error(400, "expected /sessions/ID, with an id as /sessions shows them");
  const auto* source = admin.sessions.load();
  if (source == nullptr) return json_error(503, "starting");
  if (const auto found = source->session(*id))
    return json_response(session_json(found->row, &found->recorder, now_unix_ms()));
  for (const auto& row : source->ended())
    if (row.record.facts.id == *id) return json_response(session_json(row, nullptr, now_unix_ms()));
  return json_error(404, "no session with this id is live or ended lately");
}

constexpr const char* index_text = R"(sockeye
/metrics      Prometheus text, or OpenMetrics by Accept
/sessions     live sessions and the last ended ones, as JSON: ?limit= &offset= &sort= &order= &route=
/sessions/ID  one session, with the headers of its last messages
/sessions/ID/capture  POST: record it from now on
/healthz      200 while the process lives
/readyz       200 while it accepts sessions, 503 before and while draining
)";

}  // namespace

base::Result<std::unique_ptr<prometheus::Endpoint>> start_admin(const Admin& admin, const std::string& listen) {
  prometheus::EndpointOptions options;
  options.address = listen;
  const bool loopback = listen.starts_with("127.") || listen.starts_with("localhost:") || listen.starts_with("[::1]:");
  const auto guarded = [&admin, loopback](Response (*handler)(const Admin&, const Request&)) {
    return [&admin, loopback, handler](const Request& request) {
      if (loopback && !host_is_ours(request.host)) return json_error(403, "ask by address or as localhost");
      return handler(admin, request);
    };
  };
  options.routes = {
      {"/",
       [](const Request&) {
         return Response{200, "text/plain; charset=utf-8", index_text};
       },
       false, false, true},
      {"/metrics", [&admin](const Request& request) { return metrics(admin, request); }},
      {"/healthz",
       [](const Request&) {
         return Response{200, "text/plain; charset=utf-8", "ok\n"};
       },
       false, false, true},
      {"/readyz", [&admin](const Request&) { return ready(admin); }, false, false, true},
      {"/sessions", guarded(sessions)},
      {"/sessions/", guarded(session), true, true},
  };
  return prometheus::Endpoint::start(std::move(options));
}

}  // namespace sockeye::app
