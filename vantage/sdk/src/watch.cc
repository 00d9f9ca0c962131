#include "sockeye/sdk/watch.h"

#include <sys/random.h>

#include <chrono>
#include <utility>

#include "sockeye/observer/byte_stream.h"

namespace sockeye::sdk {
namespace {

using model::Side;

base::Time now() {
  return base::Time(std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

base::WallOffset wall(base::Time at) {
  const auto unix_ns = std::chrono::duration_cast<base::Duration>(std::chrono::system_clock::now().time_since_epoch());
  return {unix_ns.count() - at.time_since_epoch().count()};
}

std::uint64_t seed() {
  std::uint64_t out = 0;
  static_cast<void>(!::getrandom(&out, sizeof out, 0));
  return out;
}

}  // namespace

namespace {

template <class Shard>
class Watched final : public Connection {
 public:
  Watched(Shard& shard, const observer::Options& options, observer::Endpoints endpoints)
      : shard_(shard), stream_(options, std::move(endpoints), nullptr) {}
  ~Watched() override {
    const std::lock_guard lock(shard_.mutex);
    const observer::Call at = call();
    for (const Side side : {Side::client, Side::server}) stream_.end(side, observer::StreamEnd::fin, at);
    stream_.finish(at);
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  void bytes(Side from, base::Bytes bytes) override {
    const std::lock_guard lock(shard_.mutex);
    const observer::Call at = call();
    stream_.bytes(from, bytes, at);
    if (stream_.next_deadline() <= at.now) stream_.tick(at);
  }

 private:
  observer::Call call() {
    const base::Time at = now();
    shard_.workspace.wall = wall(at);
    return {shard_.workspace, shard_.metrics, at};
  }

  Shard& shard_;
  observer::ByteStream stream_;
};

}  // namespace

Watch::Watch(observer::Options options, model::SpanSink* spans) : options_(std::move(options)) {
  for (Shard& shard : shards_) {
    shard.workspace.spans = spans;
    shard.workspace.random = base::Random(seed());
  }
}

std::unique_ptr<Connection> Watch::connection(observer::Endpoints endpoints) {
  Shard& shard = shards_[next_.fetch_add(1, std::memory_order_relaxed) % shards];
  return std::make_unique<Watched<Shard>>(shard, options_, std::move(endpoints));
}

model::RouteCounters Watch::metrics() const {
  model::RouteCounters out{.route = options_.route, .workers = {}};
  for (const Shard& shard : shards_) out.workers.push_back(&shard.metrics);
  return out;
}

}  // namespace sockeye::sdk
