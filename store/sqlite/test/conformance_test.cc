#include "sockeye/conformance/suite.h"

#include "sockeye/sqlite/open.h"

namespace {

using namespace sockeye;

[[maybe_unused]] const bool added = [] {
  conformance::add_suite({"SqliteStore", [](const conformance::Settings& settings) {
                            sqlite::Options options;
                            options.directory = settings.directory;
                            options.keep_for = settings.keep_for;
                            options.keep_bytes = 0;
                            options.queue_bytes = settings.queue_bytes;
                            return sqlite::open(std::move(options));
                          }});
  return true;
}();

}  // namespace
