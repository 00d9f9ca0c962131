// Spans of this process straight into a store, without a network between.
#pragma once

#include <memory>
#include <string>

#include "sockeye/model/span.h"
#include "sockeye/store/store.h"

namespace sockeye::store {

// Each span is a batch of its own: for few of them. `store` is borrowed. Thread-safe. What a full store refuses is
// counted there.
[[nodiscard]] std::unique_ptr<model::SpanSink> span_sink(Store& store, std::string service, std::string version);

}  // namespace sockeye::store
