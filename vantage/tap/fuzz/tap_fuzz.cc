// A whole capture through the tap: whatever is in it, every session that begins is told of once, and the same file
// gives the same observations again.
#include <cstdlib>
#include <vector>

#include "../src/capture_reader.h"
#include "../test/memory_input.h"
#include "sockeye/tap/tap.h"

namespace {

using namespace sockeye;
using namespace sockeye::tap;

void check(bool good) {
  if (!good) std::abort();
}

std::vector<model::SessionRecord> observe(base::Bytes capture) {
  std::vector<model::SessionRecord> out;
  TapOptions options;
  options.observation.vantage = "tap";
  options.observation.dialect.mode = observer::DialectOptions::Mode::automatic;
  options.streams = 8;
  options.ended = [&](const model::SessionRow& row) { out.push_back(row.record); };
  auto tap = Tap::open(std::move(options));
  check(tap.has_value());
  auto source = CaptureReader::open("fuzz", std::make_unique<test::MemoryInput>(capture));
  if (!source) return out;
  (void)(*tap)->run(**source);
  check((*tap)->sessions().size() == (*tap)->totals().open);
  (*tap)->finish();
  const auto totals = (*tap)->totals();
  check(totals.open == 0 && totals.websockets == out.size() && totals.attached <= totals.websockets);
  check(totals.websockets <= totals.connections);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = observe({data, size});
  const auto second = observe({data, size});
  check(first.size() == second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    check(first[i].facts == second[i].facts && first[i].figures == second[i].figures && first[i].end == second[i].end);
  }
  return 0;
}
