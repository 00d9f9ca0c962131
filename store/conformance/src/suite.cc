#include "sockeye/conformance/suite.h"

#include <gtest/gtest.h>

#include "world.h"

namespace sockeye::conformance {
namespace {

class CaseTest : public ::testing::Test {
 public:
  CaseTest(std::shared_ptr<const Backend> backend, const Case& which) : backend_(std::move(backend)), case_(which) {}
  void TestBody() override {
    World world(*backend_, case_.settings);
    world.open();
    if (!HasFatalFailure()) case_.run(world);
  }

 private:
  std::shared_ptr<const Backend> backend_;
  const Case case_;
};

}  // namespace

void add_suite(const Backend& backend) {
  const auto kept = std::make_shared<const Backend>(backend);
  for (const auto& cases : {span_cases(), search_cases(), name_cases(), lookup_cases(), paging_cases(), latency_cases(),
                            call_cases(), session_cases(), life_cases()})
    for (const Case& each : cases)
      ::testing::RegisterTest(kept->name.c_str(), each.name, nullptr, nullptr, __FILE__, __LINE__,
                              [kept, each]() -> CaseTest* { return new CaseTest(kept, each); });
}

}  // namespace sockeye::conformance
