#include "tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstring>

#include "address.h"

namespace sockeye::proxy {
namespace {

constexpr unsigned char http11[] = "\x08http/1.1";
constexpr std::size_t http11_size = sizeof http11 - 1;

// The first cause OpenSSL recorded is what the user can act on ("No such file or directory", "no start line").
std::string reason() {
  std::string out = "unknown error";
  if (const unsigned long code = ERR_get_error(); code != 0) {
    const char* text = ERR_reason_error_string(code);
    if (ERR_SYSTEM_ERROR(code)) {
      out = errno_text(ERR_GET_REASON(code));
    } else if (text != nullptr) {
      out = text;
    }
  }
  ERR_clear_error();
  return out;
}

// An encrypted key must fail, not prompt on a terminal that a daemon does not have.
int no_passphrase(char*, int, int, void*) { return -1; }

int select_http11(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned size,
                  void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, http11, http11_size, offered, size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // no_application_protocol, RFC 7301 §3.2
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

base::Result<TlsContext> make_context(const SSL_METHOD* method) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(method), SSL_CTX_free);
  if (!context) return base::fail("cannot make a TLS context: " + reason());
  SSL_CTX* ctx = context.get();
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Idle sessions give their 16 KiB record buffers back; a queue may be retried after its front moved.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ctx, 1);
  SSL_CTX_set_mode(ctx,
                   SSL_MODE_NO_AUTO_CHAIN);  // the chain sent is the file's, not one completed from the trusted CAs
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
  // TLS 1.2: ECDHE with AEAD only (RFC 9325 §4.2). TLS 1.3 suites are all fit and stay OpenSSL's default.
  if (SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
    return base::fail("no usable TLS cipher: " + reason());
  return context;
}

base::Result<void> use_certificate(SSL_CTX* ctx, const std::string& certificate, const std::string& key) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(ctx, certificate.c_str()) != 1)
    return base::fail(certificate + ": cannot read the certificate: " + reason());
  if (SSL_CTX_use_PrivateKey_file(ctx, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long code = ERR_peek_error();
    if (ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH) {
      ERR_clear_error();
      return base::fail(certificate + " and " + key + ": the key is not the certificate's");
    }
    return base::fail(key + ": cannot read the private key: " + reason());
  }
  if (SSL_CTX_check_private_key(ctx) != 1) return base::fail(certificate + " and " + key + ": " + reason());
  return {};
}

bool is_ip(const std::string& host) {
  std::array<unsigned char, 16> bytes;
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

base::Result<std::shared_ptr<const ServerContext>> ServerContext::load(const ServerTls& from) {
  auto context = make_context(TLS_server_method());
  if (!context) return tl::unexpected(context.error());
  SSL_CTX* ctx = context->get();
  if (auto used = use_certificate(ctx, from.certificate, from.key); !used) return tl::unexpected(used.error());
  SSL_CTX_set_alpn_select_cb(ctx, select_http11, nullptr);
  SSL_CTX_set_num_tickets(ctx, 1);  // TLS 1.3 default 2: one connection at a time is what a WebSocket client resumes
  if (!from.client_ca.empty()) {
    ERR_clear_error();
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(from.client_ca.c_str());
    if (names == nullptr || SSL_CTX_load_verify_file(ctx, from.client_ca.c_str()) != 1) {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      return base::fail(from.client_ca + ": cannot read the client CA: " + reason());
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    // Without it a resumed session that carries a client certificate is refused.
    static constexpr unsigned char id[] = "sockeye";
    SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1);
  }
  return std::make_shared<const ServerContext>(std::move(*context));
}

Transport ServerContext::accept(Fd fd) const {
  SSL* tls = SSL_new(context_.get());
  if (tls == nullptr) return {};
  SSL_set_accept_state(tls);
  return {std::move(fd), tls};
}

base::Result<std::shared_ptr<const ClientContext>> ClientContext::load(const ClientTls& from, std::string_view host) {
  auto context = make_context(TLS_client_method());
  if (!context) return tl::unexpected(context.error());
  SSL_CTX* ctx = context->get();
  std::string name = from.server_name.empty() ? std::string(host) : from.server_name;
  std::string warning;
  if (from.verify) {
    if (name.empty())
      return base::fail("wss:// to a Unix socket needs tls.server_name, the name its certificate is checked for");
    ERR_clear_error();
    if (!from.ca.empty()) {
      if (SSL_CTX_load_verify_file(ctx, from.ca.c_str()) != 1)
        return base::fail(from.ca + ": cannot read the CA: " + reason());
    } else if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
      return base::fail("cannot use the system's CA store: " + reason());
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  } else {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, nullptr);
    warning = "TLS verification is OFF for upstream " + (name.empty() ? std::string("(Unix socket)") : name) +
              ": anyone on the path can read and change its traffic";
  }
  if (!from.certificate.empty() || !from.key.empty()) {
    if (from.certificate.empty() || from.key.empty())
      return base::fail("a client certificate needs both tls.certificate and tls.key");
    if (auto used = use_certificate(ctx, from.certificate, from.key); !used) return tl::unexpected(used.error());
  }
  if (SSL_CTX_set_alpn_protos(ctx, http11, http11_size) != 0) return base::fail("cannot set ALPN: " + reason());
  return std::make_shared<const ClientContext>(std::move(*context), std::move(name), std::move(warning));
}

Transport ClientContext::connect(Fd fd) const {
  SSL* tls = SSL_new(context_.get());
  if (tls == nullptr) return {};
  SSL_set_connect_state(tls);
  bool named = true;
  if (is_ip(name_)) {
    named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), name_.c_str()) == 1;
  } else if (!name_.empty()) {
    SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    // SSL_set_tlsext_host_name() spelled out: the macro casts in the old style.
    named =
        SSL_set1_host(tls, name_.c_str()) == 1 &&
        SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name_.c_str())) == 1;
  }
  if (!named) {  // out of memory: never connect unchecked
    SSL_free(tls);
    return {};
  }
  return {std::move(fd), tls};
}

}  // namespace sockeye::proxy
