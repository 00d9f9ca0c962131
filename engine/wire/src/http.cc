// The head parser. Two passes: scan() walks the bytes as they come, once, and refuses at the first byte that can never
// be part of a strict head, so a hostile sender is not waited for; read() runs when the blank line is there and takes
// the lines apart. Whatever two HTTP implementations are known to read differently is refused as `smuggling`, never
// repaired.
#include "sockeye/wire/http.h"

#include <algorithm>

#include "http_syntax.h"
#include "sockeye/base/text.h"

namespace sockeye::wire {
namespace {

using model::Anomaly;
using namespace std::string_view_literals;

constexpr std::array schemes{"http://"sv, "https://"sv, "ws://"sv, "wss://"sv};

bool starts_with_nocase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && model::iequals(text.substr(0, prefix.size()), prefix);
}

// The part of an absolute-form target behind "scheme://"; none for other forms.
std::optional<std::string_view> behind_scheme(std::string_view target) {
  for (const auto scheme : schemes)
    if (starts_with_nocase(target, scheme)) return target.substr(scheme.size());
  return std::nullopt;
}

std::string_view authority_of(std::string_view behind) { return behind.substr(0, behind.find_first_of("/?")); }

// uri-host [ ":" port ] (RFC 9110 §7.2). Empty is allowed there: "no authority".
bool valid_host(std::string_view host) {
  if (host.empty()) return true;
  if (!character::all(host, character::host)) return false;
  std::size_t colon = std::string_view::npos;
  if (host.front() == '[') {
    const auto close = host.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    if (!std::all_of(host.begin() + 1, host.begin() + static_cast<std::ptrdiff_t>(close),
                     [](char c) { return character::is(c, character::hex) || c == ':' || c == '.'; }))
      return false;
    if (close + 1 == host.size()) return true;
    colon = close + 1;
    if (host[colon] != ':') return false;
  } else {
    if (host.find_first_of("[]") != std::string_view::npos) return false;
    colon = host.find(':');
    if (colon == std::string_view::npos) return true;
    if (colon == 0) return false;
  }
  const auto port = host.substr(colon + 1);  // may be empty (RFC 3986 §3.2.3)
  unsigned number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<unsigned>(c - '0');
    if (number > 65535) return false;
  }
  return true;
}

struct Refusal {
  int status;
  Anomaly kind;
  std::string_view why;
};
using Verdict = std::optional<Refusal>;
constexpr Refusal invalid(std::string_view why) { return {400, Anomaly::handshake_invalid, why}; }
constexpr Refusal smuggled(std::string_view why) { return {400, Anomaly::smuggling, why}; }

// "HTTP/1.0" or "HTTP/1.1".
Verdict read_version(std::string_view text, int& minor) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || text[6] != '.' || text[5] < '0' || text[5] > '9' ||
      text[7] < '0' || text[7] > '9')
    return invalid("malformed HTTP version");
  if (text[5] != '1' || text[7] > '1') return Refusal{505, Anomaly::handshake_invalid, "HTTP version not supported"};
  minor = text[7] - '0';
  return std::nullopt;
}

// RFC 9112 §3: method SP request-target SP HTTP-version, single spaces.
Verdict read_request_line(std::string_view line, model::HttpHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return invalid("malformed request line");
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  if (!is_token(head.method)) return invalid("malformed method");
  if (auto bad = read_version(line.substr(last + 1), head.version_minor)) return bad;
  if (head.target.empty() || !character::all(head.target, character::target))
    return invalid("malformed request target");
  if (head.method == "CONNECT") return Refusal{501, Anomaly::handshake_invalid, "CONNECT is not supported"};
  if (head.target.front() == '/') return std::nullopt;
  if (head.target == "*") return head.method == "OPTIONS" ? Verdict{} : invalid("malformed request target");
  const auto behind = behind_scheme(head.target);
  if (!behind) return invalid("malformed request target");
  const auto authority = authority_of(*behind);
  if (authority.empty() || !valid_host(authority)) return invalid("malformed request target");
  return std::nullopt;
}

// RFC 9112 §4: HTTP-version SP 3DIGIT SP [ reason ]. Servers that leave out the last space are common and harmless.
Verdict read_status_line(std::string_view line, model::HttpHead& head) {
  if (line.size() < 12 || line[8] != ' ') return invalid("malformed status line");
  if (auto bad = read_version(line.substr(0, 8), head.version_minor)) return bad;
  int status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return invalid("malformed status code");
    status = status * 10 + (c - '0');
  }
  if (status < 100 || status > 599) return invalid("status code out of range");
  if (line.size() > 12 && line[12] != ' ') return invalid("malformed status line");
  head.status = status;
  head.reason = line.size() > 13 ? line.substr(13) : std::string_view{};
  return std::nullopt;
}

// RFC 9112 §5. Control bytes, bare CR or LF and folding were refused by the scan.
Verdict read_field(std::string_view line, model::HttpHead& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return invalid("header line without colon");
  const auto name = line.substr(0, colon);
  if (!name.empty() && (name.back() == ' ' || name.back() == '\t')) return smuggled("white space before a colon");
  if (!is_token(name)) return smuggled("malformed header name");
  head.fields.push_back({name, base::trim(line.substr(colon + 1))});
  return std::nullopt;
}

// RFC 9112 §3.2: exactly one Host, and the one the absolute form names.
Verdict check_host(const model::HttpHead& head) {
  const model::HttpField* host = nullptr;
  for (const auto& field : head.fields) {
    if (!model::iequals(field.name, "Host")) continue;
    if (host != nullptr) return smuggled("more than one Host");
    host = &field;
  }
  if (host == nullptr) return head.version_minor == 0 ? Verdict{} : invalid("no Host");
  if (!valid_host(host->value)) return invalid("malformed Host");
  if (const auto behind = behind_scheme(head.target); behind && !model::iequals(authority_of(*behind), host->value))
    return smuggled("Host differs from the request target");
  return std::nullopt;
}

// A request that has fields removed as hop-by-hop on which its own meaning depends (RFC 9110 §7.6.1).
Verdict check_connection(const model::HttpHead& head) {
  static constexpr std::array end_to_end{"host"sv,
                                         "content-length"sv,
                                         "transfer-encoding"sv,
                                         "connection"sv,
                                         "sec-websocket-key"sv,
                                         "sec-websocket-version"sv,
                                         "sec-websocket-protocol"sv,
                                         "sec-websocket-extensions"sv};
  for (const auto name : end_to_end)
    if (head.has_token("Connection", name)) return smuggled("Connection names an end-to-end field");
  return std::nullopt;
}

}  // namespace

std::string origin_form(std::string_view target) {
  const auto behind = behind_scheme(target);
  if (!behind) return std::string(target);
  const auto path = behind->substr(authority_of(*behind).size());
  const bool rooted = path.starts_with('/');  // an empty path is "/" (RFC 9110 §4.2.3)
  return (rooted ? "" : "/") + std::string(path);
}

HeadParser::Progress HeadParser::fail(int status, Anomaly kind, std::string_view why) {
  failed_ = true;
  failure_ = {status, kind, why};
  if (kind_ == Kind::response) failure_ = {502, Anomaly::upstream_invalid, why};
  return Progress::failed;
}

HeadParser::Progress HeadParser::parse(base::Bytes received) {
  if (failed_) return Progress::failed;
  const std::string_view text = base::as_text(received);
  if (size_ == 0) {
    if (const auto progress = scan(text.substr(0, limits_.head)); progress != Progress::done) {
      if (progress == Progress::need_more && text.size() >= limits_.head)
        return fail(431, Anomaly::header_too_large, "head too large");
      return progress;
    }
  }
  return read(text.substr(0, size_));
}

HeadParser::Progress HeadParser::scan(std::string_view text) {
  for (std::size_t i = scanned_; i < text.size(); ++i) {
    const char c = text[i];
    if (i > line_ && text[i - 1] == '\r') {
      if (c != '\n') return fail(400, Anomaly::smuggling, "CR without LF");
      if (i - 1 > line_) {
        line_ = i + 1;
        if (++lines_ > limits_.fields + 1) return fail(431, Anomaly::header_too_large, "too many header fields");
        continue;
      }
      if (lines_ > 0) {
        size_ = i + 1;
        return Progress::done;
      }
      // RFC 9112 §2.2: at least one empty line before a request line should be ignored. One is.
      if (kind_ == Kind::response || first_line_ != 0) return fail(400, Anomaly::handshake_invalid, "no start line");
      first_line_ = line_ = i + 1;
      continue;
    }
    if (c == '\n') return fail(400, Anomaly::smuggling, "LF without CR");
    if (c != '\r' && !character::is(c, character::value))
      return fail(400, Anomaly::smuggling, "control byte in the head");
    if (i == line_ && (c == ' ' || c == '\t')) return fail(400, Anomaly::smuggling, "line begins with white space");
  }
  scanned_ = text.size();
  return Progress::need_more;
}

HeadParser::Progress HeadParser::read(std::string_view text) {
  head_ = {};
  head_.fields.reserve(lines_ - 1);
  const bool request = kind_ == Kind::request;
  std::string_view rest = text.substr(first_line_, text.size() - first_line_ - 2);  // without the blank line
  bool first = true;
  while (!rest.empty()) {
    const auto end = rest.find('\r');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    Verdict bad;
    if (!first)
      bad = read_field(line, head_);
    else if (request)
      bad = read_request_line(line, head_);
    else
      bad = read_status_line(line, head_);
    if (bad) return fail(bad->status, bad->kind, bad->why);
    first = false;
  }
  if (request) {
    if (const auto bad = check_host(head_)) return fail(bad->status, bad->kind, bad->why);
    if (const auto bad = check_connection(head_)) return fail(bad->status, bad->kind, bad->why);
    Framing framing;
    if (const auto bad = read_framing(head_, framing)) return fail(bad->status, bad->kind, bad->why);
  }
  return Progress::done;
}

}  // namespace sockeye::wire
