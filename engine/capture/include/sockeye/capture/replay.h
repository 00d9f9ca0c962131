// Observes a recorded session again: the same calls with the same times and identifiers, so the same spans and counts,
// every time.
//
// Without its payload a session is observed with no dialect and nothing inflated: counts, sizes, times, closes and what
// is wrong with the framing are as they were. A recording that began in the middle of its session has no handshake, and
// identifiers of its own.
#pragma once

#include <optional>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/result.h"
#include "sockeye/capture/format.h"
#include "sockeye/model/metrics.h"
#include "sockeye/model/session.h"
#include "sockeye/model/session_source.h"
#include "sockeye/model/span.h"
#include "sockeye/observer/options.h"

namespace sockeye::capture {

struct Replayed {
  model::SessionRow row;
  std::vector<model::RecordedMessage> recorder;
  // With either the row has no end, as that of a session that is open when a capture ends; spans and counts of its end
  // (1006, by the network) say when the recording did.
  bool truncated = false;   // the recording was ended before the session was
  bool incomplete = false;  // the file ends without saying so: its writer was interrupted
};

// `dialect`: in place of the recorded route's. Fails on a file that is no capture, or is damaged: what came before the
// damage has been observed by then.
[[nodiscard]] base::Result<Replayed> replay(base::Bytes file, const std::optional<observer::DialectOptions>& dialect,
                                            model::SpanSink&, model::RouteMetrics&);
// The name of the route it was recorded on.
[[nodiscard]] std::string route_of(const Session&);

}  // namespace sockeye::capture
