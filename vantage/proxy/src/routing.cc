#include "routing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "sockeye/base/text.h"

namespace sockeye::proxy {
namespace {

constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
// RFC 3986 §2.3: the characters whose percent-encoding means the same as themselves.
constexpr bool is_unreserved(char c) {
  return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// ---- paths

enum class Decode { unreserved, all };

// Malformed escapes stay as they are. Under `unreserved` what must be encoded is, in upper case: bytes from 0x80 too,
// which devices send as they are.
std::string decode(std::string_view path, Decode what) {
  std::string out;
  out.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    const int high = path[i] == '%' && i + 2 < path.size() ? base::hex_digit(path[i + 1]) : -1;
    const int low = high >= 0 ? base::hex_digit(path[i + 2]) : -1;
    const char c = low < 0 ? path[i] : static_cast<char>(high * 16 + low);
    const auto byte = static_cast<unsigned char>(c);
    if (what == Decode::all || (low < 0 ? byte < 0x80 : is_unreserved(c))) {
      out.push_back(c);
    } else {
      constexpr std::string_view digits = "0123456789ABCDEF";
      out.push_back('%');
      out.push_back(digits[byte >> 4U]);
      out.push_back(digits[byte & 15U]);
    }
    if (low >= 0) i += 2;
  }
  return out;
}

enum class Dots { keep, remove };

// RFC 3986 §5.2.4, but climbing above the root is an answer of its own: none. `lenient` also merges empty segments and
// drops ";parameters" from each.
std::optional<std::string> segments(std::string_view path, bool lenient, Dots dots) {
  std::string out;
  std::vector<std::size_t> starts;  // of the segments in `out`, their "/" included
  bool directory = false;           // the path ends with "/" or a dot segment
  while (!path.empty()) {
    path.remove_prefix(1);  // "/"
    const auto slash = std::min(path.find('/'), path.size());
    auto segment = path.substr(0, slash);
    path.remove_prefix(slash);
    if (lenient) segment = segment.substr(0, segment.find(';'));
    directory = true;
    if (segment == ".." && dots == Dots::remove) {
      if (starts.empty()) return std::nullopt;
      out.resize(starts.back());
      starts.pop_back();
    } else if ((segment != "." || dots == Dots::keep) && !(lenient && segment.empty()) &&
               !(segment.empty() && path.empty())) {
      starts.push_back(out.size());
      out.push_back('/');
      out.append(segment);
      directory = false;
    }
  }
  if (directory || out.empty()) out.push_back('/');
  return out;
}

// All escapes decoded, "\\" as "/". None when it holds NUL, or is encoded more than three times over: a server that
// decodes twice is broken but exists; the rest is an attack.
std::optional<std::string> decode_leniently(std::string_view path) {
  std::string text = decode(path, Decode::all);
  for (int round = 0; text.find('%') != text.npos; ++round) {
    std::string again = decode(text, Decode::all);
    if (again == text) break;
    if (round == 3) return std::nullopt;
    text = std::move(again);
  }
  if (text.find('\0') != text.npos) return std::nullopt;
  std::replace(text.begin(), text.end(), '\\', '/');
  return text;
}

bool needs_readings(std::string_view path) {
  return path.find("//") != path.npos || path.find("/.") != path.npos ||
         std::any_of(path.begin(), path.end(),
                     [](char c) { return c == '%' || c == '\\' || c == ';' || static_cast<unsigned char>(c) >= 0x80; });
}

bool path_prefix(std::string_view pattern, std::string_view path) {
  if (!path.starts_with(pattern)) return false;
  return pattern.empty() || pattern.back() == '/' || path.size() == pattern.size() || path[pattern.size()] == '/';
}

// ---- hosts

// Without port and trailing dot, lower case. None when it holds what no host may: it goes on to an upstream and into
// fields.
std::optional<std::string> host_of(std::string_view authority) {
  for (const char c : authority)
    if (c <= ' ' || c == '\x7f' || static_cast<unsigned char>(c) >= 0x80 ||
        std::string_view("/\\@?#,\"<>{}|^`").find(c) != std::string_view::npos)
      return std::nullopt;
  std::string_view host = authority;
  if (host.starts_with('[')) {
    const auto close = host.find(']');
    if (close == host.npos) return std::nullopt;
    const auto rest = host.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    return lower(host.substr(0, close + 1));
  }
  if (const auto colon = host.find(':'); colon != host.npos) {
    const auto port = host.substr(colon + 1);
    if (!std::all_of(port.begin(), port.end(), is_digit)) return std::nullopt;
    host = host.substr(0, colon);
  }
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  return lower(host);
}

bool offers_subprotocol(const model::HttpHead& request, std::string_view wanted) {
  for (const auto& field : request.fields) {
    if (!model::iequals(field.name, "Sec-WebSocket-Protocol")) continue;
    std::string_view rest = field.value;
    for (;;) {
      const auto comma = rest.find(',');
      if (base::trim(rest.substr(0, comma)) == wanted) return true;
      if (comma == rest.npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

// ---- origins

int default_port(std::string_view scheme) {
  if (scheme == "http" || scheme == "ws") return 80;
  if (scheme == "https" || scheme == "wss") return 443;
  return 0;
}

struct OriginParts {
  std::string scheme, host;
  int port = -1;  // none given
};

// "[scheme://]host[:port]", all lower case. None when it is nothing of the kind.
std::optional<OriginParts> split_origin(std::string_view text) {
  OriginParts out;
  if (const auto colon = text.find("://"); colon != text.npos) {
    out.scheme = lower(text.substr(0, colon));
    text.remove_prefix(colon + 3);
    if (out.scheme.empty()) return std::nullopt;
  }
  auto host_size = text.size();
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  if (colon != text.npos && (bracket == text.npos || colon > bracket)) {
    const auto digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, port);
    if (error != std::errc{} || stop != end) return std::nullopt;
    out.port = port;
    host_size = colon;
  }
  const auto host = text.substr(0, host_size);
  if (host.empty() || !host_of(host)) return std::nullopt;
  out.host = lower(host);
  return out;
}

// ---- addresses in X-Forwarded-For

// "1.2.3.4", "1.2.3.4:5", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:5" → the literal in canonical spelling.
std::optional<std::string> forwarded_address(std::string_view text) {
  text = base::trim(text);
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == text.npos) return std::nullopt;
    text = text.substr(1, close - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  if (text.size() > 45) return std::nullopt;  // the longest IPv6 text
  Address address;
  address.host = text;
  const auto literal = literal_address(address);
  if (!literal) return std::nullopt;
  return literal->host();
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

std::optional<RequestTarget> split_target(std::string_view target) {
  RequestTarget out;
  if (target == "*") {
    out.path = target;
    return out;
  }
  if (target.empty() || target.find('#') != target.npos) return std::nullopt;
  if (target.front() != '/') {
    const auto colon = target.find("://");
    if (colon == target.npos || colon == 0 || !std::all_of(target.begin(), target.begin() + colon, is_alpha))
      return std::nullopt;
    target.remove_prefix(colon + 3);
    const auto end = std::min(target.find_first_of("/?"), target.size());
    out.authority = target.substr(0, end);
    target.remove_prefix(end);
    if (out.authority.empty() || out.authority.find('@') != out.authority.npos) return std::nullopt;
  }
  const auto question = std::min(target.find('?'), target.size());
  out.path = question == 0 ? std::string_view("/") : target.substr(0, question);
  out.query = target.substr(question);
  return out;
}

// ---- CompiledRoute

base::Result<CompiledRoute> CompiledRoute::compile(Route route) {
  CompiledRoute out;
  if (!route.match.host.empty()) {
    std::string_view pattern = route.match.host;
    out.host_suffix_ = pattern.starts_with("*.");
    if (out.host_suffix_) pattern.remove_prefix(1);
    const auto host = host_of(pattern);
    if (!host || host->empty() || host->find('*') != host->npos || *host == ".")
      return base::fail("match.host: \"" + route.match.host + "\": not a host name or *.suffix");
    out.host_ = *host;
  }
  if (!route.match.path.empty()) {
    const auto& path = route.match.path;
    const std::string where = "match.path: \"" + path + "\": ";
    if (path.front() != '/') return base::fail(where + "must begin with /");
    if (path.find_first_of("?#") != path.npos) return base::fail(where + "a path only, no query and no fragment");
    out.strict_path_ = decode(path, Decode::unreserved);
    const auto lenient = decode_leniently(path);
    if (!lenient || segments(out.strict_path_, false, Dots::remove) != out.strict_path_ ||
        segments(*lenient, true, Dots::remove) != segments(*lenient, true, Dots::keep))
      return base::fail(where + "must not contain . or .. segments");
    out.lenient_path_ = *segments(*lenient, true, Dots::keep);
  }
  for (const auto& text : route.origins) {
    if (text == "null") {
      out.origin_null_ = true;
      continue;
    }
    const auto parts = split_origin(text);
    const bool suffix = parts && parts->host.starts_with("*.");
    if (!parts || (parts->scheme.empty() && !suffix) || parts->host.find('*', suffix ? 1 : 0) != std::string::npos)
      return base::fail("origins: \"" + text + "\": not scheme://host[:port], *.suffix or null" +
                        (text == "*" ? "; leave origins out to allow any" : ""));
    Origin origin;
    origin.scheme = parts->scheme;
    origin.suffix = suffix;
    origin.host = suffix ? parts->host.substr(1) : parts->host;
    origin.port = parts->port >= 0 || parts->scheme.empty() ? parts->port : default_port(parts->scheme);
    out.origins_.push_back(std::move(origin));
  }
  for (const auto& text : route.trusted_proxies) {
    auto block = AddressBlock::parse(text);
    if (!block) return base::fail("trusted_proxies: " + block.error().message);
    out.trusted_.push_back(*block);
  }
  for (const auto& what : route.client_id)
    if (!names_identifier(what))
      return base::fail("client_id: \"" + what + "\": not header.NAME, query.NAME, cookie.NAME or subprotocol");
  if (!route.upstream_path.empty() && (route.upstream_path.front() != '/' || !printable(route.upstream_path)))
    return base::fail("upstream: the path must begin with / and hold no space or control character");
  if (!printable(route.upstream.host)) return base::fail("upstream: not a host name");
  while (route.upstream_path.ends_with('/')) route.upstream_path.pop_back();
  out.config_ = std::move(route);
  return out;
}

bool CompiledRoute::matches(std::string_view host, Reading reading, const model::HttpHead& request) const {
  if (!host_.empty() && !(host_suffix_ ? host.size() > host_.size() && host.ends_with(host_) : host == host_))
    return false;
  if (!path_prefix(reading.lenient ? lenient_path_ : strict_path_, reading.path)) return false;
  return config_.match.subprotocol.empty() || offers_subprotocol(request, config_.match.subprotocol);
}

bool CompiledRoute::origin_allowed(const model::HttpHead& request) const {
  if (config_.origins.empty()) return true;
  const model::HttpField* origin = nullptr;
  for (const auto& field : request.fields) {
    if (!model::iequals(field.name, "Origin")) continue;
    if (origin != nullptr) return false;
    origin = &field;
  }
  if (origin == nullptr) return true;
  if (origin->value == "null") return origin_null_;
  const auto parts = split_origin(origin->value);
  if (!parts || parts->scheme.empty()) return false;
  const int port = parts->port >= 0 ? parts->port : default_port(parts->scheme);
  return std::any_of(origins_.begin(), origins_.end(), [&](const Origin& allowed) {
    if (!allowed.scheme.empty() && allowed.scheme != parts->scheme) return false;
    if (allowed.port >= 0 && allowed.port != port) return false;
    if (!allowed.suffix) return allowed.host == parts->host;
    return parts->host.size() > allowed.host.size() && parts->host.ends_with(allowed.host);
  });
}

bool CompiledRoute::trusted(const SocketAddress& peer) const {
  return std::any_of(trusted_.begin(), trusted_.end(), [&](const AddressBlock& block) { return block.contains(peer); });
}

bool CompiledRoute::trusted(std::string_view ip_literal) const {
  return std::any_of(trusted_.begin(), trusted_.end(),
                     [&](const AddressBlock& block) { return block.contains(ip_literal); });
}

std::string CompiledRoute::client_address(const model::HttpHead& request, const SocketAddress& peer) const {
  std::string client = peer.host();
  if (trusted_.empty() || !trusted(peer)) return client;
  for (auto field = request.fields.rbegin(); field != request.fields.rend(); ++field) {
    if (!model::iequals(field->name, "X-Forwarded-For")) continue;
    std::string_view rest = field->value;
    for (;;) {
      const auto comma = rest.rfind(',');
      const auto item = base::trim(comma == rest.npos ? rest : rest.substr(comma + 1));
      if (!item.empty()) {  // empty elements of a list say nothing (RFC 9110 §5.6.1.2)
        const auto address = forwarded_address(item);
        if (!address) return client;  // "unknown", or a lie: what the last trusted proxy saw is as far as it goes
        client = *address;
        if (!trusted(client)) return client;
      }
      if (comma == rest.npos) break;
      rest = rest.substr(0, comma);
    }
  }
  return client;
}

// ---- RouteTable

base::Result<RouteTable> RouteTable::compile(const std::vector<Route>& routes) {
  RouteTable out;
  for (const auto& route : routes) {
    auto compiled = CompiledRoute::compile(route);
    if (!compiled) return base::fail("route " + route.name + ": " + compiled.error().message);
    out.routes_.push_back(std::move(*compiled));
  }
  return out;
}

RouteTable::Verdict RouteTable::match(const model::HttpHead& request) const {
  if (request.method == "CONNECT") return {-1, 405, "CONNECT is not supported"};
  const auto target = split_target(request.target);
  if (!target) return {-1, 400, "malformed request target"};

  const model::HttpField* host_field = nullptr;
  for (const auto& field : request.fields) {
    if (!model::iequals(field.name, "Host")) continue;
    if (host_field != nullptr) return {-1, 400, "more than one Host field"};
    host_field = &field;
  }
  if (host_field == nullptr && request.version_minor >= 1) return {-1, 400, "no Host field"};
  const auto host = host_of(!target->authority.empty() ? target->authority
                            : host_field != nullptr    ? host_field->value
                                                       : std::string_view{});
  if (!host || (host_field != nullptr && !host_of(host_field->value))) return {-1, 400, "malformed Host"};

  const auto find = [&](CompiledRoute::Reading reading) {
    for (std::size_t i = 0; i < routes_.size(); ++i)
      if (routes_[i].matches(*host, reading, request)) return static_cast<int>(i);
    return -1;
  };
  int index = -1;
  if (!needs_readings(target->path)) {
    index = find({target->path, false});
  } else {
    const auto encoded = decode(target->path, Decode::unreserved);
    const auto decoded = decode_leniently(target->path);
    const auto strict = segments(encoded, false, Dots::remove);
    const auto lenient = decoded ? segments(*decoded, true, Dots::remove) : std::nullopt;
    if (!strict || !lenient) return {-1, 400, "malformed path"};
    index = find({*strict, false});
    if (index != find({encoded, false}) || index != find({*lenient, true}) ||
        index != find({*segments(*decoded, true, Dots::keep), true}))
      return {-1, 400, "ambiguous path"};
  }
  if (index < 0) return {-1, 404, "no route for this host, path and subprotocol"};
  return {index, 0, {}};
}

}  // namespace sockeye::proxy
