#include "tls.h"

#include <boost/asio/ssl/host_name_verification.hpp>

namespace sockeye::net {

namespace asio = boost::asio;
using asio::ssl::context;
using boost::system::error_code;

base::Result<void> make_server_tls(std::optional<context>& out, const ServerTls& files) {
  context tls(context::tls_server);
  error_code error;
  tls.set_options(context::no_tlsv1 | context::no_tlsv1_1, error);
  tls.use_certificate_chain_file(files.certificate, error);
  if (error) return base::fail(files.certificate_option + " " + files.certificate + ": " + error.message());
  tls.use_private_key_file(files.key, context::pem, error);
  if (error) return base::fail(files.key_option + " " + files.key + ": " + error.message());
  out.emplace(std::move(tls));
  return {};
}

base::Result<void> make_client_tls(std::optional<context>& out, const std::string& host, const std::string& ca) {
  context tls(context::tls_client);
  error_code error;
  if (ca.empty())
    tls.set_default_verify_paths(error);
  else
    tls.load_verify_file(ca, error);
  if (error) return base::fail(ca + ": cannot read the CA: " + error.message());
  tls.set_verify_mode(asio::ssl::verify_peer, error);
  tls.set_verify_callback(asio::ssl::host_name_verification(host), error);
  if (error) return base::fail("cannot set up TLS: " + error.message());
  out.emplace(std::move(tls));
  return {};
}

}  // namespace sockeye::net
