// When the pieces of a streamed reply came, in bounded room: each of the first 256; of a longer reply every second,
// fourth, eighth … piece, so that what is kept always covers all of it evenly.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sockeye/base/time.h"

namespace sockeye::model {

class ChunkTimes {
 public:
  static constexpr std::size_t most = 256;  // marks: 1 KiB

  // The next piece came `since` the one before it; the first one, since the opening message. Allocates while there are
  // fewer than `most` marks, each time twice as many as before.
  void add(base::Duration since) {
    pending_ += base::seconds(std::max(since, base::Duration::zero()));
    if (ahead_ > 0) return void(--ahead_);
    if (marks_.size() == most) thin();
    if (marks_.empty()) marks_.reserve(8);
    marks_.push_back(static_cast<float>(pending_));
    pending_ -= static_cast<double>(marks_.back());  // what rounding took goes to the next: errors do not add up
    ahead_ = every_ - 1;
  }

  // Leaves every second mark. Only add() may follow where their number is even.
  void thin() {
    const std::size_t kept = (marks_.size() + 1) / 2;
    if (marks_.size() % 2 == 0 && !marks_.empty()) pending_ += static_cast<double>(marks_.back());
    for (std::size_t i = 1; i < kept; ++i) marks_[i] = marks_[2 * i - 1] + marks_[2 * i];
    marks_.resize(kept);
    every_ *= 2;
  }

  // Seconds: of the first piece since the opening message, of each further one since the mark before. As floats: 24
  // bits say a pause of hours in the room of a microsecond.
  [[nodiscard]] std::span<const float> marks() const { return marks_; }
  // Mark i, from 0, is of piece i * every() + 1.
  [[nodiscard]] std::uint64_t every() const { return every_; }

 private:
  std::vector<float> marks_;
  std::uint64_t every_ = 1;
  std::uint64_t ahead_ = 0;  // pieces without a mark that come before the next one with
  double pending_ = 0;       // seconds since the last mark
};

}  // namespace sockeye::model
