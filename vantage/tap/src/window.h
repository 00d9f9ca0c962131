// A file as a window that moves over it: so many bytes at a stretch, as many as the caller asks for and no more.
// Memory: 256 KiB, or the largest stretch asked for.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sockeye/base/bytes.h"

namespace sockeye::tap {

// Where the window's bytes come from: a file descriptor, or memory in tests.
class Input {
 public:
  virtual ~Input() = default;
  // Bytes read, 0 at the end, -1 on failure (failure() says what).
  virtual long read(base::MutableBytes into) = 0;
  [[nodiscard]] virtual std::string failure() const { return {}; }
  [[nodiscard]] virtual std::uint64_t size() const { return 0; }  // 0: not known
};

// Reads `fd`, which it closes. `stopped` as open_capture() has it.
[[nodiscard]] std::unique_ptr<Input> descriptor_input(int fd, const std::atomic<bool>* stopped = nullptr);

class Window {
 public:
  explicit Window(std::unique_ptr<Input> input) : input_(std::move(input)), buffer_(initial) {}

  // True when `n` bytes lie in view(), which a call may move.
  bool fill(std::size_t n) { return size() >= n || refill(n); }
  [[nodiscard]] const base::Byte* view() const { return buffer_.data() + begin_; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  // `n` of them are done with. What view() had stays where it is until the next fill().
  void take(std::size_t n) {
    begin_ += n;
    offset_ += n;
  }
  // False when the input ended before `n` bytes went by.
  bool skip(std::uint64_t n);
  [[nodiscard]] std::uint64_t offset() const { return offset_; }  // of view() in the input
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::uint64_t input_size() const { return input_->size(); }

 private:
  static constexpr std::size_t initial = 256 * 1024;

  bool refill(std::size_t n);

  std::unique_ptr<Input> input_;
  std::vector<base::Byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;
  bool ended_ = false;
  std::string failure_;
};

}  // namespace sockeye::tap
