#include "sockeye/base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace sockeye::base {
namespace {

constexpr std::size_t longest_zone = 15;  // IFNAMSIZ less its end

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// A name or an IPv4 literal. Names are checked by whoever resolves them; here only what would turn up in a header or a
// log line is kept out.
bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
  });
}

bool is_v6(std::string_view text) {
  const auto percent = text.find('%');
  if (percent != std::string_view::npos) {
    const auto zone = text.substr(percent + 1);
    if (zone.size() > longest_zone || !is_host(zone)) return false;
  }
  in6_addr probe{};
  return ::inet_pton(AF_INET6, std::string(text.substr(0, percent)).c_str(), &probe) == 1;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return port;
}

std::string bracketed(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

}  // namespace

std::string HostPort::text() const { return bracketed(host) + ":" + std::to_string(port); }

Result<HostPort> parse_host_port(std::string_view text, std::optional<std::uint16_t> default_port,
                                 std::string_view forms) {
  const auto instead = [&] { return "; write " + std::string(forms); };
  HostPort out;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return fail("no ] after the IPv6 address");
    out.host = text.substr(1, close - 1);
    if (!is_v6(out.host)) return fail("not an IPv6 address in the brackets");
    rest = text.substr(close + 1);
  } else {
    const auto colon = text.rfind(':');
    if (colon != std::string_view::npos && text.find(':') != colon)
      return fail("an IPv6 address goes in brackets" + instead());
    out.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
    if (!out.host.empty() && !is_host(out.host)) return fail("not a host name");
  }
  if (rest.empty()) {
    if (!default_port) return fail("no port" + instead());
    out.port = *default_port;
    return out;
  }
  if (rest.front() != ':') return fail("text after the ]" + instead());
  const auto port = parse_port(rest.substr(1));
  if (!port) return fail("the port is not a number from 0 to 65535");
  out.port = *port;
  return out;
}

std::string Url::authority() const { return bracketed(host) + (port ? ":" + std::to_string(*port) : ""); }

Result<Url> parse_url(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; }))
    return fail("a character that must be percent-encoded");
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos || scheme_end == 0) return fail("no scheme such as http://");
  Url out;
  for (const char c : text.substr(0, scheme_end)) out.scheme += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  text.remove_prefix(scheme_end + 3);
  text = text.substr(0, text.find('#'));
  std::string_view authority = text.substr(0, text.find_first_of("/?"));
  text.remove_prefix(authority.size());
  if (const auto question = text.find('?'); question != std::string_view::npos) {
    out.query = text.substr(question + 1);
    text = text.substr(0, question);
  }
  out.path = text;
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    out.user_info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  const auto parsed = parse_host_port(authority, 0, "host, host:port or [v6]:port");
  if (!parsed) return tl::unexpected(parsed.error());
  if (parsed->host.empty()) return fail("no host");
  out.host = parsed->host;
  if (authority.find(':', authority.find(']') + 1) != std::string_view::npos) out.port = parsed->port;
  return out;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || (host.starts_with("127.") && is_host(host));
}

}  // namespace sockeye::base
