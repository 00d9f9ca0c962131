#include "readers.h"

#include <algorithm>

#include "schema.h"

namespace sockeye::sqlite {
namespace {
// No question holds its view longer: the write-ahead log cannot start over while one is held.
constexpr std::chrono::seconds longest_question{30};
}  // namespace

Readers::Readers(const std::string& path, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    all_.push_back(std::make_unique<Database>(open_reader(path)));
    free_.push_back(all_.back().get());
  }
}

std::unique_ptr<Readers::Loan> Readers::lend(Deadline deadline) {
  deadline = std::min(deadline, std::chrono::steady_clock::now() + longest_question);
  Database* db = nullptr;
  {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return !paused_ && !free_.empty(); };
    if (!ready() && !changed_.wait_until(lock, deadline, ready)) return nullptr;
    db = free_.back();
    free_.pop_back();
  }
  return std::make_unique<Loan>(*this, *db, deadline);
}

void Readers::give_back(Database& db) {
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(&db);
  }
  changed_.notify_all();
}

bool Readers::pause(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  paused_ = true;
  return changed_.wait_for(lock, patience, [&] { return free_.size() == all_.size(); });
}

void Readers::resume() {
  {
    const std::lock_guard lock(mutex_);
    paused_ = false;
  }
  changed_.notify_all();
}

}  // namespace sockeye::sqlite
