// What reading messages needs, shared by the sessions of a thread.
#pragma once

#include <memory>
#include <string>

#include "sockeye/dialect/session.h"
#include "sockeye/observer/call.h"

namespace sockeye::observer {

struct Bench {
  dialect::Workspace workspace;
  // Of the message just read: the context of what it opened, and that message with it.
  std::string traceparent, tracestate, rewritten;
};

inline Bench& bench_of(Workspace& workspace) {
  if (!workspace.bench) workspace.bench = std::make_shared<Bench>();
  return *workspace.bench;
}

}  // namespace sockeye::observer
