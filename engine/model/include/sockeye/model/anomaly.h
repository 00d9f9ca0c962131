// What a peer did wrong, or a capture lost. An anomaly is an observation, counted in websocket_anomalies_total{kind};
// those with a close code are violations: strict conformance closes the session with that code (RFC 6455 §7.4.1).
#pragma once

#include <cstdint>
#include <string_view>

namespace sockeye::model {

enum class Anomaly : std::uint8_t {
  none = 0,
  // frames (RFC 6455 §5)
  reserved_bits,            // §5.2: RSV set that no extension negotiated
  reserved_opcode,          // §5.2
  unmasked_client_frame,    // §5.1
  masked_server_frame,      // §5.1
  length_not_minimal,       // §5.2
  length_too_large,         // §5.2: top bit of the 64-bit length set
  control_too_long,         // §5.5: over 125 bytes
  control_fragmented,       // §5.5
  orphan_continuation,      // §5.4
  interleaved_message,      // §5.4: new data frame inside a fragmented message
  invalid_utf8,             // §8.1 → 1007
  close_payload_truncated,  // §5.5.1: one byte of payload
  close_code_invalid,       // §7.4
  close_reason_invalid,     // §5.5.1: reason is not UTF-8 → 1007
  frame_after_close,        // §5.5.1: data after Close; discarded, not a violation of its own
  // compression (RFC 7692)
  deflate_invalid,  // stream does not inflate → 1007
  deflate_bomb,     // inflates past the message limit → 1009
  // limits of the route
  frame_too_large,     // → 1009
  message_too_large,   // → 1009
  too_many_fragments,  // → 1008
  control_flood,       // pings, pongs faster than limits.control_rate → 1008
  // transport
  truncated,   // EOF inside a frame
  half_close,  // EOF without Close
  // handshake
  handshake_invalid,  // upgrade refused with 400/426
  handshake_timeout,  // 408
  header_too_large,   // 431
  smuggling,          // CL+TE, two lengths, bare LF, obs-fold, space before colon, NUL
  upstream_invalid,   // the server's answer is no valid upgrade → 502
  // signals
  trace_context_invalid,  // traceparent or b3 present and not valid: ignored
  count_                  // not an anomaly: how many there are
};

[[nodiscard]] std::string_view name(Anomaly);     // as spelled above, for the `kind` label
[[nodiscard]] std::uint16_t close_code(Anomaly);  // 1002, 1007, 1008, 1009; 0 when it is no violation
[[nodiscard]] std::string_view explain(Anomaly);  // one short ASCII phrase for a Close reason, at most 123 bytes

}  // namespace sockeye::model
