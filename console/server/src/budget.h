// Bytes that requests may hold together. A lease is taken before the bytes are read and given back when it is dropped.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

namespace sockeye::console {

class Budget {
 public:
  explicit Budget(std::size_t bytes) : left_(bytes) {}
  // Null when so many are not left. The budget outlives its leases.
  [[nodiscard]] std::shared_ptr<void> lease(std::size_t bytes) {
    std::size_t left = left_.load(std::memory_order_relaxed);
    do {
      if (left < bytes) return nullptr;
    } while (!left_.compare_exchange_weak(left, left - bytes, std::memory_order_relaxed));
    return {this, [bytes](void* self) { static_cast<Budget*>(self)->left_ += bytes; }};
  }

 private:
  std::atomic<std::size_t> left_;
};

}  // namespace sockeye::console
