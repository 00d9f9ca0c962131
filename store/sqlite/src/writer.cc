#include "writer.h"

#include <syslog.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace sockeye::sqlite {
namespace {

// One transaction takes at most so much, and no longer than a fraction of a second where that can be foreseen: the rest
// waits behind it.
constexpr std::size_t most_group_spans = 32'768;
constexpr std::size_t most_group_bytes = 32U << 20U, least_group_bytes = 1U << 20U;
constexpr double group_seconds = 0.3;
constexpr std::size_t telling_bytes = 256U << 10U;  // of a group: smaller ones tell what a commit costs, not a byte
constexpr std::chrono::milliseconds sweep_budget{20};
constexpr std::chrono::milliseconds patience_with_readers{300};

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::int64_t touch_ms(const Options& options) {
  constexpr std::int64_t ten_minutes = 600'000;
  const std::int64_t keep = std::chrono::duration_cast<std::chrono::milliseconds>(options.keep_for).count();
  return keep == 0 ? ten_minutes : std::min(ten_minutes, keep / 8);
}

std::int64_t first_number_of(Database& db, const char* sql) {
  Query query(db, sql);
  return query.next() ? query.integer(0) : 0;
}

}  // namespace

Writer::Writer(Database db, Readers& readers, const Options& options, const Tuning& tuning)
    : db_(std::move(db)),
      readers_(readers),
      options_(options),
      tuning_(tuning),
      ingest_(db_, touch_ms(options), now_ms()),
      retention_(db_, ingest_, options_),
      next_sweep_(std::chrono::steady_clock::now()) {
  if (tuning_.most_pages > 0) db_.run("PRAGMA max_page_count = " + std::to_string(tuning_.most_pages));
  sqlite3_wal_hook(
      db_.raw(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Writer*>(self)->log_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  stats_.backend = "sqlite";
  stats_.spans = static_cast<std::uint64_t>(first_number_of(db_, "SELECT ifnull(sum(spans), 0) FROM block")) +
                 ingest_.block().spans();
  // Ids of logs have no gaps but at their beginning.
  stats_.logs = static_cast<std::uint64_t>(first_number_of(db_, "SELECT ifnull(max(id) - min(id) + 1, 0) FROM log"));
  stats_.sessions = static_cast<std::uint64_t>(first_number_of(db_, "SELECT count(*) FROM session"));
  thread_ = std::thread([this] { run(); });
}

Writer::~Writer() { stop(); }

void Writer::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Writer::write(store::Batch&& batch, store::Done done) {
  store::Written answer;
  const std::size_t bytes = batch.footprint();
  if (batch.empty()) {
  } else if (!store::sound(batch)) {
    answer = {store::Refusal::broken, "the batch refers to what is not in it", 0};
  } else {
    std::unique_lock lock(mutex_);
    // What is larger than the whole queue is taken when it is empty, or it would never be.
    if (closing_) {
      answer = {store::Refusal::broken, "the store is closing", 0};
    } else if (queued_bytes_ != 0 && queued_bytes_ + bytes > options_.queue_bytes) {
      answer = {store::Refusal::busy, "the store's queue is full: try again in a moment", 0};
    } else if (options_.longest_wait.count() > 0 && queued_bytes_ > group_bytes_ &&
               (!batch.spans.empty() || !batch.logs.empty()) && wait_for(bytes) > options_.longest_wait) {
      answer = {store::Refusal::busy, "more comes than can be written: try again in a moment", 0};
    } else {
      queued_bytes_ += bytes;
      queue_.push_back({std::move(batch), std::move(done), bytes, {}});
      lock.unlock();
      wake_.notify_one();
      return;
    }
    ++stats_.refused_batches;
  }
  if (done) done(answer);
}

Writer::Group Writer::take() {
  Group out;
  std::unique_lock lock(mutex_);
  if (!more_to_sweep_) wake_.wait_until(lock, next_sweep_, [&] { return closing_ || !queue_.empty(); });
  std::size_t spans = 0, bytes = 0;
  const auto foreseen = static_cast<std::size_t>(group_seconds / seconds_a_byte_);
  const std::size_t most_bytes = std::clamp(foreseen, least_group_bytes, most_group_bytes);
  while (!queue_.empty()) {
    const Pending& next = queue_.front();
    if (!out.empty() && (spans + next.batch.spans.size() > most_group_spans || bytes + next.bytes > most_bytes)) break;
    spans += next.batch.spans.size();
    bytes += next.bytes;
    out.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  group_bytes_ = bytes;
  group_begun_ = Clock::now();
  return out;
}

void Writer::run() {
  while (true) {
    Group group = take();
    const auto begun = group_begun_;
    const std::size_t bytes = group_bytes_;
    if (!group.empty()) {
      commit(group);
    } else {
      const std::lock_guard lock(mutex_);
      if (closing_) return;
    }
    sweep();
    took(bytes, Clock::now() - begun);
  }
}

void Writer::took(std::size_t bytes, Clock::duration time) {
  if (bytes < telling_bytes) return;
  const double now = std::chrono::duration<double>(time).count() / static_cast<double>(bytes);
  const std::lock_guard lock(mutex_);
  seconds_a_byte_ += (now - seconds_a_byte_) * 0.3;
}

Writer::Clock::duration Writer::wait_for(std::size_t bytes) const {
  const auto seconds = [](double s) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
  };
  const auto behind = seconds(seconds_a_byte_ * static_cast<double>(queued_bytes_ - group_bytes_ + bytes));
  if (group_bytes_ == 0) return behind;
  // The group at hand takes as long as it should, or longer than that already.
  return behind + std::max(seconds(seconds_a_byte_ * static_cast<double>(group_bytes_)), Clock::now() - group_begun_);
}

template <class Work>
std::optional<Failure> Writer::guarded(Work work) {
  std::optional<Failure> out;
  try {
    if (unsure_) ingest_.lost(now_ms());
    unsure_ = false;
    work();
    return out;
  } catch (const Failure& failure) {
    out = failure;
  } catch (const std::bad_alloc&) {
    out = Failure{SQLITE_NOMEM, 0, "out of memory"};
  }
  unsure_ = true;
  // SQLite may have rolled back by itself.
  if (sqlite3_get_autocommit(db_.raw()) == 0) sqlite3_exec(db_.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
  return out;
}

void Writer::commit(Group& group) {
  const auto begun = std::chrono::steady_clock::now();
  const std::int64_t now = now_ms();
  Counted counted;
  const auto failure = guarded([&] {
    Query(db_, "BEGIN IMMEDIATE").run();
    for (auto& pending : group) {
      const std::uint64_t before = counted.duplicates;
      ingest_.add(pending.batch, now, counted);
      pending.written.duplicates = counted.duplicates - before;
    }
    ingest_.flush(now);
    Query(db_, "COMMIT").run();
  });
  std::size_t bytes = 0;
  for (auto& pending : group) {
    bytes += pending.bytes;
    if (!failure) continue;
    pending.written =
        failure->full()
            ? store::Written{store::Refusal::full, "no room for " + options_.directory + " (" + failure->message + ")",
                             0}
            : store::Written{store::Refusal::broken, options_.directory + " cannot be written: " + failure->message, 0};
  }
  if (failure) {
    set_trouble(group.front().written.message);
  } else {
    set_trouble("");
    count(counted);
  }
  {
    const std::lock_guard lock(mutex_);
    queued_bytes_ -= bytes;
    group_bytes_ = 0;
    if (failure) stats_.refused_batches += group.size();
    if (!failure) stats_.written_spans += static_cast<std::uint64_t>(counted.spans);
    stats_.duplicate_spans += failure ? 0 : counted.duplicates;
  }
  last_commit_ = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  for (auto& pending : group)
    if (pending.done) pending.done(pending.written);
}

void Writer::count(const Counted& counted) {
  std::int64_t oldest = 0;
  {
    Query first(db_, "SELECT arrived FROM block ORDER BY id LIMIT 1");
    if (first.next()) oldest = first.integer(0);
  }
  if (oldest == 0 && ingest_.block().spans() > 0) oldest = ingest_.block().oldest_ms();
  const std::lock_guard lock(mutex_);
  stats_.spans += static_cast<std::uint64_t>(counted.spans);
  stats_.logs += static_cast<std::uint64_t>(counted.logs);
  stats_.sessions += static_cast<std::uint64_t>(counted.sessions);
  stats_.oldest_unix_ns = static_cast<std::uint64_t>(oldest) * 1'000'000;
  stats_.kept_since_unix_ns = static_cast<std::uint64_t>(retention_.kept_since_ms()) * 1'000'000;
}

void Writer::set_trouble(const std::string& trouble) {
  {
    const std::lock_guard lock(mutex_);
    if (stats_.trouble == trouble) return;
    stats_.trouble = trouble;
  }
  if (options_.log)
    options_.log(trouble.empty() ? LOG_NOTICE : LOG_ERR, trouble.empty() ? "store: well again" : "store: " + trouble);
}

void Writer::sweep() {
  // Over the limit, it keeps pace with what comes in; else it takes a little time now and then.
  std::chrono::milliseconds budget = sweep_budget;
  Counted counted;
  const auto failure = guarded([&] {
    checkpoint();
    const bool too_large = retention_.too_large();
    const auto now = std::chrono::steady_clock::now();
    if (!too_large && !more_to_sweep_ && now < next_sweep_) return;
    if (too_large) budget = std::max(budget, last_commit_ + last_commit_ / 2);
    next_sweep_ = now + tuning_.sweep_every;
    // What retention removes may come back after a power cut; it is then removed again.
    db_.run("PRAGMA synchronous = NORMAL");
    more_to_sweep_ = retention_.run(now_ms(), budget, counted);
    more_to_sweep_ = fill_in() || more_to_sweep_;
    db_.run("PRAGMA synchronous = FULL");
    count(counted);
    const std::lock_guard lock(mutex_);
    stats_.expired_spans += static_cast<std::uint64_t>(-counted.spans);
  });
  if (!failure) return;
  sqlite3_exec(db_.raw(), "PRAGMA synchronous = FULL", nullptr, nullptr, nullptr);
  count(counted);
  more_to_sweep_ = false;
  next_sweep_ = std::chrono::steady_clock::now() + tuning_.sweep_every;
  set_trouble(options_.directory + " cannot be kept in order: " + failure->message);
}

// What an earlier schema did not have, one block at a time: some milliseconds each.
bool Writer::fill_in() {
  if (ingest_.block().filled_in()) return false;
  db_.run("BEGIN IMMEDIATE");
  const bool more = ingest_.block().fill_in();
  db_.run("COMMIT");
  return more;
}

// The log is copied into the file when it has grown. It starts over only when nobody reads from it any more; where
// questions overlap for ever, they are held back for a moment once it is four times as long.
void Writer::checkpoint() {
  if (log_pages_ < tuning_.checkpoint_pages) return;
  int pages = 0, copied = 0;
  const int code = sqlite3_wal_checkpoint_v2(db_.raw(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED) db_.fail("");
  if (pages < 4 * tuning_.checkpoint_pages) {
    log_pages_at_pause_ = 0;
    return;
  }
  if (pages < log_pages_at_pause_ + static_cast<int>(tuning_.checkpoint_pages)) return;
  log_pages_at_pause_ = pages;
  if (readers_.pause(patience_with_readers))
    sqlite3_wal_checkpoint_v2(db_.raw(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  readers_.resume();
}

store::StoreStats Writer::stats() {
  const std::lock_guard lock(mutex_);
  store::StoreStats out = stats_;
  out.queued_bytes = queued_bytes_;
  return out;
}

}  // namespace sockeye::sqlite
