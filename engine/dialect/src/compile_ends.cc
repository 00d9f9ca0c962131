// Which invocations could stay open for ever: those that only their keys can end, and that have none of these.
#include <algorithm>

#include "compiler.h"

namespace sockeye::dialect {
namespace {

std::uint16_t bit(std::uint16_t name) { return static_cast<std::uint16_t>(1U << name); }

bool gives(const Verb& verb, std::uint16_t names) {
  return std::any_of(verb.keys.begin(), verb.keys.end(),
                     [&](const KeyRule& key) { return (bit(key.name) & names) != 0; });
}

bool finds(const Verb& verb, std::uint16_t ends) {
  switch (verb.effect) {
    case Effect::end:
    case Effect::cancel:
      return true;
    case Effect::bind:
    case Effect::accept:
      return gives(verb, ends);
    default:
      return false;
  }
}

// Whether `s`, which asks for no key, can find what `open` opens. What sweeps up (pick: all) is no end of a call of its
// own: it is for what was left over.
bool fits(const Selector& s, const Program& program, const Rule& rule, const Verb& open) {
  if (s.by_key() || s.all) return false;
  if (s.lane.empty()) return true;
  if (!open.lane.empty()) return s.lane == open.lane;
  const Extractor& op = open.operation;
  if (op.kind == Extractor::Kind::constant) return s.lane == op.text;
  const bool by_type =
      op.kind == Extractor::Kind::slot && program.type.kind == op.kind && program.type.index == op.index;
  if (by_type && !rule.is.empty()) return std::find(rule.is.begin(), rule.is.end(), s.lane) != rule.is.end();
  return true;  // it may be called anything
}

}  // namespace

void Compiler::find_ends() {
  const auto each_verb = [&](const auto& what) {
    for (Rule& rule : out_.rules)
      for (Verb& verb : rule.verbs) what(rule, verb);
  };
  // Names by which an end finds what it ends; or by which something finds it that gives it such a name.
  std::uint16_t ends = 0;
  for (std::uint16_t before = 1; before != ends;) {
    before = ends;
    each_verb([&](const Rule&, const Verb& verb) {
      if (!finds(verb, before)) return;
      for (const Selector& s : verb.to)
        if (s.by_key()) ends = static_cast<std::uint16_t>(ends | bit(s.name));
    });
  }
  each_verb([&](const Rule& rule, Verb& open) {
    if (open.effect != Effect::open && open.effect != Effect::accept) return;
    if (!gives(open, ends) || open.timeout > base::Duration::zero() || open.settle > base::Duration::zero()) return;
    bool found = out_.timeout > base::Duration::zero();
    each_verb([&](const Rule&, const Verb& verb) {
      if (found || !finds(verb, ends)) return;
      found = std::any_of(verb.to.begin(), verb.to.end(), [&](const Selector& s) { return fits(s, out_, rule, open); });
    });
    if (!found) open.ended_by = ends;
  });
}

}  // namespace sockeye::dialect
