#include "load.h"

#include <optional>

#include "body.h"

namespace sockeye::sqlite {

std::optional<std::uint32_t> Load::origin(std::int64_t id) {
  const auto known = origins_.find(id);
  if (known != origins_.end()) return known->second;
  store::Origin origin;
  origin.service = "unknown_service";
  {
    Query row(db_, "SELECT service, body FROM origin WHERE id = ?1", id);
    if (row.next()) {
      origin.service = to_.keep(row.text(0));
      decode_origin(to_.keep(row.bytes(1)), to_, origin);
    } else if (db_.late()) {
      return std::nullopt;
    }
  }
  const auto place = static_cast<std::uint32_t>(to_.origins.size());
  to_.origins.push_back(origin);
  origins_.emplace(id, place);
  return place;
}

std::optional<std::string_view> Load::name(std::int64_t operation) {
  const auto known = names_.find(operation);
  if (known != names_.end()) return known->second;
  std::string_view name;
  Query row(db_, "SELECT name FROM operation WHERE id = ?1", operation);
  if (row.next()) {
    name = to_.keep(row.text(0));
  } else if (db_.late()) {
    return std::nullopt;
  }
  names_.emplace(operation, name);
  return name;
}

bool Load::span(std::int64_t id) {
  Query row(db_,
            "SELECT trace_id, span_id, parent_id, start, duration, kind, status, flags, origin, operation, session, "
            "body FROM span WHERE id = ?1",
            id);
  if (!row.next()) return false;
  store::Span span;
  span.trace_id = row.id<base::TraceId>(0);
  span.span_id = row.id<base::SpanId>(1);
  span.parent_id = row.id<base::SpanId>(2);
  span.start_unix_ns = row.number(3);
  span.end_unix_ns = span.start_unix_ns + row.number(4);
  span.kind = static_cast<std::uint8_t>(row.integer(5));
  span.status = static_cast<std::uint8_t>(row.integer(6));
  span.flags = static_cast<std::uint32_t>(row.integer(7));
  const auto from = origin(row.integer(8));
  const auto named = name(row.integer(9));
  if (!from || !named) return false;
  span.origin = *from;
  span.name = *named;
  if (!row.null(10)) span.session = row.id<base::SessionId>(10);
  decode_span(to_.keep(row.bytes(11)), to_, span);
  to_.spans.push_back(span);
  return true;
}

bool Load::log(std::int64_t id) {
  Query row(db_, "SELECT time, trace_id, span_id, severity, origin, body FROM log WHERE id = ?1", id);
  if (!row.next()) return false;
  store::Log log;
  log.time_unix_ns = row.number(0);
  log.trace_id = row.id<base::TraceId>(1);
  log.span_id = row.id<base::SpanId>(2);
  log.severity = static_cast<std::uint8_t>(row.integer(3));
  const auto from = origin(row.integer(4));
  if (!from) return false;
  log.origin = *from;
  decode_log(to_.keep(row.bytes(5)), to_, log);
  to_.logs.push_back(log);
  return true;
}

}  // namespace sockeye::sqlite
