// Threads for what blocks: decoding, and questions to the store. The queue is bounded; what does not fit is refused at
// once, so that a flood costs an answer and not memory.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sockeye::console {

class Workers {
 public:
  Workers(unsigned threads, std::size_t queue);
  ~Workers() { finish(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  // False: the queue is full, `job` was not taken.
  [[nodiscard]] bool run(std::function<void()> job);
  // Runs what is queued, takes no more.
  void finish();

 private:
  void work();
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sockeye::console
