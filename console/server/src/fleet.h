// The live side: what connected proxies report of their sessions, as of now, and what of it goes to the store.
// Sans-I/O: reports and time come in as arguments. Thread-safe; one lock, held for a report or a page's window at a
// time.
//
// A proxy reports once a second. When nothing has come for `silence`, or its connection broke, it is unheard, and so
// are its sessions: they are as it said last, and nothing of them goes on. When it is back it reports everything again;
// sessions it no longer reports, and those of a proxy that stays away for `patience`, are "lost": their end was not
// seen. One that said goodbye (Close 1000) was drained. Times when this process itself did not run (it was stopped, or
// the machine stood still) are not held against proxies.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "figures.h"
#include "read_json.h"
#include "sockeye/live/messages.h"
#include "sockeye/store/store.h"

namespace sockeye::console {

// What a live session is doing, beside its figures.
struct LiveRates {
  std::array<double, 2> messages_per_second{}, bytes_per_second{};  // by sender
  std::uint64_t buffered_since_unix_ns = 0;                         // bytes have been waiting since then; 0: none are
};

struct SessionNow {
  store::Session session;         // seen_unix_ns: when its proxy was heard at last
  std::optional<LiveRates> live;  // none: its proxy is not heard
};

struct ProxyNow {
  live::Hello hello;
  enum class State : std::uint8_t { connected, unheard, drained, lost } state = State::connected;
  std::uint64_t since_unix_ns = 0;  // in this state
  std::uint64_t heard_unix_ns = 0;
  std::uint64_t sessions = 0;  // open ones, as it said last; 0 once it is drained or lost
};

// What was reported, and for which there was no room, since this process began.
struct NotKept {
  std::uint64_t sessions = 0, ends = 0, routes = 0;
};

// Sessions that are open as far as is known, but whose proxies are not heard.
struct Unheard {
  std::uint64_t sessions = 0, of = 0;  // of all
  std::uint64_t since_unix_ns = 0;     // the earliest
};

struct RouteNow {
  std::string instance;
  live::Summary summary;
  std::array<double, 2> messages_per_second{}, bytes_per_second{};
  double opened_per_second = 0, ended_per_second = 0;
};

struct Window {
  std::vector<SessionNow> sessions;
  std::size_t total = 0, matched = 0;
};

class Fleet {
 public:
  using Link = std::uint64_t;  // one connection of a proxy; 0 is none
  static constexpr std::uint64_t patience_ns = 300'000'000'000;
  // How long a lost proxy is named, unless another takes its place, so that nothing is called well without it.
  static constexpr std::uint64_t lost_kept_ns = 86'400'000'000'000;
  static constexpr std::uint64_t silence_ns = 4'500'000'000;     // looked at once a second: known within 5 s
  static constexpr std::size_t most_sessions = 1'000'000;        // over all proxies; more are not kept
  static constexpr std::size_t most_proxies = 1'000;             // known at a time
  static constexpr std::size_t usual_bytes = 192 << 20;          // of sessions and routes; one proxy has two thirds
  static constexpr std::size_t longest_name = 256;               // of each of hello's texts
  static constexpr std::size_t longest_dialect = 128;            // a longer one is not taken over
  static constexpr std::size_t most_unwritten = 200'000;         // ended sessions kept while the store refuses …
  static constexpr std::size_t most_unwritten_bytes = 32 << 20;  // … and as many of which it was asked
  // Of open sessions, in one batch: whoever else writes waits for it.
  static constexpr std::size_t most_collected_bytes = 16 << 20, most_collected = 4000;
  static constexpr std::size_t most_watched = 128;
  static constexpr std::size_t largest_detail = 256 << 10;

  // `bytes`: what sessions and routes may hold, about.
  explicit Fleet(std::string version = "", std::size_t bytes = usual_bytes);
  // What the store knows of times before this process, the sessions that it has as open among it; before the first
  // report, if at all. Proxies have `patience` from now on to be heard.
  void resume(std::vector<store::Presence>, std::vector<store::RouteTotals>, const std::vector<store::Session>& open,
              std::uint64_t now_unix_ns);

  // A report of the connection `link`; the first must say Hello. An error ends the connection. An instance that is
  // heard over another connection is that one's: its successor is taken when the other has been silent for `silence`.
  [[nodiscard]] base::Result<void> apply(Link link, live::Report&& report, std::uint64_t now_unix_ns);
  // The connection is gone; with a goodbye (Close 1000), its proxy has stopped.
  void lost(Link link, std::uint64_t now_unix_ns, bool goodbye = false);
  // Once a second: how long this process did not run is known by it.
  void tick(std::uint64_t now_unix_ns);
  void stopping(std::uint64_t now_unix_ns);  // the next collect() is the last

  // What has to be written: sessions opened, ended or long unwritten, points due, fleet figures of every full interval.
  [[nodiscard]] store::Batch collect(std::uint64_t now_unix_ns);
  // Of these only the ends: what a proxy may forget once it is stored; and that this process is there.
  [[nodiscard]] store::Batch collect_ends(std::uint64_t now_unix_ns);
  // How many sessions have been reported as ended so far, and how many of these have been collected.
  [[nodiscard]] std::uint64_t ends() const;
  [[nodiscard]] std::uint64_t ends_collected() const;
  // What has to be known of a batch to answer for it: it is in the store, or given again by the next collect().
  struct Receipt {
    std::vector<base::SessionId> sessions;
    std::vector<store::RouteTotals> totals;
    std::vector<store::Presence> presences;
  };
  [[nodiscard]] static Receipt receipt(const store::Batch&);
  void stored(const Receipt&);
  void give_back(const Receipt&);

  [[nodiscard]] NotKept not_kept() const;
  [[nodiscard]] std::size_t held_now() const;  // bytes, of those it may hold
  [[nodiscard]] std::vector<ProxyNow> proxies(std::uint64_t now_unix_ns) const;
  [[nodiscard]] std::vector<RouteNow> routes(std::uint64_t now_unix_ns) const;
  [[nodiscard]] std::optional<Unheard> unheard(std::uint64_t now_unix_ns) const;  // none: all are heard
  // Stretches that may not be in the store yet.
  [[nodiscard]] std::vector<store::Presence> presences(std::uint64_t now_unix_ns) const;
  [[nodiscard]] std::vector<SessionNow> ended_lately() const;  // newest first: up to 15 abnormal ones, 5 others
  [[nodiscard]] std::optional<SessionNow> session(const base::SessionId&, std::uint64_t now_unix_ns) const;
  [[nodiscard]] bool knows(const base::SessionId&) const;
  // With attributes, which sessions have them is for the caller to say: `only` these.
  [[nodiscard]] Window window(const Subscription::Sessions&, std::uint64_t now_unix_ns,
                              const std::set<base::SessionId>* only = nullptr) const;
  // What the store gets of a session that is open: seen now, while its proxy is heard.
  [[nodiscard]] std::optional<store::Latest> latest(const base::SessionId&, std::uint64_t now_unix_ns) const;

  // Somebody looks at this session until then: its proxy is asked for details.
  void watch(const base::SessionId&, std::uint64_t until_unix_ns);
  [[nodiscard]] std::optional<live::Detail> detail(const base::SessionId&) const;
  // What each connection has to be asked now, where that changed.
  [[nodiscard]] std::vector<std::pair<Link, live::Ask>> asks(std::uint64_t now_unix_ns);

 private:
  struct Proxy;
  struct Live {
    model::SessionFacts facts;
    model::SessionFigures now;
    Proxy* proxy = nullptr;
    std::uint64_t reported = 0;     // in this generation of the proxy's, at last
    std::uint64_t heard_ns = 0;     // of an earlier one: when the proxy was heard at last
    std::uint64_t changed_ns = 0;   // when `now` came
    std::uint64_t stored_ns = 0;    // 0: not yet
    std::uint64_t buffered_ns = 0;  // since when bytes wait; 0: none
    std::uint64_t point_ns = 0;     // of the last point
    struct Counted {
      std::uint64_t time_ns = 0;  // 0: not yet
      std::array<std::uint64_t, 2> messages{}, bytes{};
    };
    Counted counted;        // at the last point
    Counted since, lately;  // what the live rates are held against, and what is next
    std::size_t bytes = 0;  // held by it
    bool dirty = true;      // for the store
    bool moving = false;    // the last point showed traffic
  };
  struct Route {
    Route(const RouteFigures::Counts& totals, std::uint64_t at_ns) : figures(totals, at_ns) {}
    RouteFigures figures;
    live::Summary last;
    std::uint64_t last_ns = 0, heard_ns = 0;  // of the proxy's clock, and of ours
    std::array<double, 2> messages_per_second{}, bytes_per_second{};
    double opened_per_second = 0, ended_per_second = 0;
  };
  struct Proxy {
    live::Hello hello;
    Link link = 0;
    std::uint64_t generation = 0;
    std::uint64_t since_ns = 0;   // connected, or drained
    std::uint64_t report_ns = 0;  // when it was heard at last
    bool drained = false;
    bool summarised = false;  // it has reported its routes
    bool resyncing = true;  // not all reported yet: what comes was done at some time before, not since the last report
    std::optional<store::Presence> presence;  // the stretch that goes on …
    std::optional<store::Presence> before;    // … and the one before
    std::uint64_t kept = 0;                   // open sessions that the store had of it
    std::size_t bytes = 0, held = 0;          // what its sessions and routes hold; and how many sessions that are
    std::uint64_t covered_ns = 0;             // of the current interval, by stretches that are over
    bool news = false;                        // it reported something that is not written yet, if only once
    std::unordered_map<std::string, Route> routes;
    std::vector<base::SessionId> asked;
  };
  struct Hash {
    std::size_t operator()(const base::SessionId& id) const;
  };
  struct Watched {
    std::uint64_t until_ns = 0;
    live::Detail detail;
    bool answered = false;
  };
  using Sessions = std::unordered_map<base::SessionId, std::unique_ptr<Live>, Hash>;

  using State = ProxyNow::State;
  [[nodiscard]] bool heard(const Proxy& proxy, std::uint64_t now_ns) const;
  [[nodiscard]] bool heard(const Live& session, std::uint64_t now_ns) const;
  [[nodiscard]] static std::uint64_t heard_ns(const Live& session);
  [[nodiscard]] State state(const Proxy& proxy, std::uint64_t now_ns) const;
  base::Result<Proxy*> greet(Link link, const live::Hello& hello, std::uint64_t now_ns);
  void hear(Proxy& proxy, std::uint64_t now_ns);
  void unhear(Proxy& proxy, store::Presence::End end);
  void wake(std::uint64_t now_ns);
  void give_up(std::uint64_t now_ns);
  void keep_lost(const live::Hello& hello, std::uint64_t heard_ns);
  Proxy& known_before(const std::string& instance);
  [[nodiscard]] Route* find(const store::RouteTotals& totals);
  void open(Proxy& proxy, model::SessionFacts&& facts, std::uint64_t before_ns, std::uint64_t now_ns);
  void change(Proxy& proxy, model::SessionUpdate&& update, std::uint64_t report_ns, std::uint64_t now_ns);
  void end(Proxy& proxy, live::Ended&& ended, std::uint64_t before_ns, std::uint64_t now_ns);
  void forget(Sessions::iterator at, const char* why, const char* initiator);  // its end was not reported
  void summarise(Proxy& proxy, live::Summary&& summary, std::uint64_t report_ns, std::uint64_t now_ns);
  [[nodiscard]] Route route_of(const Proxy& proxy, const live::Summary& first, std::uint64_t now_ns);
  void remember(const store::Session& session);
  [[nodiscard]] store::Session record(const Live& session) const;
  [[nodiscard]] SessionNow look(const Live& session, std::uint64_t now_ns) const;
  [[nodiscard]] LiveRates rates(const Live& session, std::uint64_t now_ns) const;
  void hand_ends(store::Batch& batch);
  void answered(const base::SessionId& id, bool kept);
  void keep_end(store::Session&& row);
  void keep_presence(const store::Presence& presence);
  [[nodiscard]] static std::size_t held_bytes(const model::SessionFacts& facts, const std::string& dialect);
  [[nodiscard]] static std::size_t held_bytes(const live::Summary& route);
  [[nodiscard]] static std::size_t held_bytes(const live::Detail& detail);
  void hold(Live& session, std::size_t bytes);
  void drop(Sessions::iterator at);
  [[nodiscard]] bool make_room(const Proxy& proxy, std::size_t more);
  [[nodiscard]] bool find_room(const Proxy& proxy, std::size_t more);
  [[nodiscard]] bool make_place();
  void shed(Proxy& proxy, std::size_t bytes);
  void points(store::Batch& batch, std::uint64_t now_ns);
  void fleet_points(store::Batch& batch, std::uint64_t end_ns);

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;  // what all proxies' sessions and routes hold
  NotKept not_kept_;
  const Proxy* full_ = nullptr;  // for which no room was found, of the report that is applied
  std::unordered_map<std::string, std::unique_ptr<Proxy>> proxies_;  // by instance
  std::map<std::string, ProxyNow> gone_;                             // lost ones that are no longer in proxies_
  std::unordered_map<Link, Proxy*> links_;
  Sessions sessions_;
  std::vector<store::Session> unwritten_;  // ended ones
  std::size_t unwritten_bytes_ = 0, handed_bytes_ = 0;
  std::uint64_t ends_ = 0, ends_collected_ = 0;
  std::unordered_map<base::SessionId, store::Session, Hash> handed_;  // ended ones that the store has not answered for
  std::deque<store::Session> abnormal_, normal_;
  std::unordered_map<base::SessionId, Watched, Hash> watched_;
  std::uint64_t interval_ = 0;  // number of the last written one
  store::Presence console_;     // this process
  std::uint64_t tick_ns_ = 0, resumed_ns_ = 0, console_written_ns_ = 0;
  std::uint64_t known_since_ns_ = UINT64_MAX;  // since when a console has been there to be reported to
  std::map<std::pair<std::string, std::string>, store::RouteTotals> totals_;  // by instance and route, not here now
  std::vector<store::Presence> ended_presences_;                              // for the store
};

}  // namespace sockeye::console
