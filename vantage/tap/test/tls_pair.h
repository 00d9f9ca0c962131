// A TLS client and server, both OpenSSL's, whose bytes go by in memory, and the key log they write.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <string>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/model/frame.h"

namespace sockeye::tap::test {

class TlsPair {
 public:
  struct Flight {
    model::Side from = model::Side::client;
    std::vector<base::Byte> bytes;
  };
  struct Options {
    int version = TLS1_3_VERSION;
    std::string cipher;  // TLS 1.2: a cipher list
    std::string suite;   // TLS 1.3
    bool encrypt_then_mac = true;
    bool retry = false;      // the server wants another key share than the client sends
    std::size_t record = 0;  // longest plaintext of a record; 0: as long as may be
  };

  explicit TlsPair(const Options& options) {
    server_context_ = SSL_CTX_new(TLS_server_method());
    client_context_ = SSL_CTX_new(TLS_client_method());
    certify();
    for (auto* context : {server_context_, client_context_}) {
      SSL_CTX_set_min_proto_version(context, options.version);
      SSL_CTX_set_max_proto_version(context, options.version);
      if (!options.encrypt_then_mac) SSL_CTX_set_options(context, SSL_OP_NO_ENCRYPT_THEN_MAC);
      if (!options.cipher.empty()) SSL_CTX_set_cipher_list(context, (options.cipher + ":@SECLEVEL=0").c_str());
      if (!options.suite.empty()) SSL_CTX_set_ciphersuites(context, options.suite.c_str());
      if (options.record != 0) SSL_CTX_set_max_send_fragment(context, static_cast<long>(options.record));
    }
    if (options.retry) SSL_CTX_set1_groups_list(server_context_, "P-384");
    SSL_CTX_set_keylog_callback(client_context_, [](const SSL* ssl, const char* line) {
      *static_cast<std::string*>(SSL_get_app_data(ssl)) += std::string(line) + "\n";
    });
    client_ = SSL_new(client_context_);
    server_ = SSL_new(server_context_);
    SSL_set_app_data(client_, &key_log);
    for (auto* ssl : {client_, server_}) SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client_);
    SSL_set_accept_state(server_);
  }
  ~TlsPair() {
    SSL_free(client_);
    SSL_free(server_);
    SSL_CTX_free(client_context_);
    SSL_CTX_free(server_context_);
  }
  TlsPair(const TlsPair&) = delete;
  TlsPair& operator=(const TlsPair&) = delete;

  bool shake_hands() {
    for (int i = 0; i < 10; ++i) {
      const int client = SSL_do_handshake(client_);
      carry(model::Side::client);
      const int server = SSL_do_handshake(server_);
      carry(model::Side::server);
      if (client == 1 && server == 1) return true;
    }
    return false;
  }
  // One message; each is unlike any other.
  void send(model::Side side, const std::string& text) {
    SSL_write(ssl(side), text.data(), static_cast<int>(text.size()));
    carry(side);
    std::string got(text.size(), ' ');
    for (std::size_t at = 0; at < got.size();) {
      const int n = SSL_read(ssl(model::other(side)), got.data() + at, static_cast<int>(got.size() - at));
      if (n <= 0) break;
      at += static_cast<std::size_t>(n);
    }
    carry(model::other(side));  // what reading it made it say
    sent[model::index(side)] += text;
  }
  void update_keys(model::Side side) { SSL_key_update(ssl(side), SSL_KEY_UPDATE_REQUESTED); }

  std::vector<Flight> flights;
  std::string key_log;
  std::string sent[2];

 private:
  SSL* ssl(model::Side side) { return side == model::Side::client ? client_ : server_; }

  void carry(model::Side from) {
    auto* out = SSL_get_wbio(ssl(from));
    const auto size = static_cast<std::size_t>(BIO_pending(out));
    if (size == 0) return;
    auto& flight = flights.emplace_back();
    flight.from = from;
    flight.bytes.resize(size);
    BIO_read(out, flight.bytes.data(), static_cast<int>(size));
    BIO_write(SSL_get_rbio(ssl(model::other(from))), flight.bytes.data(), static_cast<int>(size));
  }

  void certify() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(server_context_, certificate);
    SSL_CTX_use_PrivateKey(server_context_, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }

  SSL_CTX* server_context_ = nullptr;
  SSL_CTX* client_context_ = nullptr;
  SSL* client_ = nullptr;
  SSL* server_ = nullptr;
};

}  // namespace sockeye::tap::test
