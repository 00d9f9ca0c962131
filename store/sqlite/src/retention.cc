#include "retention.h"

#include <algorithm>

#include "series.h"

namespace sockeye::sqlite {
namespace {

constexpr std::int64_t few = 128;  // rows a step: some milliseconds where every row is on another page
constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t none = INT64_MAX;

std::int64_t first_number(Database& db, const char* sql, std::int64_t otherwise) {
  Query query(db, sql);
  return query.next() && !query.null(0) ? query.integer(0) : otherwise;
}

// Where the next 512 ids after `at` end; `at` itself when there are none.
std::int64_t run_of(Database& db, const char* sql, std::int64_t at) {
  Query query(db, sql, at);
  return query.next() && !query.null(0) ? query.integer(0) : at;
}

}  // namespace

Retention::Retention(Database& db, Ingest& ingest, const Options& options)
    : db_(db),
      ingest_(ingest),
      keep_ms_(std::chrono::duration_cast<std::chrono::milliseconds>(options.keep_for).count()),
      keep_bytes_(options.keep_bytes),
      kept_since_ms_(first_number(db, "SELECT max(since) FROM kept", 0)) {}

std::uint64_t Retention::used_bytes() {
  const std::int64_t pages = first_number(db_, "PRAGMA page_count", 0) - first_number(db_, "PRAGMA freelist_count", 0);
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(first_number(db_, "PRAGMA page_size", 0));
}

// A sixteenth stays free for what is written while the oldest goes, and for the log beside the file.
bool Retention::too_large() { return keep_bytes_ != 0 && used_bytes() > keep_bytes_ - keep_bytes_ / 16; }

std::int64_t Retention::oldest_ms() {
  std::int64_t out = first_number(db_, "SELECT arrived FROM block ORDER BY id LIMIT 1", none);
  out = std::min(out, first_number(db_, "SELECT arrived FROM log ORDER BY id LIMIT 1", none));
  out = std::min(out, first_number(db_, "SELECT min(arrived) FROM session", none));
  out = std::min(out, first_number(db_, "SELECT min(arrived) FROM rollup", none));
  const std::int64_t fleet = first_number(db_, "SELECT min(time) FROM fleet", none);
  if (fleet != none) out = std::min(out, fleet / 1'000'000);
  for (std::int64_t part = 0; part < 256; ++part) {
    Query slot(db_, "SELECT min(slot) FROM point WHERE part = ?1", part);
    if (slot.next() && !slot.null(0))
      out = std::min(out, (slot.integer(0) + 1) * static_cast<std::int64_t>(slot_ns / 1'000'000));
  }
  if (ingest_.block().spans() > 0) out = std::min(out, ingest_.block().oldest_ms());
  return out;
}

bool Retention::run(std::int64_t now_ms, std::chrono::milliseconds budget, Counted& counted) {
  const auto end = Clock::now() + budget;
  // A block that fills slowly is finished early, or its spans would outlive their time.
  if (keep_ms_ != 0 && ingest_.block().spans() > 0 && now_ms - ingest_.block().oldest_ms() > keep_ms_ / 8) {
    db_.run("BEGIN IMMEDIATE");
    ingest_.block().finish(now_ms);
    db_.run("COMMIT");
  }
  Cut cut{keep_ms_ == 0 ? 0 : now_ms - keep_ms_, hour_ms};
  bool by_size = false, any = false;
  while (true) {
    db_.run("BEGIN IMMEDIATE");
    Counted gone = counted;
    const int removed = step(cut, now_ms, gone);
    if (removed > 0) note(cut);
    db_.run("COMMIT");
    counted = gone;
    any = any || removed > 0;
    if (Clock::now() >= end) return any;
    if (removed > 0 && !by_size) continue;
    if (!too_large()) return false;
    if (removed > 0) continue;
    const std::int64_t oldest = oldest_ms();
    if (oldest > now_ms) return false;  // nothing is left that could go
    // What there is is cut into 64: the oldest slice goes. Blocks tell their last arrival, so a slice has one at least.
    const std::int64_t to = std::max(cut.ms + 1, oldest + 1 + (now_ms - oldest) / 64);
    if (to > now_ms + 1) return false;
    if (ingest_.block().spans() > 0 && ingest_.block().oldest_ms() < to) {
      db_.run("BEGIN IMMEDIATE");
      ingest_.block().finish(now_ms);
      db_.run("COMMIT");
    }
    cut = {to, 0};
    by_size = true;
  }
}

int Retention::step(const Cut& cut, std::int64_t now_ms, Counted& counted) {
  if (cut.ms <= 0) return 0;
  return spans(cut, counted) + logs(cut, counted) + sessions(cut, counted) + rollups(cut) + points(cut, now_ms) +
         fleet(cut) + dictionaries(cut);
}

// A second's accuracy will do: it is asked of times of day.
void Retention::note(const Cut& cut) {
  if (cut.ms < kept_since_ms_ + 1000) return;
  kept_since_ms_ = cut.ms;
  Query(db_, "DELETE FROM kept").run();
  Query(db_, "INSERT INTO kept(since) VALUES(?1)", cut.ms).run();
}

int Retention::spans(const Cut& cut, Counted& counted) {
  Query oldest(db_, "SELECT id, last, arrived FROM block ORDER BY id LIMIT 1");
  if (!oldest.next() || oldest.integer(2) >= cut.ms) return 0;
  const std::int64_t id = oldest.integer(0);
  Query(db_, "DELETE FROM columns WHERE block = ?1", id).run();  // first: a block of which some is gone has none
  Query(db_, "DELETE FROM span WHERE id IN (SELECT id FROM span WHERE id <= ?1 ORDER BY id LIMIT ?2)",
        oldest.integer(1), few)
      .run();
  const int removed = sqlite3_changes(db_.raw());
  counted.spans -= removed;
  if (removed == few) return removed;
  for (unsigned slice = 0; slice < filter_slices; ++slice)
    Query(db_, "DELETE FROM filter WHERE slice = ?1 AND block = ?2", slice, id).run();
  Query(db_, "DELETE FROM block WHERE id = ?1", id).run();
  return removed + 1;
}

int Retention::logs(const Cut& cut, Counted& counted) {
  Query oldest(db_, "SELECT id, arrived FROM log ORDER BY id LIMIT 1");
  if (!oldest.next() || oldest.integer(1) >= cut.ms) return 0;
  const std::int64_t first = oldest.integer(0);
  Query(db_, "DELETE FROM log WHERE id >= ?1 AND id < ?1 + ?2 AND arrived < ?3", first, few, cut.ms).run();
  const int removed = sqlite3_changes(db_.raw());
  counted.logs -= removed;
  return removed;
}

int Retention::rollups(const Cut& cut) {
  Query(db_,
        "DELETE FROM rollup WHERE (width, time, operation) IN (SELECT width, time, operation FROM rollup "
        "INDEXED BY rollup_arrived WHERE arrived < ?1 AND (width = 60 OR arrived < ?1 - ?2) LIMIT ?3)",
        cut.ms, cut.slack_ms, few)
      .run();
  return sqlite3_changes(db_.raw());
}

int Retention::sessions(const Cut& cut, Counted& counted) {
  Query(db_,
        "DELETE FROM recorder WHERE session IN (SELECT number FROM session INDEXED BY session_arrived "
        "WHERE arrived < ?1 ORDER BY arrived, number LIMIT ?2)",
        cut.ms, few)
      .run();
  Query(db_,
        "DELETE FROM session WHERE number IN (SELECT number FROM session INDEXED BY session_arrived "
        "WHERE arrived < ?1 ORDER BY arrived, number LIMIT ?2)",
        cut.ms, few)
      .run();
  const int removed = sqlite3_changes(db_.raw());
  counted.sessions -= removed;
  return removed;
}

int Retention::points(const Cut& cut, std::int64_t now_ms) {
  constexpr auto slot_ms = static_cast<std::int64_t>(slot_ns / 1'000'000);
  constexpr std::int64_t week = 7 * 24 * 6;  // in slots
  int removed = 0;
  const int parts = cut.slack_ms == 0 ? 256 : 8;  // by size, a cut is only given up when nothing of it is left
  for (int i = 0; i < parts; ++i) {
    part_ = (part_ + 1) % 256;
    Query(db_,
          "DELETE FROM point WHERE part = ?1 AND slot = (SELECT min(slot) FROM point WHERE part = ?1) AND slot < ?2",
          part_, cut.ms / slot_ms)
        .run();
    removed += sqlite3_changes(db_.raw());
    // Clocks that run far ahead: by when they came.
    Query(db_,
          "DELETE FROM point WHERE part = ?1 AND slot = (SELECT max(slot) FROM point WHERE part = ?1) AND slot > ?2 "
          "AND sequence < ?3",
          part_, now_ms / slot_ms + week, cut.ms << 16)
        .run();
    removed += sqlite3_changes(db_.raw());
  }
  return removed;
}

int Retention::fleet(const Cut& cut) {
  const std::int64_t before = cut.ms > INT64_MAX / 1'000'000 ? INT64_MAX : cut.ms * 1'000'000;
  Query(db_,
        "DELETE FROM fleet WHERE (time, instance, route) IN (SELECT time, instance, route FROM fleet WHERE time < ?1 "
        "ORDER BY time LIMIT ?2)",
        before, few)
      .run();
  int removed = sqlite3_changes(db_.raw());
  Query(db_,
        "DELETE FROM presence WHERE (who, instance, began) IN (SELECT who, instance, began FROM presence "
        "WHERE until < ?1 ORDER BY until LIMIT ?2)",
        before, few)
      .run();
  removed += sqlite3_changes(db_.raw());
  Query(db_,
        "DELETE FROM total WHERE (instance, route) IN (SELECT instance, route FROM total WHERE time < ?1 LIMIT ?2)",
        before, few)
      .run();
  return removed + sqlite3_changes(db_.raw());
}

// Goes through both tables bit by bit, once a minute at most. An entry's last use is `refresh_ms` after its `seen` at
// most.
int Retention::dictionaries(const Cut& cut) {
  if (origin_at_ == 0 && operation_at_ == 0 && cut.ms - dictionaries_done_ms_ < 60'000 && cut.slack_ms != 0) return 0;
  std::int64_t before = cut.ms - 2 * refresh_ms;
  if (ingest_.block().spans() > 0) before = std::min(before, ingest_.block().oldest_ms() - 2 * refresh_ms);
  const std::int64_t origin_end =
      run_of(db_, "SELECT max(id) FROM (SELECT id FROM origin WHERE id > ?1 ORDER BY id LIMIT 512)", origin_at_);
  const std::int64_t operation_end =
      run_of(db_, "SELECT max(id) FROM (SELECT id FROM operation WHERE id > ?1 ORDER BY id LIMIT 512)", operation_at_);
  Query(db_, "DELETE FROM origin WHERE id > ?1 AND id <= ?2 AND seen < ?3", origin_at_, origin_end, before).run();
  int removed = sqlite3_changes(db_.raw());
  Query(db_, "DELETE FROM operation WHERE id > ?1 AND id <= ?2 AND seen < ?3", operation_at_, operation_end,
        before - cut.slack_ms)
      .run();
  removed += sqlite3_changes(db_.raw());
  if (removed > 0) ingest_.dictionary().forget();
  const bool done = origin_end == origin_at_ && operation_end == operation_at_;
  origin_at_ = done ? 0 : origin_end;
  operation_at_ = done ? 0 : operation_end;
  if (done) dictionaries_done_ms_ = cut.ms;
  return removed;
}

}  // namespace sockeye::sqlite
