#include "tls.h"

#include <boost/asio/ssl/host_name_verification.hpp>

#include "sockeye/files/read.h"

namespace sockeye::net {

namespace asio = boost::asio;
using asio::ssl::context;
using boost::system::error_code;

namespace {

// Of what the client offers, h2; a client that offers something else is not refused here: it will not speak HTTP/2.
int choose_http2(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered, unsigned size,
                 void*) {
  static constexpr unsigned char h2[] = {2, 'h', '2'};
  unsigned char* out = nullptr;
  if (::SSL_select_next_proto(&out, length, h2, sizeof h2, offered, size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *chosen = out;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

base::Result<void> make_server_tls(std::optional<context>& out, const ServerTls& from, bool http2) {
  context tls(context::tls_server);
  error_code error;
  tls.set_options(context::no_tlsv1 | context::no_tlsv1_1, error);
  const auto certificate = files::read(from.certificate);
  if (!certificate)
    return base::fail(from.certificate_option + " " + from.certificate + ": " + certificate.error().message);
  tls.use_certificate_chain(asio::buffer(*certificate), error);
  if (error) return base::fail(from.certificate_option + " " + from.certificate + ": " + error.message());
  const auto key = files::read(from.key);
  if (!key) return base::fail(from.key_option + " " + from.key + ": " + key.error().message);
  tls.use_private_key(asio::buffer(*key), context::pem, error);
  if (error) return base::fail(from.key_option + " " + from.key + ": " + error.message());
  if (http2) ::SSL_CTX_set_alpn_select_cb(tls.native_handle(), choose_http2, nullptr);
  out.emplace(std::move(tls));
  return {};
}

base::Result<void> make_client_tls(std::optional<context>& out, const std::string& host, const std::string& ca) {
  context tls(context::tls_client);
  error_code error;
  if (ca.empty()) {
    tls.set_default_verify_paths(error);
  } else {
    const auto bundle = files::read(ca);
    if (!bundle) return base::fail(ca + ": cannot read the CA: " + bundle.error().message);
    tls.add_certificate_authority(asio::buffer(*bundle), error);
  }
  if (error) return base::fail(ca + ": cannot read the CA: " + error.message());
  tls.set_verify_mode(asio::ssl::verify_peer, error);
  tls.set_verify_callback(asio::ssl::host_name_verification(host), error);
  if (error) return base::fail("cannot set up TLS: " + error.message());
  out.emplace(std::move(tls));
  return {};
}

}  // namespace sockeye::net
