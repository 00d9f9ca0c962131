#include "reconnects.h"

namespace sockeye::proxy {
namespace {

bool may_be_shared(const Identity& who) { return who.basis != model::ReconnectBasis::client_id; }

}  // namespace

Reconnects::Opened Reconnects::opened(const Identity& who, base::Time now) {
  if (who.key == 0) return {};
  Shard& s = shard(who);
  const std::lock_guard lock(s.mutex);
  expire(s, now);
  const auto at = s.entries.try_emplace(who.key).first;
  Entry& entry = at->second;
  Opened out{Seat(*this, who), std::nullopt};
  const bool alone = entry.live == 0 && entry.ends == 1 && !entry.overflowed;
  ++entry.live;
  if (entry.ends == 0 || (may_be_shared(who) && !alone)) return out;
  End& end = s.order[entry.newest - s.first];
  if (!end.lost || end.until <= now) return out;
  out.before = end.id;
  end.used = true;
  held_.fetch_sub(1, std::memory_order_relaxed);
  --entry.ends;
  entry.newest -= end.newer_by;
  return out;
}

void Reconnects::ended(const Identity& who, const base::SessionId& id, bool lost, base::Time now) {
  Shard& s = shard(who);
  const std::lock_guard lock(s.mutex);
  expire(s, now);
  // An end in order is nothing to come back from; it only tells that this identity had one more session.
  const bool kept = lost || may_be_shared(who);
  const bool full = kept_.load(std::memory_order_relaxed) >= capacity;
  if (kept && full && !s.order.empty()) drop_oldest(s, false);
  const auto at = s.entries.find(who.key);
  Entry& entry = at->second;
  --entry.live;
  if (!kept) return s.release(at);
  const std::uint64_t position = s.first + s.order.size();
  const std::uint32_t newer_by = entry.ends == 0 ? 0 : static_cast<std::uint32_t>(position - entry.newest);
  s.order.push_back({who.key, id, now + lifetime, newer_by, lost, false});
  kept_.fetch_add(1, std::memory_order_relaxed);
  entry.newest = position;
  ++entry.ends;
  held_.fetch_add(1, std::memory_order_relaxed);
}

void Reconnects::left(const Identity& who) {
  Shard& s = shard(who);
  const std::lock_guard lock(s.mutex);
  const auto at = s.entries.find(who.key);
  --at->second.live;
  s.release(at);
}

void Reconnects::drop_oldest(Shard& s, bool in_time) {
  const End oldest = s.order.front();
  s.order.pop_front();
  ++s.first;
  kept_.fetch_sub(1, std::memory_order_relaxed);
  if (oldest.used) return;
  held_.fetch_sub(1, std::memory_order_relaxed);
  const auto at = s.entries.find(oldest.key);
  --at->second.ends;
  at->second.overflowed = at->second.overflowed || !in_time;
  s.release(at);
}

void Reconnects::expire(Shard& s, base::Time now) {
  for (std::size_t i = 0; i < cleared && !s.order.empty() && s.order.front().until <= now; ++i) drop_oldest(s, true);
}

}  // namespace sockeye::proxy
