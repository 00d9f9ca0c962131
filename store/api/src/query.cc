#include "sockeye/store/query.h"

namespace sockeye::store {
namespace {

bool within(std::uint64_t time, const TimeRange& range) {
  return time >= range.from_unix_ns && (time < range.to_unix_ns || range.to_unix_ns == UINT64_MAX);
}

}  // namespace

bool opened_and_ended_within(const Session& session, const SessionQuery& query) {
  if (!within(session.opened_unix_ns, query.opened)) return false;
  const bool any = query.ended.from_unix_ns == 0 && query.ended.to_unix_ns == UINT64_MAX;
  return any || (session.ended_unix_ns && within(*session.ended_unix_ns, query.ended));
}

}  // namespace sockeye::store
