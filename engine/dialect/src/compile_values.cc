// What rules are made of: texts, pointers, extractors, matchers.
#include <algorithm>
#include <charconv>

#include "compiler.h"

namespace sockeye::dialect {
namespace {

constexpr int deepest = 8;  // extractors in extractors

}  // namespace

Where where(const Node& node) {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? Where{} : Where{mark.line + 1, mark.column + 1};
}

bool Compiler::each_pair(const Node& node, std::string_view what,
                         const std::function<void(const Node&, const Node&)>& each) {
  if (!node.IsMap()) {
    problem(where(node), std::string(what) + " must be a map");
    return false;
  }
  std::unordered_set<std::string> seen;
  for (const auto& pair : node) {
    if (!pair.first.IsScalar()) {
      problem(where(pair.first), "a key must be plain text");
    } else if (!seen.insert(pair.first.Scalar()).second) {
      problem(where(pair.first), "'" + pair.first.Scalar() + "' is here twice");
    } else {
      each(pair.first, pair.second);
    }
  }
  return true;
}

void Compiler::map(const Node& node, std::string_view what, std::initializer_list<Entry> entries) {
  each_pair(node, what, [&](const Node& key, const Node& value) {
    for (const Entry& entry : entries)
      if (entry.name == key.Scalar()) return entry.read(value);
    std::string known;
    for (const Entry& entry : entries) known += (known.empty() ? "" : ", ") + std::string(entry.name);
    problem(where(key), "unknown key '" + key.Scalar() + "' in " + std::string(what) + "; known are " + known);
  });
}

void Compiler::one_or_many(const Node& node, const std::function<void(const Node&)>& each) {
  if (!node.IsSequence()) return each(node);
  for (const Node& item : node) each(item);
}

std::string Compiler::text(const Node& node, std::string_view what) {
  if (node.IsScalar()) return node.Scalar();
  problem(where(node), std::string(what) + " must be plain text");
  return {};
}

std::vector<std::string> Compiler::texts(const Node& node, std::string_view what) {
  std::vector<std::string> all;
  one_or_many(node, [&](const Node& item) { all.push_back(text(item, what)); });
  return all;
}

bool Compiler::flag(const Node& node, std::string_view what) {
  if (node.IsScalar() && (node.Scalar() == "true" || node.Scalar() == "false")) return node.Scalar() == "true";
  problem(where(node), std::string(what) + " must be true or false");
  return false;
}

std::optional<Side> Compiler::side(const Node& node) {
  const std::string value = text(node, "dir");
  if (value == "c2s") return Side::client;
  if (value == "s2c") return Side::server;
  problem(where(node), "dir must be c2s (sent by the client) or s2c (sent by the server)");
  return std::nullopt;
}

base::Duration Compiler::duration(const Node& node) {
  const std::string value = text(node, "a duration");
  unsigned long long number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(value.data() + value.size() - end));
  if (error == std::errc() && number <= 1'000'000'000) {
    if (unit == "ms") return std::chrono::milliseconds(number);
    if (unit == "s") return std::chrono::seconds(number);
    if (unit == "m" || unit == "min") return std::chrono::minutes(number);
    if (unit == "h") return std::chrono::hours(number);
  }
  problem(where(node), "'" + value + "' is no duration: write 500ms, 30s, 5m or 1h");
  return {};
}

std::uint16_t Compiler::slot(const Node& node, std::string_view pointer, Tree& tree, bool raw) {
  const auto parsed = parse_pointer(pointer);
  if (!parsed) {
    problem(where(node), "'" + std::string(pointer) + "': " + parsed.error().message);
    return Tree::none;
  }
  const std::uint16_t got = tree.add(*parsed, raw);
  if (got == Tree::none) problem(where(node), "more than " + std::to_string(most_slots) + " different pointers");
  return got;
}

std::uint16_t Compiler::handshake(HandshakeValue::Kind kind, std::string_view name, Where at) {
  for (std::size_t i = 0; i < out_.handshake.size(); ++i)
    if (out_.handshake[i].kind == kind && out_.handshake[i].name == name) return static_cast<std::uint16_t>(i);
  if (out_.handshake.size() >= 64) {
    problem(at, "more than 64 different values of the handshake");
    return 0;
  }
  out_.handshake.push_back({.kind = kind, .name = std::string(name)});
  return static_cast<std::uint16_t>(out_.handshake.size() - 1);
}

Extractor Compiler::scalar_extractor(const Node& node, Bare bare, bool raw) {
  const std::string& value = node.Scalar();
  Extractor e;
  const auto tail = [&](std::string_view prefix) { return std::string_view(value).substr(prefix.size()); };
  if (value.empty() || value[0] == '/') {
    e.kind = Extractor::Kind::slot;
    e.index = slot(node, value, out_.tree, raw);
  } else if (value == "." || value.starts_with("./")) {
    if (!in_each_) problem(where(node), "'" + value + "' points into an element, and this rule has no `each`");
    e.kind = Extractor::Kind::element;
    e.index = slot(node, tail("."), out_.elements, raw);
  } else if (value[0] == '=') {
    e.kind = Extractor::Kind::constant;
    e.text = tail("=");
  } else if (value == "$dir") {
    e.kind = Extractor::Kind::direction;
  } else if (value == "$binary") {
    e.kind = Extractor::Kind::binary;
  } else if (value == "$path" || value == "$subprotocol" || value.starts_with("$query.") ||
             value.starts_with("$header.")) {
    using enum HandshakeValue::Kind;
    e.kind = Extractor::Kind::handshake;
    e.index = value == "$path"               ? handshake(path, "", where(node))
              : value == "$subprotocol"      ? handshake(subprotocol, "", where(node))
              : value.starts_with("$query.") ? handshake(query, tail("$query."), where(node))
                                             : handshake(header, tail("$header."), where(node));
  } else if (value.starts_with("$inv.") || value.starts_with("$sess.")) {
    const bool inv = value.starts_with("$inv.");
    e.kind = inv ? Extractor::Kind::invocation : Extractor::Kind::session;
    e.key = immortal(inv ? tail("$inv.") : tail("$sess."));
  } else if (value.starts_with("$anchor.")) {
    e.kind = Extractor::Kind::anchor;
    e.key = immortal(tail("$anchor."));
  } else if (bare == Bare::constant && value[0] != '$') {
    e.kind = Extractor::Kind::constant;
    e.text = value;
  } else {
    problem(where(node),
            "'" + value +
                "' is no extractor: expected a JSON Pointer (/a/b), ./pointer inside `each`, =constant, "
                "$path, $query.NAME, $header.NAME, $subprotocol, $dir, $binary, $inv.NAME, $sess.NAME or $anchor.NAME");
  }
  return e;
}

Extractor Compiler::extractor(const Node& node, Bare bare, bool raw, int depth) {
  Extractor e;
  if (!affordable(node)) return e;
  if (depth > deepest) {
    problem(where(node), "extractors in extractors, deeper than " + std::to_string(deepest));
    return e;
  }
  if (node.IsScalar()) return scalar_extractor(node, bare, raw);
  if (node.IsNull()) {
    problem(where(node), "an extractor is missing here");
    return e;
  }
  const auto parts = [&](const Node& list) {
    for (const Node& item : list) e.parts.push_back(extractor(item, Bare::no, raw, depth + 1));
    if (e.parts.empty() || e.parts.size() > 16) problem(where(list), "expected 1 to 16 extractors");
  };
  if (node.IsSequence()) {
    e.kind = Extractor::Kind::first_of;
    parts(node);
    return e;
  }
  map(node, "an extractor",
      {{"join",
        [&](const Node& value) {
          e.kind = Extractor::Kind::join;
          if (!value.IsSequence()) return problem(where(value), "join must be a list of extractors");
          parts(value);
        }},
       {"with", [&](const Node& value) { e.text = text(value, "with"); }},
       {"map",
        [&](const Node& value) {
          e.kind = Extractor::Kind::map;
          if (!value.IsSequence() || value.size() != 2 || !value[1].IsMap())
            return problem(where(value), "map must be [extractor, {from: to, …}]");
          e.parts.push_back(extractor(value[0], Bare::no, false, depth + 1));
          each_pair(value[1], "map", [&](const Node& from, const Node& to) {
            e.table.emplace_back(from.Scalar(), text(to, "a value of map"));
          });
        }},
       {"word",
        [&](const Node& value) {
          e.kind = Extractor::Kind::word;
          e.parts.push_back(extractor(value, Bare::no, false, depth + 1));
        }},
       {"default", [&](const Node& value) {
          e.text = text(value, "default");
          e.has_default = true;
        }}});
  if (e.kind == Extractor::Kind::none)
    problem(where(node), "expected {join: […]}, {map: [extractor, {…}]} or {word: extractor}");
  return e;
}

std::vector<Matcher> Compiler::matchers(const Node& node, int depth) {
  std::vector<Matcher> all;
  if (!affordable(node)) return all;
  if (depth > deepest) {
    problem(where(node), "matchers in matchers, deeper than " + std::to_string(deepest));
    return all;
  }
  const auto plain = [&](Matcher::Kind kind, std::vector<std::string> values) {
    Matcher m;
    m.kind = kind;
    m.texts = std::move(values);
    all.push_back(std::move(m));
  };
  if (node.IsScalar()) {
    plain(Matcher::Kind::equal, {node.Scalar()});
  } else if (node.IsNull()) {
    Matcher m;
    m.kind = Matcher::Kind::kind;
    m.value = Value::Kind::null;
    all.push_back(m);
  } else if (node.IsSequence()) {
    plain(Matcher::Kind::in, texts(node, "a value"));
  } else {
    map(node, "a matcher",
        {{"in", [&](const Node& v) { plain(Matcher::Kind::in, texts(v, "a value of in")); }},
         {"prefix", [&](const Node& v) { plain(Matcher::Kind::prefix, texts(v, "prefix")); }},
         {"suffix", [&](const Node& v) { plain(Matcher::Kind::suffix, texts(v, "suffix")); }},
         {"contains", [&](const Node& v) { plain(Matcher::Kind::contains, texts(v, "contains")); }},
         {"has",
          [&](const Node& v) {
            Matcher m;
            m.kind = Matcher::Kind::has;
            m.flag = flag(v, "has");
            all.push_back(m);
          }},
         {"kind",
          [&](const Node& v) {
            using enum Value::Kind;
            constexpr std::array<std::pair<std::string_view, Value::Kind>, 6> kinds{{{"null", null},
                                                                                     {"boolean", boolean},
                                                                                     {"number", number},
                                                                                     {"string", string},
                                                                                     {"object", object},
                                                                                     {"array", array}}};
            for (const std::string& wanted : texts(v, "kind")) {
              Matcher m;
              m.kind = Matcher::Kind::kind;
              for (const auto& [spelled, kind] : kinds)
                if (spelled == wanted) m.value = kind;
              if (m.value == absent) problem(where(v), "kind must be null, boolean, number, string, object or array");
              if (v.IsSequence()) {
                if (all.empty() || all.back().kind != Matcher::Kind::any_of) {
                  Matcher any;
                  any.kind = Matcher::Kind::any_of;
                  all.push_back(any);
                }
                all.back().parts.push_back(m);
              } else {
                all.push_back(m);
              }
            }
          }},
         {"not", [&](const Node& v) {
            Matcher m;
            m.kind = Matcher::Kind::negate;
            m.parts = matchers(v, depth + 1);
            all.push_back(std::move(m));
          }}});
  }
  return all;
}

std::vector<Condition> Compiler::conditions(const Node& node) {
  std::vector<Condition> all;
  each_pair(node, "when", [&](const Node& key, const Node& value) {
    Condition condition{.what = extractor(key), .all = {}, .last_of = {}};
    if (value.IsMap() && value.size() == 1 && value["last_of"].IsDefined())
      condition.last_of = extractor(value["last_of"]);
    else
      condition.all = matchers(value);
    all.push_back(std::move(condition));
  });
  return all;
}

std::vector<AttributeRule> Compiler::attributes(const Node& node) {
  std::vector<AttributeRule> all;
  each_pair(node, "attrs", [&](const Node& key, const Node& value) {
    if (key.Scalar().empty() || key.Scalar().size() > most_attribute_name)
      return problem(where(key), "an attribute's name has 1 to 128 bytes");
    all.push_back({.key = immortal(key.Scalar()), .value = extractor(value)});
  });
  return all;
}

}  // namespace sockeye::dialect
