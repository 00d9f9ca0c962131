#include "live_link.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "clock.h"
#include "outstanding.h"
#include "sockeye/base/json.h"
#include "write.h"

namespace sockeye::console {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t slow_page = 2 << 20;         // bytes it has not read yet: skip until it has
constexpr std::uint64_t watch_ns = 5'000'000'000;  // a page's interest is renewed each second
constexpr auto sweep_every = 60s;

std::string fleet_json(const Fleet& fleet, std::uint64_t now) {
  base::Json json;
  json.open('{').key("type").text("fleet");
  time_ms(json, "now_ms", now);
  write_proxies(json, fleet.proxies());
  json.key("routes").open('[');
  for (const auto& route : fleet.routes()) write_route(json, route);
  json.close(']').key("ended").open('[');
  for (const auto& session : fleet.ended_lately()) write_session(json, session.facts, std::nullopt);
  json.close(']').close('}');
  return json.take();
}

std::string sessions_json(const Fleet& fleet, const Subscription::Sessions& ask, std::uint64_t now) {
  const auto window = fleet.window(ask, now);
  base::Json json;
  json.open('{').key("type").text("sessions");
  time_ms(json, "now_ms", now);
  json.key("total").number(std::uint64_t{window.total}).key("matched").number(std::uint64_t{window.matched});
  json.key("sessions").open('[');
  for (const auto& session : window.sessions) write_session(json, session.facts, session.live);
  json.close(']').close('}');
  return json.take();
}

std::string error_json(std::string_view message) {
  base::Json json;
  json.open('{').key("type").text("error").key("message").text(message).close('}');
  return json.take();
}

struct Page {
  std::shared_ptr<Channel> channel;
  Subscription wants;
  std::optional<store::Session> ended;  // of the session looked at, once it ended
};

}  // namespace

struct LiveLink::State {
  State(Fleet& f, store::Store& s, Log l) : fleet(f), store(s), log(std::move(l)) {}

  Fleet& fleet;
  store::Store& store;
  const Log log;
  std::mutex mutex;  // of what follows
  std::condition_variable wake;
  bool stopping = false;
  std::uint64_t next_key = 1;
  std::unordered_map<Fleet::Link, std::shared_ptr<Channel>> proxies;
  std::unordered_map<std::uint64_t, Page> pages;
  std::uint64_t started_ns = unix_now_ns();
  Outstanding writes;
  std::thread thread;

  void push(Page& page, std::uint64_t now);
  void push_session(Page& page, const base::SessionId& id, std::uint64_t now);
  void ask(std::uint64_t now);
  void store_due(std::uint64_t now);
  void sweep(std::uint64_t now);
  void run();
};

void LiveLink::State::push(Page& page, std::uint64_t now) {
  if (!page.channel || page.channel->queued() > slow_page) return;
  if (page.wants.fleet) page.channel->send(fleet_json(fleet, now), false);
  if (page.wants.sessions) page.channel->send(sessions_json(fleet, *page.wants.sessions, now), false);
  if (page.wants.session) push_session(page, *page.wants.session, now);
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
  write_session(json, session->facts, session->live);
  write_recorder(json, "recorder", detail.recorder);
  write_calls(json, "calls", detail.calls);
  json.close('}');
  page.channel->send(json.take(), false);
}

void LiveLink::State::ask(std::uint64_t now) {
  for (auto& [link, asked] : fleet.asks(now)) {
    const auto found = proxies.find(link);
    if (found != proxies.end() && found->second) found->second->send(live::encode(asked), true);
  }
}

void LiveLink::State::store_due(std::uint64_t now) {
  auto batch = fleet.collect(now);
  if (batch.empty()) return;
  std::vector<base::SessionId> ids;
  for (const auto& session : batch.sessions) ids.push_back(session.id);
  writes.begin();
  store.write(std::move(batch), [this, ids = std::move(ids)](const store::Written& written) {
    if (written.refusal == store::Refusal::none)
      fleet.stored(ids);
    else
      fleet.give_back(ids);
    writes.end();
  });
}

// Sessions the store has as open, of proxies that are not here: nobody will tell how they ended.
void LiveLink::State::sweep(std::uint64_t now) {
  if (now < started_ns + Fleet::patience_ns) return;
  store::SessionQuery query;
  query.state = store::SessionQuery::State::open;
  query.limit = 500;
  store::Batch batch;
  do {
    const auto page = store.sessions(query, std::chrono::steady_clock::now() + 10s);
    if (!page) return;
    for (const auto& session : page->items) {
      if (fleet.knows(session.id) || session.instance.empty() || now < session.seen_unix_ns + Fleet::patience_ns)
        continue;
      auto& row = batch.sessions.emplace_back(session);
      row.ended_unix_ns = session.seen_unix_ns;
      row.close_code = 1006;
      row.end_reason = "lost";
      row.initiator = "network";
    }
    query.cursor = page->cursor;
  } while (!query.cursor.empty() && batch.sessions.size() < 10'000);
  if (!batch.empty()) store.write(std::move(batch), [](const store::Written&) {});
}

void LiveLink::State::run() {
  auto next_sweep = std::chrono::steady_clock::now() + sweep_every;
  std::unique_lock lock(mutex);
  for (unsigned beat = 0; !stopping; ++beat) {
    wake.wait_for(lock, 1s, [this] { return stopping; });
    const auto now = unix_now_ns();
    for (auto& [key, page] : pages) push(page, now);
    ask(now);
    lock.unlock();
    if (beat % 2 == 0) store_due(now);
    if (std::chrono::steady_clock::now() > next_sweep) {
      sweep(now);
      next_sweep = std::chrono::steady_clock::now() + sweep_every;
    }
    lock.lock();
  }
  lock.unlock();
  store_due(unix_now_ns());
}

LiveLink::LiveLink(Fleet& fleet, store::Store& store, Log log)
    : state_(std::make_shared<State>(fleet, store, std::move(log))) {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}
LiveLink::~LiveLink() { stop(); }

void LiveLink::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
  state_->writes.wait();
}

std::unique_ptr<Conversation> LiveLink::proxy() {
  class Reports final : public Conversation {
   public:
    explicit Reports(std::shared_ptr<State> state) : state_(std::move(state)) {
      const std::lock_guard lock(state_->mutex);
      link_ = state_->next_key++;
      state_->proxies[link_] = nullptr;
    }
    ~Reports() override {
      state_->fleet.lost(link_, unix_now_ns());
      const std::lock_guard lock(state_->mutex);
      state_->proxies.erase(link_);
    }
    void opened(std::shared_ptr<Channel> channel) override {
      const std::lock_guard lock(state_->mutex);
      state_->proxies[link_] = channel_ = std::move(channel);
    }
    void message(std::string_view text, bool binary) override {
      auto report = binary ? live::decode_report(base::as_bytes(text)) : base::fail("expected a binary message");
      base::Result<void> applied =
          report ? state_->fleet.apply(link_, *std::move(report), unix_now_ns()) : tl::unexpected(report.error());
      if (applied) return;
      state_->log(3, "live: a proxy's report is refused: " + applied.error().message);
      channel_->close(1007, applied.error().message.substr(0, 120));
    }

   private:
    std::shared_ptr<State> state_;
    Fleet::Link link_ = 0;
    std::shared_ptr<Channel> channel_;
  };
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
