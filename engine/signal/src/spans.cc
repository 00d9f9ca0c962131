#include "sockeye/signal/spans.h"

#include <algorithm>
#include <array>
#include <string>

#include "begin_span.h"
#include "sockeye/model/abnormal_end.h"
#include "sockeye/signal/redact.h"

namespace sockeye::signal {
namespace {

using model::Side;
using model::Span;

constexpr std::size_t client = model::index(Side::client);
constexpr std::size_t server = model::index(Side::server);

// OpenTelemetry: other methods are _OTHER, so that a hostile one does not become a value to group by.
std::string method_name(std::string_view method) {
  static constexpr std::array<std::string_view, 9> known{"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                         "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  return std::string(std::find(known.begin(), known.end(), method) != known.end() ? method : "_OTHER");
}

void put_pings(Span& span, const PingFigures& leg, std::string_view rtt, std::string_view rtt_min,
               std::string_view missed, std::string_view late) {
  if (leg.rtt_last) put(span, rtt, base::seconds(*leg.rtt_last));
  if (leg.rtt_min) put(span, rtt_min, base::seconds(*leg.rtt_min));
  put_count(span, missed, leg.missed);
  if (leg.late > 0) put_count(span, late, leg.late);
}

void put_figures(Span& span, const ConnectionFigures& figures) {
  const auto& from_client = figures.counts[client];
  const auto& from_server = figures.counts[server];
  put_count(span, attribute::websocket_messages_sent, from_server.data_messages());
  put_count(span, attribute::websocket_messages_received, from_client.data_messages());
  put_count(span, attribute::websocket_bytes_sent, from_server.bytes);
  put_count(span, attribute::websocket_bytes_received, from_client.bytes);
  if (figures.longest_gap[server].count() > 0)
    put(span, attribute::websocket_longest_gap_sent, base::seconds(figures.longest_gap[server]));
  if (figures.longest_gap[client].count() > 0)
    put(span, attribute::websocket_longest_gap_received, base::seconds(figures.longest_gap[client]));
  put_pings(span, figures.pings[client], attribute::websocket_ping_client_rtt, attribute::websocket_ping_client_rtt_min,
            attribute::websocket_ping_client_missed, attribute::websocket_ping_client_late);
  put_pings(span, figures.pings[server], attribute::websocket_ping_upstream_rtt,
            attribute::websocket_ping_upstream_rtt_min, attribute::websocket_ping_upstream_missed,
            attribute::websocket_ping_upstream_late);
  if (figures.anomalies > 0) put_count(span, attribute::websocket_anomalies, figures.anomalies);
}

}  // namespace

Span handshake_span(const SessionAttributes& session, const TracePlace& place, Interval when,
                    const HandshakeOutcome& outcome) {
  Span span = begin_span(model::span_name::handshake, model::SpanKind::server, session, place, when);
  if (!outcome.method.empty()) put(span, attribute::http_request_method, method_name(outcome.method));
  if (outcome.status != 0) put(span, attribute::http_response_status_code, std::int64_t{outcome.status});
  put_text(span, attribute::user_agent_original, outcome.user_agent);
  if (outcome.status != 101)
    fail(span,
         outcome.kind != model::Anomaly::none ? std::string(model::name(outcome.kind))
         : outcome.status != 0                ? std::to_string(outcome.status)
                                              : "_OTHER",  // OpenTelemetry's word for what has none
         outcome.why);
  return span;
}

Totals totals(const ConnectionFigures& figures) {
  Totals out;
  for (std::size_t side = 0; side < 2; ++side) {
    out.messages[side] = figures.counts[side].data_messages();
    out.bytes[side] = figures.counts[side].bytes;
  }
  return out;
}

Span connection_span(const SessionAttributes& session, const TracePlace& place, Interval when,
                     const ConnectionFigures& figures, base::WallOffset wall) {
  Span span = begin_span(model::span_name::connection, model::SpanKind::internal, session, place, when);
  put_figures(span, figures);
  if (figures.close == nullptr) return span;
  const model::CloseInfo& close = *figures.close;
  put_count(span, attribute::websocket_close_code, close.code);
  put_text(span, attribute::websocket_close_reason, printable(close.reason));
  put_text(span, attribute::websocket_close_initiator, model::name(close.initiator));
  put_text(span, attribute::websocket_end_reason, model::name(close.why));
  if (close.silent) {
    put_text(span, attribute::websocket_silent_leg, model::leg_name(*close.silent));
    const std::uint64_t since_ms = wall.unix_ns(close.silent_since) / 1'000'000;
    put(span, attribute::websocket_silent_since, static_cast<double>(since_ms) / 1e3);
  }
  const bool decided = close.why == model::EndReason::normal || close.why == model::EndReason::drain ||
                       close.why == model::EndReason::idle;
  if (!model::abnormal_end(model::name(close.why), close.code).empty())
    fail(span, decided ? std::to_string(close.code) : std::string(model::name(close.why)), close.reason);
  return span;
}

Span segment_span(const SessionAttributes& session, const TracePlace& connection, const base::SpanId& segment,
                  Interval when, const ConnectionFigures& figures, const Totals& before, std::uint64_t index) {
  TracePlace place = connection;
  place.parent_id = connection.span_id;
  place.span_id = segment;
  place.parent_is_remote = false;
  Span span = begin_span(model::span_name::connection_segment, model::SpanKind::internal, session, place, when);
  put_count(span, attribute::websocket_segment_index, index);
  put_figures(span, figures);
  const Totals now = totals(figures);
  put_count(span, attribute::websocket_segment_messages_sent, now.messages[server] - before.messages[server]);
  put_count(span, attribute::websocket_segment_messages_received, now.messages[client] - before.messages[client]);
  put_count(span, attribute::websocket_segment_bytes_sent, now.bytes[server] - before.bytes[server]);
  put_count(span, attribute::websocket_segment_bytes_received, now.bytes[client] - before.bytes[client]);
  return span;
}

}  // namespace sockeye::signal
