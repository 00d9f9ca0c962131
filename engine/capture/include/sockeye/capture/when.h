// Which sessions of a route, or of a tap, are recorded.
#pragma once

#include <array>
#include <cstddef>

#include "sockeye/model/condition.h"

namespace sockeye::capture {

// Without being asked for: all, or those of which something is raised, from then on.
struct When {
  bool all = false;
  std::array<bool, static_cast<std::size_t>(model::ConditionKind::count_)> raised{};  // by kind
  bool anomaly = false;
};

}  // namespace sockeye::capture
