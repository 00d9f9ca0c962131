// Puts the parts together. Two HTTP servers (page and API; OTLP) and a gRPC one share threads of I/O, a guard, a budget
// of body bytes and two pools of threads: requests are decoded on one, questions answered on the other, so that a slow
// question does not hold up ingestion.
#include "sockeye/console/console.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "api.h"
#include "clock.h"
#include "guard.h"
#include "live_link.h"
#include "otlp_grpc.h"
#include "otlp_http.h"
#include "pages.h"
#include "sockeye/net/http_server.h"

namespace sockeye::console {
namespace {

constexpr std::size_t largest_api_body = 8192;  // of a login
constexpr unsigned questions_at_once = 4;
constexpr std::size_t questions_waiting = 256, bodies_waiting = Ingest::most_waiting;
// A session of HTTP/2 holds some 25 KiB, an exporter needs one connection, and who waits makes room.
constexpr std::size_t most_grpc_connections = 1024;
constexpr auto make_room_after = std::chrono::seconds(30);
constexpr auto grpc_idle = std::chrono::minutes(10);  // exporters keep their connection, and may have little to say
constexpr std::string_view live_page_path = "/api/v1/live";
constexpr std::string_view page_subprotocol = "sockeye-page.v1";

// Is `word` one of the comma-separated `list`?
bool offers(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    std::string_view each = list.substr(0, list.find(','));
    list.remove_prefix(std::min(each.size() + 1, list.size()));
    while (!each.empty() && (each.front() == ' ' || each.front() == '\t')) each.remove_prefix(1);
    while (!each.empty() && (each.back() == ' ' || each.back() == '\t')) each.remove_suffix(1);
    if (each == word) return true;
  }
  return false;
}

// A site that is asked only of targets with a path, and words errors as the API does.
Site with_paths(Site site) {
  const auto pathless = [](const Request& request) -> std::optional<Response> {
    if (!request.path.empty()) return std::nullopt;
    Response refusal = error_response(400, "bad request target");
    refusal.close = true;
    return refusal;
  };
  site.admit = [pathless, admit = std::move(site.admit)](const Request& head, std::optional<std::uint64_t> length) {
    if (auto refusal = pathless(head)) return Admission{std::move(refusal)};
    return admit(head, length);
  };
  site.upgrade = [pathless, upgrade = std::move(site.upgrade)](const Request& request,
                                                               Response& refusal) -> std::optional<Accepted> {
    if (auto none = pathless(request))
      refusal = *std::move(none);
    else if (upgrade)
      return upgrade(request, refusal);
    return std::nullopt;
  };
  site.error = error_response;
  return site;
}

// What a client of the page sends and gets, for who watches the console itself.
class Watched final : public net::ByteObserver {
 public:
  explicit Watched(std::unique_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
  void moved(bool read, base::Bytes bytes) override { watcher_->sent(read, bytes); }

 private:
  std::unique_ptr<Watcher> watcher_;
};

// Answered from what is in memory.
bool request_is_quick(const Request& request) { return request.path == "/api/v1/status"; }

unsigned cores() { return std::max(1U, std::thread::hardware_concurrency()); }

class Running final : public Console {
 public:
  Running(Options options, store::Store& store)
      : options_(std::move(options)),
        guard_({options_.tokens, options_.hosts, options_.requests_per_second, options_.log}),
        budget_(options_.bodies_in_flight),
        decoding_(std::min(4U, cores()), bodies_waiting),
        questions_(questions_at_once, questions_waiting),
        quick_questions_(1, questions_waiting),
        ingest_(store, decoding_, options_.largest_unpacked),
        fleet_(options_.version, options_.live_bytes),
        live_(fleet_, store,
              [this](int level, const std::string& line) {
                if (options_.log) options_.log(level, line);
              }),
        api_{options_, store, fleet_, "", "", unix_now_ns(), [this](base::Json& json) { write_overload(json); }} {}
  ~Running() override { stop(std::chrono::milliseconds(0)); }

  base::Result<void> start();
  std::string address() const override { return address_; }
  std::string otlp_http_address() const override { return api_.otlp_http; }
  std::string otlp_grpc_address() const override { return api_.otlp_grpc; }
  void stop(std::chrono::milliseconds timeout) override;

 private:
  void write_overload(base::Json& json) const;
  Site page_site();
  Admission admit(const Request& head);
  void handle(Request&& request, const Respond& respond);
  std::optional<Accepted> upgrade(const Request& request, Response& refusal);

  const Options options_;
  Guard guard_;
  Budget budget_;
  // Quick ones, which do not look through the store, do not wait for others.
  Workers decoding_, questions_, quick_questions_;
  Ingest ingest_;
  Fleet fleet_;
  LiveLink live_;
  Api api_;
  std::unique_ptr<net::IoThreads> io_;
  std::unique_ptr<net::Server> page_, otlp_, grpc_;
  std::array<std::atomic<const net::Server*>, 3> ports_{};  // page, OTLP/HTTP, gRPC
  std::string address_;
  bool stopped_ = false;
};

base::Result<void> Running::start() {
  auto io = net::IoThreads::start(std::min(2U, cores()));
  if (!io) return tl::unexpected(io.error());
  io_ = *std::move(io);
  net::ServerOptions server;
  if (options_.tls)
    server.tls = net::ServerTls{options_.tls->certificate, options_.tls->key, "--tls-certificate", "--tls-key"};
  server.name = "sockeye";
  server.farewell = "console is stopping";
  server.connections = options_.connections;
  server.make_room_after = make_room_after;
  if (!options_.otlp_http.empty()) {
    server.what = "--otlp-http";
    server.listen = options_.otlp_http;
    auto otlp = net::Server::start(
        *io_, server, with_paths(otlp_http({options_.largest_body, options_.cors_origins}, guard_, budget_, ingest_)));
    if (!otlp) return tl::unexpected(otlp.error());
    otlp_ = *std::move(otlp);
    ports_[1] = otlp_.get();
    api_.otlp_http = otlp_->address();
  }
  if (!options_.otlp_grpc.empty()) {
    auto calls = server;
    calls.what = "--otlp-grpc";
    calls.listen = options_.otlp_grpc;
    calls.connections = std::min(options_.connections, most_grpc_connections);
    calls.idle_timeout = grpc_idle;
    auto grpc = net::Server::start(*io_, calls, otlp_grpc(options_.largest_body, guard_, budget_, ingest_));
    if (!grpc) return tl::unexpected(grpc.error());
    grpc_ = *std::move(grpc);
    ports_[2] = grpc_.get();
    api_.otlp_grpc = grpc_->address();
  }
  // Last: what it answers tells of the others.
  server.what = "--listen";
  server.listen = options_.listen;
  auto page = net::Server::start(*io_, server, with_paths(page_site()));
  if (!page) return tl::unexpected(page.error());
  page_ = *std::move(page);
  ports_[0] = page_.get();
  address_ = page_->address();
  return {};
}

// What was shed since this process began, and of whom.
void Running::write_overload(base::Json& json) const {
  json.open('{').key("live").open('{');
  const auto not_kept = fleet_.not_kept();
  const auto reports = live_.counts();
  json.key("held_bytes").number(std::uint64_t{fleet_.held_now()});
  json.key("sessions_not_kept").number(not_kept.sessions).key("ends_not_kept").number(not_kept.ends);
  json.key("routes_not_kept").number(not_kept.routes).key("reports_refused").number(reports.refused);
  json.key("reports_delayed").number(reports.throttled).close('}').key("ports").open('{');
  constexpr std::array<std::string_view, 3> names = {"page", "http", "grpc"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto* server = ports_[i].load();
    const auto counts = server == nullptr ? net::ServerCounts() : server->counts();
    json.key(names[i])
        .open('{')
        .key("turned_away")
        .number(counts.turned_away)
        .key("made_room")
        .number(counts.made_room);
    json.key("misbehaved").number(counts.misbehaved).key("slow").number(counts.slow).close('}');
  }
  json.close('}').close('}');
}

void Running::stop(std::chrono::milliseconds timeout) {
  if (std::exchange(stopped_, true)) return;
  if (grpc_) grpc_->stop(timeout);
  if (otlp_) otlp_->stop(timeout);
  live_.stop();
  if (page_) page_->stop(timeout);
  // Whatever still answers does so into the I/O threads: they go last, after all that lives on them.
  questions_.finish();
  quick_questions_.finish();
  decoding_.finish();
  ingest_.settle();
  grpc_.reset();
  otlp_.reset();
  page_.reset();
  io_.reset();
}

Site Running::page_site() {
  Site site;
  site.admit = [this](const Request& head, std::optional<std::uint64_t>) { return admit(head); };
  site.handle = [this](Request&& request, const Respond& respond) { handle(std::move(request), respond); };
  site.upgrade = [this](const Request& request, Response& refusal) { return upgrade(request, refusal); };
  return site;
}

Admission Running::admit(const Request& head) {
  Admission out;
  out.largest_body = largest_api_body;
  out.refusal = guard_.host(head);
  if (!out.refusal) out.refusal = guard_.rate(head.client_address);
  if (!out.refusal && head.path.starts_with("/api/")) {
    const bool door = head.path == "/api/v1/login" || head.path == "/api/v1/logout";
    if (door) {
      out.refusal = guard_.origin(head);
      if (!out.refusal && head.method != "POST") out.refusal = error_response(405, "log in and out with POST");
    } else {
      const bool asks = head.method == "GET" || head.method == "HEAD";
      out.refusal = guard_.token(head, asks ? scope::read : scope::act);
    }
  }
  if (out.refusal) harden(*out.refusal, head.tls);
  return out;
}

void Running::handle(Request&& request, const Respond& respond) {
  const auto send = [respond, tls = request.tls](Response response) {
    harden(response, tls);
    respond(std::move(response));
  };
  if (request.path == "/api/v1/login") return send(guard_.login(request));
  if (request.path == "/api/v1/logout") return send(Guard::logout(request));
  if (request.path == "/healthz") return send({200, "text/plain; charset=utf-8", "ok\n"});
  if (!request.path.starts_with("/api/")) return send(page_response(options_.page, request));
  const auto shared = std::make_shared<Request>(std::move(request));
  auto& workers = request_is_quick(*shared) ? quick_questions_ : questions_;
  if (!workers.run([this, shared, send] { send(answer(api_, *shared)); })) {
    Response busy = error_response(503, "too many questions at once; try again in a second");
    busy.fields.emplace_back("Retry-After", "1");
    send(std::move(busy));
  }
}

std::optional<Accepted> Running::upgrade(const Request& request, Response& refusal) {
  const auto refuse = [&](std::optional<Response> why) {
    if (!why) return false;
    refusal = *std::move(why);
    return true;
  };
  const unsigned wanted = request.path == live::path ? scope::report : scope::read;
  if (refuse(guard_.host(request)) || refuse(guard_.rate(request.client_address)) || refuse(guard_.origin(request)) ||
      refuse(guard_.token(request, wanted)))
    return std::nullopt;
  const std::string_view offered = request.field("sec-websocket-protocol");
  Accepted out;
  if (request.path == live::path) {
    if (!offers(offered, live::subprotocol)) {
      refusal = error_response(400, "proxies report with the subprotocol " + std::string(live::subprotocol));
      return std::nullopt;
    }
    out.subprotocol = live::subprotocol;
    out.largest_message = live::largest_message;
    out.deflate = false;
    out.conversation = live_.proxy();
    if (!out.conversation) {
      refusal = error_response(503, "too many proxies report at once");
      return std::nullopt;
    }
  } else if (request.path == live_page_path) {
    if (!offers(offered, page_subprotocol)) {
      refusal = error_response(400, "pages look with the subprotocol " + std::string(page_subprotocol));
      return std::nullopt;
    }
    out.subprotocol = page_subprotocol;
    if (options_.watch)
      out.observe = [this, address = request.client_address, port = request.client_port,
                     tls = request.tls](std::string_view head) -> std::unique_ptr<net::ByteObserver> {
        auto watcher = options_.watch({head, address, port, tls});
        if (!watcher) return nullptr;
        return std::make_unique<Watched>(std::move(watcher));
      };
    out.conversation = live_.page();
    if (!out.conversation) {
      refusal = error_response(503, "too many pages look at once");
      return std::nullopt;
    }
  } else {
    refusal = error_response(404, "no WebSocket here");
    return std::nullopt;
  }
  return out;
}

}  // namespace

base::Result<std::unique_ptr<Console>> Console::start(Options options, store::Store& store) {
  auto out = std::make_unique<Running>(std::move(options), store);
  if (auto started = out->start(); !started) return tl::unexpected(started.error());
  return out;
}

}  // namespace sockeye::console
