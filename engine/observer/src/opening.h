// What a Handshake hands to the Observation it becomes: everything about the session that is fixed at the 101.
//
// An idle session must be small (tens of thousands are held open), so the texts share one heap block
// cut to their bounds instead of seven std::strings, and what never changes per route stays behind a pointer.
//
// Who counts what. Handshake: connections_accepted, connections_rejected, handshake_duration, reconnects, handshake
// anomalies, and connections_active +1. Observation::finish(): connections_active -1, connections_closed,
// count_close(), session_duration, and everything that happens in between.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "sockeye/base/ids.h"
#include "sockeye/base/time.h"
#include "sockeye/model/session.h"
#include "sockeye/observer/call.h"
#include "sockeye/observer/options.h"
#include "sockeye/signal/spans.h"
#include "sockeye/wire/extensions.h"

namespace sockeye::observer {

// Short texts in one allocation. Move-only; views live as long as the object (moving keeps them valid).
class SessionTexts {
 public:
  enum Field : std::uint8_t {
    target,            // redacted, at most 512 bytes
    host,              // at most 255
    subprotocol,       // selected and redacted, at most 128
    extensions,        // in force, at most 128
    client_address,    // at most 128
    upstream_address,  // at most 255
    trace_state,       // at most 512: W3C's bound, never cut
    count_
  };
  using Views = std::array<std::string_view, count_>;

  SessionTexts() = default;
  explicit SessionTexts(const Views&);  // well-formed UTF-8; longer texts are cut to their bound, on a code point
  [[nodiscard]] std::string_view operator[](Field) const;

 private:
  std::unique_ptr<char[]> block_;
  std::array<std::uint16_t, count_> ends_{};
};

struct Opening {
  const Options* options = nullptr;  // borrowed; outlives the Observation

  base::SessionId id;
  base::SessionId reconnect_of;  // zero: none
  base::TraceId trace_id;
  base::SpanId connection_span;  // of websocket.connection
  base::SpanId handshake_span;   // its parent
  base::SpanId remote_span;      // what the request's traceparent named; zero: it had none
  std::optional<bool> asked;     // the caller's sampling decision for all of it; none: it left that to us
  bool named_upstream = false;   // handshake_span was named in the request to the upstream
  std::uint8_t trace_flags = 0;  // W3C trace-flags; bit 0: sampled, else no span is offered
  std::uint8_t anomalies = 0;    // what was wrong with the handshake and passed on
  model::ReconnectBasis reconnect_basis{};

  wire::Extensions extensions;  // in force
  bool tls = false;
  std::uint16_t client_port = 0;
  std::uint16_t upstream_port = 0;

  base::Time first_byte;  // of the request
  base::Time opened;      // 101 sent

  SessionTexts texts;
  std::string_view dialect = "none";  // what is known of it; outlives this
  bool attached = false;              // to a session that was open: there was no handshake to see

  // True when spans are to be built: sampled, and there is a sink.
  [[nodiscard]] bool traced(const Call& call) const {
    return (trace_flags & 1U) != 0 && call.workspace.spans != nullptr;
  }
  // Views into this; valid while it is.
  [[nodiscard]] signal::SessionAttributes span_attributes() const;
  [[nodiscard]] signal::TracePlace connection_place() const;
};
static_assert(sizeof(Opening) <= 224);

}  // namespace sockeye::observer
