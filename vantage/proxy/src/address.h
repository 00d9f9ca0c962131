// Addresses as the kernel takes them, and the sockets made from them. Texts are parsed by parse_address() and
// parse_upstream() in sockeye/proxy/config.h.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fd.h"
#include "sockeye/base/result.h"
#include "sockeye/proxy/config.h"

namespace sockeye::proxy {

// One socket address: IPv4, IPv6 or Unix. A value; compares by what it names.
class SocketAddress {
 public:
  SocketAddress() = default;  // AF_UNSPEC
  SocketAddress(const sockaddr* address, socklen_t size);
  static SocketAddress unix_socket(std::string_view path);  // `path` below 108 bytes: parse_address() checked it

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const { return size_; }
  [[nodiscard]] int family() const { return storage_.ss_family; }
  [[nodiscard]] bool is_unix() const { return family() == AF_UNIX; }
  // The IP literal without brackets or port; an IPv4 peer of a dual-stack socket reads as IPv4. "" for Unix sockets.
  [[nodiscard]] std::string host() const;
  [[nodiscard]] std::uint16_t port() const;  // 0 for Unix sockets
  // "127.0.0.1:8080", "[::1]:8080", "unix:/path", "unix:" for an unnamed peer.
  [[nodiscard]] std::string text() const;
  friend bool operator==(const SocketAddress&, const SocketAddress&);

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// The address when `host` is an IP literal or a Unix path: no look-up is needed. None for names.
[[nodiscard]] std::optional<SocketAddress> literal_address(const Address&);

// `count` listening, non-blocking, close-on-exec sockets on one address, one a worker. TCP: each its own queue
// (SO_REUSEPORT), so the kernel spreads connections; a port another process listens on fails although it too may allow
// sharing. Port 0: the first socket's port is taken by all. Unix: one queue, the descriptor duplicated; a socket file
// nobody accepts on is replaced, any other file is an error. "" = all interfaces, IPv6 and IPv4 (IPv4 alone where IPv6
// is off). A name is looked up now, blocking; its first IPv4 address is preferred. Errors: "cannot listen on
// 127.0.0.1:8080: address already in use".
[[nodiscard]] base::Result<std::vector<Fd>> listen_on(const Address&, unsigned count);
// As configured, with the port the kernel chose in place of 0.
[[nodiscard]] Address bound_address(int listening_fd, const Address& configured);
// Removes the file of a Unix listener when it still is the socket `listening_fd` is bound to. Call when the listener
// goes away.
void remove_socket_file(int listening_fd, const Address&);

// A non-blocking connection that is begun: wait until it is writable, then ask connect_error(). Errors that show at
// once (no route, no such socket file) come as the Result. Errors name the reason only: the caller knows the upstream.
[[nodiscard]] base::Result<Fd> begin_connect(const SocketAddress&);
// After writability: "" when connected, else the reason ("connection refused").
[[nodiscard]] std::string connect_error(int fd);
// Accepted sockets: TCP_NODELAY (heartbeats and small messages must not wait for Nagle). Ignores Unix sockets.
void prepare_stream(int fd);

// strerror() in lower case without a number: "address already in use". Thread-safe.
[[nodiscard]] std::string errno_text(int error);

// A block of addresses, "10.0.0.0/8", "::1", "fd00::/8", or "unix" for every Unix-socket peer.
class AddressBlock {
 public:
  static base::Result<AddressBlock> parse(std::string_view text);
  [[nodiscard]] bool contains(const SocketAddress&) const;
  [[nodiscard]] bool contains(std::string_view ip_literal) const;

 private:
  int family_ = 0;
  unsigned bits_ = 0;
  std::uint8_t bytes_[16] = {};
};

}  // namespace sockeye::proxy
