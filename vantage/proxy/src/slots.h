// Owns a worker's live objects of one kind; each knows its place, so leaving costs a swap. Order is not kept.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace sockeye::proxy {

template <class T>
class Slots;

template <class T>
class InSlots {
  friend class Slots<T>;
  std::uint32_t index_in_slots_ = 0;
};

template <class T>
class Slots {
 public:
  T& add(std::unique_ptr<T> member) {
    slot(*member) = static_cast<std::uint32_t>(members_.size());
    members_.push_back(std::move(member));
    return *members_.back();
  }
  std::unique_ptr<T> remove(T& member) {
    const std::size_t at = slot(member);
    auto out = std::move(members_[at]);
    if (at + 1 < members_.size()) {
      members_[at] = std::move(members_.back());
      slot(*members_[at]) = static_cast<std::uint32_t>(at);
    }
    members_.pop_back();
    return out;
  }
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] bool empty() const { return members_.empty(); }
  [[nodiscard]] T& operator[](std::size_t i) const { return *members_[i]; }

 private:
  static std::uint32_t& slot(T& member) { return static_cast<InSlots<T>&>(member).index_in_slots_; }
  std::vector<std::unique_ptr<T>> members_;
};

}  // namespace sockeye::proxy
