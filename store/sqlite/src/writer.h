// The one thread that writes. Batches queue up while a transaction is on its way to the disk; the next takes all of
// them together (one fsync for many batches), and only after COMMIT is each acknowledged. Between transactions it keeps
// the write-ahead log short and lets retention work, a few milliseconds at a time.
//
// How long what is queued will take is known from what the last groups took, all that is done between them included. A
// batch that would wait too long is refused at once: its sender tries again, and does not run into its own timeout.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "database.h"
#include "ingest.h"
#include "readers.h"
#include "retention.h"
#include "sockeye/sqlite/open.h"
#include "tuning.h"

namespace sockeye::sqlite {

class Writer {
 public:
  // Throws Failure. `readers` outlives it.
  Writer(Database db, Readers& readers, const Options& options, const Tuning& tuning);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  void stop();  // writes what is queued; from then on `readers` is not used

  void write(store::Batch&& batch, store::Done done);
  // What it knows: everything but the file's size.
  [[nodiscard]] store::StoreStats stats();

 private:
  struct Pending {
    store::Batch batch;
    store::Done done;
    std::size_t bytes = 0;
    store::Written written;
  };
  using Group = std::vector<Pending>;

  using Clock = std::chrono::steady_clock;

  void run();
  Group take();  // waits for a batch, or until something else is due
  void took(std::size_t bytes, Clock::duration time);
  // Under mutex_: until a batch of so many bytes that came now would be on the disk.
  [[nodiscard]] Clock::duration wait_for(std::size_t bytes) const;
  void commit(Group& group);
  // Runs `work`; a failure is undone, noted and returned.
  template <class Work>
  std::optional<Failure> guarded(Work work);
  void sweep();
  bool fill_in();
  void checkpoint();
  void count(const Counted& counted);
  void set_trouble(const std::string& trouble);

  Database db_;
  Readers& readers_;
  const Options options_;
  const Tuning tuning_;
  Ingest ingest_;
  Retention retention_;
  std::chrono::steady_clock::time_point next_sweep_;
  std::chrono::milliseconds last_commit_{0};
  bool more_to_sweep_ = false;
  bool unsure_ = false;         // a rollback could not be followed: find out before the next transaction
  int log_pages_ = 0;           // of the write-ahead log, after the last commit
  int log_pages_at_pause_ = 0;  // when readers were last asked to leave

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Pending> queue_;
  std::size_t queued_bytes_ = 0;  // those of the group at hand among them
  std::size_t group_bytes_ = 0;   // of that group; 0: none is
  Clock::time_point group_begun_;
  double seconds_a_byte_ = 1.0 / (64U << 20U);  // until it is known: a fast disk's
  bool closing_ = false;
  store::StoreStats stats_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace sockeye::sqlite
