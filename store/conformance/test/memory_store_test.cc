#include "sockeye/conformance/memory_store.h"

#include "sockeye/conformance/suite.h"

namespace {

using namespace sockeye;

[[maybe_unused]] const bool added = [] {
  conformance::add_suite({"MemoryStore", [](const conformance::Settings& settings) {
                            return base::Result<std::unique_ptr<store::Store>>(
                                std::make_unique<conformance::MemoryStore>(settings.keep_for));
                          }});
  return true;
}();

}  // namespace
