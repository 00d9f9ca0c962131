#include "reading.h"

#include <algorithm>

#include "sockeye/base/utf8.h"

namespace sockeye::dialect {

HandshakeValues read_handshake(const Program& program, const Facts& facts) {
  HandshakeValues values;
  const auto query = [&](std::string_view wanted) -> std::optional<std::string> {
    std::string_view rest = facts.query;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('&'), rest.size());
      const std::string_view pair = rest.substr(0, end);
      const std::size_t equals = std::min(pair.find('='), pair.size());
      if (pair.substr(0, equals) == wanted) return std::string(pair.substr(std::min(equals + 1, pair.size())));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return std::nullopt;
  };
  for (const HandshakeValue& wanted : program.handshake) {
    std::optional<std::string> got;
    switch (wanted.kind) {
      case HandshakeValue::Kind::path:
        got = facts.path;
        break;
      case HandshakeValue::Kind::subprotocol:
        if (!facts.subprotocol.empty()) got = facts.subprotocol;
        break;
      case HandshakeValue::Kind::query:
        got = query(wanted.name);
        break;
      case HandshakeValue::Kind::header:
        if (facts.head != nullptr)
          if (const model::HttpField* const field = facts.head->find(wanted.name)) got = field->value;
        break;
    }
    if (got && got->size() > model::Invocation::max_text)
      got->resize(base::cut_utf8(*got, model::Invocation::max_text).size());
    values.push_back(std::move(got));
  }
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
