// What a Session is made of: its State reads (session_read.cc) and acts (session_act.cc); session.cc is the door.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "intake.h"
#include "reading.h"
#include "sockeye/dialect/session.h"
#include "table.h"

namespace sockeye::dialect {

using base::Time;
using model::Invocation;
using model::Opcode;
using model::Side;

inline constexpr std::size_t most_batch = 1024;  // elements of a batch, or of `each`, that are looked at

struct Session::State {
  State(ProgramRef p, const HandshakeView& handshake, const Limits& l, Workspace& w, Listener& heard,
        std::uint64_t seed)
      : program(std::move(p)),
        limits(l),
        parts(&w.parts()),
        listener(&heard),
        table(l.open, seed),
        intake(program->decode),
        asked_for(read_handshake(*program, handshake)),
        last_sequence(program->sequences.size()) {
    for (std::size_t i = 0; i < program->places.size(); ++i) {
      const std::vector<std::string>& only = program->places[i].only;
      if (only.empty() || std::find(only.begin(), only.end(), handshake.subprotocol) != only.end())
        places |= static_cast<std::uint8_t>(1U << i);
    }
  }

  // Which slots matter, once the discriminator is known.
  class Choice final : public Chooser {
   public:
    Choice(const Program& program, Side from)
        : plans_(program.plans[model::index(from)]), discriminator_(program.discriminator) {}
    [[nodiscard]] std::uint16_t discriminator() const override { return discriminator_; }
    [[nodiscard]] const SlotSet& needed(const Value& value) const override {
      return value.present() ? plan(value).needed : plans_.all;
    }
    [[nodiscard]] const Plan& plan(const Value& value) const {
      const auto found = value.present() ? plans_.by_type.find(value.text) : plans_.by_type.end();
      return found == plans_.by_type.end() ? plans_.other : found->second;
    }

   private:
    const Program::Plans& plans_;
    std::uint16_t discriminator_;
  };

  // What is being read.
  struct Reading {
    Side from;
    Time now;
    std::uint64_t bytes = 0;
    bool binary = false;
    bool document = false;  // there is one
    bool element = false;   // inside `each`
    bool cut = false;       // there is more of it than was looked at
  };

  void message(Side from, Opcode opcode, const Payload& payload, Time now);
  void beginning(Side from, Opcode opcode, const Payload& payload, Time now);
  // The document that opened an invocation was passed on as `document`: a peer may answer by what was put into it.
  void read_again(std::string_view document);
  // Context may be put into the program's i-th place.
  [[nodiscard]] bool may_fill(std::size_t i, Side from, bool tolerated) const {
    const TracePlace& place = program->places[i];
    if (((places >> i) & 1U) == 0 || (place.from && *place.from != from)) return false;
    return place.insert == TracePlace::Insert::reserved || (tolerated && place.insert == TracePlace::Insert::tolerated);
  }
  void decoded(Reading r, Decoder& decoder, Opcode opcode, const Payload& payload);
  void text_message(const Reading& r, std::string_view text, std::size_t readable);
  void document(Reading r, std::string_view text, std::size_t readable);
  void follow(const Reading& r, const std::vector<std::uint16_t>& rules);
  void check_sequences(const Reading& r);
  [[nodiscard]] bool matches(const Reading& r, const Rule& rule) const;
  void run(const Reading& r, const Rule& rule);
  void run_verbs(const Reading& r, const Rule& rule);
  void act(const Reading& r, const Rule& rule, const Verb& verb);
  void create(const Reading& r, const Rule& rule, const Verb& verb);
  void act_on(const Reading& r, const Rule& rule, const Verb& verb, std::uint32_t slot);

  [[nodiscard]] Value value(const Reading& r, const Extractor& e, const Invocation* about = nullptr) const;
  [[nodiscard]] Value joined(const Reading& r, const Extractor& e, const Invocation* about) const;
  [[nodiscard]] Value remembered(const model::Attributes& attributes, std::string_view key) const;

  [[nodiscard]] std::uint32_t select(const Reading& r, const std::vector<Selector>& selectors) const;
  [[nodiscard]] std::uint32_t select(const Reading& r, const Selector& selector) const;
  [[nodiscard]] bool fits(const Reading& r, const Selector& selector, const Open& open) const;
  void begin(const Reading& r, const Rule& rule, const Verb& verb);
  void adopt(const Reading& r, std::uint32_t slot, const Verb& verb);
  void bind_keys(const Reading& r, std::uint32_t slot, const Verb& verb, bool fresh);
  void add_chunk(const Reading& r, std::uint32_t slot, const Verb& verb);
  static void add_note(Invocation& invocation, std::string_view what, Time now);
  void request_cancel(const Reading& r, std::uint32_t slot, const Verb& verb);
  void end_by_message(const Reading& r, std::uint32_t slot, const Verb& verb);
  // By its opener: what is under way may still come, and belongs to nothing any more.
  void end(std::uint32_t slot, model::InvocationEnd how, Time now, bool by_opener = false);
  // What it opens must have a key that can end it, and the message has none.
  [[nodiscard]] bool lacks_key(const Reading& r, const Verb& verb) const;
  // It ends what had this one's key before, and was given up.
  [[nodiscard]] bool is_owed(const Reading& r, const Verb& verb, std::uint32_t slot);
  [[nodiscard]] bool is_late(const Reading& r, const Verb& verb) const;
  // It was cancelled and nobody answered, as some protocols have it: it was over when it was cancelled, or with the
  // last that came of it.
  void give_up(std::uint32_t slot);
  void touch(std::uint32_t slot, Time now);
  void read_trace(const Reading& r, Invocation& invocation) const;
  void attach(const Reading& r, Invocation& invocation, const std::vector<AttributeRule>& rules);
  void remember(const Reading& r, const Verb& verb);
  void set_anchor(std::string_view anchor, Time now);
  void take_anchor(std::string_view anchor, Invocation& invocation);
  void beat(const Reading& r, const Verb& verb);
  void expect(std::uint32_t slot, Time deadline) {
    table[slot].deadline = deadline;
    next_deadline = std::min(next_deadline, deadline);
  }

  ProgramRef program;
  Limits limits;
  Workspace::Parts* parts;  // lent
  Listener* listener;       // likewise
  Table table;
  Intake intake;
  HandshakeValues asked_for;
  model::Attributes attributes;  // of the session
  struct Anchor {
    std::string_view name;
    Time at;
  };
  std::vector<Anchor> anchors;
  std::vector<std::optional<std::int64_t>> last_sequence;
  std::array<Time, 2> pinged{base::never, base::never};  // by sender: an application ping that is not answered yet
  Time next_deadline = base::never;
  std::uint64_t opened = 0;
  // By the message last read.
  std::uint32_t opened_by_message = 0;
  std::uint32_t opened_slot = Table::none;
  const Verb* opened_with = nullptr;
  Reading last_read{};
  std::uint8_t places = 0;  // of Program::places, by bit: those that this session's subprotocol has
};
static_assert(most_places <= 8);

}  // namespace sockeye::dialect
