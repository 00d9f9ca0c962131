// A client's connection while it speaks HTTP: TLS, request heads, routing and refusals. A plain request is relayed by
// an HttpExchange and the connection takes the next; an upgrade that succeeds turns the connection into a Session.
//
//   tls ─▶ head ─▶ dialing ─▶ exchanging ─▶ Session
//           ▲                      │
//           └──── plain request ◀──┘          any state ─▶ refusal ─▶ Linger
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "active_listener.h"
#include "address.h"
#include "dial.h"
#include "http_exchange.h"
#include "identity.h"
#include "leg.h"
#include "slots.h"
#include "sockeye/capture/recording.h"
#include "sockeye/observer/handshake.h"
#include "sockeye/wire/http.h"

namespace sockeye::proxy {

class Worker;

class Downstream final : public Deletable,
                         public LegOwner,
                         public DialOwner,
                         public ExchangeOwner,
                         public Timer,
                         public InSlots<Downstream> {
 public:
  // Between requests of one connection, and without a byte moving within one: a long poll is answered within a minute.
  static constexpr base::Duration keep_alive = std::chrono::seconds(75);
  static constexpr base::Duration silence = std::chrono::seconds(300);
  static constexpr base::Duration drain_grace = std::chrono::seconds(1);

  Downstream(Worker& worker, Transport transport, const SocketAddress& peer, ActiveListenerPtr listener);
  void begin();
  // The proxy stops: between requests the connection closes, unused ones get a moment for the request that may be on
  // its way, and what is being served is finished.
  void drain();
  void abort();
  // Closed, where it has not begun a request and has had its chance.
  bool give_way(base::Time now);

  void leg_ready(Leg&, std::uint32_t events) override;
  void leg_fault(Leg&) noexcept override { abort(); }
  void expired(base::Time now) override;
  void timer_fault() noexcept override { abort(); }
  void dialed(std::unique_ptr<Leg> leg) override;
  void dial_failed(int status, std::string_view why, const std::string& detail) override;
  void exchange_switching(const model::HttpHead& response, base::Bytes behind) override;
  void exchange_failed(int status, model::Anomaly kind, std::string_view why, const std::string& detail) override;
  void exchange_done(Ending) override;
  void exchange_retry() override;
  void exchange_answered(int status) override;
  void exchange_progress() override;

  // Of a session of that route; none where nothing is recorded.
  static std::optional<capture::Recording> recording_of(Worker& worker, const Route& route);

 private:
  enum class State : std::uint8_t { tls, head, dialing, exchanging, ended };

  void step_tls();
  void read_head();
  bool parse_head();
  void take_request(const model::HttpHead& head);
  // What of a plain request decides whether its upstream's connection may be another's before or after.
  void judge_reuse(const model::HttpHead& head);
  void dial();
  void exchange(UpstreamConnection upstream);
  // What forbids an upgrade, with the status to answer; none when it may go on.
  std::optional<wire::HttpFailure> admit(const model::HttpHead& head);
  void client_gone(std::string_view why);
  void warn_of_answer(std::string_view why, const std::string& detail);
  void refuse(int status, model::Anomaly kind, std::string_view why);
  void next_request();
  void close_idle();
  void too_slow(HttpExchange::Pace pace);
  void end();
  [[nodiscard]] observer::Endpoints endpoints(std::string client_address) const;
  // For the observation, of the route or of what matches none.
  [[nodiscard]] observer::Call call() const;
  [[nodiscard]] const CompiledRoute& route() const { return listener_->table[route_]; }
  [[nodiscard]] const ActiveRoute& active_route() const { return listener_->routes[static_cast<std::size_t>(route_)]; }
  [[nodiscard]] bool declines_deflate() const;
  // The observation of the session that was just accepted, and its recording, where there is one.
  std::unique_ptr<observer::Observation> accept(const model::HttpHead& response, observer::Listener* listener);

  Worker& worker_;
  ActiveListenerPtr listener_;
  SocketAddress peer_;
  std::unique_ptr<Leg> leg_;
  State state_ = State::head;

  std::string unread_;  // received and not consumed: the head being read, and what lies behind it
  wire::HeadParser parser_;
  base::Time first_byte_{};  // of the request
  base::Time idle_since_{};
  base::Time deadline_{};
  unsigned requests_ = 0;
  bool parsed_ = false;  // the head is complete: parser_.head() is valid

  // The request being served.
  int route_ = -1;
  HttpExchange::Request request_;
  std::optional<observer::Handshake> handshake_;  // upgrades only
  std::optional<capture::Recording> recording_;   // where the route is recorded
  SessionSlot slot_;
  base::Time window_{};  // of a plain request: when its pace is looked at next
  Identity identity_;
  std::string sent_;  // the head as sent upstream
  std::unique_ptr<Dial> dial_;
  std::unique_ptr<HttpExchange> exchange_;
};

}  // namespace sockeye::proxy
