// The opening handshake as one span and one decision. The trace is placed when the request is read (or, when there
// never was a readable one, at the refusal): parent, sampling and the span's id are fixed before anything is sent
// upstream, because the traceparent sent upstream names this span (signal/spans.h shows the resulting waterfall).
#include <algorithm>
#include <cassert>
#include <utility>

#include "live_observation.h"
#include "opening.h"
#include "reading.h"
#include "sockeye/base/utf8.h"
#include "sockeye/observer/handshake.h"
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
  Opening opening;  // the observation's part, filled as it becomes known; texts at the end
  base::SpanId parent;
  bool parent_is_remote = false;
  bool placed = false;  // in a trace
  bool ended = false;
  std::string trace_state, target, host, method, user_agent, client_address, upstream_address;
  signal::Fields propagated;
  bool names_upstream = false;  // the first of them is our traceparent
  std::string bare_target, answered_subprotocol;
  bool removes_context = false;

  [[nodiscard]] const Options& options() const { return *opening.options; }

  static void count(Anomaly kind, const Call& call) {
    if (kind != Anomaly::none) call.metrics.anomalies[static_cast<std::size_t>(kind)].add();
  }

  // Joins the caller's trace or begins one.
  void place(signal::Extracted found, const Call& call) {
    if (placed) return;
    placed = true;
    base::Random& random = call.workspace.random;
    opening.asked = found.sampled;
    if (found.parent) {
      opening.trace_id = found.parent->trace_id;
      parent = found.parent->span_id;
      parent_is_remote = true;
      opening.remote_span = parent;
      trace_state = std::move(found.parent->trace_state);
    } else {
      opening.trace_id = base::make_trace_id(random);
    }
    opening.handshake_span = base::make_span_id(random);
    opening.connection_span = base::make_span_id(random);
    const bool sampled =
        signal::sample({.ratio = options().sampling.ratio, .parent_based = options().sampling.parent_based},
                       opening.trace_id, found.sampled);
    // The random flag (level 2) speaks of the trace id: it travels with it, and ours are random in all their bits.
    const unsigned random_flag = found.parent ? found.parent->flags & 2U : 0U;
    opening.trace_flags = static_cast<std::uint8_t>(random_flag | (sampled ? 1U : 0U));
  }

  // Kept from the upstream: it may not know what to make of it.
  void remove_context(const model::HttpHead& head) {
    removes_context = true;
    const std::string_view item = signal::context_item(head);
    if (item.empty()) return;
    std::string others = signal::without_context_items(head);
    if (others.empty()) answered_subprotocol = item;
    propagated.emplace_back("Sec-WebSocket-Protocol", std::move(others));
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

  void finish(signal::HandshakeOutcome outcome, const Call& call) {
    ended = true;
    call.metrics.handshake_duration.observe(call.now - opening.first_byte);
    if (!opening.traced(call)) return;
    const base::WallOffset wall = call.workspace.wall;
    outcome.method = method;
    outcome.user_agent = user_agent;
    const signal::TracePlace at{.trace_id = opening.trace_id,
                                .span_id = opening.handshake_span,
                                .parent_id = parent,
                                .flags = opening.trace_flags,
                                .parent_is_remote = parent_is_remote,
                                .trace_state = trace_state};
    call.workspace.spans->offer(signal::handshake_span(
        opening.span_attributes(), at, {.start_ns = wall.unix_ns(opening.first_byte), .end_ns = wall.unix_ns(call.now)},
        outcome));
  }
};

Handshake::Handshake(const Options& options, Endpoints endpoints, Time first_byte, const Call& call)
    : state_(std::make_unique<State>()) {
  Workspace& workspace = call.workspace;
  Opening& opening = state_->opening;
  opening.options = &options;
  opening.id = base::make_session_id(workspace.random, workspace.wall.unix_ns(first_byte) / 1'000'000);
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

void Handshake::request(const model::HttpHead& head, const Call& call) {
  State& s = *state_;
  const Options& options = s.options();
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
  if (found.invalid) State::count(Anomaly::trace_context_invalid, call);
  s.place(std::move(found), call);
  // Without a sink no span of ours will exist: what the client sent must pass as it is, or the trace would break here.
  if (call.workspace.spans != nullptr)
    s.propagated = signal::inject(head, formats, s.opening.trace_id, s.opening.handshake_span, s.parent,
                                  s.opening.trace_flags, s.trace_state);
  s.names_upstream = call.workspace.spans != nullptr && formats.tracecontext;
  s.bare_target = formats.browser ? signal::without_context(target) : target;
  if (propagation.browser == PropagationOptions::Browser::remove) s.remove_context(head);
  if (!propagation.baggage && head.find("baggage") != nullptr) s.propagated.emplace_back("baggage", "");
}

const std::vector<std::pair<std::string, std::string>>& Handshake::propagated() {
  state_->opening.named_upstream = state_->names_upstream;
  return state_->propagated;
}
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

void Handshake::passed_on(Anomaly kind, const Call& call) {
  State::count(kind, call);
  ++state_->opening.anomalies;
}

void Handshake::refused(int status, Anomaly kind, std::string_view why, const Call& call) {
  State& s = *state_;
  assert(!s.ended);
  if (s.ended) return;
  s.place({}, call);
  call.metrics.connections_rejected.add();
  State::count(kind, call);
  s.keep_texts("", "");
  s.finish({.status = status, .kind = kind, .why = why}, call);
}

std::unique_ptr<Observation> Handshake::accepted(const model::HttpHead& request, const model::HttpHead& response,
                                                 Listener* listener, const Call& call) {
  State& s = *state_;
  assert(!s.ended);
  s.place({}, call);
  call.metrics.connections_accepted.add();
  call.metrics.connections_active.add(1);
  if (!s.opening.reconnect_of.is_zero())
    call.metrics.reconnects[static_cast<std::size_t>(s.opening.reconnect_basis)].add();
  s.opening.extensions = wire::negotiated(request, response).extensions;
  s.opening.opened = call.now;
  const std::string asked = wire::origin_form(request.target);
  const std::string_view target = asked;
  const std::size_t question = std::min(target.find('?'), target.size());
  auto reading = Reading::of(s.options(),
                             {.path = target.substr(0, question),
                              .query = target.substr(std::min(question + 1, target.size())),
                              .subprotocol = response.value("Sec-WebSocket-Protocol"),
                              .head = &request},
                             call);
  if (reading) s.opening.dialect = reading->dialect();
  s.keep_texts(
      signal::printable(signal::redact_subprotocol(response.value("Sec-WebSocket-Protocol"), s.options().redact)),
      signal::printable(joined(response, "Sec-WebSocket-Extensions")));
  s.finish({}, call);
  return std::make_unique<LiveObservation>(std::move(s.opening), std::move(reading), listener, call);
}

std::unique_ptr<Observation> attach(const Options& options, const Endpoints& endpoints, Listener* listener,
                                    const Call& call) {
  Workspace& workspace = call.workspace;
  Opening opening;
  opening.options = &options;
  opening.attached = true;
  opening.id = base::make_session_id(workspace.random, workspace.wall.unix_ns(call.now) / 1'000'000);
  opening.trace_id = base::make_trace_id(workspace.random);
  opening.connection_span = base::make_span_id(workspace.random);
  opening.trace_flags = signal::sample({.ratio = options.sampling.ratio, .parent_based = options.sampling.parent_based},
                                       opening.trace_id, std::nullopt)
                            ? 1
                            : 0;
  opening.tls = endpoints.tls;
  opening.client_port = endpoints.client_port;
  opening.upstream_port = endpoints.server_port;
  opening.first_byte = opening.opened = call.now;
  opening.extensions = {.deflate = true, .other = false, .certain = false, .parameters = {}};
  const std::string client = signal::printable(endpoints.client_address);
  SessionTexts::Views views;
  views[SessionTexts::client_address] = client;
  views[SessionTexts::upstream_address] = endpoints.server_address;
  opening.texts = SessionTexts(views);
  call.metrics.connections_active.add(1);
  auto reading = Reading::of(options, {}, call);
  if (reading) opening.dialect = reading->dialect();
  auto observation = std::make_unique<LiveObservation>(std::move(opening), std::move(reading), listener, call);
  for (const model::Side side : {model::Side::client, model::Side::server}) observation->gap(side, std::nullopt, call);
  return observation;
}

}  // namespace sockeye::observer
