#include "database.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace sockeye::sqlite {

bool Failure::full() const {
  if ((code & 0xff) == SQLITE_FULL) return true;
  // EFBIG is a file size limit (setrlimit), EDQUOT a user's quota; SQLite knows only ENOSPC as "full", and of others it
  // often tells no errno. A device that fails says EIO.
  if (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE) return system != EIO;
  return (code & 0xff) == SQLITE_IOERR && (system == ENOSPC || system == EFBIG || system == EDQUOT);
}

bool Failure::damaged() const { return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB; }

Database::Database(const std::string& path, int flags) {
  if (sqlite3_open_v2(path.c_str(), &handle_, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr) !=
      SQLITE_OK) {
    Failure failure{SQLITE_CANTOPEN, 0, "cannot be opened"};
    if (handle_ != nullptr)
      failure = {sqlite3_extended_errcode(handle_), sqlite3_system_errno(handle_), sqlite3_errmsg(handle_)};
    close();
    throw failure;
  }
  // Between checkpoints and questions nobody waits long; a lock is never held across questions.
  sqlite3_busy_timeout(handle_, 5000);
}

Database::Database(Database&& other) noexcept { *this = std::move(other); }

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    close();
    handle_ = std::exchange(other.handle_, nullptr);
    statements_ = std::move(other.statements_);
    other.statements_.clear();
  }
  return *this;
}

Database::~Database() { close(); }

void Database::close() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  statements_.clear();
  if (handle_ != nullptr) sqlite3_close(handle_);
  handle_ = nullptr;
}

void Database::fail(const std::string& what) const {
  Failure failure{sqlite3_extended_errcode(handle_), sqlite3_system_errno(handle_), what};
  failure.message += sqlite3_errmsg(handle_);
  if ((failure.code & 0xff) == SQLITE_IOERR) {
    failure.message += " " + std::to_string(failure.code);  // which kind: https://sqlite.org/rescode.html
    if (failure.system != 0)
      failure.message += std::string(": ") + std::strerror(failure.system);  // NOLINT(concurrency-mt-unsafe)
  }
  throw failure;
}

void Database::run(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail("");
}

sqlite3_stmt* Database::prepared(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr &&
      sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    statements_.erase(sql);
    fail("");
  }
  return statement;
}

void Database::limit(Deadline deadline) {
  deadline_ = deadline;
  late_ = false;
  // Every few thousand steps of SQLite's machine: some 100 µs.
  sqlite3_progress_handler(
      handle_, 4000, [](void* self) { return static_cast<Database*>(self)->late() ? 1 : 0; }, this);
}

bool Database::late() {
  if (!late_ && std::chrono::steady_clock::now() >= deadline_) late_ = true;
  return late_;
}

bool Query::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  if ((code & 0xff) == SQLITE_INTERRUPT) {
    db_.note_late();
    return false;
  }
  db_.fail("");
}

std::string_view Query::text(int column) {
  const auto* const from = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return {from == nullptr ? "" : from, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string_view Query::bytes(int column) {
  const auto* const from = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return {from == nullptr ? "" : from, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

// An empty view's pointer may be null, which SQLite would take for NULL.
void Query::put(int at, std::string_view text) {
  sqlite3_bind_text64(statement_, at, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}
void Query::put(int at, Blob value) {
  sqlite3_bind_blob64(statement_, at, value.bytes.empty() ? "" : value.bytes.data(), value.bytes.size(), SQLITE_STATIC);
}
void Query::put(int at, MaybeBlob value) {
  if (value.there) {
    put(at, Blob{value.bytes});
  } else {
    sqlite3_bind_null(statement_, at);
  }
}

}  // namespace sockeye::sqlite
