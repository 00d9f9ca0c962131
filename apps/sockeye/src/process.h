// What the process itself uses, under the names every Prometheus client library gives them.
#pragma once

#include <vector>

#include "sockeye/model/metric_family.h"

namespace sockeye::app {

// process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes, process_open_fds,
// process_max_fds, process_start_time_seconds, process_threads. Read from /proc at the call; what cannot be read is
// left out.
[[nodiscard]] std::vector<model::MetricFamily> process_families();

// sockeye_build_info{version}: 1.
[[nodiscard]] model::MetricFamily build_info();

// Each session takes two descriptors: the soft limit is raised to the hard one. Returns the limit now in force.
unsigned long long raise_descriptor_limit();
// Memory that was needed for a while goes back to the system: the C library's own thresholds grow with what is freed,
// until buffers of megabytes stay in its heap for good.
void return_memory();

}  // namespace sockeye::app
