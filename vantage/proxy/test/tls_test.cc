#include "../src/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <fstream>
#include <optional>

#include "certificates.h"
#include "stream_pair.h"

namespace sockeye::proxy {
namespace {

using test::CertificateFiles;
using test::stream_pair;
using test::TemporaryDirectory;
using test::TestAuthority;

// What became of a handshake and the first byte each way: "" = it works.
struct Outcome {
  std::string client, server;
};
Outcome run(Transport& client, Transport& server) {
  Outcome out;
  bool client_done = false;
  bool server_done = false;
  bool client_read = false;
  bool server_read = false;
  const auto step = [](Transport& end, bool& done, bool& read, std::string& error) {
    if (!error.empty() || !end) return;
    if (!done) {
      const auto result = end.handshake();
      if (result.state == Io::error) error = end.error();
      if (result.state != Io::ok) return;
      done = true;
      if (end.write(base::as_bytes("x")).state == Io::error) error = end.error();
    }
    base::Byte byte = 0;
    const auto result = end.read({&byte, 1});
    if (result.state == Io::error) error = end.error();
    if (result.bytes == 1) read = true;
  };
  for (int round = 0; round < 20; ++round) {
    step(client, client_done, client_read, out.client);
    step(server, server_done, server_read, out.server);
  }
  if (out.client.empty() && out.server.empty() && !(client_read && server_read)) out.client = out.server = "stuck";
  return out;
}

class TlsTest : public testing::Test {
 protected:
  std::shared_ptr<const ServerContext> server(const CertificateFiles& files, const std::string& client_ca = "") {
    auto made = ServerContext::load({files.certificate, files.key, client_ca});
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : nullptr;
  }
  std::shared_ptr<const ClientContext> client(ClientTls options, const std::string& host) {
    auto made = ClientContext::load(options, host);
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : nullptr;
  }
  ClientTls trusting() {
    ClientTls out;
    out.ca = authority_.ca_file();
    return out;
  }
  Outcome meet(const ClientContext& c, const ServerContext& s) {
    auto [a, b] = stream_pair();
    auto left = c.connect(std::move(a));
    auto right = s.accept(std::move(b));
    return run(left, right);
  }

  TemporaryDirectory directory_;
  TestAuthority authority_{directory_};
};

TEST_F(TlsTest, AVerifiedNameConnects) {
  const auto s = server(authority_.issue("server", "DNS:backend.example,IP:127.0.0.1,IP:::1"));
  for (const auto* host : {"backend.example", "BACKEND.example", "127.0.0.1", "::1"}) {
    const auto outcome = meet(*client(trusting(), host), *s);
    EXPECT_EQ(outcome.client, "") << host;
    EXPECT_EQ(outcome.server, "") << host;
  }
}

TEST_F(TlsTest, AWrongNameOrAddressIsRefused) {
  const auto s = server(authority_.issue("server", "DNS:backend.example,IP:127.0.0.1"));
  EXPECT_EQ(meet(*client(trusting(), "other.example"), *s).client, "certificate verify failed: hostname mismatch");
  EXPECT_EQ(meet(*client(trusting(), "127.0.0.2"), *s).client, "certificate verify failed: IP address mismatch");
  // An IP address written as a DNS name is no IP address.
  const auto dns = server(authority_.issue("dns", "DNS:127.0.0.9"));
  EXPECT_EQ(meet(*client(trusting(), "127.0.0.9"), *dns).client, "certificate verify failed: IP address mismatch");
}

TEST_F(TlsTest, ServerNameOverridesTheHost) {
  const auto s = server(authority_.issue("server", "DNS:public.example"));
  auto options = trusting();
  options.server_name = "public.example";
  EXPECT_EQ(meet(*client(options, "10.0.0.1"), *s).client, "");
  EXPECT_EQ(meet(*client(trusting(), "10.0.0.1"), *s).client, "certificate verify failed: IP address mismatch");
}

TEST_F(TlsTest, WildcardsCoverOneWholeLabel) {
  const auto s = server(authority_.issue("server", "DNS:*.example.com,DNS:a*.example.org"));
  EXPECT_EQ(meet(*client(trusting(), "a.example.com"), *s).client, "");
  EXPECT_NE(meet(*client(trusting(), "a.b.example.com"), *s).client, "");
  EXPECT_NE(meet(*client(trusting(), "example.com"), *s).client, "");
  EXPECT_NE(meet(*client(trusting(), "ab.example.org"), *s).client, "");
}

TEST_F(TlsTest, AnUnknownAuthorityIsRefusedAndTheServerIsTold) {
  const TestAuthority other(directory_, "other");
  const auto s = server(other.issue("server", "DNS:localhost"));
  const auto outcome = meet(*client(trusting(), "localhost"), *s);
  EXPECT_EQ(outcome.client, "certificate verify failed: unable to get local issuer certificate");
  EXPECT_EQ(outcome.server, "peer sent alert: unknown CA");
}

TEST_F(TlsTest, TheSystemStoreDoesNotKnowOurAuthority) {
  const auto s = server(authority_.issue("server", "DNS:localhost"));
  EXPECT_EQ(meet(*client({}, "localhost"), *s).client,
            "certificate verify failed: unable to get local issuer certificate");
}

TEST_F(TlsTest, AnExpiredCertificateIsRefused) {
  const auto s = server(authority_.issue("server", "DNS:localhost", -1));
  EXPECT_EQ(meet(*client(trusting(), "localhost"), *s).client, "certificate verify failed: certificate has expired");
}

TEST_F(TlsTest, VerificationOffConnectsAndWarns) {
  const TestAuthority other(directory_, "other");
  const auto s = server(other.issue("server", "DNS:elsewhere", -1));
  ClientTls options;
  options.verify = false;
  const auto c = client(options, "localhost");
  EXPECT_EQ(meet(*c, *s).client, "");
  EXPECT_NE(c->warning().find("TLS verification is OFF for upstream localhost"), std::string::npos) << c->warning();
  EXPECT_EQ(client(trusting(), "localhost")->warning(), "");
}

TEST_F(TlsTest, ClientCertificates) {
  const TestAuthority clients(directory_, "clients");
  const auto s = server(authority_.issue("server", "DNS:localhost"), clients.ca_file());
  const auto good = clients.issue("alice", "");
  auto options = trusting();
  options.certificate = good.certificate;
  options.key = good.key;
  const auto outcome = meet(*client(options, "localhost"), *s);
  EXPECT_EQ(outcome.client, "");
  EXPECT_EQ(outcome.server, "");

  const auto missing = meet(*client(trusting(), "localhost"), *s);
  EXPECT_EQ(missing.server, "peer did not return a certificate");
  EXPECT_EQ(missing.client, "peer sent alert: certificate required");

  const auto stranger = authority_.issue("mallory", "");
  options.certificate = stranger.certificate;
  options.key = stranger.key;
  const auto wrong = meet(*client(options, "localhost"), *s);
  EXPECT_EQ(wrong.server, "certificate verify failed: unable to get local issuer certificate");
  EXPECT_EQ(wrong.client, "peer sent alert: unknown CA");
}

// A client by hand, to see what ours sends or to send what ours would not.
struct Probe {
  explicit Probe(const SSL_METHOD* method) : context(SSL_CTX_new(method), SSL_CTX_free), tls(nullptr, SSL_free) {}
  Transport open(Fd fd) {
    SSL* ssl = SSL_new(context.get());
    raw = ssl;
    if (SSL_is_server(ssl) == 0) SSL_set_connect_state(ssl);
    return {std::move(fd), ssl};
  }
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls;
  SSL* raw = nullptr;
};

TEST_F(TlsTest, AlpnIsHttp11OrNothing) {
  const auto s = server(authority_.issue("server", "DNS:localhost"));
  const auto offer = [&](std::string_view protocols) {
    Probe probe(TLS_client_method());
    if (!protocols.empty())
      SSL_CTX_set_alpn_protos(probe.context.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                              static_cast<unsigned>(protocols.size()));
    auto [a, b] = stream_pair();
    auto left = probe.open(std::move(a));
    auto right = s->accept(std::move(b));
    const auto outcome = run(left, right);
    if (!outcome.client.empty()) return outcome.client;
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(probe.raw, &chosen, &size);
    return std::string(reinterpret_cast<const char*>(chosen), size);
  };
  EXPECT_EQ(offer("\x08http/1.1"), "http/1.1");
  EXPECT_EQ(offer("\x02h2\x08http/1.1"), "http/1.1");
  EXPECT_EQ(offer(""), "");
  EXPECT_EQ(offer("\x02h2"), "peer sent alert: no application protocol");
}

TEST_F(TlsTest, OurClientSendsServerNameAndAlpn) {
  const auto files = authority_.issue("server", "DNS:backend.example,IP:127.0.0.1");
  struct Seen {
    std::string name, alpn;
  } seen;
  Probe probe(TLS_server_method());
  ASSERT_EQ(SSL_CTX_use_certificate_file(probe.context.get(), files.certificate.c_str(), SSL_FILETYPE_PEM), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey_file(probe.context.get(), files.key.c_str(), SSL_FILETYPE_PEM), 1);
  SSL_CTX_set_alpn_select_cb(
      probe.context.get(),
      [](SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
         void* to) {
        auto& record = *static_cast<Seen*>(to);
        const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        record.name = name != nullptr ? name : "(none)";
        record.alpn.assign(reinterpret_cast<const char*>(in), in_size);
        *out = in + 1;
        *out_size = in[0];
        return SSL_TLSEXT_ERR_OK;
      },
      &seen);
  const auto connect = [&](const std::string& host) {
    auto [a, b] = stream_pair();
    auto left = client(trusting(), host)->connect(std::move(a));
    SSL* ssl = SSL_new(probe.context.get());
    SSL_set_accept_state(ssl);
    Transport right(std::move(b), ssl);
    EXPECT_EQ(run(left, right).client, "");
  };
  connect("backend.example");
  EXPECT_EQ(seen.name, "backend.example");
  EXPECT_EQ(seen.alpn, "\x08http/1.1");
  connect("127.0.0.1");
  EXPECT_EQ(seen.name, "(none)");  // RFC 6066 §3: no literals in SNI
}

TEST_F(TlsTest, OldVersionsAndWeakCiphersAreRefused) {
  const auto s = server(authority_.issue("server", "DNS:localhost"));
  const auto attempt = [&](int version, const char* ciphers) {
    Probe probe(TLS_client_method());
    SSL_CTX_set_security_level(probe.context.get(), 0);
    SSL_CTX_set_min_proto_version(probe.context.get(), version);
    SSL_CTX_set_max_proto_version(probe.context.get(), version);
    if (ciphers != nullptr) {
      EXPECT_EQ(SSL_CTX_set_cipher_list(probe.context.get(), ciphers), 1) << ciphers;
    }
    auto [a, b] = stream_pair();
    auto left = probe.open(std::move(a));
    auto right = s->accept(std::move(b));
    return run(left, right).client;
  };
  EXPECT_EQ(attempt(TLS1_3_VERSION, nullptr), "");
  EXPECT_EQ(attempt(TLS1_2_VERSION, nullptr), "");
  EXPECT_EQ(attempt(TLS1_1_VERSION, "ALL:@SECLEVEL=0"), "peer sent alert: protocol version");
  EXPECT_NE(attempt(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA"), "");
}

TEST_F(TlsTest, TicketsResume) {
  const TestAuthority clients(directory_, "clients");
  const auto s = server(authority_.issue("server", "DNS:localhost"), clients.ca_file());
  const auto files = clients.issue("alice", "");
  Probe probe(TLS_client_method());
  ASSERT_EQ(SSL_CTX_use_certificate_file(probe.context.get(), files.certificate.c_str(), SSL_FILETYPE_PEM), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey_file(probe.context.get(), files.key.c_str(), SSL_FILETYPE_PEM), 1);
  SSL_SESSION* session = nullptr;
  for (const bool resumed : {false, true}) {
    auto [a, b] = stream_pair();
    auto left = probe.open(std::move(a));
    if (session != nullptr) SSL_set_session(probe.raw, session);
    auto right = s->accept(std::move(b));
    const auto outcome = run(left, right);
    EXPECT_EQ(outcome.client, "");
    EXPECT_EQ(outcome.server, "");
    EXPECT_EQ(SSL_session_reused(probe.raw) != 0, resumed);
    SSL_SESSION_free(session);
    session = SSL_get1_session(probe.raw);
    left.shutdown_write();
  }
  SSL_SESSION_free(session);
}

TEST_F(TlsTest, AReloadTouchesNewSessionsOnly) {
  auto first = server(authority_.issue("first", "DNS:localhost"));
  const auto c = client(trusting(), "localhost");
  auto [a, b] = stream_pair();
  auto left = c->connect(std::move(a));
  auto right = first->accept(std::move(b));
  ASSERT_EQ(run(left, right).client, "");
  const std::weak_ptr<const ServerContext> gone = first;
  first.reset();
  EXPECT_TRUE(gone.expired());
  ASSERT_EQ(left.write(base::as_bytes("still here")).state, Io::ok);
  base::Byte buffer[100];
  EXPECT_EQ(right.read(buffer).bytes, 10U);
}

TEST_F(TlsTest, ErrorsNameTheFileAndTheReason) {
  const auto files = authority_.issue("server", "DNS:localhost");
  const auto other = authority_.issue("other", "DNS:localhost");
  const auto garbage = directory_.file("garbage.pem");
  std::ofstream(garbage) << "hello\n";
  const auto missing = directory_.file("missing.pem");
  const auto why = [](const ServerTls& from) {
    const auto made = ServerContext::load(from);
    return made ? "loaded" : made.error().message;
  };
  EXPECT_EQ(why({missing, files.key, ""}), missing + ": cannot read the certificate: no such file or directory");
  EXPECT_EQ(why({garbage, files.key, ""}), garbage + ": cannot read the certificate: no start line");
  EXPECT_EQ(why({files.certificate, missing, ""}),
            missing + ": cannot read the private key: no such file or directory");
  EXPECT_EQ(why({files.certificate, other.key, ""}),
            files.certificate + " and " + other.key + ": the key is not the certificate's");
  EXPECT_EQ(why({files.certificate, files.key, missing}),
            missing + ": cannot read the client CA: no such file or directory");
  EXPECT_NE(why({files.certificate, files.key, garbage}).find(garbage + ": cannot read the client CA: "),
            std::string::npos);
  EXPECT_EQ(why({files.certificate, files.certificate, ""}).find(files.certificate + ": cannot read the private key: "),
            0U);

  EXPECT_EQ(why({"/dev/zero", files.key, ""}), "/dev/zero: cannot read the certificate: not a regular file");

  const auto client_why = [](const ClientTls& from, const std::string& host) {
    const auto made = ClientContext::load(from, host);
    return made ? "loaded" : made.error().message;
  };
  ClientTls options;
  options.ca = missing;
  EXPECT_EQ(client_why(options, "localhost"), missing + ": cannot read the CA: no such file or directory");
  options = {};
  options.certificate = files.certificate;
  EXPECT_EQ(client_why(options, "localhost"), "a client certificate needs both tls.certificate and tls.key");
  EXPECT_NE(client_why({}, "").find("tls.server_name"), std::string::npos);
}

TEST_F(TlsTest, AnEncryptedKeyFailsWithoutAskingForAPassphrase) {
  const auto files = authority_.issue("server", "DNS:localhost");
  const auto encrypted = directory_.file("encrypted.key");
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  {
    const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(encrypted.c_str(), "w"), BIO_free);
    unsigned char word[] = "secret";
    ASSERT_EQ(PEM_write_bio_PrivateKey(file.get(), key.get(), EVP_aes_128_cbc(), word, 6, nullptr, nullptr), 1);
  }
  const auto made = ServerContext::load({files.certificate, encrypted, ""});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message.find(encrypted + ": cannot read the private key: "), 0U) << made.error().message;
}

}  // namespace
}  // namespace sockeye::proxy
