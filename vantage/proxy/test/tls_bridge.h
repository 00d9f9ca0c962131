// The other side of a TLS leg, so that the plain scripts of harness.h can be used on it: a thread carries bytes between
// a plain socket and a TLS one. It speaks to OpenSSL through memory, not through the code under test.
#pragma once

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <optional>

#include "certificates.h"
#include "harness.h"

namespace sockeye::proxy::test {

// What a peer offers. Made once, used for many connections.
class TlsPeer {
 public:
  enum class Role { client, server };
  explicit TlsPeer(Role role)
      : role_(role),
        context_(SSL_CTX_new(role == Role::client ? TLS_client_method() : TLS_server_method()), SSL_CTX_free) {}

  TlsPeer& certificate(const CertificateFiles& files) {
    if (SSL_CTX_use_certificate_file(context_.get(), files.certificate.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context_.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1)
      throw std::runtime_error("cannot use " + files.certificate);
    return *this;
  }
  // The other side must show a certificate of this authority.
  TlsPeer& require(const std::string& ca_file) {
    if (SSL_CTX_load_verify_locations(context_.get(), ca_file.c_str(), nullptr) != 1)
      throw std::runtime_error("cannot use " + ca_file);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return *this;
  }
  TlsPeer& version(int version) {
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    return *this;
  }
  [[nodiscard]] SSL* make() const {
    SSL* out = SSL_new(context_.get());
    if (role_ == Role::client) {
      SSL_set_connect_state(out);
    } else {
      SSL_set_accept_state(out);
    }
    return out;
  }

 private:
  Role role_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
};

class TlsBridge {
 public:
  // Takes the connected `wire`; tells of the handshake once it is over.
  TlsBridge(const TlsPeer& peer, int wire) : wire_(wire), tls_(peer.make()) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
    plain_ = Socket(ends[0]);
    inner_ = ends[1];
    SSL_set_bio(tls_, from_wire_, to_wire_);
    for (const int fd : {wire_, inner_}) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    pump_ = std::thread([this] { pump(); });
    EXPECT_TRUE(eventually([this] { return settled_.load(); }));
  }
  // Ends in order: what was written still goes out.
  ~TlsBridge() {
    plain_.close();
    eventually([this] { return finished_.load(); });
    stop_ = true;
    pump_.join();
    ::close(wire_);
    ::close(inner_);
    SSL_free(tls_);
  }
  TlsBridge(const TlsBridge&) = delete;
  TlsBridge& operator=(const TlsBridge&) = delete;

  // What is written here goes out encrypted; what comes in encrypted is read here. Its FIN becomes close_notify and
  // FIN.
  Socket& plain() { return plain_; }
  // "" after a good handshake, else OpenSSL's reason. Later errors (an alert in answer to a client certificate) replace
  // it.
  [[nodiscard]] std::string error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }
  // The other side ended with close_notify.
  [[nodiscard]] bool ended_in_order() const { return close_notify_; }
  // After a good handshake.
  [[nodiscard]] std::string peer_name() const {
    X509* certificate = SSL_get1_peer_certificate(tls_);
    if (certificate == nullptr) return "";
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    X509_free(certificate);
    return name;
  }
  [[nodiscard]] std::string server_name() const {
    const char* name = SSL_get_servername(tls_, TLSEXT_NAMETYPE_host_name);
    return name != nullptr ? name : "";
  }
  // The wire ends without a word: FIN but no close_notify (`reset`: RST).
  void drop(bool reset) const {
    if (reset) {
      const linger hard{1, 0};
      ::setsockopt(wire_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
      ::dup2(null, wire_);  // closes the socket, keeps the number taken
      ::close(null);
    } else {
      ::shutdown(wire_, SHUT_WR);
    }
  }
  // Stops reading from the wire, as a frozen peer does.
  void freeze(bool frozen) { frozen_ = frozen; }

 private:
  void fail() {
    const std::lock_guard lock(mutex_);
    const unsigned long code = ERR_get_error();
    const char* reason = ERR_reason_error_string(code);
    error_ = reason != nullptr ? reason : "connection closed";
    settled_ = true;
  }
  void gather() {
    char buffer[16384];
    int n = 0;
    while ((n = BIO_read(to_wire_, buffer, sizeof buffer)) > 0) outgoing_.append(buffer, static_cast<std::size_t>(n));
  }
  // Moves what can be moved from `queue` to `fd`.
  static bool drain(std::string& queue, int fd) {
    while (!queue.empty()) {
      const auto n = ::send(fd, queue.data(), queue.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0) return errno == EAGAIN;
      queue.erase(0, static_cast<std::size_t>(n));
    }
    return true;
  }

  // One turn of TLS over what has arrived. False when the session is dead.
  bool turn() {
    ERR_clear_error();
    if (!SSL_is_init_finished(tls_)) {
      const int done = SSL_do_handshake(tls_);
      gather();
      if (done != 1) {
        const int why = SSL_get_error(tls_, done);
        if (why == SSL_ERROR_WANT_READ && !wire_ended_) return true;
        fail();
        return false;
      }
      settled_ = true;
    }
    // Into memory a write always goes whole.
    if (!unsealed_.empty() && SSL_write(tls_, unsealed_.data(), static_cast<int>(unsealed_.size())) <= 0) {
      fail();
      return false;
    }
    unsealed_.clear();
    if (plain_ended_ && !said_goodbye_) {
      said_goodbye_ = true;
      SSL_shutdown(tls_);
    }
    gather();
    char buffer[16384];
    for (;;) {
      const int n = SSL_read(tls_, buffer, sizeof buffer);
      if (n > 0) {
        incoming_.append(buffer, static_cast<std::size_t>(n));
        continue;
      }
      const int why = SSL_get_error(tls_, n);
      gather();
      if (why == SSL_ERROR_WANT_READ) return true;
      if (why == SSL_ERROR_ZERO_RETURN) {
        close_notify_ = true;
        return true;
      }
      fail();
      return false;
    }
  }

  void pump() {
    bool alive = true;
    bool inner_closed = false;
    bool fin_sent = false;
    while (!stop_) {
      if (alive) alive = turn();
      if (!drain(outgoing_, wire_)) wire_ended_ = true;
      if (!drain(incoming_, inner_)) incoming_.clear();
      if (said_goodbye_ && outgoing_.empty() && !fin_sent) {
        fin_sent = true;
        ::shutdown(wire_, SHUT_WR);
      }
      if (fin_sent || !alive || wire_ended_) finished_ = true;
      if ((!alive || close_notify_ || wire_ended_) && incoming_.empty() && !inner_closed) {
        inner_closed = true;
        ::shutdown(inner_, SHUT_WR);
      }
      const bool read_wire = !wire_ended_ && !frozen_ && incoming_.size() < (1 << 20);
      const bool read_plain = !plain_ended_ && alive && outgoing_.size() < (1 << 20);
      pollfd both[2] = {{read_wire || !outgoing_.empty() ? wire_ : -1, 0, 0},
                        {read_plain || !incoming_.empty() ? inner_ : -1, 0, 0}};
      both[0].events = static_cast<short>((read_wire ? POLLIN : 0) | (outgoing_.empty() ? 0 : POLLOUT));
      both[1].events = static_cast<short>((read_plain ? POLLIN : 0) | (incoming_.empty() ? 0 : POLLOUT));
      if (::poll(both, 2, 5) <= 0) continue;
      char buffer[65536];
      if (read_wire && both[0].revents != 0) {
        const auto n = ::recv(wire_, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n > 0) {
          BIO_write(from_wire_, buffer, static_cast<int>(n));
        } else if (n == 0 || errno != EAGAIN) {
          wire_ended_ = true;
        }
      }
      if (read_plain && both[1].revents != 0) {
        const auto n = ::recv(inner_, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n > 0) {
          unsealed_.append(buffer, static_cast<std::size_t>(n));
        } else if (n == 0 || errno != EAGAIN) {
          plain_ended_ = true;
        }
      }
    }
  }

  int wire_;
  int inner_ = -1;
  SSL* tls_;
  BIO* from_wire_ = BIO_new(BIO_s_mem());
  BIO* to_wire_ = BIO_new(BIO_s_mem());
  Socket plain_;
  mutable std::mutex mutex_;
  std::string error_;
  std::atomic<bool> settled_{false}, stop_{false}, close_notify_{false}, frozen_{false}, finished_{false};
  // The pump's own.
  std::string outgoing_, incoming_, unsealed_;
  bool wire_ended_ = false, plain_ended_ = false, said_goodbye_ = false;
  std::thread pump_;
};

// A backend behind TLS: `script` runs once the handshake is done.
inline Backend::Script behind_tls(const TlsPeer& peer, const std::function<void(TlsBridge&)>& script) {
  return [&peer, script](Socket& socket) {
    TlsBridge bridge(peer, ::dup(socket.fd()));
    socket.close();
    if (bridge.error().empty()) script(bridge);
  };
}

}  // namespace sockeye::proxy::test
