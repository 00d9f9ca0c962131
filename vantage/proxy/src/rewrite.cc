#include "rewrite.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "routing.h"
#include "sockeye/base/text.h"
#include "sockeye/wire/extensions.h"

namespace sockeye::proxy {
namespace {

using model::iequals;

constexpr std::array<std::string_view, 9> hop_by_hop = {
    "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate",       "Proxy-Authorization",
    "TE",         "Upgrade",    "HTTP2-Settings",   "Proxy-Authentication-Info"};

// End-to-end fields that Connection cannot remove, though it may name them. The X- ones are what proxies in front tell
// an application about its client.
constexpr std::array<std::string_view, 14> kept_prefixes = {
    "Accept", "Access-Control-", "Content-",  "If-",   "Sec-",       "X-Auth", "X-Client-",
    "X-User", "X-Forwarded-",    "X-Remote-", "X-B3-", "X-Request-", "X-SSL-", "WWW-"};
constexpr std::array<std::string_view, 27> kept = {
    "Authorization",     "B3",          "Baggage", "Cache-Control", "Cookie",      "Date",        "ETag",
    "Expires",           "Forwarded",   "Host",    "Last-Modified", "Location",    "Origin",      "Range",
    "Referer",           "Retry-After", "Server",  "Set-Cookie",    "Traceparent", "Tracestate",  "Trailer",
    "Transfer-Encoding", "User-Agent",  "Vary",    "X-Real-IP",     "Expect",      "Max-Forwards"};

template <std::size_t N>
bool listed(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view each) { return iequals(each, name); });
}

bool has_prefix(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() && iequals(name.substr(0, prefix.size()), prefix);
}

// Servers that hand fields on as variables (CGI, WSGI, PHP) read "_" and "-" as the same (RFC 3875 §4.1.18).
bool like(std::string_view name, std::string_view wanted) {
  return name.size() == wanted.size() && std::equal(name.begin(), name.end(), wanted.begin(), [](char a, char b) {
           return iequals({&b, 1}, a == '_' ? std::string_view("-") : std::string_view(&a, 1));
         });
}

// What says who the client is and how it came.
bool tells_the_way(std::string_view name) {
  constexpr std::string_view prefix = "X-Forwarded-";
  return like(name, "Forwarded") || like(name, "X-Real-IP") || like(name.substr(0, prefix.size()), prefix);
}

bool end_to_end(std::string_view name) {
  return listed(kept, name) ||
         std::any_of(kept_prefixes.begin(), kept_prefixes.end(), [&](auto each) { return has_prefix(name, each); });
}

// The fields Connection names. Bounded: no honest one names more, and each costs a comparison with every field.
class Named {
 public:
  explicit Named(const model::HttpHead& head) {
    for (const auto& field : head.fields) {
      if (!iequals(field.name, "Connection")) continue;
      std::string_view rest = field.value;
      while (!rest.empty() && size_ < names_.size()) {
        const auto comma = std::min(rest.find(','), rest.size());
        const auto name = base::trim(rest.substr(0, comma));
        if (!name.empty() && !listed(hop_by_hop, name) && !iequals(name, "close") && !end_to_end(name))
          names_[size_++] = name;
        rest.remove_prefix(std::min(comma + 1, rest.size()));
      }
    }
  }
  [[nodiscard]] bool has(std::string_view name) const {
    const auto used = std::span(names_).first(size_);
    return std::any_of(used.begin(), used.end(), [&](auto each) { return iequals(each, name); });
  }

 private:
  std::array<std::string_view, 32> names_;
  std::size_t size_ = 0;
};

[[maybe_unused]] bool clean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  assert(!name.empty() && clean(name) && clean(value));
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_listed(std::string& list, std::string_view value) {
  if (value.empty()) return;
  if (!list.empty()) list.append(", ");
  list.append(value);
}

bool replaced(std::span<const Field> fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(), [&](const Field& each) { return iequals(each.first, name); });
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

// RFC 7239 §4: a value is a token or a quoted-string. ":" and "[" are no token characters, so ports and IPv6 get
// quoted.
void append_forwarded_pair(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append("=");
  if (is_token(value)) {
    out.append(value);
    return;
  }
  out.push_back('"');
  for (const char c : value) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

std::string forwarded_element(const SocketAddress& peer, std::string_view host, bool tls) {
  const std::string address = peer.host();
  const bool v6 = address.find(':') != address.npos;
  std::string out;
  append_forwarded_pair(out, "for", address.empty() ? "unknown" : v6 ? "[" + address + "]" : address);
  if (!host.empty()) append_forwarded_pair(out.append(";"), "host", host);
  append_forwarded_pair(out.append(";"), "proto", tls ? "https" : "http");
  return out;
}

std::string upstream_authority(const Route& route) {
  const auto& address = route.upstream;
  if (!address.unix_path.empty()) return "localhost";
  std::string out = address.text();
  const std::string_view standard = route.upstream_tls ? ":443" : ":80";
  if (out.ends_with(standard)) out.resize(out.size() - standard.size());
  return out;
}

// What the client's side said about the path here, gathered while its fields go by.
struct Forwarding {
  std::string addresses;  // X-Forwarded-For
  std::string elements;   // Forwarded
  bool has_addresses = false;
  bool has_elements = false;
  bool has_proto = false;
  bool has_host = false;

  // True when the field is not to be passed on where it stands.
  bool take(const model::HttpField& field, ForwardedPolicy policy) {
    if (policy == ForwardedPolicy::off) return false;
    if (policy == ForwardedPolicy::replace) return tells_the_way(field.name) || iequals(field.name, "Trailer");
    if (iequals(field.name, "Forwarded")) {
      has_elements = true;
      append_listed(elements, field.value);
      return true;
    }
    if (iequals(field.name, "X-Forwarded-For")) {
      has_addresses = true;
      append_listed(addresses, field.value);
      return true;
    }
    has_proto |= iequals(field.name, "X-Forwarded-Proto");
    has_host |= iequals(field.name, "X-Forwarded-Host");
    return false;
  }

  void append(std::string& out, const RequestRewrite& how, std::string_view host) {
    // RFC 7239 §7.4: next to an X-Forwarded-For chain, a Forwarded that begins with us would hide the chain.
    if (has_elements || !has_addresses) {
      append_listed(elements, forwarded_element(*how.peer, host, how.tls));
      append_field(out, "Forwarded", elements);
    }
    append_listed(addresses, how.peer->host());
    if (!addresses.empty()) append_field(out, "X-Forwarded-For", addresses);
    if (!has_proto) append_field(out, "X-Forwarded-Proto", how.tls ? "https" : "http");
    if (!has_host && !host.empty()) append_field(out, "X-Forwarded-Host", host);
  }
};

}  // namespace

void append_request(std::string& out, const model::HttpHead& request, const Route& route, const RequestRewrite& how) {
  assert(how.peer != nullptr);
  const auto target =
      split_target(how.target.empty() ? request.target : how.target).value_or(RequestTarget{{}, "/", {}});
  const auto* host_field = request.find("Host");
  const std::string_view asked_host = !target.authority.empty() ? target.authority
                                      : host_field != nullptr   ? host_field->value
                                                                : std::string_view{};
  const std::string host =
      route.preserve_host && !asked_host.empty() ? std::string(asked_host) : upstream_authority(route);

  std::string_view prefix = route.upstream_path;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  out.append(request.method).append(" ");
  if (target.path != "*") out.append(prefix);
  if (prefix.empty() || target.path != "/") out.append(target.path);
  // HTTP/1.0 stays 1.0: a server must not answer with chunks that the client cannot read.
  out.append(target.query).append(request.version_minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  if (host_field == nullptr) append_field(out, "Host", host);

  const Named named(request);
  Forwarding forwarding;
  for (const auto& field : request.fields) {
    if (&field == host_field) {
      append_field(out, field.name, host);
      continue;
    }
    if (iequals(field.name, "Host") || listed(hop_by_hop, field.name) || named.has(field.name)) continue;
    if (forwarding.take(field, route.forwarded) || replaced(how.fields, field.name)) continue;
    if (how.decline_deflate && iequals(field.name, "Sec-WebSocket-Extensions")) {
      if (const auto offer = wire::without_deflate(field.value); !offer.empty()) append_field(out, field.name, offer);
      continue;
    }
    append_field(out, field.name, field.value);
  }
  if (route.forwarded != ForwardedPolicy::off) forwarding.append(out, how, asked_host);
  for (const auto& [name, value] : how.fields)
    if (!value.empty()) append_field(out, name, value);
  if (how.upgrade) {
    out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  } else if (how.close) {
    out.append("Connection: close\r\n");
  }
  out.append("\r\n");
}

namespace {

// Framing fields of an answer without a body. 1xx and 204 have none (RFC 9110 §8.6, RFC 9112 §6.1); a 304, and the
// answer to a HEAD, may tell the length that a GET would have had. A transfer coding is of one hop, and there is no
// body on ours.
bool frames_nothing(const model::HttpField& field, int status, bool head_request) {
  const bool bare = status < 200 || status == 204;
  if (iequals(field.name, "Content-Length")) return bare;
  return (bare || status == 304 || head_request) &&
         (iequals(field.name, "Transfer-Encoding") || iequals(field.name, "Trailer"));
}

}  // namespace

void append_response(std::string& out, const model::HttpHead& response, const ResponseRewrite& how) {
  assert(clean(response.reason));
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(response.reason).append("\r\n");
  const Named named(response);
  for (const auto& field : response.fields) {
    if (listed(hop_by_hop, field.name) || named.has(field.name) || replaced(how.fields, field.name)) continue;
    if (frames_nothing(field, response.status, how.head)) continue;
    append_field(out, field.name, field.value);
  }
  for (const auto& [name, value] : how.fields)
    if (!value.empty()) append_field(out, name, value);
  if (how.upgrade) {
    out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  } else if (how.close) {
    out.append("Connection: close\r\n");
  }
  out.append("\r\n");
}

}  // namespace sockeye::proxy
