// The two WebSockets of the live side: proxies that report, and pages that look. And the clock that drives both: once a
// second pages get what changed, every two what is due goes to the store.
#pragma once

#include <functional>
#include <memory>

#include "fleet.h"
#include "http.h"
#include "sockeye/store/store.h"

namespace sockeye::console {

class LiveLink {
 public:
  static constexpr std::size_t most_pages = 64;
  using Log = std::function<void(int level, const std::string&)>;

  LiveLink(Fleet& fleet, store::Store& store, Log log);
  ~LiveLink();  // conversations must be gone
  LiveLink(const LiveLink&) = delete;
  LiveLink& operator=(const LiveLink&) = delete;

  [[nodiscard]] std::unique_ptr<Conversation> proxy();
  [[nodiscard]] std::unique_ptr<Conversation> page();  // null: too many pages look already
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sockeye::console
