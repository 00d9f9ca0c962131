#include "matcher.h"

#include <algorithm>

#include "body.h"
#include "sockeye/store/value_text.h"

namespace sockeye::sqlite {
namespace {
constexpr std::size_t most_remembered = 1U << 16U;
}

Matcher::Matcher(Database& db, const store::SpanQuery& query) : db_(db), query_(query) {
  from_ = column_time(query.time.from_unix_ns);
  if (query.time.to_unix_ns <= static_cast<std::uint64_t>(INT64_MAX))
    until_ = static_cast<std::int64_t>(query.time.to_unix_ns) - 1;
  attributes_ = store::wanted_attributes(query);
  if (!query.without.empty()) without_ = {{query.without, ""}};
  all_attributes_ = store::all_of(attributes_);
  possible_ = from_ <= until_ && query.min_duration_ns <= query.max_duration_ns &&
              (!query.measure || query.least_measure < query.below_measure);
  choose_terms();
  if (query.service.empty() || query.operation.empty()) return;
  Query row(db_, "SELECT id FROM operation WHERE service = ?1 AND name = ?2", std::string_view(query.service),
            std::string_view(query.operation));
  if (row.next()) {
    operation_ = row.integer(0);
  } else if (!db_.late()) {
    possible_ = false;
  }
}

void Matcher::choose_terms() {
  const auto& q = query_;
  std::uint64_t whom = anyone();
  if (!q.service.empty() && !q.operation.empty()) {
    whom = of_operation(q.service, q.operation);
  } else if (!q.service.empty()) {
    whom = of_service(q.service);
  } else if (!q.operation.empty()) {
    whom = of_name(q.operation);
  }
  for (const auto& [key, value] : attributes_)
    groups_.push_back({value.empty() ? key_term(key) : value_term(key_term(key), value)});
  if (q.min_duration_ns > 0 || q.max_duration_ns != UINT64_MAX) {
    auto& group = groups_.emplace_back();
    for (unsigned power = duration_power(q.min_duration_ns); power <= duration_power(q.max_duration_ns); ++power)
      group.push_back(duration_term(whom, power));
  }
  if (q.status && *q.status != 0) {
    groups_.push_back({status_term(whom, *q.status)});
  } else if (whom != anyone()) {
    groups_.push_back({presence_term(whom)});
  }
  if (q.kind) groups_.push_back({kind_term(*q.kind)});
  for (const auto& measure : {q.measure, q.sort})
    if (measure && *measure != store::Measure::duration) groups_.push_back({key_term(store::attribute_of(*measure))});
}

bool Matcher::operation_fits(std::int64_t id) {
  const auto known = operations_.find(id);
  if (known != operations_.end()) return known->second;
  if (operations_.size() >= most_remembered) operations_.clear();
  Query row(db_, "SELECT service, name FROM operation WHERE id = ?1", id);
  const bool fits = row.next() && (query_.service.empty() || row.text(0) == query_.service) &&
                    (query_.operation.empty() || row.text(1) == query_.operation) &&
                    store::holds_folded(row.text(1), query_.operation_contains);
  operations_.emplace(id, fits);
  return fits;
}

std::uint64_t Matcher::origin_has(std::int64_t id, const Wanted& wanted,
                                  std::unordered_map<std::int64_t, std::uint64_t>& remembered) {
  const auto known = remembered.find(id);
  if (known != remembered.end()) return known->second;
  if (remembered.size() >= most_remembered) remembered.clear();
  std::uint64_t has = 0;
  Query row(db_, "SELECT body FROM origin WHERE id = ?1", id);
  if (row.next()) {
    store::Batch batch;
    store::Origin origin;
    decode_origin(row.bytes(0), batch, origin);
    has = store::origin_matched(batch, origin, wanted, query_.fields);
  }
  remembered.emplace(id, has);
  return has;
}

bool Matcher::row(Query& row) {
  if (!in_time(row.integer(1))) return false;
  const std::uint64_t duration = duration_of(exact_start(row.bytes(8), row.integer(1)), row.number(2));
  if (duration < query_.min_duration_ns || duration > query_.max_duration_ns) return false;
  if (query_.kind && row.integer(3) != *query_.kind) return false;
  if (query_.status && row.integer(4) != *query_.status) return false;
  if (query_.not_error && row.integer(4) == 2) return false;
  if (names_asked() && !operation_fits(row.integer(5))) return false;
  if (query_.session && row.id<base::SessionId>(7) != *query_.session) return false;
  if ((query_.measure || query_.sort) && !store::figures_fit(query_, span_of(row).figures)) return false;
  if (!without_.empty() &&
      (body_matched(row.bytes(8), without_, false) != 0 || origin_has(row.integer(6), without_, origins_without_) != 0))
    return false;
  if (all_attributes_ == 0) return true;
  const std::uint64_t has = origin_has(row.integer(6), attributes_, origins_);
  return has == all_attributes_ || (has | body_matched(row.bytes(8), attributes_, query_.fields)) == all_attributes_;
}

bool Matcher::names_asked() const {
  return !query_.service.empty() || !query_.operation.empty() || !query_.operation_contains.empty();
}

bool Matcher::fits(const SpanRow& f) {
  const std::uint64_t duration = f.figures.of(store::Measure::duration);
  if (!in_time(f.start) || duration < query_.min_duration_ns || duration > query_.max_duration_ns) return false;
  if (query_.kind && f.kind != *query_.kind) return false;
  if (query_.status && f.status != *query_.status) return false;
  if (query_.not_error && f.status == 2) return false;
  if (query_.calls && f.figures.status == store::CallStatus::none) return false;
  if (!store::figures_fit(query_, f.figures)) return false;
  if (!names_asked()) return true;
  return operation_ != 0 && query_.operation_contains.empty() ? f.operation == operation_ : operation_fits(f.operation);
}

Place Matcher::place(const SpanRow& f) const {
  const std::int64_t key = query_.sort ? column_time(f.figures.of(*query_.sort)) : f.start;
  return {query_.ascending ? INT64_MAX - key : key, f.id};
}

SpanRow Matcher::span_of(Query& row) const {
  SpanRow out;
  out.id = row.integer(0);
  out.start = row.integer(1);
  out.operation = row.integer(5);
  out.kind = static_cast<std::uint8_t>(row.integer(3));
  out.status = static_cast<std::uint8_t>(row.integer(4));
  out.figures = span_figures(row.bytes(8), duration_of(exact_start(row.bytes(8), row.integer(1)), row.number(2)));
  return out;
}

}  // namespace sockeye::sqlite
