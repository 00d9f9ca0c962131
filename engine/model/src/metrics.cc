#include "sockeye/model/metrics.h"

namespace sockeye::model {
namespace {

// Codes of RFC 6455 §7.4.1 and IANA's registry that a Close may carry, that stand for none (1005), or for a connection
// that was lost (1006). With who closed and why they come to 38 rows. The others are whatever peers make up: they share
// what is left, and cannot crowd out a reset.
constexpr std::size_t rows_of_registered = 40;
constexpr std::size_t rows_of_others = RouteMetrics::close_rows - rows_of_registered;

bool is_registered(std::uint16_t code) { return code >= 1000 && code <= 1014 && code != 1004; }

}  // namespace

void RouteMetrics::count_close(std::uint16_t code, Initiator initiator, EndReason why) {
  const std::uint32_t key = (std::uint32_t{code} << 16U) | (static_cast<std::uint32_t>(initiator) << 8U) |
                            static_cast<std::uint32_t>(why) | 0x80U;  // bit 7 keeps a used key from being 0
  std::size_t others = 0;
  for (auto& row : closes) {
    const std::uint32_t have = row.key.load(std::memory_order_relaxed);
    if (have == 0 && others == rows_of_others && !is_registered(code)) break;
    if (have != 0 && !is_registered(static_cast<std::uint16_t>(have >> 16U))) ++others;
    if (have == 0) row.key.store(key, std::memory_order_release);
    if (have == 0 || have == key) return row.count.add();
  }
  closes_other.add();
}

}  // namespace sockeye::model
