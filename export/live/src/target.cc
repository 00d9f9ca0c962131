#include "target.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "sockeye/live/messages.h"

namespace sockeye::live {
namespace {

constexpr std::size_t longest_token = 4096;

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value >= 1 && value <= 65'535;
}

}  // namespace

base::Result<Target> parse_target(std::string_view endpoint) {
  const auto bad = [&] {
    return base::fail("the console's endpoint is no URL such as http://127.0.0.1:16686: " +
                      std::string(endpoint.substr(0, 200)));
  };
  Target out;
  out.tls = endpoint.starts_with("https://");
  if (!out.tls && !endpoint.starts_with("http://")) return bad();
  std::string_view rest = endpoint.substr(out.tls ? 8 : 7);
  if (!std::all_of(rest.begin(), rest.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '?' && c != '#'; }))
    return bad();
  const std::string_view authority = rest.substr(0, rest.find('/'));
  rest.remove_prefix(authority.size());
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (authority.find('@') != std::string_view::npos)
    return base::fail("the console's endpoint holds a user name or password; use a token file");
  out.authority = authority;
  out.path = std::string(rest) + std::string(live::path);
  std::string_view host = authority, port = out.tls ? "443" : "80";
  const auto bracket = authority.rfind(']');
  if (const auto colon = authority.rfind(':');
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || !is_port(port)) return bad();
  out.host = host;
  out.port = port;
  return out;
}

base::Result<std::string> read_token(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return base::fail(file + ": cannot be read: " + std::generic_category().message(errno));
  std::array<char, longest_token + 2> content{};
  in.read(content.data(), content.size());
  std::string_view text(content.data(), static_cast<std::size_t>(in.gcount()));
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

}  // namespace sockeye::live
