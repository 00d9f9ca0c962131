// What store.h promises, as GoogleTest cases that run against any backend. A backend's test binary calls add_suite()
// before main() runs the tests (an initialiser of a global will do).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sockeye/base/result.h"
#include "sockeye/store/store.h"

namespace sockeye::conformance {

struct Settings {
  std::string directory{};           // empty at first; the same again when a store is opened again
  std::chrono::seconds keep_for{0};  // 0: for ever
  std::size_t queue_bytes = 64U << 20U;
};

struct Backend {
  std::string name;  // of the test suite
  std::function<base::Result<std::unique_ptr<store::Store>>(const Settings&)> open;
};

void add_suite(const Backend& backend);

}  // namespace sockeye::conformance
