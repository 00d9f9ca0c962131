#include "sockeye/net/secret.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "sockeye/files/read.h"

namespace sockeye::net {
namespace {

constexpr std::size_t longest_token = 4096;
constexpr std::size_t largest_token_file = 64 * 1024;

}  // namespace

std::string hex_digest(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string out;
  for (const auto byte : digest) {
    out += hex[byte >> 4U];
    out += hex[byte & 15U];
  }
  return out;
}

bool same_secret(std::string_view offered, std::string_view expected) {
  const auto x = hex_digest(offered);
  const auto y = hex_digest(expected);
  return ::CRYPTO_memcmp(x.data(), y.data(), x.size()) == 0;
}

base::Result<std::string> read_token(const std::string& file) {
  const auto content = files::read_secret(file, largest_token_file);
  if (!content) return base::fail(file + ": cannot be read: " + content.error().message);
  std::string_view text = *content;
  text = text.substr(0, text.find('\n'));
  constexpr std::string_view space = " \t\r";
  const auto first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return base::fail(file + ": holds no token");
  text = text.substr(first, text.find_last_not_of(space) + 1 - first);
  if (text.size() > longest_token ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; }))
    return base::fail(file + ": the token is not one line of at most 4096 printable characters");
  return std::string(text);
}

}  // namespace sockeye::net
