// SockJS over WebSocket: a layer that older stacks put round their messages, STOMP most often. Whatever a dialect
// reads, it may come in these text messages:
//
//   s2c  o                  opened (always the first)
//        h                  heartbeat
//        a["…","…"]  m"…"   messages, each as a JSON string
//        c[3000,"Go away!"] closed
//   c2s  ["…","…"]  "…"     messages
//
// What lies in the strings goes, unescaped, to the dialect's own decoder, or is the document itself. wire_bytes is then
// as that decoder counts, of the text inside; a document itself counts as the string that it was, quotes included.
//
// False: none of these, or a message that is no string; what came before it in the same array is read.
#include <algorithm>
#include <charconv>
#include <utility>

#include "decoders.h"

namespace sockeye::dialect {
namespace {

constexpr std::size_t kept_capacity = 16U << 10U;  // between messages

void skip_spaces(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

bool take(std::string_view& text, char c) {
  skip_spaces(text);
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

void append_utf8(std::string& to, std::uint32_t point) {
  const auto byte = [&](std::uint32_t value) { to += static_cast<char>(static_cast<unsigned char>(value)); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xc0U | (point >> 6U));
    byte(0x80U | (point & 0x3fU));
  } else if (point < 0x10000) {
    byte(0xe0U | (point >> 12U));
    byte(0x80U | ((point >> 6U) & 0x3fU));
    byte(0x80U | (point & 0x3fU));
  } else {
    byte(0xf0U | (point >> 18U));
    byte(0x80U | ((point >> 12U) & 0x3fU));
    byte(0x80U | ((point >> 6U) & 0x3fU));
    byte(0x80U | (point & 0x3fU));
  }
}

bool take_unit(std::string_view& text, std::uint32_t& unit) {
  if (text.size() < 4) return false;
  const auto [at, error] = std::from_chars(text.data(), text.data() + 4, unit, 16);
  if (error != std::errc() || at != text.data() + 4) return false;
  text.remove_prefix(4);
  return true;
}

// Behind `\u`. A surrogate without its other half becomes U+FFFD.
bool take_code_point(std::string_view& text, std::string& to) {
  constexpr std::uint32_t replacement = 0xfffd;
  std::uint32_t point = 0;
  if (!take_unit(text, point)) return false;
  if (point >= 0xd800 && point < 0xdc00 && text.starts_with("\\u")) {
    std::string_view behind = text.substr(2);
    std::uint32_t low = 0;
    if (!take_unit(behind, low)) return false;
    if (low >= 0xdc00 && low < 0xe000) {
      text = behind;
      point = 0x10000 + ((point - 0xd800) << 10U) + (low - 0xdc00);
    }
  }
  append_utf8(to, point >= 0xd800 && point < 0xe000 ? replacement : point);
  return true;
}

// A JSON string from the front, unescaped.
bool take_string(std::string_view& text, std::string& to) {
  to.clear();
  if (!take(text, '"')) return false;
  for (;;) {
    std::size_t plain = 0;
    while (plain < text.size() && text[plain] != '"' && text[plain] != '\\') {
      if (static_cast<unsigned char>(text[plain]) < 0x20) return false;
      ++plain;
    }
    to.append(text, 0, plain);
    text.remove_prefix(plain);
    if (text.size() < 2 && !text.starts_with('"')) return false;
    if (text[0] == '"') {
      text.remove_prefix(1);
      return true;
    }
    constexpr std::string_view escapes = "\"\\/bfnrtu";
    constexpr std::string_view unescaped = "\"\\/\b\f\n\r\t";
    const std::size_t which = escapes.find(text[1]);
    if (which == std::string_view::npos) return false;
    text.remove_prefix(2);
    if (which < unescaped.size())
      to += unescaped[which];
    else if (!take_code_point(text, to))
      return false;
  }
}

class SockJs final : public Decoder {
 public:
  explicit SockJs(std::unique_ptr<Decoder> inner) : inner_(std::move(inner)) {}

  bool decode(model::Side from, model::Opcode opcode, base::Bytes plain, Documents& out) override {
    if (opcode != model::Opcode::text) return false;
    std::string_view text = base::as_text(plain);
    if (from == model::Side::server) {
      using enum Documents::Wrapping;
      const char kind = text.empty() ? '\0' : text[0];
      const bool alone = text.size() == 1;
      const Documents::Wrapping said = alone && kind == 'o'                          ? open
                                       : alone && kind == 'h'                        ? heartbeat
                                       : kind == 'c' && is_one_value(text.substr(1)) ? close
                                                                                     : none;
      out.said(said);
      if (said != none) return true;
      if (kind != 'a' && kind != 'm') return false;
      text.remove_prefix(1);
    }
    const bool good = messages(from, text, out);
    if (room_.capacity() > kept_capacity) room_ = std::string();
    return good;
  }

  [[nodiscard]] std::size_t held() const override { return room_.capacity() + (inner_ ? inner_->held() : 0); }

 private:
  bool messages(model::Side from, std::string_view text, Documents& out) {
    bool good = true;
    skip_spaces(text);
    if (!text.starts_with('[')) {
      good = one(from, text, out);
    } else {
      text.remove_prefix(1);
      if (take(text, ']')) return ends(text);
      do good = one(from, text, out) && good;
      while (take(text, ','));
      good = take(text, ']') && good;
    }
    return ends(text) && good;
  }

  static bool ends(std::string_view text) {
    skip_spaces(text);
    return text.empty();
  }

  bool one(model::Side from, std::string_view& text, Documents& out) {
    skip_spaces(text);
    const std::size_t before = text.size();
    if (!take_string(text, room_)) return false;
    if (inner_) return inner_->decode(from, model::Opcode::text, base::as_bytes(room_), out);
    out.begin();
    if (out.fits(room_.size())) {
      out.text() += room_;
      out.finish(before - text.size());
    } else {
      out.drop();
    }
    return true;
  }

  std::unique_ptr<Decoder> inner_;
  std::string room_;  // of one message
};

}  // namespace

std::unique_ptr<Decoder> make_sockjs_decoder(std::unique_ptr<Decoder> inner) {
  return std::make_unique<SockJs>(std::move(inner));
}

}  // namespace sockeye::dialect
