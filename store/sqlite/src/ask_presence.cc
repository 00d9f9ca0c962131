#include "ask.h"
#include "series.h"

namespace sockeye::sqlite::ask {

base::Result<std::vector<store::Presence>> presences(Database& db, store::TimeRange range) {
  std::vector<store::Presence> out;
  Query rows(db,
             "SELECT who, instance, began, until, started, ended, service, host, version FROM presence "
             "WHERE until >= ?1 AND began < ?2 ORDER BY began",
             column_time(range.from_unix_ns), column_time(range.to_unix_ns));
  while (rows.next()) {
    auto& to = out.emplace_back();
    to.who = rows.integer(0) == 0 ? store::Presence::Who::console : store::Presence::Who::proxy;
    to.instance.assign(rows.text(1));
    to.from_unix_ns = rows.number(2);
    to.until_unix_ns = rows.number(3);
    to.started_unix_ns = rows.number(4);
    const auto end = rows.integer(5);
    if (end > 0 && end <= 3) to.end = static_cast<store::Presence::End>(end);
    to.service.assign(rows.text(6));
    to.host.assign(rows.text(7));
    to.version.assign(rows.text(8));
  }
  if (db.late()) return base::fail("the question took too long: ask for a shorter time");
  return out;
}

base::Result<std::vector<store::RouteTotals>> totals(Database& db) {
  std::vector<store::RouteTotals> out;
  Query rows(db, "SELECT instance, route, time, data, version FROM total");
  while (rows.next()) {
    store::RouteTotals each;
    each.instance.assign(rows.text(0));
    each.route.assign(rows.text(1));
    each.time_unix_ns = rows.number(2);
    decode_counts(rows.integer(4), rows.bytes(3), each.counts);
    out.push_back(std::move(each));
  }
  return out;
}

}  // namespace sockeye::sqlite::ask
