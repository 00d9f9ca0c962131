#include "decoder.h"

#include <array>
#include <charconv>

#include "decoders.h"
#include "sockeye/base/utf8.h"

namespace sockeye::dialect {
namespace {

constexpr std::string_view spaces = " \t\n\r";

// Behind the closing quote of the string whose opening quote is at `at`; npos when it is not closed.
std::size_t behind_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\')
      ++at;
    else if (text[at] == '"')
      return at + 1;
  }
  return std::string_view::npos;
}

}  // namespace

void Documents::finish(std::uint64_t wire_bytes) {
  if (documents_.size() >= most || text_.size() > most_text) return drop();
  documents_.push_back({.begin = begun_, .size = text_.size() - begun_, .wire_bytes = wire_bytes});
}

void append_json(std::string& out, std::string_view text) {
  if (base::valid_utf8_prefix(text) != text.size()) {  // rare: the copy is worth one repair for the whole engine
    append_json(out, base::repair_utf8(text));
    return;
  }
  out += '"';
  std::size_t plain = 0;  // from here on nothing needs escaping so far
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    out += '\\';
    switch (c) {
      case '\n':
        out += 'n';
        break;
      case '\r':
        out += 'r';
        break;
      case '\t':
        out += 't';
        break;
      case '"':
      case '\\':
        out += text[i];
        break;
      default:
        out += "u00";
        out += "0123456789abcdef"[c >> 4U];
        out += "0123456789abcdef"[c & 15U];
    }
  }
  out.append(text, plain);
  out += '"';
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

bool is_one_value(std::string_view text) {
  const std::size_t first = text.find_first_not_of(spaces);
  if (first == std::string_view::npos) return false;
  text = text.substr(first, text.find_last_not_of(spaces) + 1 - first);
  if (text[0] == '"') return behind_string(text, 0) == text.size();
  if (text[0] != '[' && text[0] != '{') return text.find_first_of("[]{},:\"\\ \t\n\r") == std::string_view::npos;
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size();) {
    switch (text[i]) {
      case '"':
        i = behind_string(text, i);
        if (i == std::string_view::npos) return false;
        continue;
      case '\\':
        return false;
      case '[':
      case '{':
        ++depth;
        break;
      case ']':
      case '}':
        if (--depth == 0) return i + 1 == text.size();
        break;
      default:
        break;
    }
    ++i;
  }
  return false;
}

std::unique_ptr<Decoder> make_decoder(Decode decode) {
  switch (decode) {
    case Decode::records:
      return make_records_decoder();
    case Decode::socket_io:
      return make_socket_io_decoder();
    case Decode::stomp:
      return make_stomp_decoder();
    case Decode::mqtt:
      return make_mqtt_decoder();
    case Decode::content_length:
      return make_content_length_decoder();
    case Decode::phoenix:
      return make_phoenix_decoder();
    case Decode::json:
    case Decode::none:
      break;
  }
  return nullptr;
}

}  // namespace sockeye::dialect
