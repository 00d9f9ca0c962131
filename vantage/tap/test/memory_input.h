// A capture that lies in memory, given out at most so many bytes at a time.
#pragma once

#include <algorithm>
#include <cstring>

#include "../src/window.h"

namespace sockeye::tap::test {

class MemoryInput final : public Input {
 public:
  explicit MemoryInput(base::Bytes bytes, std::size_t step = SIZE_MAX) : left_(bytes), step_(step) {}
  long read(base::MutableBytes into) override {
    const auto n = std::min({left_.size(), into.size(), step_});
    if (n > 0) std::memcpy(into.data(), left_.data(), n);
    left_ = left_.subspan(n);
    return static_cast<long>(n);
  }

 private:
  base::Bytes left_;
  std::size_t step_;
};

}  // namespace sockeye::tap::test
