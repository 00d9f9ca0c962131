#include "downstream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "reconnects.h"
#include "reply.h"
#include "rewrite.h"
#include "worker.h"

namespace sockeye::proxy {
namespace {

using model::Anomaly;

// nginx's number for a client that left before it was answered; only ever counted, never sent.
constexpr int client_closed_request = 499;

}  // namespace

Downstream::Downstream(Worker& worker, Transport transport, const SocketAddress& peer, ActiveListenerPtr listener)
    : worker_(worker),
      listener_(std::move(listener)),
      peer_(peer),
      leg_(std::make_unique<Leg>(worker.reactor(), std::move(transport), *this)),
      state_(listener_->tls ? State::tls : State::head),
      parser_(wire::HeadParser::Kind::request, listener_->http) {}

void Downstream::begin() {
  if (!leg_->open() || !leg_->watch()) return end();
  idle_since_ = worker_.now();
  deadline_ = worker_.now() + listener_->handshake_timeout;
  worker_.timers().arm(*this, deadline_);
}

void Downstream::leg_ready(Leg& leg, std::uint32_t events) {
  if (state_ == State::ended) return;
  if (leg.blocked()) {
    const std::size_t before = leg.queued();
    if (leg.flush() == Io::error) return client_gone("connection lost");
    if (state_ == State::exchanging && leg.queued() < before) exchange_progress();
  }
  switch (state_) {
    case State::tls:
      return step_tls();
    case State::head:
      return read_head();
    case State::dialing:
    case State::exchanging:
      // A FIN says that a client asking for a WebSocket no longer wants one; a plain request may end with it.
      if ((events & (EPOLLHUP | EPOLLERR)) != 0 || (request_.upgrade && leg.hung_up()))
        return client_gone("client left before it was answered");
      if (exchange_) exchange_->client_ready();
      return;
    case State::ended:
      return;
  }
}

void Downstream::step_tls() {
  if (!worker_.may_shake_hands()) return leg_->again();
  const IoResult result = leg_->transport().handshake();
  if (result.state == Io::want_read || result.state == Io::want_write) return;
  if (result.state != Io::ok) {
    worker_.metrics(*listener_->unmatched).connections_rejected.add();
    worker_.warn("tls " + listener_->text, "listener " + listener_->text + ": TLS handshake with " + peer_.text() +
                                               " failed: " + leg_->transport().error());
    return abort();
  }
  state_ = State::head;
  leg_->expect_readable();
  read_head();
}

void Downstream::read_head() {
  // The last answer first: a client that pipelines without reading is not to fill our memory with answers.
  if (leg_->blocked()) return;
  if (!unread_.empty() && parse_head()) return;
  while (state_ == State::head && leg_->readable()) {
    const auto into = worker_.buffer().first(std::min(Worker::buffer_size, listener_->http.head));
    const IoResult result = leg_->read(into);
    if (result.state == Io::want_read) return;
    if (result.state != Io::ok) {
      if (unread_.empty()) return end();  // a port check, or a kept-alive connection that is done
      if (result.state == Io::eof) return refuse(400, Anomaly::handshake_invalid, "the request head is incomplete");
      return client_gone("connection lost within the request head");
    }
    if (unread_.empty()) {
      first_byte_ = worker_.now();
      // The clock of a kept-alive connection's next request starts with that request.
      if (requests_ > 0) {
        deadline_ = first_byte_ + listener_->handshake_timeout;
        worker_.timers().arm(*this, deadline_);
      }
    }
    unread_.append(base::as_text(into.first(result.bytes)));
    if (parse_head()) return;
  }
}

// True when the head is complete, or refused.
bool Downstream::parse_head() {
  switch (parser_.parse(base::as_bytes(unread_))) {
    case wire::HeadParser::Progress::need_more:
      return false;
    case wire::HeadParser::Progress::failed:
      refuse(parser_.failure().status, parser_.failure().kind, parser_.failure().why);
      return true;
    case wire::HeadParser::Progress::done:
      take_request(parser_.head());
      return true;
  }
  return true;
}

observer::Endpoints Downstream::endpoints(std::string client_address) const {
  observer::Endpoints out;
  out.client_address = std::move(client_address);
  out.client_port = peer_.port();
  out.tls = static_cast<bool>(listener_->tls);
  if (route_ >= 0) {
    const Address& upstream = route().config().upstream;
    out.server_address = upstream.unix_path.empty() ? upstream.host : upstream.unix_path;
    out.server_port = upstream.port;
  }
  return out;
}

observer::Call Downstream::call() const {
  return worker_.call(route_ >= 0 ? *active_route().stats : *listener_->unmatched);
}

bool Downstream::declines_deflate() const { return request_.upgrade && route().config().carry.decline_compression; }

void Downstream::take_request(const model::HttpHead& head) {
  ++requests_;
  parsed_ = true;
  request_ = {};
  request_.head = head.method == "HEAD";
  request_.http10 = head.version_minor == 0;
  request_.close = request_.http10 || head.has_token("Connection", "close");
  request_.upgrade = wire::wants_websocket(head);
  const auto bad_body = wire::BodyFramer::for_request(head, request_.body);
  if (bad_body) return refuse(bad_body->status, bad_body->kind, bad_body->why);
  // It would give back what a page cannot read otherwise: cookies, credentials and what was added on the way (RFC 9110
  // §9.3.8).
  if (head.method == "TRACE") return refuse(405, Anomaly::none, "TRACE is not relayed");
  const auto verdict = listener_->table.match(head);
  if (verdict.index < 0) return refuse(verdict.status, Anomaly::none, verdict.why);
  route_ = verdict.index;
  const Route& config = route().config();
  request_.drop_trailers = config.forwarded == ForwardedPolicy::replace;

  if (!request_.upgrade) {
    worker_.metrics(*active_route().stats).http_requests.add();
    if (!config.plain_http) return refuse(426, Anomaly::none, "this address speaks WebSocket only");
    if (!route().origin_allowed(head)) return refuse(403, Anomaly::none, "origin not allowed");
    slot_ = SessionSlot::take(active_route().stats->requests, config.limits.requests);
    if (!slot_) return refuse(503, Anomaly::none, "too many requests at once");
    judge_reuse(head);
  } else if (const auto refusal = admit(head)) {
    return refuse(refusal->status, refusal->kind, refusal->why);
  }

  sent_.clear();
  RequestRewrite how{.upgrade = request_.upgrade,
                     .close = !request_.upgrade && !request_.keeps_upstream,
                     .decline_deflate = declines_deflate(),
                     .tls = static_cast<bool>(listener_->tls),
                     .peer = &peer_};
  if (handshake_) {
    how.fields = handshake_->propagated();
    how.target = handshake_->upstream_target();
  }
  append_request(sent_, head, config, how);
  if (!request_.upgrade) unread_.erase(0, parser_.size());

  if (request_.keeps_upstream) {
    if (auto kept = worker_.idle_upstreams().take(active_route(), !request_.idempotent))
      return exchange(*std::move(kept));
  }
  dial();
}

void Downstream::judge_reuse(const model::HttpHead& head) {
  constexpr std::array<std::string_view, 5> idempotent{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
  constexpr std::array<std::string_view, 3> bodied{"POST", "PUT", "PATCH"};
  const auto is = [&](const auto& methods) {
    return std::find(methods.begin(), methods.end(), head.method) != methods.end();
  };
  request_.idempotent = is(idempotent);
  // A server that does not expect a body may take it for the next request (RFC 9110 §9.3.1): then that must be nobody
  // else's. And NTLM's and Negotiate's credentials are the connection's.
  const std::string_view credentials = head.value("Authorization").substr(0, 4);
  const bool of_connection = model::iequals(credentials, "NTLM") || model::iequals(credentials, "Nego");
  request_.keeps_upstream =
      !request_.http10 && !of_connection && (request_.body.done() || is(bodied)) && !worker_.draining();
}

void Downstream::dial() {
  const Route& config = route().config();
  state_ = State::dialing;
  worker_.timers().disarm(*this);
  deadline_ = worker_.now() + config.limits.handshake_timeout;
  dial_ = std::make_unique<Dial>(worker_, config, active_route(), deadline_, *this);
  dial_->begin();
}

std::optional<wire::HttpFailure> Downstream::admit(const model::HttpHead& head) {
  const Route& config = route().config();
  const std::string address = route().client_address(head, peer_);
  if (config.record.all) recording_ = recording_of(worker_, config);
  {
    const auto identifiers = recording_ ? recording_->identifiers(worker_.workspace()) : capture::Identifiers();
    handshake_.emplace(config.observe, endpoints(address), first_byte_, call());
    handshake_->request(head, call());
  }
  if (recording_) recording_->requested(endpoints(address), first_byte_, head, config.observe, call());
  identity_ = identify(config, head, address, handshake_->bare_target(), worker_.commons().secret);
  if (!route().origin_allowed(head)) return wire::HttpFailure{403, Anomaly::none, "origin not allowed"};
  slot_ = SessionSlot::take(active_route().stats->sessions, config.limits.sessions);
  if (!slot_) return wire::HttpFailure{503, Anomaly::none, "too many sessions"};
  if (auto invalid = wire::check_upgrade_request(head)) return invalid;
  // Frames follow an upgrade, not a body: which of the two it was would be anyone's guess.
  if (!request_.body.done()) return wire::HttpFailure{400, Anomaly::smuggling, "a WebSocket upgrade has no body"};
  return std::nullopt;
}

void Downstream::dialed(std::unique_ptr<Leg> leg) {
  worker_.reactor().delete_later(std::move(dial_));
  exchange({std::move(leg), worker_.now(), 0});
}

void Downstream::exchange(UpstreamConnection upstream) {
  state_ = State::exchanging;
  if (!request_.upgrade) {
    deadline_ = worker_.now() + silence;
    window_ = worker_.now() + HttpExchange::window;
  }
  worker_.timers().arm(*this, request_.upgrade ? deadline_ : std::min(deadline_, window_));
  exchange_ = std::make_unique<HttpExchange>(worker_, *leg_, unread_, request_, listener_->http, *this);
  exchange_->begin(std::move(upstream), sent_);
}

void Downstream::exchange_retry() {
  worker_.reactor().delete_later(std::move(exchange_));
  dial();
}

void Downstream::dial_failed(int status, std::string_view why, const std::string& detail) {
  worker_.warn("upstream " + route().config().name, detail);
  worker_.reactor().delete_later(std::move(dial_));
  refuse(status, Anomaly::none, why);
}

void Downstream::exchange_switching(const model::HttpHead& response, base::Bytes behind) {
  wire::HeadParser offered(wire::HeadParser::Kind::request,
                           {.head = sent_.size() + 1, .fields = listener_->http.fields + 16});
  const model::HttpHead* request = &parser_.head();
  if (declines_deflate() ||
      !handshake_->upstream_target().empty()) {  // the answer is to what was sent, not to what the client asked
    if (offered.parse(base::as_bytes(sent_)) != wire::HeadParser::Progress::done)
      return exchange_failed(502, Anomaly::none, "internal error", "the rewritten request cannot be read");
    request = &offered.head();
  }
  if (const auto invalid = wire::check_upgrade_response(*request, response)) {
    const bool strict = route().config().carry.conformance == relay::Conformance::strict;
    if (strict || wire::check_switching(*request, response)) {
      exchange_->cancel();
      return exchange_failed(invalid->status, invalid->kind, invalid->why, std::string(invalid->why));
    }
    handshake_->passed_on(invalid->kind, call());
    if (recording_) recording_->passed_on(invalid->kind);
    warn_of_answer(invalid->why, "passed on");
  }
  auto upstream = exchange_->take_upstream();
  worker_.reactor().delete_later(std::move(exchange_));

  const auto now = worker_.now();
  auto [seat, before] = worker_.commons().reconnects.opened(identity_, now);
  if (before) handshake_->reconnect_of(*before, identity_.basis);
  if (before && recording_) recording_->reconnect_of(*before, identity_.basis);
  std::string answer;
  const std::array<Field, 1> selected{{{"Sec-WebSocket-Protocol", std::string(handshake_->answered_subprotocol())}}};
  const bool selects = !selected[0].second.empty();
  append_response(answer, response, {.upgrade = true, .fields = std::span(selected).first(selects ? 1 : 0)});
  const std::string pipelined = unread_.substr(parser_.size());
  auto session = std::make_unique<Session>(worker_, listener_, route_, std::move(slot_), std::move(seat),
                                           std::move(leg_), std::move(upstream));
  auto observation = accept(response, session.get());
  session->observe(std::move(observation), std::exchange(recording_, std::nullopt));
  worker_.begin(std::move(session), base::as_bytes(answer), base::as_bytes(pipelined), behind);
  end();
}

std::unique_ptr<observer::Observation> Downstream::accept(const model::HttpHead& response,
                                                          observer::Listener* listener) {
  if (recording_) {
    if (auto sink = worker_.commons().recordings->open(handshake_->id())) {
      recording_->to(std::move(sink));
      recording_->accepted(handshake_->id(), response, route().config().observe, call());
    } else {
      recording_.reset();
    }
  }
  const auto identifiers = recording_ ? recording_->identifiers(worker_.workspace()) : capture::Identifiers();
  return handshake_->accepted(parser_.head(), response, listener, call());
}

std::optional<capture::Recording> Downstream::recording_of(Worker& worker, const Route& route) {
  const capture::Recordings* to = worker.commons().recordings;
  if (to == nullptr) return std::nullopt;
  const auto& limits = route.carry.limits;
  auto options = to->options();
  options.most_fragments = limits.fragments;
  options.most_frame = limits.frame;
  options.most_message = limits.message;
  return capture::Recording(options, worker.workspace().random());
}

void Downstream::exchange_failed(int status, Anomaly kind, std::string_view why, const std::string& detail) {
  if (status >= 500) warn_of_answer(why, detail == why ? "" : detail);
  worker_.reactor().delete_later(std::move(exchange_));
  refuse(status, kind, why);
}

void Downstream::warn_of_answer(std::string_view why, const std::string& detail) {
  const Route& config = route().config();
  worker_.warn("answer " + config.name, "route " + config.name + ": upstream " + config.upstream.text() + ": " +
                                            std::string(why) + (detail.empty() ? "" : ": " + detail));
}

// The upstream's own refusal of an upgrade is on its way to the client.
void Downstream::exchange_answered(int status) {
  if (!handshake_) return;
  handshake_->refused(status, Anomaly::none, "refused by the upstream", call());
  handshake_.reset();
  slot_ = {};
}

void Downstream::exchange_progress() {
  // The timer looks at it when it fires.
  if (!request_.upgrade) deadline_ = worker_.now() + silence;
}

void Downstream::exchange_done(Ending ending) {
  if (exchange_->kept())
    worker_.idle_upstreams().keep(listener_, active_route(), exchange_->release(), exchange_->keep_alive());
  slot_ = {};
  worker_.reactor().delete_later(std::move(exchange_));
  switch (ending) {
    case Ending::reusable:
      return next_request();
    case Ending::close:
      worker_.linger(std::move(leg_));
      return end();
    case Ending::cut:
      return abort();
  }
}

void Downstream::next_request() {
  state_ = State::head;
  parser_ = wire::HeadParser(wire::HeadParser::Kind::request, listener_->http);
  parsed_ = false;
  request_ = {};
  route_ = -1;
  recording_.reset();
  first_byte_ = idle_since_ = worker_.now();
  deadline_ = first_byte_ + (unread_.empty() ? keep_alive : listener_->handshake_timeout);
  worker_.timers().arm(*this, deadline_);
  if (worker_.draining() && unread_.empty()) return close_idle();
  // Not from here: a pipeline of a thousand requests would nest as deep.
  leg_->again();
}

void Downstream::drain() {
  if (state_ != State::head || !unread_.empty()) return;
  if (requests_ > 0) return close_idle();
  deadline_ = std::min(deadline_, worker_.now() + drain_grace);
  worker_.timers().arm(*this, deadline_);
}

bool Downstream::give_way(base::Time now) {
  constexpr base::Duration chance = std::chrono::milliseconds(500);
  const bool waits = (state_ == State::head && !parsed_) || state_ == State::tls;
  if (!waits || now - idle_since_ < chance) return false;
  abort();
  return true;
}

void Downstream::close_idle() {
  worker_.linger(std::move(leg_));
  end();
}

void Downstream::client_gone(std::string_view why) {
  if (handshake_) {
    handshake_->refused(client_closed_request, Anomaly::none, why, call());
    handshake_.reset();
  } else if (state_ == State::head && !unread_.empty()) {
    observer::Handshake unread_head(listener_->unmatched_options, endpoints(peer_.host()), first_byte_, call());
    unread_head.refused(client_closed_request, Anomaly::none, why, call());
  }
  abort();
}

void Downstream::refuse(int status, Anomaly kind, std::string_view why) {
  const auto now = worker_.now();
  if (!handshake_ && route_ < 0 && parsed_ && !request_.upgrade && kind == Anomaly::none) {
    worker_.metrics(*listener_->unmatched).http_requests.add();  // plain HTTP that asks for nothing we have
  } else if (!handshake_ && route_ < 0) {
    handshake_.emplace(listener_->unmatched_options, endpoints(peer_.host()),
                       first_byte_ == base::Time{} ? now : first_byte_, call());
    if (parsed_) handshake_->request(parser_.head(), call());
  }
  if (handshake_) {
    handshake_->refused(status, kind, why, call());
    handshake_.reset();
  } else if (route_ >= 0 && kind != Anomaly::none) {
    worker_.metrics(*active_route().stats).anomalies[static_cast<std::size_t>(kind)].add();
  }
  std::string out;
  append_reply(out, status, why, request_.head);
  if (leg_->send(base::as_bytes(out)) == Io::error) return abort();
  worker_.linger(std::move(leg_));
  end();
}

void Downstream::expired(base::Time now) {
  const bool plain = state_ == State::exchanging && !request_.upgrade;
  if (plain && now >= window_) {
    window_ = now + HttpExchange::window;
    if (const auto pace = exchange_->pace(); pace != HttpExchange::Pace::fine) return too_slow(pace);
  }
  if (now < deadline_) return worker_.timers().arm(*this, plain ? std::min(deadline_, window_) : deadline_);
  switch (state_) {
    case State::tls:
      worker_.metrics(*listener_->unmatched).connections_rejected.add();
      return abort();
    case State::head:
      if (unread_.empty() && (requests_ > 0 || worker_.draining())) return close_idle();
      return refuse(408, Anomaly::handshake_timeout, "the request head did not arrive in time");
    case State::exchanging: {
      const bool answered = exchange_->answered();
      exchange_->cancel();
      worker_.reactor().delete_later(std::move(exchange_));
      if (answered) return abort();
      warn_of_answer("it did not answer in time", "");
      return refuse(504, Anomaly::none, "upstream did not answer in time");
    }
    case State::dialing:
    case State::ended:
      return;
  }
}

void Downstream::too_slow(HttpExchange::Pace pace) {
  const bool answers = pace == HttpExchange::Pace::slow_sender && !exchange_->answered();
  exchange_->cancel();
  worker_.reactor().delete_later(std::move(exchange_));
  if (!answers) return abort();
  refuse(408, Anomaly::none, "the request's body came too slowly");
}

void Downstream::abort() {
  if (leg_) leg_->close(true);
  end();
}

void Downstream::end() {
  if (state_ == State::ended) return;
  state_ = State::ended;
  worker_.timers().disarm(*this);
  if (dial_) {
    dial_->cancel();
    worker_.reactor().delete_later(std::move(dial_));
  }
  if (exchange_) {
    exchange_->cancel();
    worker_.reactor().delete_later(std::move(exchange_));
  }
  if (leg_) leg_->close(false);
  handshake_.reset();
  slot_ = {};
  worker_.left(*this);
}

}  // namespace sockeye::proxy
