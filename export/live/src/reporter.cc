// Theory of operation. One thread runs one io_context. follow() is the life: an attempt, a pause, the next attempt. An
// attempt that got through the upgrade is a conversation of three coroutines over the same stream:
//
//   tell    once an interval: collect, encode, write. While a write waits for a slow console no tick happens: nothing
//           queues, the next report has the figures of its own moment.
//   hear    reads Asks, and with them Beast answers pings and hands pongs over.
//   watch   looks once in a while whether the console still shows signs of life: a pong to a ping of ours, or, while
//           something is being written, bytes that its kernel acknowledges (it is slow, not dead).
//
// Whichever ends first closes the socket, which ends the others. The source is asked on this thread; it may wait for
// the proxy's workers, never they for us.
#include "sockeye/live/reporter.h"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "progress.h"
#include "sockeye/base/random.h"
#include "sockeye/live/stream.h"
#include "sockeye/net/secret.h"
#include "target.h"
#include "unconfirmed.h"

namespace sockeye::live {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Socket = websocket::stream<Stream, false>;  // our messages are small and often: nothing is deflated

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t longest_ask = 64 * 1024;
// What hides in the kernel is told late: little, so that a slow console is noticed as one.
constexpr int send_buffer = 256 * 1024;
constexpr base::Duration slack = std::chrono::seconds(1);  // for a thread that must notice that time is up

std::uint64_t random_seed() {
  std::uint64_t out = 0;
  static_cast<void>(!::getrandom(&out, sizeof out, 0));
  return out;
}

std::string seconds_text(Clock::duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count()) + " s";
}

// Shared with the thread, which may outlive the Reporter where a resolver does not answer.
class Life : public std::enable_shared_from_this<Life> {
 public:
  Life(ReporterOptions options, Target target, Source& source)
      : options_(std::move(options)),
        target_(std::move(target)),
        source_(&source),
        tls_(asio::ssl::context::tls_client),
        resolver_(context_),
        pause_(context_),
        tick_(context_),
        look_(context_),
        joined_(context_),
        limit_(context_),
        random_(random_seed()),
        unconfirmed_(options_.ended_kept) {}

  base::Result<void> prepare() {
    if (!options_.token_file.empty())
      if (auto token = net::read_token(options_.token_file); !token) return tl::unexpected(token.error());
    if (!target_.tls) return {};
    error_code error;
    if (options_.ca.empty())
      tls_.set_default_verify_paths(error);
    else
      tls_.load_verify_file(options_.ca, error);
    if (error) return base::fail(options_.ca + ": cannot read the CA: " + error.message());
    tls_.set_verify_mode(asio::ssl::verify_peer, error);
    tls_.set_verify_callback(asio::ssl::host_name_verification(target_.host), error);
    if (error) return base::fail("cannot set up TLS: " + error.message());
    return {};
  }

  void run() {
    asio::co_spawn(context_, follow(), asio::detached);
    context_.run();
    const std::lock_guard lock(mutex_);
    account_.connected = false;
    done_ = true;
    ended_.notify_all();
  }

  // From any thread.
  void stop(base::Duration timeout) {
    asio::post(context_, [self = shared_from_this(), timeout] {
      self->stopping_ = true;
      self->pause_.cancel();
      self->tick_.cancel();
      self->limit_.expires_after(timeout);
      self->limit_.async_wait([self](error_code error) {
        if (error) return;
        self->late_ = true;
        self->resolver_.cancel();
        if (self->cut_) self->cut_("");
      });
    });
  }
  // True when the thread has done its work; false when it is still waiting for a resolver.
  bool wait(base::Duration timeout) {
    const auto end = Clock::now() + timeout;
    std::unique_lock lock(mutex_);
    for (;;) {
      if (done_) return true;
      if (ended_.wait_until(lock, end) == std::cv_status::timeout && Clock::now() >= end && resolving_) return done_;
      if (Clock::now() >= end) ended_.wait_for(lock, std::chrono::milliseconds(10));
    }
  }
  Reporter::Account account() const {
    const std::lock_guard lock(mutex_);
    return account_;
  }

 private:
  template <class T>
  using Awaitable = asio::awaitable<T>;
  template <class Change>
  void note(Change change) {
    const std::lock_guard lock(mutex_);
    change(account_);
    account_.unconfirmed = unconfirmed_.size();
    account_.ended_lost = unconfirmed_.lost();
  }
  void log(int level, const std::string& line) const {
    if (options_.log) options_.log(level, line);
  }

  Awaitable<void> follow() {
    base::Duration delay = options_.retry_first;
    for (bool last = false; !last && !late_;) {
      last = stopping_;  // one more attempt: what ended during the drain is worth telling
      const bool talked = co_await attempt();
      if (stopping_ && talked) break;
      if (stopping_) continue;
      if (talked) delay = options_.retry_first;
      const double jitter = 0.5 + random_.unit() / 2;
      pause_.expires_after(std::chrono::duration_cast<base::Duration>(delay * jitter));
      co_await pause_.async_wait(nothrow);
      delay = std::min(delay * 2, options_.retry_cap);
    }
    limit_.cancel();
  }

  // True when a conversation took place.
  Awaitable<bool> attempt() {
    resolving_ = true;
    auto [unresolved, addresses] = co_await resolver_.async_resolve(target_.host, target_.port, nothrow);
    resolving_ = false;
    if (late_) co_return false;
    if (unresolved) co_return away("cannot be reached: " + unresolved.message());
    beast::tcp_stream stream(context_);
    cut_ = [&stream](const std::string&) { stream.close(); };
    stream.expires_after(options_.connect_timeout);
    const auto [refused, where] = co_await stream.async_connect(addresses, nothrow);
    cut_ = nullptr;
    if (late_) co_return false;
    if (refused) co_return away("cannot be reached: " + refused.message());
    error_code ignored;
    stream.socket().set_option(tcp::no_delay(true), ignored);
    stream.socket().set_option(asio::socket_base::send_buffer_size(send_buffer), ignored);
    Socket socket(std::move(stream));
    auto& layer = beast::get_lowest_layer(socket);
    if (target_.tls) {
      cut_ = [&layer](const std::string&) { layer.close(); };
      layer.expires_after(options_.connect_timeout);
      const auto [insecure] = co_await socket.next_layer().connect_tls(tls_, target_.host, nothrow);
      cut_ = nullptr;
      if (insecure) co_return late_ ? false : away("TLS: " + insecure.message());
    }
    co_return co_await upgrade(socket);
  }

  Awaitable<bool> upgrade(Socket& stream) {
    std::string token;
    if (!options_.token_file.empty()) {
      auto read = net::read_token(options_.token_file);
      if (!read) co_return away(read.error().message);
      token = *std::move(read);
    }
    auto& layer = beast::get_lowest_layer(stream);
    cut_ = [&layer](const std::string&) { layer.close(); };
    layer.expires_never();  // the stream has its own
    stream.set_option(websocket::stream_base::timeout{
        std::chrono::duration_cast<Clock::duration>(options_.connect_timeout), websocket::stream_base::none(), false});
    stream.set_option(websocket::stream_base::decorator([&token](websocket::request_type& request) {
      request.set(http::field::sec_websocket_protocol, beast::string_view(subprotocol.data(), subprotocol.size()));
      request.set(http::field::user_agent, "sockeye");
      if (!token.empty()) request.set(http::field::authorization, "Bearer " + token);
    }));
    stream.read_message_max(longest_ask);
    stream.write_buffer_bytes(64 * 1024);
    stream.binary(true);
    websocket::response_type answer;
    const auto [refused] = co_await stream.async_handshake(answer, target_.authority, target_.path, nothrow);
    bool talked = false;
    if (refused == websocket::error::upgrade_declined) {
      const auto status = answer.result_int();
      refuse("answers " + std::to_string(status) +
             (status == 401 || status == 403 ? ": check export.console.token_file" : ": is it a console?"));
    } else if (refused) {
      if (!late_) away("cannot be reached: " + refused.message());
    } else if (answer[http::field::sec_websocket_protocol] !=
               beast::string_view(subprotocol.data(), subprotocol.size())) {
      refuse("does not speak " + std::string(subprotocol) + ": it is of another version, or no console");
    } else {
      co_await converse(stream);
      talked = true;
    }
    cut_ = nullptr;
    co_return talked;
  }

  // One line when it is lost; what follows is told when it changes in kind.
  bool away(const std::string& why) {
    note([](auto& account) { account.connected = false; });
    if (!lost_since_) lost_since_ = Clock::now();
    if (!told_away_) log(3, "console " + options_.endpoint + " " + why + "; trying again until it answers");
    told_away_ = true;
    return false;
  }
  void refuse(const std::string& why) {
    if (!lost_since_) lost_since_ = Clock::now();
    if (!told_refused_) log(3, "console " + options_.endpoint + " " + why);
    told_away_ = told_refused_ = true;
  }
  void back() {
    const auto lost = unconfirmed_.lost() - told_lost_;
    told_lost_ = unconfirmed_.lost();
    std::string line = "console " + options_.endpoint;
    line += lost_since_ ? " is there, after " + seconds_text(Clock::now() - *lost_since_) : " is told of the sessions";
    if (lost > 0) line += "; " + std::to_string(lost) + " ended sessions were too many to keep for it";
    log(2, line);
    lost_since_.reset();
    told_away_ = told_refused_ = false;
    note([](auto& account) {
      account.connected = true;
      ++account.connects;
    });
  }

  // --- a conversation ---

  // Ends with the socket closed and none of the three running.
  Awaitable<void> converse(Socket& stream) {
    over_ = false;
    heard_ = Clock::now();
    pinged_.reset();
    writing_ = false;
    ask_ = {};
    running_ = 3;
    std::string why;
    auto& layer = beast::get_lowest_layer(stream);
    cut_ = [&](const std::string& reason) {
      if (!over_) why = reason;
      over_ = true;
      layer.close();
      tick_.cancel();
      look_.cancel();
    };
    // Beast calls it from inside a read.
    stream.control_callback([this](websocket::frame_type kind, beast::string_view payload) {
      if (kind != websocket::frame_type::pong) return;
      std::uint64_t round = 0;
      const auto* end = payload.data() + payload.size();
      if (const auto read = std::from_chars(payload.data(), end, round);
          read.ec != std::errc() || read.ptr != end || !pinged_ || round != *pinged_)
        return;
      pinged_.reset();
      heard_ = Clock::now();
      unconfirmed_.confirm(round);
      note([](auto&) {});
    });
    const auto finished = [this](const std::exception_ptr& thrown) {
      if (thrown && cut_) cut_("out of memory");  // nothing else throws here
      if (--running_ == 0) joined_.cancel();
    };
    joined_.expires_at(Clock::time_point::max());
    asio::co_spawn(context_, tell(stream), finished);
    asio::co_spawn(context_, hear(stream), finished);
    asio::co_spawn(context_, watch(layer.socket().native_handle()), finished);
    while (running_ > 0) co_await joined_.async_wait(nothrow);
    cut_ = nullptr;
    stream.control_callback({});
    if (!stopping_) away("was lost: " + why);
  }

  Awaitable<void> tell(Socket& stream) {
    back();
    auto next = Clock::now();
    auto pinged_at = next;
    bool all_told = false;
    for (bool anew = true; !over_; anew = false) {
      const bool last = stopping_;
      Report report = gather(anew);
      ++round_;
      if (!anew) {
        unconfirmed_.keep(report, round_);
      } else {
        Unconfirmed before = unconfirmed_;
        unconfirmed_.keep(report, round_);
        before.add_to(report);
      }
      for (const auto& part : encode_parts(report)) {
        writing_ = true;
        const auto [failed, count] = co_await stream.async_write(asio::buffer(part), nothrow);
        writing_ = false;
        if (failed) co_return end(failed);
        note([](auto& account) { ++account.reports; });
      }
      if (last) {
        const auto [failed] = co_await stream.async_close(
            websocket::close_reason(websocket::close_code::normal, "the proxy stops"), nothrow);
        if (!failed) unconfirmed_.confirm(round_);
        co_return end(failed);
      }
      const auto now = Clock::now();
      if (!pinged_ && (unconfirmed_.size() > 0 || now - pinged_at >= options_.dead_after / 4)) {
        pinged_ = round_;
        pinged_at = heard_ = now;
        const auto [failed] = co_await stream.async_ping(websocket::ping_data(std::to_string(round_)), nothrow);
        if (failed) co_return end(failed);
      }
      // A tick that is late is not made up for. While not every session is told, there is more to say at once.
      all_told = all_told || report.all_told;
      next = std::max(next + (all_told ? options_.interval : options_.interval / 10), Clock::now());
      if (over_ || stopping_) continue;
      tick_.expires_at(next);
      co_await tick_.async_wait(nothrow);
    }
  }

  Awaitable<void> hear(Socket& stream) {
    beast::flat_buffer buffer;
    for (;;) {
      buffer.clear();
      const auto [failed, count] = co_await stream.async_read(buffer, nothrow);
      if (failed) {
        if (failed == websocket::error::closed) co_return end("it closed with " + std::to_string(stream.reason().code));
        co_return end(failed);
      }
      const auto bytes = buffer.cdata();
      if (auto ask = decode_ask({static_cast<const base::Byte*>(bytes.data()), bytes.size()})) {
        ask_ = *std::move(ask);
      } else if (!std::exchange(told_bad_ask_, true)) {
        log(3, "console " + options_.endpoint + " asks for what is not understood: " + ask.error().message);
      }
    }
  }

  Awaitable<void> watch(int fd) {
    std::uint64_t acked = 0;
    while (!over_) {
      look_.expires_after(options_.dead_after / 10);
      co_await look_.async_wait(nothrow);
      if (over_) co_return;
      const auto now = acknowledged(fd);
      const bool moves = writing_ && now != acked;
      acked = now;
      if (moves || (!writing_ && !pinged_)) heard_ = Clock::now();
      if (Clock::now() - heard_ >= options_.dead_after)
        co_return end("no sign of life for " + seconds_text(options_.dead_after));
    }
  }

  void end(const std::string& why) {
    if (cut_) cut_(why);
  }
  void end(error_code error) { end(error.message()); }

  Report gather(bool anew) {
    Report report;
    try {
      report = source_->collect(anew, ask_);
      if (anew) report.hello = source_->hello();
    } catch (const std::exception& thrown) {
      log(4, std::string("the sessions could not be collected: ") + thrown.what());
      if (anew) report.hello = Hello{};
    }
    return report;
  }

  const ReporterOptions options_;
  Target target_;
  Source* source_;
  asio::io_context context_{1};
  asio::ssl::context tls_;
  tcp::resolver resolver_;
  asio::steady_timer pause_, tick_, look_, joined_, limit_;
  base::Random random_;

  // The thread's own.
  bool stopping_ = false, late_ = false;
  bool told_away_ = false, told_refused_ = false, told_bad_ask_ = false;
  std::uint64_t told_lost_ = 0;
  std::optional<Clock::time_point> lost_since_;
  std::function<void(const std::string&)> cut_;  // closes the socket there is
  Unconfirmed unconfirmed_;
  std::uint64_t round_ = 0;
  // Of the conversation.
  bool over_ = false, writing_ = false;
  int running_ = 0;
  Ask ask_;
  std::optional<std::uint64_t> pinged_;  // whose pong is awaited
  Clock::time_point heard_;

  std::atomic<bool> resolving_{false};
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable ended_;
  bool done_ = false;
  Reporter::Account account_;
};

class Running final : public Reporter {
 public:
  Running(std::shared_ptr<Life> life) : life_(std::move(life)) {
    thread_ = std::thread([life = life_] {
      sigset_t every;
      sigfillset(&every);
      ::pthread_sigmask(SIG_BLOCK, &every, nullptr);
      ::pthread_setname_np(::pthread_self(), "live");
      life->run();
    });
  }
  ~Running() override { stop(base::Duration::zero()); }

  void stop(base::Duration timeout) override {
    const std::lock_guard turn(turn_);
    if (!thread_.joinable()) return;
    life_->stop(timeout);
    // Only a resolver cannot be interrupted. It will find that there is nothing left to do.
    if (life_->wait(timeout + slack))
      thread_.join();
    else
      thread_.detach();
  }
  [[nodiscard]] Account account() const override { return life_->account(); }

 private:
  std::shared_ptr<Life> life_;
  std::mutex turn_;
  std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<Reporter>> Reporter::start(ReporterOptions options, Source& source) {
  auto target = parse_target(options.endpoint);
  if (!target) return tl::unexpected(target.error());
  try {
    auto life = std::make_shared<Life>(std::move(options), *std::move(target), source);
    if (auto prepared = life->prepare(); !prepared) return tl::unexpected(prepared.error());
    return std::make_unique<Running>(std::move(life));
  } catch (const std::exception& failed) {
    return base::fail(std::string("cannot start the reporter: ") + failed.what());
  }
}

}  // namespace sockeye::live
