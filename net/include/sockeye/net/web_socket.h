// A WebSocket as those see it who talk over one that a server accepted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sockeye/base/bytes.h"

namespace sockeye::net {

// The sending half. Safe from any thread; after the end nothing happens any more.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual void send(std::string message, bool binary) = 0;
  virtual void close(std::uint16_t code, std::string reason) = 0;
  // From within opened() or message(): no more is read, and so no ping answered, until as many calls of release().
  virtual void hold() = 0;
  virtual void release() = 0;
  [[nodiscard]] virtual std::size_t queued() const = 0;  // bytes not yet given to the kernel
};

// The receiving half: calls come in order, from one thread at a time.
class Conversation {
 public:
  virtual ~Conversation() = default;  // the connection is gone
  virtual void opened(std::shared_ptr<Channel>) = 0;
  virtual void message(std::string_view payload, bool binary) = 0;
  virtual void closed(std::uint16_t /*code*/) {}  // the peer sent a Close; before the connection is gone
};

// Sees a connection's bytes, inside TLS. Called in order, from one thread at a time; destroyed when it is gone.
class ByteObserver {
 public:
  virtual ~ByteObserver() = default;
  virtual void moved(bool read, base::Bytes bytes) = 0;
};

}  // namespace sockeye::net
