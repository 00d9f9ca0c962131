#include "session.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "address.h"
#include "downstream.h"
#include "sockeye/base/json.h"
#include "worker.h"

namespace sockeye::proxy {
namespace {

using model::Side;

constexpr std::array sides{Side::client, Side::server};

// How long what a dead peer sent last may wait for the other one to make room.
constexpr base::Duration last_words = std::chrono::seconds(30);

// How long a leg counts as one of long turns.
constexpr base::Duration heavy = std::chrono::seconds(1);
constexpr base::Duration longest_behind = std::chrono::seconds(10);

// A read below this would cost more in system calls than the bound on the queue is worth.
constexpr std::uint64_t least_read = 4096;

// Bytes the peer has acknowledged since the connection began; none for Unix sockets.
std::optional<std::uint64_t> acknowledged(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return info.tcpi_bytes_acked;
}

// A leg without our heartbeat has only the kernel to notice that its peer vanished: within 60 + 4 × 15 s.
void keep_alive(int fd) {
  const int on = 1;
  const int idle = 60;
  const int interval = 15;
  const int count = 4;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

}  // namespace

Session::Session(Worker& worker, ActiveListenerPtr listener, int route, SessionSlot slot, Reconnects::Seat seat,
                 std::unique_ptr<Leg> client, std::unique_ptr<Leg> server)
    : observer::Listener(false),
      worker_(worker),
      listener_(std::move(listener)),
      slot_(std::move(slot)),
      seat_(std::move(seat)),
      route_(route) {
  read_limit_ = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(this->route().limits.buffered, least_read, Worker::buffer_size));
  halves_[0].leg = std::move(client);
  halves_[1].leg = std::move(server);
  for (auto& each : halves_) each.leg->own(*this);
}

Session::~Session() = default;

void Session::observe(std::unique_ptr<observer::Observation> observation, std::optional<capture::Recording> recording) {
  observed_ = observation.get();
  if (recording) {
    recorded_ = true;
    observation = std::move(*recording).observe(std::move(observation), {}, call(worker_.now()));
  }
  connection_ =
      relay::carry(std::move(observation), route().carry, *this, worker_.count_session(), call(worker_.now()));
}

void Session::prefetch(const Leg& leg, unsigned ahead) const noexcept {
  if (ahead < 3) return recorded_ ? void() : observer::prefetch(observed(), ahead);
  prefetch(halves_[0].leg.get() == &leg ? Side::client : Side::server);
}

void Session::prefetch(Side from) const noexcept {
  relay::prefetch(*connection_, from);
  observer::prefetch_self(*observed_, from);
  base::prefetch(half(model::other(from)).leg.get(), sizeof(Leg));
}

const RouteStats& Session::stats() const { return *listener_->routes[static_cast<std::size_t>(route_)].stats; }
model::RouteMetrics& Session::metrics() const { return worker_.metrics(stats()); }
observer::Call Session::call(base::Time now) const { return {worker_.workspace(), metrics(), now}; }

void Session::begin(base::Bytes answer, base::Bytes from_client, base::Bytes from_server) {
  const auto now = worker_.now();
  const auto& heartbeat = route().carry.heartbeat;
  if (!heartbeat.client) keep_alive(half(Side::client).leg->transport().fd());
  if (!heartbeat.upstream) keep_alive(half(Side::server).leg->transport().fd());
  half(Side::client).write_failed = half(Side::client).leg->send(answer) == Io::error;
  attention_ = true;
  after(now);
  if (!from_client.empty()) feed(Side::client, from_client, now);
  if (!from_server.empty() && !over_) feed(Side::server, from_server, now);
  for (const Side side : sides)
    if (has_work(half(side))) half(side).leg->again();
}

// --- bytes ---

void Session::leg_ready(Leg& leg, std::uint32_t events) {
  if (over_) return;
  const Side side = half(Side::client).leg.get() == &leg ? Side::client : Side::server;
  Half& h = half(side);
  if (h.leg.get() != &leg) return;
  const auto now = worker_.now();
  if (leg.blocked() && ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0 || leg.transport().is_tls())) {
    const Io state = leg.flush();
    h.moved = true;
    wrote_ = true;
    if (state != Io::want_write) {
      h.write_failed = state == Io::error;
      attention_ = true;
      after(now);
      if (over_) return;
    }
  }
  if (h.leg && h.finishing && !h.fin_sent && !leg.blocked()) {  // a close_notify that had to wait
    attention_ = true;
    after(now);
    if (over_) return;
  }
  // Nothing will be read that could tell: the peer has finished before, or the other leg's queue is in the way.
  if (h.leg && (events & EPOLLERR) != 0 && (h.ended || h.paused)) {
    h.write_failed = true;
    attention_ = true;
    after(now);
    if (over_) return;
  }
  if (has_work(h) && !h.paused && !h.ended) read(side, now);
}

void Session::read(Side side, base::Time now) {
  if (now < half(side).heavy_until && worker_.round_over()) [[unlikely]]
    return worker_.reactor().put_off(*half(side).leg);
  if (half(side).aside) [[unlikely]]
    return feed_aside(side, now);
  Leg& leg = *half(side).leg;
  // With a thousand sessions none of this is in the cache, and what comes alone was not prefetched: it is prefetched
  // while the kernel is busy with recv.
  prefetch(side);
  const auto into = worker_.buffer().first(std::min(half(side).read_size, worker_.most_read(read_limit_)));
  const IoResult result = leg.read(into);
  switch (result.state) {
    case Io::ok:
      feed(side, into.first(result.bytes), now);
      if (has_work(half(side)) && !half(side).paused) leg.again();
      return;
    case Io::want_read:
    case Io::want_write:
      return;
    case Io::eof:
      if (half(side).write_failed) return lost(side, now);
      half(side).ended = true;
      connection_->eof(side, call(now));
      return after(now);
    case Io::error:
      return lost(side, now);
  }
}

void Session::feed(Side side, base::Bytes bytes, base::Time now) {
  const std::size_t taken = take(side, bytes, bytes.size(), now);
  Half& h = half(side);
  if (taken == bytes.size()) [[likely]] {
    h.behind_since = base::never;
    // A read that was full and cost little of its turn: there is more, and it may come in larger pieces.
    if (bytes.size() == h.read_size && !worker_.turn_half_over()) h.read_size = std::min(h.read_size * 2, read_limit_);
    return;
  }
  if (over_ || !h.leg) return;
  h.read_size = std::clamp<std::uint32_t>(static_cast<std::uint32_t>(taken), least_read, h.read_size);
  h.aside = std::make_unique<Aside>(bytes.subspan(taken), worker_.commons().memory);
  fell_behind(h, now);
}

void Session::feed_aside(Side side, base::Time now) {
  auto aside = std::move(half(side).aside);
  const base::Bytes left = aside->left();
  aside->at += take(side, left, 0, now);
  Half& h = half(side);
  if (over_ || !h.leg) return;
  if (aside->at < aside->bytes.size()) {
    h.aside = std::move(aside);
    fell_behind(h, now);
  }
  if (has_work(h) && !h.paused) h.leg->again();
}

std::size_t Session::take(Side side, base::Bytes bytes, std::size_t came, base::Time now) {
  auto& gather = worker_.gather(model::other(side));
  gather.stable(bytes);
  worker_.begin_turn();
  const std::size_t taken = connection_->feed(side, bytes, came, call(now));
  if (worker_.turn_half_over()) [[unlikely]]
    half(side).heavy_until = now + heavy;
  bound_memory(now);
  after(now);
  gather.stable({});
  return taken;
}

void Session::bound_memory(base::Time now) {
  observer::Memory& memory = worker_.commons().memory;
  if (memory.held() <= memory.budget()) [[likely]]
    return;
  const std::size_t held = observed().held();
  if (!memory.gives_up(held)) return;
  count_only("it held " + std::to_string(held >> 10U) + " KiB, and all sessions more than overload.observation (" +
                 std::to_string(memory.budget() >> 20U) + " MiB)",
             now);
}

void Session::fell_behind(Half& h, base::Time now) {
  if (h.behind_since == base::never) h.behind_since = now;
  // Nobody waits for what a peer has left behind.
  const base::Duration patience = h.leg->hung_up() ? longest_behind / 10 : longest_behind;
  if (now - h.behind_since < patience || only_counted_) return;
  count_only("reading them has taken more time than there is, for " +
                 std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now - h.behind_since).count()) + " s",
             now);
}

void Session::count_only(const std::string& why, base::Time now) {
  connection_->count_only(call(now));
  only_counted_ = true;
  worker_.shed().observations.add();
  worker_.warn("observations", "session " + base::to_uuid(observed().id()) + " (route " + route().name +
                                   "): its messages are counted and no longer read: " + why);
}

void Session::put(Side to, base::Bytes bytes) {
  auto& gather = worker_.gather(to);
  if (gather.add(bytes)) return;
  write(to);
  if (!gather.add(bytes)) {  // longer than the gather keeps: cannot be a frame of ours, so it goes at once
    Half& h = half(to);
    if (!h.leg || h.write_failed) return;
    const Io state = h.leg->send(bytes);
    h.write_failed = state == Io::error;
    attention_ = attention_ || state != Io::ok;
  }
}

void Session::forward(Side from, base::Bytes bytes) { put(model::other(from), bytes); }

void Session::inject(Side to, base::Bytes frame) {
  put(to, frame);
  half(to).frame = Half::Frame::fresh;
  attention_ = true;
}

void Session::finish(Side leg, relay::Finish how) {
  half(leg).finishing = true;
  half(leg).how = how;
  attention_ = true;
}

void Session::write(Side to) {
  auto& gather = worker_.gather(to);
  if (gather.empty()) return;
  Half& h = half(to);
  if (h.leg && !h.write_failed) {
    wrote_ = true;
    const Io state = h.leg->send(gather.pieces(), gather.total());
    if (state != Io::ok) {
      h.write_failed = state == Io::error;
      attention_ = true;
    }
  }
  gather.clear();
}

void Session::after(base::Time now) {
  write(Side::client);
  write(Side::server);
  if (attention_) {
    settle(now);
    if (over_) return;
  }
  const auto deadline = connection_->next_deadline();
  // Never in the past: a deadline that stood still would keep the loop from going round.
  if (deadline < worker_.timers().armed(*this))
    worker_.timers().arm(*this, std::max(deadline, now + std::chrono::milliseconds(1)));
}

// --- what the Connection asked for, and what became of the sockets ---

void Session::settle(base::Time now) {
  while (attention_ && !over_) {
    attention_ = false;
    if (std::exchange(record_wanted_, false)) static_cast<void>(record());
    for (const Side side : sides)
      if (!over_) settle(side, now);
    if (!over_ && !half(Side::client).leg && !half(Side::server).leg) end(now);
  }
}

void Session::settle(Side side, base::Time now) {
  Half& h = half(side);
  if (!h.leg) return;
  const Half& to = half(model::other(side));
  if (h.finishing) {
    // Only once the other leg is finished too has nobody a use for what this one's peer may still say.
    if (h.how == relay::Finish::abort || h.write_failed || h.ended || !to.leg || to.finishing) return leave(side);
    if (!h.fin_sent && !h.leg->blocked()) {
      const IoResult result = h.leg->transport().shutdown_write();
      h.fin_sent = result.state == Io::ok;
      h.write_failed = result.state == Io::error;
    }
  }
  if (h.frame != Half::Frame::none) track_frame(h);
  const bool pause = to.leg && to.leg->blocked();
  if (pause != h.paused && !h.ended) {
    h.paused = pause;
    connection_->reading(side, pause, now);
    if (!pause && has_work(h)) h.leg->again();
    after(now);
    if (over_ || !h.leg) return;
  }
  if (h.write_failed) dying(side, now);
}

void Session::leave(Side side) {
  Half& h = half(side);
  auto leg = std::move(h.leg);
  h.aside.reset();
  // Given up by the close timeout, but its peer may only be slow: what it is owed gets the Linger's patience.
  const bool owed = !h.write_failed && leg->queued() + leg->transport().unsent() > 0;
  if (h.write_failed || (h.how == relay::Finish::abort && !owed)) {
    leg->close(true);
    worker_.reactor().delete_later(std::move(leg));
  } else {
    worker_.linger(std::move(leg));
  }
  attention_ = true;  // the other leg may have been paused for this one's sake
}

// Nothing can be written to the leg any more, but what its peer said last (a Close, often) may still be there to read.
void Session::dying(Side side, base::Time now) {
  Half& h = half(side);
  if (h.ended) return lost(side, now);
  if (h.paused) {
    if (doomed_ != base::never) return;
    doomed_ = now + last_words;
    if (doomed_ < worker_.timers().armed(*this)) worker_.timers().arm(*this, doomed_);
    return;
  }
  h.leg->expect_readable();
  h.leg->again();
}

void Session::lost(Side side, base::Time now) {
  auto leg = std::move(half(side).leg);
  half(side).aside.reset();
  leg->close(false);
  worker_.reactor().delete_later(std::move(leg));
  attention_ = true;
  connection_->reset(side, call(now));
  after(now);
}

void Session::end(base::Time now) {
  over_ = true;
  worker_.timers().disarm(*this);
  const auto& close = observed().close_info();
  // 1005: a Close without a code, as a browser's close() sends it.
  const bool clean = close && close->why == model::EndReason::normal &&
                     (close->code == 1000 || close->code == 1001 || close->code == 1005);
  seat_.ended(observed().id(), !clean, now);
  if (sampled_ > 0) {
    metrics().buffered_bytes.add(-static_cast<std::int64_t>(sampled_));
    metrics().buffered_sessions.add(-1);
  }
  connection_->finish(call(now));
  worker_.keep_ended(row());
  if (worker_.followed()) worker_.keep_for_delta(*this, now);
  worker_.left(*this);
}

void Session::kill() {
  if (over_) return;
  const auto now = worker_.now();
  try {
    for (const Side side : sides) {
      Half& h = half(side);
      if (!h.leg) continue;
      h.leg->close(true);
      worker_.reactor().delete_later(std::move(h.leg));
      if (!observed().close_info()) connection_->reset(side, call(now));
      worker_.gather(side).clear();
      worker_.gather(model::other(side)).clear();
    }
    end(now);
  } catch (...) {
    // It is the session that threw to begin with; what matters is that it leaves.
    over_ = true;
    worker_.timers().disarm(*this);
    worker_.left(*this);
  }
}

capture::Recorded Session::record() {
  if (over_) return capture::Recorded::unknown;
  if (recorded_) return capture::Recorded::already;
  auto recording = Downstream::recording_of(worker_, route());
  auto sink = recording ? worker_.commons().recordings->open(observed().id()) : nullptr;
  if (!sink) return recording ? capture::Recorded::full : capture::Recorded::off;
  recording->to(std::move(sink));
  const auto facts = observed().facts(worker_.workspace().wall);
  const Address& upstream = route().upstream;
  const observer::Endpoints endpoints{.client_address = facts.client,
                                      .client_port = 0,
                                      .server_address = upstream.unix_path.empty() ? upstream.host : upstream.unix_path,
                                      .server_port = upstream.port,
                                      .tls = static_cast<bool>(listener_->tls)};
  connection_->observe([&](std::unique_ptr<observer::Observation> observation) {
    return std::move(*recording).observe(std::move(observation), endpoints, call(worker_.now()));
  });
  recorded_ = true;
  return capture::Recorded::begun;
}

void Session::shut(model::EndReason why, std::uint16_t code, std::string_view reason) {
  if (over_) return;
  const auto now = worker_.now();
  connection_->shut(why, code, reason, call(now));
  after(now);
}

// --- time ---

void Session::expired(base::Time now) {
  if (now >= doomed_) {
    doomed_ = base::never;
    for (const Side side : sides)
      if (!over_ && half(side).leg && half(side).write_failed && half(side).paused) lost(side, now);
    if (over_) return;
  }
  connection_->tick(call(now));
  after(now);
  if (!over_ && doomed_ < worker_.timers().armed(*this)) worker_.timers().arm(*this, doomed_);
}

// Once; and not at once: the observation that says so cannot be replaced from inside itself.
void Session::want_recording() {
  if (record_tried_) return;
  record_tried_ = record_wanted_ = attention_ = true;
}

void Session::anomaly(model::Anomaly, base::Time) {
  if (route().record.anomaly) want_recording();
}

void Session::raised(const model::Condition& condition) {
  if (route().record.raised[static_cast<std::size_t>(condition.kind)]) want_recording();
  if (condition.kind != model::ConditionKind::silent) return;
  const bool client = condition.subject.leg == Side::client;
  const bool closes = route().carry.heartbeat.on_dead == relay::HeartbeatOptions::OnDead::close;
  if (!worker_.commons().silences.admit(route().name, *condition.subject.leg, closes, worker_.now())) return;
  const auto ms = [](base::Duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); };
  const base::WallOffset wall = worker_.workspace().wall;
  const auto& evidence = condition.evidence;
  std::string line = "session " + base::to_uuid(condition.subject.session) + (closes ? " closed" : " goes on") +
                     ": heartbeat timeout: nothing from the ";
  line += client ? "client " + observed().facts(wall).client : "upstream " + route().upstream.text();
  line += " since " + base::iso8601(wall.unix_ns(condition.since) / 1'000'000) + ", for " +
          std::to_string(ms(evidence.seen - condition.since)) + " ms; " + std::to_string(evidence.unanswered_pings) +
          (evidence.unanswered_pings == 1 ? " ping" : " pings") + " unanswered (route " + route().name;
  if (evidence.rtt) line += ", last round trip " + std::to_string(ms(*evidence.rtt)) + " ms";
  worker_.log(3, line + ")");
}

// --- what is on its way ---

void Session::track_frame(Half& h) {
  const auto acked = acknowledged(h.leg->transport().fd());
  const std::uint64_t unsent = h.leg->transport().unsent();
  if (h.frame == Half::Frame::fresh) {
    h.mark = acked ? *acked : unsent;
    h.moved = false;
  }
  if (h.leg->blocked()) {
    h.frame = Half::Frame::queued;
    return;
  }
  h.frame = Half::Frame::none;
  if (acked) h.frame_end = *acked + unsent;
}

bool Session::advancing(Side side) {
  Half& h = half(side);
  if (!h.leg) return false;
  const std::uint64_t unsent = h.leg->transport().unsent();
  const auto acked = acknowledged(h.leg->transport().fd());
  const bool stuck = h.leg->blocked() || (acked ? *acked < h.frame_end : unsent > 0);
  const bool moved = h.moved || (acked ? *acked > h.mark : unsent < h.mark);
  h.mark = acked ? *acked : unsent;
  h.moved = false;
  return stuck && moved;
}

std::uint64_t Session::buffered(Side to) const {
  const auto& leg = half(to).leg;
  return leg ? leg->queued() + leg->transport().unsent() : 0;
}

void Session::sample() {
  bound_memory(worker_.now());
  if (!wrote_ && sampled_ == 0) return;  // nothing was on its way, and nothing was sent since
  wrote_ = false;
  std::uint64_t now = 0;
  for (const Side side : sides) {
    const std::uint64_t unsent = buffered(side);
    connection_->transport(side, unsent);
    now += unsent;
  }
  if (now == sampled_) return;
  auto& to = metrics();
  to.buffered_bytes.add(static_cast<std::int64_t>(now) - static_cast<std::int64_t>(sampled_));
  to.buffered_sessions.add((now > 0 ? 1 : 0) - (sampled_ > 0 ? 1 : 0));
  sampled_ = now;
}

// --- its record ---

model::SessionRecord Session::record() const {
  const base::WallOffset wall = worker_.workspace().wall;
  model::SessionRecord out{.facts = observed().facts(wall), .figures = figures(), .end = {}};
  out.figures.dialect = observed().dialect();
  return out;
}

model::SessionRow Session::row() const {
  model::SessionRow row{
      .record = record(), .detail = observed().detail(), .now = worker_.now(), .wall = worker_.workspace().wall};
  for (const Side side : sides) {
    row.detail.pings[model::index(side)].heartbeat = connection_->heartbeat(side);
    row.record.figures.buffered_bytes[model::index(side)] = buffered(side);
  }
  return row;
}

model::SessionFigures Session::figures() const {
  // Asking the kernel costs more than all the rest: only where something was sent lately.
  if (wrote_ || sampled_ > 0)
    for (const Side side : sides) connection_->transport(side, buffered(side));
  return observed().figures(worker_.workspace().wall);
}

namespace {

// A figure is a number, a number that may not be known, or a pair of them.
template <class Mix>
void mix_value(std::uint64_t value, const Mix& mix) {
  mix(value);
}
template <class Mix>
void mix_value(const std::optional<std::uint64_t>& value, const Mix& mix) {
  mix(value ? *value + 1 : 0);
}
template <class T, class Mix>
void mix_value(const std::array<T, 2>& pair, const Mix& mix) {
  for (const T& each : pair) mix_value(each, mix);
}

}  // namespace

bool Session::changed(const model::SessionFigures& figures, std::uint32_t epoch) {
  // Without the times: they move with the wall clock's offset, and change only with the counts anyway.
  std::uint64_t hash = 0x9e3779b97f4a7c15ULL;
  const auto mix = [&hash](std::uint64_t value) {
    hash = (hash ^ value) * 0xff51afd7ed558ccdULL;
    hash ^= hash >> 32U;
  };
  mix(static_cast<std::uint64_t>(figures.state));
  mix(std::hash<std::string_view>{}(observed().dialect()));
  model::each_figure([&](const auto& figure) {
    if (figure.unit != model::FigureUnit::time) mix_value(figures.*figure.field, mix);
  });
  const bool changed = reported_epoch_ != epoch || reported_ != hash;
  reported_epoch_ = epoch;
  reported_ = hash;
  return changed;
}

}  // namespace sockeye::proxy
