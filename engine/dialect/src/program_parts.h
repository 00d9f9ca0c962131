// What a Program is made of. compile.cc writes it, session.cc interprets it, detect.cc tries it.
//
// For each direction and each value of the discriminator there is a Plan: the rules that can match, in the file's
// order, and the slots they need. So a message costs one look-up, and only what its rules ask for is read.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "decoder.h"
#include "extraction.h"
#include "sockeye/base/time.h"
#include "sockeye/dialect/program.h"
#include "sockeye/dialect/session.h"
#include "sockeye/model/frame.h"
#include "sockeye/model/invocation.h"

namespace sockeye::dialect {

struct Extractor {
  enum class Kind : std::uint8_t {
    none,
    slot,        // a pointer into the document
    element,     // ./pointer into the element of `each`
    constant,    // =text
    direction,   // $dir: c2s or s2c
    binary,      // $binary: true or false
    handshake,   // $path, $subprotocol, $query.x, $header.x: number `index` of Program::handshake
    invocation,  // $inv.x: attribute of the invocation the verb is about
    session,     // $sess.x
    anchor,      // $anchor.x: true while an event has set it and nothing has begun there yet
    first_of,    // the first of `parts` that is present
    join,        // all of `parts` that are present, with `text` between them
    map,         // parts[0] looked up in `table`; `text` when it is present and not in there
    word         // the first word of parts[0]
  };
  Kind kind = Kind::none;
  std::uint16_t index = 0;
  bool has_default = false;
  std::string text;
  std::string_view key;  // immortal: the attribute of $inv, $sess; the name of $anchor
  std::vector<Extractor> parts;
  std::vector<std::pair<std::string, std::string>> table;
  [[nodiscard]] explicit operator bool() const { return kind != Kind::none; }
};

struct Matcher {
  enum class Kind : std::uint8_t { equal, in, has, kind, prefix, suffix, contains, any_of, negate };
  Kind kind = Kind::equal;
  bool flag = false;                        // has: true or false
  Value::Kind value = Value::Kind::absent;  // kind:
  std::vector<std::string> texts;           // equal, in, prefix, suffix
  std::vector<Matcher> parts;               // all of them, for a map of several; negate: one
};

struct Condition {
  Extractor what;
  std::vector<Matcher> all;
  Extractor last_of;  // and it is a number from 0, the last of so many
};

struct KeyRule {
  std::uint16_t name = 0;  // number of Program::key_names
  Extractor value;
};

struct AttributeRule {
  std::string_view key;  // immortal
  Extractor value;
};

enum class Opener : std::uint8_t { any, same, other };

struct Selector {
  std::uint16_t name = 0;  // of the key; 0 is "id"
  Extractor key;
  Opener side = Opener::any;           // who opened it, seen from the sender of this message
  std::string lane;                    // of open's lane, or, where it has none, its operation; "" any
  std::vector<std::uint16_t> unbound;  // it has no key of these names
  std::vector<std::uint16_t> bound;    // and has one of each of these
  std::vector<AttributeRule> with;     // it has these attributes; absent here: it has none of that name
  bool latest = false;                 // pick
  bool all = false;                    // pick: the verb is about every one that fits
  [[nodiscard]] bool by_key() const { return static_cast<bool>(key); }
};

struct Verb {
  Effect effect = Effect::ignore;
  std::vector<Selector> to;  // tried in turn
  bool optional = false;
  Extractor operation;
  std::string_view lane;  // immortal
  std::vector<KeyRule> keys;
  std::vector<std::uint16_t> drop;  // bind: names of keys that are free for others from here on
  std::vector<AttributeRule> attributes;
  Extractor status;
  bool at_once = false;        // cancel: ends it now
  std::optional<bool> answer;  // beat: to the other side's; none: if one waits
  std::string_view name;       // immortal: event, media, beat, note
  std::string_view anchor;     // immortal: event sets it
  std::string_view start;      // immortal: open, accept take it
  std::string_view trigger;    // immortal
  std::vector<Selector> parent;
  base::Duration timeout{};          // open: 0 none
  base::Duration settle{};           // open: chunks stop for so long, and that was all; 0 never
  bool may_stay_unanswered = false;  // open
  std::uint16_t ended_by = 0;  // open: names of keys, by bit: without one of these nothing could end it; 0: no need
};

struct Rule {
  std::string label;  // for `dialect test`: its name, or what it matches
  std::vector<std::string> is;
  std::optional<model::Side> from;
  std::vector<Condition> when;
  std::vector<Selector> of;  // and one of these finds an open invocation
  Extractor each;            // an array: the verbs run for every element
  std::vector<Verb> verbs;
  bool also = false;         // the rules behind it are tried too
  bool reads_trace = false;  // opens: the trace places are read
};

inline constexpr std::size_t most_places = 8;
inline constexpr std::size_t most_key_names = 16;  // a bit each in Verb::ended_by

// Where trace context may sit in a message.
struct TracePlace {
  Pointer at;  // of the object that holds traceparent, tracestate, baggage
  std::uint16_t traceparent = Tree::none, tracestate = Tree::none, baggage = Tree::none;  // slots
  std::optional<model::Side> from;
  enum class Insert : std::uint8_t { never, tolerated, reserved } insert = Insert::never;
  std::vector<std::string> only;                              // subprotocols
  std::vector<std::pair<std::string, std::string>> required;  // members the object must have beside it
  std::string prefix;                                         // of the three names in there
  std::size_t most = 0;                                       // bytes of one value; 0: no bound of the protocol's
  std::size_t pairs = 0;                                      // members the object may have; likewise
};

// What tells a dialect: all of it must hold.
struct Sign {
  struct Handshake {
    std::uint16_t value = 0;  // number of Program::handshake
    std::vector<Matcher> all;
  };
  std::vector<Handshake> handshake;
  std::vector<Condition> first;  // of one of the first messages
  std::optional<model::Side> from;
};

struct HandshakeValue {
  enum class Kind : std::uint8_t { path, subprotocol, query, header } kind = Kind::path;
  std::string name;
};

struct Plan {
  std::vector<std::uint16_t> rules;
  SlotSet needed;
};

class Program {
 public:
  std::string name, title, source;
  Decode decode = Decode::json;
  bool binary_is_text = false;  // binary messages hold documents too
  bool batch = false;
  std::vector<Sign> detect;
  Extractor type;  // slot, or first_of slots
  std::uint16_t discriminator = Tree::none;
  std::vector<Rule> rules;
  std::vector<TracePlace> places;
  std::vector<HandshakeValue> handshake;
  std::vector<std::string> key_names;
  struct Sequence {
    Extractor at;
    std::optional<model::Side> from;
  };
  std::vector<Sequence> sequences;
  base::Duration timeout{};

  Tree tree;      // of the document
  Tree elements;  // of an element of `each`, all rules' together

  // By sender.
  struct Plans {
    std::unordered_map<std::string_view, Plan> by_type;  // views into Rule::is
    Plan other;                                          // for a type no rule names, or none
    SlotSet all;                                         // whatever the type is
    std::vector<std::uint16_t> binary;                   // rules for messages that are no document
    bool any = false;
  };
  std::array<Plans, 2> plans;
};

// The same view for the same text, for ever.
[[nodiscard]] std::string_view immortal(std::string_view);

}  // namespace sockeye::dialect
