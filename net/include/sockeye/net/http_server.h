// One listening port: HTTP/1.1 and WebSocket, or gRPC over HTTP/2, with TLS or without. A peer can cost at most one
// connection of a bounded number, one head of bounded size, a body of what was leased for it, and the time of one
// deadline: head, idle, body and write each have theirs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/net/grpc.h"
#include "sockeye/net/http.h"

namespace sockeye::net {

// The threads that do the servers' I/O. Outlives them.
class IoThreads {
 public:
  // Fails where the system has no thread left.
  [[nodiscard]] static base::Result<std::unique_ptr<IoThreads>> start(unsigned threads);
  virtual ~IoThreads() = default;  // joins
};

struct ServerTls {
  std::string certificate, key;                                        // PEM files
  std::string certificate_option = "certificate", key_option = "key";  // how errors call them
};

struct ServerOptions {
  std::string what;    // the option that `listen` comes from, in errors
  std::string listen;  // HOST:PORT, [V6]:PORT or :PORT (all interfaces); the host an address or localhost; port 0 = any
  std::optional<ServerTls> tls;
  std::string name;                           // said in Server; "" = not at all
  std::string farewell = "the server stops";  // to WebSockets, with code 1001
  std::size_t connections = 4096;
  // Over `connections` a new one is closed at once; or, with this, takes the place of another: of one that waits for a
  // request, or that has been answered for longer than this (a WebSocket counts as being answered). First go those
  // that wait and of which no request was ever taken, then others that wait, then those being answered, and WebSockets
  // last; of these, the one that has been so for longest.
  std::optional<base::Duration> make_room_after;
  std::size_t head_bytes = 32 * 1024;  // a longer request head is answered 431
  // Connect → first byte, and first byte → whole head; of gRPC, connect → a call that is taken.
  base::Duration head_timeout = std::chrono::seconds(10);
  base::Duration idle_timeout = std::chrono::seconds(75);   // between requests of one connection
  base::Duration body_timeout = std::chrono::seconds(60);   // a whole body, 64 KiB of it at a time in ten
  base::Duration write_timeout = std::chrono::seconds(60);  // a whole answer
};

// Of one port, since it was opened.
struct ServerCounts {
  std::uint64_t turned_away = 0;  // connections for which there was no place
  std::uint64_t made_room = 0;    // connections that were closed for another to take their place
  std::uint64_t misbehaved = 0;   // connections that were cut off for what they sent: floods, resets (gRPC)
  std::uint64_t slow = 0;         // bodies that came too slowly (gRPC)
};

class Server {
 public:
  // Listening when it returns. Fails when the address is not one, is taken, or not ours.
  [[nodiscard]] static base::Result<std::unique_ptr<Server>> start(IoThreads&, ServerOptions, Site);
  [[nodiscard]] static base::Result<std::unique_ptr<Server>> start(IoThreads&, ServerOptions, GrpcSite);
  virtual ~Server() = default;                            // stop(0s) unless stopped before
  [[nodiscard]] virtual std::string address() const = 0;  // with the real port
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  [[nodiscard]] virtual ServerCounts counts() const = 0;
  // No new connections or requests; returns when every connection has ended, or soon after `timeout`, when all are
  // cut. Idempotent; not from an I/O thread.
  virtual void stop(base::Duration timeout) = 0;
};

}  // namespace sockeye::net
