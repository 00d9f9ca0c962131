#include "block.h"

#include <algorithm>

#include "body.h"
#include "sockeye/model/names.h"
#include "sockeye/store/match.h"
#include "sockeye/store/value_text.h"

namespace sockeye::sqlite {
namespace {
constexpr std::uint64_t most_spans = 1024;
constexpr std::uint64_t most_bytes = 8U << 20U;
constexpr std::size_t enough_terms = 64U << 10U;

store::Figures figures(const store::Batch& batch, const store::Span& span) {
  return store::figures_of(batch.of(span.attributes), span.duration_ns());
}
}  // namespace

bool Block::ready() const {
  return spans_ >= most_spans || bytes_ >= most_bytes || terms_.size() >= enough_terms || terms_.full();
}

void Block::add_attributes(std::span<const store::Attribute> attributes) {
  store::ValueText scratch;
  std::string_view text;
  for (const auto& each : attributes) {
    const Term key = key_term(each.key);
    terms_.add(key);
    if (store::value_text(each.value, scratch, text)) terms_.add(value_term(key, text));
  }
}

void Block::add_text(std::string_view key, std::string_view value) {
  if (value.empty()) return;
  terms_.add(key_term(key));
  terms_.add(value_term(key_term(key), value));
}

// What a search with `fields` looks at besides (store::SpanQuery).
void Block::add_fields(const store::Batch& batch, const store::Span& span) {
  add_text(model::attribute::otel_status_description, span.status_message);
  add_text(model::attribute::w3c_tracestate, span.trace_state);
  for (const auto& event : batch.events_of(span)) {
    add_text(model::attribute::event, event.name);
    add_attributes(batch.of(event.attributes));
  }
}

void Block::add(const store::Batch& batch, const store::Span& span, const store::Figures& figures, std::int64_t id,
                std::int64_t operation, std::int64_t origin, std::size_t size, std::int64_t now_ms) {
  if (spans_++ == 0) {
    first_ = id;
    oldest_ms_ = now_ms;
  } else if (id != last_ + 1) {
    whole_ = false;
  }
  last_ = id;
  columns_.add(batch, span, figures, operation);
  bytes_ += size;
  const std::int64_t start = column_time(span.start_unix_ns);
  min_start_ = std::min(min_start_, start);
  max_start_ = std::max(max_start_, start);
  max_duration_ = std::max(max_duration_, span.duration_ns());

  add_attributes(batch.of(span.attributes));
  add_fields(batch, span);
  const store::Origin& from = batch.origins[span.origin];
  if (origins_.add(static_cast<Term>(origin) + 1)) {
    add_attributes(batch.of(from.resource));
    add_attributes(batch.of(from.scope));
    add_text(model::attribute::otel_scope_name, from.scope_name);
    add_text(model::attribute::otel_scope_version, from.scope_version);
  }
  const unsigned power = duration_power(span.duration_ns());
  const Term shape = (static_cast<Term>(operation) << 16U) | (Term{power} << 8U) | (Term{span.kind} << 4U) |
                     (Term{span.status} << 1U) | 1U;
  if (!shapes_.add(shape) && !shapes_.full()) return;
  terms_.add(kind_term(span.kind));
  for (const std::uint64_t whom :
       {anyone(), of_service(from.service), of_name(span.name), of_operation(from.service, span.name)}) {
    terms_.add(presence_term(whom));
    if (span.status != 0) terms_.add(status_term(whom, span.status));
    terms_.add(duration_term(whom, power));
  }
}

void Block::finish(std::int64_t now_ms) {
  if (spans_ == 0) return;
  Query(db_,
        "INSERT INTO block(id, first, last, spans, arrived, min_start, max_start, max_duration, fields) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)",
        next_, first_, last_, spans_, now_ms, min_start_, max_start_, column_time(max_duration_))
      .run();
  for (unsigned slice = 0; slice < filter_slices; ++slice) {
    terms_.bits(slice, next_, bits_);
    Query(db_, "INSERT INTO filter(slice, block, bits) VALUES(?1, ?2, ?3)", slice, next_, Blob{bits_}).run();
  }
  write_columns(next_, columns_, whole_);
  ++next_;
  clear();
}

void Block::write_columns(std::int64_t block, const ColumnsWriter& columns, bool whole) {
  if (whole) {
    columns.encode(data_);
    Query(db_, "INSERT OR REPLACE INTO columns(block, data) VALUES(?1, ?2)", block, Blob{data_}).run();
  }
  std::array<std::int64_t, store::measures> largest{};
  for (std::size_t i = 0; i < largest.size(); ++i)
    largest[i] = whole ? column_time(columns.largest()[i]) : INT64_MAX;  // of spans that are read one by one
  Query(db_,
        "UPDATE block SET max_first_chunk = ?2, max_last_chunk = ?3, max_longest_pause = ?4, max_perceived = ?5 "
        "WHERE id = ?1",
        block, largest[1], largest[2], largest[3], largest[4])
      .run();
}

bool Block::fill_in() {
  std::int64_t block = 0, first = 0, last = 0;
  {
    Query next(db_, "SELECT id, first, last FROM block WHERE max_first_chunk IS NULL ORDER BY id DESC LIMIT 1");
    if (!next.next()) {
      filled_in_ = true;
      return false;
    }
    block = next.integer(0);
    first = next.integer(1);
    last = next.integer(2);
  }
  ColumnsWriter columns;
  std::int64_t next = first;
  each_span(db_, first, last,
            [&](const store::Batch& batch, const store::Span& span, std::int64_t id, std::int64_t operation,
                std::int64_t, std::size_t) {
              if (id == next) columns.add(batch, span, figures(batch, span), operation);
              ++next;
            });
  write_columns(block, columns, next == last + 1);
  return true;
}

void Block::clear() {
  columns_.clear();
  whole_ = true;
  terms_.clear();
  origins_.clear();
  shapes_.clear();
  first_ = 0;
  min_start_ = INT64_MAX;
  max_start_ = 0;
  max_duration_ = spans_ = bytes_ = 0;
}

std::int64_t Block::rebuild(std::int64_t now_ms) {
  clear();
  next_ = 1;
  last_ = 0;
  {
    Query newest(db_, "SELECT id, last FROM block ORDER BY id DESC LIMIT 1");
    if (newest.next()) {
      next_ = newest.integer(0) + 1;
      last_ = newest.integer(1);
    }
  }
  each_span(db_, last_ + 1, INT64_MAX,
            [&](const store::Batch& batch, const store::Span& span, std::int64_t id, std::int64_t operation,
                std::int64_t origin,
                std::size_t size) { add(batch, span, figures(batch, span), id, operation, origin, size, now_ms); });
  return last_;
}

void each_span(Database& db, std::int64_t first, std::int64_t last, const TakeSpan& take) {
  Query rows(db,
             "SELECT s.id, s.start, s.duration, s.kind, s.status, s.operation, s.origin, s.body, o.service, "
             "ifnull(p.name, ''), o.body FROM span s JOIN origin o ON o.id = s.origin "
             "LEFT JOIN operation p ON p.id = s.operation WHERE s.id BETWEEN ?1 AND ?2 ORDER BY s.id",
             first, last);
  while (rows.next()) {
    store::Batch batch;
    auto& origin = batch.origins.emplace_back();
    origin.service = batch.keep(rows.text(8));
    decode_origin(batch.keep(rows.bytes(10)), batch, origin);
    store::Span span;
    span.start_unix_ns = rows.number(1);
    span.end_unix_ns = span.start_unix_ns + rows.number(2);
    span.kind = static_cast<std::uint8_t>(rows.integer(3));
    span.status = static_cast<std::uint8_t>(rows.integer(4));
    span.name = batch.keep(rows.text(9));
    const auto body = batch.keep(rows.bytes(7));
    decode_span(body, batch, span);
    take(batch, span, rows.integer(0), rows.integer(5), rows.integer(6), body.size());
  }
}

}  // namespace sockeye::sqlite
