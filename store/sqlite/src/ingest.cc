#include "ingest.h"

#include "body.h"
#include "sockeye/store/session.h"

namespace sockeye::sqlite {

Ingest::Ingest(Database& db, std::int64_t touch_ms, std::int64_t now_ms)
    : db_(db), dictionary_(db), block_(db), rollup_(db), sessions_(db, touch_ms), series_(db) {
  find_out(now_ms);
}

void Ingest::find_out(std::int64_t now_ms) {
  next_span_ = block_.rebuild(now_ms) + 1;
  Query newest(db_, "SELECT ifnull(max(id), 0) FROM log");
  next_log_ = newest.next() ? newest.integer(0) + 1 : 1;
}

void Ingest::lost(std::int64_t now_ms) {
  dictionary_.forget();
  rollup_.forget();
  find_out(now_ms);
}

std::int64_t Ingest::origin(const store::Batch& batch, std::uint32_t place, std::int64_t now_ms) {
  std::int64_t& id = origins_[place];
  if (id == 0) {
    encode_origin(batch, batch.origins[place], body_);
    id = dictionary_.origin(batch.origins[place].service, body_, now_ms);
  }
  return id;
}

void Ingest::add(const store::Batch& batch, std::int64_t now_ms, Counted& counted) {
  origins_.assign(batch.origins.size(), 0);
  for (const auto& span : batch.spans) add_span(batch, span, now_ms, counted);
  for (const auto& log : batch.logs) add_log(batch, log, now_ms);
  counted.logs += static_cast<std::int64_t>(batch.logs.size());
  for (const auto& session : batch.sessions) counted.sessions += sessions_.write(session, now_ms) ? 1 : 0;
  if (!batch.points.empty()) series_.write(batch.points, now_ms);
  if (!batch.fleet.empty()) series_.write(batch.fleet);
  if (!batch.totals.empty()) series_.write(batch.totals);
  if (!batch.presences.empty()) series_.write(batch.presences);
}

void Ingest::add_span(const store::Batch& batch, const store::Span& span, std::int64_t now_ms, Counted& counted) {
  const std::int64_t from = origin(batch, span.origin, now_ms);
  const std::int64_t operation =
      dictionary_.operation(batch.origins[span.origin].service, span.name, span.kind, now_ms);
  encode_span(batch, span, body_);
  const std::uint64_t duration = span.end_unix_ns - span.start_unix_ns;  // modulo 2^64, and back the same way
  const base::SessionId session = span.session.value_or(base::SessionId{});
  Query(db_,
        "INSERT OR IGNORE INTO span(id, trace_id, span_id, parent_id, start, duration, kind, status, flags, origin, "
        "operation, session, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        next_span_, blob(span.trace_id), blob(span.span_id), unless_zero(span.parent_id),
        column_time(span.start_unix_ns), duration, span.kind, span.status, span.flags, from, operation,
        MaybeBlob{blob(session).bytes, span.session.has_value()}, Blob{body_})
      .run();
  if (sqlite3_changes(db_.raw()) == 0) {
    ++counted.duplicates;
    return;
  }
  const std::int64_t id = next_span_++;
  ++counted.spans;
  const auto figures = store::figures_of(batch.of(span.attributes), span.duration_ns());
  block_.add(batch, span, figures, id, operation, from, body_.size(), now_ms);
  if (block_.ready()) block_.finish(now_ms);
  rollup_.add({operation, span.start_unix_ns, span.status == 2, figures});
  if (const auto known = store::session_of(batch, span)) counted.sessions += sessions_.write(*known, now_ms) ? 1 : 0;
}

void Ingest::add_log(const store::Batch& batch, const store::Log& log, std::int64_t now_ms) {
  const std::int64_t from = origin(batch, log.origin, now_ms);
  encode_log(batch, log, body_);
  Query(db_,
        "INSERT INTO log(id, arrived, time, trace_id, span_id, severity, origin, body) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        next_log_++, now_ms, column_time(log.time_unix_ns), unless_zero(log.trace_id), unless_zero(log.span_id),
        log.severity, from, Blob{body_})
      .run();
}

void Ingest::flush(std::int64_t now_ms) { rollup_.flush(now_ms); }

}  // namespace sockeye::sqlite
