// A worker's part of a delta: from the back of its sessions to the front, a step a turn of the loop. A session that
// leaves meanwhile puts the last one in its place, which is then looked at twice: the second time it has nothing new to
// report. One that comes meanwhile is in the next delta.
#include <algorithm>
#include <ctime>
#include <new>
#include <utility>

#include "worker.h"

namespace sockeye::proxy {
namespace {

// A step ends after so long; the clock is looked at every so many sessions.
constexpr base::Duration step = std::chrono::milliseconds(2);
constexpr std::size_t stride = 32;
// A session is some cache lines in a few places; prefetched while the ones before it are looked at.
constexpr std::size_t ahead = 4;

// What the walk itself used: on a busy machine the wall clock would count others' work.
base::Duration used() {
  timespec ts{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec);
}

model::RouteDelta& route_of(model::SessionDelta& delta, const std::string& name) {
  for (auto& each : delta.routes)
    if (each.route == name) return each;
  auto& added = delta.routes.emplace_back();
  added.route = name;
  return added;
}

}  // namespace

void Worker::follow(std::size_t ended_kept) {
  delta_kept_ = ended_kept;
  while (delta_ended_.size() > ended_kept) delta_ended_.pop_front();
}

void Worker::keep_for_delta(const Session& session, base::Time now) {
  if (delta_ended_.size() >= delta_kept_) {
    delta_ended_.pop_front();
    ++delta_lost_;
  }
  auto& kept = delta_ended_.emplace_back();
  kept.record = session.record();
  kept.wall = workspace_.wall;
  const auto close = session.observed().close_info().value_or(model::CloseInfo{});
  kept.record.end = {kept.wall.unix_ns(now), close.code, std::string(model::name(close.why)),
                     std::string(model::name(close.initiator)), close.reason};
  kept.recorder = session.observed().recorder();
}

void Worker::walk(const std::shared_ptr<DeltaWalk>& walk) {
  const auto begun = monotonic_now();
  const auto used_before = used();
  auto& out = walk->delta;
  walk->next = std::min(walk->next, sessions_.size());
  try {
    for (std::size_t done = 1; walk->next > 0; ++done) {
      const std::size_t at = --walk->next;
      if (at >= ahead) sessions_[at - ahead].prefetch();
      look(sessions_[at], *walk);
      if (done % stride == 0 && monotonic_now() - begun >= step) break;
    }
  } catch (const std::bad_alloc&) {  // the rest with the next delta
    walk->next = 0;
    walk->all = false;
  }
  const auto took = used() - used_before;
  out.busy += took;
  out.longest_step = std::max(out.longest_step, took);
  if (walk->next > 0) return reactor_.post([this, walk] { this->walk(walk); });

  out.ended.assign(std::move_iterator(delta_ended_.begin()), std::move_iterator(delta_ended_.end()));
  delta_ended_.clear();
  out.ended_lost = std::exchange(delta_lost_, 0);
  {
    const std::lock_guard lock(walk->into->mutex);
    walk->into->reports.push_back({index_, walk->epoch, walk->all, std::move(out)});
    --walk->into->walking;
  }
  walk->into->ready.notify_all();
}

void Worker::look(Session& session, DeltaWalk& walk) {
  auto& out = walk.delta;
  const auto& request = walk.request;
  const auto& id = session.observed().id();
  auto figures = session.figures();
  auto& route = route_of(out, session.route_name());
  ++route.open;
  route.missing_pongs += figures.misses[0] + figures.misses[1] > 0 ? 1 : 0;
  route.invocations_open += figures.invocations_open;
  for (std::size_t i = 0; i < 2; ++i)
    if (figures.rtt_ns[i]) route.rtt_ns[i].push_back(*figures.rtt_ns[i]);

  const bool known = session.reported_in(walk.epoch);
  if (!known && out.opened.size() >= request.opened_most) {
    walk.all = false;
  } else {
    if (!known) out.opened.push_back(session.observed().facts(workspace_.wall));
    if (session.changed(figures, walk.epoch)) {
      figures.dialect = session.observed().dialect();
      out.changed.push_back({id, std::move(figures)});
    }
  }
  if (!request.watch.empty() && std::find(request.watch.begin(), request.watch.end(), id) != request.watch.end())
    out.watched.push_back(
        {id, workspace_.wall, session.observed().recorder(), std::move(session.observed().detail().invocations)});
  ++out.walked;
}

}  // namespace sockeye::proxy
