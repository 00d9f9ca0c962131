// Sockeye observing itself: the WebSockets of the console's page go through the same engine as everybody's, and their
// spans into the console's own store.
#pragma once

#include <functional>
#include <memory>

#include "sockeye/console/console.h"
#include "sockeye/store/store.h"

namespace sockeye::app {

// For console::Options::watch. Both are borrowed for the life of every Watcher.
[[nodiscard]] std::function<std::unique_ptr<console::Watcher>(const console::WatchedRequest&)> self_watch(
    store::Store& store);

}  // namespace sockeye::app
