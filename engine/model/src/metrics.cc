#include "sockeye/model/metrics.h"

namespace sockeye::model {

void RouteMetrics::count_close(std::uint16_t code, Initiator initiator, EndReason why) {
  const std::uint32_t key = (std::uint32_t{code} << 16U) | (static_cast<std::uint32_t>(initiator) << 8U) |
                            static_cast<std::uint32_t>(why) | 0x80U;  // bit 7 keeps a used key from being 0
  for (auto& row : closes) {
    const std::uint32_t have = row.key.load(std::memory_order_relaxed);
    if (have == 0) row.key.store(key, std::memory_order_release);
    if (have == 0 || have == key) return row.count.add();
  }
  closes_other.add();
}

}  // namespace sockeye::model
