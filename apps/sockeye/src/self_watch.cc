#include "self_watch.h"

#include <utility>

#include "sockeye/model/span.h"
#include "sockeye/sdk/watch.h"
#include "sockeye/store/span_sink.h"

namespace sockeye::app {
namespace {

using model::Side;

observer::Options options() {
  observer::Options out;
  out.route = "console";
  out.vantage = "console";  // by which a store knows that it is no session of the fleet
  return out;
}

struct Shared {
  explicit Shared(store::Store& store)
      : sink(store::span_sink(store, "sockeye-console", SOCKEYE_VERSION)), watch(options(), sink.get()) {}
  std::unique_ptr<model::SpanSink> sink;
  sdk::Watch watch;
};

class PageWatcher final : public console::Watcher {
 public:
  PageWatcher(std::shared_ptr<Shared> shared, const console::WatchedRequest& request)
      : shared_(std::move(shared)),
        connection_(shared_->watch.connection({.client_address = request.client_address,
                                               .client_port = request.client_port,
                                               .server_address = {},
                                               .server_port = 0,
                                               .tls = request.tls})) {
    connection_->bytes(Side::client, base::as_bytes(request.head));
  }
  void sent(bool by_client, base::Bytes bytes) override {
    connection_->bytes(by_client ? Side::client : Side::server, bytes);
  }

 private:
  std::shared_ptr<Shared> shared_;  // outlives the connection
  std::unique_ptr<sdk::Connection> connection_;
};

}  // namespace

std::function<std::unique_ptr<console::Watcher>(const console::WatchedRequest&)> self_watch(store::Store& store) {
  return [shared = std::make_shared<Shared>(store)](const console::WatchedRequest& request) {
    return std::make_unique<PageWatcher>(shared, request);
  };
}

}  // namespace sockeye::app
