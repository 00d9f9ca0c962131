// Sessions as every backend keeps and finds them: what a connection span says of one, how what is reported of it at
// different times comes together, and which fit a SessionQuery.
#pragma once

#include <cstdint>
#include <optional>

#include "sockeye/store/batch.h"
#include "sockeye/store/query.h"

namespace sockeye::store {

// What a websocket.connection span says of its session; none: it is no such span. It has no instance.
[[nodiscard]] std::optional<Session> session_of(const Batch&, const Span&);

// Two tellings of one session as one. In whatever order tellings are put together, what comes out is the same, so that
// a backend may do it when it writes or when it reads. Facts: of the latest report, then of a span (no instance), then
// of whoever says them. Figures: the highest, for they only grow. The end: the latest that was seen, then that of who
// gave it up as lost; so what ended stays ended. Of two that are as late as each other the second wins.
[[nodiscard]] Session merged(const Session& one, const Session& other);

// Whether it was open at some time within: a range of no length asks "at T".
[[nodiscard]] bool open_within(const Session&, const TimeRange&);
// All conditions of the query but those on the time it was open, its state, and attributes.
[[nodiscard]] bool fits(const Session&, const SessionQuery&);
// Until its end, or until it was seen last.
[[nodiscard]] std::uint64_t duration_ns(const Session&);
// What the query knows newer of a session that is open, laid over it; what came after `as_of` is not seen yet.
void take_latest(Session&, const SessionQuery&, std::uint64_t as_of_unix_ns);
[[nodiscard]] std::optional<Latest> latest_of(const SessionQuery&, const SessionId&, std::uint64_t as_of_unix_ns);
// What it is sorted by. Open sessions end after all others: UINT64_MAX.
[[nodiscard]] std::uint64_t rank_of(const Session&, SessionQuery::Sort);

}  // namespace sockeye::store
