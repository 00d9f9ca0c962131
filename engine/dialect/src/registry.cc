#include "sockeye/dialect/registry.h"

#include <algorithm>
#include <cassert>

#include "embedded_rules.h"
#include "program_parts.h"
#include "reading.h"

namespace sockeye::dialect {
namespace {

constexpr std::array<std::string_view, 6> bases = {"configured",    "subprotocol", "handshake",
                                                   "first_message", "undecided",   "ambiguous"};

std::vector<ProgramRef> compile_embedded() {
  std::vector<ProgramRef> all;
  for (const EmbeddedRules& each : embedded_rules()) {
    auto program = compile(each.yaml, each.file);
    assert(program && "a dialect in rules/ does not compile");  // a test compiles them all
    if (program) all.push_back(std::move(*program));
  }
  std::sort(all.begin(), all.end(), [](const ProgramRef& a, const ProgramRef& b) { return name(*a) < name(*b); });
  return all;
}

struct Strength {
  bool subprotocol = false;
  std::size_t signs = 0;
  auto operator<=>(const Strength&) const = default;
};

// The best of those that fit; ambiguous when two programs fit equally well.
struct Contest {
  const ProgramRef* winner = nullptr;
  Strength best;
  bool tie = false;
  void enter(const ProgramRef& program, const Strength& strength) {
    if (winner == nullptr || strength > best) {
      winner = &program;
      best = strength;
      tie = false;
    } else if (strength == best && winner != &program) {
      tie = true;
    }
  }
};

}  // namespace

std::string_view name(Basis b) { return bases[static_cast<std::size_t>(b)]; }

std::span<const ProgramRef> built_in() {
  static const std::vector<ProgramRef> all = compile_embedded();
  return all;
}

ProgramRef find(std::span<const ProgramRef> known, std::string_view wanted) {
  for (const ProgramRef& each : known)
    if (name(*each) == wanted) return each;
  return nullptr;
}

Detector::Detector(std::span<const ProgramRef> known, const Facts& facts, Workspace& workspace)
    : workspace_(&workspace), decision_{.program = none()} {
  Contest contest;
  for (const ProgramRef& program : known) {
    if (program->detect.empty()) continue;
    const HandshakeValues values = read_handshake(*program, facts);
    for (std::size_t i = 0; i < program->detect.size(); ++i) {
      const Sign& sign = program->detect[i];
      Strength strength;
      const bool holds = std::all_of(sign.handshake.begin(), sign.handshake.end(), [&](const Sign::Handshake& part) {
        const auto& got = values[part.value];
        const Value value = got ? Value{Value::Kind::string, *got} : Value{};
        strength.subprotocol |= program->handshake[part.value].kind == HandshakeValue::Kind::subprotocol;
        ++strength.signs;
        return satisfies(part.all, value);
      });
      if (!holds) continue;
      if (sign.first.empty())
        contest.enter(program, strength);
      else
        waiting_.push_back({&program, i, make_decoder(program->decode)});
    }
  }
  if (contest.tie) {
    decision_.basis = Basis::ambiguous;
  } else if (contest.winner != nullptr) {
    decision_ = {*contest.winner, contest.best.subprotocol ? Basis::subprotocol : Basis::handshake};
    waiting_.clear();
  }
}

bool Detector::fits(const Candidate& candidate, model::Side from, model::Opcode opcode, const Payload& payload) {
  Workspace::Parts& parts = workspace_->parts();
  const Program& program = **candidate.program;
  const Sign& sign = program.detect[candidate.sign];
  const auto holds = [&](std::string_view text, std::size_t readable) {
    if (parts.document.read(program.tree, text, readable, nullptr) != Harvest::Outcome::done) return false;
    return std::all_of(sign.first.begin(), sign.first.end(), [&](const Condition& condition) {
      return satisfies(condition.all, parts.document[condition.what.index]);
    });
  };
  if (!candidate.decoder) {
    if (sign.from && *sign.from != from) return false;
    if (opcode == model::Opcode::binary && !program.binary_is_text) return false;
    return holds(base::as_text(payload.bytes), payload.readable);
  }
  parts.documents.clear();
  const bool good = candidate.decoder->decode(from, opcode, payload.bytes, parts.documents);
  if (!good || (sign.from && *sign.from != from)) return false;
  const std::vector<Documents::Document>& all = parts.documents.documents();
  return std::any_of(all.begin(), all.end(),
                     [&](const Documents::Document& each) { return holds(parts.documents[each], each.size); });
}

bool Detector::message(model::Side from, model::Opcode opcode, const Payload& payload) {
  if (waiting_.empty()) return false;
  Contest contest;
  for (const Candidate& candidate : waiting_) {
    const Sign& sign = (*candidate.program)->detect[candidate.sign];
    if (fits(candidate, from, opcode, payload))
      contest.enter(*candidate.program, {.signs = sign.first.size() + sign.handshake.size()});
  }
  if (contest.winner != nullptr && !contest.tie) {
    decision_ = {*contest.winner, Basis::first_message};
    waiting_.clear();
    return true;
  }
  if (contest.tie) decision_.basis = Basis::ambiguous;
  if (++seen_ == patience) waiting_.clear();
  return false;
}

}  // namespace sockeye::dialect
