// Certificates for tests, made when a test runs: no private key is ever committed. P-256, so that making one takes
// under a millisecond. Files go to a directory that the object removes.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace sockeye::proxy::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sockeye-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct CertificateFiles {
  std::string certificate;  // PEM: the leaf, then its issuer when asked for
  std::string key;
};

// A certificate authority of its own.
class TestAuthority {
 public:
  explicit TestAuthority(const TemporaryDirectory& directory, const std::string& name = "ca")
      : directory_(directory), name_(name), key_(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate_(nullptr, X509_free) {
    certificate_ = make(name, key_.get(), nullptr, "", 365);
    write_certificate(ca_file(), certificate_.get());
  }

  [[nodiscard]] std::string ca_file() const { return directory_.file(name_ + ".crt"); }

  // `names`: OpenSSL's subjectAltName syntax, "DNS:localhost,IP:127.0.0.1"; "" = none (client certificates).
  // `days`: of validity from an hour ago; negative = expired.
  CertificateFiles issue(const std::string& name, const std::string& names, int days = 30) const {
    const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const auto certificate = make(name, key.get(), this, names, days);
    CertificateFiles out{directory_.file(name + ".crt"), directory_.file(name + ".key")};
    write_certificate(out.certificate, certificate.get());
    const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(out.key.c_str(), "w"), BIO_free);
    if (!file || PEM_write_bio_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
      throw std::runtime_error("cannot write " + out.key);
    return out;
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  static void extend(X509* certificate, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    if (extension == nullptr) throw std::runtime_error("bad extension " + value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  static void write_certificate(const std::string& path, X509* certificate) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "w"), BIO_free);
    if (!file || PEM_write_bio_X509(file.get(), certificate) != 1) throw std::runtime_error("cannot write " + path);
  }

  // `issuer` null: signs itself, an authority.
  static Certificate make(const std::string& name, EVP_PKEY* key, const TestAuthority* issuer, const std::string& names,
                          int days) {
    static long serial = 1;
    Certificate out(X509_new(), X509_free);
    X509* certificate = out.get();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), days < 0 ? -86400L * 30 : -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400L * days);
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(certificate, issuer != nullptr ? X509_get_subject_name(issuer->certificate_.get()) : subject);
    extend(certificate, NID_basic_constraints, issuer != nullptr ? "CA:FALSE" : "critical,CA:TRUE");
    if (!names.empty()) extend(certificate, NID_subject_alt_name, names);
    if (X509_sign(certificate, issuer != nullptr ? issuer->key_.get() : key, EVP_sha256()) == 0)
      throw std::runtime_error("cannot sign " + name);
    return out;
  }

  const TemporaryDirectory& directory_;
  std::string name_;
  Key key_;
  Certificate certificate_;
};

}  // namespace sockeye::proxy::test
