#include "recorder.h"

#include <algorithm>
#include <utility>

namespace sockeye::capture {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t chunk = 32U << 10U;  // bytes handed over at once, where they come fast
constexpr base::Duration longest_wait = 1s;

}  // namespace

void Recorder::begin(const Session& session) {
  encoder_.session(session);
  wall_ = session.wall_opened;
  handed_over_ = last_ = session.opened;
  hand_over(false);
}

void Recorder::event(Event event, const observer::Call& call) {
  if (over_) return;
  last_ = std::max(last_, call.now);
  if (const base::WallOffset wall = call.workspace.wall; wall.ns != wall_.ns) {
    wall_ = wall;
    Event moved;
    moved.kind = Event::Kind::wall;
    moved.wall = wall;
    this->event(moved);
  }
  this->event(std::move(event));
}

void Recorder::event(Event event) {
  if (over_) return;
  event.at = last_;
  // What the record takes is not known before it is made, but never more than this.
  if (written_ + encoder_.size() + event.data.size() + 1024 > options_.limit) return truncate();
  encoder_.event(event);
  if (encoder_.size() < chunk && last_ - handed_over_ < longest_wait) return;
  handed_over_ = last_;
  hand_over(false);
}

void Recorder::bytes(Event event, const observer::Call& call) {
  if (over_) return;
  const auto all = event.data;
  for (std::size_t at = 0; at < all.size() && !over_; at += most_bytes) {
    event.data = all.subspan(at, std::min(all.size() - at, most_bytes));
    if (!options_.payload) {
      scratch_.assign(event.data.begin(), event.data.end());
      scrubbers_[model::index(event.side)].scrub(scratch_);
      event.data = scratch_;
    }
    this->event(event, call);
    event.count = 0;
  }
}

void Recorder::gap(model::Side of, std::optional<std::uint64_t> bytes) { scrubbers_[model::index(of)].skip(bytes); }

void Recorder::truncate() {
  Event last;
  last.kind = Event::Kind::truncated;
  last.at = last_;
  encoder_.event(last);
  sink_->limited();
  hand_over(true);
}

void Recorder::hand_over(bool last) {
  if (over_) return;
  over_ = last;
  written_ += encoder_.size();
  if (sink_->write(encoder_.take(), last) || last) return;
  // It could not be kept up with: what was not taken is missing from here on.
  Event cut;
  cut.kind = Event::Kind::truncated;
  cut.at = last_;
  encoder_.event(cut);
  hand_over(true);
}

void Recorder::finish() {
  if (!over_) hand_over(true);
}

}  // namespace sockeye::capture
