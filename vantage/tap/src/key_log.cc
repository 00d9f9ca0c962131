#include "key_log.h"

#include <openssl/crypto.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "sockeye/base/text.h"
#include "sockeye/files/read.h"

namespace sockeye::tap {
namespace {

bool decode_hex(std::string_view hex, base::MutableBytes out) {
  if (hex.size() != 2 * out.size()) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = base::hex_digit(hex[2 * i]);
    const int low = base::hex_digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<base::Byte>(high << 4 | low);
  }
  return true;
}

struct Label {
  std::string_view name;
  KeyLog::Secret KeyLog::Secrets::*secret;
};
constexpr Label labels[] = {
    {"CLIENT_RANDOM", &KeyLog::Secrets::master},
    {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", &KeyLog::Secrets::client_handshake},
    {"SERVER_HANDSHAKE_TRAFFIC_SECRET", &KeyLog::Secrets::server_handshake},
    {"CLIENT_TRAFFIC_SECRET_0", &KeyLog::Secrets::client_traffic},
    {"SERVER_TRAFFIC_SECRET_0", &KeyLog::Secrets::server_traffic},
};

std::string_view next_word(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(line.size(), end + 1));
  return word;
}

void wipe_all(KeyLog::Secrets& secrets) {
  for (const auto& label : labels) (secrets.*label.secret).wipe();
}

}  // namespace

bool KeyLog::Secret::assign_hex(std::string_view hex) {
  if (hex.empty() || hex.size() % 2 != 0 || hex.size() > 2 * max) return false;
  size_ = static_cast<std::uint8_t>(hex.size() / 2);
  if (decode_hex(hex, {bytes_.data(), size_})) return true;
  wipe();
  return false;
}

void KeyLog::Secret::assign(base::Bytes bytes) {
  size_ = static_cast<std::uint8_t>(std::min(bytes.size(), max));
  std::copy_n(bytes.begin(), size_, bytes_.begin());
}

void KeyLog::Secret::wipe() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
  size_ = 0;
}

KeyLog::~KeyLog() {
  if (fd_ >= 0) ::close(fd_);
  for (auto& [random, secrets] : sessions_) wipe_all(secrets);
}

void KeyLog::add(base::Bytes lines) {
  auto text = base::as_text(lines);
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto piece = text.substr(0, end);
    if (partial_.size() + piece.size() > max_line) {
      if (!std::exchange(overlong_, true)) ++malformed_;
      partial_.clear();
    }
    if (!overlong_) partial_ += piece;
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
    if (!std::exchange(overlong_, false)) line(partial_);
    partial_.clear();
  }
}

void KeyLog::line(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  if (line.empty() || line.front() == '#') return;
  const auto name = next_word(line);
  const auto* label =
      std::find_if(std::begin(labels), std::end(labels), [&](const Label& l) { return l.name == name; });
  if (label == std::end(labels)) {  // of other versions, other uses; but it has to look like a line
    if (line.find(' ') == std::string_view::npos) ++malformed_;
    return;
  }
  Random random{};
  Secret secret;
  if (!decode_hex(next_word(line), random) || !secret.assign_hex(line)) {
    ++malformed_;
    return;
  }
  const auto [at, added] = sessions_.try_emplace(random);
  at->second.*label->secret = secret;
  secret.wipe();
  if (!added) return;
  order_.push_back(random);
  if (order_.size() <= max_sessions) return;
  const auto oldest = sessions_.find(order_.front());
  wipe_all(oldest->second);
  sessions_.erase(oldest);
  order_.pop_front();
  ++dropped_;
}

base::Result<void> KeyLog::follow(const std::string& path) {
  const auto opened = files::open(path);
  if (!opened) return base::fail(path + ": " + opened.error().message);
  return follow(*opened, path);
}

base::Result<void> KeyLog::follow(int descriptor, const std::string& path) {
  fd_ = descriptor;
  if (fd_ < 0) return base::fail(path + ": " + std::strerror(errno));
  std::array<char, 1> probe{};
  if (::pread(fd_, probe.data(), 1, 0) < 0 && errno == EISDIR) return base::fail(path + ": " + std::strerror(errno));
  growing_ = true;
  refresh();
  return {};
}

bool KeyLog::refresh() {
  if (fd_ < 0) return false;
  std::vector<base::Byte> buffer(64 * 1024);
  bool any = false;
  for (;;) {
    const auto got = ::read(fd_, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    any = true;
    add({buffer.data(), static_cast<std::size_t>(got)});
  }
  OPENSSL_cleanse(buffer.data(), buffer.size());
  return any;
}

const KeyLog::Secrets* KeyLog::find(const Random& client) const {
  const auto at = sessions_.find(client);
  return at == sessions_.end() ? nullptr : &at->second;
}

}  // namespace sockeye::tap
