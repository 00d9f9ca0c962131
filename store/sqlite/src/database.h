// A connection to SQLite and its statements. A connection belongs to one thread at a time. Statements are prepared once
// and kept by the address of their text, so every text is a literal; a Query resets its statement when it goes, so that
// no read transaction outlives its question.
//
// Inside this module a failure of SQLite is thrown; nothing of it leaves (store.cc, writer.cc).
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

#include "sockeye/base/ids.h"

namespace sockeye::sqlite {

struct Failure {
  int code = 0;    // SQLite's extended result code
  int system = 0;  // errno, where there was one
  std::string message;
  [[nodiscard]] bool full() const;     // no room, or over a quota
  [[nodiscard]] bool damaged() const;  // not a database, or a broken one
};

using Deadline = std::chrono::steady_clock::time_point;

class Database {
 public:
  Database() = default;
  Database(const std::string& path, int flags);
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  void run(const std::string& sql);  // statements without rows or values: pragmas, BEGIN
  [[nodiscard]] sqlite3_stmt* prepared(const char* sql);
  [[nodiscard]] sqlite3* raw() const { return handle_; }
  [[noreturn]] void fail(const std::string& what) const;

  // From now on statements stop at the deadline: Query::next() is false and late() true.
  void limit(Deadline deadline);
  [[nodiscard]] Deadline deadline() const { return deadline_; }
  [[nodiscard]] bool late();  // looks at the clock
  void note_late() { late_ = true; }

 private:
  void close();

  sqlite3* handle_ = nullptr;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
  Deadline deadline_ = Deadline::max();
  bool late_ = false;
};

struct Blob {
  std::string_view bytes;
};
template <std::size_t N, class Tag>
[[nodiscard]] Blob blob(const base::Id<N, Tag>& id) {
  return {{reinterpret_cast<const char*>(id.bytes.data()), N}};
}
// NULL where there is none.
struct MaybeBlob {
  std::string_view bytes;
  bool there = false;
};
template <std::size_t N, class Tag>
[[nodiscard]] MaybeBlob unless_zero(const base::Id<N, Tag>& id) {
  return {blob(id).bytes, !id.is_zero()};
}

class Query {
 public:
  // Binds `values` in their order: integers, text (string_view), Blob, MaybeBlob. They must stay until the next row is
  // not asked for any more.
  template <class... Values>
  Query(Database& db, const char* sql, const Values&... values) : db_(db), statement_(db.prepared(sql)) {
    int at = 0;
    (bind(++at, values), ...);
  }
  ~Query() { sqlite3_reset(statement_); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  bool next();  // a row; false: no more, or late
  void run() {
    while (next()) {
    }
  }

  [[nodiscard]] std::int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] std::uint64_t number(int column) { return static_cast<std::uint64_t>(integer(column)); }
  [[nodiscard]] bool null(int column) { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  // Valid until the next row.
  [[nodiscard]] std::string_view text(int column);
  [[nodiscard]] std::string_view bytes(int column);
  template <class Id>
  [[nodiscard]] Id id(int column) {
    Id out;
    const auto from = bytes(column);
    if (from.size() == out.bytes.size()) std::copy(from.begin(), from.end(), out.bytes.begin());
    return out;
  }

 private:
  template <class Value>
  void bind(int at, const Value& value) {
    if constexpr (std::is_integral_v<Value>) {
      sqlite3_bind_int64(statement_, at, static_cast<std::int64_t>(value));
    } else {
      put(at, value);
    }
  }
  void put(int at, std::string_view text);
  void put(int at, Blob value);
  void put(int at, MaybeBlob value);

  Database& db_;
  sqlite3_stmt* statement_;
};

// A consistent view for as long as it lives.
class Snapshot {
 public:
  explicit Snapshot(Database& db) : db_(db) { db_.run("BEGIN"); }
  ~Snapshot() { sqlite3_exec(db_.raw(), "ROLLBACK", nullptr, nullptr, nullptr); }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Database& db_;
};

// Times as SQLite holds them: what is past 2262 counts as the end of time.
[[nodiscard]] constexpr std::int64_t column_time(std::uint64_t unix_ns) {
  return unix_ns > static_cast<std::uint64_t>(INT64_MAX) ? INT64_MAX : static_cast<std::int64_t>(unix_ns);
}

// Span::duration_ns() of a row: column `duration` is end - start modulo 2^64.
[[nodiscard]] constexpr std::uint64_t duration_of(std::uint64_t start, std::uint64_t difference) {
  return start + difference > start ? difference : 0;
}

}  // namespace sockeye::sqlite
