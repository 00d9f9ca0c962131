// A console of the real protocol on a real port: keeps every report, and fails as a test asks it to.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdlib>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sockeye/live/messages.h"
#include "sockeye/net/http_server.h"

namespace sockeye::live::test {

template <class Condition>
bool eventually(Condition condition, std::chrono::seconds within = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

class Console {
 public:
  struct Options {
    std::uint16_t port = 0;
    std::string token;    // "" = anybody
    bool speaks = true;   // selects the subprotocol
    bool silent = false;  // takes the upgrade, then reads nothing until read_on()
    std::optional<net::ServerTls> tls;
  };
  // What came over one connection.
  struct Heard {
    std::string target, agent;
    std::vector<Report> reports;
    std::uint64_t bytes = 0;
    std::optional<std::uint16_t> closed;  // the code of its Close
    bool ended = false;
  };

  explicit Console(Options options) : options_(std::move(options)), holding_(options_.silent) {
    net::ServerOptions server;
    server.what = "console";
    server.listen = "127.0.0.1:" + std::to_string(options_.port);
    server.tls = options_.tls;
    net::Site site;
    site.admit = [](const net::Request&, std::optional<std::uint64_t>) {
      net::Admission none;
      none.refusal = net::Response{404};
      return none;
    };
    site.handle = [](net::Request&&, const net::Respond& respond) { respond({404}); };
    site.upgrade = [this](const net::Request& request, net::Response& refusal) { return upgrade(request, refusal); };
    auto thread = net::IoThreads::start(1);
    if (!thread) std::abort();
    thread_ = *std::move(thread);
    auto started = net::Server::start(*thread_, std::move(server), std::move(site));
    if (!started) std::abort();
    server_ = *std::move(started);
  }
  Console() : Console(Options{}) {}
  // As a process that is killed: every connection is cut.
  ~Console() {
    server_.reset();
    thread_.reset();
  }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] std::string url(const std::string& scheme = "http") const {
    return scheme + "://127.0.0.1:" + std::to_string(port());
  }
  [[nodiscard]] std::vector<Heard> conversations() const {
    const std::lock_guard lock(mutex_);
    return {conversations_.begin(), conversations_.end()};
  }
  // Everything reported over every connection, as one.
  [[nodiscard]] Report received() const {
    Report out;
    const auto join = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    for (const auto& each : conversations()) {
      for (const auto& report : each.reports) {
        if (report.hello) out.hello = report.hello;
        join(out.opened, report.opened);
        join(out.changed, report.changed);
        join(out.ended, report.ended);
        join(out.details, report.details);
        out.summaries = report.summaries;
        out.all_reported = out.all_reported || report.all_reported;
      }
    }
    return out;
  }
  // To whoever is connected.
  void send(const std::string& bytes) {
    const std::lock_guard lock(mutex_);
    for (const auto& channel : channels_) channel->send(bytes, true);
  }
  void read_on() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(holding_, false)) return;
    for (const auto& channel : channels_) channel->release();
  }

 private:
  class Talk final : public net::Conversation {
   public:
    Talk(Console& console, Heard& here) : console_(console), here_(here) {}
    ~Talk() override {
      const std::lock_guard lock(console_.mutex_);
      here_.ended = true;
    }
    void opened(std::shared_ptr<net::Channel> channel) override {
      const std::lock_guard lock(console_.mutex_);
      if (console_.holding_) channel->hold();
      console_.channels_.push_back(std::move(channel));
    }
    void message(std::string_view payload, bool) override {
      auto report = decode_report(base::as_bytes(payload));
      const std::lock_guard lock(console_.mutex_);
      here_.bytes += payload.size();
      if (report) here_.reports.push_back(*std::move(report));
    }
    void closed(std::uint16_t code) override {
      const std::lock_guard lock(console_.mutex_);
      here_.closed = code;
    }

   private:
    Console& console_;
    Heard& here_;
  };

  std::optional<net::Accepted> upgrade(const net::Request& request, net::Response& refusal) {
    if (!options_.token.empty() && request.field("authorization") != "Bearer " + options_.token) {
      refusal = net::Response{401};
      return std::nullopt;
    }
    net::Accepted out;
    if (options_.speaks) out.subprotocol = request.field("sec-websocket-protocol");
    out.largest_message = largest_message;
    const std::lock_guard lock(mutex_);
    auto& here = conversations_.emplace_back();
    here.target = request.target;
    here.agent = request.field("user-agent");
    out.conversation = std::make_unique<Talk>(*this, here);
    return out;
  }

  const Options options_;
  mutable std::mutex mutex_;  // of what follows
  bool holding_;
  std::list<Heard> conversations_;
  std::vector<std::shared_ptr<net::Channel>> channels_;
  std::unique_ptr<net::IoThreads> thread_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace sockeye::live::test
