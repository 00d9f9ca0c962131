// A span query, ready to be held against rows and against filters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "columns.h"
#include "database.h"
#include "filter.h"
#include "sockeye/store/cursor.h"
#include "sockeye/store/match.h"
#include "sockeye/store/query.h"

namespace sockeye::sqlite {

// The columns Matcher::row() expects, in its order.
#define SOCKEYE_MATCH_COLUMNS "id, start, duration, kind, status, operation, origin, session, body, trace_id"

using store::Place;

class Matcher {
 public:
  // At most 62 attributes.
  Matcher(Database& db, const store::SpanQuery& query);

  // False for certain: no span can match.
  [[nodiscard]] bool possible() const { return possible_; }
  [[nodiscard]] bool row(Query& row);
  // The same of what columns tell: all but attributes (but needs_span() says whether there is more to ask), route and
  // session.
  [[nodiscard]] bool fits(const SpanRow& span);
  [[nodiscard]] bool needs_span() const { return !query_.attributes.empty() || !query_.without.empty(); }
  // Of a span that matches.
  [[nodiscard]] Place place(const SpanRow& span) const;
  [[nodiscard]] SpanRow span_of(Query& row) const;
  [[nodiscard]] bool in_time(std::int64_t start) const { return start >= from_ && start <= until_; }
  [[nodiscard]] std::int64_t from() const { return from_; }
  [[nodiscard]] std::int64_t until() const { return until_; }  // the last start that counts
  [[nodiscard]] std::uint64_t min_duration() const { return query_.min_duration_ns; }
  // The one operation that is asked for; 0: any.
  [[nodiscard]] std::int64_t operation() const { return operation_; }
  [[nodiscard]] const store::SpanQuery& query() const { return query_; }

  // A block can have a match only if, of each group, it may hold a term. Those of one group lie in the same slice.
  using Groups = std::vector<std::vector<Term>>;
  [[nodiscard]] const Groups& groups() const { return groups_; }
  // How many of them, from the first on, say nothing of a block whose filter is without fields.
  [[nodiscard]] std::size_t groups_of_fields() const { return query_.fields ? query_.attributes.size() : 0; }

 private:
  [[nodiscard]] bool operation_fits(std::int64_t id);
  using Wanted = store::Wanted;
  [[nodiscard]] std::uint64_t origin_has(std::int64_t id, const Wanted& wanted,
                                         std::unordered_map<std::int64_t, std::uint64_t>& remembered);
  [[nodiscard]] bool names_asked() const;
  void choose_terms();

  Database& db_;
  const store::SpanQuery& query_;
  Wanted attributes_;  // those asked for, and what stands for others
  Wanted without_;
  std::int64_t from_ = 0, until_ = INT64_MAX;
  std::uint64_t all_attributes_ = 0;
  bool possible_ = true;
  std::int64_t operation_ = 0;
  Groups groups_;
  std::unordered_map<std::int64_t, bool> operations_;
  std::unordered_map<std::int64_t, std::uint64_t> origins_, origins_without_;
};

}  // namespace sockeye::sqlite
