// YAML → Program. Everything wrong is reported, each with its place and what was expected, because who writes a dialect
// wants one round trip, not ten.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <deque>
#include <functional>
#include <initializer_list>
#include <unordered_set>

#include "program_parts.h"

namespace sockeye::dialect {
namespace {

using model::Side;
using YAML::Node;

constexpr std::size_t most_file = 1U << 20U;
constexpr std::size_t most_rules = 512;
constexpr std::size_t most_verbs = 16;
constexpr std::size_t most_problems = 20;
constexpr std::size_t most_key_names = 16;
constexpr std::size_t most_attribute_name = 128;
constexpr std::size_t most_nodes = 20'000;
constexpr int deepest = 8;  // extractors in extractors

struct Where {
  int line = 0, column = 0;
};

Where where(const Node& node) {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? Where{} : Where{mark.line + 1, mark.column + 1};
}

class Compiler {
 public:
  Compiler(std::string_view file, Program& out) : file_(file), out_(out) { out_.key_names.emplace_back("id"); }

  void document(const Node& root);
  void plan();
  [[nodiscard]] const std::string& problems() const { return problems_; }
  void problem(Where at, const std::string& what) {
    if (count_++ >= most_problems) return;
    if (!problems_.empty()) problems_ += '\n';
    problems_ += file_;
    if (at.line > 0) problems_ += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
    problems_ += ": " + what;
  }

 private:
  using Handler = std::function<void(const Node& value)>;
  struct Entry {
    std::string_view name;
    Handler read;
  };
  void map(const Node& node, std::string_view what, std::initializer_list<Entry> entries);
  bool each_pair(const Node& node, std::string_view what, const std::function<void(const Node&, const Node&)>& each);
  // A list, or a single item in its place.
  void one_or_many(const Node& node, const std::function<void(const Node&)>& each);

  std::string text(const Node& node, std::string_view what);
  std::vector<std::string> texts(const Node& node, std::string_view what);
  bool flag(const Node& node, std::string_view what);
  std::optional<Side> side(const Node& node);
  base::Duration duration(const Node& node);
  std::string_view name(const Node& node, std::string_view what) { return immortal(text(node, what)); }

  enum class Bare : std::uint8_t { no, constant };
  Extractor extractor(const Node& node, Bare bare = Bare::no, bool raw = false, int depth = 0);
  Extractor scalar_extractor(const Node& node, Bare bare, bool raw);
  std::uint16_t handshake(HandshakeValue::Kind kind, std::string_view name, Where at);
  std::uint16_t slot(const Node& node, std::string_view pointer, Tree& tree, bool raw);
  std::vector<Matcher> matchers(const Node& node, int depth = 0);
  std::vector<Condition> conditions(const Node& node);
  std::vector<AttributeRule> attributes(const Node& node);
  std::uint16_t key_name(const Node& node);
  std::vector<KeyRule> keys(const Node& node);
  Selector selector(const Node& node);
  std::vector<Selector> selectors(const Node& node);
  Verb verb(Effect effect, const Node& node);
  Rule rule(const Node& node);
  bool number(const Node& node, std::size_t& out);
  void trace_place(const Node& node);
  Sign sign(const Node& node);

  std::string file_;
  Program& out_;
  std::string problems_;
  // An alias can make a small file a huge document.
  bool affordable(const Node& node) {
    if (++visited_ == most_nodes) problem(where(node), "more than " + std::to_string(most_nodes) + " parts");
    return visited_ < most_nodes;
  }

  std::size_t count_ = 0;
  std::size_t visited_ = 0;
  bool in_each_ = false;
  std::unordered_set<std::uint16_t> given_;                 // key names that some rule gives
  std::vector<std::pair<std::uint16_t, Where>> looked_up_;  // and those that selectors ask for
};

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

std::uint16_t Compiler::key_name(const Node& node) {
  const std::string wanted = text(node, "a key's name");
  for (std::size_t i = 0; i < out_.key_names.size(); ++i)
    if (out_.key_names[i] == wanted) return static_cast<std::uint16_t>(i);
  if (out_.key_names.size() >= most_key_names) {
    problem(where(node), "more than " + std::to_string(most_key_names) + " different key names");
    return 0;
  }
  out_.key_names.push_back(wanted);
  return static_cast<std::uint16_t>(out_.key_names.size() - 1);
}

std::vector<KeyRule> Compiler::keys(const Node& node) {
  std::vector<KeyRule> all;
  each_pair(node, "keys", [&](const Node& key, const Node& value) {
    all.push_back({.name = key_name(key), .value = extractor(value)});
    given_.insert(all.back().name);
  });
  return all;
}

Selector Compiler::selector(const Node& node) {
  Selector s;
  bool named = false;
  if (!affordable(node)) return s;
  map(node, "to",
      {{"name",
        [&](const Node& v) {
          s.name = key_name(v);
          named = true;
        }},
       {"key", [&](const Node& v) { s.key = extractor(v); }},
       {"side",
        [&](const Node& v) {
          const std::string which = text(v, "side");
          if (which == "same")
            s.side = Opener::same;
          else if (which == "other")
            s.side = Opener::other;
          else
            problem(where(v), "side must be same (opened by this message's sender) or other");
        }},
       {"op", [&](const Node& v) { s.lane = text(v, "op"); }},
       {"unbound",
        [&](const Node& v) { one_or_many(v, [&](const Node& item) { s.unbound.push_back(key_name(item)); }); }},
       {"bound", [&](const Node& v) { one_or_many(v, [&](const Node& item) { s.bound.push_back(key_name(item)); }); }},
       {"with", [&](const Node& v) { s.with = attributes(v); }},
       {"pick", [&](const Node& v) {
          const std::string which = text(v, "pick");
          if (which != "oldest" && which != "latest" && which != "all")
            problem(where(v), "pick must be oldest, latest or all");
          s.latest = which == "latest";
          s.all = which == "all";
        }}});
  if (!s.by_key() && named) problem(where(node), "`name` says which key, and there is no `key`");
  if (s.by_key()) looked_up_.emplace_back(s.name, where(node));
  return s;
}

std::vector<Selector> Compiler::selectors(const Node& node) {
  std::vector<Selector> all;
  one_or_many(node, [&](const Node& item) { all.push_back(selector(item)); });
  if (all.empty()) problem(where(node), "`to` names no invocation");
  return all;
}

Verb Compiler::verb(Effect effect, const Node& node) {
  Verb v;
  v.effect = effect;
  const std::string what(dialect::name(effect));
  if (effect == Effect::ignore) {
    if (!node.IsScalar() || node.Scalar() != "true") problem(where(node), "write ignore: true");
    return v;
  }
  const Entry to{"to", [&](const Node& n) { v.to = selectors(n); }};
  const Entry optional{"optional", [&](const Node& n) { v.optional = flag(n, "optional"); }};
  const Entry attrs{"attrs", [&](const Node& n) { v.attributes = attributes(n); }};
  const Entry keys_entry{"keys", [&](const Node& n) { v.keys = keys(n); }};
  const Entry op{"op", [&](const Node& n) { v.operation = extractor(n, Bare::constant); }};
  const Entry lane{"lane", [&](const Node& n) { v.lane = name(n, "lane"); }};
  const Entry named{"name", [&](const Node& n) { v.name = name(n, "name"); }};
  const Entry start{"start", [&](const Node& n) { v.start = name(n, "start"); }};
  const Entry trigger{"trigger", [&](const Node& n) { v.trigger = name(n, "trigger"); }};
  const Entry parent{"parent", [&](const Node& n) { v.parent = selectors(n); }};
  const Entry timeout{"timeout", [&](const Node& n) { v.timeout = duration(n); }};
  const Entry settle{"settle", [&](const Node& n) { v.settle = duration(n); }};
  const Entry status{"status", [&](const Node& n) { v.status = extractor(n, Bare::constant); }};
  const auto must = [&](bool there, std::string_view key) {
    if (!there) problem(where(node), what + " needs `" + std::string(key) + "`");
  };
  switch (effect) {
    case Effect::open:
      map(node, what, {op, lane, keys_entry, attrs, start, trigger, parent, timeout, settle});
      must(static_cast<bool>(v.operation), "op");
      break;
    case Effect::accept:
      map(node, what, {to, op, lane, keys_entry, attrs, start, trigger, parent, timeout, settle});
      must(static_cast<bool>(v.operation), "op");
      must(!v.to.empty(), "to");
      break;
    case Effect::bind:
      map(node, what, {to, optional, keys_entry, attrs, {"drop", [&](const Node& n) {
                                                           one_or_many(n, [&](const Node& item) {
                                                             v.drop.push_back(key_name(item));
                                                           });
                                                         }}});
      must(!v.to.empty(), "to");
      must(!v.keys.empty(), "keys");
      break;
    case Effect::chunk:
      map(node, what, {to, optional, lane, attrs});
      must(!v.to.empty(), "to");
      break;
    case Effect::attrs:
      map(node, what, {to, optional, attrs});
      must(!v.to.empty(), "to");
      must(!v.attributes.empty(), "attrs");
      break;
    case Effect::note:
      map(node, what, {to, optional, named, attrs});
      must(!v.to.empty(), "to");
      must(!v.name.empty(), "name");
      break;
    case Effect::cancel:
      map(node, what, {to, optional, attrs, {"end", [&](const Node& n) { v.at_once = flag(n, "end"); }}});
      must(!v.to.empty(), "to");
      break;
    case Effect::end:
      map(node, what, {to, optional, status, attrs});
      must(!v.to.empty(), "to");
      break;
    case Effect::event:
      map(node, what, {named, {"anchor", [&](const Node& n) { v.anchor = name(n, "anchor"); }}});
      must(!v.name.empty(), "name");
      break;
    case Effect::session:
      map(node, what, {attrs});
      must(!v.attributes.empty(), "attrs");
      break;
    case Effect::media:
      map(node, what, {named});
      must(!v.name.empty(), "name");
      break;
    case Effect::beat:
      map(node, what, {named, {"answer", [&](const Node& n) { v.answer = flag(n, "answer"); }}});
      must(!v.name.empty(), "name");
      break;
    case Effect::error:
      map(node, what, {attrs, {"type", [&](const Node& n) { v.status = extractor(n); }}});
      break;
    case Effect::ignore:
      break;
  }
  return v;
}

Rule Compiler::rule(const Node& node) {
  Rule r;
  if (!node.IsMap()) {
    problem(where(node), "a rule must be a map such as {is: TYPE, do: [{open: {…}}]}");
    return r;
  }
  // `each` decides what ./ means, wherever it is written.
  const Node each = node["each"];
  in_each_ = each.IsDefined();
  if (in_each_) {
    in_each_ = false;
    r.each = extractor(each, Bare::no, true);
    in_each_ = true;
  }
  bool does = false;
  map(node, "a rule",
      {{"name", [&](const Node& v) { r.label = text(v, "name"); }},
       {"is",
        [&](const Node& v) {
          if (!out_.type) problem(where(v), "`is` needs the dialect to name its discriminator: type: /pointer");
          r.is = texts(v, "is");
        }},
       {"dir", [&](const Node& v) { r.from = side(v); }},
       {"when", [&](const Node& v) { r.when = conditions(v); }},
       {"of", [&](const Node& v) { r.of = selectors(v); }},
       {"each", [](const Node&) {}},
       {"also", [&](const Node& v) { r.also = flag(v, "also"); }},
       {"do", [&](const Node& v) {
          does = true;
          one_or_many(v, [&](const Node& item) {
            each_pair(item, "do", [&](const Node& key, const Node& value) {
              constexpr auto last = static_cast<std::size_t>(Effect::ignore);
              std::size_t effect = 0;
              std::string known;
              for (; effect <= last; ++effect) {
                const std::string_view spelled = dialect::name(static_cast<Effect>(effect));
                if (spelled == key.Scalar()) break;
                known += (known.empty() ? "" : ", ") + std::string(spelled);
              }
              if (effect > last) return problem(where(key), "unknown verb '" + key.Scalar() + "'; known are " + known);
              if (r.verbs.size() >= most_verbs)
                return problem(where(key), "more than " + std::to_string(most_verbs) + " verbs in a rule");
              r.verbs.push_back(verb(static_cast<Effect>(effect), value));
            });
          });
        }}});
  if (!does) problem(where(node), "a rule needs `do`; to know a message and do nothing: do: [{ignore: true}]");
  if (r.label.empty()) {
    for (const std::string& is : r.is) r.label += (r.label.empty() ? "" : "|") + is;
    if (r.label.empty()) r.label = "line " + std::to_string(where(node).line);
  }
  for (const Verb& v : r.verbs) r.reads_trace = r.reads_trace || v.effect == Effect::open || v.effect == Effect::accept;
  in_each_ = false;
  return r;
}

bool Compiler::number(const Node& node, std::size_t& out) {
  const std::string digits = text(node, "a number");
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return error == std::errc() && end == digits.data() + digits.size();
}

void Compiler::trace_place(const Node& node) {
  TracePlace place;
  bool has_at = false;
  if (const Node prefix = node.IsMap() ? node["prefix"] : Node(YAML::NodeType::Undefined); prefix.IsDefined())
    place.prefix = text(prefix, "prefix");
  map(node, "trace",
      {{"at",
        [&](const Node& v) {
          has_at = true;
          const std::string at = text(v, "at");
          const auto parsed = parse_pointer(at);
          if (!parsed) return problem(where(v), "'" + at + "': " + parsed.error().message);
          place.at = *parsed;
          const std::string before = at + "/" + place.prefix;
          place.traceparent = slot(v, before + "traceparent", out_.tree, false);
          place.tracestate = slot(v, before + "tracestate", out_.tree, false);
          place.baggage = slot(v, before + "baggage", out_.tree, false);
        }},
       {"prefix", [](const Node&) {}},
       {"dir", [&](const Node& v) { place.from = side(v); }},
       {"insert",
        [&](const Node& v) {
          const std::string how = text(v, "insert");
          using enum TracePlace::Insert;
          if (how == "reserved")
            place.insert = reserved;
          else if (how == "tolerated")
            place.insert = tolerated;
          else if (how != "never")
            problem(where(v), "insert must be reserved (the protocol sets this place aside), tolerated or never");
        }},
       {"only", [&](const Node& v) { place.only = texts(v, "only"); }},
       {"requires",
        [&](const Node& v) {
          each_pair(v, "requires", [&](const Node& key, const Node& value) {
            place.required.emplace_back(key.Scalar(), text(value, "a value of requires"));
          });
        }},
       {"max",
        [&](const Node& v) {
          if (!number(v, place.most) || place.most < 55)
            problem(where(v), "max is the bytes one value may have, at least 55 (a traceparent)");
        }},
       {"pairs", [&](const Node& v) {
          if (!number(v, place.pairs) || place.pairs == 0)
            problem(where(v), "pairs is how many members the object may have, at least 1");
        }}});
  if (!has_at) problem(where(node), "trace needs `at`: the pointer of the object that holds traceparent");
  if (out_.places.size() >= most_places) return problem(where(node), "more than 8 places of trace context");
  out_.places.push_back(std::move(place));
}

Sign Compiler::sign(const Node& node) {
  Sign s;
  if (!node.IsMap()) {
    problem(where(node), "detect is a list of maps such as {subprotocol: NAME} or {path: {suffix: /x}}");
    return s;
  }
  each_pair(node, "detect", [&](const Node& key, const Node& value) {
    const std::string& k = key.Scalar();
    using enum HandshakeValue::Kind;
    const auto add = [&](HandshakeValue::Kind kind, std::string_view name) {
      s.handshake.push_back({.value = handshake(kind, name, where(key)), .all = matchers(value)});
    };
    if (k == "path")
      add(path, "");
    else if (k == "subprotocol")
      add(subprotocol, "");
    else if (k.starts_with("query."))
      add(query, std::string_view(k).substr(6));
    else if (k.starts_with("header."))
      add(header, std::string_view(k).substr(7));
    else if (k == "dir")
      s.from = side(value);
    else if (k == "first") {
      s.first = conditions(value);
      for (const Condition& c : s.first)
        if (c.what.kind != Extractor::Kind::slot || c.last_of)
          problem(where(value), "`first` matches JSON Pointers into a message");
    } else
      problem(where(key), "unknown key '" + k +
                              "' in detect; known are path, subprotocol, query.NAME, header.NAME, "
                              "first (matchers on one of the first messages), dir");
  });
  if (s.handshake.empty() && s.first.empty()) problem(where(node), "this would detect everything");
  return s;
}

void Compiler::document(const Node& root) {
  if (!root.IsMap()) return problem(where(root), "a dialect is a map that begins with dialect: NAME");
  // The discriminator first: rules are read by it.
  if (const Node type = root["type"]; type.IsDefined()) {
    out_.type = extractor(type);
    if (out_.type.kind == Extractor::Kind::slot) out_.discriminator = out_.type.index;
  }
  const auto list = [&](const Node& node, std::string_view what, const std::function<void(const Node&)>& each) {
    if (!node.IsSequence()) return problem(where(node), std::string(what) + " must be a list");
    for (const Node& item : node) each(item);
  };
  bool has_rules = false;
  map(root, "a dialect",
      {{"dialect",
        [&](const Node& v) {
          out_.name = text(v, "dialect");
          const bool good = !out_.name.empty() && out_.name.size() <= 64 &&
                            out_.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._") == std::string::npos;
          if (!good || out_.name == "auto" || out_.name == "none")
            problem(where(v),
                    "a dialect's name has lower-case letters, digits, - . _, at most 64, and is not auto or none");
        }},
       {"title", [&](const Node& v) { out_.title = text(v, "title"); }},
       {"detect",
        [&](const Node& v) { list(v, "detect", [&](const Node& item) { out_.detect.push_back(sign(item)); }); }},
       {"decode",
        [&](const Node& v) {
          constexpr std::array<std::pair<std::string_view, Decode>, 6> kinds{{{"json", Decode::json},
                                                                              {"records", Decode::records},
                                                                              {"socket.io", Decode::socket_io},
                                                                              {"stomp", Decode::stomp},
                                                                              {"mqtt", Decode::mqtt},
                                                                              {"none", Decode::none}}};
          const std::string wanted = text(v, "decode");
          for (const auto& [spelled, kind] : kinds)
            if (spelled == wanted) return void(out_.decode = kind);
          problem(where(v), "decode must be json, records (JSON that ends with 0x1e), socket.io, stomp, mqtt or none");
        }},
       {"binary",
        [&](const Node& v) {
          const std::string how = text(v, "binary");
          if (how != "text" && how != "opaque")
            problem(where(v), "binary must be text (binary messages hold documents too) or opaque");
          out_.binary_is_text = how == "text";
        }},
       {"batch", [&](const Node& v) { out_.batch = flag(v, "batch"); }},
       {"type", [](const Node&) {}},
       {"timeout", [&](const Node& v) { out_.timeout = duration(v); }},
       {"seq",
        [&](const Node& v) {
          one_or_many(v, [&](const Node& item) {
            Program::Sequence sequence;
            if (item.IsScalar()) {
              sequence.at = extractor(item);
            } else {
              map(item, "seq", {{"at", [&](const Node& n) { sequence.at = extractor(n); }}, {"dir", [&](const Node& n) {
                                                                                               sequence.from = side(n);
                                                                                             }}});
            }
            if (sequence.at.kind != Extractor::Kind::slot)
              return problem(where(item), "seq is a pointer to a number that grows by one");
            out_.sequences.push_back(std::move(sequence));
          });
        }},
       {"trace", [&](const Node& v) { list(v, "trace", [&](const Node& item) { trace_place(item); }); }},
       {"rules", [&](const Node& v) {
          has_rules = true;
          list(v, "rules", [&](const Node& item) {
            if (out_.rules.size() >= most_rules)
              return problem(where(item), "more than " + std::to_string(most_rules) + " rules");
            out_.rules.push_back(rule(item));
          });
        }}});
  if (out_.name.empty() && count_ == 0) problem(where(root), "the dialect has no name: dialect: NAME");
  if (!has_rules) problem(where(root), "the dialect has no rules");
  for (const auto& [asked, at] : looked_up_)
    if (!given_.contains(asked))
      problem(at, "no rule gives the key '" + out_.key_names[asked] +
                      "' that this looks for: see `keys` of open, accept, bind");
  if (out_.decode == Decode::none)
    for (const Rule& r : out_.rules)
      if (!r.is.empty()) return problem({}, "decode: none reads no document, so no rule can have `is`");
}

void collect(const Extractor& e, SlotSet& slots) {
  if (e.kind == Extractor::Kind::slot && e.index != Tree::none) slots.add(e.index);
  for (const Extractor& part : e.parts) collect(part, slots);
}

void collect(const std::vector<Selector>& selectors, SlotSet& slots) {
  for (const Selector& s : selectors) {
    collect(s.key, slots);
    for (const AttributeRule& attribute : s.with) collect(attribute.value, slots);
  }
}

SlotSet needs(const Program& program, const Rule& rule, Side from) {
  SlotSet slots;
  for (const Condition& condition : rule.when) {
    collect(condition.what, slots);
    collect(condition.last_of, slots);
  }
  collect(rule.of, slots);
  collect(rule.each, slots);
  for (const Verb& verb : rule.verbs) {
    collect(verb.to, slots);
    collect(verb.parent, slots);
    collect(verb.operation, slots);
    collect(verb.status, slots);
    for (const KeyRule& key : verb.keys) collect(key.value, slots);
    for (const AttributeRule& attribute : verb.attributes) collect(attribute.value, slots);
  }
  if (rule.reads_trace)
    for (const TracePlace& place : program.places)
      if (!place.from || *place.from == from)
        for (const std::uint16_t slot : {place.traceparent, place.tracestate, place.baggage})
          if (slot != Tree::none) slots.add(slot);
  return slots;
}

bool asks_binary(const Rule& rule) {
  return std::any_of(rule.when.begin(), rule.when.end(),
                     [](const Condition& c) { return c.what.kind == Extractor::Kind::binary; });
}

void Compiler::plan() {
  for (const Side from : {Side::client, Side::server}) {
    Program::Plans& plans = out_.plans[model::index(from)];
    const auto applies = [&](const Rule& r) { return !r.from || *r.from == from; };
    const auto add = [&](Plan& plan, std::size_t i) {
      plan.rules.push_back(static_cast<std::uint16_t>(i));
      plan.needed.add(needs(out_, out_.rules[i], from));
    };
    for (std::size_t i = 0; i < out_.rules.size(); ++i) {
      const Rule& r = out_.rules[i];
      if (!applies(r)) continue;
      plans.any = true;
      for (const std::string& is : r.is) plans.by_type.try_emplace(is);
    }
    for (std::size_t i = 0; i < out_.rules.size(); ++i) {
      const Rule& r = out_.rules[i];
      if (!applies(r)) continue;
      if (asks_binary(r)) {
        plans.binary.push_back(static_cast<std::uint16_t>(i));
        continue;
      }
      if (r.is.empty()) {
        add(plans.other, i);
        for (auto& [type, plan] : plans.by_type) add(plan, i);
      } else {
        std::unordered_set<std::string_view> done;
        for (const std::string& is : r.is)
          if (done.insert(is).second) add(plans.by_type[is], i);
      }
    }
    const auto always = [&](Plan& plan) {
      collect(out_.type, plan.needed);
      for (const Program::Sequence& sequence : out_.sequences)
        if (!sequence.from || *sequence.from == from) collect(sequence.at, plan.needed);
    };
    always(plans.other);
    plans.all = plans.other.needed;
    for (auto& [type, plan] : plans.by_type) {
      always(plan);
      plans.all.add(plan.needed);
    }
    plans.any = plans.any || !out_.sequences.empty();
  }
}

}  // namespace

std::string_view immortal(std::string_view text) {
  // Attribute names outlive the sessions, and the reloads, that made them: spans wait in queues and spools. Few and
  // bounded: they come from rule files, never from messages.
  struct Names {
    std::deque<std::string> kept;
    std::unordered_set<std::string_view> known;
  };
  static Names& names = *new Names;  // read by other threads to the very end of the process
  static std::atomic_flag busy;      // the engine knows no mutex; two files are hardly ever compiled at once
  constexpr std::size_t most = 4096;
  while (busy.test_and_set(std::memory_order_acquire)) {
  }
  std::string_view same = "other";
  if (const auto found = names.known.find(text); found != names.known.end())
    same = *found;
  else if (names.known.size() < most)
    same = *names.known.insert(names.kept.emplace_back(text.substr(0, most_attribute_name))).first;
  busy.clear(std::memory_order_release);
  return same;
}

base::Result<ProgramRef> compile(std::string_view yaml, std::string_view file) {
  auto program = std::make_shared<Program>();
  program->source = yaml;
  Compiler compiler(file, *program);
  if (yaml.size() > most_file) {
    compiler.problem({}, "a rule file has at most 1 MiB");
    return base::fail(compiler.problems());
  }
  try {
    const Node root = YAML::Load(std::string(yaml));
    compiler.document(root);
  } catch (const YAML::Exception& e) {
    const bool placed = !e.mark.is_null();
    compiler.problem(placed ? Where{e.mark.line + 1, e.mark.column + 1} : Where{}, "not YAML: " + e.msg);
  }
  if (!compiler.problems().empty()) return base::fail(compiler.problems());
  compiler.plan();
  return ProgramRef(std::move(program));
}

std::string_view name(const Program& program) { return program.name; }
std::string_view title(const Program& program) { return program.title; }
std::string_view source(const Program& program) { return program.source; }

ProgramRef none() {
  static const ProgramRef empty = [] {
    auto program = std::make_shared<Program>();
    program->name = "none";
    program->title = "no application protocol: messages are counted, never looked into";
    program->decode = Decode::none;
    return program;
  }();
  return empty;
}

}  // namespace sockeye::dialect
