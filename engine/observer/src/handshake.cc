// The opening handshake as one span and one decision. The trace is placed when the request is read (or, when there
// never was a readable one, at the refusal): parent, sampling and the span's id are fixed before anything is sent
// upstream, because the traceparent sent upstream names this span (signal/spans.h shows the resulting waterfall).
#include <algorithm>
#include <cassert>
#include <utility>

#include "meaning.h"
#include "opening.h"
#include "sockeye/base/utf8.h"
#include "sockeye/signal/propagation.h"
#include "sockeye/signal/redact.h"
#include "sockeye/signal/sampling.h"
#include "sockeye/wire/http.h"

namespace sockeye::observer {
namespace {

using base::Time;
using model::Anomaly;

constexpr std::size_t max_user_agent = 256;  // bytes kept; real ones have 100 to 200

// All values of a list field in one.
std::string joined(const model::HttpHead& head, std::string_view name) {
  std::string out;
  for (const auto& field : head.fields) {
    if (!model::iequals(field.name, name) || field.value.empty()) continue;
    if (!out.empty()) out += ", ";
    out += field.value;
  }
  return out;
}

}  // namespace

struct Handshake::State {
  Opening opening;  // the connection's part, filled as it becomes known; texts at the end
  base::SpanId parent;
  bool parent_is_remote = false;
  bool placed = false;  // in a trace
  bool ended = false;
  std::string trace_state, target, host, method, user_agent, client_address, upstream_address;
  signal::Fields injected;
  std::string bare_target, answered_subprotocol;
  bool removes_context = false;

  [[nodiscard]] model::RouteMetrics& metrics() const { return *opening.metrics; }
  [[nodiscard]] const RouteOptions& options() const { return *opening.options; }

  void count(Anomaly kind) const {
    if (kind != Anomaly::none) metrics().anomalies[static_cast<std::size_t>(kind)].add();
  }

  // Joins the caller's trace or begins one.
  void place(signal::Extracted found) {
    if (placed) return;
    placed = true;
    Environment& environment = *opening.environment;
    opening.asked = found.sampled;
    if (found.parent) {
      opening.trace_id = found.parent->trace_id;
      parent = found.parent->span_id;
      parent_is_remote = true;
      opening.remote_span = parent;
      trace_state = std::move(found.parent->trace_state);
    } else {
      opening.trace_id = base::make_trace_id(environment.random);
    }
    opening.handshake_span = base::make_span_id(environment.random);
    opening.connection_span = base::make_span_id(environment.random);
    const bool sampled =
        signal::sample({.ratio = options().sampling.ratio, .parent_based = options().sampling.parent_based},
                       opening.trace_id, found.sampled);
    // The random flag (level 2) speaks of the trace id: it travels with it, and ours are random in all their bits.
    const unsigned random = found.parent ? found.parent->flags & 2U : 0U;
    opening.trace_flags = static_cast<std::uint8_t>(random | (sampled ? 1U : 0U));
  }

  // Kept from the upstream: it may not know what to make of it.
  void remove_context(const model::HttpHead& head) {
    removes_context = true;
    const std::string_view item = signal::context_item(head);
    if (item.empty()) return;
    std::string others = signal::without_context_items(head);
    if (others.empty()) answered_subprotocol = item;
    injected.emplace_back("Sec-WebSocket-Protocol", std::move(others));
  }

  void keep_texts(std::string_view subprotocol, std::string_view extensions) {
    SessionTexts::Views views;
    views[SessionTexts::target] = target;
    views[SessionTexts::host] = host;
    views[SessionTexts::subprotocol] = subprotocol;
    views[SessionTexts::extensions] = extensions;
    views[SessionTexts::client_address] = client_address;
    views[SessionTexts::upstream_address] = upstream_address;
    views[SessionTexts::trace_state] = trace_state;
    opening.texts = SessionTexts(views);
  }

  void finish(signal::HandshakeOutcome outcome, Time now) {
    ended = true;
    metrics().handshake_duration.observe(now - opening.first_byte);
    if (!opening.traced()) return;
    const base::WallOffset wall = opening.environment->wall;
    outcome.method = method;
    outcome.user_agent = user_agent;
    const signal::TracePlace at{.trace_id = opening.trace_id,
                                .span_id = opening.handshake_span,
                                .parent_id = parent,
                                .flags = opening.trace_flags,
                                .parent_is_remote = parent_is_remote,
                                .trace_state = trace_state};
    opening.environment->spans->offer(signal::handshake_span(
        opening.facts(), at, {.start_ns = wall.unix_ns(opening.first_byte), .end_ns = wall.unix_ns(now)}, outcome));
  }
};

Handshake::Handshake(const RouteOptions& options, model::RouteMetrics& metrics, Environment& environment,
                     Endpoints endpoints, Time first_byte)
    : state_(std::make_unique<State>()) {
  Opening& opening = state_->opening;
  opening.options = &options;
  opening.metrics = &metrics;
  opening.environment = &environment;
  opening.id = base::make_session_id(environment.random, environment.wall.unix_ns(first_byte) / 1'000'000);
  opening.tls = endpoints.tls;
  opening.client_port = endpoints.client_port;
  opening.upstream_port = endpoints.server_port;
  opening.first_byte = first_byte;
  state_->client_address = signal::printable(endpoints.client_address);
  state_->upstream_address = std::move(endpoints.server_address);
}

Handshake::~Handshake() = default;
Handshake::Handshake(Handshake&&) noexcept = default;
Handshake& Handshake::operator=(Handshake&&) noexcept = default;

void Handshake::request(const model::HttpHead& head, Time) {
  State& s = *state_;
  const RouteOptions& options = s.options();
  s.method = head.method;
  const std::string target = wire::origin_form(head.target);
  s.target = signal::printable(signal::redact_target(target, options.redact));
  s.host = signal::printable(signal::redact_header("host", head.value("Host"), options.redact));
  const std::string agent = signal::printable(
      signal::redact_header("user-agent", head.value("User-Agent").substr(0, max_user_agent), options.redact));
  s.user_agent = base::cut_utf8(agent, max_user_agent);

  const PropagationOptions& propagation = options.propagation;
  const signal::Formats formats{.tracecontext = propagation.tracecontext,
                                .b3 = propagation.b3,
                                .b3_inject = propagation.b3_inject,
                                .browser = propagation.browser != PropagationOptions::Browser::off};
  signal::Extracted found = signal::extract(head, formats);
  if (found.invalid) s.count(Anomaly::trace_context_invalid);
  s.place(std::move(found));
  // Without a sink no span of ours will exist: what the client sent must pass as it is, or the trace would break here.
  if (s.opening.environment->spans != nullptr)
    s.injected = signal::inject(head, formats, s.opening.trace_id, s.opening.handshake_span, s.parent,
                                s.opening.trace_flags, s.trace_state);
  s.opening.named_upstream = s.opening.environment->spans != nullptr && formats.tracecontext;
  s.bare_target = formats.browser ? signal::without_context(target) : target;
  if (propagation.browser == PropagationOptions::Browser::remove) s.remove_context(head);
  if (!propagation.baggage && head.find("baggage") != nullptr) s.injected.emplace_back("baggage", "");
}

const std::vector<std::pair<std::string, std::string>>& Handshake::injected() const { return state_->injected; }
std::string_view Handshake::bare_target() const { return state_->bare_target; }
std::string_view Handshake::upstream_target() const {
  return state_->removes_context ? std::string_view(state_->bare_target) : std::string_view();
}
std::string_view Handshake::answered_subprotocol() const { return state_->answered_subprotocol; }
void Handshake::reconnect_of(const base::SessionId& before, model::ReconnectBasis basis) {
  state_->opening.reconnect_of = before;
  state_->opening.reconnect_basis = basis;
}
const base::SessionId& Handshake::id() const { return state_->opening.id; }

void Handshake::passed_on(Anomaly kind) {
  state_->count(kind);
  ++state_->opening.anomalies;
}

void Handshake::refused(int status, Anomaly kind, std::string_view why, Time now) {
  State& s = *state_;
  assert(!s.ended);
  if (s.ended) return;
  s.place({});
  s.metrics().connections_rejected.add();
  s.count(kind);
  s.keep_texts("", "");
  s.finish({.status = status, .kind = kind, .why = why}, now);
}

std::unique_ptr<Connection> Handshake::accepted(const model::HttpHead& request, const model::HttpHead& response,
                                                Outlet& outlet, Time now) {
  State& s = *state_;
  assert(!s.ended);
  s.place({});
  s.metrics().connections_accepted.add();
  s.metrics().connections_active.add(1);
  if (!s.opening.reconnect_of.is_zero())
    s.metrics().reconnects[static_cast<std::size_t>(s.opening.reconnect_basis)].add();
  s.opening.extensions = wire::negotiated(request, response).extensions;
  s.opening.opened = now;
  const std::string asked = wire::origin_form(request.target);
  const std::string_view target = asked;
  const std::size_t question = std::min(target.find('?'), target.size());
  auto meaning = Meaning::of(s.options(), *s.opening.environment,
                             {.path = target.substr(0, question),
                              .query = target.substr(std::min(question + 1, target.size())),
                              .subprotocol = response.value("Sec-WebSocket-Protocol"),
                              .head = &request});
  if (meaning) s.opening.dialect = meaning->dialect();
  s.keep_texts(
      signal::printable(signal::redact_subprotocol(response.value("Sec-WebSocket-Protocol"), s.options().redact)),
      signal::printable(joined(response, "Sec-WebSocket-Extensions")));
  s.finish({}, now);
  return make_connection(std::move(s.opening), outlet, now, std::move(meaning));
}

}  // namespace sockeye::observer
