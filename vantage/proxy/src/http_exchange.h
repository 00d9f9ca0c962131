// One request on its way to the upstream and its answer on the way back: plain HTTP, and an upgrade until it is
// decided. Bodies pass verbatim with their framing and with back-pressure both ways; what lies behind the request's
// body stays with the client's connection as its next request. The upstream's connection may serve another one, where
// nothing about this one left it in doubt (may_serve_again); and if it served one before, its end without a byte of an
// answer says nothing about this one, which is tried again on a new connection where that cannot do it twice.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "idle_upstreams.h"
#include "leg.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/http_head.h"
#include "sockeye/wire/http.h"

namespace sockeye::proxy {

class Worker;

// One of the first four ends the exchange, which must not be used then; progress() comes any number of times.
class ExchangeOwner {
 public:
  // The upstream answered an upgrade with 101. Not judged yet. `behind`: what followed the head. Views are valid during
  // the call; take_upstream() gives the leg.
  virtual void exchange_switching(const model::HttpHead& response, base::Bytes behind) = 0;
  // Nothing was sent to the client: answer `status`.
  virtual void exchange_failed(int status, model::Anomaly kind, std::string_view why, const std::string& detail) = 0;
  enum class Ending : std::uint8_t {
    reusable,  // the answer is complete; the client's connection takes another request
    close,     // the client's connection ends in order; a body that fell short of its framing shows by itself
    cut  // the client is gone, or must see an abort: the end of its connection would look like the end of the body
  };
  virtual void exchange_done(Ending) = 0;

  // The connection had served others and was gone: nothing was answered, and what was read of the body is unread again.
  virtual void exchange_retry() = 0;

  // The answer's head was sent.
  virtual void exchange_answered(int status) = 0;
  virtual void exchange_progress() = 0;

 protected:
  ~ExchangeOwner() = default;
};

class HttpExchange final : public Deletable, public LegOwner {
 public:
  struct Request {
    bool upgrade = false;
    bool head = false;            // a HEAD request: its answer has no body
    bool close = false;           // the client's connection ends after the answer
    bool http10 = false;          // interim answers are not passed on
    bool drop_trailers = false;   // of a chunked request
    bool idempotent = false;      // RFC 9110 §9.2.2: may be sent twice
    bool keeps_upstream = false;  // the upstream's connection may serve another request after this one
    wire::BodyFramer body;
  };
  // `client` and `unread` (what was received behind the request's head) belong to the client's connection.
  HttpExchange(Worker& worker, Leg& client, std::string& unread, Request request, wire::HttpLimits limits,
               ExchangeOwner& owner);

  void begin(UpstreamConnection upstream, std::string_view head);
  // The client's leg had an event and was flushed.
  void client_ready();
  void cancel();
  [[nodiscard]] std::unique_ptr<Leg> take_upstream() { return std::move(upstream_); }
  // After exchange_done(): the connection for others, and for how long the upstream said that it waits for them.
  [[nodiscard]] bool kept() const { return upstream_ != nullptr && upstream_->open(); }
  [[nodiscard]] UpstreamConnection release() { return {std::move(upstream_), opened_, served_}; }
  [[nodiscard]] base::Duration keep_alive() const { return keep_alive_; }
  [[nodiscard]] bool answered() const { return answered_; }

  // To be asked once a `window`: a peer that moves bytes, but so few that it can only mean to hold the connection. One
  // that moves none is its owner's to judge: it may be waiting for something.
  static constexpr base::Duration window = std::chrono::seconds(60);
  static constexpr std::uint64_t least_moved = 30'000;  // bytes a window: 500 B/s, what others ask for, too
  enum class Pace : std::uint8_t { fine, slow_sender, slow_reader };
  [[nodiscard]] Pace pace();

  void leg_ready(Leg&, std::uint32_t events) override;
  void leg_fault(Leg&) noexcept override;

 private:
  // Each returns false when the exchange has ended.
  bool pump();
  bool pump_request();
  bool pump_response();
  bool request_bytes(base::Bytes bytes);
  void note_sent(base::Bytes body);
  bool response_head(bool ended);
  bool final_head(const model::HttpHead& head);
  bool response_bytes(base::Bytes bytes);
  bool upstream_ended(bool in_order);
  bool to_client(base::Bytes bytes);
  // What is known of the upstream's connection once the answer is complete.
  [[nodiscard]] bool may_serve_again(bool more_came) const;
  [[nodiscard]] bool may_retry() const;
  bool fail(int status, model::Anomaly kind, std::string_view why, const std::string& detail = {});
  bool done(ExchangeOwner::Ending ending);
  [[nodiscard]] ExchangeOwner::Ending cut_ending() const;

  Worker& worker_;
  Leg& client_;
  std::string& unread_;
  Request request_;
  wire::HttpLimits limits_;
  ExchangeOwner* owner_;
  std::unique_ptr<Leg> upstream_;
  base::Time opened_{};
  std::uint32_t served_ = 0;  // requests before this one
  base::Duration keep_alive_{};
  std::string head_;  // the answer's head while it arrives
  wire::HeadParser parser_;
  wire::BodyFramer body_;
  unsigned interim_ = 0;
  // Since pace() was asked.
  std::uint64_t sent_to_upstream_ = 0, taken_by_client_ = 0;
  std::size_t client_queue_ = 0;
  bool has_body_ = false;
  std::string sent_body_;          // what was, while it may have to be sent again
  bool body_begun_ = false;        // some of it was sent
  bool framed_ = false;            // the answer says where it ends, and that more may follow
  bool request_given_up_ = false;  // the upstream takes no more of it
  bool answered_ = false;
};

}  // namespace sockeye::proxy
