// What `sockeye proxy` reports of its sessions to a console: live::Source over a model::SessionSource, in the words of
// the live stream (docs/formats/live.md).
#pragma once

#include <memory>

#include "sockeye/base/result.h"
#include "sockeye/config/settings.h"
#include "sockeye/live/reporter.h"
#include "sockeye/model/session_source.h"
#include "sockeye/model/span.h"

namespace sockeye::app {

// Sessions that ended while the console was away, kept for it.
inline constexpr std::size_t ended_kept = 10'000;

class LiveSource final : public live::Source {
 public:
  // `sessions` is borrowed. `hello` says who we are; open_sessions is filled in.
  LiveSource(model::SessionSource& sessions, live::Hello hello);
  [[nodiscard]] live::Hello hello() override;
  [[nodiscard]] live::Report collect(bool resync, const live::Ask& ask) override;

 private:
  model::SessionSource& sessions_;
  live::Hello hello_;
};

}  // namespace sockeye::app
