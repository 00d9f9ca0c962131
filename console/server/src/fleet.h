// The live side: what connected proxies report of their sessions, as of now, and what of it goes to the store.
// Sans-I/O: reports and time come in as arguments. Thread-safe; one lock, held for a report or a page's window at a
// time.
//
// A proxy tells everything anew after it connected. Sessions it no longer tells of, and those of a proxy that stays
// away for `patience`, are "lost": their end was not seen.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "read_json.h"
#include "sockeye/live/messages.h"
#include "sockeye/store/store.h"

namespace sockeye::console {

// What a live session is doing, beside its facts.
struct LiveFigures {
  bool closing = false;
  std::array<double, 2> messages_per_second{}, bytes_per_second{};  // by sender
  std::array<std::optional<double>, 2> rtt_seconds;                 // by leg
  std::array<std::uint64_t, 2> buffered_bytes{};
  std::uint64_t buffered_since_unix_ns = 0;  // bytes have been waiting since then; 0: none are
  std::array<std::uint32_t, 2> misses_now{};
  std::uint32_t invocations_open = 0;
  std::array<std::uint64_t, 2> last_message_unix_ns{};  // 0: none yet
};

struct SessionNow {
  store::Session facts;
  std::optional<LiveFigures> live;  // none: no connected proxy reports it
};

struct ProxyNow {
  live::Hello hello;
  bool connected = false;
  std::uint64_t since_unix_ns = 0;
  std::uint64_t sessions = 0;
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
  static constexpr std::size_t most_sessions = 1'000'000;  // over all proxies; more are not kept
  static constexpr std::size_t most_proxies = 1'000;       // known at a time

  // A report of the connection `link`; the first must say Hello. An error ends the connection.
  [[nodiscard]] base::Result<void> apply(Link link, live::Report&& report, std::uint64_t now_unix_ns);
  void lost(Link link, std::uint64_t now_unix_ns);

  // What has to be written: sessions opened, ended or long unwritten, points due, fleet figures of every full interval.
  [[nodiscard]] store::Batch collect(std::uint64_t now_unix_ns);
  // What became of a batch's sessions: they are in the store, or they are given again by the next collect().
  void stored(const std::vector<base::SessionId>& sessions);
  void give_back(const std::vector<base::SessionId>& sessions);

  [[nodiscard]] std::vector<ProxyNow> proxies() const;
  [[nodiscard]] std::vector<RouteNow> routes() const;
  [[nodiscard]] std::vector<SessionNow> ended_lately() const;  // newest first: up to 15 abnormal ones, 5 others
  [[nodiscard]] std::optional<SessionNow> session(const base::SessionId&, std::uint64_t now_unix_ns) const;
  [[nodiscard]] bool knows(const base::SessionId&) const;
  [[nodiscard]] Window window(const Subscription::Sessions&, std::uint64_t now_unix_ns) const;
  // Live figures laid over what the store knows.
  [[nodiscard]] std::optional<LiveFigures> figures(const base::SessionId&, std::uint64_t now_unix_ns) const;

  // Somebody looks at this session until then: its proxy is asked for details.
  void watch(const base::SessionId&, std::uint64_t until_unix_ns);
  [[nodiscard]] std::optional<live::Detail> detail(const base::SessionId&) const;
  // What each connection has to be asked now, where that changed.
  [[nodiscard]] std::vector<std::pair<Link, live::Ask>> asks(std::uint64_t now_unix_ns);

 private:
  struct Proxy;
  struct Live {
    live::Opened facts;
    live::Changed now;
    std::string dialect;
    Proxy* proxy = nullptr;
    std::uint64_t told = 0;         // generation of the proxy's last telling
    std::uint64_t changed_ns = 0;   // when `now` came
    std::uint64_t stored_ns = 0;    // 0: not yet
    std::uint64_t buffered_ns = 0;  // since when bytes wait; 0: none
    std::uint64_t point_ns = 0;     // of the last point
    std::array<double, 2> messages_per_second{}, bytes_per_second{};
    bool dirty = true;    // for the store
    bool moving = false;  // the last point showed traffic
  };
  struct Route {
    live::Summary last, written;
    std::uint64_t last_ns = 0;
    std::array<double, 2> messages_per_second{}, bytes_per_second{};
    double opened_per_second = 0, ended_per_second = 0;
  };
  struct Proxy {
    ProxyNow now;
    Link link = 0;
    std::uint64_t generation = 0, report_ns = 0;
    bool telling = true;  // not all told yet: what comes was done at some time before, not since the last report
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

  base::Result<Proxy*> greet(Link link, const live::Hello& hello, std::uint64_t now_ns);
  void change(Proxy& proxy, live::Changed&& changed, std::uint64_t report_ns, std::uint64_t now_ns);
  void end(Proxy& proxy, live::Ended&& ended, std::uint64_t now_ns);
  void forget(Sessions::iterator at, std::uint64_t ended_ns);  // lost
  void summarise(Proxy& proxy, live::Summary&& summary, std::uint64_t report_ns);
  void remember(const store::Session& session);
  [[nodiscard]] store::Session facts(const Live& session, std::uint64_t now_ns) const;
  [[nodiscard]] LiveFigures figures(const Live& session, std::uint64_t now_ns) const;
  void points(store::Batch& batch, std::uint64_t now_ns);
  void fleet_points(store::Batch& batch, std::uint64_t now_ns);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<Proxy>> proxies_;  // by instance
  std::unordered_map<Link, Proxy*> links_;
  Sessions sessions_;
  std::vector<store::Session> unwritten_;                             // ended ones
  std::unordered_map<base::SessionId, store::Session, Hash> handed_;  // ended ones that the store has not answered for
  std::deque<store::Session> abnormal_, normal_;
  std::unordered_map<base::SessionId, Watched, Hash> watched_;
  std::uint64_t interval_ = 0;  // number of the last written one
};

[[nodiscard]] bool is_abnormal(const store::Session& session);

}  // namespace sockeye::console
