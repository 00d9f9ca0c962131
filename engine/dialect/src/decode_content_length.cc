// JSON with or without the headers of the Language Server Protocol's base protocol, as gateways put what a language
// server says on its standard output into messages:
//
//   Content-Length: 58 CR LF
//   Content-Type: application/vscode-jsonrpc; charset=utf-8 CR LF     (any other field; passed over)
//   CR LF
//   {"jsonrpc":"2.0", …}                                              58 bytes
//
// A message that begins with `{` or `[` is a document as it is. Anything else is one stream of bytes a side: header and
// body may be two messages, any of them may span messages, text or binary, and a message may hold several. A document
// is the body; wire_bytes counts its header, too.
//
// A fault (a line without a colon, no Content-Length, a header of more than most_header bytes) loses what is left of
// the message, and the next one starts over. A body that spans messages and is longer than most_held is passed over and
// counted, likewise one that has no room in Documents.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "decoders.h"

namespace sockeye::dialect {
namespace {

constexpr std::size_t most_header = 1024;
constexpr std::uint64_t most_length = 1U << 30U;  // of a body that is waited for at all

bool is_content_length(std::string_view name) {
  constexpr std::string_view wanted = "content-length";
  if (name.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i)
    if ((name[i] >= 'A' && name[i] <= 'Z' ? static_cast<char>(name[i] + 32) : name[i]) != wanted[i]) return false;
  return true;
}

// Of a whole header, its blank line included.
std::optional<std::uint64_t> length_in(std::string_view header) {
  std::optional<std::uint64_t> length;
  for (;;) {
    const std::size_t end = header.find('\n');
    std::string_view line = header.substr(0, end);
    header.remove_prefix(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) return length;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    if (!is_content_length(line.substr(0, colon))) continue;
    line.remove_prefix(std::min(line.find_first_not_of(" \t", colon + 1), line.size()));
    line = line.substr(0, line.find_last_not_of(" \t") + 1);
    std::uint64_t number = 0;
    const auto [at, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (line.empty() || error != std::errc() || at != line.data() + line.size() || number > most_length)
      return std::nullopt;
    length = number;
  }
}

class ContentLength final : public Decoder {
 public:
  bool decode(model::Side from, model::Opcode /*opcode*/, base::Bytes plain, Documents& out) override {
    Stream& s = streams_[model::index(from)];
    std::string_view rest = base::as_text(plain);
    if (s.at == At::between) {
      const std::size_t begin = rest.find_first_not_of(" \t\r\n");
      if (begin != std::string_view::npos && (rest[begin] == '{' || rest[begin] == '[')) {
        add(rest, rest.size(), out);
        return true;
      }
    }
    while (!rest.empty()) {
      switch (s.at) {
        case At::between:
          rest.remove_prefix(std::min(rest.find_first_not_of("\r\n"), rest.size()));
          if (!rest.empty()) s.at = At::header;
          break;
        case At::header:
          if (!header(s, rest)) {
            s = {};
            return false;
          }
          break;
        case At::body:
          body(s, rest, out);
          break;
      }
    }
    return true;
  }

  [[nodiscard]] std::size_t held() const override {
    std::size_t out = 0;
    for (const Stream& s : streams_) out += s.held.capacity();
    return out;
  }

 private:
  enum class At : std::uint8_t { between, header, body };
  struct Stream {
    At at = At::between;
    bool skip = false;       // the body is too long
    std::string held;        // of a header, or a body, that spans messages
    std::size_t header = 0;  // bytes
    std::uint64_t left = 0;  // of the body
    std::uint64_t length = 0;
  };

  static void add(std::string_view document, std::uint64_t wire_bytes, Documents& out) {
    out.begin();
    if (!out.fits(document.size())) return out.drop();
    out.text() += document;
    out.finish(wire_bytes);
  }

  // These take bytes from the front of `rest`, which is not empty.

  static bool header(Stream& s, std::string_view& rest) {
    const std::size_t before = s.held.size();
    for (std::size_t i = 0; i < rest.size(); ++i) {
      if (before + i >= most_header) return false;
      if (rest[i] != '\n') continue;
      // A blank line: behind another line's end, a carriage return aside.
      const auto byte = [&](std::size_t back) {
        return back <= i ? rest[i - back] : back - i <= before ? s.held[before - (back - i)] : '\0';
      };
      if (byte(1) != '\n' && !(byte(1) == '\r' && byte(2) == '\n')) continue;
      std::string_view whole = rest.substr(0, i + 1);
      if (before > 0) whole = s.held.append(whole);
      const auto length = length_in(whole);
      if (!length) return false;
      s.header = whole.size();
      s.length = s.left = *length;
      s.held.clear();
      s.skip = false;
      s.at = s.left == 0 ? At::between : At::body;
      rest.remove_prefix(i + 1);
      return true;
    }
    s.held += rest;
    rest = {};
    return true;
  }

  static void body(Stream& s, std::string_view& rest, Documents& out) {
    const std::string_view piece = rest.substr(0, s.left);
    rest.remove_prefix(piece.size());
    s.left -= piece.size();
    s.skip = s.skip || (s.left != 0 && s.held.size() + piece.size() > most_held) ||
             (!s.held.empty() && s.length > most_held);
    if (s.left != 0) {
      if (s.skip)
        s.held.clear();
      else
        s.held += piece;
      return;
    }
    if (s.skip) {
      out.begin();
      out.drop();
    } else {
      add(s.held.empty() ? piece : std::string_view(s.held.append(piece)), s.header + s.length, out);
    }
    s.held.clear();
    s.at = At::between;
  }

  std::array<Stream, 2> streams_;
};

}  // namespace

std::unique_ptr<Decoder> make_content_length_decoder() { return std::make_unique<ContentLength>(); }

}  // namespace sockeye::dialect
