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

}  // namespace

HttpExchange::HttpExchange(Worker& worker, Leg& client, std::string& unread, Request request, wire::HttpLimits limits,
                           ExchangeOwner& owner)
    : worker_(worker),
      client_(client),
      unread_(unread),
      request_(request),
      limits_(limits),
      owner_(&owner),
      parser_(wire::HeadParser::Kind::response, limits) {}

void HttpExchange::begin(std::unique_ptr<Leg> upstream, std::string_view head) {
  upstream_ = std::move(upstream);
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
  if (answered_) {
    owner.exchange_done(cut_ending());
  } else {
    owner.exchange_failed(status, kind, why, detail);
  }
  return false;
}

ExchangeOwner::Ending HttpExchange::cut_ending() const {
  return body_.until_close() ? ExchangeOwner::Ending::cut : ExchangeOwner::Ending::close;
}

bool HttpExchange::done(ExchangeOwner::Ending ending) {
  if (owner_ == nullptr) return false;
  ExchangeOwner& owner = *std::exchange(owner_, nullptr);
  upstream_->close(false);
  owner.exchange_done(ending);
  return false;
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

// Sends what belongs to the request's body, keeps the rest.
bool HttpExchange::request_bytes(base::Bytes bytes) {
  std::size_t before_trailers = 0;
  const std::size_t own = request_.body.consume(bytes, before_trailers);
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
  return done(request_.close ? ExchangeOwner::Ending::close : ExchangeOwner::Ending::reusable);
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
  if (client_.send(bytes) == Io::error) return done(ExchangeOwner::Ending::cut);
  return true;
}

}  // namespace sockeye::proxy
