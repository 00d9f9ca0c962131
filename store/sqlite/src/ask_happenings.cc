// Opens and ends of sessions, counted by step.
#include <algorithm>
#include <utility>

#include "ask.h"
#include "sockeye/store/summaries.h"

namespace sockeye::sqlite::ask {
namespace {

using store::Happening;

constexpr std::size_t most_happenings = 100'000;

// Both ends belong to it.
std::pair<std::int64_t, std::int64_t> columns_of(const store::TimeRange& time) {
  const std::int64_t last = column_time(time.to_unix_ns);
  return {column_time(time.from_unix_ns), time.to_unix_ns <= static_cast<std::uint64_t>(INT64_MAX) ? last - 1 : last};
}

// Open sessions have the end of time in the column of ends, which is not asked for.
#define SOCKEYE_HAPPENING(column, index, order)                                                    \
  "SELECT " column " FROM session INDEXED BY session_" index " WHERE " column " >= ?1 AND " column \
  " <= ?2 AND (?3 = '' OR route = ?3) AND (?4 = '' OR instance = ?4) ORDER BY " column " " order " LIMIT 1"

}  // namespace

base::Result<std::optional<std::uint64_t>> happening(Database& db, const store::HappeningsQuery& query, bool last) {
  std::optional<std::uint64_t> out;
  if (query.time.from_unix_ns >= query.time.to_unix_ns) return out;
  const auto [first, end] = columns_of(query.time);
  for (const char* sql :
       {last ? SOCKEYE_HAPPENING("opened", "opened", "DESC") : SOCKEYE_HAPPENING("opened", "opened", "ASC"),
        last ? SOCKEYE_HAPPENING("ended", "ended", "DESC") : SOCKEYE_HAPPENING("ended", "ended", "ASC")}) {
    Query row(db, sql, first, std::min(end, INT64_MAX - 1), std::string_view(query.route),
              std::string_view(query.instance));
    if (!row.next()) continue;
    const std::uint64_t time = row.number(0);
    out = out ? (last ? std::max(*out, time) : std::min(*out, time)) : time;
  }
  if (db.late()) return base::fail("looking for what happened took too long: ask for less time, or for longer steps");
  return out;
}

base::Result<store::Page<Happening>> happenings(Database& db, const store::HappeningsQuery& query) {
  store::Page<Happening> out;
  if (query.step_ns == 0) return base::fail("a step has a length");
  if (query.time.from_unix_ns >= query.time.to_unix_ns) return out;
  const auto [first, last] = columns_of(query.time);
  store::HappeningSteps found(query.step_ns);
  {
    Query rows(db,
               "SELECT opened, id, route, instance, reconnect_of IS NOT NULL FROM session INDEXED BY session_opened "
               "WHERE opened >= ?1 AND opened <= ?2 AND (?3 = '' OR route = ?3) AND (?4 = '' OR instance = ?4) "
               "ORDER BY opened, number",
               first, last, std::string_view(query.route), std::string_view(query.instance));
    while (found.size() <= most_happenings && rows.next())
      found.opened(rows.number(0), rows.id<base::SessionId>(1), rows.text(2), rows.text(3), rows.integer(4) != 0);
  }
  {
    // Open sessions have the end of time in this column.
    Query rows(db,
               "SELECT ended, id, route, instance, end_reason, initiator, close_code FROM session INDEXED BY "
               "session_ended WHERE ended >= ?1 AND ended <= min(?2, 9223372036854775806) AND (?3 = '' OR route = ?3) "
               "AND (?4 = '' OR instance = ?4) ORDER BY ended, number",
               first, last, std::string_view(query.route), std::string_view(query.instance));
    while (found.size() <= most_happenings && rows.next())
      found.ended(rows.number(0), rows.id<base::SessionId>(1), rows.text(2), rows.text(3), rows.text(4), rows.text(5),
                  static_cast<std::uint16_t>(rows.integer(6)));
  }
  if (found.size() > most_happenings)
    return base::fail("so much happened that it is too much for one answer: ask for less time");
  out.complete = !db.late();
  out.items = std::move(found).all();
  return out;
}

}  // namespace sockeye::sqlite::ask
