// Ended sessions that were reported, but that the console has not confirmed: reported again after a
// reconnect. A pong confirms what was written before its ping, since a WebSocket keeps the order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "sockeye/live/messages.h"

namespace sockeye::live {

class Unconfirmed {
 public:
  explicit Unconfirmed(std::size_t most) : most_(most) {}

  // The ended sessions of `report`. `round` only grows.
  void keep(const Report& report, std::uint64_t round) {
    if (report.ended.empty()) return;
    std::map<base::SessionId, const model::SessionFacts*> facts;
    for (const auto& each : report.opened) facts.emplace(each.id, &each);
    for (const auto& each : report.ended) {
      if (kept_.size() >= most_) {
        ++lost_;
        if (kept_.empty()) continue;
        kept_.pop_front();
      }
      const auto found = facts.find(each.last.id);
      kept_.push_back({round, found == facts.end() ? model::SessionFacts{} : *found->second, each});
    }
  }
  // Everything of this round and before has arrived.
  void confirm(std::uint64_t round) {
    while (!kept_.empty() && kept_.front().round <= round) kept_.pop_front();
  }
  // Puts what is kept before what `report` has, in its order.
  void add_to(Report& report) const {
    std::vector<model::SessionFacts> opened;
    std::vector<Ended> ended;
    for (const auto& each : kept_) {
      if (!each.opened.id.is_zero()) opened.push_back(each.opened);
      ended.push_back(each.ended);
    }
    report.opened.insert(report.opened.begin(), opened.begin(), opened.end());
    report.ended.insert(report.ended.begin(), ended.begin(), ended.end());
  }

  [[nodiscard]] std::size_t size() const { return kept_.size(); }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  struct Kept {
    std::uint64_t round;
    model::SessionFacts opened;
    Ended ended;
  };
  std::size_t most_;
  std::deque<Kept> kept_;
  std::uint64_t lost_ = 0;
};

}  // namespace sockeye::live
