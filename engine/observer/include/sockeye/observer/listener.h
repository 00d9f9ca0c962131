// What an Observation tells besides spans and counts: for vantages that act on it (a log line, a capture, an
// application's own hooks). Calls come from inside the Observation's methods; what they are given dies with the call.
#pragma once

#include <cstdint>

#include "sockeye/base/time.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/condition.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/invocation.h"
#include "sockeye/model/session.h"

namespace sockeye::observer {

// A complete data message, or a control frame.
struct MessageSeen {
  model::Side from{};
  model::Opcode opcode{};
  std::uint64_t length = 0;  // payload bytes on the wire
  bool compressed = false;
  base::Time at;
};

class Listener {
 public:
  // `messages`: message() and control() are wanted too.
  explicit Listener(bool messages = true) : messages_(messages) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual ~Listener() = default;
  [[nodiscard]] bool wants_messages() const { return messages_; }
  virtual void message(const MessageSeen&) {}
  virtual void control(const MessageSeen&) {}
  virtual void anomaly(model::Anomaly, base::Time) {}
  virtual void invocation(const model::Invocation&) {}  // it ended
  virtual void raised(const model::Condition&) {}
  virtual void cleared(const model::Condition&) {}  // as it was raised
  virtual void ended(const model::CloseInfo&, base::Time) {}

 private:
  bool messages_;
};

}  // namespace sockeye::observer
