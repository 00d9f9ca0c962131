#include "plain.h"

#include <cstdio>
#include <cstdlib>

#include "body.h"

namespace sockeye::bench {

void Plain::run(const char* sql) {
  char* message = nullptr;
  if (sqlite3_exec(db_, sql, nullptr, nullptr, &message) == SQLITE_OK) return;
  std::fprintf(stderr, "bench: %s: %s\n", sql, message);
  std::exit(1);
}

Plain::Plain(const std::string& path) {
  if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) std::exit(1);
  run("PRAGMA page_size = 16384");
  run("PRAGMA journal_mode = WAL");
  run("PRAGMA synchronous = FULL");
  run("PRAGMA wal_autocheckpoint = 4096");
  run("PRAGMA cache_size = -65536");
  run("CREATE TABLE span(id INTEGER PRIMARY KEY, trace_id BLOB NOT NULL, span_id BLOB NOT NULL, parent_id BLOB, "
      "start INTEGER NOT NULL, duration INTEGER NOT NULL, kind INTEGER NOT NULL, status INTEGER NOT NULL, "
      "flags INTEGER NOT NULL, origin INTEGER NOT NULL, operation INTEGER NOT NULL, session BLOB, body BLOB NOT NULL)");
  run("CREATE UNIQUE INDEX span_identity ON span(trace_id, span_id)");
  run("CREATE INDEX span_start ON span(start)");
  run("CREATE INDEX span_session ON span(session, start) WHERE session IS NOT NULL");
  sqlite3_prepare_v2(db_, "INSERT OR IGNORE INTO span VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                     -1, &insert_, nullptr);
}

Plain::~Plain() {
  sqlite3_finalize(insert_);
  sqlite3_close(db_);
}

void Plain::begin() { run("BEGIN IMMEDIATE"); }
void Plain::commit() { run("COMMIT"); }

void Plain::add(const store::Batch& batch) {
  for (const auto& span : batch.spans) {
    sqlite::encode_span(batch, span, body_);
    sqlite3_bind_int64(insert_, 1, next_++);
    sqlite3_bind_blob(insert_, 2, span.trace_id.bytes.data(), 16, SQLITE_STATIC);
    sqlite3_bind_blob(insert_, 3, span.span_id.bytes.data(), 8, SQLITE_STATIC);
    if (span.parent_id.is_zero()) {
      sqlite3_bind_null(insert_, 4);
    } else {
      sqlite3_bind_blob(insert_, 4, span.parent_id.bytes.data(), 8, SQLITE_STATIC);
    }
    sqlite3_bind_int64(insert_, 5, static_cast<sqlite3_int64>(span.start_unix_ns));
    sqlite3_bind_int64(insert_, 6, static_cast<sqlite3_int64>(span.end_unix_ns - span.start_unix_ns));
    sqlite3_bind_int64(insert_, 7, span.kind);
    sqlite3_bind_int64(insert_, 8, span.status);
    sqlite3_bind_int64(insert_, 9, span.flags);
    sqlite3_bind_int64(insert_, 10, span.origin);
    sqlite3_bind_int64(insert_, 11, span.name.back());
    sqlite3_bind_blob(insert_, 12, span.session->bytes.data(), 16, SQLITE_STATIC);
    sqlite3_bind_blob(insert_, 13, body_.data(), static_cast<int>(body_.size()), SQLITE_STATIC);
    if (sqlite3_step(insert_) != SQLITE_DONE) std::exit(1);
    sqlite3_reset(insert_);
  }
}

}  // namespace sockeye::bench
