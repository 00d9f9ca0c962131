// What is known of one WebSocket session: its life, its end, its counts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sockeye/base/time.h"
#include "sockeye/model/frame.h"

namespace sockeye::model {

enum class SessionState : std::uint8_t {
  open,
  closing,  // a Close was seen or sent on at least one leg
  closed
};
[[nodiscard]] std::string_view name(SessionState);

// Who ended the session: the peer whose Close (or EOF, RST) came first, ourselves, or the path between.
enum class Initiator : std::uint8_t { client, server, proxy, network };
[[nodiscard]] std::string_view name(Initiator);

enum class EndReason : std::uint8_t {
  normal,             // close handshake, whatever its code
  heartbeat_timeout,  // H1: the last allowed pong was missed, and nothing else came
  stuck,
  protocol_error,
  reset,  // TCP ended without a Close: RST, or EOF
  limit,
  drain,
  idle
};
[[nodiscard]] std::string_view name(EndReason);

// How sure it is that a session is the reconnect of another: by what its client was recognised.
enum class ReconnectBasis : std::uint8_t {
  guess,      // address, route, path and User-Agent, and nobody else had them then
  query,      // and an identifier in the query
  cookie,     // and the cookies
  client_id,  // what the route says identifies a client
  count_
};
[[nodiscard]] std::string_view name(ReconnectBasis);

// RFC 6455 §7.4.1: 1005 = no code in the Close, 1006 = no Close at all.
struct CloseInfo {
  std::uint16_t code = 1006;
  Initiator initiator = Initiator::network;
  EndReason why = EndReason::reset;
  std::string reason;  // as sent, at most 123 bytes of valid UTF-8
  // heartbeat_timeout: whose leg was silent, and when its last byte came.
  std::optional<Side> silent{};
  base::Time silent_since{};
};

struct DirectionCounts {
  std::array<std::uint64_t, 5> messages{};  // by MessageType
  std::uint64_t bytes = 0;                  // payload of complete and running data messages, as on the wire
  std::uint64_t wire_bytes = 0;             // everything, headers and control frames included
  std::uint64_t fragments = 0;              // data frames
  [[nodiscard]] std::uint64_t data_messages() const { return messages[0] + messages[1]; }
};

// One entry of the flight recorder: a message header, never its payload.
struct RecordedMessage {
  base::Time at;              // when the message was complete
  std::uint64_t length : 48;  // payload bytes on the wire
  std::uint64_t side : 1;     // model::Side, the sender
  std::uint64_t opcode : 4;
  std::uint64_t compressed : 1;
  std::uint64_t injected : 1;  // our own ping or Close
  std::uint64_t answered : 1;  // our own ping, and its pong came
  std::uint64_t spare : 8;
};
static_assert(sizeof(RecordedMessage) == 16);
inline constexpr std::size_t flight_recorder_size = 64;

}  // namespace sockeye::model
