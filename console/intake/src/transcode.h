// OTLP/JSON written as OTLP/protobuf.
#pragma once

#include <string>

#include "sockeye/base/result.h"
#include "sockeye/intake/decode.h"

namespace sockeye::intake {

// Liberal where senders differ: fields in lowerCamelCase or as in the .proto files, 64-bit numbers as numbers or texts,
// enumerations as numbers or names, `null` for what is not there, unknown fields. An id that is no hexadecimal becomes
// an empty one: that costs its span, not the request. What does not fit its field in any way is an error that names it.
// `json` is spent: its buffer may be grown and changed.
[[nodiscard]] base::Result<std::string> transcode(Signal signal, std::string&& json);

}  // namespace sockeye::intake
