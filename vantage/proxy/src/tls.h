// TLS configurations, made from files once at load or reload and immutable from then on. Shared by all workers, and
// kept alive by every Transport made from them: hence shared_ptr, and hence a reload touches new sessions only. TLS 1.2
// or later; AEAD with forward secrecy; no compression, no renegotiation; ALPN http/1.1, the one protocol whose upgrade
// we speak. Nothing is cached in memory for resumption (tickets carry it), so the bound is the sessions themselves.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "fd.h"
#include "sockeye/base/result.h"
#include "sockeye/proxy/config.h"
#include "transport.h"

struct ssl_ctx_st;

namespace sockeye::proxy {

using TlsContext = std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)>;

// One listener's side.
class ServerContext {
 public:
  // Errors name the file and OpenSSL's reason: "/etc/key.pem: cannot read private key: No such file or directory",
  // "cert.pem and key.pem: key values mismatch".
  static base::Result<std::shared_ptr<const ServerContext>> load(const ServerTls&);
  explicit ServerContext(TlsContext context) : context_(std::move(context)) {}
  // A stream whose handshake is to be run. Thread-safe. Closed when memory is out.
  [[nodiscard]] Transport accept(Fd) const;

 private:
  TlsContext context_;
};

// One route's side towards its upstream.
class ClientContext {
 public:
  // `host`: the upstream's, checked against its certificate and sent as SNI unless ClientTls.server_name names another.
  // An IP address is checked as such and no SNI is sent (RFC 6066 §3).
  static base::Result<std::shared_ptr<const ClientContext>> load(const ClientTls&, std::string_view host);
  ClientContext(TlsContext context, std::string name, std::string warning)
      : context_(std::move(context)), name_(std::move(name)), warning_(std::move(warning)) {}
  // A stream whose handshake is to be run on a connected socket. Thread-safe.
  [[nodiscard]] Transport connect(Fd) const;
  // A line to log as a warning at every load; "" when the upstream is verified.
  [[nodiscard]] const std::string& warning() const { return warning_; }

 private:
  TlsContext context_;
  std::string name_;  // SNI and the name verified
  std::string warning_;
};

}  // namespace sockeye::proxy
