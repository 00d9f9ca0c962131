// Sec-WebSocket-Extensions. The answer decides; the offers are read only to tell whether the answer may be what it is.
#include "sockeye/wire/extensions.h"

#include <array>
#include <optional>
#include <vector>

#include "http_syntax.h"
#include "sockeye/base/text.h"

namespace sockeye::wire {
namespace {

constexpr std::string_view field_name = "Sec-WebSocket-Extensions";
constexpr std::string_view deflate_name = "permessage-deflate";

struct Parameter {
  std::string_view name;
  std::optional<std::string> value;  // unquoted
};
struct Element {
  std::string_view name;
  std::vector<Parameter> parameters;
};

// RFC 6455 §9.1: extension-list of one field value. Reads element by element; `failed` once the grammar is broken.
class ListReader {
 public:
  explicit ListReader(std::string_view text) : rest_(text) {}

  std::optional<Element> next() {
    skip();
    while (take(',')) skip();  // RFC 9110 §5.6.1: empty elements are ignored
    if (rest_.empty() || failed_) return std::nullopt;
    Element element;
    element.name = token();
    skip();
    while (!failed_ && take(';')) {
      skip();
      Parameter parameter{token(), std::nullopt};
      skip();
      if (!failed_ && take('=')) {
        skip();
        parameter.value = !rest_.empty() && rest_.front() == '"' ? quoted() : std::string(token());
        skip();
      }
      element.parameters.push_back(std::move(parameter));
    }
    if (!failed_ && !rest_.empty() && rest_.front() != ',') failed_ = true;
    if (failed_) return std::nullopt;
    return element;
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  void skip() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view token() {
    std::size_t n = 0;
    while (n < rest_.size() && character::is(rest_[n], character::token)) ++n;
    if (n == 0) failed_ = true;
    const auto out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }
  // What a quoted-string says must itself be a token (RFC 6455 §9.1).
  std::string quoted() {
    std::string out;
    take('"');
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.front() == '\\') rest_.remove_prefix(1);
      if (rest_.empty()) break;
      out += rest_.front();
      rest_.remove_prefix(1);
    }
    if (!take('"') || !is_token(out)) failed_ = true;
    return out;
  }

  std::string_view rest_;
  bool failed_ = false;
};

// 8 .. 15 in decimal, no leading zero (RFC 7692 §7.1.2).
std::optional<std::uint8_t> window_bits(const std::optional<std::string>& value) {
  static constexpr std::array<std::string_view, 8> spelled{"8", "9", "10", "11", "12", "13", "14", "15"};
  for (std::size_t i = 0; value && i < spelled.size(); ++i)
    if (*value == spelled[i]) return static_cast<std::uint8_t>(8 + i);
  return std::nullopt;
}

// permessage-deflate's parameters as written, in an offer or in an answer.
struct DeflateElement {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<std::uint8_t> server_max_window_bits;
  std::optional<std::uint8_t> client_max_window_bits;
  bool client_max_window_bits_named = false;  // with or without a value
};

// RFC 7692 §7.1: an unknown parameter, a repeated one, a missing, superfluous or impossible value makes it invalid.
std::optional<DeflateElement> read_deflate(const Element& element, bool offer) {
  DeflateElement out;
  const auto flag = [](bool& slot, const Parameter& p) {
    if (slot || p.value) return false;
    slot = true;
    return true;
  };
  for (const auto& p : element.parameters) {
    bool good = false;
    if (p.name == "server_no_context_takeover") {
      good = flag(out.server_no_context_takeover, p);
    } else if (p.name == "client_no_context_takeover") {
      good = flag(out.client_no_context_takeover, p);
    } else if (p.name == "server_max_window_bits") {
      good = !out.server_max_window_bits;
      out.server_max_window_bits = window_bits(p.value);
      good = good && out.server_max_window_bits;
    } else if (p.name == "client_max_window_bits") {
      good = !out.client_max_window_bits_named;
      out.client_max_window_bits_named = true;
      out.client_max_window_bits = window_bits(p.value);
      good = good && (out.client_max_window_bits || (offer && !p.value));
    }
    if (!good) return std::nullopt;
  }
  return out;
}

// May `answer` accept `offer`? What a server may not leave out (§7.1.1.1, §7.1.2.1), and what it may not bring in
// (§7.1.2.2).
bool accepts(const DeflateElement& answer, const DeflateElement& offer) {
  if (offer.server_no_context_takeover && !answer.server_no_context_takeover) return false;
  // An answer that leaves the bits out means 15: all that an offer of 15 asks for, and how Boost.Beast answers it.
  if (offer.server_max_window_bits && answer.server_max_window_bits.value_or(15) > *offer.server_max_window_bits)
    return false;
  return !answer.client_max_window_bits || offer.client_max_window_bits_named;
}

// What the client offered, the first `max_offers`. A field that does not parse offers what stood before the fault.
constexpr std::size_t max_offers = 64;
struct Offers {
  std::vector<DeflateElement> deflate;
  std::vector<std::string_view> others;
};
Offers read_offers(const model::HttpHead& request) {
  Offers offers;
  for (const auto& field : request.fields) {
    if (!model::iequals(field.name, field_name)) continue;
    ListReader reader(field.value);
    while (const auto element = reader.next()) {
      if (offers.deflate.size() + offers.others.size() == max_offers) return offers;
      if (element->name != deflate_name)
        offers.others.push_back(element->name);
      else if (const auto offer = read_deflate(*element, true))
        offers.deflate.push_back(*offer);
    }
  }
  return offers;
}

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
  for (const auto have : names)
    if (have == name) return true;
  return false;
}

}  // namespace

Negotiated negotiated(const model::HttpHead& request, const model::HttpHead& response) {
  if (response.find(field_name) == nullptr) return {};
  const Offers offers = read_offers(request);
  Negotiated out;
  bool named_deflate = false;
  for (const auto& field : response.fields) {
    if (!model::iequals(field.name, field_name)) continue;
    ListReader reader(field.value);
    while (const auto element = reader.next()) {
      if (element->name != deflate_name) {
        out.valid = out.valid && contains(offers.others, element->name);
        out.extensions.other = true;
        continue;
      }
      const auto answer = read_deflate(*element, false);
      bool accepted = false;
      for (const auto& offer : offers.deflate) accepted = accepted || (answer && accepts(*answer, offer));
      out.valid = out.valid && accepted && !named_deflate;
      named_deflate = true;
      if (!out.valid) continue;
      out.extensions.parameters = {.client_no_context_takeover = answer->client_no_context_takeover,
                                   .server_no_context_takeover = answer->server_no_context_takeover,
                                   .client_max_window_bits = answer->client_max_window_bits.value_or(15),
                                   .server_max_window_bits = answer->server_max_window_bits.value_or(15)};
    }
    if (reader.failed()) {
      out.valid = false;
      named_deflate = named_deflate || field.value.find(deflate_name) != std::string_view::npos;
    }
  }
  out.extensions.deflate = named_deflate;
  // A window of 15 bits reads what was written with any other, and a context that is kept reads what refers to none.
  if (!out.valid) out.extensions = {.deflate = named_deflate, .other = true, .certain = false, .parameters = {}};
  return out;
}

std::string without_deflate(std::string_view offer) {
  std::string out;
  std::size_t begin = 0;
  bool quoted = false;
  bool escaped = false;
  for (std::size_t i = 0; i <= offer.size(); ++i) {
    if (i < offer.size()) {  // the end closes the last element whatever is open
      const char c = offer[i];
      const bool literal = escaped;
      escaped = quoted && !literal && c == '\\';
      if (c == '"' && !literal) quoted = !quoted;
      if (quoted || c != ',') continue;
    }
    const auto element = base::trim(offer.substr(begin, i - begin));
    begin = i + 1;
    if (element.empty() || base::trim(element.substr(0, element.find(';'))) == deflate_name) continue;
    if (!out.empty()) out += ", ";
    out += element;
  }
  return out;
}

}  // namespace sockeye::wire
