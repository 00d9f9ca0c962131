#include "matcher.h"

#include <algorithm>

#include "body.h"

namespace sockeye::sqlite {
namespace {
constexpr std::size_t most_remembered = 4096;
}

Matcher::Matcher(Database& db, const store::SpanQuery& query) : db_(db), query_(query) {
  from_ = column_time(query.time.from_unix_ns);
  if (query.time.to_unix_ns <= static_cast<std::uint64_t>(INT64_MAX))
    until_ = static_cast<std::int64_t>(query.time.to_unix_ns) - 1;
  if (!query.attributes.empty()) all_attributes_ = ~std::uint64_t{0} >> (64 - query.attributes.size());
  possible_ = from_ <= until_ && query.min_duration_ns <= query.max_duration_ns;
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
  for (const auto& [key, value] : q.attributes)
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
}

bool Matcher::operation_fits(std::int64_t id) {
  const auto known = operations_.find(id);
  if (known != operations_.end()) return known->second;
  if (operations_.size() >= most_remembered) operations_.clear();
  Query row(db_, "SELECT service, name FROM operation WHERE id = ?1", id);
  const bool fits = row.next() && (query_.service.empty() || row.text(0) == query_.service) &&
                    (query_.operation.empty() || row.text(1) == query_.operation);
  operations_.emplace(id, fits);
  return fits;
}

std::uint64_t Matcher::origin_has(std::int64_t id) {
  const auto known = origins_.find(id);
  if (known != origins_.end()) return known->second;
  if (origins_.size() >= most_remembered) origins_.clear();
  std::uint64_t has = 0;
  Query row(db_, "SELECT body FROM origin WHERE id = ?1", id);
  if (row.next()) {
    store::Batch batch;
    store::Origin origin;
    decode_origin(row.bytes(0), batch, origin);
    has = attributes_matched(batch.of(origin.resource), query_.attributes) |
          attributes_matched(batch.of(origin.scope), query_.attributes);
    if (query_.fields)
      has |= text_matched(field_key::scope_name, origin.scope_name, query_.attributes) |
             text_matched(field_key::scope_version, origin.scope_version, query_.attributes);
  }
  origins_.emplace(id, has);
  return has;
}

bool Matcher::row(Query& row) {
  if (!in_time(row.integer(1))) return false;
  const std::uint64_t duration = duration_of(exact_start(row.bytes(8), row.integer(1)), row.number(2));
  if (duration < query_.min_duration_ns || duration > query_.max_duration_ns) return false;
  if (query_.kind && row.integer(3) != *query_.kind) return false;
  if (query_.status && row.integer(4) != *query_.status) return false;
  if (query_.not_error && row.integer(4) == 2) return false;
  if ((!query_.service.empty() || !query_.operation.empty()) && !operation_fits(row.integer(5))) return false;
  if (query_.session && row.id<base::SessionId>(7) != *query_.session) return false;
  if (all_attributes_ == 0) return true;
  const std::uint64_t has = origin_has(row.integer(6));
  return has == all_attributes_ ||
         (has | attributes_matched(row.bytes(8), query_.attributes, query_.fields)) == all_attributes_;
}

}  // namespace sockeye::sqlite
