#include "credentials.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace sockeye::signal {
namespace {

using namespace std::string_view_literals;

bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }
bool is_token(char c) { return is_alnum(c) || c == '-' || c == '_'; }  // of base64url, and of the prefixes below

constexpr std::size_t longest_name = 128;

// A word of the name says it.
constexpr std::array words{"authorization"sv, "bearer"sv,     "credential"sv, "credentials"sv, "jwt"sv,  "otp"sv,
                           "passcode"sv,      "passphrase"sv, "passwd"sv,     "password"sv,    "pwd"sv,  "secret"sv,
                           "secrets"sv,       "sig"sv,        "signature"sv,  "cookie"sv,      "csrf"sv, "xsrf"sv};
// The name's end does, with or without a word's boundary before it.
constexpr std::array ends{"accesskey"sv, "accesskeyid"sv, "apikey"sv,         "authkey"sv,   "credential"sv,
                          "jwt"sv,       "passwd"sv,      "password"sv,       "secret"sv,    "secretkey"sv,
                          "sessid"sv,    "sessionid"sv,   "sessionkey"sv,     "signature"sv, "signingkey"sv,
                          "token"sv,     "privatekey"sv,  "subscriptionkey"sv};
// All of it does.
constexpr std::array wholes{"assertion"sv, "auth"sv,         "authcode"sv, "clientassertion"sv,
                            "code"sv,      "codeverifier"sv, "hmac"sv,     "pass"sv,
                            "sso"sv,       "xauth"sv};
// Where a list goes on, not who may read it.
constexpr std::array harmless{"continuationtoken"sv, "nextpagetoken"sv, "nexttoken"sv, "pagetoken"sv, "synctoken"sv};
constexpr std::array beginnings{"xamz"sv, "xgoog"sv};  // presigned URLs

struct Name {
  std::string folded;              // letters and digits in lower case
  std::vector<std::size_t> words;  // where in it they begin
};

Name fold(std::string_view name) {
  Name out;
  char last = '\0';
  for (const char c : name.substr(0, longest_name)) {
    if (is_alnum(c)) {
      if (!is_alnum(last) || (is_upper(c) && is_lower(last))) out.words.push_back(out.folded.size());
      out.folded += is_upper(c) ? static_cast<char>(c + 32) : c;
    }
    last = c;
  }
  return out;
}

template <std::size_t N>
bool listed(const std::array<std::string_view, N>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// --- looks ---

// RFC 7519: three base64url parts, the first an object: '{"' is "eyJ".
std::optional<TextRange> find_json_web_token(std::string_view text) {
  for (auto at = text.find("eyJ"); at != std::string_view::npos; at = text.find("eyJ", at + 1)) {
    std::size_t dots = 0;
    std::size_t length = 0;
    for (const char c : text.substr(at)) {
      if (c == '.')
        ++dots;
      else if (!is_token(c))
        break;
      ++length;
    }
    if (dots >= 2 && length >= 20) return TextRange{at, at + length};
    at += length > 0 ? length - 1 : 0;
  }
  return std::nullopt;
}

struct Prefix {
  std::string_view text;
  std::size_t least;  // characters behind it
};
constexpr std::array prefixes{
    Prefix{"sk-", 16},   Prefix{"sk_live_", 10},    Prefix{"sk_test_", 10}, Prefix{"rk_live_", 10},
    Prefix{"ghp_", 20},  Prefix{"gho_", 20},        Prefix{"ghu_", 20},     Prefix{"ghs_", 20},
    Prefix{"ghr_", 20},  Prefix{"github_pat_", 20}, Prefix{"AKIA", 16},     Prefix{"ASIA", 16},
    Prefix{"AIza", 30},  Prefix{"ya29.", 20},       Prefix{"glpat-", 20},   Prefix{"xoxa-", 10},
    Prefix{"xoxb-", 10}, Prefix{"xoxp-", 10},       Prefix{"xoxr-", 10},    Prefix{"xoxs-", 10},
    Prefix{"npm_", 30},  Prefix{"dckr_pat_", 20},   Prefix{"hf_", 30},      Prefix{"pypi-", 30},
    Prefix{"SG.", 30}};

bool has_known_prefix(std::string_view run) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const Prefix& each) {
    if (!run.starts_with(each.text) || run.size() < each.text.size() + each.least) return false;
    // "sk-navigation-bar-of-the-site" has no digit; what is drawn at random has some.
    const auto rest = run.substr(each.text.size(), 64);
    return std::any_of(rest.begin(), rest.end(), is_digit);
  });
}

// Words and names change from letter to digit, or from lower to upper case, once a word; what is drawn at random does
// so at almost every second character.
bool looks_random(std::string_view run) {
  constexpr std::size_t least = 32;
  if (run.size() < least) return false;
  std::size_t digits = 0, uppers = 0, lowers = 0, changes = 0;
  bool hexadecimal = true;
  for (std::size_t i = 0; i < run.size(); ++i) {
    const char c = run[i];
    digits += is_digit(c) ? 1 : 0;
    uppers += is_upper(c) ? 1 : 0;
    lowers += is_lower(c) ? 1 : 0;
    hexadecimal = hexadecimal && (is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
    if (i == 0 || !is_alnum(c) || !is_alnum(run[i - 1])) continue;
    if (is_digit(c) != is_digit(run[i - 1]) || (is_upper(c) && is_lower(run[i - 1]))) ++changes;
  }
  if (hexadecimal) return digits >= 6 && uppers + lowers >= 4;
  return digits > 0 && uppers > 0 && lowers > 0 && changes * 4 > run.size();
}

}  // namespace

bool names_credential(std::string_view name) {
  const Name n = fold(name);
  if (listed(harmless, n.folded)) return false;
  if (listed(wholes, n.folded)) return true;
  for (const auto each : ends)
    if (n.folded.ends_with(each)) return true;
  for (const auto each : beginnings)
    if (n.folded.starts_with(each)) return true;
  for (std::size_t i = 0; i < n.words.size(); ++i) {
    const auto end = i + 1 < n.words.size() ? n.words[i + 1] : n.folded.size();
    if (listed(words, std::string_view(n.folded).substr(n.words[i], end - n.words[i]))) return true;
  }
  return false;
}

std::optional<TextRange> find_credential(std::string_view text) {
  const auto web_token = find_json_web_token(text);
  const std::size_t before = web_token ? web_token->begin : text.size();
  // Once over the text, whatever it is: it may be a stranger's.
  for (std::size_t begin = 0; begin < before;) {
    std::size_t end = begin;
    while (end < text.size() && (is_token(text[end]) || text[end] == '.')) ++end;
    // A dot separates, but for the keys that hold one.
    for (std::size_t part = begin; part < end && part < before;) {
      const std::size_t stop = std::min(text.find('.', part), end);
      if (has_known_prefix(text.substr(part, end - part))) return TextRange{part, end};
      if (looks_random(text.substr(part, stop - part))) return TextRange{part, stop};
      part = stop + 1;
    }
    begin = end + 1;
  }
  return web_token;
}

}  // namespace sockeye::signal
