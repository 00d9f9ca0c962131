#include <array>
#include <vector>

#include "sockeye/observer/byte_stream.h"
#include "sockeye/observer/handshake.h"
#include "sockeye/wire/resync.h"

namespace sockeye::observer {

using base::Bytes;
using base::Time;
using model::Side;

struct UnknownStream::Held {
  struct Segment {
    unsigned end;
    bool hole;
    Time at;
    std::vector<base::Byte> bytes;
  };
  std::array<wire::Resync, 2> search;
  std::vector<Segment> segments;  // in the order they came
  std::size_t size = 0;
};

UnknownStream::UnknownStream() : held_(std::make_unique<Held>()) {}
UnknownStream::~UnknownStream() = default;
UnknownStream::UnknownStream(UnknownStream&&) noexcept = default;
UnknownStream& UnknownStream::operator=(UnknownStream&&) noexcept = default;

bool UnknownStream::bytes(unsigned end, Bytes in, Time now) {
  if (given_up_ || in.empty()) return false;
  Held& h = *held_;
  h.segments.push_back({end, false, now, {in.begin(), in.end()}});
  h.size += in.size() + sizeof(Held::Segment);
  if (h.search[end].feed(in, now)) {
    client_ = h.search[end].sender() == Side::client ? end : 1 - end;
    return true;
  }
  if (h.size > most_held) give_up();
  return false;
}

void UnknownStream::gap(unsigned end) {
  if (given_up_) return;
  held_->search[end].gap();
  held_->segments.push_back({end, true, {}, {}});
  held_->size += sizeof(Held::Segment);
  if (held_->size > most_held) give_up();
}

void UnknownStream::give_up() {
  given_up_ = true;
  held_.reset();
}

std::size_t UnknownStream::held() const { return held_ ? held_->size : 0; }

std::unique_ptr<Observation> UnknownStream::take(const Options& options, const Endpoints& endpoints, Listener* listener,
                                                 const Call& call, Openings* openings) {
  const auto held = std::move(held_);
  Call then = call;
  then.now = held->segments.empty() ? call.now : held->segments.front().at;
  auto observation = openings != nullptr ? openings->attach(options, endpoints, listener, then)
                                         : attach(options, endpoints, listener, then);
  for (const auto& segment : held->segments) {
    const Side from = segment.end == client_ ? Side::client : Side::server;
    if (segment.hole) {
      observation->gap(from, std::nullopt, then);
      continue;
    }
    then.now = segment.at;
    observation->bytes(from, segment.bytes, then);
  }
  given_up_ = true;
  return observation;
}

}  // namespace sockeye::observer
