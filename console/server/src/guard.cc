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

std::string_view words_for(unsigned wanted) {
  if (wanted == scope::report) return "to report";
  if (wanted == scope::export_spans) return "to export";
  return wanted == scope::act ? "to act" : "to read";
}

Response too_many() {
  Response out = error_response(429, "too many wrong tokens came from this address; try again in a few seconds");
  out.fields.emplace_back("Retry-After", "5");
  return out;
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

Guard::Guard(GuardOptions options) : options_(std::move(options)), guesses_(options_.log) {
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

unsigned Guard::scopes_of(std::string_view offered, bool digest) const {
  unsigned out = 0;
  for (const auto& each : options_.tokens)  // all of them, whichever it is
    if (net::same_secret(offered, digest ? net::hex_digest(each.secret) : each.secret)) out |= each.scopes;
  return out;
}

std::optional<Response> Guard::token(const Request& request, unsigned wanted) const {
  if (open()) return std::nullopt;
  const std::string_view authorization = request.field("authorization");
  const bool bearer = lower(authorization.substr(0, 7)) == "bearer ";
  // A cookie comes along with whatever a browser sends: it opens the page's own doors, not those of programs.
  const bool of_page = !bearer && (wanted & (scope::read | scope::act)) != 0;
  const std::string_view offered = bearer ? authorization.substr(7) : of_page ? cookie(request) : std::string_view();
  const unsigned scopes = offered.empty() ? 0 : scopes_of(offered, of_page);
  if (!offered.empty() && !guesses_.admit(request.client_address, scopes != 0, words_for(wanted))) return too_many();
  if ((scopes & wanted) != 0) return std::nullopt;
  if (scopes != 0) return error_response(403, "this token does not open what was asked for");
  Response out = error_response(401, "a token is needed: Authorization: Bearer TOKEN");
  out.fields.emplace_back("WWW-Authenticate", "Bearer");
  return out;
}

std::optional<Response> Guard::rate(const std::string& client_address) {
  const auto now = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  const double most = options_.requests_per_second * 2;
  const std::lock_guard lock(mutex_);
  // A full table forgets: addresses by the thousand are no single client's doing.
  if (buckets_.size() >= most_buckets) buckets_.clear();
  auto& bucket = buckets_.try_emplace(client_network(client_address), Bucket{most, now}).first->second;
  bucket.left =
      std::min(most, bucket.left + static_cast<double>(now - bucket.at_ns) / 1e9 * options_.requests_per_second);
  bucket.at_ns = now;
  if (bucket.left >= 1) {
    bucket.left -= 1;
    return std::nullopt;
  }
  Response out = error_response(429, "too many requests; try again in a second");
  out.fields.emplace_back("Retry-After", "1");
  return out;
}

Response Guard::login(const Request& request) {
  const auto offered = read_token(request.body);
  if (!offered) return error_response(400, R"(expected {"token": "..."})");
  const unsigned scopes = open() ? scope::all : scopes_of(*offered, false);
  if (!open() && !guesses_.admit(request.client_address, scopes != 0, "to log in")) return too_many();
  if (scopes == 0) return error_response(401, "this is not the token");
  if ((scopes & scope::read) == 0) return error_response(403, "this token is not one to read with");
  Response out;
  out.status = 204;
  // The digest, so that a stolen cookie file does not hold what opens the other ports.
  out.fields.emplace_back("Set-Cookie", set_cookie(request, net::hex_digest(*offered), "2592000"));
  return out;
}

Response Guard::logout(const Request& request) {
  Response out;
  out.status = 204;
  out.fields.emplace_back("Set-Cookie", set_cookie(request, "", "0"));
  return out;
}

}  // namespace sockeye::console
