#include "tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstring>

#include "address.h"
#include "sockeye/files/read.h"

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

using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

// A file's content, or why it "cannot be read", in this module's words.
base::Result<std::string> content(const std::string& path, std::string_view what) {
  auto text = files::read(path);
  if (text) return text;
  std::string why = text.error().message;
  if (!why.empty() && why[0] >= 'A' && why[0] <= 'Z') why[0] = static_cast<char>(why[0] - 'A' + 'a');
  return base::fail(path + ": cannot read the " + std::string(what) + ": " + why);
}

Memory in_memory(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

Certificate next_certificate(BIO* from) { return {PEM_read_bio_X509_AUX(from, nullptr, nullptr, nullptr), X509_free}; }

// The end of a PEM file shows as "no start line".
bool at_end() {
  const unsigned long code = ERR_peek_last_error();
  const bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (end) ERR_clear_error();
  return end;
}

// The leaf, then what leads to its authority.
bool use_chain(SSL_CTX* ctx, const std::string& pem) {
  const Memory from = in_memory(pem);
  const Certificate leaf = from ? next_certificate(from.get()) : Certificate(nullptr, X509_free);
  if (!leaf || SSL_CTX_use_certificate(ctx, leaf.get()) != 1 || SSL_CTX_clear_chain_certs(ctx) != 1) return false;
  for (;;) {
    const Certificate issuer = next_certificate(from.get());
    if (!issuer) return at_end();
    if (SSL_CTX_add1_chain_cert(ctx, issuer.get()) != 1) return false;
  }
}

// `names`, where given, gets the authorities' names.
bool trust(SSL_CTX* ctx, const std::string& pem, STACK_OF(X509_NAME) * names = nullptr) {
  const Memory from = in_memory(pem);
  if (!from) return false;
  for (bool any = false;; any = true) {
    const Certificate authority = next_certificate(from.get());
    if (!authority) return any && at_end();
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), authority.get()) != 1) return false;
    if (names == nullptr) continue;
    X509_NAME* name = X509_NAME_dup(X509_get_subject_name(authority.get()));
    if (name == nullptr || sk_X509_NAME_push(names, name) == 0) return false;
  }
}

base::Result<void> use_certificate(SSL_CTX* ctx, const std::string& certificate, const std::string& key) {
  const auto chain = content(certificate, "certificate");
  if (!chain) return tl::unexpected(chain.error());
  ERR_clear_error();
  if (!use_chain(ctx, *chain)) return base::fail(certificate + ": cannot read the certificate: " + reason());
  const auto secret = content(key, "private key");
  if (!secret) return tl::unexpected(secret.error());
  const Memory from = in_memory(*secret);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair(
      from ? PEM_read_bio_PrivateKey(from.get(), nullptr, no_passphrase, nullptr) : nullptr, EVP_PKEY_free);
  if (!pair || SSL_CTX_use_PrivateKey(ctx, pair.get()) != 1) {
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
    const auto bundle = content(from.client_ca, "client CA");
    if (!bundle) return tl::unexpected(bundle.error());
    ERR_clear_error();
    STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
    if (names == nullptr || !trust(ctx, *bundle, names)) {
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
      const auto bundle = content(from.ca, "CA");
      if (!bundle) return tl::unexpected(bundle.error());
      if (!trust(ctx, *bundle)) return base::fail(from.ca + ": cannot read the CA: " + reason());
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
