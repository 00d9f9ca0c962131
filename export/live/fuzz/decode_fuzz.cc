// Any bytes as each of the stream's messages: refused, or a value within its bounds that survives being written and
// read again.
#include <cstdint>
#include <cstdlib>

#include "sockeye/live/messages.h"

namespace {

using namespace sockeye;

void check(bool good) {
  if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::Bytes bytes(data, size);
  if (const auto report = live::decode_report(bytes)) {
    const auto again = live::decode_report(base::as_bytes(live::encode(*report)));
    // An operation is cut to what a proxy sends; nothing else may differ.
    if (!again) std::abort();
    auto expected = *report, got = *again;
    for (auto* each : {&expected, &got})
      for (auto& detail : each->details)
        for (auto& call : detail.calls) call.operation.clear();
    // Zero ids are "none", and are not written.
    for (auto& each : expected.opened)
      if (each.reconnect_of && each.reconnect_of->is_zero()) each.reconnect_of.reset();
    check(expected == got);
    for (const auto& part : live::encode_parts(*report)) check(part.size() <= live::largest_message);
  }
  if (const auto ask = live::decode_ask(bytes)) {
    const auto again = live::decode_ask(base::as_bytes(live::encode(*ask)));
    check(again && *again == *ask);
  }
  if (const auto recorder = live::decode_recorder(bytes)) {
    const auto again = live::decode_recorder(base::as_bytes(live::encode(*recorder)));
    check(again && *again == *recorder);
  }
  return 0;
}
