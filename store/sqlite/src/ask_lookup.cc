// One word, and everything it may mean: ids by their indexes, texts in one look through the sessions, latest first.
#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "ask.h"
#include "sessions.h"

namespace sockeye::sqlite::ask {
namespace {

using store::Lookup;
using store::LookupQuery;

constexpr std::size_t most_values = 10'000;  // different ones of a place; further ones are not told apart

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// `part` in lower case.
bool contains(std::string_view text, std::string_view part) {
  if (part.empty() || part.size() > text.size()) return false;
  const char first = part.front();
  for (std::size_t at = 0; at + part.size() <= text.size(); ++at) {
    if (lower(text[at]) != first) continue;
    std::size_t same = 1;
    while (same < part.size() && lower(text[at + same]) == part[same]) ++same;
    if (same == part.size()) return true;
  }
  return false;
}

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

bool ends_with(std::string_view id, std::string_view digits) {
  constexpr std::string_view hex = "0123456789abcdef";
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const auto byte = static_cast<unsigned char>(id[id.size() - 1 - i / 2]);
    if (hex[i % 2 == 0 ? byte & 15U : byte >> 4U] != digits[digits.size() - 1 - i]) return false;
  }
  return true;
}

class Looker {
 public:
  Looker(Database& db, const LookupQuery& query)
      : db_(db), query_(query), limit_(std::clamp<std::size_t>(query.limit, 1, 100)) {
    for (const char c : query.text) text_ += lower(c);
  }

  Lookup run() {
    constexpr std::size_t tail_digits = 8;  // what the index of tails holds
    if (!query_.digits.empty() && query_.digits.size() <= 32) {
      sessions_by_head();
      if (query_.digits.size() >= tail_digits && query_.digits.size() < 32) sessions_by_tail(tail_digits);
      if (query_.digits.size() >= tail_digits) traces_by_head();
    }
    // An id that is there is what was meant: nobody needs to wait for the rest.
    if (out_.sessions.empty() && out_.traces.empty()) {
      look_through();
      operations();
    }
    finish();
    return std::move(out_);
  }

 private:
  void take(const store::Session& session) {
    const auto same = [&](const store::Session& s) { return s.id == session.id; };
    if (std::none_of(out_.sessions.begin(), out_.sessions.end(), same)) out_.sessions.push_back(session);
  }

  void sessions_by_head() {
    const auto [from, to] = bounds<base::SessionId>(query_.digits);
    Query rows(db_,
               "SELECT " SOCKEYE_SESSION_COLUMNS
               " FROM session INDEXED BY session_id WHERE id >= ?1 AND id <= ?2 ORDER BY id DESC LIMIT ?3",
               blob(from), blob(to), static_cast<std::int64_t>(limit_ + 1));
    store::Session session;
    while (rows.next()) {
      read_session(rows, session);
      take(session);
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
      if (!ends_with(rows.bytes(1), query_.digits)) continue;
      read_session(rows, session);
      take(session);
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
      if (out_.traces.size() == limit_) {
        out_.more_traces = true;
        return;
      }
      from = next.id<base::TraceId>(0);
      out_.traces.push_back(from);
      sql =
          "SELECT trace_id FROM span INDEXED BY span_identity WHERE trace_id > ?1 AND trace_id <= ?2 "
          "ORDER BY trace_id LIMIT 1";
    }
  }

  void count(store::LookupPlace place, std::string_view value, std::uint64_t time) {
    auto& list = found_[static_cast<std::size_t>(place)];
    auto at = list.find(value);
    if (at == list.end()) {
      if (list.size() >= most_values) return;
      at = list.emplace(std::string(value), store::LookupValue{std::string(value), "", 0, 0}).first;
    }
    ++at->second.count;
    at->second.last_unix_ns = std::max(at->second.last_unix_ns, time);
  }

  void look_through() {
    std::uint16_t code = 0;
    const auto read = std::from_chars(text_.data(), text_.data() + text_.size(), code);
    const bool a_code =
        read.ec == std::errc() && read.ptr == text_.data() + text_.size() && code >= 1000 && code < 5000;
    const std::string digits = query_.digits.size() < 8 ? query_.digits : "";
    std::vector<std::int64_t> by_end;
    Query rows(db_,
               "SELECT number, id, opened, client, target, close_reason, end_reason, close_code, route, instance "
               "FROM session ORDER BY number DESC");
    std::size_t looked = 0;
    while (rows.next()) {
      const std::uint64_t opened = rows.number(2);
      const auto client = rows.text(3);
      if (query_.network) {
        const auto address = store::read_address(client);
        if (address && query_.network->contains(*address)) {
          ++out_.network_sessions;
          out_.network_last_unix_ns = std::max(out_.network_last_unix_ns, opened);
          count(store::LookupPlace::client, without_port(client), opened);
        }
      } else {
        if (contains(client, text_)) count(store::LookupPlace::client, without_port(client), opened);
        constexpr std::pair<store::LookupPlace, int> columns[] = {{store::LookupPlace::target, 4},
                                                                  {store::LookupPlace::close_reason, 5},
                                                                  {store::LookupPlace::end, 6},
                                                                  {store::LookupPlace::route, 8},
                                                                  {store::LookupPlace::instance, 9}};
        for (const auto& [place, column] : columns)
          if (const auto text = rows.text(column); contains(text, text_)) count(place, text, opened);
        if (a_code && rows.integer(7) == code) count(store::LookupPlace::end, text_, opened);
      }
      if (!digits.empty() && by_end.size() <= limit_ && ends_with(rows.bytes(1), digits))
        by_end.push_back(rows.integer(0));
      if ((++looked & 255U) == 0 && db_.late()) break;
    }
    out_.complete = !db_.late();
    store::Session session;
    for (const auto number : by_end) {
      Query row(db_, "SELECT " SOCKEYE_SESSION_COLUMNS " FROM session WHERE number = ?1", number);
      if (!row.next()) continue;
      read_session(row, session);
      take(session);
    }
  }

  // The port is of one connection; who is looked for is the client.
  static std::string_view without_port(std::string_view client) {
    if (client.starts_with('[')) return client.substr(1, std::min(client.find(']'), client.size()) - 1);
    const auto colon = client.find(':');
    return client.find(':', std::min(colon, client.size() - 1) + 1) == std::string_view::npos ? client.substr(0, colon)
                                                                                              : client;
  }

  void operations() {
    if (query_.network) return;
    auto& list = found_operations_;
    Query rows(db_, "SELECT service, name, seen FROM operation");
    while (rows.next()) {
      if (!contains(rows.text(1), text_)) continue;
      list.push_back({std::string(rows.text(1)), std::string(rows.text(0)), 0, rows.number(2) * 1'000'000});
    }
    if (db_.late()) out_.complete = false;
  }

  void finish() {
    for (std::size_t i = 0; i < found_.size(); ++i) {
      auto& values = out_.places[i].values;
      for (auto& [value, each] : found_[i]) values.push_back(std::move(each));
    }
    out_.places[static_cast<std::size_t>(store::LookupPlace::operation)].values = std::move(found_operations_);
    for (auto& list : out_.places) {
      list.total = list.values.size();
      std::stable_sort(list.values.begin(), list.values.end(), [](const auto& a, const auto& b) {
        return std::tie(b.last_unix_ns, a.value, a.service) < std::tie(a.last_unix_ns, b.value, b.service);
      });
      if (list.values.size() > limit_) list.values.resize(limit_);
    }
    std::stable_sort(out_.sessions.begin(), out_.sessions.end(), [](const auto& a, const auto& b) {
      return std::tie(b.opened_unix_ns, a.id) < std::tie(a.opened_unix_ns, b.id);
    });
    out_.more_sessions = out_.sessions.size() > limit_;
    if (out_.more_sessions) out_.sessions.resize(limit_);
  }

  Database& db_;
  const LookupQuery& query_;
  const std::size_t limit_;
  std::string text_;
  Lookup out_;
  std::array<std::map<std::string, store::LookupValue, std::less<>>, store::lookup_places> found_;
  std::vector<store::LookupValue> found_operations_;
};

}  // namespace

base::Result<Lookup> lookup(Database& db, const LookupQuery& query) {
  if (query.text.empty() && query.digits.empty() && !query.network) return Lookup{};
  return Looker(db, query).run();
}

}  // namespace sockeye::sqlite::ask
