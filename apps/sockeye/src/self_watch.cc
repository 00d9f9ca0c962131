#include "self_watch.h"

#include <sys/random.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "sockeye/model/metrics.h"
#include "sockeye/model/span.h"
#include "sockeye/observer/connection.h"
#include "sockeye/wire/http.h"

namespace sockeye::app {
namespace {

using model::Side;

constexpr std::size_t longest_head = 16 * 1024;

base::Time now() {
  return base::Time(std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

base::WallOffset wall() {
  const auto unix_ns = std::chrono::duration_cast<base::Duration>(std::chrono::system_clock::now().time_since_epoch());
  return {unix_ns.count() - now().time_since_epoch().count()};
}

// Spans as the store keeps them, one batch each: a page's connection makes one every five minutes.
class Sink final : public model::SpanSink {
 public:
  explicit Sink(store::Store& store) : store_(store) {}

  void offer(model::Span&& span) override {
    store::Batch batch;
    store::Origin& origin = batch.origins.emplace_back();
    origin.service = "sockeye-console";
    origin.resource = attributes(batch, {{"service.name", std::string("sockeye-console")}});
    origin.scope_name = "sockeye";
    origin.scope_version = SOCKEYE_VERSION;
    store::Span out;
    out.trace_id = span.trace_id;
    out.span_id = span.span_id;
    out.parent_id = span.parent_id;
    out.flags = span.flags;
    out.kind = static_cast<std::uint8_t>(span.kind);
    out.status = static_cast<std::uint8_t>(span.status);
    out.start_unix_ns = span.start_unix_ns;
    out.end_unix_ns = span.end_unix_ns;
    out.name = batch.keep(span.name);
    out.trace_state = batch.keep(span.trace_state);
    out.status_message = batch.keep(span.status_message);
    out.attributes = attributes(batch, span.attributes);
    std::vector<store::Event> events;
    for (const auto& event : span.events)
      events.push_back({event.time_unix_ns, batch.keep(event.name), attributes(batch, event.attributes)});
    out.events = {0, static_cast<std::uint32_t>(events.size())};
    batch.events = std::move(events);
    batch.spans.push_back(out);
    store_.write(std::move(batch), [](const store::Written&) {});  // what a full store refuses is counted there
  }

 private:
  static store::Range attributes(store::Batch& batch, const model::Attributes& from) {
    const store::Range out{static_cast<std::uint32_t>(batch.attributes.size()),
                           static_cast<std::uint32_t>(from.size())};
    for (const auto& [key, value] : from) {
      store::Attribute& each = batch.attributes.emplace_back();
      each.key = batch.keep(key);
      if (const auto* text = std::get_if<std::string>(&value)) {
        each.value.type = store::Value::Type::text;
        each.value.text = batch.keep(*text);
      } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        each.value.type = store::Value::Type::integer;
        each.value.integer = *integer;
      } else if (const auto* real = std::get_if<double>(&value)) {
        each.value.type = store::Value::Type::real;
        each.value.real = *real;
      } else {
        each.value.type = store::Value::Type::boolean;
        each.value.boolean = std::get<bool>(value);
      }
    }
    return out;
  }

  store::Store& store_;
};

// What the watchers share. Pages are few and say little: one lock is enough.
struct Shared {
  explicit Shared(store::Store& store) : sink(store) {
    std::uint64_t seed = 0;
    static_cast<void>(!::getrandom(&seed, sizeof seed, 0));
    environment.random = base::Random(seed);
    environment.spans = &sink;
    options.route = "console";
    options.vantage = "console";  // by which a store knows that it is no session of the fleet
    options.heartbeat.client = options.heartbeat.upstream = false;  // Beast pings by itself
    options.conformance = observer::Conformance::forward;
  }
  std::mutex mutex;
  Sink sink;
  observer::Environment environment;
  observer::RouteOptions options;
  model::RouteMetrics metrics;
};

class PageWatcher final : public console::Watcher, private observer::Outlet {
 public:
  PageWatcher(std::shared_ptr<Shared> shared, const console::WatchedRequest& request)
      : shared_(std::move(shared)), head_(request.head) {
    const std::lock_guard lock(shared_->mutex);
    shared_->environment.wall = wall();
    if (request_.parse(base::as_bytes(head_)) != wire::HeadParser::Progress::done) return;
    observer::Endpoints endpoints;
    endpoints.client_address = request.client_address;
    endpoints.client_port = request.client_port;
    endpoints.tls = request.tls;
    handshake_.emplace(shared_->options, shared_->metrics, shared_->environment, std::move(endpoints), now());
    handshake_->request(request_.head(), now());
  }
  ~PageWatcher() override {
    const std::lock_guard lock(shared_->mutex);
    if (!connection_) return;
    connection_->eof(Side::client, now());
    connection_->eof(Side::server, now());
    connection_->finish(now());
  }
  PageWatcher(const PageWatcher&) = delete;
  PageWatcher& operator=(const PageWatcher&) = delete;

  void sent(bool by_client, base::Bytes bytes) override {
    const std::lock_guard lock(shared_->mutex);
    shared_->environment.wall = wall();
    if (!connection_) {
      if (by_client || !handshake_) return;
      bytes = answered(bytes);
      if (!connection_) return;
    }
    if (!bytes.empty()) connection_->feed(by_client ? Side::client : Side::server, bytes, now());
    if (connection_->next_deadline() <= now()) connection_->tick(now());
  }

 private:
  // Collects the head of the answer; returns what came behind it.
  base::Bytes answered(base::Bytes bytes) {
    const std::size_t before = answer_.size();
    answer_.append(base::as_text(bytes));
    wire::HeadParser response(wire::HeadParser::Kind::response);
    const auto progress = response.parse(base::as_bytes(answer_));
    if (progress == wire::HeadParser::Progress::done &&
        !wire::check_upgrade_response(request_.head(), response.head())) {
      connection_ = handshake_->accepted(request_.head(), response.head(), *this, now());
      return bytes.subspan(response.size() - before);
    }
    if (progress != wire::HeadParser::Progress::need_more || answer_.size() > longest_head) handshake_.reset();
    return {};
  }

  void forward(Side, base::Bytes) override {}
  void inject(Side, base::Bytes) override {}
  void finish(Side, observer::Finish) override {}
  bool advancing(Side) override { return false; }

  std::shared_ptr<Shared> shared_;
  std::string head_, answer_;
  wire::HeadParser request_{wire::HeadParser::Kind::request};
  std::optional<observer::Handshake> handshake_;
  std::unique_ptr<observer::Connection> connection_;
};

}  // namespace

std::function<std::unique_ptr<console::Watcher>(const console::WatchedRequest&)> self_watch(store::Store& store) {
  return [shared = std::make_shared<Shared>(store)](const console::WatchedRequest& request) {
    return std::make_unique<PageWatcher>(shared, request);
  };
}

}  // namespace sockeye::app
