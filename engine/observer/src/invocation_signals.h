// What becomes of what messages mean: counts and spans of invocations, bursts of media, application heartbeats, what
// the dialect says of the session.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "opening.h"
#include "sockeye/base/time.h"
#include "sockeye/dialect/session.h"
#include "sockeye/model/span.h"
#include "sockeye/observer/call.h"
#include "sockeye/observer/listener.h"
#include "sockeye/signal/invocations.h"

namespace sockeye::observer {

// Of one session, between two calls.
struct InvocationState {
  struct Burst {
    signal::Transfer transfer;
    bool running = false;
  };
  std::array<Burst, 2> bursts;
  model::Attributes attributes;  // of the session
  std::vector<model::SpanEvent> events;
  std::optional<base::Duration> beat_rtt;
  base::Time last_beat = base::never;
  base::Time begun{};
  base::Time burst_check = base::never;
  base::Time next_report = base::never;  // of invocations that are open for long
  std::uint64_t invocations = 0;
  std::array<std::uint64_t, 2> messages{};  // data messages so far, by sender
  bool holes = false;                       // some were not seen

  [[nodiscard]] base::Time next_deadline() const { return std::min(burst_check, next_report); }
};

// For the time of a call.
class InvocationSignals final : public dialect::Listener {
 public:
  // `context`: the trace context of what opens is wanted, in the workspace's bench.
  InvocationSignals(InvocationState& state, const Opening& opening, std::string_view dialect,
                    observer::Listener* listener, bool context, const Call& call)
      : state_(state), opening_(opening), dialect_(dialect), listener_(listener), call_(call), context_(context) {}

  void tick(dialect::Session*);
  // Whatever is running ends; before the connection's span.
  void finish();
  // What is known of the session, into its connection span.
  void describe(model::Span& connection, std::string_view basis);

  void opened(model::Invocation&) override;
  void chunk(const model::Invocation&, std::optional<base::Duration> since_last) override;
  void ended(model::Invocation&&) override;
  void media(model::Side, std::string_view name, std::uint64_t bytes, base::Time) override;
  void beat(model::Side, std::string_view name, std::optional<base::Duration> rtt, base::Time) override;
  void session_attribute(std::string_view key, const model::AttributeValue&) override;
  void event(std::string_view name, model::Side, base::Time) override;
  void error(model::Side, std::string_view type, base::Time) override;
  void dialect_error(dialect::DialectError, model::Side, std::uint64_t count, base::Time) override;

 private:
  void report_open(dialect::Session&);
  void remember_event(std::string_view what, std::string_view type, base::Time at);
  void end_burst(InvocationState::Burst&);
  [[nodiscard]] signal::SessionAttributes span_attributes() const;

  InvocationState& state_;
  const Opening& opening_;
  std::string_view dialect_;
  observer::Listener* listener_;
  const Call& call_;
  bool context_;
};

}  // namespace sockeye::observer
