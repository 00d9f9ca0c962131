#include "guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "parameters.h"
#include "read_json.h"
#include "sockeye/net/secret.h"

namespace sockeye::console {
namespace {

constexpr std::size_t most_buckets = 8192;
constexpr std::string_view cookie_name = "sockeye_token";
constexpr double wrong_login_cost = 40;  // of requests_per_second: at 200, five guesses a second

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

bool is_address(const std::string& name) {
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

std::string_view cookie(const Request& request) {
  for (const auto& [name, value] : request.fields) {
    if (name != "cookie") continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      std::string_view pair = rest.substr(0, rest.find(';'));
      rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
      while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
      if (pair.starts_with(cookie_name) && pair.size() > cookie_name.size() && pair[cookie_name.size()] == '=')
        return pair.substr(cookie_name.size() + 1);
    }
  }
  return {};
}

std::string set_cookie(const Request& request, std::string_view value, std::string_view age) {
  return std::string(cookie_name) + "=" + std::string(value) +
         "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::string(age) + (request.tls ? "; Secure" : "");
}

}  // namespace

std::string host_name(std::string_view host) {
  if (!host.empty() && host.front() == '[') {
    const auto end = host.find(']');
    return std::string(host.substr(1, end == std::string_view::npos ? end : end - 1));
  }
  return lower(host.substr(0, host.find(':')));
}

Guard::Guard(GuardOptions options) : options_(std::move(options)) {
  // The bound is checked before it grows past it.
  buckets_.reserve(1024);
}

std::optional<Response> Guard::host(const Request& request) const {
  const std::string name = host_name(request.field("host"));
  const auto allowed = [&](const std::string& each) { return each == "*" || lower(each) == name; };
  if (name.empty() || name == "localhost" || is_address(name) ||
      std::any_of(options_.hosts.begin(), options_.hosts.end(), allowed))
    return std::nullopt;
  return error_response(403, "this console does not answer to the name \"" + name +
                                 "\": ask by address or as localhost, or start it with --host " + name);
}

std::optional<Response> Guard::origin(const Request& request) const {
  const std::string_view origin = request.field("origin");
  const std::string_view site = request.field("sec-fetch-site");
  if (origin.empty()) {
    if (site.empty() || site == "same-origin" || site == "none") return std::nullopt;
  } else if (origin == std::string(request.tls ? "https://" : "http://") + std::string(request.field("host"))) {
    return std::nullopt;
  }
  return error_response(403, "a page of another site may not do this");
}

bool Guard::right_token(std::string_view offered) const { return open() || net::same_secret(offered, options_.token); }

std::optional<Response> Guard::token(const Request& request) const {
  if (open()) return std::nullopt;
  const std::string_view authorization = request.field("authorization");
  if (lower(authorization.substr(0, 7)) == "bearer ") {
    if (net::same_secret(authorization.substr(7), options_.token)) return std::nullopt;
  } else if (const auto given = cookie(request);
             !given.empty() && net::same_secret(given, net::hex_digest(options_.token))) {
    return std::nullopt;
  }
  Response out = error_response(401, "a token is needed: Authorization: Bearer TOKEN");
  out.fields.emplace_back("WWW-Authenticate", "Bearer");
  return out;
}

std::optional<Response> Guard::rate(const std::string& client_address, double cost) {
  const auto now = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  const double most = options_.requests_per_second * 2;
  const std::lock_guard lock(mutex_);
  // A full table forgets: addresses by the thousand are no single client's doing.
  if (buckets_.size() >= most_buckets) buckets_.clear();
  auto& bucket = buckets_.try_emplace(client_address, Bucket{most, now}).first->second;
  bucket.left =
      std::min(most, bucket.left + static_cast<double>(now - bucket.at_ns) / 1e9 * options_.requests_per_second);
  bucket.at_ns = now;
  if (bucket.left >= cost) {
    bucket.left -= cost;
    return std::nullopt;
  }
  Response out = error_response(429, "too many requests; try again in a second");
  out.fields.emplace_back("Retry-After", "1");
  return out;
}

Response Guard::login(const Request& request) {
  const auto offered = read_token(request.body);
  if (!offered) return error_response(400, R"(expected {"token": "..."})");
  if (!right_token(*offered)) {
    if (auto refused = rate(request.client_address, wrong_login_cost)) return *std::move(refused);
    return error_response(401, "this is not the token");
  }
  Response out;
  out.status = 204;
  // The digest, so that a stolen cookie file does not hold what opens the OTLP port.
  out.fields.emplace_back("Set-Cookie", set_cookie(request, net::hex_digest(options_.token), "2592000"));
  return out;
}

Response Guard::logout(const Request& request) {
  Response out;
  out.status = 204;
  out.fields.emplace_back("Set-Cookie", set_cookie(request, "", "0"));
  return out;
}

}  // namespace sockeye::console
