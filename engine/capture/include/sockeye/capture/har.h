// A recorded session as HTTP Archive 1.2, as browsers' developer tools write and open it: one entry, its messages in
// `_webSocketMessages`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sockeye/base/bytes.h"
#include "sockeye/base/result.h"

namespace sockeye::capture {

struct HarOptions {
  std::string_view creator_version;      // of this program
  std::uint64_t message = 16ULL << 20U;  // bytes kept of one message, inflated; the rest of it is cut off
  std::uint64_t all = 256ULL << 20U;     // of all of them; messages behind have no data
};

// Text messages as text, binary ones in Base64, compressed ones inflated. Control frames are none of the messages.
// Where the payload was not kept, cannot be inflated (an extension that is not known made it, or it refers to what came
// before the recording) or is too much, `data` is "" or what there is of it; `_length` has the payload bytes on the
// wire then. Fails as Reader does.
[[nodiscard]] base::Result<std::string> to_har(base::Bytes file, const HarOptions&);

}  // namespace sockeye::capture
