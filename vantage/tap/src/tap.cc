#include "sockeye/tap/tap.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <span>
#include <thread>
#include <utility>

#include "decode.h"
#include "reassembly.h"
#include "watch.h"

namespace sockeye::tap {
namespace {

using base::Time;
using model::Side;

constexpr std::uint64_t progress_every = 16U << 20U;            // bytes
constexpr base::Duration look_every = std::chrono::seconds(1);  // at deadlines, of the capture's time
constexpr std::chrono::seconds answer_bound{1};                 // as SessionSource has it

}  // namespace

// What one thread does, and what others ask it in between: a question is answered between two packets; while nothing
// runs, by who asks.
class Tap::Live final : private StreamListener {
 public:
  explicit Live(TapOptions options)
      : options_(std::move(options)), reassembly_({.streams = options_.streams}, std::random_device{}(), *this) {
    shared_.options = options_.observation;
    shared_.max_held = options_.held;
    shared_.workspace.spans = options_.spans;
    shared_.workspace.random = base::Random(options_.seed);
    shared_.on_ended = options_.ended;
    shared_.recordings = options_.recordings;
    if (options_.recordings != nullptr && options_.record.all) shared_.record_all.emplace(*options_.recordings);
    shared_.record_anomalous = options_.recordings != nullptr && options_.record.anomaly;
  }
  ~Live() override {  // finish() has been called, or nobody wants to hear of it
    shared_.workspace.spans = nullptr;
    shared_.on_ended = nullptr;
    const Running running(*this);
    reassembly_.finish();
  }

  base::Result<void> follow_keys() {
    if (options_.key_log_descriptor >= 0) return shared_.tls.keys.follow(options_.key_log_descriptor, "key log");
    if (options_.key_log.empty()) return {};
    return shared_.tls.keys.follow(options_.key_log);
  }
  base::Result<void> run(Source& source);
  void finish();
  void stop() noexcept { stopped_ = true; }
  [[nodiscard]] bool stopped() const { return stopped_; }

  // `answer()` on the thread that runs; none when it does not come to it in time: then `late(…)` gets it, there.
  template <class Answer>
  auto ask(Answer answer) -> std::optional<decltype(answer())> {
    return ask(answer, [](auto&&) {});
  }
  template <class Answer, class Late>
  auto ask(Answer answer, Late late) -> std::optional<decltype(answer())> {
    struct Box {
      std::mutex mutex;
      std::condition_variable ready;
      std::optional<decltype(answer())> out;
      bool left = false;  // nobody waits any more
    };
    std::unique_lock lock(mutex_);
    if (!running_ || runner_ == std::this_thread::get_id()) return answer();
    const auto box = std::make_shared<Box>();
    questions_.push_back([box, answer, late] {
      auto out = answer();
      const std::lock_guard hold(box->mutex);
      if (box->left) return late(std::move(out));
      box->out = std::move(out);
      box->ready.notify_all();
    });
    asked_ = true;
    lock.unlock();
    std::unique_lock hold(box->mutex);
    box->left = !box->ready.wait_for(hold, answer_bound, [&] { return box->out.has_value(); });
    return std::move(box->out);
  }

  [[nodiscard]] TapTotals totals() const;
  [[nodiscard]] std::vector<model::SessionRow> sessions() const;
  [[nodiscard]] std::optional<Found> find(const base::SessionId& id) const;
  capture::Recorded record(const base::SessionId& id);
  [[nodiscard]] std::vector<model::SessionRow> ended() const { return {shared_.ended.begin(), shared_.ended.end()}; }
  void follow(std::size_t ended_kept);
  model::SessionDeltas changes(const model::DeltaRequest& request);
  // Nobody took these: they come with the next.
  void keep(model::SessionDeltas&& deltas) { late_ = std::move(deltas.workers); }
  [[nodiscard]] const model::RouteMetrics& metrics() const { return shared_.metrics; }
  [[nodiscard]] const std::string& route() const { return shared_.options.route; }

 private:
  // The time in which questions have to wait.
  class Running {
   public:
    explicit Running(Live& live) : live_(live) {
      const std::lock_guard lock(live_.mutex_);
      live_.running_ = true;
      live_.runner_ = std::this_thread::get_id();
    }
    ~Running() {
      const std::lock_guard lock(live_.mutex_);
      live_.answer(std::exchange(live_.questions_, {}));
      live_.running_ = false;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Live& live_;
  };

  void serve() {
    std::unique_lock lock(mutex_);
    asked_ = false;
    const auto questions = std::exchange(questions_, {});
    lock.unlock();
    answer(questions);
  }
  static void answer(const std::vector<std::function<void()>>& questions) {
    for (const auto& each : questions) each();
  }

  void name_after(const Packet& first);
  void take(std::span<const Packet> packets);
  void flush() {
    reassembly_.segments(std::span(segments_).first(pending_));
    pending_ = 0;
  }
  void look_at_deadlines(Time now);
  void look(Watch& watch, const model::DeltaRequest& request, model::SessionDelta& out, bool& all);

  static Watch& watch_of(Stream& stream) { return *static_cast<Watch*>(stream.context); }
  Watch& reach(Stream& stream) {
    if (stream.context == nullptr) stream.context = new Watch(shared_, stream);
    return watch_of(stream);
  }
  void prefetch(const Stream& stream, Side from, unsigned ahead) const noexcept override {
    if (stream.context != nullptr) Watch::prefetch(*static_cast<const Watch*>(stream.context), from, ahead);
  }
  void opened(Stream&, Time) override {}
  void bytes(Stream& stream, Side from, base::Bytes bytes, Time time) override {
    reach(stream).bytes(from, bytes, time);
  }
  void gap(Stream& stream, Side from, std::uint64_t count, Time time) override { reach(stream).gap(from, count, time); }
  void finished(Stream& stream, Side from, Finish how, Time time) override {
    if (stream.context != nullptr) watch_of(stream).finished(from, how, time);
  }
  void closed(Stream& stream, Closed why, Time time) override {
    if (stream.context == nullptr) return;
    const std::unique_ptr<Watch> watch(&watch_of(stream));
    watch->closed(why, time);
  }

  TapOptions options_;
  Shared shared_;
  Decoder decoder_;
  Reassembly reassembly_;
  std::array<Segment, Reassembly::max_batch> segments_;
  std::size_t pending_ = 0;
  TapTotals totals_;
  std::uint64_t dropped_before_ = 0;  // by sources that are over
  std::uint64_t dropped_ = 0;         // by this one
  Time looked_{};
  std::atomic<bool> stopped_ = false;

  std::uint32_t epoch_ = 0;
  bool reported_ = false;  // every session that was open at the last resync
  std::vector<model::SessionDelta> late_;

  std::mutex mutex_;  // of what follows
  bool running_ = false;
  std::thread::id runner_;
  std::vector<std::function<void()>> questions_;
  std::atomic<bool> asked_ = false;
};

base::Result<void> Tap::Live::run(Source& source) {
  const Running running(*this);
  bool first = true;
  std::uint64_t reported = totals_.bytes;
  std::array<Packet, Reassembly::max_batch> packets;
  auto& packet = packets.front();
  while (!stopped_) {
    const auto event = source.next(packet);
    if (asked_.load(std::memory_order_relaxed)) [[unlikely]] {
      dropped_ = source.dropped();
      serve();
    }
    if (event == Source::Event::packet) [[likely]] {
      if (std::exchange(first, false)) [[unlikely]]
        name_after(packet);
      take(std::span(packets).first(1 + source.more(std::span(packets).subspan(1))));
      if (totals_.bytes - reported < progress_every) [[likely]]
        continue;
      reported = totals_.bytes;
    } else if (event == Source::Event::secrets) {
      shared_.tls.keys.add(source.secrets());
      shared_.tls.keys.expect_more();  // of one who writes them as they come
      continue;
    } else if (event == Source::Event::idle) {
      reassembly_.advance(packet.time);
      look_at_deadlines(packet.time);
    } else {
      break;
    }
    if (options_.progress) options_.progress(source);
  }
  dropped_before_ += source.dropped();
  dropped_ = 0;
  if (totals_.truncation.empty()) totals_.truncation = source.truncation();
  if (!source.error().message.empty()) return tl::unexpected(source.error());
  return {};
}

// Two captures have identifiers of their own, one has the same ones each time.
void Tap::Live::name_after(const Packet& first) {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ options_.seed;  // FNV-1a
  const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3ULL; };
  mix(static_cast<std::uint64_t>(first.time.time_since_epoch().count()));
  for (const auto each : first.bytes) mix(each);
  shared_.workspace.random = base::Random(hash);
}

void Tap::Live::take(std::span<const Packet> packets) {
  for (const auto& packet : packets) {
    ++totals_.packets;
    totals_.bytes += packet.bytes.size();
    auto& segment = segments_[pending_];
    switch (decoder_.decode(packet, segment)) {
      case Decoder::Result::segment:
        ++pending_;
        // What was put together of fragments is there until the next packet is decoded.
        if (decoder_.assembled()) flush();
        break;
      case Decoder::Result::fragment:
        break;
      case Decoder::Result::other:
        ++totals_.not_tcp;
        break;
      case Decoder::Result::malformed:
        ++totals_.malformed;
        break;
      case Decoder::Result::unknown_link:
        ++totals_.unknown_link;
        break;
    }
  }
  flush();
  totals_.now = std::max(totals_.now, packets.back().time);
  if (totals_.now - looked_ >= look_every) look_at_deadlines(totals_.now);
}

void Tap::Live::look_at_deadlines(Time now) {
  if (now - looked_ < look_every) return;
  looked_ = now;
  for (auto* each : shared_.sessions) each->tick(now);
}

void Tap::Live::finish() {
  const Running running(*this);
  reassembly_.finish();
}

TapTotals Tap::Live::totals() const {
  auto out = totals_;
  const auto& tcp = reassembly_.stats();
  out.fragments_dropped = decoder_.fragments().dropped();
  out.dropped = dropped_before_ + dropped_;
  out.connections = tcp.streams;
  out.begun_before = tcp.begun_before;
  out.evicted = tcp.evicted;
  out.gaps = tcp.gaps;
  out.gap_bytes = tcp.gap_bytes;
  out.out_of_order = tcp.out_of_order;
  out.repeated = tcp.repeated;
  out.contradictions = tcp.contradictions;
  out.websockets = shared_.websockets;
  out.attached = shared_.attached;
  out.open = shared_.sessions.size();
  out.given_up = shared_.given_up;
  const auto& tls = shared_.tls.stats;
  out.tls = tls.streams;
  out.tls_decrypted = tls.decrypted;
  out.tls_without_secrets = tls.without_secrets;
  out.tls_not_understood = tls.not_understood;
  out.tls_incomplete = tls.incomplete;
  out.tls_wrong_secrets = tls.wrong_secrets;
  out.tls_bytes = shared_.tls_unread_bytes;
  return out;
}

std::vector<model::SessionRow> Tap::Live::sessions() const {
  std::vector<model::SessionRow> out;
  out.reserve(shared_.sessions.size());
  for (const auto* each : shared_.sessions) {
    out.push_back(each->row());
    out.back().now = std::max(out.back().now, totals_.now);
  }
  return out;
}

std::optional<Tap::Found> Tap::Live::find(const base::SessionId& id) const {
  for (const auto* each : shared_.sessions) {
    if (each->session().id() != id) continue;
    Found out{each->row(), each->session().recorder()};
    out.row.now = std::max(out.row.now, totals_.now);
    return out;
  }
  return std::nullopt;
}

capture::Recorded Tap::Live::record(const base::SessionId& id) {
  if (shared_.recordings == nullptr) return capture::Recorded::off;
  for (auto* each : shared_.sessions)
    if (each->session().id() == id) return each->record(totals_.now);
  return capture::Recorded::unknown;
}

void Tap::Live::follow(std::size_t ended_kept) {
  shared_.delta_kept = ended_kept;
  while (shared_.delta_ended.size() > ended_kept) shared_.delta_ended.pop_front();
}

model::SessionDeltas Tap::Live::changes(const model::DeltaRequest& request) {
  if (request.resync || epoch_ == 0) {
    ++epoch_;
    reported_ = false;
    for (auto& each : late_) {  // of sessions that will be reported again
      each.opened.clear();
      each.changed.clear();
    }
  }
  model::SessionDelta delta;
  bool all = true;
  for (auto* each : shared_.sessions) look(*each, request, delta, all);
  delta.ended.assign(std::move_iterator(shared_.delta_ended.begin()), std::move_iterator(shared_.delta_ended.end()));
  shared_.delta_ended.clear();
  delta.ended_lost = std::exchange(shared_.delta_lost, 0);
  reported_ = reported_ || all;
  model::SessionDeltas out;
  out.workers = std::exchange(late_, {});
  out.workers.push_back(std::move(delta));
  out.complete = reported_;
  return out;
}

void Tap::Live::look(Watch& watch, const model::DeltaRequest& request, model::SessionDelta& out, bool& all) {
  const auto wall = shared_.workspace.wall;
  const auto& session = watch.session();
  auto figures = session.figures(wall);
  figures.dialect = session.dialect();
  if (out.routes.empty()) out.routes.emplace_back().route = route();
  auto& route = out.routes.front();
  ++route.open;
  route.invocations_open += figures.invocations_open;
  for (std::size_t i = 0; i < 2; ++i)
    if (figures.rtt_ns[i]) route.rtt_ns[i].push_back(*figures.rtt_ns[i]);
  const bool known = watch.reported_in(epoch_);
  if (!known && out.opened.size() >= request.opened_most) {
    all = false;
  } else {
    if (!known) out.opened.push_back(session.facts(wall));
    if (watch.changed(figures, epoch_)) out.changed.push_back({session.id(), std::move(figures)});
  }
  if (std::find(request.watch.begin(), request.watch.end(), session.id()) != request.watch.end())
    out.watched.push_back({session.id(), wall, session.recorder(), session.detail().invocations});
  ++out.walked;
}

Tap::Tap(TapOptions options) : live_(std::make_unique<Live>(std::move(options))) {}
Tap::~Tap() = default;

base::Result<std::unique_ptr<Tap>> Tap::open(TapOptions options) {
  std::unique_ptr<Tap> out(new Tap(std::move(options)));
  if (auto followed = out->live_->follow_keys(); !followed) return tl::unexpected(followed.error());
  return out;
}

base::Result<void> Tap::run(Source& source) { return live_->run(source); }
void Tap::finish() { live_->finish(); }
void Tap::stop() noexcept { live_->stop(); }
bool Tap::draining() const { return live_->stopped(); }

TapTotals Tap::totals() const {
  return live_->ask([this] { return live_->totals(); }).value_or(TapTotals{});
}
std::vector<model::SessionRow> Tap::sessions() const {
  return live_->ask([this] { return live_->sessions(); }).value_or(std::vector<model::SessionRow>{});
}
std::optional<Tap::Found> Tap::session(const base::SessionId& id) const {
  return live_->ask([this, id] { return live_->find(id); }).value_or(std::nullopt);
}
capture::Recorded Tap::record(const base::SessionId& id) {
  return live_->ask([this, id] { return live_->record(id); }).value_or(capture::Recorded::unknown);
}
std::vector<model::SessionRow> Tap::ended() const {
  return live_->ask([this] { return live_->ended(); }).value_or(std::vector<model::SessionRow>{});
}
void Tap::follow(std::size_t ended_kept) {
  live_->ask([this, ended_kept] {
    live_->follow(ended_kept);
    return true;
  });
}
model::SessionDeltas Tap::changes(const model::DeltaRequest& request) {
  return live_
      ->ask([this, request] { return live_->changes(request); },
            [this](model::SessionDeltas&& late) { live_->keep(std::move(late)); })
      .value_or(model::SessionDeltas{});
}
std::vector<model::RouteCounters> Tap::metrics() const { return {{live_->route(), {&live_->metrics()}}}; }

}  // namespace sockeye::tap
