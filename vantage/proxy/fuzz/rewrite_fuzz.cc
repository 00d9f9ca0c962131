// A hostile head through routing and rewriting. Properties: what goes upstream is exactly one request, which the strict
// parser takes; its target is the one asked for, behind the prefix, and never climbs out of it; fields of the client's
// are a subsequence of those received, unchanged, in order, and none that an upstream's checks rely on is lost; nothing
// hop-by-hop crosses. Likewise for responses. The first byte chooses the kind and the policy.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "../src/identity.h"
#include "../src/rewrite.h"
#include "../src/routing.h"
#include "sockeye/wire/http.h"

using sockeye::base::as_bytes;
using sockeye::model::HttpField;
using sockeye::model::HttpHead;
using sockeye::model::iequals;
using namespace sockeye::proxy;
using sockeye::wire::HeadParser;

namespace {

void require(bool holds, const char* what, const std::string& out) {
  if (holds) return;
  std::cerr << "violated: " << what << "\n" << out << "\n";
  std::abort();
}

bool is_any(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](auto each) { return iequals(each, name); });
}

bool starts(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() && iequals(name.substr(0, prefix.size()), prefix);
}

bool is_hop_by_hop(std::string_view name) {
  return is_any(name, {"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
                       "TE", "Upgrade", "HTTP2-Settings"});
}

bool must_survive(std::string_view name) {
  return is_any(name, {"Cookie", "Authorization", "Origin", "Content-Length", "Content-Type", "Transfer-Encoding",
                       "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Set-Cookie", "Location",
                       "Sec-WebSocket-Accept", "Baggage"});
}

// `ours`: fields the rewriting may have added or changed, by name. `unframed`: there is no body to frame.
void check_fields(const HttpHead& in, const HttpHead& out, const std::string& text, bool (*ours)(std::string_view),
                  bool unframed = false) {
  std::size_t at = 0;
  for (const auto& field : out.fields) {
    if (ours(field.name)) continue;
    require(!is_hop_by_hop(field.name), "hop-by-hop field crossed", text);
    while (at < in.fields.size() && (in.fields[at].name != field.name || in.fields[at].value != field.value)) ++at;
    require(at < in.fields.size(), "a field that was not received, or out of order", text);
    ++at;
  }
  for (const auto& field : in.fields) {
    if (!must_survive(field.name)) continue;
    if (unframed && is_any(field.name, {"Content-Length", "Transfer-Encoding"})) continue;
    const auto same = [&](const HttpField& each) {
      return iequals(each.name, field.name) && each.value == field.value;
    };
    require(std::count_if(in.fields.begin(), in.fields.end(), same) ==
                std::count_if(out.fields.begin(), out.fields.end(), same),
            "an end-to-end field was lost or doubled", text);
  }
}

constexpr sockeye::wire::HttpLimits wide{1 << 20, 1000};

const RouteTable& routes() {
  static const auto table = [] {
    std::vector<Route> out;
    for (const auto* path : {"/admin", "/media/", ""}) {
      Route route;
      route.match.path = path;
      route.upstream = {"backend.example", 8080, ""};
      route.upstream_path = "/v1";
      route.origins = {"https://app.example", "*.example.org"};
      route.trusted_proxies = {"192.0.2.0/24", "10.0.0.0/8"};
      out.push_back(route);
    }
    return *RouteTable::compile(out);
  }();
  return table;
}

void check_identity(const HttpHead& in, const Route& route, const std::string& client, const std::string& text) {
  for (const bool by_client_id : {false, true}) {
    Route asked = route;
    if (by_client_id) asked.client_id = {"header.x-id", "query.id", "cookie.id", "subprotocol"};
    const auto who = [&](std::uint64_t secret) {
      return identify(asked, in, client, sockeye::wire::origin_form(in.target), secret);
    };
    require(who(1) == who(1), "an identity that changes", text);
    require(by_client_id ? who(1).key == 0 || who(1).basis == sockeye::model::ReconnectBasis::client_id
                         : who(1).key != 0 && who(1).basis != sockeye::model::ReconnectBasis::client_id,
            "an identity by something else than asked", text);
    require((who(1).key == 0) == (who(2).key == 0), "an identity by the secret", text);
  }
}

void check_target(const HttpHead& in, const HttpHead& head, const Route& route, const std::string& out) {
  const auto asked = split_target(in.target);
  require(asked.has_value(), "routed without a target", out);
  if (asked->path == "*") return require(head.target == "*", "asterisk-form changed", out);
  const bool bare = asked->path == "/" && !route.upstream_path.empty();
  const std::string expected = route.upstream_path + (bare ? "" : std::string(asked->path)) + std::string(asked->query);
  require(head.target == expected, "target changed", out);
  // Under the prefix, as a server reads it: a second table knows nothing but the prefix.
  static const auto prefix_only = [] {
    Route only;
    only.match.path = "/v1";
    return *RouteTable::compile({only});
  }();
  if (!route.upstream_path.empty()) require(prefix_only.match(head).index == 0, "the path left its prefix", out);
}

void check_added(const HttpHead& head, const Route& route, const RequestRewrite& how, const std::string& out) {
  const auto count = [&](std::string_view name) {
    return std::count_if(head.fields.begin(), head.fields.end(),
                         [&](const auto& each) { return iequals(each.name, name); });
  };
  require(count("Host") == 1, "not one Host", out);
  require(count("traceparent") == 1, "not one traceparent", out);
  require(count("Connection") == (how.upgrade || how.close ? 1 : 0), "Connection", out);
  require(count("Upgrade") == (how.upgrade ? 1 : 0), "Upgrade", out);
  if (route.forwarded != ForwardedPolicy::off) {
    require(count("X-Forwarded-For") == 1 && head.value("X-Forwarded-For").ends_with("192.0.2.1"), "X-Forwarded-For",
            out);
  }
}

void check_request(const std::string& text, std::uint8_t choice) {
  HeadParser parser(HeadParser::Kind::request);
  if (parser.parse(as_bytes(text)) != HeadParser::Progress::done) return;
  const auto& in = parser.head();
  static const auto peer = *literal_address({"192.0.2.1", 1, ""});
  static const std::vector<Field> injected = {
      {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}};

  const auto verdict = routes().match(in);
  if (verdict.index < 0) {
    require(verdict.status == 400 || verdict.status == 404 || verdict.status == 405, "a refusal without status", text);
    return;
  }
  const auto& compiled = routes()[verdict.index];
  (void)compiled.origin_allowed(in);
  Address address;
  address.host = compiled.client_address(in, peer);
  require(literal_address(address).has_value(), "a client address that is none", address.host);
  check_identity(in, compiled.config(), address.host, text);

  Route route = compiled.config();
  route.preserve_host = (choice & 1U) != 0;
  route.forwarded = static_cast<ForwardedPolicy>((choice >> 1U) % 3);
  if ((choice & 8U) != 0) route.upstream_path = "";
  RequestRewrite how;
  how.peer = &peer;
  how.upgrade = (choice & 16U) != 0;
  how.close = (choice & 32U) != 0;
  how.decline_deflate = how.upgrade;
  how.fields = injected;
  std::string out;
  append_request(out, in, route, how);

  HeadParser again(HeadParser::Kind::request, wide);
  require(again.parse(as_bytes(out)) == HeadParser::Progress::done, "not a request any more", out);
  require(again.size() == out.size(), "more than one request", out);
  const auto& head = again.head();
  require(head.method == in.method && head.version_minor == in.version_minor, "method or version changed", out);
  check_target(in, head, route, out);
  check_fields(in, head, out, [](std::string_view name) {
    return starts(name, "X-Forwarded-") ||
           is_any(name, {"Host", "Forwarded", "Connection", "Upgrade", "traceparent", "Sec-WebSocket-Extensions"});
  });
  check_added(head, route, how, out);
}

void check_response(const std::string& text, std::uint8_t choice) {
  HeadParser parser(HeadParser::Kind::response);
  if (parser.parse(as_bytes(text)) != HeadParser::Progress::done) return;
  ResponseRewrite how;
  how.upgrade = (choice & 16U) != 0;
  how.close = (choice & 32U) != 0;
  how.head = (choice & 64U) != 0;
  std::string out;
  append_response(out, parser.head(), how);
  HeadParser again(HeadParser::Kind::response, wide);
  require(again.parse(as_bytes(out)) == HeadParser::Progress::done, "not a response any more", out);
  require(again.size() == out.size(), "more than one response", out);
  require(again.head().status == parser.head().status && again.head().reason == parser.head().reason, "status changed",
          out);
  const int status = again.head().status;
  const bool bare = status < 200 || status == 204;
  const bool bodyless = bare || status == 304 || how.head;
  require(!bodyless || again.head().find("Transfer-Encoding") == nullptr, "a coding of no body", out);
  require(!bare || again.head().find("Content-Length") == nullptr, "a length of no body", out);
  check_fields(
      parser.head(), again.head(), out,
      [](std::string_view name) {
        return is_any(name, {"Connection", "Upgrade"});
      },
      bodyless);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 128U) != 0) {
    check_response(text, data[0]);
  } else {
    check_request(text, data[0]);
  }
  return 0;
}
