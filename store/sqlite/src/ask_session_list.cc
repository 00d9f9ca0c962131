// Sessions of a time, in the order that is asked for. The latest to open and the latest to end are walked along an
// index until the page is full. By any other rank, and with attributes, those that fit are found first: their ranks and
// numbers alone, 16 bytes each; then they are read in order.
//
// Attributes are of spans. Where few spans have them, their sessions are all there can be; where many have, most
// sessions do, and each is asked in its turn.
#include <algorithm>
#include <array>
#include <unordered_set>

#include "ask.h"
#include "matcher.h"
#include "search.h"
#include "sessions.h"
#include "sockeye/store/session.h"

namespace sockeye::sqlite::ask {
namespace {

using store::Session;
using store::SessionQuery;

constexpr std::size_t few_spans = 20'000;

struct Range {
  std::int64_t first = 0, last = 0;  // ended at `first` or later, opened at `last` or before
};

void read_latest(Query& row, const SessionQuery& q, std::uint64_t as_of, Session& to) {
  read_session(row, to);
  store::take_latest(to, q, as_of);
}

constexpr char list_mark = 'c';
// Which order answers are in, as cursors say it.
std::string order_of(const SessionQuery& q) {
  return std::to_string(static_cast<int>(q.sort)) + (q.ascending ? "a" : "d");
}

// From `from` on in the order that was asked for. Open sessions have an end after all others.
const char* walk_of(const SessionQuery& q) {
  if (q.sort == SessionQuery::Sort::ended) {
    if (q.abnormal)
      return "SELECT " SOCKEYE_SESSION_COLUMNS
             " FROM session INDEXED BY session_abnormal WHERE abnormal = 1 AND opened <= ?1 AND ended >= ?2 "
             "AND ended <= ?3 AND (ended < ?3 OR (ended = ?3 AND number < ?4)) ORDER BY ended DESC, number DESC";
    return "SELECT " SOCKEYE_SESSION_COLUMNS
           " FROM session INDEXED BY session_ended WHERE opened <= ?1 AND ended >= ?2 AND ended <= ?3 "
           "AND (ended < ?3 OR (ended = ?3 AND number < ?4)) ORDER BY ended DESC, number DESC";
  }
  if (q.state == SessionQuery::State::open)  // one end for all: the index is then one of openings
    return "SELECT " SOCKEYE_SESSION_COLUMNS
           " FROM session INDEXED BY session_ended WHERE ended = 9223372036854775807 AND opened <= ?1 "
           "AND ended >= ?2 AND (opened < ?3 OR (opened = ?3 AND number < ?4)) ORDER BY opened DESC, number DESC";
  return "SELECT " SOCKEYE_SESSION_COLUMNS
         " FROM session INDEXED BY session_opened WHERE opened <= min(?1, ?3) AND ended >= ?2 "
         "AND (opened < ?3 OR (opened = ?3 AND number < ?4)) ORDER BY opened DESC, number DESC";
}

store::Page<Session> walk(Database& db, const SessionQuery& query, const Range& range, const Place& from,
                          std::size_t limit) {
  const bool by_end = query.sort == SessionQuery::Sort::ended;
  store::Page<Session> out;
  Place place = from;
  Query rows(db, walk_of(query), range.last, range.first, from.start, from.id);
  Session session;
  while (rows.next()) {
    // The column says what it takes texts to know.
    const bool open = rows.integer(3) == still_open;
    const bool wanted = query.state == SessionQuery::State::any || (query.state == SessionQuery::State::open) == open;
    if (wanted) read_latest(rows, query, query.now_unix_ns, session);
    if (wanted && store::fits(session, query)) {
      if (out.items.size() == limit) {
        out.cursor = to_text({place, 0}, list_mark, order_of(query));
        return out;
      }
      out.items.push_back(session);
    }
    // Behind the last one on the page, or the last one that was looked at.
    if (out.items.size() < limit || (wanted && out.items.back().id == session.id))
      place = {by_end ? rows.integer(3) : rows.integer(2), rows.integer(0)};
  }
  if (!db.late()) {
    if (from == Place{}) out.total = out.items.size();
    return out;
  }
  out.complete = false;
  out.cursor = to_text({place, 0}, list_mark, order_of(query));
  return out;
}

#define SOCKEYE_DURATION "max(0, (CASE ended WHEN 9223372036854775807 THEN seen_ns ELSE ended END) - opened)"
#define SOCKEYE_RANKED(rank, which)                                                                          \
  "SELECT " rank ", number, ended, opened, id, " SOCKEYE_DURATION " FROM session WHERE " which               \
  "opened <= ?1 AND ended >= ?2 AND (?3 = '' OR route = ?3) AND (?4 = '' OR instance = ?4) AND (?5 = '' OR " \
  "dialect = ?5) AND ?6 = '' AND (?7 = '' OR end_reason = ?7) AND "                                          \
  "(?8 = '' OR instr(lower(target), lower(?8)) OR instr(lower(host), lower(?8)) OR "                         \
  "instr(lower(subprotocol), lower(?8)) OR instr(lower(close_reason), lower(?8))) AND "                      \
  "(?9 = 0 OR abnormal = 1) AND (?10 < 0 OR close_code = ?10) AND (?11 = 0 OR (?11 = 1) = (ended = "         \
  "9223372036854775807)) AND ((?15 AND ended = 9223372036854775807) OR " SOCKEYE_DURATION " BETWEEN ?12 AND ?13)"
#define SOCKEYE_BOTH(rank) \
  { SOCKEYE_RANKED(rank, ""), SOCKEYE_RANKED(rank, "id = ?14 AND ") }

// All, and the one of an id, by SessionQuery::Sort.
constexpr std::array<std::array<const char*, 2>, 6> ranked = {
    {SOCKEYE_BOTH("opened"), SOCKEYE_BOTH("ended"), SOCKEYE_BOTH(SOCKEYE_DURATION),
     SOCKEYE_BOTH("messages_client + messages_server"), SOCKEYE_BOTH("bytes_client + bytes_server"),
     SOCKEYE_BOTH("misses")}};

// The sessions of spans that match, unless they are too many.
class Matched final : public Collector {
 public:
  explicit Matched(Database& db) : db_(db) {}
  void take(const Place& place, const base::TraceId&) override {
    ++spans_;
    Query row(db_, "SELECT session FROM span WHERE id = ?1 AND session IS NOT NULL", place.id);
    if (row.next()) ids_.insert(std::string(row.bytes(0)));
  }
  [[nodiscard]] bool enough(const Place&) const override { return spans_ >= few_spans; }
  [[nodiscard]] bool by_trace() const override { return false; }
  [[nodiscard]] bool few() const { return spans_ < few_spans; }
  [[nodiscard]] const std::unordered_set<std::string>& ids() const { return ids_; }

 private:
  Database& db_;
  std::size_t spans_ = 0;
  std::unordered_set<std::string> ids_;
};

// Whether anything is found at all.
class Any final : public Collector {
 public:
  void take(const Place&, const base::TraceId&) override { found_ = true; }
  [[nodiscard]] bool enough(const Place&) const override { return found_; }
  [[nodiscard]] bool by_trace() const override { return false; }
  [[nodiscard]] bool found() const { return found_; }

 private:
  bool found_ = false;
};

class Ranked {
 public:
  // `as_of`: of the first page.
  Ranked(Database& db, const SessionQuery& query, const Range& range, const std::optional<Place>& from,
         std::uint64_t as_of)
      : db_(db), query_(query), range_(range), from_(from), as_of_(as_of) {
    Query top(db, "SELECT ifnull(max(id), 0) FROM span");
    if (top.next()) newest_span_ = top.integer(0);
  }

  store::Page<Session> page(std::size_t limit) {
    find();
    store::Page<Session> out;
    const auto later = [this](const Place& a, const Place& b) { return before(b, a); };
    std::make_heap(found_.begin(), found_.end(), later);
    std::optional<Place> reached;
    for (Session session; !found_.empty();) {
      std::pop_heap(found_.begin(), found_.end(), later);
      const Place next = found_.back();
      found_.pop_back();
      if (out.items.size() == limit) {
        out.cursor = cursor_at(*reached);
        break;
      }
      Query row(db_, "SELECT " SOCKEYE_SESSION_COLUMNS " FROM session WHERE number = ?1", next.id);
      if (row.next()) read_latest(row, query_, as_of_, session);
      if (!db_.late() && store::fits(session, query_) && (!ask_each_ || has_span(session.id)) && !db_.late())
        out.items.push_back(session);
      if (db_.late()) {
        if (reached) out.cursor = cursor_at(*reached);
        break;
      }
      reached = next;
    }
    out.complete = !late_ && !db_.late();
    if (!ask_each_ && !late_ && told_by_columns()) out.total = matched_;
    return out;
  }

 private:
  [[nodiscard]] std::string cursor_at(const Place& place) const {
    return to_text({place, static_cast<std::int64_t>(std::min<std::uint64_t>(as_of_, INT64_MAX))}, list_mark,
                   order_of(query_));
  }
  // What the statement does not ask is asked of each session in its turn.
  [[nodiscard]] bool told_by_columns() const {
    const auto any = [](const store::TimeRange& r) { return r.from_unix_ns == 0 && r.to_unix_ns == UINT64_MAX; };
    return query_.client.empty() && query_.target.empty() && query_.host.empty() && query_.close_reason.empty() &&
           !query_.reconnects && any(query_.opened) && any(query_.ended);
  }
  [[nodiscard]] bool before(const Place& a, const Place& b) const {
    if (a.start != b.start) return query_.ascending ? a.start < b.start : a.start > b.start;
    return query_.ascending ? a.id < b.id : a.id > b.id;
  }

  store::SpanQuery spans() const {
    store::SpanQuery out;
    out.attributes = query_.attributes;
    if (range_.last != INT64_MAX) out.time.to_unix_ns = static_cast<std::uint64_t>(range_.last) + 1;
    return out;
  }

  void find() {
    if (query_.attributes.empty()) return find(nullptr);
    // Not more than half the time: the rest is for asking each.
    const auto deadline = db_.deadline();
    const auto now = std::chrono::steady_clock::now();
    if (deadline != Deadline::max()) db_.limit(now + (deadline - now) / 2);
    const auto asked = spans();
    Matcher matcher(db_, asked);
    Matched matched(db_);
    const bool all = Search(db_, matcher, {{}, newest_span_}).run(matched).complete;
    db_.limit(deadline);
    ask_each_ = !all || !matched.few();
    if (ask_each_) return find(nullptr);
    for (const auto& id : matched.ids()) find(&id);
  }

  void find(const std::string* id) {
    const auto most = [](std::uint64_t ns) { return std::min<std::uint64_t>(ns, INT64_MAX); };
    Query rows(db_, ranked[static_cast<std::size_t>(query_.sort)][id == nullptr ? 0 : 1], range_.last, range_.first,
               std::string_view(query_.route), std::string_view(query_.instance), std::string_view(query_.dialect),
               std::string_view(), std::string_view(query_.end_reason), std::string_view(query_.text),
               query_.abnormal ? 1 : 0, query_.close_code ? int{*query_.close_code} : -1,
               static_cast<int>(query_.state), most(query_.min_duration_ns), most(query_.max_duration_ns),
               Blob{id == nullptr ? std::string_view() : std::string_view(*id)}, query_.latest ? 1 : 0);
    while (rows.next()) {
      Place place{rows.integer(0), rows.integer(1)};
      if (query_.latest && rows.integer(2) == still_open && !rank_open(rows, place)) continue;
      ++matched_;
      if (!from_ || before(*from_, place)) found_.push_back(place);
    }
    late_ = late_ || db_.late();
  }

  // By what is known of it now. False: it does not last as long as is asked for.
  bool rank_open(Query& row, Place& place) {
    const auto latest = store::latest_of(query_, row.id<base::SessionId>(4), as_of_);
    const std::uint64_t opened = row.number(3);
    std::uint64_t duration = row.number(5);
    if (latest) duration = latest->seen_unix_ns > opened ? latest->seen_unix_ns - opened : 0;
    if (duration < query_.min_duration_ns || duration > query_.max_duration_ns) return false;
    if (!latest) return true;
    if (query_.sort == SessionQuery::Sort::duration) place.start = column_time(duration);
    if (query_.sort == SessionQuery::Sort::messages)
      place.start = column_time(latest->figures.messages[0] + latest->figures.messages[1]);
    if (query_.sort == SessionQuery::Sort::bytes)
      place.start = column_time(latest->figures.bytes[0] + latest->figures.bytes[1]);
    if (query_.sort == SessionQuery::Sort::misses) place.start = column_time(latest->figures.missed_total);
    return true;
  }

  bool has_span(const base::SessionId& id) {
    auto asked = spans();
    asked.session = id;
    Matcher matcher(db_, asked);
    Any any;
    static_cast<void>(Search(db_, matcher, {{}, newest_span_}).run(any));
    return any.found();
  }

  Database& db_;
  const SessionQuery& query_;
  const Range range_;
  const std::optional<Place> from_;
  const std::uint64_t as_of_;
  std::int64_t newest_span_ = 0;
  std::vector<Place> found_;  // rank and number
  std::uint64_t matched_ = 0;
  bool ask_each_ = false, late_ = false;
};

}  // namespace

base::Result<store::Page<Session>> sessions(Database& db, const SessionQuery& query) {
  std::optional<Place> from;
  std::uint64_t as_of = query.now_unix_ns;
  if (!query.cursor.empty()) {
    const auto cursor = parse_cursor(query.cursor, list_mark, order_of(query));
    if (!cursor) return base::fail(std::string(store::bad_cursor));
    from = cursor->after;
    if (cursor->top > 0) as_of = std::min(as_of, static_cast<std::uint64_t>(cursor->top));
  }
  if (query.attributes.size() > store::most_wanted) return base::fail("a search has at most 62 attributes");
  if (query.time.to_unix_ns < query.time.from_unix_ns) return store::Page<Session>{};
  Range range{column_time(query.time.from_unix_ns), column_time(query.time.to_unix_ns)};
  if (query.time.to_unix_ns != query.time.from_unix_ns && range.last != INT64_MAX) --range.last;
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, most_answers);
  const bool along_an_index = query.attributes.empty() && !query.ascending &&
                              (query.sort == SessionQuery::Sort::opened || query.sort == SessionQuery::Sort::ended);
  const bool by_end = query.sort == SessionQuery::Sort::ended;
  if (along_an_index && by_end && !from && query.ended.to_unix_ns <= static_cast<std::uint64_t>(INT64_MAX))
    from = Place{std::max<std::int64_t>(static_cast<std::int64_t>(query.ended.to_unix_ns), 1) - 1, INT64_MAX};
  if (along_an_index) return walk(db, query, range, from.value_or(Place{}), limit);
  return Ranked(db, query, range, from, as_of).page(limit);
}

}  // namespace sockeye::sqlite::ask
