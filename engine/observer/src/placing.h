// Where an invocation's span stands, and whether it is exported (docs/signals.md): in the context its message carried;
// else under the one it serves; else, by trace.scope, under the connection, or in a trace of its own that links to the
// connection. `auto` begins with the first and goes over to the second when the session has grown too long or too large
// for one trace.
#pragma once

#include <cstdint>

#include "opening.h"
#include "sockeye/base/time.h"
#include "sockeye/model/invocation.h"
#include "sockeye/observer/call.h"
#include "sockeye/observer/options.h"

namespace sockeye::observer {

// Sets its trace, span, parent and flags. `nth`: it is so manieth of the session, from 1; `begun`: when that began.
void place(model::Invocation&, std::uint64_t nth, base::Time begun, const Opening&, const Call&);

// It has a span, or may yet have one by how it ends.
[[nodiscard]] bool may_export(const model::Invocation&, const SamplingOptions&, const Call&);
// It ended: it has one. Tail rules: what went wrong is kept, whatever the ratio.
[[nodiscard]] bool exports(const model::Invocation&, const SamplingOptions&, const Call&);

}  // namespace sockeye::observer
