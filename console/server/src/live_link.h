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

  [[nodiscard]] std::unique_ptr<Conversation> proxy();  // null: too many report already
  [[nodiscard]] std::unique_ptr<Conversation> page();   // null: too many pages look already
  // Since the beginning: reports refused, each the end of a connection; and how often a reporter had to wait for the
  // next second because it sent too much in one.
  struct Counts {
    std::uint64_t refused = 0, throttled = 0;
  };
  [[nodiscard]] Counts counts() const;
  void stop();

 private:
  struct State;
  struct Connected;
  std::shared_ptr<State> state_;
};

}  // namespace sockeye::console
