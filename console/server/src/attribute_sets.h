// Which open sessions have a span with given attributes. Proxies do not report attributes: they are of spans, and those
// of a handshake, or of a segment or call that is over, are in the store while the session is open. So the store is
// asked again every two seconds, on a thread of its own, for as long as somebody wants to know.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sockeye/store/store.h"

namespace sockeye::console {

class AttributeSets {
 public:
  using Attributes = std::vector<std::pair<std::string, std::string>>;
  struct Found {
    std::set<base::SessionId> ids;
    bool complete = true;  // false: not all could be looked at in time
  };

  explicit AttributeSets(store::Store& store);
  ~AttributeSets() { stop(); }
  AttributeSets(const AttributeSets&) = delete;
  AttributeSets& operator=(const AttributeSets&) = delete;
  void stop();

  // As of the last look; null: not looked yet. Who wants to go on knowing asks at least every five seconds.
  [[nodiscard]] std::shared_ptr<const Found> find(const Attributes&);

 private:
  using Clock = std::chrono::steady_clock;
  struct Wanted {
    Clock::time_point asked, looked;
    std::shared_ptr<const Found> found;
  };
  void run();
  [[nodiscard]] Found look(const Attributes&);

  store::Store& store_;
  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  bool stopping_ = false;
  std::map<Attributes, Wanted> wanted_;
  std::thread thread_;
};

}  // namespace sockeye::console
