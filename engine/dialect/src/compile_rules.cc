// Rules, what they do, and what tells a dialect.
#include <algorithm>
#include <charconv>

#include "compiler.h"

namespace sockeye::dialect {
namespace {

constexpr std::size_t most_verbs = 16;

}  // namespace

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

// What a verb cannot do without.
void Compiler::check_verb(const Verb& v, const Node& node) {
  const auto must = [&](bool there, std::string_view key) {
    if (!there) problem(where(node), std::string(dialect::name(v.effect)) + " needs `" + std::string(key) + "`");
  };
  switch (v.effect) {
    case Effect::open:
    case Effect::accept:
      must(static_cast<bool>(v.operation), "op");
      if (v.effect == Effect::accept) must(!v.to.empty(), "to");
      if (v.may_stay_unanswered && v.timeout == base::Duration::zero()) endless_.push_back(where(node));
      break;
    case Effect::bind:
      must(!v.to.empty(), "to");
      must(!v.keys.empty(), "keys");
      break;
    case Effect::attrs:
      must(!v.to.empty(), "to");
      must(!v.attributes.empty(), "attrs");
      break;
    case Effect::note:
      must(!v.to.empty(), "to");
      must(!v.name.empty(), "name");
      break;
    case Effect::chunk:
    case Effect::cancel:
    case Effect::end:
      must(!v.to.empty(), "to");
      break;
    case Effect::session:
      must(!v.attributes.empty(), "attrs");
      break;
    case Effect::event:
    case Effect::media:
    case Effect::beat:
      must(!v.name.empty(), "name");
      break;
    case Effect::error:
    case Effect::ignore:
      break;
  }
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
  const Entry reply{"reply", [&](const Node& n) {
                      const std::string how = text(n, "reply");
                      v.may_stay_unanswered = how == "optional";
                      if (how != "optional" && how != "required")
                        problem(where(n), "reply must be required or optional (the protocol may leave it unanswered)");
                    }};
  const Entry status{"status", [&](const Node& n) { v.status = extractor(n, Bare::constant); }};
  const Entry drop{"drop",
                   [&](const Node& n) { one_or_many(n, [&](const Node& item) { v.drop.push_back(key_name(item)); }); }};
  switch (effect) {
    case Effect::open:
      map(node, what, {op, lane, keys_entry, attrs, start, trigger, parent, timeout, settle, reply});
      break;
    case Effect::accept:
      map(node, what, {to, op, lane, keys_entry, attrs, start, trigger, parent, timeout, settle, reply});
      break;
    case Effect::bind:
      map(node, what, {to, optional, keys_entry, attrs, drop});
      break;
    case Effect::chunk:
      map(node, what, {to, optional, lane, attrs});
      break;
    case Effect::attrs:
      map(node, what, {to, optional, attrs});
      break;
    case Effect::note:
      map(node, what, {to, optional, named, attrs});
      break;
    case Effect::cancel:
      map(node, what, {to, optional, attrs, {"end", [&](const Node& n) { v.at_once = flag(n, "end"); }}});
      break;
    case Effect::end:
      map(node, what, {to, optional, status, attrs});
      break;
    case Effect::event:
      map(node, what, {named, {"anchor", [&](const Node& n) { v.anchor = name(n, "anchor"); }}});
      break;
    case Effect::session:
      map(node, what, {attrs});
      break;
    case Effect::media:
      map(node, what, {named});
      break;
    case Effect::beat:
      map(node, what, {named, {"answer", [&](const Node& n) { v.answer = flag(n, "answer"); }}});
      break;
    case Effect::error:
      map(node, what, {attrs, {"type", [&](const Node& n) { v.status = extractor(n); }}});
      break;
    case Effect::ignore:
      break;
  }
  check_verb(v, node);
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

}  // namespace sockeye::dialect
