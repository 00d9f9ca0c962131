// The live stream: what a proxy reports of its sessions to a console, once a second, as values. One WebSocket a proxy
// (subprotocol sockeye-live.v1), binary messages, each a Report one way or an Ask the other; the bytes are specified in
// docs/formats/live.md and live.proto. Changes and summaries, never everything again: a session that did nothing costs
// nothing. After (re)connecting a proxy says Hello and then reports every open session again: a resync.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/ids.h"
#include "sockeye/base/result.h"
#include "sockeye/model/session_record.h"

namespace sockeye::live {

inline constexpr std::string_view subprotocol = "sockeye-live.v1";
inline constexpr std::string_view path = "/api/v1/live/report";
// Largest encoded message, bytes, either way; more is sent as several.
inline constexpr std::size_t largest_message = 1 << 20;
inline constexpr std::size_t longest_text = 4096;  // of any string; what is longer is cut by the sender

struct Hello {
  std::uint32_t version = 1;
  std::string instance, service, host, sockeye_version;  // instance: service.instance.id, new with every start
  std::uint64_t started_unix_ns = 0;
  std::uint64_t open_sessions = 0;  // that the resync will report
  friend bool operator==(const Hello&, const Hello&) = default;
};

struct Recorded {
  std::uint64_t time_unix_ns = 0, length = 0;
  std::uint8_t side = 0, opcode = 0;                            // model::Side of the sender; RFC 6455 §11.8
  bool compressed = false, injected = false, answered = false;  // answered: an injected ping whose pong came
  friend bool operator==(const Recorded&, const Recorded&) = default;
};

struct Ended {
  model::SessionUpdate last;
  model::SessionEnd end;
  std::vector<Recorded> recorder;  // oldest first; empty: not kept
  friend bool operator==(const Ended&, const Ended&) = default;
};

// One route over the time since the last report.
struct Summary {
  std::string route;
  std::uint64_t active = 0;
  std::uint64_t accepted_total = 0, rejected_total = 0, closed_total = 0, reconnects_total = 0, missed_total = 0;
  std::array<std::uint64_t, 2> messages_total{}, bytes_total{};  // since the proxy started
  std::uint64_t missing_pongs = 0, buffered_sessions = 0, buffered_bytes = 0, invocations_open = 0;
  std::array<std::optional<std::uint64_t>, 2> rtt_p50_ns, rtt_p99_ns;  // by leg, over open sessions' last pongs
  friend bool operator==(const Summary&, const Summary&) = default;
};

struct OpenCall {
  std::uint64_t number = 0;
  std::string operation;
  std::uint8_t opened_by = 0;                                                         // model::Side
  std::uint64_t opened_unix_ns = 0, first_chunk_unix_ns = 0, last_chunk_unix_ns = 0;  // 0: not yet
  std::uint64_t chunks = 0;
  base::TraceId trace_id;
  friend bool operator==(const OpenCall&, const OpenCall&) = default;
};

// Answers an Ask, once a second for as long as it is watched.
struct Detail {
  base::SessionId id;
  std::vector<Recorded> recorder;
  std::vector<OpenCall> calls;
  friend bool operator==(const Detail&, const Detail&) = default;
};

struct Report {
  std::uint64_t time_unix_ns = 0;
  std::optional<Hello> hello;
  std::vector<model::SessionFacts> opened;
  std::vector<model::SessionUpdate> changed;  // absolute figures: a lost report is made good by the next
  std::vector<Ended> ended;
  std::vector<Summary> summaries;
  std::vector<Detail> details;
  bool all_reported = false;  // every session that was open at hello has been reported
  friend bool operator==(const Report&, const Report&) = default;
};

// Console → proxy: the sessions somebody looks at; replaces the ask before. At most 16.
struct Ask {
  std::vector<base::SessionId> watch;
  friend bool operator==(const Ask&, const Ask&) = default;
};

// One message, whatever its size.
[[nodiscard]] std::string encode(const Report&);
// As many as it takes to keep each within largest_message: to be sent, and applied, in order. all_reported comes with
// the last. At least one, even of an empty report.
[[nodiscard]] std::vector<std::string> encode_parts(const Report&);
[[nodiscard]] std::string encode(const Ask&);
// Unknown fields are skipped (a newer peer); what is malformed, too large or out of range is an error: a message or
// text beyond its limit, a session without an id, text that is not UTF-8. Bounded: a decoded value holds at most a
// small multiple of the bytes it came from.
[[nodiscard]] base::Result<Report> decode_report(base::Bytes);
[[nodiscard]] base::Result<Ask> decode_ask(base::Bytes);
// The flight recorder alone, as a Report carries it: what a store keeps of an ended session.
[[nodiscard]] std::string encode(const std::vector<Recorded>&);
[[nodiscard]] base::Result<std::vector<Recorded>> decode_recorder(base::Bytes);

}  // namespace sockeye::live
