#include "http_exchange.h"

#include <algorithm>
#include <utility>

#include "rewrite.h"
#include "worker.h"

namespace sockeye::proxy {
namespace {

using model::Anomaly;

// Bytes of a body moved in one turn: what a slow reader's queue may have to hold.
constexpr std::size_t body_read = 64 * 1024;
// Interim (1xx) answers to one request; servers send one or two.
constexpr unsigned max_interim = 32;
// Of a body, kept while it may have to be sent again.
constexpr std::size_t most_sent_again = 16 * 1024;
// Before an upstream's own time is over: its end and our next request must not cross.
constexpr base::Duration keep_alive_margin = std::chrono::seconds(1);

// "Keep-Alive: timeout=5, max=100", as servers still send it (RFC 2068 §19.7.1.1).
base::Duration stated_keep_alive(const model::HttpHead& head) {
  constexpr std::string_view key = "timeout=";
  const std::string_view value = head.value("Keep-Alive");
  const auto at = value.find(key);
  if (at == std::string_view::npos) return IdleUpstreams::longest_idle;
  std::int64_t seconds = 0;
  for (const char c : value.substr(at + key.size())) {
    if (c < '0' || c > '9' || seconds > 3600) break;
    seconds = seconds * 10 + (c - '0');
  }
  return std::chrono::seconds(seconds) - keep_alive_margin;
}

}  // namespace

HttpExchange::HttpExchange(Worker& worker, Leg& client, std::string& unread, Request request, wire::HttpLimits limits,
                           ExchangeOwner& owner)
    : worker_(worker),
      client_(client),
      unread_(unread),
      request_(request),
      limits_(limits),
      owner_(&owner),
      parser_(wire::HeadParser::Kind::response, limits),
      client_queue_(client.queued()),
      has_body_(!request.body.done()) {}

void HttpExchange::begin(UpstreamConnection upstream, std::string_view head) {
  upstream_ = std::move(upstream.leg);
  opened_ = upstream.opened;
  served_ = upstream.requests;
  upstream_->own(*this);
  if (upstream_->send(base::as_bytes(head)) == Io::error) {
    fail(502, Anomaly::none, "upstream closed the connection", upstream_->transport().error());
    return;
  }
  pump();
}

void HttpExchange::cancel() {
  owner_ = nullptr;
  if (upstream_) upstream_->close(false);
}

bool HttpExchange::fail(int status, Anomaly kind, std::string_view why, const std::string& detail) {
  if (owner_ == nullptr) return false;
  ExchangeOwner& owner = *std::exchange(owner_, nullptr);
  upstream_->close(false);
  if (may_retry()) {
    unread_.insert(0, sent_body_);
    owner.exchange_retry();
  } else if (answered_) {
    owner.exchange_done(cut_ending());
  } else {
    owner.exchange_failed(status, kind, why, detail);
  }
  return false;
}

ExchangeOwner::Ending HttpExchange::cut_ending() const {
  return body_.until_close() ? ExchangeOwner::Ending::cut : ExchangeOwner::Ending::close;
}

// RFC 9110 §9.2.2, and RFC 9112 §9.3.1: a connection may close while a request is on its way to it.
bool HttpExchange::may_retry() const {
  if (served_ == 0 || answered_ || !head_.empty() || interim_ > 0) return false;
  return body_begun_ ? !sent_body_.empty() : request_.idempotent || has_body_;
}

bool HttpExchange::may_serve_again(bool more_came) const {
  return request_.keeps_upstream && framed_ && !more_came && request_.body.done() && !request_given_up_ &&
         !upstream_->blocked() && keep_alive_ > base::Duration::zero();
}

bool HttpExchange::done(ExchangeOwner::Ending ending) {
  if (owner_ == nullptr) return false;
  ExchangeOwner& owner = *std::exchange(owner_, nullptr);
  upstream_->close(false);
  owner.exchange_done(ending);
  return false;
}

HttpExchange::Pace HttpExchange::pace() {
  const std::uint64_t sent = std::exchange(sent_to_upstream_, 0);
  // Of what was given to the client's socket and what waited for it, what waits no longer.
  const std::uint64_t moved = std::exchange(taken_by_client_, 0) + client_queue_ - client_.queued();
  const bool waited = client_queue_ > 0;
  client_queue_ = client_.queued();
  const auto slow = [](std::uint64_t bytes) { return bytes > 0 && bytes < least_moved; };
  if (!request_.body.done() && !request_given_up_ && !upstream_->blocked() && slow(sent)) return Pace::slow_sender;
  return waited && client_.blocked() && slow(moved) ? Pace::slow_reader : Pace::fine;
}

void HttpExchange::client_ready() {
  if (owner_ != nullptr) pump();
}

void HttpExchange::leg_ready(Leg&, std::uint32_t) {
  if (owner_ == nullptr) return;
  if (upstream_->blocked()) {
    const std::size_t before = upstream_->queued();
    if (upstream_->flush() == Io::error) {
      request_given_up_ = true;  // its answer may still be there to read
      upstream_->expect_readable();
    } else if (upstream_->queued() < before) {
      owner_->exchange_progress();
    }
  }
  pump();
}

void HttpExchange::leg_fault(Leg&) noexcept { fail(502, Anomaly::none, "internal error"); }

bool HttpExchange::pump() { return pump_response() && pump_request(); }

bool HttpExchange::pump_request() {
  if (request_.body.done() || request_given_up_) return true;
  if (!unread_.empty() && !upstream_->blocked()) {
    const std::string at_hand = std::exchange(unread_, {});
    if (!request_bytes(base::as_bytes(at_hand))) return false;
  }
  if (request_.body.done() || request_given_up_ || upstream_->blocked() || !client_.readable()) return true;
  const auto into = worker_.buffer().first(body_read);
  const IoResult result = client_.read(into);
  if (result.state == Io::want_read) return true;
  if (result.state != Io::ok) return done(ExchangeOwner::Ending::cut);  // the client left in the middle of its request
  owner_->exchange_progress();
  if (!request_bytes(into.first(result.bytes))) return false;
  if (client_.readable()) client_.again();
  return true;
}

void HttpExchange::note_sent(base::Bytes body) {
  sent_to_upstream_ += body.size();
  if (body.empty()) return;
  const bool first = !std::exchange(body_begun_, true);
  const bool wanted = served_ > 0 && request_.idempotent && (first || !sent_body_.empty());
  if (wanted && sent_body_.size() + body.size() <= most_sent_again)
    sent_body_.append(base::as_text(body));
  else
    sent_body_ = {};
}

// Sends what belongs to the request's body, keeps the rest.
bool HttpExchange::request_bytes(base::Bytes bytes) {
  std::size_t before_trailers = 0;
  const std::size_t own = request_.body.consume(bytes, before_trailers);
  note_sent(bytes.first(own));
  if (request_.body.failed()) return fail(400, Anomaly::smuggling, "malformed chunked body");
  const bool drops = request_.drop_trailers && before_trailers < own;
  Io state = upstream_->send(bytes.first(drops ? before_trailers : own));
  if (drops && request_.body.done() && state != Io::error) state = upstream_->send(base::as_bytes("\r\n"));
  unread_.append(base::as_text(bytes.subspan(own)));
  if (state == Io::error) {
    // A server may refuse a body by answering and closing (RFC 9110 §15.5.14): look for the answer.
    request_given_up_ = true;
    request_.close = true;
    upstream_->expect_readable();
    upstream_->again();
  }
  return true;
}

bool HttpExchange::pump_response() {
  if (!upstream_->readable() || client_.blocked()) return true;
  const auto into = worker_.buffer().first(body_read);
  const IoResult result = upstream_->read(into);
  if (result.state == Io::want_read) return true;
  if (result.state != Io::ok) return upstream_ended(result.state == Io::eof);
  owner_->exchange_progress();
  if (upstream_->readable()) upstream_->again();
  const auto bytes = into.first(result.bytes);
  if (answered_) return response_bytes(bytes);
  head_.append(base::as_text(bytes));
  sent_body_ = {};
  return response_head(false);
}

bool HttpExchange::response_head(bool ended) {
  for (;;) {
    switch (parser_.parse(base::as_bytes(head_))) {
      case wire::HeadParser::Progress::need_more:
        if (ended) return fail(502, Anomaly::upstream_invalid, "upstream closed before its answer was complete");
        return true;
      case wire::HeadParser::Progress::failed:
        return fail(502, Anomaly::upstream_invalid, "upstream sent no valid HTTP answer",
                    std::string(parser_.failure().why));
      case wire::HeadParser::Progress::done:
        break;
    }
    const auto& head = parser_.head();
    if (head.status >= 200) return final_head(head);
    if (head.status == 101) {
      if (!request_.upgrade) return fail(502, Anomaly::upstream_invalid, "upstream switched protocols unasked");
      ExchangeOwner& owner = *std::exchange(owner_, nullptr);
      owner.exchange_switching(head, base::as_bytes(head_).subspan(parser_.size()));
      return false;
    }
    if (++interim_ > max_interim) return fail(502, Anomaly::upstream_invalid, "upstream sent too many interim answers");
    if (!request_.http10) {  // RFC 9110 §15.2: it knows none
      std::string out;
      append_response(out, head, {});
      if (!to_client(base::as_bytes(out))) return false;
    }
    head_.erase(0, parser_.size());
    parser_ = wire::HeadParser(wire::HeadParser::Kind::response, limits_);
  }
}

bool HttpExchange::final_head(const model::HttpHead& head) {
  if (const auto bad = wire::BodyFramer::for_response(head, request_.head ? "HEAD" : "GET", body_))
    return fail(bad->status, bad->kind, bad->why);
  // A request that is still arriving would have to be read to its end before the next one: not worth it.
  request_.close =
      request_.close || request_.upgrade || body_.until_close() || !request_.body.done() || worker_.draining();
  answered_ = true;
  framed_ = head.version_minor == 1 && !body_.until_close() && !head.has_token("Connection", "close");
  keep_alive_ = stated_keep_alive(head);
  std::string out;
  append_response(out, head, {.close = request_.close, .head = request_.head});
  owner_->exchange_answered(head.status);
  const std::string behind = head_.substr(parser_.size());
  head_ = {};
  if (!to_client(base::as_bytes(out))) return false;
  return response_bytes(base::as_bytes(behind));
}

bool HttpExchange::response_bytes(base::Bytes bytes) {
  const std::size_t own = body_.consume(bytes);
  if (!to_client(bytes.first(own))) return false;
  if (body_.failed()) return done(ExchangeOwner::Ending::close);
  if (!body_.done()) return true;
  // What lies behind the answer is nobody's.
  const auto ending = request_.close ? ExchangeOwner::Ending::close : ExchangeOwner::Ending::reusable;
  if (!may_serve_again(own < bytes.size())) return done(ending);
  if (owner_ != nullptr) std::exchange(owner_, nullptr)->exchange_done(ending);
  return false;
}

bool HttpExchange::upstream_ended(bool in_order) {
  if (!answered_)
    // The error can tell more: with TLS 1.3 a refused client certificate shows only here.
    return head_.empty() ? fail(502, Anomaly::upstream_invalid, "upstream closed without an answer",
                                in_order ? std::string{} : upstream_->transport().error())
                         : response_head(true);
  const bool whole = body_.until_close() && in_order && !upstream_->transport().truncated();
  return done(whole ? ExchangeOwner::Ending::close : cut_ending());
}

bool HttpExchange::to_client(base::Bytes bytes) {
  if (bytes.empty()) return true;
  taken_by_client_ += bytes.size();
  if (client_.send(bytes) == Io::error) return done(ExchangeOwner::Ending::cut);
  return true;
}

}  // namespace sockeye::proxy
