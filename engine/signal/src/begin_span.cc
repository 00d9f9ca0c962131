#include "begin_span.h"

#include <algorithm>

#include "sockeye/signal/redact.h"

namespace sockeye::signal {

using model::Span;

namespace {

struct Authority {
  std::string_view name;
  std::uint16_t port = 0;
};
// A Host field the parser accepted.
Authority split_host(std::string_view host, bool tls) {
  Authority out{host, static_cast<std::uint16_t>(tls ? 443 : 80)};
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || (host.front() == '[' && host.back() == ']')) return out;
  out.name = host.substr(0, colon);
  unsigned port = 0;
  for (const char c : host.substr(colon + 1)) port = std::min(port * 10 + static_cast<unsigned>(c - '0'), 65536U);
  if (colon + 1 < host.size() && port <= 65535) out.port = static_cast<std::uint16_t>(port);
  return out;
}

}  // namespace

Span begin_span(std::string_view name, model::SpanKind kind, const SessionAttributes& session, const TracePlace& place,
                Interval when) {
  Span span;
  span.name = name;
  span.trace_id = place.trace_id;
  span.span_id = place.span_id;
  span.parent_id = place.parent_id;
  span.trace_state = place.trace_state;
  span.flags = place.flags;
  span.parent_is_remote = place.parent_is_remote;
  span.kind = kind;
  span.start_unix_ns = when.start_ns;
  span.end_unix_ns = std::max(when.start_ns, when.end_ns);
  span.attributes.reserve(40);
  put(span, attribute::websocket_session_id, base::to_uuid(session.id));
  put(span, attribute::network_protocol_name, std::string("websocket"));
  put_text(span, attribute::sockeye_vantage, session.vantage);
  put_text(span, attribute::sockeye_route, session.route);
  put_text(span, attribute::sockeye_dialect, session.dialect);
  put(span, attribute::url_scheme, std::string(session.tls ? "wss" : "ws"));
  const auto mark = session.target.find('?');
  put_text(span, attribute::url_path, session.target.substr(0, mark));
  if (mark != std::string_view::npos) put_text(span, attribute::url_query, session.target.substr(mark + 1));
  if (!session.host.empty()) {
    const auto [address, port] = split_host(session.host, session.tls);
    put_text(span, attribute::server_address, address);
    put_count(span, attribute::server_port, port);
  }
  put_text(span, attribute::client_address, session.client_address);
  if (session.client_port != 0) put_count(span, attribute::client_port, session.client_port);
  put_text(span, attribute::sockeye_upstream_address, session.upstream_address);
  if (session.upstream_port != 0) put_count(span, attribute::sockeye_upstream_port, session.upstream_port);
  put_text(span, attribute::websocket_subprotocol, session.subprotocol);
  put_text(span, attribute::websocket_extensions, session.extensions);
  if (!session.reconnect_of.is_zero()) {
    put(span, attribute::websocket_reconnect_of, base::to_uuid(session.reconnect_of));
    put_text(span, attribute::websocket_reconnect_of_basis, model::name(session.reconnect_basis));
  }
  return span;
}

void fail(Span& span, std::string type, std::string_view message) {
  put(span, attribute::error_type, std::move(type));
  span.status = model::SpanStatus::error;
  span.status_message = printable(message);
}

}  // namespace sockeye::signal
