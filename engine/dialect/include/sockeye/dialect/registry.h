// The dialects there are, and which of them a connection speaks.
//
// Detection never guesses: the handshake decides if the signs of exactly one dialect hold (a subprotocol, being the
// field where peers agree on the dialect, over path, query and headers; then more signs over fewer). If several hold
// alike, or none, the first messages decide, those whose `first` conditions exactly one dialect has (of what the
// dialect's decoder makes of them, where it has one). Otherwise the dialect is none, and why is said.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sockeye/base/bytes.h"
#include "sockeye/base/result.h"
#include "sockeye/dialect/program.h"
#include "sockeye/dialect/session.h"

namespace sockeye::dialect {

// Embedded in the binary, compiled on first use, sorted by name. Thread-safe.
[[nodiscard]] std::span<const ProgramRef> built_in();
[[nodiscard]] ProgramRef find(std::span<const ProgramRef>, std::string_view name);  // null: there is none

enum class Basis : std::uint8_t {
  configured,
  subprotocol,
  handshake,  // path, query or header
  first_message,
  undecided,  // nothing held, yet or for good
  ambiguous   // more than one dialect fits as well
};
[[nodiscard]] std::string_view name(Basis);

struct Decision {
  ProgramRef program;  // none() when undecided or ambiguous
  Basis basis = Basis::undecided;
};

class Intake;

// For one connection of a route whose dialect is auto.
class Detector {
 public:
  static constexpr unsigned patience = 8;             // data messages of both sides that are looked at
  static constexpr std::size_t longest = 64U << 10U;  // bytes of one that is

  // Borrows `known`, and the workspace until another is lent.
  Detector(std::span<const ProgramRef> known, const HandshakeView&, Workspace&);
  void lend(Workspace& workspace) { workspace_ = &workspace; }
  [[nodiscard]] const Decision& decision() const { return decision_; }
  // Messages can still decide.
  [[nodiscard]] bool open() const { return !waiting_.empty(); }
  // A dialect that messages may still decide on reads this header field.
  [[nodiscard]] bool reads_header(std::string_view name) const;
  // Whether a message that begins like this could decide. `first`: its first byte; none: not known yet. `size`: its
  // bytes, as far as known. If not, it is passed().
  [[nodiscard]] bool cares(model::Opcode, std::optional<base::Byte> first, std::uint64_t size) const;
  void passed();
  // The next data message. True when it decided: it is the first that the dialect's session should get, with begun().
  bool message(model::Side from, model::Opcode, const Payload&);
  // What the messages before that one were the beginning of, for the session; null: nothing.
  [[nodiscard]] Intake* begun() const { return begun_.get(); }

 private:
  struct Candidate {
    std::uint16_t program;  // of known_
    std::uint16_t sign;     // of Program::detect
  };
  enum class Fit : std::uint8_t {
    yes,
    no,
    never  // the peer speaks in another form
  };
  struct Trials;
  Fit fits(const Candidate&, Intake&, model::Side from, model::Opcode, const Payload&);
  std::span<const ProgramRef> known_;
  void give_up();
  std::vector<Candidate> waiting_;
  std::shared_ptr<Trials> trials_;  // theirs. Made when a message comes: many a connection never sends one
  std::shared_ptr<Intake> begun_;   // the winner's
  Workspace* workspace_;
  Decision decision_;
  unsigned seen_ = 0;
};

}  // namespace sockeye::dialect
