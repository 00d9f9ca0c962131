#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "sockeye/net/http_server.h"

namespace sockeye::net {

class Threads final : public IoThreads {
 public:
  Threads() : work_(context->get_executor()) {}
  ~Threads() override;
  base::Result<void> run(unsigned count);

  std::unique_ptr<boost::asio::io_context> context = std::make_unique<boost::asio::io_context>();

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::mutex mutex_;
  std::condition_variable ended_;
  unsigned running_ = 0;  // under mutex_
  std::vector<std::thread> threads_;
};

}  // namespace sockeye::net
