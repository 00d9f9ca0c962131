#include "tls_keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace sockeye::tap {
namespace {

constexpr std::size_t tag_size = 16;
constexpr std::size_t aes_block = 16;

constexpr auto gcm = TlsCipher::aes_gcm;
constexpr auto chacha = TlsCipher::chacha20_poly1305;
constexpr auto cbc = TlsCipher::aes_cbc;
constexpr auto sha1 = TlsHash::sha1;
constexpr auto sha256 = TlsHash::sha256;
constexpr auto sha384 = TlsHash::sha384;

// https://www.iana.org/assignments/tls-parameters; how keys are exchanged makes no difference here.
constexpr TlsSuite suites[] = {
    {0x1301, gcm, 16, sha256, sha256},    {0x1302, gcm, 32, sha384, sha384},    {0x1303, chacha, 32, sha256, sha256},
    {0xc02b, gcm, 16, sha256, sha256},    {0xc02f, gcm, 16, sha256, sha256},    {0xc02c, gcm, 32, sha384, sha384},
    {0xc030, gcm, 32, sha384, sha384},    {0xcca8, chacha, 32, sha256, sha256}, {0xcca9, chacha, 32, sha256, sha256},
    {0xccaa, chacha, 32, sha256, sha256}, {0xccab, chacha, 32, sha256, sha256}, {0xccac, chacha, 32, sha256, sha256},
    {0xccad, chacha, 32, sha256, sha256}, {0x009c, gcm, 16, sha256, sha256},    {0x009d, gcm, 32, sha384, sha384},
    {0x009e, gcm, 16, sha256, sha256},    {0x009f, gcm, 32, sha384, sha384},    {0x00a8, gcm, 16, sha256, sha256},
    {0x00a9, gcm, 32, sha384, sha384},    {0xd001, gcm, 16, sha256, sha256},    {0xd002, gcm, 32, sha384, sha384},
    {0xc023, cbc, 16, sha256, sha256},    {0xc027, cbc, 16, sha256, sha256},    {0xc024, cbc, 32, sha384, sha384},
    {0xc028, cbc, 32, sha384, sha384},    {0x003c, cbc, 16, sha256, sha256},    {0x003d, cbc, 32, sha256, sha256},
    {0x0067, cbc, 16, sha256, sha256},    {0x006b, cbc, 32, sha256, sha256},    {0xc009, cbc, 16, sha256, sha1},
    {0xc00a, cbc, 32, sha256, sha1},      {0xc013, cbc, 16, sha256, sha1},      {0xc014, cbc, 32, sha256, sha1},
    {0x002f, cbc, 16, sha256, sha1},      {0x0035, cbc, 32, sha256, sha1},      {0x0033, cbc, 16, sha256, sha1},
    {0x0039, cbc, 32, sha256, sha1},
};

const EVP_MD* digest(TlsHash hash) {
  switch (hash) {
    case TlsHash::sha1:
      return EVP_sha1();
    case TlsHash::sha384:
      return EVP_sha384();
    default:
      return EVP_sha256();
  }
}
std::size_t digest_size(TlsHash hash) { return hash == TlsHash::sha1 ? 20 : hash == TlsHash::sha384 ? 48 : 32; }

const EVP_CIPHER* evp_cipher(const TlsSuite& suite) {
  switch (suite.cipher) {
    case TlsCipher::aes_gcm:
      return suite.key_size == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
    case TlsCipher::chacha20_poly1305:
      return EVP_chacha20_poly1305();
    default:
      return suite.key_size == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
  }
}

using Mac = std::array<base::Byte, EVP_MAX_MD_SIZE>;

void hmac(TlsHash hash, base::Bytes key, base::Bytes data, Mac& out) {
  unsigned size = 0;
  HMAC(digest(hash), key.data(), static_cast<int>(key.size()), data.data(), data.size(), out.data(), &size);
}

void append(std::vector<base::Byte>& out, base::Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

// RFC 5246 §5
std::vector<base::Byte> prf(TlsHash hash, base::Bytes secret, std::string_view label, base::Bytes seed,
                            std::size_t size) {
  std::vector<base::Byte> labelled;
  append(labelled, base::as_bytes(label));
  append(labelled, seed);
  const auto width = digest_size(hash);
  std::vector<base::Byte> out;
  std::vector<base::Byte> a = labelled;
  Mac mac{};
  while (out.size() < size) {
    hmac(hash, secret, a, mac);
    a.assign(mac.begin(), mac.begin() + static_cast<std::ptrdiff_t>(width));
    auto block = a;
    append(block, labelled);
    hmac(hash, secret, block, mac);
    out.insert(out.end(), mac.begin(), mac.begin() + static_cast<std::ptrdiff_t>(width));
  }
  out.resize(size);
  return out;
}

// HKDF-Expand-Label with an empty context (RFC 8446 §7.1), of no more than one block of the hash.
std::vector<base::Byte> expand_label(TlsHash hash, base::Bytes secret, std::string_view label, std::size_t size) {
  std::vector<base::Byte> info = {0, static_cast<base::Byte>(size), static_cast<base::Byte>(6 + label.size())};
  append(info, base::as_bytes("tls13 "));
  append(info, base::as_bytes(label));
  info.push_back(0);
  info.push_back(1);  // the first block
  Mac mac{};
  hmac(hash, secret, info, mac);
  return {mac.begin(), mac.begin() + static_cast<std::ptrdiff_t>(size)};
}

void put_sequence(base::Byte* out, std::uint64_t sequence) {
  for (unsigned i = 0; i < 8; ++i) out[i] = static_cast<base::Byte>(sequence >> (56U - 8 * i));
}

}  // namespace

struct TlsKeys::Context {
  EVP_CIPHER_CTX* evp = EVP_CIPHER_CTX_new();
  Context() = default;
  ~Context() { EVP_CIPHER_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
};

const TlsSuite* find_suite(std::uint16_t id) {
  const auto* at = std::find_if(std::begin(suites), std::end(suites), [&](const TlsSuite& s) { return s.id == id; });
  return at == std::end(suites) ? nullptr : at;
}

KeyLog::Secret updated_secret(const TlsSuite& suite, const KeyLog::Secret& secret) {
  KeyLog::Secret out;
  out.assign(expand_label(suite.hash, secret.view(), "traffic upd", digest_size(suite.hash)));
  return out;
}

TlsKeys::TlsKeys(const TlsSuite& suite) : suite_(suite), context_(std::make_unique<Context>()) {}

TlsKeys::~TlsKeys() {
  OPENSSL_cleanse(iv_.data(), iv_.size());
  OPENSSL_cleanse(mac_key_.data(), mac_key_.size());
}

bool TlsKeys::set(base::Bytes key, base::Bytes iv, base::Bytes mac_key) {
  iv_.assign(iv.begin(), iv.end());
  mac_key_.assign(mac_key.begin(), mac_key.end());
  auto* evp = context_->evp;
  if (EVP_DecryptInit_ex(evp, evp_cipher(suite_), nullptr, key.data(), nullptr) != 1) return false;
  EVP_CIPHER_CTX_set_padding(evp, 0);
  return true;
}

std::unique_ptr<TlsKeys> TlsKeys::tls13(const TlsSuite& suite, const KeyLog::Secret& secret) {
  std::unique_ptr<TlsKeys> out(new TlsKeys(suite));
  out->version13_ = true;
  auto key = expand_label(suite.hash, secret.view(), "key", suite.key_size);
  auto iv = expand_label(suite.hash, secret.view(), "iv", 12);
  const bool good = out->set(key, iv, {});
  OPENSSL_cleanse(key.data(), key.size());
  OPENSSL_cleanse(iv.data(), iv.size());
  return good ? std::move(out) : nullptr;
}

TlsKeys::Pair TlsKeys::tls12(const TlsSuite& suite, base::Bytes master, const KeyLog::Random& client,
                             const KeyLog::Random& server, bool encrypt_then_mac) {
  const std::size_t mac_size = suite.cipher == cbc ? digest_size(suite.mac) : 0;
  const std::size_t iv_size = suite.cipher == gcm ? 4 : suite.cipher == chacha ? 12 : 0;
  std::vector<base::Byte> seed(server.begin(), server.end());
  seed.insert(seed.end(), client.begin(), client.end());
  auto block = prf(suite.hash, master, "key expansion", seed, 2 * (mac_size + suite.key_size + iv_size));
  base::Bytes rest = block;
  const auto take = [&](std::size_t n) {
    const auto out = rest.first(n);
    rest = rest.subspan(n);
    return out;
  };
  const auto client_mac = take(mac_size);
  const auto server_mac = take(mac_size);
  const auto client_key = take(suite.key_size);
  const auto server_key = take(suite.key_size);
  const auto client_iv = take(iv_size);
  const auto server_iv = take(iv_size);
  Pair out{std::unique_ptr<TlsKeys>(new TlsKeys(suite)), std::unique_ptr<TlsKeys>(new TlsKeys(suite))};
  out.client->encrypt_then_mac_ = out.server->encrypt_then_mac_ = encrypt_then_mac && suite.cipher == cbc;
  const bool good =
      out.client->set(client_key, client_iv, client_mac) && out.server->set(server_key, server_iv, server_mac);
  OPENSSL_cleanse(block.data(), block.size());
  return good ? std::move(out) : Pair{};
}

std::size_t TlsKeys::explicit_nonce() const { return !version13_ && suite_.cipher == gcm ? 8 : 0; }

std::optional<std::uint64_t> TlsKeys::plain_size(std::size_t size) const {
  const auto overhead = header_size + explicit_nonce() + tag_size;
  if (version13_ || suite_.cipher == cbc || size < overhead) return std::nullopt;  // padding
  return size - overhead;
}

std::optional<TlsKeys::Plain> TlsKeys::open(std::uint64_t sequence, base::Bytes record,
                                            std::vector<base::Byte>& scratch) {
  if (record.size() < header_size || record.size() > max_record) return std::nullopt;
  if (scratch.size() < max_record) scratch.resize(max_record);
  return suite_.cipher == cbc ? open_cbc(sequence, record, scratch) : open_aead(sequence, record, scratch);
}

std::optional<TlsKeys::Plain> TlsKeys::open_aead(std::uint64_t sequence, base::Bytes record,
                                                 std::vector<base::Byte>& scratch) {
  const auto header = record.first(header_size);
  auto body = record.subspan(header_size);
  if (body.size() < explicit_nonce() + tag_size) return std::nullopt;
  std::array<base::Byte, 12> nonce{};
  std::copy(iv_.begin(), iv_.end(), nonce.begin());
  if (explicit_nonce() != 0) {
    std::copy_n(body.begin(), 8, nonce.begin() + 4);
    body = body.subspan(8);
  } else {
    std::array<base::Byte, 8> number{};
    put_sequence(number.data(), sequence);
    for (std::size_t i = 0; i < number.size(); ++i) nonce[4 + i] ^= number[i];
  }
  const auto cipher = body.first(body.size() - tag_size);
  const auto tag = body.last(tag_size);

  std::array<base::Byte, 13> additional{};
  std::size_t additional_size = header_size;
  if (version13_) {
    std::copy(header.begin(), header.end(), additional.begin());
  } else {
    put_sequence(additional.data(), sequence);
    std::copy_n(header.begin(), 3, additional.begin() + 8);
    additional[11] = static_cast<base::Byte>(cipher.size() >> 8U);
    additional[12] = static_cast<base::Byte>(cipher.size());
    additional_size = additional.size();
  }
  auto* evp = context_->evp;
  int size = 0;
  int rest = 0;
  std::array<base::Byte, tag_size> expected{};
  std::copy(tag.begin(), tag.end(), expected.begin());
  if (EVP_DecryptInit_ex(evp, nullptr, nullptr, nullptr, nonce.data()) != 1 ||
      EVP_DecryptUpdate(evp, nullptr, &size, additional.data(), static_cast<int>(additional_size)) != 1 ||
      EVP_DecryptUpdate(evp, scratch.data(), &size, cipher.data(), static_cast<int>(cipher.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(evp, EVP_CTRL_AEAD_SET_TAG, tag_size, expected.data()) != 1 ||
      EVP_DecryptFinal_ex(evp, scratch.data() + size, &rest) != 1) {
    return std::nullopt;
  }
  Plain out{header[0], {scratch.data(), static_cast<std::size_t>(size)}};
  if (!version13_) return out;
  while (!out.bytes.empty() && out.bytes.back() == 0) out.bytes = out.bytes.first(out.bytes.size() - 1);  // padding
  if (out.bytes.empty()) return std::nullopt;
  out.type = out.bytes.back();
  out.bytes = out.bytes.first(out.bytes.size() - 1);
  return out;
}

std::optional<TlsKeys::Plain> TlsKeys::open_cbc(std::uint64_t sequence, base::Bytes record,
                                                std::vector<base::Byte>& scratch) {
  const auto header = record.first(header_size);
  auto body = record.subspan(header_size);
  const auto mac_size = digest_size(suite_.mac);
  if (encrypt_then_mac_) {
    if (body.size() < mac_size) return std::nullopt;
    const auto mac = body.last(mac_size);
    body = body.first(body.size() - mac_size);
    if (!right_mac(sequence, header, body, mac)) return std::nullopt;
  }
  if (body.size() < 2 * aes_block || body.size() % aes_block != 0) return std::nullopt;
  const auto cipher = body.subspan(aes_block);
  if (!decrypt_cbc(body.first(aes_block), cipher, scratch.data())) return std::nullopt;
  base::Bytes plain{scratch.data(), cipher.size()};
  const std::size_t padding = plain.back() + std::size_t{1};
  if (padding > plain.size()) return std::nullopt;
  plain = plain.first(plain.size() - padding);
  if (!encrypt_then_mac_) {
    if (plain.size() < mac_size) return std::nullopt;
    const auto mac = plain.last(mac_size);
    plain = plain.first(plain.size() - mac_size);
    if (!right_mac(sequence, header, plain, mac)) return std::nullopt;
  }
  return Plain{header[0], plain};
}

bool TlsKeys::decrypt_cbc(base::Bytes iv, base::Bytes in, base::Byte* out) {
  auto* evp = context_->evp;
  int size = 0;
  return EVP_DecryptInit_ex(evp, nullptr, nullptr, nullptr, iv.data()) == 1 &&
         EVP_DecryptUpdate(evp, out, &size, in.data(), static_cast<int>(in.size())) == 1 &&
         static_cast<std::size_t>(size) == in.size();
}

bool TlsKeys::right_mac(std::uint64_t sequence, base::Bytes header, base::Bytes content, base::Bytes mac) const {
  std::vector<base::Byte> data(13);
  put_sequence(data.data(), sequence);
  std::copy_n(header.begin(), 3, data.begin() + 8);
  data[11] = static_cast<base::Byte>(content.size() >> 8U);
  data[12] = static_cast<base::Byte>(content.size());
  append(data, content);
  Mac expected{};
  hmac(suite_.mac, mac_key_, data, expected);
  return CRYPTO_memcmp(expected.data(), mac.data(), mac.size()) == 0;
}

}  // namespace sockeye::tap
