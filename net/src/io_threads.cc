#include "io_threads.h"

#include <pthread.h>

#include <chrono>
#include <csignal>
#include <string>
#include <system_error>

namespace sockeye::net {
namespace {

constexpr auto hanging_time = std::chrono::seconds(5);

}  // namespace

base::Result<void> Threads::run(unsigned count) {
  base::Result<void> result;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the application's
  const std::lock_guard lock(mutex_);
  try {
    while (running_ < count) {
      threads_.emplace_back([this] {
        context->run();
        const std::lock_guard ending(mutex_);
        --running_;
        ended_.notify_all();
      });
      ++running_;
    }
  } catch (const std::system_error& error) {
    result = base::fail(std::string("cannot start a thread: ") + error.what());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

// The servers were stopped: what is left ends by itself. A coroutine must not be destroyed with the context, because it
// unwinds through its executor, which is gone by then; should one hang all the same, the context is left behind.
Threads::~Threads() {
  work_.reset();
  {
    std::unique_lock lock(mutex_);
    if (!ended_.wait_for(lock, hanging_time, [this] { return running_ == 0; })) context.release()->stop();
  }
  for (auto& thread : threads_) thread.join();
}

base::Result<std::unique_ptr<IoThreads>> IoThreads::start(unsigned threads) {
  auto out = std::make_unique<Threads>();
  if (auto running = out->run(threads); !running) return tl::unexpected(running.error());
  return out;
}

}  // namespace sockeye::net
