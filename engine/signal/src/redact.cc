#include "sockeye/signal/redact.h"

#include <algorithm>
#include <array>
#include <optional>

#include "sockeye/base/text.h"
#include "sockeye/base/utf8.h"
#include "sockeye/model/http_head.h"

namespace sockeye::signal {
namespace {

using model::iequals;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || is_upper(c); }

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

// RFC 7519: three base64url parts, the first an object: '{"' is "eyJ".
bool has_json_web_token(std::string_view text) {
  for (auto at = text.find("eyJ"); at != std::string_view::npos; at = text.find("eyJ", at + 1)) {
    std::size_t dots = 0;
    std::size_t length = 0;
    for (const char c : text.substr(at)) {
      if (c == '.')
        ++dots;
      else if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_')
        break;
      ++length;
    }
    if (dots >= 2 && length >= 20) return true;
    at += length > 0 ? length - 1 : 0;
  }
  return false;
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

std::string redact_path(std::string_view path) {
  std::string out;
  std::size_t at = 0;
  while (const auto found = find_userinfo(path, at)) {
    out.append(path.substr(at, found->begin - at)).append(redacted);
    at = found->end;
  }
  out += path.substr(at);
  if (!has_json_web_token(out)) return out;
  std::string kept;
  for (std::string_view rest = out; !rest.empty();) {
    const auto slash = rest.find('/');
    const auto segment = rest.substr(0, slash);
    kept += has_json_web_token(segment) ? redacted : segment;
    if (slash == std::string_view::npos) break;
    kept += '/';
    rest.remove_prefix(slash + 1);
  }
  return kept;
}

bool secret_value(std::string_view value) {
  const std::string plain = decode(value);
  return has_json_web_token(plain) || find_userinfo(plain, 0).has_value();
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
      out.append(secret_value(name) ? redacted : name).append("=");
      out += !value.empty() && (named(rules, "query.", decode(name)) || secret_value(value)) ? redacted : value;
    }
    if (separator == std::string_view::npos) return out;
    out += rest[separator];
    rest.remove_prefix(separator + 1);
  }
}

std::string redact_header(std::string_view name, std::string_view value, RedactRules rules) {
  return std::string(!value.empty() && named(rules, "header.", name) ? redacted : value);
}

std::string redact_subprotocol(std::string_view selected, RedactRules rules) {
  const bool asked = std::find(rules.begin(), rules.end(), "subprotocol") != rules.end();
  return std::string(asked && looks_like_credential(selected) ? redacted : selected);
}

bool looks_like_credential(std::string_view name) {
  static constexpr std::array<std::string_view, 19> words{
      "bearer",     "token",       "access_token", "auth",      "authorization", "basic",    "key",
      "apikey",     "api_key",     "secret",       "passwd",    "jwt",           "password", "sk",
      "credential", "credentials", "sig",          "signature", "sessionid"};
  if (name.size() > 64 || has_json_web_token(name)) return true;
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
