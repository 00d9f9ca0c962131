#include "sockeye/dialect/registry.h"

#include <algorithm>
#include <cassert>

#include "embedded_rules.h"
#include "intake.h"
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

// What reads the messages for each that is waiting, as their programs' sessions do.
struct Detector::Trials {
  struct Trial {
    Intake now;
    Intake before;  // the last message: what a session begins with that gets that message first
  };
  std::vector<Trial> all;
};

Detector::Detector(std::span<const ProgramRef> known, const HandshakeView& handshake, Workspace& workspace)
    : known_(known), workspace_(&workspace), decision_{.program = none()} {
  Contest contest;
  for (const ProgramRef& program : known) {
    if (program->detect.empty()) continue;
    for (std::size_t i = 0; i < program->detect.size(); ++i) {
      const Sign& sign = program->detect[i];
      Strength strength;
      const bool holds = std::all_of(sign.handshake.begin(), sign.handshake.end(), [&](const Sign::Handshake& part) {
        const HandshakeValue& wanted = program->handshake[part.value];
        const auto got = read_handshake(wanted, handshake);
        const Value value = got ? Value{Value::Kind::string, *got} : Value{};
        strength.subprotocol |= wanted.kind == HandshakeValue::Kind::subprotocol;
        ++strength.signs;
        return satisfies(part.all, value);
      });
      if (!holds) continue;
      if (sign.first.empty())
        contest.enter(program, strength);
      else
        waiting_.push_back({static_cast<std::uint16_t>(&program - known.data()), static_cast<std::uint16_t>(i)});
    }
  }
  if (contest.tie) {
    decision_.basis = Basis::ambiguous;
  } else if (contest.winner != nullptr) {
    decision_ = {*contest.winner, contest.best.subprotocol ? Basis::subprotocol : Basis::handshake};
    waiting_.clear();
  }
  waiting_.shrink_to_fit();  // a connection may be silent for days
}

Detector::Fit Detector::fits(const Candidate& candidate, Intake& intake, model::Side from, model::Opcode opcode,
                             const Payload& payload) {
  Workspace::Parts& parts = workspace_->parts();
  const Program& program = *known_[candidate.program];
  const Sign& sign = program.detect[candidate.sign];
  const auto holds = [&](std::string_view text, std::size_t readable) {
    if (parts.document.read(program.tree, text, readable, nullptr) != Extraction::Outcome::done) return false;
    return std::all_of(sign.first.begin(), sign.first.end(), [&](const Condition& condition) {
      return satisfies(condition.all, parts.document[condition.what.index]);
    });
  };
  const bool wrong_side = sign.from && *sign.from != from;
  Decoder* const decoder = intake.of(from, opcode, payload.bytes);
  if (decoder == nullptr) {
    if (wrong_side || (opcode == model::Opcode::binary && !program.binary_is_text)) return Fit::no;
    return holds(base::as_text(payload.bytes), payload.readable) ? Fit::yes : Fit::no;
  }
  parts.documents.clear();
  if (!decoder->decode(from, opcode, payload.bytes, parts.documents)) return Fit::never;
  const std::vector<Documents::Document>& all = parts.documents.documents();
  const bool found = !wrong_side && std::any_of(all.begin(), all.end(), [&](const Documents::Document& each) {
    return holds(parts.documents[each], each.size);
  });
  return found ? Fit::yes : Fit::no;
}

void Detector::give_up() {
  waiting_.clear();
  trials_.reset();
}

bool Detector::cares(model::Opcode opcode, std::optional<base::Byte> first, std::uint64_t size) const {
  if (size > longest) return false;
  const bool document =
      !first || std::string_view("{[ \t\r\n").find(static_cast<char>(*first)) != std::string_view::npos;
  const bool sockjs = opcode == model::Opcode::text && size == 1 && first == 'o';
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    const Program& program = *known_[waiting_[i].program];
    if (!plain_text(program.decode) || (trials_ && trials_->all[i].now.decodes(opcode))) return true;  // that knows
    const bool header = program.decode == Decode::content_length && first && begins_header(*first);
    if ((document || header || sockjs) && (opcode == model::Opcode::text || program.binary_is_text)) return true;
  }
  return false;
}

void Detector::passed() {
  if (++seen_ == patience) give_up();
}

bool Detector::reads_header(std::string_view name) const {
  return std::any_of(waiting_.begin(), waiting_.end(), [&](const Candidate& candidate) {
    const auto& wanted = known_[candidate.program]->handshake;
    return std::any_of(wanted.begin(), wanted.end(), [&](const HandshakeValue& value) {
      return value.kind == HandshakeValue::Kind::header && model::iequals(value.name, name);
    });
  });
}

bool Detector::message(model::Side from, model::Opcode opcode, const Payload& payload) {
  if (waiting_.empty()) return false;
  if (!trials_) {
    trials_ = std::make_shared<Trials>();
    trials_->all.reserve(waiting_.size());
    for (const Candidate& candidate : waiting_) {
      const Decode decode = known_[candidate.program]->decode;
      trials_->all.push_back({.now = Intake(decode), .before = Intake(decode)});
    }
  }
  std::vector<Trials::Trial>& trials = trials_->all;
  Contest contest;
  std::size_t winner = 0;
  for (std::size_t i = 0; i < waiting_.size();) {
    const ProgramRef& program = known_[waiting_[i].program];
    const Sign& sign = program->detect[waiting_[i].sign];
    const Fit fit = fits(waiting_[i], trials[i].now, from, opcode, payload);
    if (fit == Fit::yes) {
      contest.enter(program, {.signs = sign.first.size() + sign.handshake.size()});
      if (contest.winner == &program) winner = i;
    }
    if (fit == Fit::never) {
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
      trials.erase(trials.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  if (contest.winner != nullptr && !contest.tie) {
    decision_ = {*contest.winner, Basis::first_message};
    begun_ = std::make_shared<Intake>(std::move(trials[winner].before));
    give_up();
    return true;
  }
  if (contest.tie) decision_.basis = Basis::ambiguous;
  Documents& unread = workspace_->parts().documents;
  for (Trials::Trial& each : trials) {
    Decoder* const decoder = each.before.of(from, opcode, payload.bytes);
    if (decoder == nullptr) continue;
    unread.clear();
    static_cast<void>(decoder->decode(from, opcode, payload.bytes, unread));
  }
  passed();
  return false;
}

}  // namespace sockeye::dialect
