// The spelling of every enumerator, in one table a type.
#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "sockeye/model/abnormal_end.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/condition.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/invocation.h"
#include "sockeye/model/metrics.h"
#include "sockeye/model/session.h"

namespace sockeye::model {
namespace {

struct AnomalyRow {
  Anomaly kind;
  std::string_view name;
  std::uint16_t code;  // RFC 6455 §7.4.1; 0: counted only
  std::string_view text;
};

constexpr std::array<AnomalyRow, static_cast<std::size_t>(Anomaly::count_)> anomalies{{
    {Anomaly::none, "none", 0, ""},
    {Anomaly::reserved_bits, "reserved_bits", 1002, "reserved bits set without an extension"},
    {Anomaly::reserved_opcode, "reserved_opcode", 1002, "reserved opcode"},
    {Anomaly::unmasked_client_frame, "unmasked_client_frame", 1002, "client frame is not masked"},
    {Anomaly::masked_server_frame, "masked_server_frame", 1002, "server frame is masked"},
    {Anomaly::length_not_minimal, "length_not_minimal", 1002, "payload length is not minimally encoded"},
    {Anomaly::length_too_large, "length_too_large", 1002, "payload length has its top bit set"},
    {Anomaly::control_too_long, "control_too_long", 1002, "control frame over 125 bytes"},
    {Anomaly::control_fragmented, "control_fragmented", 1002, "control frame is fragmented"},
    {Anomaly::orphan_continuation, "orphan_continuation", 1002, "continuation with nothing to continue"},
    {Anomaly::interleaved_message, "interleaved_message", 1002, "new message inside a fragmented one"},
    {Anomaly::invalid_utf8, "invalid_utf8", 1007, "text is not UTF-8"},
    {Anomaly::close_payload_truncated, "close_payload_truncated", 1002, "Close payload of one byte"},
    {Anomaly::close_code_invalid, "close_code_invalid", 1002, "Close code out of range"},
    {Anomaly::close_reason_invalid, "close_reason_invalid", 1007, "Close reason is not UTF-8"},
    {Anomaly::frame_after_close, "frame_after_close", 0, "frame after Close"},
    {Anomaly::deflate_invalid, "deflate_invalid", 1007, "compressed message does not inflate"},
    {Anomaly::deflate_bomb, "deflate_bomb", 1009, "compressed message inflates past the limit"},
    {Anomaly::frame_too_large, "frame_too_large", 1009, "frame over the limit"},
    {Anomaly::message_too_large, "message_too_large", 1009, "message over the limit"},
    {Anomaly::too_many_fragments, "too_many_fragments", 1008, "too many fragments in one message"},
    {Anomaly::control_flood, "control_flood", 1008, "too many control frames"},
    {Anomaly::truncated, "truncated", 0, "connection ended inside a frame"},
    {Anomaly::half_close, "half_close", 0, "connection ended without Close"},
    {Anomaly::handshake_invalid, "handshake_invalid", 0, "invalid WebSocket handshake"},
    {Anomaly::handshake_timeout, "handshake_timeout", 0, "handshake took too long"},
    {Anomaly::header_too_large, "header_too_large", 0, "request head over the limit"},
    {Anomaly::smuggling, "smuggling", 0, "ambiguous HTTP framing"},
    {Anomaly::upstream_invalid, "upstream_invalid", 0, "upstream answered with no valid upgrade"},
    {Anomaly::trace_context_invalid, "trace_context_invalid", 0, "trace context is not valid"},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < anomalies.size(); ++i)
    if (static_cast<std::size_t>(anomalies[i].kind) != i || anomalies[i].name.empty()) return false;
  return true;
}
static_assert(in_order(), "one row an anomaly, in the enum's order");

const AnomalyRow& row(Anomaly a) { return anomalies[static_cast<std::size_t>(a)]; }

constexpr std::array<std::string_view, 3> states{"open", "closing", "closed"};
constexpr std::array<std::string_view, 4> initiators{"client", "server", "proxy", "network"};
constexpr std::array<std::string_view, 8> reasons{
    "normal", "heartbeat_timeout", "stuck", "protocol_error", "reset", "limit", "drain", "idle"};
constexpr std::array<std::string_view, 4> reconnect_bases{"guess", "query", "cookie", "client_id"};
static_assert(reconnect_bases.size() == static_cast<std::size_t>(ReconnectBasis::count_));

// Codes (RFC 6455 §7.4, IANA's registry) with which a session ends as somebody meant it to: normal closure, going away,
// none said, service restart. 0: not known.
constexpr std::array<std::uint16_t, 5> calm_codes{0, 1000, 1001, 1005, 1012};
constexpr std::array<std::pair<std::uint16_t, std::string_view>, 14> code_words{{{1002, "protocol error"},
                                                                                 {1003, "unsupported data"},
                                                                                 {1006, "no Close"},
                                                                                 {1007, "invalid data"},
                                                                                 {1008, "policy violation"},
                                                                                 {1009, "message too big"},
                                                                                 {1010, "extension missing"},
                                                                                 {1011, "server error"},
                                                                                 {1013, "try again later"},
                                                                                 {1014, "bad gateway"},
                                                                                 {1015, "TLS failed"},
                                                                                 {3000, "unauthorized"},
                                                                                 {3003, "forbidden"},
                                                                                 {3008, "timeout"}}};

constexpr std::array<std::string_view, 4> invocation_statuses = {"ok", "error", "cancelled", "incomplete"};
constexpr std::array<std::string_view, 6> invocation_ends = {"reply",           "cancel",  "timeout",
                                                             "connection_lost", "evicted", "unanswered"};
constexpr std::array<std::string_view, 7> dialect_errors = {"invalid", "unmatched", "orphan",   "duplicate",
                                                            "evicted", "gap",       "too_large"};
static_assert(dialect_errors.size() == static_cast<std::size_t>(DialectError::count_));

constexpr std::array<std::string_view, static_cast<std::size_t>(ConditionKind::count_)> conditions{"missed_pong",
                                                                                                   "silent"};

}  // namespace

std::string_view name(Anomaly a) { return row(a).name; }
std::uint16_t close_code(Anomaly a) { return row(a).code; }
std::string_view explain(Anomaly a) { return row(a).text; }
std::string_view name(InvocationStatus s) { return invocation_statuses[static_cast<std::size_t>(s)]; }
std::string_view name(InvocationEnd e) { return invocation_ends[static_cast<std::size_t>(e)]; }
std::string_view name(DialectError o) { return dialect_errors[static_cast<std::size_t>(o)]; }
std::string_view name(SessionState s) { return states[static_cast<std::size_t>(s)]; }
std::string_view name(Initiator i) { return initiators[static_cast<std::size_t>(i)]; }
std::string_view name(ReconnectBasis b) { return reconnect_bases[static_cast<std::size_t>(b)]; }
std::string_view name(ConditionKind k) { return conditions[static_cast<std::size_t>(k)]; }
std::string_view name(EndReason r) { return reasons[static_cast<std::size_t>(r)]; }

std::string abnormal_end(std::string_view end_reason, std::uint16_t close_code) {
  // Somebody's decision: then what was said with the Close counts.
  const bool decided = end_reason.empty() || end_reason == name(EndReason::normal) ||
                       end_reason == name(EndReason::drain) || end_reason == name(EndReason::idle);
  if (!decided) {
    if (end_reason == "lost") return "proxy lost";
    if (end_reason == name(EndReason::limit)) return "limit exceeded";
    std::string out(end_reason);
    std::replace(out.begin(), out.end(), '_', ' ');
    return out;
  }
  for (const auto calm : calm_codes)
    if (close_code == calm) return "";
  std::string out = std::to_string(close_code);
  for (const auto& [code, words] : code_words)
    if (code == close_code) return out.append(" ").append(words);
  return out.append(close_code >= 3000 && close_code <= 4999 ? " application error" : " reserved code");
}

std::string_view name(Opcode o) {
  switch (o) {
    case Opcode::continuation:
      return "continuation";
    case Opcode::text:
      return "text";
    case Opcode::binary:
      return "binary";
    case Opcode::close:
      return "close";
    case Opcode::ping:
      return "ping";
    case Opcode::pong:
      return "pong";
  }
  return "reserved";
}

}  // namespace sockeye::model
