// The opening handshake of one WebSocket, which becomes an Observation, or is refused.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/http_head.h"
#include "sockeye/model/session.h"
#include "sockeye/observer/observation.h"

namespace sockeye::observer {

class Handshake {
 public:
  // `options` are borrowed for the life of the Observation too.
  Handshake(const Options& options, Endpoints endpoints, base::Time first_byte, const Call&);
  ~Handshake();
  Handshake(Handshake&&) noexcept;
  Handshake& operator=(Handshake&&) noexcept;

  // The request head, parsed. Extracts W3C or B3 context, decides sampling. Keeps what spans need; `head` is not kept.
  void request(const model::HttpHead& head, const Call&);
  // For a carrier: header fields to send upstream in place of any of the same name, so that the trace goes on there:
  // traceparent, tracestate (and b3 when configured). A field with an empty value only takes the client's away. None
  // without a span sink: what the client sent passes as it is. Baggage is an end-to-end field and passes by itself
  // unless propagation.baggage is off. Call it before accepted(): what was named upstream is linked to.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& propagated();
  // The request's path and query without trace context: what the same page asks for again when it reconnects. It is
  // also what goes upstream where propagation.browser is `remove`; else "".
  [[nodiscard]] std::string_view bare_target() const;
  [[nodiscard]] std::string_view upstream_target() const;
  // What the 101 has to select where upstream selects nothing: a page whose only offer was its trace context, which was
  // not passed on, would not take an answer without one. Else "".
  [[nodiscard]] std::string_view answered_subprotocol() const;
  void reconnect_of(const base::SessionId&, model::ReconnectBasis);
  [[nodiscard]] const base::SessionId& id() const;

  // The upgrade failed: counted as reject (and `kind` as an anomaly unless none), handshake span with an error.
  void refused(int status, model::Anomaly kind, std::string_view why, const Call&);
  // The answer broke a rule and the session goes on all the same: counted, here and in the session.
  void passed_on(model::Anomaly kind, const Call&);
  // 101 was sent: counted as accept, handshake span emitted, the session begins. The response must have passed
  // wire::check_switching. `listener` may be null; it outlives the Observation.
  std::unique_ptr<Observation> accepted(const model::HttpHead& request, const model::HttpHead& response,
                                        Listener* listener, const Call&);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A session that was open before anything was seen of it: extensions, subprotocol and path are unknown, and follow from
// what comes: compression from RSV1, the dialect from the first messages. It has no handshake span.
std::unique_ptr<Observation> attach(const Options&, const Endpoints&, Listener*, const Call&);

}  // namespace sockeye::observer
