// The ceiling: the same rows, in the same table with the same indices, put there by nothing but one prepared statement
// in a loop, with the same durability and as many rows a transaction. No dictionaries, filters, roll-ups or queue.
#pragma once

#include <sqlite3.h>

#include <string>

#include "sockeye/store/batch.h"

namespace sockeye::bench {

class Plain {
 public:
  explicit Plain(const std::string& path);
  ~Plain();
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;
  void begin();
  void add(const store::Batch& batch);
  void commit();

 private:
  void run(const char* sql);
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_int64 next_ = 1;
  std::string body_;
};

}  // namespace sockeye::bench
