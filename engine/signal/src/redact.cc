#include "sockeye/signal/redact.h"

#include <algorithm>
#include <array>
#include <optional>

#include "credentials.h"
#include "sockeye/base/text.h"
#include "sockeye/base/utf8.h"
#include "sockeye/model/http_head.h"

namespace sockeye::signal {
namespace {

using model::iequals;

// application/x-www-form-urlencoded, leniently: what does not decode stays.
std::string decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = base::hex_digit(text[i + 1]);
      const int low = base::hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i] == '+' ? ' ' : text[i];
  }
  return out;
}

bool named(RedactRules rules, std::string_view kind, std::string_view name) {
  return std::any_of(rules.begin(), rules.end(), [&](std::string_view rule) {
    if (!rule.starts_with(kind)) return false;
    rule.remove_prefix(kind.size());
    return rule == "*" || iequals(rule, name);
  });
}

// "//user:password@": where the userinfo begins and ends, from `from` on.
struct Range {
  std::size_t begin, end;
};
std::optional<Range> find_userinfo(std::string_view text, std::size_t from) {
  for (auto at = text.find("//", from); at != std::string_view::npos; at = text.find("//", at + 1)) {
    const std::size_t begin = at + 2;
    const auto end = text.find_first_of("/?#&; \"<>", begin);
    const auto authority = text.substr(begin, end == std::string_view::npos ? end : end - begin);
    const auto sign = authority.rfind('@');
    if (sign != std::string_view::npos && sign > 0) return Range{begin, begin + sign};
  }
  return std::nullopt;
}

bool has_credential(std::string_view text) { return find_credential(text).has_value(); }

// Trace context is identifiers drawn at random, and no credential.
bool carries_trace(std::string_view name) {
  return iequals(name, "traceparent") || iequals(name, "tracestate") || iequals(name, "b3") ||
         iequals(name, "trace_id") || iequals(name, "trace-id") || iequals(name, "traceid") ||
         (name.size() > 5 && iequals(name.substr(0, 5), "x-b3-"));
}

// "?code=404" is a number of something; what OAuth hands out (RFC 6749 §4.1.2), or a person types, is longer.
bool is_credential(std::string_view name, std::string_view value) {
  constexpr std::size_t shortest_code = 6;
  return names_credential(name) && (value.size() >= shortest_code || !iequals(name, "code"));
}

// "room;token=abc": parameters of a path's segment (RFC 3986 §3.3).
std::string redact_segment(std::string_view segment) {
  if (has_credential(decode(segment))) return std::string(redacted);
  std::string out;
  for (;;) {
    const auto semicolon = segment.find(';');
    const auto part = segment.substr(0, semicolon);
    const auto equals = part.find('=');
    if (equals != std::string_view::npos && equals + 1 < part.size() &&
        is_credential(decode(part.substr(0, equals)), part.substr(equals + 1)))
      out.append(part.substr(0, equals + 1)).append(redacted);
    else
      out += part;
    if (semicolon == std::string_view::npos) return out;
    out += ';';
    segment.remove_prefix(semicolon + 1);
  }
}

std::string redact_path(std::string_view path) {
  std::string out;
  std::size_t at = 0;
  while (const auto found = find_userinfo(path, at)) {
    out.append(path.substr(at, found->begin - at)).append(redacted);
    at = found->end;
  }
  out += path.substr(at);
  std::string kept;
  for (std::string_view rest = out;;) {
    const auto slash = rest.find('/');
    kept += redact_segment(rest.substr(0, slash));
    if (slash == std::string_view::npos) return kept;
    kept += '/';
    rest.remove_prefix(slash + 1);
  }
}

bool secret_value(std::string_view value) {
  const std::string plain = decode(value);
  return has_credential(plain) || find_userinfo(plain, 0).has_value();
}

}  // namespace

std::string redact_target(std::string_view target, RedactRules rules) {
  const auto mark = target.find('?');
  std::string out = redact_path(target.substr(0, mark));
  if (mark == std::string_view::npos) return out;
  out += '?';
  std::string_view rest = target.substr(mark + 1);
  while (true) {
    const auto separator = rest.find_first_of("&;");
    const auto pair = rest.substr(0, separator);
    const auto equals = pair.find('=');
    const auto name = pair.substr(0, equals);
    const auto value = equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    if (equals == std::string_view::npos) {
      out += secret_value(pair) ? redacted : pair;  // a bare token: "?eyJ…"
    } else {
      const std::string plain = decode(name);
      const bool secret = named(rules, "query.", plain) || is_credential(plain, value) ||
                          (!carries_trace(plain) && secret_value(value));
      out.append(secret_value(name) ? redacted : name).append("=");
      out += !value.empty() && secret ? redacted : value;
    }
    if (separator == std::string_view::npos) return out;
    out += rest[separator];
    rest.remove_prefix(separator + 1);
  }
}

std::string redact_header(std::string_view name, std::string_view value, RedactRules rules) {
  if (!value.empty() && (named(rules, "header.", name) || names_credential(name))) return std::string(redacted);
  return carries_trace(name) ? std::string(value) : redact_text(value);
}

std::string redact_subprotocol(std::string_view selected, RedactRules rules) {
  const bool asked = std::find(rules.begin(), rules.end(), "subprotocol") != rules.end();
  const bool secret = has_credential(selected) || (asked && looks_like_credential(selected));
  return std::string(secret ? redacted : selected);
}

namespace {

bool is_quote(char c) { return c == '"' || c == '\''; }
bool ends_value(char c) { return std::string_view(" ,;&\"'<>()[]{}").find(c) != std::string_view::npos; }

// Where the value is that follows the name in words of somebody's: token=abc, "token": "abc", Authorization: Bearer
// abc. But "password: required" is prose.
std::optional<Range> find_value(std::string_view text, std::string_view name, std::size_t at) {
  const bool quoted = at < text.size() && is_quote(text[at]);
  if (quoted) ++at;
  if (name.empty() || at >= text.size() || (text[at] != '=' && text[at] != ':')) return std::nullopt;
  const bool field = iequals(name, "authorization") || iequals(name, "cookie");
  if (iequals(name, "code") || iequals(name, "auth") || !names_credential(name)) return std::nullopt;
  std::size_t begin = at + 1;
  if (quoted || field)
    while (begin < text.size() && text[begin] == ' ') ++begin;
  if (begin < text.size() && is_quote(text[begin])) ++begin;
  if (field) return Range{begin, text.size()};
  std::size_t end = begin;
  while (end < text.size() && !ends_value(text[end])) ++end;
  return end > begin ? std::optional(Range{begin, end}) : std::nullopt;
}

std::string redact_named(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() &&
           (is_alpha(text[end]) || is_digit(text[end]) || text[end] == '-' || text[end] == '_' || text[end] == '.'))
      ++end;
    if (const auto value = find_value(text, text.substr(begin, end - begin), end)) {
      out.append(text.substr(copied, value->begin - copied)).append(redacted);
      copied = end = value->end;
    }
    begin = end + 1;
  }
  return out.append(text.substr(std::min(copied, text.size())));
}

}  // namespace

std::string redact_text(std::string_view text) {
  std::string out = redact_named(text);
  std::size_t from = 0;
  while (const auto found = find_userinfo(out, from)) {
    out.replace(found->begin, found->end - found->begin, redacted);
    from = found->begin + redacted.size();
  }
  std::string kept;
  for (std::string_view rest = out;;) {
    const auto found = find_credential(rest);
    if (!found) return kept.append(rest);
    kept.append(rest.substr(0, found->begin)).append(redacted);
    rest.remove_prefix(found->end);
  }
}

bool looks_like_credential(std::string_view name) {
  static constexpr std::array<std::string_view, 19> words{
      "bearer",     "token",       "access_token", "auth",      "authorization", "basic",    "key",
      "apikey",     "api_key",     "secret",       "passwd",    "jwt",           "password", "sk",
      "credential", "credentials", "sig",          "signature", "sessionid"};
  if (name.size() > 64 || has_credential(name)) return true;
  for (std::size_t begin = 0; begin < name.size();) {
    std::size_t end = begin;
    std::size_t digits = 0;
    std::size_t kinds = 0;  // changes between letter and digit
    std::size_t cases = 0;  // changes between lower and upper case
    for (; end < name.size() && (is_alpha(name[end]) || is_digit(name[end])); ++end) {
      digits += is_digit(name[end]) ? 1 : 0;
      if (end == begin) continue;
      const bool letters = is_alpha(name[end]) && is_alpha(name[end - 1]);
      if (is_digit(name[end]) != is_digit(name[end - 1])) ++kinds;
      if (letters && is_upper(name[end]) != is_upper(name[end - 1])) ++cases;
    }
    if (end == begin) {
      if (std::string_view(".-_+:/").find(name[end]) == std::string_view::npos) return true;
      ++begin;
      continue;
    }
    const auto run = name.substr(begin, end - begin);
    if (run.size() > 20 || digits > 4 || kinds > 2 || cases > 3) return true;
    if (std::any_of(words.begin(), words.end(), [run](std::string_view word) { return iequals(run, word); }))
      return true;
    begin = end;
  }
  return false;
}

std::string printable(std::string_view text) {
  std::string out;
  const std::string repaired = base::repair_utf8(text);
  out.reserve(repaired.size());
  for (std::size_t i = 0; i < repaired.size(); ++i) {
    const auto byte = static_cast<unsigned char>(repaired[i]);
    const auto next = i + 1 < repaired.size() ? static_cast<unsigned char>(repaired[i + 1]) : 0U;
    const bool c1 = byte == 0xc2 && next < 0xa0;  // U+0080 … U+009F
    if (byte < 0x20 || byte == 0x7f || c1) {
      out += "\xef\xbf\xbd";
      i += c1 ? 1 : 0;
    } else {
      out += repaired[i];
    }
  }
  return out;
}

}  // namespace sockeye::signal
