#include "reconnects.h"

#include <functional>

namespace sockeye::proxy {

std::uint64_t Reconnects::key(std::string_view client_address, std::string_view route, std::string_view target,
                              std::string_view user_agent) {
  const std::string_view path = target.substr(0, target.find('?'));
  std::uint64_t h = 0x9e3779b97f4a7c15ULL;
  for (const auto part : {client_address, route, path, user_agent}) {
    h ^= std::hash<std::string_view>{}(part);
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 32U;
  }
  return h;
}

void Reconnects::drop_oldest() {
  const Credit& oldest = order_.front();
  if (!oldest.id.is_zero()) {
    auto [at, end] = live_.equal_range(oldest.key);
    for (; at != end; ++at) {
      if (at->second == first_) {
        live_.erase(at);
        break;
      }
    }
  }
  order_.pop_front();
  ++first_;
}

void Reconnects::ended(std::uint64_t key, const base::SessionId& id, base::Time now) {
  const std::lock_guard lock(mutex_);
  while (!order_.empty() && (order_.size() >= capacity || order_.front().until <= now)) drop_oldest();
  live_.emplace(key, first_ + order_.size());
  order_.push_back({key, id, now + lifetime});
}

std::optional<base::SessionId> Reconnects::opened(std::uint64_t key, base::Time now) {
  const std::lock_guard lock(mutex_);
  while (!order_.empty() && order_.front().until <= now) drop_oldest();
  const auto at = live_.find(key);
  if (at == live_.end()) return std::nullopt;
  Credit& credit = order_[at->second - first_];
  const base::SessionId id = credit.id;
  credit.id = {};
  live_.erase(at);
  return id;
}

std::size_t Reconnects::size() const {
  const std::lock_guard lock(mutex_);
  return live_.size();
}

}  // namespace sockeye::proxy
