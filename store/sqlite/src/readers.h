// A few connections that only read, lent to one question each.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "database.h"

namespace sockeye::sqlite {

class Readers {
 public:
  Readers(const std::string& path, std::size_t count);  // throws Failure

  // A connection on loan, with a consistent view of the database and the question's deadline set.
  class Loan {
   public:
    Loan(Readers& from, Database& db, Deadline deadline) : from_(from), db_(db) {
      db_.limit(deadline);
      try {
        snapshot_ = std::make_unique<Snapshot>(db_);
      } catch (...) {
        from_.give_back(db_);
        throw;
      }
    }
    ~Loan() {
      snapshot_.reset();
      from_.give_back(db_);
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    [[nodiscard]] Database& db() { return db_; }

   private:
    Readers& from_;
    Database& db_;
    std::unique_ptr<Snapshot> snapshot_;
  };
  // Null: all were in use until the deadline.
  [[nodiscard]] std::unique_ptr<Loan> lend(Deadline deadline);

  // Lends nothing more and waits until all are back, at most so long; false: some are still out. resume() ends it.
  bool pause(std::chrono::milliseconds patience);
  void resume();

 private:
  void give_back(Database& db);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Database>> all_;
  std::vector<Database*> free_;
  bool paused_ = false;
};

}  // namespace sockeye::sqlite
