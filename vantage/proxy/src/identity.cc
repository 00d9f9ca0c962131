#include "identity.h"

#include <algorithm>
#include <array>
#include <functional>

#include "sockeye/base/text.h"

namespace sockeye::proxy {
namespace {

using model::ReconnectBasis;

// Shorter ones are rather "lang=en" or "id=1": much the same for many clients.
constexpr std::size_t least_cookie = 16;
constexpr std::size_t least_parameter = 8;

// Parts in order, each with its length in front: no two lists of parts make one text.
class Parts {
 public:
  explicit Parts(std::uint64_t secret) { add(std::to_string(secret)); }
  void add(std::string_view part) { text_.append(std::to_string(part.size())).append(":").append(part); }
  [[nodiscard]] std::uint64_t key() const {
    const std::uint64_t hash = std::hash<std::string>{}(text_);
    return hash == 0 ? 1 : hash;
  }

 private:
  std::string text_;
};

template <class Each>
void split(std::string_view text, char separator, Each each) {
  for (;;) {
    const std::size_t end = std::min(text.find(separator), text.size());
    each(base::trim(text.substr(0, end)));
    if (end == text.size()) return;
    text.remove_prefix(end + 1);
  }
}

struct Pair {
  std::string_view name, value;
};
Pair pair_of(std::string_view text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  return {text.substr(0, equals), text.substr(std::min(equals + 1, text.size()))};
}

std::string_view query_of(std::string_view target) {
  const auto question = target.find('?');
  return question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
}

// Each field of that name; a request may have several.
template <class Each>
void fields(const model::HttpHead& request, std::string_view name, Each each) {
  for (const auto& field : request.fields)
    if (model::iequals(field.name, name)) each(field.value);
}

// What a page offers only to carry trace context is another one each time.
std::string offered(const model::HttpHead& request) {
  std::string out;
  fields(request, "Sec-WebSocket-Protocol", [&](std::string_view value) {
    split(value, ',', [&](std::string_view item) {
      if (!item.empty() && !item.starts_with("traceparent.")) out.append(item).append(",");
    });
  });
  return out;
}

std::string value_of(std::string_view what, const model::HttpHead& request, std::string_view target) {
  const auto dot = std::min(what.find('.'), what.size());
  const std::string_view kind = what.substr(0, dot);
  const std::string_view name = what.substr(std::min(dot + 1, what.size()));
  std::string out;
  const auto take = [&](std::string_view text) {
    if (const Pair pair = pair_of(text); pair.name == name) out = pair.value;
  };
  if (kind == "header") fields(request, name, [&](std::string_view value) { out.append(value); });
  if (kind == "query") split(query_of(target), '&', take);
  if (kind == "cookie") fields(request, "Cookie", [&](std::string_view value) { split(value, ';', take); });
  if (kind == "subprotocol") out = offered(request);
  return out;
}

// "session_id", "sessionId", "Session-ID": letters in lower case.
bool names_an_id(std::string_view name) {
  static constexpr std::array<std::string_view, 11> ids{
      "id", "sid", "uid", "uuid", "session", "sessionid", "clientid", "connectionid", "userid", "deviceid", "cid"};
  std::string letters;
  for (const char c : name)
    if (c != '_' && c != '-') letters += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return std::find(ids.begin(), ids.end(), letters) != ids.end();
}

}  // namespace

bool names_identifier(std::string_view what) {
  if (what == "subprotocol") return true;
  for (const std::string_view kind : {"header.", "query.", "cookie."})
    if (what.starts_with(kind) && what.size() > kind.size()) return true;
  return false;
}

Identity identify(const Route& route, const model::HttpHead& request, std::string_view client_address,
                  std::string_view target, std::uint64_t secret) {
  Parts parts(secret);
  parts.add(route.name);
  if (!route.client_id.empty()) {
    bool any = false;
    for (const auto& what : route.client_id) {
      const std::string value = value_of(what, request, target);
      any = any || !value.empty();
      parts.add(value);
    }
    return any ? Identity{parts.key(), ReconnectBasis::client_id} : Identity{};
  }
  parts.add(client_address);
  parts.add(target.substr(0, target.find('?')));
  parts.add(request.value("User-Agent"));
  ReconnectBasis basis = ReconnectBasis::guess;
  split(query_of(target), '&', [&](std::string_view text) {
    const Pair pair = pair_of(text);
    if (!names_an_id(pair.name) || pair.value.size() < least_parameter) return;
    basis = ReconnectBasis::query;
    parts.add(text);
  });
  bool long_enough = false;
  fields(request, "Cookie", [&](std::string_view value) {
    split(value, ';',
          [&](std::string_view text) { long_enough = long_enough || pair_of(text).value.size() >= least_cookie; });
  });
  if (long_enough) {
    basis = ReconnectBasis::cookie;
    fields(request, "Cookie", [&](std::string_view value) { parts.add(value); });
  }
  return {parts.key(), basis};
}

}  // namespace sockeye::proxy
