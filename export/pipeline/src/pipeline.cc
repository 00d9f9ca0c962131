// Theory of operation. Spans pass three places, always in order:
//
//   offer() ──▶ incoming_ ──batching thread──▶ memory_ (encoded) ──sending thread──▶ transport
//                                                  │ spill()          ▲ head
//                                                  └────▶ spool ──────┘
//
// The head of the line is the spool's oldest record if there is one, else memory_'s front; everything in memory_ is
// newer than everything in the spool. Batches are spilled, oldest first, when the collector is away, when older ones
// are still in the spool, or when memory is half full; so a healthy collector never sees the disk touched. One batch is
// in flight at a time, and the next is not sent before its outcome is known: that keeps replay in order and limits what
// a crash can send twice to one.
//
// Two mutexes. counts_mutex_ is what offer() takes: held for a push and a few additions, never over I/O or encoding.
// Every step of a span is one critical section of it, so the counts add up whenever they are read. backlog_mutex_
// guards memory_ and the spool and is held over disk writes; only the two threads and stop() take it, always before
// counts_mutex_.
#include "sockeye/pipeline/pipeline.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <exception>
#include <mutex>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "families.h"
#include "footprint.h"
#include "sockeye/base/random.h"
#include "sockeye/files/directory.h"
#include "sockeye/pipeline/spool.h"

namespace sockeye::pipeline {
namespace {

using Clock = std::chrono::steady_clock;
using base::Duration;

constexpr auto log_interval = std::chrono::minutes(1);
constexpr auto disk_retry = std::chrono::seconds(1);

struct Waiting {
  model::Span span;
  std::size_t bytes = 0;
  Clock::time_point since;
};

struct Encoded {
  std::shared_ptr<const Batch> batch;  // shared: the sending thread reads it while spill() may let go of it
  std::size_t bytes = 0;               // what its spans count for in queued_bytes_
};

// Where the batch in flight is also held.
enum class Flight : std::uint8_t { none, memory, spool, detached };

Clock::time_point after(Duration d) {
  const auto now = Clock::now();
  return d > Clock::time_point::max() - now ? Clock::time_point::max() : now + d;
}

std::uint64_t os_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

class Running final : public Pipeline {
 public:
  Running(Options options, std::unique_ptr<Transport> transport, std::unique_ptr<Spool> spool)
      : options_(std::move(options)),
        transport_(std::move(transport)),
        spool_(std::move(spool)),
        random_(options_.seed != 0 ? options_.seed : os_seed()),
        wake_at_(options_.batch_spans) {
    if (!spool_) return;
    counts_.recovered = counts_.spooled = spool_->spans();
    counts_.spool_bytes = spool_->bytes();
    const auto& found = spool_->recovery();
    if (found.spans > 0)
      log(2, "spool " + options_.spool.directory + ": found " + std::to_string(found.spans) + " spans in " +
                 std::to_string(found.records) + " batches to send");
    if (found.damaged_bytes > 0)
      log(3, "spool " + options_.spool.directory + ": " + std::to_string(found.damaged_bytes) +
                 " bytes are damaged and lost (a crash while writing leaves some)");
  }
  ~Running() override { stop(Duration::zero()); }

  base::Result<void> run();
  void offer(model::Span&& span) override;
  bool flush(Duration timeout) override;
  void stop(Duration timeout) override;
  SpanCounts counts() const override {
    const std::lock_guard lock(counts_mutex_);
    return counts_;
  }
  std::vector<model::MetricFamily> families() const override { return to_families(counts()); }

 private:
  void batch_loop();
  bool collect();
  void cut(std::size_t spans);
  void spill();
  bool spill_one(const Encoded& encoded);
  void sync_if_due();
  bool should_spill();
  void send_loop();
  std::shared_ptr<const Batch> take_head(std::unique_lock<std::mutex>& backlog);
  std::shared_ptr<const Batch> read_spool();
  void settle(const Batch& batch, const Delivery& delivery);
  void settled(const Batch& batch, const Delivery& delivery);
  void failed(const Batch& batch, const Delivery& delivery);
  void abandon();
  void count_error(ErrorKind kind);
  void refresh_spool() {  // counts_mutex_ and backlog_mutex_ held
    counts_.spooled = spool_ ? spool_->spans() : 0;
    counts_.spool_bytes = spool_ ? spool_->bytes() : 0;
  }
  std::uint64_t& dropped(DropReason reason) { return counts_.dropped[static_cast<std::size_t>(reason)]; }
  void log(int level, const std::string& line) const {
    if (options_.log) options_.log(level, line);
  }
  void complain(ErrorKind kind, const std::string& line);

  const Options options_;
  const std::unique_ptr<Transport> transport_;

  mutable std::mutex counts_mutex_;
  std::condition_variable collect_;  // with counts_mutex_: the batching thread
  std::condition_variable emptied_;  // with counts_mutex_: flush() and stop()
  SpanCounts counts_;
  std::deque<Waiting> incoming_;
  std::size_t incoming_bytes_ = 0;
  std::size_t queued_bytes_ = 0;
  unsigned flushing_ = 0;
  bool stopping_ = false;

  std::mutex backlog_mutex_;
  std::condition_variable deliver_;  // with backlog_mutex_: the sending thread
  std::deque<Encoded> memory_;
  const std::unique_ptr<Spool> spool_;
  Flight flight_ = Flight::none;
  bool suspect_ = false;  // an earlier attempt at the head may have arrived
  bool away_ = false;
  Clock::time_point away_since_;
  unsigned failures_ = 0;  // retryable, in a row
  Clock::time_point not_before_;
  bool batcher_done_ = false;
  bool draining_ = false;  // stop() was called
  bool give_up_ = false;
  std::array<std::optional<Clock::time_point>, static_cast<std::size_t>(ErrorKind::count_)> complained_;
  base::Random random_;

  // The batching thread's own.
  std::deque<Waiting> staging_;
  std::size_t staging_bytes_ = 0;
  std::vector<model::Span> scratch_;
  std::size_t wake_at_;  // guarded by counts_mutex_: incoming_'s length that completes a batch

  std::mutex stop_mutex_;
  std::thread batcher_, sender_;
  bool sender_done_ = false;  // guarded by counts_mutex_
};

base::Result<void> Running::run() {
  // Signals are the application's: ours start with all of them blocked. (A peer that is gone raises SIGPIPE in TLS
  // writes.)
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  base::Result<void> result;
  try {
    batcher_ = std::thread([this] { batch_loop(); });
    sender_ = std::thread([this] { send_loop(); });
  } catch (const std::system_error& error) {
    result = base::fail(std::string("export pipeline: cannot start a thread: ") + error.what());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

void Running::offer(model::Span&& span) {
  Waiting waiting{{}, footprint(span), Clock::now()};
  bool wake = false;
  {
    const std::lock_guard lock(counts_mutex_);
    ++counts_.received;
    if (stopping_) {
      ++dropped(DropReason::shutdown);
      return;
    }
    if (counts_.queued >= options_.queue_spans || queued_bytes_ + waiting.bytes > options_.queue_bytes) {
      ++dropped(DropReason::queue_full);
      return;
    }
    waiting.span = std::move(span);
    const std::size_t bytes = waiting.bytes;
    try {
      incoming_.push_back(std::move(waiting));
    } catch (const std::bad_alloc&) {
      ++dropped(DropReason::queue_full);
      return;
    }
    ++counts_.queued;
    queued_bytes_ += bytes;
    const bool had_bytes = incoming_bytes_ >= options_.batch_bytes;
    incoming_bytes_ += bytes;
    wake = incoming_.size() == 1 || incoming_.size() == wake_at_ ||
           (!had_bytes && incoming_bytes_ >= options_.batch_bytes);
  }
  if (wake) collect_.notify_one();
}

void Running::batch_loop() {
  for (bool more = true; more;) {
    more = collect();
    sync_if_due();
  }
  const std::lock_guard backlog(backlog_mutex_);
  batcher_done_ = true;
  deliver_.notify_all();
}

// Waits for a batch's worth, or for the oldest span's time, and hands on what is due. False once stopped and empty.
bool Running::collect() {
  std::optional<Clock::time_point> sync_at;
  if (spool_) {
    const std::lock_guard backlog(backlog_mutex_);
    sync_at = spool_->sync_due();
  }
  bool all = false;
  bool stopping = false;
  {
    std::unique_lock lock(counts_mutex_);
    const auto due = [&] {
      const bool any = !staging_.empty() || !incoming_.empty();
      return stopping_ || (any && flushing_ > 0) || incoming_.size() >= wake_at_ ||
             staging_bytes_ + incoming_bytes_ >= options_.batch_bytes;
    };
    while (!due()) {
      const Waiting* oldest = !staging_.empty() ? &staging_.front() : !incoming_.empty() ? &incoming_.front() : nullptr;
      const auto expires = oldest == nullptr ? Clock::time_point::max() : oldest->since + options_.batch_delay;
      const auto until = std::min(expires, sync_at.value_or(Clock::time_point::max()));
      if (until == Clock::time_point::max()) {
        collect_.wait(lock);
        continue;
      }
      if (Clock::now() >= until) break;
      collect_.wait_until(lock, until);
    }
    stopping = stopping_;
    if (!staging_.empty() || !incoming_.empty()) {
      const auto& oldest = !staging_.empty() ? staging_.front() : incoming_.front();
      all = stopping || flushing_ > 0 || oldest.since + options_.batch_delay <= Clock::now();
    }
    if (staging_.empty()) {
      staging_.swap(incoming_);
    } else {
      std::move(incoming_.begin(), incoming_.end(), std::back_inserter(staging_));
      incoming_.clear();
    }
    staging_bytes_ += incoming_bytes_;
    incoming_bytes_ = 0;
    wake_at_ = 0;  // nobody need wake us before we wait again
  }

  while (!staging_.empty()) {
    std::size_t spans = 0;
    std::size_t bytes = 0;
    while (spans < staging_.size() && spans < options_.batch_spans && (spans == 0 || bytes < options_.batch_bytes))
      bytes += staging_[spans++].bytes;
    if (!all && spans < options_.batch_spans && bytes < options_.batch_bytes) break;
    cut(spans);
  }
  const std::lock_guard lock(counts_mutex_);
  wake_at_ = options_.batch_spans - staging_.size();
  return !(stopping && staging_.empty() && incoming_.empty());
}

void Running::cut(std::size_t spans) {
  Encoded encoded;
  scratch_.clear();
  for (std::size_t i = 0; i < spans; ++i) {
    encoded.bytes += staging_.front().bytes;
    scratch_.push_back(std::move(staging_.front().span));
    staging_.pop_front();
  }
  staging_bytes_ -= encoded.bytes;
  try {
    encoded.batch = std::make_shared<const Batch>(transport_->encode(scratch_));
  } catch (const std::exception&) {  // no memory
    const std::lock_guard lock(counts_mutex_);
    counts_.queued -= spans;
    queued_bytes_ -= encoded.bytes;
    dropped(DropReason::queue_full) += spans;
    emptied_.notify_all();
    return;
  }
  scratch_.clear();
  const std::lock_guard backlog(backlog_mutex_);
  memory_.push_back(std::move(encoded));
  if (should_spill()) spill();
  deliver_.notify_one();
}

bool Running::should_spill() {
  if (!spool_) return false;
  if (away_ || !spool_->empty()) return true;
  const std::lock_guard lock(counts_mutex_);
  return counts_.queued > options_.queue_spans / 2 || queued_bytes_ > options_.queue_bytes / 2;
}

// backlog_mutex_ held. Moves memory_ to the spool as far as the disk takes it.
void Running::spill() {
  while (!memory_.empty() && spill_one(memory_.front())) {
    memory_.pop_front();
    if (flight_ != Flight::memory) continue;
    // The batch in flight was memory_'s front, and so the spool was empty: it is the spool's head now.
    flight_ = Flight::spool;
    Batch copy;
    std::uint64_t lost = 0;
    if (spool_->peek(copy, lost) == Spool::Peek::ready) continue;
    // Just written and not to be read: it is still in flight, so its outcome decides.
    flight_ = Flight::detached;
    const std::lock_guard lock(counts_mutex_);
    counts_.queued += lost;
    refresh_spool();
  }
}

bool Running::spill_one(const Encoded& encoded) {
  const Batch& batch = *encoded.batch;
  if (!spool_->fits(batch.body.size())) {
    if (flight_ == Flight::memory) return false;  // it may yet be accepted
    complain(ErrorKind::spool_write, "spool " + options_.spool.directory + ": a batch of " +
                                         std::to_string(batch.body.size()) + " bytes is over the limit and lost");
    const std::lock_guard lock(counts_mutex_);
    counts_.queued -= batch.spans;
    queued_bytes_ -= encoded.bytes;
    dropped(DropReason::spool_full) += batch.spans;
    emptied_.notify_all();
    return true;
  }
  const auto appended = spool_->append(batch, flight_ == Flight::spool);
  if (appended.unpinned_spans > 0) {
    flight_ = Flight::detached;
  } else if (appended.dropped_spans > 0) {
    suspect_ = false;  // the head is another one now
  }
  {
    const std::lock_guard lock(counts_mutex_);
    dropped(DropReason::spool_full) += appended.dropped_spans;
    counts_.queued += appended.unpinned_spans;
    if (!appended.error) {
      counts_.queued -= batch.spans;
      queued_bytes_ -= encoded.bytes;
    }
    refresh_spool();
  }
  if (appended.error) {
    count_error(ErrorKind::spool_write);
    complain(ErrorKind::spool_write, appended.error->message);
  }
  if (options_.spool.sync <= Duration::zero() && !spool_->sync()) count_error(ErrorKind::spool_write);
  return !appended.error;
}

void Running::sync_if_due() {
  if (!spool_) return;
  const std::lock_guard backlog(backlog_mutex_);
  const auto due = spool_->sync_due();
  if (due && *due <= Clock::now() && !spool_->sync()) count_error(ErrorKind::spool_write);
}

void Running::send_loop() {
  for (;;) {
    std::shared_ptr<const Batch> batch;
    {
      std::unique_lock backlog(backlog_mutex_);
      batch = take_head(backlog);
    }
    if (!batch) break;
    settle(*batch, transport_->send(*batch));
  }
  const std::lock_guard lock(counts_mutex_);
  sender_done_ = true;
  emptied_.notify_all();
}

// Waits until there is a batch and its time has come. None: stopped, with nothing left that should be tried.
std::shared_ptr<const Batch> Running::take_head(std::unique_lock<std::mutex>& backlog) {
  for (;;) {
    if (give_up_ || (draining_ && away_ && spool_)) return nullptr;
    const bool work = !memory_.empty() || (spool_ && !spool_->empty());
    if (!work && batcher_done_) return nullptr;
    if (!work) {
      deliver_.wait(backlog);
      continue;
    }
    if (Clock::now() < not_before_) {
      deliver_.wait_until(backlog, not_before_);
      continue;
    }
    if (!spool_ || spool_->empty()) {
      flight_ = Flight::memory;
      return memory_.front().batch;
    }
    if (auto batch = read_spool()) return batch;
  }
}

std::shared_ptr<const Batch> Running::read_spool() {
  auto batch = std::make_shared<Batch>();
  std::uint64_t lost = 0;
  switch (spool_->peek(*batch, lost)) {
    case Spool::Peek::ready:
      flight_ = Flight::spool;
      return batch;
    case Spool::Peek::empty:
      return nullptr;
    case Spool::Peek::failed:
      count_error(ErrorKind::spool_read);
      not_before_ = after(disk_retry);
      return nullptr;
    case Spool::Peek::lost:
      break;
  }
  suspect_ = false;
  count_error(ErrorKind::spool_read);
  complain(ErrorKind::spool_read, "spool " + options_.spool.directory + ": " + std::to_string(lost) +
                                      " spans cannot be read back and are lost");
  const std::lock_guard lock(counts_mutex_);
  dropped(DropReason::spool_corrupt) += lost;
  refresh_spool();
  emptied_.notify_all();
  return nullptr;
}

void Running::settle(const Batch& batch, const Delivery& delivery) {
  const std::lock_guard backlog(backlog_mutex_);
  if (delivery.error != ErrorKind::none) count_error(delivery.error);
  const bool arrived = delivery.outcome == Outcome::accepted || delivery.outcome == Outcome::partial;
  if (suspect_ && (arrived || delivery.maybe_delivered)) {
    const std::lock_guard lock(counts_mutex_);
    counts_.resent += batch.spans;
  }
  if (delivery.outcome == Outcome::retryable) {
    failed(batch, delivery);
  } else {
    settled(batch, delivery);
  }
  flight_ = Flight::none;
  const std::lock_guard lock(counts_mutex_);
  counts_.collector_away = away_;
  emptied_.notify_all();
}

// The head has its final outcome.
void Running::settled(const Batch& batch, const Delivery& delivery) {
  if (delivery.outcome != Outcome::accepted)
    complain(delivery.error, transport_->destination() + " refused spans: " + delivery.message);
  if (away_)
    log(2, transport_->destination() + " is back after " +
               std::to_string(std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - away_since_).count()) +
               " s");
  away_ = suspect_ = false;
  failures_ = 0;
  not_before_ = {};

  std::size_t bytes = 0;
  const bool kept = flight_ != Flight::spool || spool_->pop();
  if (flight_ == Flight::memory) {
    bytes = memory_.front().bytes;
    memory_.pop_front();
  }
  {
    const std::lock_guard lock(counts_mutex_);
    if (flight_ != Flight::spool) counts_.queued -= batch.spans;
    if (flight_ == Flight::memory) queued_bytes_ -= bytes;
    std::uint64_t refused = 0;
    if (delivery.outcome == Outcome::rejected) refused = batch.spans;
    if (delivery.outcome == Outcome::partial) refused = std::min(delivery.rejected_spans, batch.spans);
    counts_.exported += batch.spans - refused;
    dropped(DropReason::rejected) += refused;
    refresh_spool();
  }
  if (!kept) count_error(ErrorKind::spool_write);
  if (flight_ != Flight::spool) return;
  const auto due = spool_->sync_due();  // at the end of a replay at once: nothing may come after it for long
  if ((spool_->empty() || (due && *due <= Clock::now())) && !spool_->sync()) count_error(ErrorKind::spool_write);
}

void Running::failed(const Batch& batch, const Delivery& delivery) {
  if (!away_) {
    away_since_ = Clock::now();
    if (!give_up_)
      log(3, transport_->destination() + " is away (" + delivery.message +
                 "): " + (spool_ ? "spans go to the spool " + options_.spool.directory : "spans wait in memory"));
  }
  away_ = true;
  suspect_ = suspect_ || delivery.maybe_delivered;
  ++failures_;
  const double doubled =
      base::seconds(options_.retry_first) * static_cast<double>(1ULL << std::min(failures_ - 1, 40U));
  const double delay = std::min(doubled, base::seconds(options_.retry_cap)) * (0.5 + random_.unit() / 2);
  not_before_ = delivery.retry_after
                    ? after(std::min(*delivery.retry_after, options_.retry_after_cap))
                    : after(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(delay)));
  if (flight_ == Flight::detached) {  // it was dropped to make room while its outcome was open
    suspect_ = false;
    const std::lock_guard lock(counts_mutex_);
    counts_.queued -= batch.spans;
    dropped(DropReason::spool_full) += batch.spans;
  }
  flight_ = Flight::none;
  if (spool_) spill();
}

bool Running::flush(Duration timeout) {
  const auto deadline = after(timeout);
  std::unique_lock lock(counts_mutex_);
  ++flushing_;
  collect_.notify_one();
  const bool empty = emptied_.wait_until(lock, deadline, [&] { return counts_.queued == 0 && counts_.spooled == 0; });
  --flushing_;
  return empty;
}

void Running::stop(Duration timeout) {
  const std::lock_guard once(stop_mutex_);
  if (!batcher_.joinable() && !sender_.joinable()) return;
  const auto deadline = after(timeout);
  {
    const std::lock_guard lock(counts_mutex_);
    stopping_ = true;
    collect_.notify_all();
  }
  {
    const std::lock_guard backlog(backlog_mutex_);
    draining_ = true;
    give_up_ = timeout <= Duration::zero();
    deliver_.notify_all();
  }
  if (sender_.joinable()) {
    std::unique_lock lock(counts_mutex_);
    const bool done = emptied_.wait_until(lock, deadline, [&] { return sender_done_; });
    lock.unlock();
    if (!done) {
      {
        const std::lock_guard backlog(backlog_mutex_);
        give_up_ = true;
        deliver_.notify_all();
      }
      transport_->cancel();
    }
    sender_.join();
  }
  batcher_.join();
  abandon();
}

// Both threads are gone: what is left goes to the spool, or is dropped.
void Running::abandon() {
  const std::lock_guard backlog(backlog_mutex_);
  if (spool_) {
    spill();
    if (!spool_->sync()) count_error(ErrorKind::spool_write);
  }
  std::uint64_t left = 0;
  for (const auto& encoded : memory_) left += encoded.batch->spans;
  memory_.clear();
  const std::lock_guard lock(counts_mutex_);
  counts_.queued -= left;
  dropped(DropReason::shutdown) += left;
  emptied_.notify_all();
}

void Running::count_error(ErrorKind kind) {
  const std::lock_guard lock(counts_mutex_);
  ++counts_.errors[static_cast<std::size_t>(kind)];
}

// A trouble that lasts is said once a minute. backlog_mutex_ held.
void Running::complain(ErrorKind kind, const std::string& line) {
  auto& last = complained_[static_cast<std::size_t>(kind)];
  const auto now = Clock::now();
  if (last && now - *last < log_interval) return;
  last = now;
  log(3, line);
}

}  // namespace

base::Result<std::unique_ptr<Pipeline>> start(Options options, std::unique_ptr<Transport> transport) {
  if (options.queue_spans == 0 || options.batch_spans == 0 || options.batch_bytes == 0)
    return base::fail("export pipeline: queue and batch sizes must be at least 1");
  options.batch_spans = std::min(options.batch_spans, options.queue_spans);
  options.retry_first = std::max<Duration>(options.retry_first, std::chrono::milliseconds(1));  // never a busy loop
  std::unique_ptr<Spool> spool;
  if (!options.spool.directory.empty()) {
    auto opened = Spool::open(options.spool);
    if (!opened) return tl::unexpected(opened.error());
    spool = std::move(*opened);
    if (const auto shared = files::shared_with(options.spool.directory); !shared.empty() && options.log)
      options.log(3, "spool " + shared);
  }
  auto running = std::make_unique<Running>(std::move(options), std::move(transport), std::move(spool));
  if (auto started = running->run(); !started) return tl::unexpected(started.error());
  return running;
}

}  // namespace sockeye::pipeline
