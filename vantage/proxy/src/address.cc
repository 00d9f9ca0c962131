// Texts to addresses, addresses to sockets. Listening on a port that somebody else listens on must fail loudly,
// although SO_REUSEPORT exists to allow it: two proxies of one user would silently share the traffic. So the first
// socket binds without the option, which the kernel checks against every listener, and gains it before the others join.
#include "address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "sockeye/base/address.h"
#include "sockeye/model/http_head.h"

namespace sockeye::proxy {
namespace {

constexpr std::size_t max_unix_path = sizeof(sockaddr_un::sun_path) - 1;
constexpr int backlog = 4096;  // the kernel cuts it at net.core.somaxconn

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::optional<SocketAddress> ip_address(const std::string& host, std::uint16_t port) {
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return SocketAddress(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    return SocketAddress(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
  }
  return std::nullopt;
}

base::Result<Address> parse_unix(std::string_view text, std::string_view path) {
  if (path.empty()) return base::fail(quoted(text) + ": no path after unix:");
  if (path.size() > max_unix_path)
    return base::fail(quoted(text) + ": a Unix socket's path is at most " + std::to_string(max_unix_path) + " bytes");
  if (path.find('\0') != path.npos) return base::fail(quoted(text) + ": NUL in the path");
  Address out;
  out.unix_path = path;
  return out;
}

// `default_port`: none = required.
base::Result<Address> parse_authority(std::string_view text, std::string_view authority,
                                      std::optional<std::uint16_t> default_port) {
  auto parsed = base::parse_host_port(authority, default_port, "host:port, [v6]:port, :port or unix:/path");
  if (!parsed) return base::fail(quoted(text) + ": " + parsed.error().message);
  Address out;
  out.host = std::move(parsed->host);
  out.port = parsed->port;
  return out;
}

SocketAddress any_address(int family, std::uint16_t port) {
  if (family == AF_INET6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_any;
    return {reinterpret_cast<const sockaddr*>(&v6), sizeof v6};
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  return {reinterpret_cast<const sockaddr*>(&v4), sizeof v4};
}

base::Result<SocketAddress> listening_address(const Address& address) {
  if (address.host.empty()) {
    // A machine booted with ipv6.disable=1 has no AF_INET6 at all; one with disable_ipv6=1 refuses only the bind.
    const Fd probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto v6 = any_address(AF_INET6, 0);
    const bool works = probe && ::bind(probe.get(), v6.get(), v6.size()) == 0;
    return any_address(works ? AF_INET6 : AF_INET, address.port);
  }
  if (auto literal = literal_address(address)) return *literal;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) return base::fail(::gai_strerror(error));
  const addrinfo* chosen = found;
  for (const auto* it = found; it != nullptr; it = it->ai_next)
    if (it->ai_family == AF_INET) {
      chosen = it;
      break;
    }
  SocketAddress out(chosen->ai_addr, chosen->ai_addrlen);
  ::freeaddrinfo(found);
  return out;
}

void set_option(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

bool somebody_accepts(const SocketAddress& address) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // EAGAIN: its backlog is full, so it is alive.
  return probe &&
         (::connect(probe.get(), address.get(), address.size()) == 0 || errno == EAGAIN || errno == EINPROGRESS);
}

base::Result<std::vector<Fd>> listen_unix(const Address& address, unsigned count, const std::string& what) {
  const auto socket_address = SocketAddress::unix_socket(address.unix_path);
  struct stat info {};
  if (::lstat(address.unix_path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) return base::fail(what + "the file exists and is no socket");
    if (somebody_accepts(socket_address)) return base::fail(what + errno_text(EADDRINUSE));
    if (::unlink(address.unix_path.c_str()) != 0 && errno != ENOENT)
      return base::fail(what + "cannot remove the stale socket file: " + errno_text(errno));
  }
  std::vector<Fd> out;
  Fd first(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!first || ::bind(first.get(), socket_address.get(), socket_address.size()) != 0 ||
      ::listen(first.get(), backlog) != 0)
    return base::fail(what + errno_text(errno));
  out.push_back(std::move(first));
  while (out.size() < count) {
    Fd copy(::fcntl(out.front().get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) return base::fail(what + errno_text(errno));
    out.push_back(std::move(copy));
  }
  return out;
}

}  // namespace

std::string errno_text(int error) {
  char buffer[256] = "";
  std::string text = ::strerror_r(error, buffer, sizeof buffer);  // GNU: returns the text
  // "Address already in use" → "address…"; acronyms ("RPC version wrong") stay.
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

// ---- texts

std::string Address::text() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  return base::HostPort{host, port}.text();
}

base::Result<Address> parse_address(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text, text.substr(5));
  return parse_authority(text, text, std::nullopt);
}

base::Result<Upstream> parse_upstream(std::string_view url) {
  Upstream out;
  const auto colon = url.find("://");
  if (colon == url.npos) {
    auto address = parse_address(url);
    if (!address) return tl::unexpected(address.error());
    if (address->unix_path.empty() && address->host.empty()) return base::fail(quoted(url) + ": no host to connect to");
    out.address = std::move(*address);
    return out;
  }
  const auto scheme = url.substr(0, colon);
  if (model::iequals(scheme, "wss") || model::iequals(scheme, "https")) {
    out.tls = true;
  } else if (!model::iequals(scheme, "ws") && !model::iequals(scheme, "http")) {
    return base::fail(quoted(url) + ": unknown scheme; use ws://, wss://, http:// or https://");
  }
  const auto rest = url.substr(colon + 3);
  const auto slash = rest.find_first_of("/?#");
  const auto authority = rest.substr(0, slash);
  if (authority.find('@') != authority.npos)
    return base::fail("the upstream's URL holds a user name: credentials belong in header fields");
  auto address = parse_authority(url, authority, static_cast<std::uint16_t>(out.tls ? 443 : 80));
  if (!address) return tl::unexpected(address.error());
  if (address->host.empty()) return base::fail(quoted(url) + ": no host to connect to");
  if (address->port == 0) return base::fail(quoted(url) + ": port 0 cannot be connected to");
  out.address = std::move(*address);
  if (slash != rest.npos) {
    auto path = rest.substr(slash);
    if (path.find_first_of("?#") != path.npos)
      return base::fail(quoted(url) + ": an upstream has a path, no query and no fragment");
    for (const char c : path)
      if (c <= ' ' || c == '\x7f' || static_cast<unsigned char>(c) >= 0x80)
        return base::fail(quoted(url) + ": the path holds a character that must be percent-encoded");
    while (path.ends_with('/')) path.remove_suffix(1);
    out.path = path;
  }
  return out;
}

// ---- SocketAddress

SocketAddress::SocketAddress(const sockaddr* address, socklen_t size)
    : size_(std::min<socklen_t>(size, sizeof(sockaddr_storage))) {
  std::memcpy(&storage_, address, size_);
}

SocketAddress SocketAddress::unix_socket(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto length = std::min(path.size(), max_unix_path);
  std::memcpy(address.sun_path, path.data(), length);
  return {reinterpret_cast<const sockaddr*>(&address),
          static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + 1)};
}

std::string SocketAddress::host() const {
  char buffer[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage_);
    ::inet_ntop(AF_INET, &v4->sin_addr, buffer, sizeof buffer);
  } else if (family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage_);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      ::inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], buffer, sizeof buffer);
    } else {
      ::inet_ntop(AF_INET6, &v6->sin6_addr, buffer, sizeof buffer);
    }
  }
  return buffer;
}

std::uint16_t SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  return 0;
}

std::string SocketAddress::text() const {
  if (is_unix()) {
    const auto* un = reinterpret_cast<const sockaddr_un*>(&storage_);
    const auto room = size_ > offsetof(sockaddr_un, sun_path) ? size_ - offsetof(sockaddr_un, sun_path) : 0;
    return "unix:" + std::string(un->sun_path, ::strnlen(un->sun_path, room));
  }
  if (family() == AF_UNSPEC) return "";
  Address address;
  address.host = host();
  address.port = port();
  return address.text();
}

bool operator==(const SocketAddress& a, const SocketAddress& b) {
  return a.family() == b.family() && a.text() == b.text();
}

std::optional<SocketAddress> literal_address(const Address& address) {
  if (!address.unix_path.empty()) return SocketAddress::unix_socket(address.unix_path);
  return ip_address(address.host, address.port);
}

// ---- sockets

base::Result<std::vector<Fd>> listen_on(const Address& address, unsigned count) {
  const std::string what = "cannot listen on " + address.text() + ": ";
  count = std::max(count, 1U);
  if (!address.unix_path.empty()) return listen_unix(address, count, what);
  auto bound = listening_address(address);
  if (!bound) return base::fail(what + bound.error().message);

  std::vector<Fd> out;
  while (out.size() < count) {
    Fd fd(::socket(bound->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return base::fail(what + errno_text(errno));
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);  // connections of a former run in TIME_WAIT are no obstacle
    if (bound->family() == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, address.host.empty() ? 0 : 1);
    const bool first = out.empty();
    if (!first) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
    if (::bind(fd.get(), bound->get(), bound->size()) != 0) return base::fail(what + errno_text(errno));
    if (first) {
      set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
      sockaddr_storage storage{};
      socklen_t size = sizeof storage;
      if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0)
        return base::fail(what + errno_text(errno));
      *bound = SocketAddress(reinterpret_cast<const sockaddr*>(&storage), size);
    }
    out.push_back(std::move(fd));
  }
  // Only once all are bound: with a queue open, a failure above would have swallowed connections.
  for (const auto& fd : out)
    if (::listen(fd.get(), backlog) != 0) return base::fail(what + errno_text(errno));
  return out;
}

Address bound_address(int listening_fd, const Address& configured) {
  Address out = configured;
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (configured.unix_path.empty() && ::getsockname(listening_fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0)
    out.port = SocketAddress(reinterpret_cast<const sockaddr*>(&storage), size).port();
  return out;
}

void remove_socket_file(int listening_fd, const Address& address) {
  if (address.unix_path.empty()) return;
  // The inode of a bound socket's file is not the descriptor's; what can be asked is whether somebody else now answers
  // there. So stop answering first, then look.
  ::shutdown(listening_fd, SHUT_RD);
  struct stat info {};
  if (::lstat(address.unix_path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  if (!somebody_accepts(SocketAddress::unix_socket(address.unix_path))) ::unlink(address.unix_path.c_str());
}

base::Result<Fd> begin_connect(const SocketAddress& address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail(errno_text(errno));
  prepare_stream(fd.get());
  if (::connect(fd.get(), address.get(), address.size()) != 0 && errno != EINPROGRESS)
    return base::fail(errno == EAGAIN ? "its queue of connections is full"
                                      : errno_text(errno));  // EAGAIN: Unix sockets
  return fd;
}

std::string connect_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 ? "" : errno_text(error);
}

void prepare_stream(int fd) { set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); }

// ---- AddressBlock

base::Result<AddressBlock> AddressBlock::parse(std::string_view text) {
  AddressBlock out;
  if (text == "unix") {
    out.family_ = AF_UNIX;
    return out;
  }
  const auto slash = text.find('/');
  const std::string host(text.substr(0, slash));
  out.bits_ = 32;
  out.family_ = AF_INET;
  if (::inet_pton(AF_INET, host.c_str(), out.bytes_) != 1) {
    out.bits_ = 128;
    out.family_ = AF_INET6;
    if (::inet_pton(AF_INET6, host.c_str(), out.bytes_) != 1)
      return base::fail(quoted(text) + ": not an IP address, a block like 10.0.0.0/8, or unix");
  }
  if (slash != text.npos) {
    const auto digits = text.substr(slash + 1);
    unsigned bits = 0;
    const auto* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, bits);
    if (error != std::errc{} || stop != end || bits > out.bits_)
      return base::fail(quoted(text) + ": the prefix length is not a number from 0 to " + std::to_string(out.bits_));
    out.bits_ = bits;
  }
  return out;
}

bool AddressBlock::contains(const SocketAddress& address) const {
  if (address.is_unix()) return family_ == AF_UNIX;
  return contains(address.host());
}

bool AddressBlock::contains(std::string_view ip_literal) const {
  if (family_ == AF_UNIX) return false;
  std::uint8_t bytes[16] = {};
  if (::inet_pton(family_, std::string(ip_literal).c_str(), bytes) != 1) return false;
  const unsigned whole = bits_ / 8;
  const unsigned rest = bits_ % 8;
  if (std::memcmp(bytes, bytes_, whole) != 0) return false;
  return rest == 0 || ((bytes[whole] ^ bytes_[whole]) >> (8U - rest)) == 0;
}

}  // namespace sockeye::proxy
