#include "live_link.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <type_traits>
#include <unordered_map>

#include "attribute_sets.h"
#include "clock.h"
#include "outstanding.h"
#include "sockeye/base/json.h"
#include "workers.h"
#include "write.h"

namespace sockeye::console {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t slow_page = 2 << 20;         // bytes it has not read yet: skip until it has
constexpr std::uint64_t watch_ns = 5'000'000'000;  // a page's interest is renewed each second
constexpr std::uint16_t normal_closure = 1000, going_away = 1001, malformed = 1007, policy_violation = 1008;
// What is read of proxies in a second; over it, those that sent more than their part wait for the next. A resync is ten
// reports a second.
constexpr std::size_t bytes_a_beat = 8 << 20;
constexpr std::size_t bytes_a_session = 512;  // at least, of one that opened or ended: it costs a row in the store
constexpr unsigned reports_a_beat = 32, beats_without_hello = 10;
constexpr std::size_t most_reporters = Fleet::most_proxies + 24;  // connections
constexpr auto log_every = 60s;

std::string fleet_json(const Fleet& fleet, std::uint64_t now) {
  base::Json json;
  json.open('{').key("type").text("fleet");
  time_ms(json, "now_ms", now);
  write_proxies(json, fleet.proxies(now));
  json.key("unheard");
  if (const auto unheard = fleet.unheard(now)) {
    json.open('{').key("sessions").number(unheard->sessions).key("of").number(unheard->of);
    time_ms(json, "since_ms", unheard->since_unix_ns);
    json.close('}');
  } else {
    json.null();
  }
  json.key("routes").open('[');
  for (const auto& route : fleet.routes(now)) write_route(json, route);
  json.close(']').key("ended").open('[');
  for (const auto& session : fleet.ended_lately()) write_session(json, session.session, std::nullopt);
  json.close(']').close('}');
  return json.take();
}

std::string sessions_json(const Fleet& fleet, const Subscription::Sessions& ask, std::uint64_t now,
                          const AttributeSets::Found* only) {
  const auto window = fleet.window(ask, now, only == nullptr ? nullptr : &only->ids);
  base::Json json;
  json.open('{').key("type").text("sessions");
  time_ms(json, "now_ms", now);
  json.key("total").number(std::uint64_t{window.total}).key("matched").number(std::uint64_t{window.matched});
  json.key("sessions").open('[');
  for (const auto& session : window.sessions) write_session(json, session.session, session.live);
  json.close(']').key("complete").boolean(only == nullptr || only->complete).close('}');
  return json.take();
}

std::string error_json(std::string_view message) {
  base::Json json;
  json.open('{').key("type").text("error").key("message").text(message).close('}');
  return json.take();
}

struct Reporter {
  std::shared_ptr<Channel> channel;
  std::size_t bytes = 0;  // in this beat
  unsigned reports = 0;   // in this beat
  unsigned silent = 0;    // beats without a hello, so far
  bool greeted = false, held = false;
};

struct Page {
  std::shared_ptr<Channel> channel;
  Subscription wants;
  std::optional<store::Session> ended;  // of the session looked at, once it ended
};

}  // namespace

struct LiveLink::State {
  State(Fleet& f, store::Store& s, Log l) : fleet(f), store(s), log(std::move(l)), attributes(s) {}

  Fleet& fleet;
  store::Store& store;
  const Log log;
  AttributeSets attributes;
  std::mutex mutex;  // of what follows
  std::condition_variable wake;
  bool stopping = false;
  std::uint64_t next_key = 1;
  std::unordered_map<Fleet::Link, Reporter> proxies;
  std::size_t beat_bytes = 0;  // of all reporters, in this beat
  std::uint64_t refused = 0, unlogged = 0, not_kept_logged = 0, throttled = 0;
  std::optional<std::chrono::steady_clock::time_point> refusal_logged, not_kept_at;
  std::unordered_map<std::uint64_t, Page> pages;
  // Proxies that reported ends which are not stored yet: their next ping must not be answered before.
  struct Held {
    std::shared_ptr<Channel> channel;
    std::uint64_t ends;  // as Fleet::ends() counts them
  };
  std::vector<Held> held;
  std::uint64_t ends_stored = 0;
  unsigned under_way = 0;  // writes
  Outstanding writes;
  std::thread thread;
  // Reads reports, one of each proxy at a time, so that no thread of I/O is busy with them.
  Workers reading{1, most_reporters};

  void push(Page& page, std::uint64_t now);
  void push_sessions(Page& page, const Subscription::Sessions& ask, std::uint64_t now);
  void push_session(Page& page, const base::SessionId& id, std::uint64_t now);
  void ask(std::uint64_t now);
  void store_due(std::uint64_t now);
  bool write(store::Batch&& batch);                                  // false: there was nothing to write
  [[nodiscard]] bool hold(const std::shared_ptr<Channel>& channel);  // false: there is nothing to wait for
  void greeted(Fleet::Link link) {
    const std::lock_guard lock(mutex);
    proxies[link].greeted = true;
  }
  void pace(Fleet::Link link, std::size_t bytes);
  void weigh(Fleet::Link link, std::size_t bytes);
  void next_beat();
  void refuse(Fleet::Link link, const std::string& why, std::uint16_t code);
  void log_not_kept();
  void answered(std::uint64_t ends, bool kept);  // of a write that had the ends up to this; with the mutex
  void resume(std::uint64_t now);
  void run();
};

void LiveLink::State::push(Page& page, std::uint64_t now) {
  if (!page.channel || page.channel->queued() > slow_page) return;
  if (page.wants.fleet) page.channel->send(fleet_json(fleet, now), false);
  if (page.wants.sessions) push_sessions(page, *page.wants.sessions, now);
  if (page.wants.session) push_session(page, *page.wants.session, now);
}

void LiveLink::State::push_sessions(Page& page, const Subscription::Sessions& ask, std::uint64_t now) {
  std::shared_ptr<const AttributeSets::Found> only;
  if (!ask.attributes.empty()) {
    only = attributes.find(ask.attributes);
    if (!only) return;  // being looked for
  }
  page.channel->send(sessions_json(fleet, ask, now, only.get()), false);
}

void LiveLink::State::push_session(Page& page, const base::SessionId& id, std::uint64_t now) {
  fleet.watch(id, now + watch_ns);
  const auto session = fleet.session(id, now);
  if (!session) return;  // ended: the page asks the API for the whole of it
  const auto detail = fleet.detail(id).value_or(live::Detail{});
  base::Json json;
  json.open('{').key("type").text("session");
  time_ms(json, "now_ms", now);
  json.key("session");
  write_session(json, session->session, session->live);
  write_recorder(json, "recorder", detail.recorder);
  write_calls(json, "calls", detail.calls);
  json.close('}');
  page.channel->send(json.take(), false);
}

void LiveLink::State::ask(std::uint64_t now) {
  for (auto& [link, asked] : fleet.asks(now)) {
    const auto found = proxies.find(link);
    if (found != proxies.end() && found->second.channel) found->second.channel->send(live::encode(asked), true);
  }
}

void LiveLink::State::store_due(std::uint64_t now) { write(fleet.collect(now)); }

// Only the thread that runs collects, so what has been collected is in this batch or in one before.
bool LiveLink::State::write(store::Batch&& batch) {
  if (batch.empty()) return false;
  writes.begin();
  {
    const std::lock_guard lock(mutex);
    ++under_way;
  }
  auto done = [this, receipt = Fleet::receipt(batch), ends = fleet.ends_collected()](const store::Written& written) {
    const bool kept = written.refusal == store::Refusal::none;
    if (kept)
      fleet.stored(receipt);
    else
      fleet.give_back(receipt);
    {
      const std::lock_guard lock(mutex);
      --under_way;
      answered(ends, kept);
    }
    writes.end();
  };
  store.write(std::move(batch), std::move(done));
  return true;
}

// Of one that is held: it stays so until its ends are stored.
bool LiveLink::State::hold(const std::shared_ptr<Channel>& channel) {
  const auto ends = fleet.ends();
  const std::lock_guard lock(mutex);
  if (stopping) return true;  // nothing is written any more: the next console gets it
  if (ends <= ends_stored) return false;
  held.push_back({channel, ends});
  wake.notify_all();
  return true;
}

// Who reports more than there is time to read is read no further in this beat: it, or who sends more than its part of
// what all may.
void LiveLink::State::pace(Fleet::Link link, std::size_t bytes) {
  const std::lock_guard lock(mutex);
  auto& one = proxies[link];
  one.bytes += bytes;
  beat_bytes += bytes;
  ++one.reports;
  const bool crowded = beat_bytes > bytes_a_beat && one.bytes > bytes_a_beat / proxies.size();
  if (one.held || stopping || (one.reports <= reports_a_beat && !crowded)) return;
  one.held = true;
  ++throttled;
  one.channel->hold();
}

// What a report turned out to cost counts for the next.
void LiveLink::State::weigh(Fleet::Link link, std::size_t bytes) {
  const std::lock_guard lock(mutex);
  proxies[link].bytes += bytes;
  beat_bytes += bytes;
}

// With the mutex.
void LiveLink::State::next_beat() {
  beat_bytes = 0;
  for (auto& [link, one] : proxies) {
    one.bytes = one.reports = 0;
    if (std::exchange(one.held, false)) one.channel->release();
    if (!one.greeted && one.channel && ++one.silent == beats_without_hello)
      one.channel->close(policy_violation, "no report has come");
  }
}

void LiveLink::State::refuse(Fleet::Link link, const std::string& why, std::uint16_t code) {
  const std::lock_guard lock(mutex);
  if (const auto& channel = proxies[link].channel) channel->close(code, why.substr(0, 120));
  ++refused;
  ++unlogged;
  const auto now = std::chrono::steady_clock::now();
  if (refusal_logged && now < *refusal_logged + log_every) return;
  refusal_logged = now;
  std::string line = "live: a proxy's report is refused: " + why;
  if (unlogged > 1) line += "; so were " + std::to_string(unlogged - 1) + " before";
  unlogged = 0;
  log(3, line);
}

// What there was no room for: said at once, and then no more often than that.
void LiveLink::State::log_not_kept() {
  const auto [sessions, ends, routes] = fleet.not_kept();
  const auto now = std::chrono::steady_clock::now();
  if (sessions + ends + routes == not_kept_logged || (not_kept_at && now < *not_kept_at + log_every)) return;
  not_kept_logged = sessions + ends + routes;
  not_kept_at = now;
  log(3, "live: more is reported than may be held; not kept so far: " + std::to_string(sessions) + " open sessions, " +
             std::to_string(ends) + " ended ones, " + std::to_string(routes) + " routes");
}

// What the store refuses is kept, and its trouble logged: reports are not held up by it for ever.
void LiveLink::State::answered(std::uint64_t ends, bool kept) {
  ends_stored = std::max(ends_stored, ends);
  std::erase_if(held, [&](const Held& each) {
    const bool over = each.ends <= ends_stored || !kept;
    if (over) each.channel->release();
    return over;
  });
  wake.notify_all();
}

// What was so when the console was last there: proxies are expected back, their open sessions with them.
void LiveLink::State::resume(std::uint64_t now) {
  const auto deadline = [] { return std::chrono::steady_clock::now() + 30s; };
  std::string trouble;
  const auto list = [&](auto answer) {
    if (!answer) trouble = answer.error().message;
    return answer ? *std::move(answer) : std::decay_t<decltype(*answer)>();
  };
  store::SessionQuery query;
  query.state = store::SessionQuery::State::open;
  query.limit = 1'000;
  std::vector<store::Session> open;
  std::size_t bytes = 0;
  do {
    auto page = list(store.sessions(query, deadline()));
    for (auto& session : page.items) {
      bytes += sizeof session + session.target.size() + session.extensions.size();
      session.recorder.clear();
      open.push_back(std::move(session));
    }
    query.cursor = page.cursor;
  } while (!query.cursor.empty() && bytes < Fleet::usual_bytes);
  fleet.resume(list(store.presences({}, deadline())), list(store.totals(deadline())), open, now);
  if (!trouble.empty()) log(3, "live: what was so before is not known: " + trouble);
}

void LiveLink::State::run() {
  std::unique_lock lock(mutex);
  auto next = std::chrono::steady_clock::now() + 1s;
  for (unsigned beat = 0; !stopping; ++beat, next += 1s) {
    // Ends go to the store at once, those of all proxies that come during one write with the next.
    const auto ends_wait = [this] { return under_way == 0 && !held.empty(); };
    while (wake.wait_until(lock, next, [&] { return stopping || ends_wait(); }) && !stopping) {
      lock.unlock();
      const bool any = write(fleet.collect_ends(unix_now_ns()));
      lock.lock();
      if (!any) answered(fleet.ends_collected(), true);
    }
    next = std::max(next, std::chrono::steady_clock::now() - 1s);  // after a standstill, no beats in a row
    const auto now = unix_now_ns();
    fleet.tick(now);
    next_beat();
    log_not_kept();
    for (auto& [key, page] : pages) push(page, now);
    ask(now);
    lock.unlock();
    if (beat % 2 == 0) store_due(now);
    lock.lock();
  }
  for (auto& [key, page] : pages)
    if (page.channel) page.channel->close(going_away, "the console stops");
  lock.unlock();
  const auto now = unix_now_ns();
  fleet.stopping(now);
  store_due(now);
}

// A proxy's connection, as the thread that reads its reports knows it.
struct LiveLink::Connected {
  std::shared_ptr<State> state;
  std::shared_ptr<Channel> channel;
  Fleet::Link link = 0;
  std::mutex mutex;  // of what follows; what is reported is applied under it
  bool gone = false, greeted = false;

  void take(std::string_view text, bool binary);
};

void LiveLink::Connected::take(std::string_view text, bool binary) {
  auto report = binary ? live::decode_report(base::as_bytes(text)) : base::fail("expected a binary message");
  const std::lock_guard lock(mutex);
  if (gone) return;
  if (!report) {
    state->refuse(link, report.error().message, malformed);
    return channel->release();
  }
  const bool ends = !report->ended.empty();
  state->weigh(link, (report->opened.size() + report->ended.size()) * bytes_a_session);
  if (const auto applied = state->fleet.apply(link, *std::move(report), unix_now_ns()); !applied) {
    state->refuse(link, applied.error().message, policy_violation);
    return channel->release();
  }
  if (!std::exchange(greeted, true)) state->greeted(link);
  if (!ends || !state->hold(channel)) channel->release();
}

LiveLink::LiveLink(Fleet& fleet, store::Store& store, Log log)
    : state_(std::make_shared<State>(fleet, store, std::move(log))) {
  state_->resume(unix_now_ns());
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}
LiveLink::~LiveLink() { stop(); }

LiveLink::Counts LiveLink::counts() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->refused, state_->throttled};
}

void LiveLink::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
  state_->reading.finish();
  state_->attributes.stop();
  state_->writes.wait();
}

std::unique_ptr<Conversation> LiveLink::proxy() {
  class Reports final : public Conversation {
   public:
    explicit Reports(std::shared_ptr<State> state) : connected_(std::make_shared<Connected>()) {
      connected_->state = std::move(state);
      auto& all = *connected_->state;
      const std::lock_guard lock(all.mutex);
      all.proxies[connected_->link = all.next_key++] = {};
    }
    ~Reports() override {
      const std::lock_guard reading(connected_->mutex);
      connected_->gone = true;
      auto& all = *connected_->state;
      all.fleet.lost(connected_->link, unix_now_ns(), goodbye_);
      const std::lock_guard lock(all.mutex);
      all.proxies.erase(connected_->link);
    }
    void opened(std::shared_ptr<Channel> channel) override {
      const std::lock_guard lock(connected_->state->mutex);
      connected_->state->proxies[connected_->link].channel = connected_->channel = std::move(channel);
    }
    // Reads no further until it has been taken.
    void message(std::string_view text, bool binary) override {
      connected_->state->pace(connected_->link, text.size());
      connected_->channel->hold();
      auto job = [connected = connected_, text = std::string(text), binary] { connected->take(text, binary); };
      // Refused only when the console stops: the next one gets it.
      static_cast<void>(connected_->state->reading.run(std::move(job)));
    }
    void closed(std::uint16_t code) override { goodbye_ = code == normal_closure; }

   private:
    std::shared_ptr<Connected> connected_;
    bool goodbye_ = false;
  };
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->proxies.size() >= most_reporters) return nullptr;
  }
  return std::make_unique<Reports>(state_);
}

std::unique_ptr<Conversation> LiveLink::page() {
  class Looks final : public Conversation {
   public:
    Looks(std::shared_ptr<State> state, std::uint64_t key) : state_(std::move(state)), key_(key) {}
    ~Looks() override {
      const std::lock_guard lock(state_->mutex);
      state_->pages.erase(key_);
    }
    void opened(std::shared_ptr<Channel> channel) override {
      const std::lock_guard lock(state_->mutex);
      state_->pages[key_].channel = std::move(channel);
    }
    void message(std::string_view text, bool) override {
      auto wants = read_subscription(text);
      const std::lock_guard lock(state_->mutex);
      auto& page = state_->pages[key_];
      if (page.channel->queued() > slow_page) return;  // it does not read what it asked for
      if (!wants) {
        page.channel->send(error_json(wants.error().message), false);
        return;
      }
      page.wants = *std::move(wants);
      const auto now = unix_now_ns();
      state_->push(page, now);
      state_->ask(now);
    }

   private:
    std::shared_ptr<State> state_;
    std::uint64_t key_;
  };
  const std::lock_guard lock(state_->mutex);
  if (state_->pages.size() >= most_pages) return nullptr;
  const auto key = state_->next_key++;
  state_->pages[key] = {};
  return std::make_unique<Looks>(state_, key);
}

}  // namespace sockeye::console
