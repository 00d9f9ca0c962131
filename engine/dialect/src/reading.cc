#include "reading.h"

#include <algorithm>

#include "sockeye/base/utf8.h"

namespace sockeye::dialect {

namespace {

std::optional<std::string_view> query_value(std::string_view query, std::string_view wanted) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == wanted) return pair.substr(std::min(equals + 1, pair.size()));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return std::nullopt;
}

std::optional<std::string_view> whole_value(const HandshakeValue& wanted, const HandshakeView& handshake) {
  switch (wanted.kind) {
    case HandshakeValue::Kind::path:
      return handshake.path;
    case HandshakeValue::Kind::subprotocol:
      if (handshake.subprotocol.empty()) return std::nullopt;
      return handshake.subprotocol;
    case HandshakeValue::Kind::query:
      return query_value(handshake.query, wanted.name);
    case HandshakeValue::Kind::header:
      if (handshake.head != nullptr)
        if (const model::HttpField* const field = handshake.head->find(wanted.name)) return field->value;
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> read_handshake(const HandshakeValue& wanted, const HandshakeView& handshake) {
  const auto whole = whole_value(wanted, handshake);
  return whole ? std::optional(base::cut_utf8(*whole, model::Invocation::max_text)) : whole;
}

HandshakeValues read_handshake(const Program& program, const HandshakeView& handshake) {
  HandshakeValues values;
  values.reserve(program.handshake.size());
  for (const HandshakeValue& wanted : program.handshake) values.emplace_back(read_handshake(wanted, handshake));
  return values;
}

namespace {

bool satisfies(const Matcher&, const Value&);

bool satisfies(const Matcher& m, const Value& v) {
  const auto one_of = [&](auto&& test) { return std::any_of(m.texts.begin(), m.texts.end(), test); };
  switch (m.kind) {
    case Matcher::Kind::equal:
    case Matcher::Kind::in:
      return v.scalar() && one_of([&](const std::string& t) { return t == v.text; });
    case Matcher::Kind::has:
      return m.flag == (v.present() && v.kind != Value::Kind::null);
    case Matcher::Kind::kind:
      return v.kind == m.value;
    case Matcher::Kind::prefix:
      return v.kind == Value::Kind::string && one_of([&](const std::string& t) { return v.text.starts_with(t); });
    case Matcher::Kind::suffix:
      return v.kind == Value::Kind::string && one_of([&](const std::string& t) { return v.text.ends_with(t); });
    case Matcher::Kind::contains:
      return v.kind == Value::Kind::string &&
             one_of([&](const std::string& t) { return v.text.find(t) != std::string_view::npos; });
    case Matcher::Kind::any_of:
      return std::any_of(m.parts.begin(), m.parts.end(), [&](const Matcher& part) { return satisfies(part, v); });
    case Matcher::Kind::negate:
      return !satisfies(m.parts, v);
  }
  return false;
}

}  // namespace

bool satisfies(const std::vector<Matcher>& all, const Value& value) {
  return std::all_of(all.begin(), all.end(), [&](const Matcher& m) { return satisfies(m, value); });
}

}  // namespace sockeye::dialect
