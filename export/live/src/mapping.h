// Which member is which field of live.proto: a line a field, read by whoever writes, reads and checks messages
// (encode.cc, decode.cc). A new figure is a member in its struct, a field in live.proto and a line here.
//
//   io(field, member)            zero is not written, and is what an absent field reads as (proto3)
//   io.always(field, member)     written when it is zero, too
//   io.required(field, member)   a message without it is refused
//   io(field, member, most)      a larger number is refused; a longer text is cut by the writer
//   io.first(field, list, most)  the writer leaves the others out, the reader refuses more
//   io.last(field, list, most)   likewise
#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "live_fields.h"
#include "sockeye/live/messages.h"
#include "sockeye/model/session.h"

namespace sockeye::live {

// Bounds of one message besides its size; what is more goes into the next.
inline constexpr std::size_t most_items = 16'384;      // of each list of a Report
inline constexpr std::size_t most_recorded = 1'024;    // entries of one recorder
inline constexpr std::size_t most_calls = 1'024;       // of one Detail
inline constexpr std::size_t most_watched = 16;        // sessions of an Ask
inline constexpr std::size_t longest_operation = 256;  // bytes of an OpenCall's operation

template <class M, class T>
concept Is = std::same_as<std::remove_const_t<M>, T>;

void map(auto& io, Is<Hello> auto& m) {
  using namespace fields::hello;
  io.required(version, m.version);
  io(instance, m.instance);
  io(service, m.service);
  io(host, m.host);
  io(sockeye_version, m.sockeye_version);
  io(started_unix_ns, m.started_unix_ns);
  io(open_sessions, m.open_sessions);
}

void map(auto& io, Is<model::SessionFacts> auto& m) {
  using namespace fields::opened;
  io.required(id, m.id);
  io(route, m.route);
  io(client, m.client);
  io(target, m.target);
  io(host, m.host);
  io(fields::opened::subprotocol, m.subprotocol);
  io(extensions, m.extensions);
  io(server, m.server);
  io(trace_id, m.trace_id);
  io(opened_unix_ns, m.opened_unix_ns);
  io(reconnect_of, m.reconnect_of);
}

void map(auto& io, Is<model::SessionUpdate> auto& m) {
  using namespace fields::changed;
  auto& f = m.figures;
  io.required(id, m.id);
  io(state, f.state, static_cast<std::size_t>(model::SessionState::closed));
  io(dialect, f.dialect);
  io(messages_client, f.messages[0]);
  io(messages_server, f.messages[1]);
  io(bytes_client, f.bytes[0]);
  io(bytes_server, f.bytes[1]);
  io(rtt_ns_client, f.rtt_ns[0]);
  io(rtt_ns_server, f.rtt_ns[1]);
  io(buffered_bytes_client, f.buffered_bytes[0]);
  io(buffered_bytes_server, f.buffered_bytes[1]);
  io(misses_client, f.misses[0]);
  io(misses_server, f.misses[1]);
  io(missed_total, f.missed_total);
  io(anomalies, f.anomalies);
  io(invocations_open, f.invocations_open);
  io(last_message_unix_ns_client, f.last_message_unix_ns[0]);
  io(last_message_unix_ns_server, f.last_message_unix_ns[1]);
  io(gap_bytes_client, f.gap_bytes[0]);
  io(gap_bytes_server, f.gap_bytes[1]);
}

void map(auto& io, Is<Recorded> auto& m) {
  using namespace fields::recorded;
  io.always(time_unix_ns, m.time_unix_ns);  // protozero drops an empty message
  io(length, m.length);
  io(side, m.side, 1);
  io(opcode, m.opcode, 15);
  io(compressed, m.compressed);
  io(injected, m.injected);
  io(answered, m.answered);
}

void map(auto& io, Is<Ended> auto& m) {
  using namespace fields::ended;
  io.required(last, m.last);
  io(ended_unix_ns, m.end.unix_ns);
  io(code, m.end.code);
  io(why, m.end.why);
  io(initiator, m.end.initiator);
  io(reason, m.end.reason);
  io.last(recorder, m.recorder, most_recorded);
}

void map(auto& io, Is<Summary> auto& m) {
  using namespace fields::summary;
  io.required(route, m.route);
  io(active, m.active);
  io(accepted_total, m.accepted_total);
  io(rejected_total, m.rejected_total);
  io(closed_total, m.closed_total);
  io(reconnects_total, m.reconnects_total);
  io(missed_total, m.missed_total);
  io(messages_total_client, m.messages_total[0]);
  io(messages_total_server, m.messages_total[1]);
  io(bytes_total_client, m.bytes_total[0]);
  io(bytes_total_server, m.bytes_total[1]);
  io(missing_pongs, m.missing_pongs);
  io(buffered_sessions, m.buffered_sessions);
  io(buffered_bytes, m.buffered_bytes);
  io(invocations_open, m.invocations_open);
  io(rtt_p50_ns_client, m.rtt_p50_ns[0]);
  io(rtt_p50_ns_server, m.rtt_p50_ns[1]);
  io(rtt_p99_ns_client, m.rtt_p99_ns[0]);
  io(rtt_p99_ns_server, m.rtt_p99_ns[1]);
}

void map(auto& io, Is<OpenCall> auto& m) {
  using namespace fields::opencall;
  io.always(number, m.number);
  io(operation, m.operation, longest_operation);
  io(opened_by, m.opened_by, 1);
  io(opened_unix_ns, m.opened_unix_ns);
  io(first_chunk_unix_ns, m.first_chunk_unix_ns);
  io(last_chunk_unix_ns, m.last_chunk_unix_ns);
  io(chunks, m.chunks);
  io(trace_id, m.trace_id);
}

void map(auto& io, Is<Detail> auto& m) {
  using namespace fields::detail;
  io.required(id, m.id);
  io.last(recorder, m.recorder, most_recorded);
  io.first(calls, m.calls, most_calls);
}

void map(auto& io, Is<Report> auto& m) {
  using namespace fields::report;
  io(time_unix_ns, m.time_unix_ns);
  io(hello, m.hello);
  io.first(opened, m.opened, most_items);
  io.first(changed, m.changed, most_items);
  io.first(ended, m.ended, most_items);
  io.first(summaries, m.summaries, most_items);
  io.first(details, m.details, most_watched);
  io(all_reported, m.all_reported);
}

void map(auto& io, Is<Ask> auto& m) { io.first(fields::ask::watch, m.watch, most_watched); }

// A flight recorder by itself.
void map(auto& io, Is<std::vector<Recorded>> auto& m) { io.last(fields::recorder::messages, m, most_recorded); }

}  // namespace sockeye::live
