// STOMP 1.2, and 1.1 and 1.0 as far as frames go. The stream of each side is one stream of bytes: a frame may span
// messages and a message may hold several frames.
//
//   {"command":"SEND","headers":{"destination":"/queue/a"},"body_bytes":12,"body":<raw JSON as sent>}
//   {"command":"heartbeat"}
//
// Header names and values are unescaped (\r \n \c \\; not in CONNECT, STOMP and CONNECTED; an escape that is none stays
// as sent, as STOMP 1.0 peers do not escape). Of headers with one name the first counts (STOMP 1.2). Credentials are
// left out: `login`, `passcode` and `authorization`, in any frame and any case. `body` comes last; it is there when
// content-type is application/json, there are 1 .. most_body bytes and they are framed as one JSON value. wire_bytes is
// the frame from its command to its NUL.
//
// A heartbeat is a message that begins with line ends between two frames, however many (clients and servers send each
// in a message of its own); line ends that follow a frame in its message belong to that frame. This is the one thing in
// which the bounds of messages show.
//
// A fault (no such command, a header without a colon, a head past its bounds, a content-length that is no number or
// behind which there is no NUL) loses that frame: bytes are passed over up to the next NUL, and each message with any
// of them is false.
#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "decoders.h"

namespace sockeye::dialect {
namespace {

constexpr std::size_t most_head = 16U << 10U;  // command and headers, with their line ends
constexpr std::size_t most_headers = 128;
constexpr std::size_t most_body = 64U << 10U;  // of a JSON body that becomes part of the document
constexpr std::array<std::string_view, 15> commands{"SEND",  "MESSAGE", "SUBSCRIBE", "UNSUBSCRIBE", "ACK",
                                                    "NACK",  "RECEIPT", "ERROR",     "BEGIN",       "COMMIT",
                                                    "ABORT", "CONNECT", "STOMP",     "CONNECTED",   "DISCONNECT"};
constexpr std::size_t longest_command = std::string_view("UNSUBSCRIBE").size();
constexpr std::array<std::string_view, 3> secrets{"login", "passcode", "authorization"};

bool same_word(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t from = std::min(text.find_first_not_of(" \t"), text.size());
  return text.substr(from, text.find_last_not_of(" \t") + 1 - from);
}

// A line without its end, taken from the front of `text`, which has one.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view unescaped(std::string_view text, std::string& room) {
  if (text.find('\\') == std::string_view::npos) return text;
  constexpr std::string_view escapes = "rnc\\";
  room.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t which = text[i] == '\\' && i + 1 < text.size() ? escapes.find(text[i + 1]) : escapes.npos;
    if (which == escapes.npos) {
      room += text[i];
    } else {
      room += "\r\n:\\"[which];
      ++i;
    }
  }
  return room;
}

class Stomp final : public Decoder {
 public:
  bool decode(model::Side from, model::Opcode /*opcode*/, base::Bytes plain, Documents& out) override {
    Stream& s = streams_[model::index(from)];
    std::string_view rest = base::as_text(plain);
    bool good = true;
    if (s.at == At::between) heartbeat(rest, out);
    while (!rest.empty()) {
      switch (s.at) {
        case At::between:
          rest.remove_prefix(std::min(rest.find_first_not_of("\r\n"), rest.size()));
          if (!rest.empty()) s.start();
          break;
        case At::head:
          rest.remove_prefix(head(s, rest));
          break;
        case At::counted:
          rest.remove_prefix(counted(s, rest, out));
          break;
        case At::uncounted:
          rest.remove_prefix(uncounted(s, rest, out));
          break;
        case At::lost:
          break;
      }
      if (s.at == At::lost) {
        good = false;
        const std::size_t end = rest.find('\0');
        if (end != std::string_view::npos) s.at = At::between;
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      }
    }
    return good;
  }

  [[nodiscard]] std::size_t held() const override {
    std::size_t out = 0;
    for (const Stream& s : streams_) out += s.held.capacity() + s.document.capacity() + s.body.capacity();
    return out;
  }

 private:
  enum class At : std::uint8_t { between, head, counted, uncounted, lost };
  struct Stream {
    At at = At::between;
    bool keep = false;            // the body: it is JSON, and not too long so far
    std::string held;             // of a head that spans messages
    std::size_t line = 0;         // where in the head the line begun last begins
    std::string document;         // up to the end of "headers"
    std::string body;             // of a JSON body that spans messages
    std::uint64_t head_size = 0;  // bytes
    std::uint64_t body_size = 0;  // bytes so far
    std::uint64_t length = 0;     // content-length, where counted

    void start() {
      at = At::head;
      held.clear();
      line = 0;
    }
  };

  static void heartbeat(std::string_view text, Documents& out) {
    const std::string_view ends = text.substr(0, text.find_first_not_of("\r\n"));
    if (ends.find('\n') == std::string_view::npos) return;
    out.begin();
    out.text() += R"({"command":"heartbeat"})";
    out.finish(ends.size());
  }

  // Each of these takes bytes from the front of `text`, which is not empty, and says how many.

  std::size_t head(Stream& s, std::string_view text) {
    const std::size_t before = s.held.size();
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::size_t at = before + i;
      // The last test: what is no STOMP at all is seen before much of it is held.
      if (text[i] == '\0' || at >= most_head || (s.line == 0 && at > longest_command + 1)) {
        s.at = At::lost;
        return i;
      }
      if (text[i] != '\n') continue;
      const std::size_t length = at - s.line;
      s.line = at + 1;
      const bool blank = length == 0 || (length == 1 && (i > 0 ? text[i - 1] : s.held.back()) == '\r');
      if (!blank) continue;
      std::string_view whole = text.substr(0, i + 1);
      if (before > 0) whole = s.held.append(whole);
      s.head_size = whole.size();
      if (!parse(s, whole)) s.at = At::lost;
      return i + 1;
    }
    s.held.append(text);
    return text.size();
  }

  static std::size_t counted(Stream& s, std::string_view text, Documents& out) {
    const std::uint64_t left = s.length - s.body_size;
    if (text.size() <= left) {
      take(s, text);
      return text.size();
    }
    if (text[left] != '\0') {
      s.at = At::lost;
      return left;
    }
    finish(s, text.substr(0, left), out);
    return left + 1;
  }

  static std::size_t uncounted(Stream& s, std::string_view text, Documents& out) {
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) {
      take(s, text);
      return text.size();
    }
    finish(s, text.substr(0, end), out);
    return end + 1;
  }

  static void take(Stream& s, std::string_view piece) {
    s.body_size += piece.size();
    s.keep = s.keep && s.body_size <= most_body;
    if (s.keep) s.body += piece;
  }

  static void finish(Stream& s, std::string_view last, Documents& out) {
    s.at = At::between;
    if (s.body.empty())
      s.body_size += last.size();
    else
      take(s, last);
    const std::string_view body = s.body.empty() ? last : s.body;
    out.begin();
    std::string& to = out.text();
    to += s.document;
    to += R"(,"body_bytes":)";
    append_number(to, s.body_size);
    if (s.keep && body.size() <= most_body && is_one_value(body)) {
      to += R"(,"body":)";
      to += body;
    }
    to += '}';
    out.finish(s.head_size + s.body_size + 1);
  }

  // A whole head, blank line included: begins the document, and tells how the body ends.
  bool parse(Stream& s, std::string_view text) {
    const std::string_view command = take_line(text);
    if (std::find(commands.begin(), commands.end(), command) == commands.end()) return false;
    const bool escapes = command != "CONNECT" && command != "CONNECTED" && command != "STOMP";
    s.at = At::uncounted;
    s.keep = false;
    s.body.clear();
    s.body_size = 0;
    s.document = R"({"command":")";
    s.document += command;
    s.document += R"(","headers":{)";
    names_.clear();
    bool first = true;
    std::size_t count = 0;
    for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) {
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos || colon == 0 || ++count > most_headers) return false;
      const std::string_view name = line.substr(0, colon);
      const std::string_view value = line.substr(colon + 1);
      if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
      names_.push_back(name);
      if (name == "content-length") {
        const std::string_view digits = trimmed(value);
        const char* const end = digits.data() + digits.size();
        const auto [at, error] = std::from_chars(digits.data(), end, s.length);
        if (at != end || error != std::errc() || digits.empty()) return false;
        s.at = At::counted;
      } else if (name == "content-type") {
        s.keep = same_word(trimmed(value.substr(0, value.find(';'))), "application/json");
      }
      if (std::any_of(secrets.begin(), secrets.end(), [&](auto secret) { return same_word(trimmed(name), secret); }))
        continue;
      if (!first) s.document += ',';
      first = false;
      append_json(s.document, escapes ? unescaped(name, room_) : name);
      s.document += ':';
      append_json(s.document, escapes ? unescaped(value, room_) : value);
    }
    s.document += '}';
    s.keep = s.keep && (s.at == At::uncounted || s.length <= most_body);
    return true;
  }

  std::array<Stream, 2> streams_;
  std::vector<std::string_view> names_;  // of the head being parsed
  std::string room_;
};

}  // namespace

std::unique_ptr<Decoder> make_stomp_decoder() { return std::make_unique<Stomp>(); }

}  // namespace sockeye::dialect
