// Reports with something in every field, for round trips.
#pragma once

#include <cstdint>

#include "sockeye/live/messages.h"

namespace sockeye::live::test {

inline base::SessionId session(std::uint8_t number) {
  base::SessionId id;
  id.bytes.fill(0x5a);
  id.bytes.back() = number;
  return id;
}

inline base::TraceId trace(std::uint8_t number) {
  base::TraceId id;
  id.bytes.fill(0xa5);
  id.bytes.back() = number;
  return id;
}

inline model::SessionFacts opened(std::uint8_t number) {
  model::SessionFacts out;
  out.id = session(number);
  out.route = "chat";
  out.client = "192.0.2.7";
  out.target = "/socket?room=ä";
  out.host = "chat.example";
  out.subprotocol = "graphql-transport-ws";
  out.extensions = "permessage-deflate";
  out.server = "10.0.0.1:9000";
  out.trace_id = trace(number);
  out.opened_unix_ns = 1'700'000'000'000'000'001;
  out.reconnect_of = session(99);
  return out;
}

inline model::SessionUpdate changed(std::uint8_t number) {
  model::SessionUpdate out;
  out.id = session(number);
  out.figures.state = model::SessionState::closing;
  out.figures.dialect = "json-rpc";
  out.figures.messages = {1, 300};
  out.figures.bytes = {70'000, UINT64_MAX};
  out.figures.rtt_ns = {0, 12'345'678};
  out.figures.buffered_bytes = {4096, 1};
  out.figures.misses = {1, UINT32_MAX};
  out.figures.missed_total = 5;
  out.figures.anomalies = 6;
  out.figures.invocations_open = 7;
  out.figures.gap_bytes = {8, 1448};
  out.figures.last_message_unix_ns = {1'700'000'000'000'000'002, 1'700'000'000'000'000'003};
  return out;
}

inline std::vector<Recorded> recorder() {
  return {{1'700'000'000'000'000'004, (1ULL << 48U) - 1, 1, 2, true, false}, {0, 0, 0, 9, false, true}, {}};
}

inline Ended ended(std::uint8_t number) {
  return {changed(number), {1'700'000'000'000'000'005, 65'535, "heartbeat_timeout", "proxy", "gone"}, recorder()};
}

inline Summary summary() {
  Summary out;
  out.route = "chat";
  out.active = 1;
  out.accepted_total = 2;
  out.rejected_total = 3;
  out.closed_total = 4;
  out.reconnects_total = 5;
  out.missed_total = 6;
  out.messages_total = {7, 8};
  out.bytes_total = {9, 10};
  out.missing_pongs = 11;
  out.buffered_sessions = 12;
  out.buffered_bytes = 13;
  out.invocations_open = 14;
  out.rtt_p50_ns = {15, 0};
  out.rtt_p99_ns = {17, 18};
  return out;
}

inline Detail detail(std::uint8_t number) {
  Detail out;
  out.id = session(number);
  out.recorder = recorder();
  out.calls = {{1, "subscribe", 1, 2, 3, 4, 5, trace(6)}, {}};
  return out;
}

inline Report report() {
  Report out;
  out.time_unix_ns = 1'700'000'000'000'000'000;
  out.hello = Hello{1, "0190-instance", "shop", "host-1", "0.1.0", 1'600'000'000'000'000'000, 100'000};
  out.opened = {opened(1), opened(2)};
  out.changed = {changed(1), changed(3)};
  out.ended = {ended(4)};
  out.summaries = {summary()};
  out.details = {detail(1)};
  out.all_reported = true;
  return out;
}

}  // namespace sockeye::live::test
