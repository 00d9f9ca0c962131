#include "search.h"

#include <algorithm>

#include "filter.h"

namespace sockeye::sqlite {
namespace {
// How long the walk goes on before the filters of all blocks are asked: some milliseconds.
constexpr std::size_t patience_entries = 8192, patience_rows = 512;
}  // namespace

// `index` gives start and id, latest first.
Search::End Search::walk(Query& index, Collector& to) {
  while (index.next()) {
    const Place place{index.integer(0), index.integer(1)};
    if (to.enough(place)) return End::enough;
    if (place.id <= from_.top && candidates_.worth_reading(place.id)) {
      Query row(db_, "SELECT " SOCKEYE_MATCH_COLUMNS " FROM span WHERE id = ?1", place.id);
      if (!row.next()) return End::late;  // it is there: this is a snapshot
      ++read_;
      if (matcher_.row(row)) to.take(place, row.id<base::TraceId>(9));
    }
    reached_ = place;
    if ((++looked_at_ & 31U) == 0 && db_.late()) return End::late;
    if (!candidates_.empty() && (looked_at_ >= patience_entries || read_ >= patience_rows)) return End::tired;
  }
  return db_.late() ? End::late : End::all;
}

Search::End Search::walk_starts(Collector& to) {
  const std::int64_t until = std::min(matcher_.until(), from_.after.start);
  if (until == from_.after.start) {  // others began at the same moment as the last one answered
    Query rest(db_, "SELECT start, id FROM span INDEXED BY span_start WHERE start = ?1 AND id < ?2 ORDER BY id DESC",
               until, from_.after.id);
    const End end = walk(rest, to);
    if (end != End::all || until == 0) return end;
  }
  Query index(db_,
              "SELECT start, id FROM span INDEXED BY span_start WHERE start <= ?1 AND start >= ?2 "
              "ORDER BY start DESC, id DESC",
              until == from_.after.start ? until - 1 : until, matcher_.from());
  return walk(index, to);
}

Search::End Search::walk_session(Collector& to) {
  Query index(db_,
              "SELECT start, id FROM span INDEXED BY span_session WHERE session = ?1 AND start <= ?2 AND start >= ?3 "
              "AND (start < ?4 OR id < ?5) ORDER BY start DESC, id DESC",
              blob(*matcher_.query().session), std::min(matcher_.until(), from_.after.start), matcher_.from(),
              from_.after.start, from_.after.id);
  return walk(index, to);
}

Search::End Search::read_rows(std::int64_t first, std::int64_t last, Collector& to) {
  // What SQLite can tell by two columns it need not hand over with ten.
  Query rows(db_,
             "SELECT " SOCKEYE_MATCH_COLUMNS
             " FROM span WHERE id BETWEEN ?1 AND ?2 AND (?3 = 0 OR operation = ?3) AND (?4 < 0 OR status = ?4) "
             "AND start BETWEEN ?5 AND ?6",
             first, std::min(last, from_.top), matcher_.operation(),
             matcher_.query().status ? int{*matcher_.query().status} : -1, matcher_.from(),
             std::min(matcher_.until(), reached_.start));
  while (rows.next()) {
    const Place place{rows.integer(1), rows.integer(0)};
    if (!reached_.later_than(place)) continue;  // the walk was there
    if (!to.enough(place) && matcher_.row(rows)) to.take(place, rows.id<base::TraceId>(9));
  }
  return db_.late() ? End::late : End::all;
}

Search::End Search::read_candidates(Collector& to) {
  if (read_rows(candidates_.last_id() + 1, INT64_MAX, to) == End::late) return End::late;
  candidates_.ask_filters();
  if (db_.late()) return End::late;
  std::vector<const Candidates::Block*> candidates;
  for (auto& block : candidates_.blocks()) {
    if (candidates_.may_hold_match(block, 1)) candidates.push_back(&block);
    if (db_.late()) return End::late;
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const auto* a, const auto* b) { return a->max_start > b->max_start; });
  for (const auto* block : candidates) {
    if (to.enough({block->max_start, block->last})) return End::enough;
    if (read_rows(block->first, block->last, to) == End::late) return End::late;
  }
  return End::all;
}

Found Search::run(Collector& to) {
  if (!matcher_.possible()) return {};
  reached_ = from_.after;
  End end = End::all;
  if (matcher_.query().session) {
    end = walk_session(to);
  } else {
    if (!matcher_.groups().empty()) candidates_.read();
    end = walk_starts(to);
    if (end == End::tired) end = read_candidates(to);
  }
  return {end != End::late, reached_};
}

}  // namespace sockeye::sqlite
