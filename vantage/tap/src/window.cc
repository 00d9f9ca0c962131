#include "window.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sockeye::tap {
namespace {

class DescriptorInput final : public Input {
 public:
  DescriptorInput(int fd, const std::atomic<bool>* stopped) : fd_(fd), stopped_(stopped) {
    struct stat status {};
    if (::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) {
      regular_ = true;
      size_ = static_cast<std::uint64_t>(status.st_size);
      ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
  }
  ~DescriptorInput() override { ::close(fd_); }
  DescriptorInput(const DescriptorInput&) = delete;
  DescriptorInput& operator=(const DescriptorInput&) = delete;

  long read(base::MutableBytes into) override {
    for (;;) {
      if (!regular_ && !ready()) return 0;
      const auto got = ::read(fd_, into.data(), into.size());
      if (got >= 0 || (errno != EINTR && errno != EAGAIN)) {
        error_ = errno;
        return got;
      }
    }
  }
  [[nodiscard]] std::string failure() const override { return std::strerror(error_); }
  [[nodiscard]] std::uint64_t size() const override { return size_; }

 private:
  // False: nobody waits any more.
  bool ready() {
    constexpr int look_every = 100;  // ms
    for (pollfd waited{fd_, POLLIN, 0}; stopped_ == nullptr || !*stopped_;)
      if (::poll(&waited, 1, look_every) != 0) return true;  // something came, its writer has gone, or poll fails
    return false;
  }

  int fd_;
  const std::atomic<bool>* stopped_;
  int error_ = 0;
  bool regular_ = false;
  std::uint64_t size_ = 0;
};

}  // namespace

std::unique_ptr<Input> descriptor_input(int fd, const std::atomic<bool>* stopped) {
  return std::make_unique<DescriptorInput>(fd, stopped);
}

bool Window::refill(std::size_t n) {
  std::memmove(buffer_.data(), buffer_.data() + begin_, size());
  end_ -= begin_;
  begin_ = 0;
  if (n > buffer_.size()) buffer_.resize(n);
  while (end_ < n && !ended_) {
    const auto got = input_->read({buffer_.data() + end_, buffer_.size() - end_});
    if (got <= 0) {
      ended_ = true;
      if (got < 0) failure_ = input_->failure();
      break;
    }
    end_ += static_cast<std::size_t>(got);
  }
  return end_ >= n;
}

bool Window::skip(std::uint64_t n) {
  while (n > 0) {
    if (size() == 0 && !refill(1)) return false;
    const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(n, size()));
    take(step);
    n -= step;
  }
  return true;
}

}  // namespace sockeye::tap
