// One word, and everything it may mean: ids by their indexes, texts in one look through the sessions, latest first.
#include <string>
#include <utility>

#include "ask.h"
#include "sessions.h"
#include "sockeye/store/summaries.h"

namespace sockeye::sqlite::ask {
namespace {

using store::Lookup;
using store::LookupQuery;

// The smallest and largest id that begin with the digits.
template <class Id>
std::pair<Id, Id> bounds(std::string_view digits) {
  std::pair<Id, Id> out;
  out.second.bytes.fill(0xFF);
  for (std::size_t i = 0; i < digits.size() && i < 2 * out.first.bytes.size(); ++i) {
    const char c = digits[i];
    const auto nibble = static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    const unsigned shift = i % 2 == 0 ? 4 : 0;
    for (auto* id : {&out.first, &out.second}) {
      auto& byte = id->bytes[i / 2];
      byte = static_cast<std::uint8_t>((byte & ~(15U << shift)) | unsigned{nibble} << shift);
    }
  }
  return out;
}

class Looker {
 public:
  Looker(Database& db, const LookupQuery& query) : db_(db), query_(query), sum_(query) {}

  Lookup run() {
    constexpr std::size_t tail_digits = 8;  // what the index of tails holds
    if (!query_.digits.empty() && query_.digits.size() <= 32) {
      sessions_by_head();
      if (query_.digits.size() >= tail_digits && query_.digits.size() < 32) sessions_by_tail(tail_digits);
      if (query_.digits.size() >= tail_digits) traces_by_head();
    }
    if (!sum_.found_an_id()) {
      look_through();
      operations();
    }
    return std::move(sum_).result();
  }

 private:
  void sessions_by_head() {
    const auto [from, to] = bounds<base::SessionId>(query_.digits);
    Query rows(db_,
               "SELECT " SOCKEYE_SESSION_COLUMNS
               " FROM session INDEXED BY session_id WHERE id >= ?1 AND id <= ?2 ORDER BY id DESC LIMIT ?3",
               blob(from), blob(to), static_cast<std::int64_t>(sum_.limit() + 1));
    store::Session session;
    while (rows.next()) {
      read_session(rows, session);
      sum_.add_session(session);
    }
  }

  void sessions_by_tail(std::size_t tail_digits) {
    const auto tail = bounds<base::SessionId>(std::string(32 - tail_digits, '0') +
                                              query_.digits.substr(query_.digits.size() - tail_digits))
                          .first;
    const std::string_view last = blob(tail).bytes.substr(16 - tail_digits / 2);
    Query rows(db_,
               "SELECT " SOCKEYE_SESSION_COLUMNS
               " FROM session INDEXED BY session_tail WHERE substr(id, 13) = ?1 ORDER BY number DESC LIMIT 1000",
               Blob{last});
    store::Session session;
    while (rows.next()) {
      read_session(rows, session);
      if (!store::ends_with_digits(session.id, query_.digits)) continue;
      sum_.add_session(session);
    }
  }

  void traces_by_head() {
    auto [from, to] = bounds<base::TraceId>(query_.digits);
    // From one to the next by the index, past all spans of each.
    const char* sql =
        "SELECT trace_id FROM span INDEXED BY span_identity WHERE trace_id >= ?1 AND trace_id <= ?2 "
        "ORDER BY trace_id LIMIT 1";
    while (true) {
      Query next(db_, sql, blob(from), blob(to));
      if (!next.next()) return;
      from = next.id<base::TraceId>(0);
      sum_.add_trace(from);
      if (sum_.enough_traces()) return;
      sql =
          "SELECT trace_id FROM span INDEXED BY span_identity WHERE trace_id > ?1 AND trace_id <= ?2 "
          "ORDER BY trace_id LIMIT 1";
    }
  }

  void look_through() {
    const std::string digits = query_.digits.size() < 8 ? query_.digits : "";
    std::vector<std::int64_t> by_end;
    Query rows(db_,
               "SELECT number, id, opened, client, target, close_reason, end_reason, close_code, route, instance "
               "FROM session ORDER BY number DESC");
    std::size_t looked = 0;
    while (rows.next()) {
      sum_.add_texts({rows.text(3), rows.text(4), rows.text(5), rows.text(6), rows.text(8), rows.text(9),
                      static_cast<std::uint16_t>(rows.integer(7)), rows.number(2)});
      if (!digits.empty() && by_end.size() <= sum_.limit() &&
          store::ends_with_digits(rows.id<base::SessionId>(1), digits))
        by_end.push_back(rows.integer(0));
      if ((++looked & 255U) == 0 && db_.late()) break;
    }
    if (db_.late()) sum_.set_incomplete();
    store::Session session;
    for (const auto number : by_end) {
      Query row(db_, "SELECT " SOCKEYE_SESSION_COLUMNS " FROM session WHERE number = ?1", number);
      if (!row.next()) continue;
      read_session(row, session);
      sum_.add_session(session);
    }
  }

  void operations() {
    if (query_.network) return;
    Query rows(db_, "SELECT service, name, seen FROM operation");
    while (rows.next()) sum_.add_operation(rows.text(0), rows.text(1), rows.number(2) * 1'000'000);
    if (db_.late()) sum_.set_incomplete();
  }

  Database& db_;
  const LookupQuery& query_;
  store::LookupSum sum_;
};

}  // namespace

base::Result<Lookup> lookup(Database& db, const LookupQuery& query) {
  if (query.text.empty() && query.digits.empty() && !query.network) return Lookup{};
  return Looker(db, query).run();
}

}  // namespace sockeye::sqlite::ask
