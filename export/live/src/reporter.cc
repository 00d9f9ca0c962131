// Theory of operation. One thread, whose life is run(): an attempt, a pause, the next attempt. An attempt that got
// through the upgrade is a conversation: once an interval it collects, encodes and writes. While a write waits for a
// slow console no tick happens: nothing queues, the next report has the figures of its own moment. Asks and pongs come
// from within these calls. The source is asked on this thread; it may wait for the proxy's workers, never they for us.
#include "sockeye/live/reporter.h"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "endpoint.h"
#include "sockeye/base/random.h"
#include "sockeye/net/secret.h"
#include "sockeye/net/web_socket_client.h"
#include "unconfirmed.h"

namespace sockeye::live {
namespace {

using net::WebSocketClient;
using Clock = WebSocketClient::Clock;
using Outcome = WebSocketClient::Outcome;

constexpr std::uint16_t normal_closure = 1000;  // RFC 6455 §7.4.1
constexpr std::size_t longest_ask = 64 * 1024;

std::uint64_t random_seed() {
  std::uint64_t out = 0;
  static_cast<void>(!::getrandom(&out, sizeof out, 0));
  return out;
}

std::string seconds_text(Clock::duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count()) + " s";
}

class Life final : private WebSocketClient::Events {
 public:
  Life(ReporterOptions options, Source& source)
      : options_(std::move(options)), source_(source), random_(random_seed()), unconfirmed_(options_.ended_kept) {}

  base::Result<void> prepare() {
    auto url = parse_endpoint(options_.endpoint);
    if (!url) return tl::unexpected(url.error());
    if (!options_.token_file.empty())
      if (auto token = net::read_token(options_.token_file); !token) return tl::unexpected(token.error());
    net::WebSocketClientOptions client;
    client.url = *std::move(url);
    client.subprotocol = subprotocol;
    client.ca = options_.ca;
    client.connect_timeout = options_.connect_timeout;
    client.dead_after = options_.dead_after;
    client.largest_message = longest_ask;
    auto made = WebSocketClient::make(std::move(client), *this);
    if (!made) return tl::unexpected(made.error());
    client_ = *std::move(made);
    return {};
  }

  void run();
  // From any thread.
  void stop(base::Duration timeout) {
    stopping_ = true;
    client_->wake();
    client_->give_up_after(timeout);
  }
  [[nodiscard]] Reporter::Status status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  template <class Change>
  void note(Change change) {
    const std::lock_guard lock(mutex_);
    change(status_);
    status_.unconfirmed = unconfirmed_.size();
    status_.ended_lost = unconfirmed_.lost();
  }
  void log(int level, const std::string& line) const {
    if (options_.log) options_.log(level, line);
  }

  bool attempt();
  bool explain(const WebSocketClient::Connected& failed);
  void away(const std::string& why);
  void refuse(const std::string& why);
  void back();
  void converse();
  bool send_report(bool resync);
  bool ping();
  Report collect(bool resync);
  void message(std::string_view payload, bool binary) override;
  void pong(std::string_view payload) override;

  const ReporterOptions options_;
  Source& source_;
  std::unique_ptr<WebSocketClient> client_;
  std::atomic<bool> stopping_{false};

  // The thread's own.
  base::Random random_;
  bool logged_away_ = false, logged_refused_ = false, logged_bad_ask_ = false;
  std::uint64_t logged_lost_ = 0;
  std::optional<Clock::time_point> lost_since_;
  Unconfirmed unconfirmed_;
  std::uint64_t round_ = 0;
  // Of the conversation.
  Ask ask_;
  bool all_reported_ = false;
  Clock::time_point pinged_at_;

  mutable std::mutex mutex_;
  Reporter::Status status_;  // under mutex_
};

void Life::run() {
  base::Duration delay = options_.retry_first;
  for (bool last = false; !last;) {
    last = stopping_;  // one more attempt: what ended during the drain is worth reporting
    const bool talked = attempt();
    if (stopping_ && talked) break;
    if (stopping_) continue;
    if (talked) delay = options_.retry_first;
    const double jitter = 0.5 + random_.unit() / 2;
    client_->wait_until(Clock::now() + std::chrono::duration_cast<Clock::duration>(delay * jitter));
    delay = std::min(delay * 2, options_.retry_cap);
  }
  note([](auto& status) { status.connected = false; });
}

// True when a conversation took place.
bool Life::attempt() {
  net::Fields fields = {{"User-Agent", "sockeye"}};
  if (!options_.token_file.empty()) {
    const auto token = net::read_token(options_.token_file);
    if (!token) {
      away(token.error().message);
      return false;
    }
    fields.emplace_back("Authorization", "Bearer " + *token);
  }
  bool talked = false;
  try {
    const auto connected = client_->connect(fields);
    if (connected.outcome != Outcome::open) return explain(connected);
    talked = true;
    converse();
    if (!stopping_) away("was lost: " + client_->why());
  } catch (const std::exception&) {
    away("was lost: out of memory");  // nothing else throws here
  }
  return talked;
}

bool Life::explain(const WebSocketClient::Connected& failed) {
  switch (failed.outcome) {
    case Outcome::declined:
      refuse(
          "answers " + std::to_string(failed.status) +
          (failed.status == 401 || failed.status == 403 ? ": check export.console.token_file" : ": is it a console?"));
      break;
    case Outcome::stranger:
      refuse("does not speak " + std::string(subprotocol) + ": it is of another version, or no console");
      break;
    case Outcome::insecure:
      away("TLS: " + failed.message);
      break;
    case Outcome::open:
    case Outcome::given_up:
      break;
    case Outcome::unreachable:
      away("cannot be reached: " + failed.message);
  }
  return false;
}

// One line when it is lost; what follows is logged when it changes in kind.
void Life::away(const std::string& why) {
  note([](auto& status) { status.connected = false; });
  if (!lost_since_) lost_since_ = Clock::now();
  if (!logged_away_) log(3, "console " + options_.endpoint + " " + why + "; trying again until it answers");
  logged_away_ = true;
}

void Life::refuse(const std::string& why) {
  if (!lost_since_) lost_since_ = Clock::now();
  if (!logged_refused_) log(3, "console " + options_.endpoint + " " + why);
  logged_away_ = logged_refused_ = true;
}

void Life::back() {
  const auto lost = unconfirmed_.lost() - logged_lost_;
  logged_lost_ = unconfirmed_.lost();
  std::string line = "console " + options_.endpoint;
  line += lost_since_ ? " is there, after " + seconds_text(Clock::now() - *lost_since_) : " is connected";
  if (lost > 0) line += "; " + std::to_string(lost) + " ended sessions were too many to keep for it";
  log(2, line);
  lost_since_.reset();
  logged_away_ = logged_refused_ = false;
  note([](auto& status) {
    status.connected = true;
    ++status.connects;
  });
}

// --- a conversation ---

// Until it is over.
void Life::converse() {
  back();
  ask_ = {};
  all_reported_ = false;
  auto next = Clock::now();
  pinged_at_ = next;
  for (bool resync = true;; resync = false) {
    const bool last = stopping_;
    if (!send_report(resync)) return;
    if (last) {
      if (client_->close(normal_closure, "the proxy stops")) unconfirmed_.confirm(round_);
      return note([](auto&) {});
    }
    if (!ping()) return;
    // A tick that is late is not made up for. While not every session is reported, there is more to say at once.
    const auto pause = all_reported_ ? options_.interval : options_.interval / 10;
    next = std::max(next + std::chrono::duration_cast<Clock::duration>(pause), Clock::now());
    if (!stopping_ && !client_->wait_until(next)) return;
  }
}

bool Life::send_report(bool resync) {
  Report report = collect(resync);
  ++round_;
  if (!resync) {
    unconfirmed_.keep(report, round_);
  } else {
    Unconfirmed before = unconfirmed_;
    unconfirmed_.keep(report, round_);
    before.add_to(report);
  }
  for (const auto& part : encode_parts(report)) {
    if (!client_->send(part, true)) return false;
    note([](auto& status) { ++status.reports; });
  }
  all_reported_ = all_reported_ || report.all_reported;
  return true;
}

// A pong confirms what was written before.
bool Life::ping() {
  if (client_->awaits_pong()) return true;
  const auto now = Clock::now();
  if (unconfirmed_.size() == 0 && now - pinged_at_ < options_.dead_after / 4) return true;
  pinged_at_ = now;
  return client_->ping(std::to_string(round_));
}

void Life::pong(std::string_view payload) {
  std::uint64_t round = 0;
  std::from_chars(payload.data(), payload.data() + payload.size(), round);  // as ping() wrote it
  unconfirmed_.confirm(round);
  note([](auto&) {});
}

void Life::message(std::string_view payload, bool) {
  if (auto ask = decode_ask(base::as_bytes(payload))) {
    ask_ = *std::move(ask);
  } else if (!std::exchange(logged_bad_ask_, true)) {
    log(3, "console " + options_.endpoint + " asks for what is not understood: " + ask.error().message);
  }
}

Report Life::collect(bool resync) {
  Report report;
  try {
    report = source_.collect(resync, ask_);
    if (resync) report.hello = source_.hello();
  } catch (const std::exception& thrown) {
    log(4, std::string("the sessions could not be collected: ") + thrown.what());
    if (resync) report.hello = Hello{};
  }
  return report;
}

class Running final : public Reporter {
 public:
  explicit Running(std::unique_ptr<Life> life) : life_(std::move(life)) {
    sigset_t every;
    sigset_t before;
    sigfillset(&every);
    ::pthread_sigmask(SIG_SETMASK, &every, &before);  // signals are the application's
    try {
      thread_ = std::thread([life = life_.get()] {
        ::pthread_setname_np(::pthread_self(), "live");
        life->run();
      });
    } catch (...) {
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      throw;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Running() override { stop(base::Duration::zero()); }

  void stop(base::Duration timeout) override {
    const std::lock_guard turn(turn_);
    if (!thread_.joinable()) return;
    life_->stop(timeout);
    thread_.join();
  }
  [[nodiscard]] Status status() const override { return life_->status(); }

 private:
  std::unique_ptr<Life> life_;
  std::mutex turn_;
  std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<Reporter>> Reporter::start(ReporterOptions options, Source& source) {
  try {
    auto life = std::make_unique<Life>(std::move(options), source);
    if (auto prepared = life->prepare(); !prepared) return tl::unexpected(prepared.error());
    return std::make_unique<Running>(std::move(life));
  } catch (const std::exception& failed) {
    return base::fail(std::string("cannot start the reporter: ") + failed.what());
  }
}

}  // namespace sockeye::live
