// Any bytes as an OTLP/JSON request of each signal.
#include <cstdint>

#include "bounded.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye::intake;
  fuzz::decode_all(Format::json, std::string(data, data + size));
  return 0;
}
