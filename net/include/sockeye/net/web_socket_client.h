// The client's end of a WebSocket (RFC 6455), with TLS or without. It has no thread: whoever calls does the I/O, and
// gets messages and pongs from within the call. Nothing is ever deflated.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sockeye/base/address.h"
#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/net/http.h"

namespace sockeye::net {

struct WebSocketClientOptions {
  base::Url url;                                              // http, https, ws or wss; with the path
  std::string subprotocol;                                    // asked for; "" = none
  std::string ca;                                             // PEM file, for TLS; "" = the system's
  base::Duration connect_timeout = std::chrono::seconds(10);  // each of: connect, TLS, upgrade
  // Without a pong to a ping of ours or, while something is being written, bytes that the peer's kernel acknowledges
  // (it is slow, not dead).
  base::Duration dead_after = std::chrono::seconds(20);
  std::size_t largest_message = 64 * 1024;  // bytes; of the peer's
  int send_buffer = 256 * 1024;             // bytes that hide in our kernel
};

// For one thread at a time, but wake() and give_up_after().
class WebSocketClient {
 public:
  using Clock = std::chrono::steady_clock;

  // Called from within the calls below.
  class Events {
   public:
    virtual ~Events() = default;
    virtual void message(std::string_view payload, bool binary) = 0;
    virtual void pong(std::string_view payload) = 0;  // to the ping that awaited it
  };
  enum class Outcome : std::uint8_t {
    open,
    unreachable,  // not found, refused, silent, or no HTTP; `message` says which
    insecure,     // TLS failed
    declined,     // answered with `status`
    stranger,     // does not speak the subprotocol
    given_up,
  };
  struct Connected {
    Outcome outcome = Outcome::open;
    std::string message = {};
    unsigned status = 0;
  };

  // Fails when the CA cannot be read. Connects at connect(). `events` is borrowed.
  [[nodiscard]] static base::Result<std::unique_ptr<WebSocketClient>> make(WebSocketClientOptions options,
                                                                           Events& events);
  virtual ~WebSocketClient() = default;  // cuts the connection

  // Ends the connection there is. `fields` are sent with the upgrade.
  virtual Connected connect(const Fields& fields) = 0;

  // Each waits until it is done. False: the connection is over, or never was.
  virtual bool send(std::string_view message, bool binary) = 0;         // until the kernel has it
  virtual bool ping(std::string_view payload) = 0;                      // one is awaited at a time
  virtual bool close(std::uint16_t code, std::string_view reason) = 0;  // until the peer's Close came
  // Until that moment, or a wake() since the last one; connected or not.
  virtual bool wait_until(Clock::time_point) = 0;
  [[nodiscard]] virtual bool awaits_pong() const = 0;
  // Why the connection is over.
  [[nodiscard]] virtual const std::string& why() const = 0;

  // From any thread.
  virtual void wake() = 0;
  // From then on every call returns at once, and fails.
  virtual void give_up_after(base::Duration) = 0;
};

}  // namespace sockeye::net
