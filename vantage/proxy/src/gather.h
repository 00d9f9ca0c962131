// What one call into a Connection wants written to one leg, collected so that it becomes one sendmsg(2). Bytes inside
// the buffer being fed stay where they are; anything else (a header held back from an earlier read, a frame of ours) is
// copied, since it may not outlive the call. One pair a worker: only one Connection is inside a call at a time.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "sockeye/base/bytes.h"

namespace sockeye::proxy {

class Gather {
 public:
  // The buffer that stays valid until clear().
  void stable(base::Bytes bytes) { stable_ = bytes; }

  // False when there is no room: write out what is here, clear(), add again. An empty Gather takes any stable piece,
  // and any other of at most `scratch` bytes.
  [[nodiscard]] bool add(base::Bytes bytes) {
    if (bytes.empty()) return true;
    const bool stays = bytes.data() >= stable_.data() && bytes.data() + bytes.size() <= stable_.data() + stable_.size();
    if (!stays) {
      if (bytes.size() > scratch - used_) return false;
      std::memcpy(kept_.data() + used_, bytes.data(), bytes.size());
      bytes = {kept_.data() + used_, bytes.size()};
    }
    if (count_ > 0) {
      iovec& last = pieces_[count_ - 1];
      if (static_cast<base::Byte*>(last.iov_base) + last.iov_len == bytes.data()) {  // the usual case: one run
        last.iov_len += bytes.size();
        total_ += bytes.size();
        if (!stays) used_ += bytes.size();
        return true;
      }
      if (count_ == pieces_.size()) return false;
    }
    pieces_[count_++] = {const_cast<base::Byte*>(bytes.data()), bytes.size()};
    total_ += bytes.size();
    if (!stays) used_ += bytes.size();
    return true;
  }

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::span<const iovec> pieces() const { return {pieces_.data(), count_}; }
  [[nodiscard]] std::size_t total() const { return total_; }
  void clear() {
    count_ = 0;
    total_ = 0;
    used_ = 0;
  }

  static constexpr std::size_t scratch = 4096;

 private:
  base::Bytes stable_;
  std::size_t count_ = 0;
  std::size_t total_ = 0;
  std::size_t used_ = 0;
  std::array<iovec, 32> pieces_;
  std::array<base::Byte, scratch> kept_;
};

}  // namespace sockeye::proxy
