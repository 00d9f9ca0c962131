// What protects the records of one direction: TLS 1.2 (RFC 5246, 5288, 7905, 7366) and TLS 1.3 (RFC 8446), for the
// cipher suites in use. Only ever decrypts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "key_log.h"
#include "sockeye/base/bytes.h"

namespace sockeye::tap {

enum class TlsCipher : std::uint8_t { aes_gcm, chacha20_poly1305, aes_cbc };
enum class TlsHash : std::uint8_t { sha1, sha256, sha384 };

struct TlsSuite {
  std::uint16_t id;
  TlsCipher cipher;
  std::uint8_t key_size;  // bytes
  TlsHash hash;           // of the PRF or HKDF
  TlsHash mac;            // aes_cbc: of the records
};
// nullptr: none that is understood.
[[nodiscard]] const TlsSuite* find_suite(std::uint16_t id);

// The next generation of a TLS 1.3 traffic secret (RFC 8446 §7.2).
[[nodiscard]] KeyLog::Secret updated_secret(const TlsSuite& suite, const KeyLog::Secret& secret);

class TlsKeys {
 public:
  static constexpr std::size_t header_size = 5;
  static constexpr std::size_t max_record = header_size + 16'384 + 2048;

  ~TlsKeys();
  TlsKeys(const TlsKeys&) = delete;
  TlsKeys& operator=(const TlsKeys&) = delete;

  // nullptr: OpenSSL has no such cipher (any more).
  static std::unique_ptr<TlsKeys> tls13(const TlsSuite& suite, const KeyLog::Secret& secret);
  struct Pair {
    std::unique_ptr<TlsKeys> client;
    std::unique_ptr<TlsKeys> server;
  };
  static Pair tls12(const TlsSuite& suite, base::Bytes master, const KeyLog::Random& client,
                    const KeyLog::Random& server, bool encrypt_then_mac);

  struct Plain {
    std::uint8_t type = 0;  // content type
    base::Bytes bytes;      // in `scratch`
  };
  // A whole record, its header too, as the `sequence`th under these keys. None: it is not, or was tampered with.
  std::optional<Plain> open(std::uint64_t sequence, base::Bytes record, std::vector<base::Byte>& scratch);

  // How many bytes a record of `size` (with its header) protects, when its size alone says so.
  [[nodiscard]] std::optional<std::uint64_t> plain_size(std::size_t size) const;

 private:
  struct Context;
  explicit TlsKeys(const TlsSuite& suite);
  bool set(base::Bytes key, base::Bytes iv, base::Bytes mac_key);
  std::optional<Plain> open_aead(std::uint64_t sequence, base::Bytes record, std::vector<base::Byte>& scratch);
  std::optional<Plain> open_cbc(std::uint64_t sequence, base::Bytes record, std::vector<base::Byte>& scratch);
  bool decrypt_cbc(base::Bytes iv, base::Bytes in, base::Byte* out);
  [[nodiscard]] bool right_mac(std::uint64_t sequence, base::Bytes header, base::Bytes content, base::Bytes mac) const;
  // Bytes of each record's nonce that it carries itself.
  [[nodiscard]] std::size_t explicit_nonce() const;

  TlsSuite suite_;
  bool version13_ = false;
  bool encrypt_then_mac_ = false;
  std::unique_ptr<Context> context_;
  std::vector<base::Byte> iv_;
  std::vector<base::Byte> mac_key_;
};

}  // namespace sockeye::tap
