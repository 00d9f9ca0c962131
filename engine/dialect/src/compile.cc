#include <algorithm>
#include <atomic>
#include <deque>

#include "compiler.h"

namespace sockeye::dialect {
namespace {

constexpr std::size_t most_file = 1U << 20U;
constexpr std::size_t most_rules = 512;

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
}  // namespace

Decode Compiler::decode_kind(const Node& node) {
  constexpr std::array<std::pair<std::string_view, Decode>, 8> kinds{{{"json", Decode::json},
                                                                      {"content-length", Decode::content_length},
                                                                      {"records", Decode::records},
                                                                      {"socket.io", Decode::socket_io},
                                                                      {"phoenix", Decode::phoenix},
                                                                      {"stomp", Decode::stomp},
                                                                      {"mqtt", Decode::mqtt},
                                                                      {"none", Decode::none}}};
  const std::string wanted = text(node, "decode");
  for (const auto& [spelled, kind] : kinds)
    if (spelled == wanted) return kind;
  problem(where(node),
          "decode must be json, content-length (JSON, behind a Content-Length header where there is one), records "
          "(JSON that ends with 0x1e), socket.io, phoenix, stomp, mqtt or none");
  return out_.decode;
}

void Compiler::add_sequence(const Node& node) {
  Program::Sequence sequence;
  if (node.IsScalar()) {
    sequence.at = extractor(node);
  } else {
    const Entry at{"at", [&](const Node& n) { sequence.at = extractor(n); }};
    const Entry dir{"dir", [&](const Node& n) { sequence.from = side(n); }};
    map(node, "seq", {at, dir});
  }
  if (sequence.at.kind != Extractor::Kind::slot)
    return problem(where(node), "seq is a pointer to a number that grows by one");
  out_.sequences.push_back(std::move(sequence));
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
       {"decode", [&](const Node& v) { out_.decode = decode_kind(v); }},
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
       {"seq", [&](const Node& v) { one_or_many(v, [&](const Node& item) { add_sequence(item); }); }},
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
  check_whole();
}

// What only all of the rules together can be wrong about.
void Compiler::check_whole() {
  for (const auto& [asked, at] : looked_up_)
    if (!given_.contains(asked))
      problem(at, "no rule gives the key '" + out_.key_names[asked] +
                      "' that this looks for: see `keys` of open, accept, bind");
  if (out_.timeout == base::Duration::zero())
    for (const Where at : endless_) problem(at, "reply: optional needs a timeout, here or the dialect's");
  if (out_.decode == Decode::none)
    for (const Rule& r : out_.rules)
      if (!r.is.empty()) return problem({}, "decode: none reads no document, so no rule can have `is`");
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
  compiler.find_ends();
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
