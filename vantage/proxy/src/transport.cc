// OpenSSL reaches the socket through a BIO of our own, for one reason: its socket BIO uses write(2), and a peer that is
// gone would then raise SIGPIPE in a program that embeds us. Ours sends with MSG_NOSIGNAL.
//
// Read-ahead is on: one recv(2) takes a record's header, its body and whatever follows, where OpenSSL would by default
// ask for 5 bytes first. The price is that undecrypted bytes can sit in user space, which is what pending() is about.
#include "transport.h"

#include <linux/sockios.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "address.h"

namespace sockeye::proxy {
namespace {

constexpr std::size_t max_record = 16 * 1024;  // plaintext bytes of one TLS record, RFC 8446 §5.1
constexpr int bio_flag_full = 0x100000;        // ours: the last recv filled its buffer, so the kernel may hold more

// recv(2) and send(2) without the C library's wrappers: those are cancellation points, which in a program of several
// threads cost two locked instructions a call, 1 % of a relayed message.
ssize_t receive(int fd, void* into, std::size_t size) {
  return ::syscall(SYS_recvfrom, fd, into, size, 0, nullptr, nullptr);
}
ssize_t transmit(int fd, const void* from, std::size_t size) {
  return ::syscall(SYS_sendto, fd, from, size, MSG_NOSIGNAL, nullptr, 0);
}

int bio_fd(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

int bio_read(BIO* bio, char* into, int size) {
  BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY | bio_flag_full);
  ssize_t n = 0;
  do n = receive(bio_fd(bio), into, static_cast<std::size_t>(size));
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  if (n == size) BIO_set_flags(bio, bio_flag_full);
  return static_cast<int>(n);
}

int bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  ssize_t n = 0;
  do n = transmit(bio_fd(bio), from, static_cast<std::size_t>(size));
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

long bio_ctrl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

const BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_ctrl);
    BIO_meth_set_create(made, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return made;
  }();
  return method;
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

Transport::Transport(Fd fd, ssl_st* tls) : tls_(tls) {
  BIO* bio = BIO_new(socket_method());
  if (bio == nullptr) {
    SSL_free(std::exchange(tls_, nullptr));
    return;  // closed: out of memory
  }
  fd_ = fd.release();
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd_)));
  SSL_set_bio(tls_, bio, bio);
}

Transport::Transport(Transport&& other) noexcept { *this = std::move(other); }

Transport& Transport::operator=(Transport&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  tls_ = std::exchange(other.tls_, nullptr);
  errno_ = other.errno_;
  tls_error_ = other.tls_error_;
  truncated_ = other.truncated_;
  failed_ = other.failed_;
  established_ = other.established_;
  return *this;
}

Transport::~Transport() { close(); }

void Transport::close(bool reset) {
  if (fd_ < 0) return;
  if (reset) {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  SSL_free(std::exchange(tls_, nullptr));
  ::close(std::exchange(fd_, -1));
}

// What a TLS call that did not succeed means. Remembers failures: OpenSSL tells a reason once.
IoResult Transport::tls_result(int returned) {
  const int saved = errno;
  switch (SSL_get_error(tls_, returned)) {
    case SSL_ERROR_WANT_READ:
      return {0, Io::want_read};
    case SSL_ERROR_WANT_WRITE:
      return {0, Io::want_write};
    case SSL_ERROR_ZERO_RETURN:
      // A bare FIN reads as close_notify (SSL_OP_IGNORE_UNEXPECTED_EOF) so that our direction stays usable; only a
      // socket that was read to its end tells the two apart.
      truncated_ = BIO_test_flags(SSL_get_rbio(tls_), BIO_FLAGS_IN_EOF) != 0;
      if (established_) return {0, Io::eof};
      errno_ = ENOTCONN;
      break;
    case SSL_ERROR_SSL:
      tls_error_ = static_cast<std::uint32_t>(ERR_peek_error());
      break;
    default:
      errno_ = saved != 0 ? saved : ECONNABORTED;
      break;
  }
  failed_ = true;
  return {0, Io::error};
}

IoResult Transport::handshake() {
  if (tls_ == nullptr) return {};
  if (failed_) return {0, Io::error};
  ERR_clear_error();
  errno = 0;
  const int returned = SSL_do_handshake(tls_);
  if (returned != 1) return tls_result(returned);
  established_ = true;
  return {};
}

IoResult Transport::read(base::MutableBytes into) {
  if (tls_ == nullptr) {
    for (;;) {
      const ssize_t n = receive(fd_, into.data(), into.size());
      if (n > 0) return {static_cast<std::size_t>(n), Io::ok};
      if (n == 0) return {0, Io::eof};
      if (errno == EINTR) continue;
      if (would_block(errno)) return {0, Io::want_read};
      errno_ = errno;
      return {0, Io::error};
    }
  }
  if (failed_) return {0, Io::error};
  std::size_t total = 0;
  while (total < into.size()) {
    ERR_clear_error();
    errno = 0;
    std::size_t n = 0;
    const int returned = SSL_read_ex(tls_, into.data() + total, into.size() - total, &n);
    if (returned != 1) {
      const auto result = tls_result(returned);
      // Bytes first; eof and error are remembered and come with the next call.
      return total > 0 ? IoResult{total, Io::ok} : result;
    }
    total += n;
    // As with a plain socket, a short read means the kernel was drained: spares a recv that would say EAGAIN.
    if (SSL_has_pending(tls_) == 0 && BIO_test_flags(SSL_get_rbio(tls_), bio_flag_full) == 0) break;
  }
  return {total, Io::ok};
}

IoResult Transport::tls_write(const void* data, std::size_t size) {
  if (failed_) return {0, Io::error};
  std::size_t total = 0;
  while (total < size) {
    ERR_clear_error();
    errno = 0;
    std::size_t n = 0;
    const int returned = SSL_write_ex(tls_, static_cast<const std::uint8_t*>(data) + total, size - total, &n);
    if (returned != 1) {
      auto result = tls_result(returned);
      result.bytes = total;
      return result;
    }
    total += n;
  }
  return {total, Io::ok};
}

IoResult Transport::write(base::Bytes bytes) {
  if (tls_ != nullptr) return tls_write(bytes.data(), bytes.size());
  const iovec piece{const_cast<base::Byte*>(bytes.data()), bytes.size()};
  return writev({&piece, 1});
}

IoResult Transport::writev(std::span<const iovec> pieces) {
  if (tls_ == nullptr) {
    std::size_t offered = 0;
    pieces = pieces.first(std::min<std::size_t>(pieces.size(), IOV_MAX));
    for (const auto& piece : pieces) offered += piece.iov_len;
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = pieces.size();
    for (;;) {
      // Nearly every write is one piece, and send(2) spares the kernel reading a msghdr and an iovec.
      const ssize_t n = pieces.size() == 1 ? transmit(fd_, pieces[0].iov_base, pieces[0].iov_len)
                                           : ::sendmsg(fd_, &message, MSG_NOSIGNAL);
      // Less than offered means a full buffer: asking again would only be told so.
      if (n >= 0)
        return {static_cast<std::size_t>(n), static_cast<std::size_t>(n) == offered ? Io::ok : Io::want_write};
      if (errno == EINTR) continue;
      if (would_block(errno)) return {0, Io::want_write};
      errno_ = errno;
      return {0, Io::error};
    }
  }

  // Pieces of a full record's size go as they are; smaller ones are gathered, since a record costs 22 bytes or more, a
  // cipher call and often a packet. What is gathered begins with the unsent bytes and is as long as can be, so a record
  // that was sealed before is always offered again whole.
  static thread_local std::array<std::uint8_t, max_record> gathered;
  IoResult sum;
  std::size_t index = 0;
  std::size_t offset = 0;
  while (index < pieces.size()) {
    const auto* front = static_cast<const std::uint8_t*>(pieces[index].iov_base) + offset;
    const std::size_t left = pieces[index].iov_len - offset;
    IoResult result;
    if (left >= max_record || index + 1 == pieces.size()) {
      const std::size_t whole = index + 1 == pieces.size() ? left : left - left % max_record;
      result = tls_write(front, whole);
    } else {
      std::size_t size = 0;
      std::size_t skip = offset;
      for (std::size_t i = index; i < pieces.size() && size < max_record; ++i, skip = 0) {
        const std::size_t take = std::min(pieces[i].iov_len - skip, max_record - size);
        if (take > 0)
          std::memcpy(gathered.data() + size, static_cast<const std::uint8_t*>(pieces[i].iov_base) + skip, take);
        size += take;
      }
      result = tls_write(gathered.data(), size);
    }
    sum.bytes += result.bytes;
    if (result.state != Io::ok) {
      sum.state = result.state;
      return sum;
    }
    for (offset += result.bytes; index < pieces.size() && offset >= pieces[index].iov_len; ++index)
      offset -= pieces[index].iov_len;
  }
  return sum;
}

IoResult Transport::shutdown_write() {
  if (established_ && !failed_) {
    ERR_clear_error();
    errno = 0;
    const int returned = SSL_shutdown(tls_);
    if (returned < 0) {
      const auto result = tls_result(returned);
      if (result.state == Io::want_read || result.state == Io::want_write) return result;
    }
  }
  if (::shutdown(fd_, SHUT_WR) != 0 && !failed_) {
    errno_ = errno;
    return {0, Io::error};
  }
  return {0, failed_ ? Io::error : Io::ok};
}

bool Transport::pending() const {
  if (tls_ == nullptr) return false;
  return failed_ || SSL_has_pending(tls_) != 0 || (SSL_get_shutdown(tls_) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::size_t Transport::unsent() const {
  int bytes = 0;
  return fd_ >= 0 && ::ioctl(fd_, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

std::string Transport::error() const {
  if (tls_error_ == 0) {
    if (errno_ == ENOTCONN && tls_ != nullptr) return "peer closed during the TLS handshake";
    return errno_text(errno_);
  }
  const int reason = ERR_GET_REASON(tls_error_);
  if (ERR_GET_LIB(tls_error_) == ERR_LIB_SSL) {
    if (reason == SSL_AD_REASON_OFFSET + SSL_AD_CERTIFICATE_REQUIRED) return "peer sent alert: certificate required";
    if (reason >= SSL_AD_REASON_OFFSET)
      return std::string("peer sent alert: ") + SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET);
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && tls_ != nullptr)
      return std::string("certificate verify failed: ") + X509_verify_cert_error_string(SSL_get_verify_result(tls_));
    if (reason == SSL_R_HTTP_REQUEST) return "plain HTTP sent to a TLS port";
    if (reason == SSL_R_WRONG_VERSION_NUMBER) return "not TLS (wrong version number)";
  }
  const char* text = ERR_reason_error_string(tls_error_);
  return text != nullptr ? text : "TLS error " + std::to_string(tls_error_);
}

}  // namespace sockeye::proxy
