// A non-blocking byte stream on one socket, plain or TLS, behind one small value. Not virtual: the plain path is a test
// of one pointer and a system call. Used by one thread.
//
// Readiness. Every call says what it waits for; TLS may want to read in order to write and the other way round.
// A read that returned less than it was given has drained the socket: under edge-triggered epoll the next bytes bring
// an edge (an EPOLLRDHUP, EPOLLHUP or EPOLLERR seen before asks for one more read). With TLS that holds unless
// pending(): bytes, decrypted or not, or an end that was read along with them, wait in user space, where no epoll will
// ever see them. So too when reading was paused, and right after a handshake: call read() once before waiting.
//
// Writing TLS. After a write that would block, the next write must begin with the same bytes and offer at least as many
// (they may have moved): a record is already sealed. A queue whose front is retried does so by itself.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "fd.h"
#include "sockeye/base/bytes.h"

struct ssl_st;

namespace sockeye::proxy {

enum class Io : std::uint8_t {
  ok,          // reads: bytes > 0; writes: everything was taken
  want_read,   // call again when readable
  want_write,  // call again when writable
  eof,         // reads: the peer finished in order: FIN, or TLS close_notify
  error        // the connection is dead; error() tells why
};

struct IoResult {
  std::size_t bytes = 0;  // moved by this call; a write that would block may have moved some
  Io state = Io::ok;
};

class Transport {
 public:
  Transport() = default;  // closed
  explicit Transport(Fd fd) : fd_(fd.release()) {}
  Transport(Fd fd, ssl_st* tls);  // made by ServerContext and ClientContext; owns both
  Transport(Transport&&) noexcept;
  Transport& operator=(Transport&&) noexcept;
  ~Transport();  // close(): no close_notify

  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }

  // TLS: one step; ok once it is complete (then and for plain streams: at once). The peer leaving half-way is an error.
  IoResult handshake();
  // At most into.size() bytes, as much as is at hand. `into` must not be empty.
  IoResult read(base::MutableBytes into);
  IoResult write(base::Bytes bytes);
  // In order, stopping where the kernel's buffer is full. TLS: small pieces share one record of at most 16 KiB.
  IoResult writev(std::span<const iovec> pieces);
  // No more will be written: TLS close_notify, then FIN. want_read/want_write: call again. Reading goes on. Everything
  // written must have been taken first.
  IoResult shutdown_write();
  // Closes now. `reset`: discards what is unsent and answers RST (SO_LINGER 0), so that the peer sees an abort, not an
  // end.
  void close(bool reset = false);

  // TLS holds bytes, an end or an error that read() has not told yet: do not wait. Always false for plain streams. May
  // be true for a part of a record, so a read that says want_read settles it.
  [[nodiscard]] bool pending() const;
  // Bytes the kernel holds for the peer (SIOCOUTQ): unsent and unacknowledged. 0 when unknown. One system call.
  [[nodiscard]] std::size_t unsent() const;
  // The last read's eof came without close_notify: the stream may have been cut (RFC 8446 §6.1). A WebSocket tells by
  // itself (no Close frame); a body that ends with the connection cannot.
  [[nodiscard]] bool truncated() const { return truncated_; }
  // Why the state is Io::error, for a log line or a reason body: "connection reset by peer",
  // "certificate verify failed: unable to get local issuer certificate", "peer sent alert: unknown ca".
  [[nodiscard]] std::string error() const;

 private:
  IoResult tls_write(const void* data, std::size_t size);
  IoResult tls_result(int returned);

  int fd_ = -1;
  int errno_ = 0;
  ssl_st* tls_ = nullptr;
  std::uint32_t tls_error_ = 0;  // ERR_get_error() of the failure, packed; 0: errno_ tells
  bool truncated_ = false;
  bool failed_ = false;
  bool established_ = false;  // TLS handshake complete
};
static_assert(sizeof(Transport) <= 32);

}  // namespace sockeye::proxy
