#include "metrics.h"

#include <iterator>
#include <utility>

#include "process.h"
#include "sockeye/signal/collect.h"

namespace sockeye::app {

std::vector<model::MetricFamily> Metrics::families() const {
  std::vector<model::MetricFamily> all;
  const auto append = [&all](std::vector<model::MetricFamily> more) {
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  if (const auto* sessions = sessions_.load()) {
    append(signal::collect(sessions->metrics()));
    append(sessions->families());
  }
  for (const auto* each : sources_) append(each->families());
  all.push_back(build_info());
  append(process_families());
  return all;
}

}  // namespace sockeye::app
