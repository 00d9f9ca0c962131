#include "reconnects.h"

namespace sockeye::proxy {
namespace {

bool may_be_shared(const Identity& who) { return who.basis != model::ReconnectBasis::client_id; }

}  // namespace

Reconnects::Opened Reconnects::opened(const Identity& who, base::Time now) {
  if (who.key == 0) return {};
  const std::lock_guard lock(mutex_);
  expire(now);
  const auto at = entries_.try_emplace(who.key).first;
  Entry& entry = at->second;
  Opened out{Seat(*this, who), std::nullopt};
  const bool alone = entry.live == 0 && entry.ends == 1 && !entry.overflowed;
  ++entry.live;
  if (entry.ends == 0 || (may_be_shared(who) && !alone)) return out;
  End& end = order_[entry.newest - first_];
  if (!end.lost) return out;
  out.before = end.id;
  end.used = true;
  --held_;
  --entry.ends;
  entry.newest -= end.newer_by;
  return out;
}

void Reconnects::ended(const Identity& who, const base::SessionId& id, bool lost, base::Time now) {
  const std::lock_guard lock(mutex_);
  expire(now);
  // An end in order is nothing to come back from; it only tells that this identity had one more session.
  const bool kept = lost || may_be_shared(who);
  if (kept && order_.size() >= capacity) drop_oldest(false);
  const auto at = entries_.find(who.key);
  Entry& entry = at->second;
  --entry.live;
  if (!kept) return release(at);
  const std::uint64_t position = first_ + order_.size();
  const std::uint32_t newer_by = entry.ends == 0 ? 0 : static_cast<std::uint32_t>(position - entry.newest);
  order_.push_back({who.key, id, now + lifetime, newer_by, lost, false});
  entry.newest = position;
  ++entry.ends;
  ++held_;
}

void Reconnects::left(const Identity& who) {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(who.key);
  --at->second.live;
  release(at);
}

void Reconnects::drop_oldest(bool in_time) {
  const End oldest = order_.front();
  order_.pop_front();
  ++first_;
  if (oldest.used) return;
  --held_;
  const auto at = entries_.find(oldest.key);
  --at->second.ends;
  at->second.overflowed = at->second.overflowed || !in_time;
  release(at);
}

void Reconnects::expire(base::Time now) {
  while (!order_.empty() && order_.front().until <= now) drop_oldest(true);
}

std::size_t Reconnects::size() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

}  // namespace sockeye::proxy
