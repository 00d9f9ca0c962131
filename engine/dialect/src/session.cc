// Theory of operation. A message becomes one document or several (decoder, batch, records); each is harvested once, its
// discriminator chooses a plan, and the plan's rules are tried in the file's order. Verbs then act on the table of open
// invocations and tell the listener.
#include "sockeye/dialect/session.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "insert.h"
#include "reading.h"
#include "sockeye/base/utf8.h"
#include "table.h"

namespace sockeye::dialect {

using base::Time;
using model::Invocation;
using model::Opcode;
using model::Side;

namespace {

constexpr std::array<std::string_view, 14> effects = {"open", "accept", "bind",    "chunk", "attrs", "note",  "cancel",
                                                      "end",  "event",  "session", "media", "beat",  "error", "ignore"};
constexpr std::size_t most_session_attributes = 32;
constexpr std::size_t most_batch = 1024;  // elements of a batch, or of `each`, that are looked at

// Letters, digits and _ behind white space; absent where the text begins with anything else.
Value first_word(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const auto end = std::find_if(text.begin(), text.end(), [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_');
  });
  if (end == text.begin()) return {};
  return {Value::Kind::string, text.substr(0, static_cast<std::size_t>(end - text.begin()))};
}

std::optional<std::int64_t> whole_number(const Value& v) {
  std::int64_t number = 0;
  const char* const end = v.text.data() + v.text.size();
  if (!v.scalar() || v.text.empty() || std::from_chars(v.text.data(), end, number).ptr != end) return std::nullopt;
  return number;
}

// Of so many, counted from 0.
bool is_last(const Value& index, const Value& count) {
  const auto at = whole_number(index);
  const auto all = whole_number(count);
  return at && all && *all > 0 && *at == *all - 1;
}

std::string_view kept_text(std::string_view text) { return base::cut_utf8(text, Invocation::max_text); }

model::AttributeValue attribute_value(const Value& value) {
  if (value.kind == Value::Kind::boolean) return value.text == "true";
  if (value.kind == Value::Kind::number) {
    std::int64_t whole = 0;
    const char* const end = value.text.data() + value.text.size();
    if (const auto [at, error] = std::from_chars(value.text.data(), end, whole); error == std::errc() && at == end)
      return whole;
    double number = 0;
    if (const auto [at, error] = std::from_chars(value.text.data(), end, number); error == std::errc() && at == end)
      return number;
  }
  return std::string(kept_text(value.text));
}

// As attribute_value() keeps it.
bool same(const model::AttributeValue& kept, const Value& value) {
  if (const auto* const text = std::get_if<std::string>(&kept)) return *text == kept_text(value.text);
  return value.kind != Value::Kind::string && attribute_value(value) == kept;
}

}  // namespace

std::string_view name(Effect e) { return effects[static_cast<std::size_t>(e)]; }

Workspace::Workspace() : parts_(std::make_unique<Parts>()) {}
Workspace::~Workspace() = default;

base::MutableBytes Workspace::stage(std::size_t size) {
  std::vector<base::Byte>& room = parts_->staged;
  if (room.size() < size + padding) room.resize(std::max(size + padding, room.size() * 2));
  return {room.data(), size + padding};
}

struct Session::State {
  State(ProgramRef p, const Facts& facts, const Limits& l, Workspace& w, Listener& heard, std::uint64_t seed)
      : program(std::move(p)),
        limits(l),
        parts(w.parts()),
        listener(heard),
        table(l.open, seed),
        decoder(make_decoder(program->decode)),
        asked_for(read_handshake(*program, facts)),
        last_sequence(program->sequences.size()) {
    for (std::size_t i = 0; i < program->places.size(); ++i) {
      const std::vector<std::string>& only = program->places[i].only;
      if (only.empty() || std::find(only.begin(), only.end(), facts.subprotocol) != only.end())
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
  void text_message(const Reading& r, std::string_view text, std::size_t readable);
  void document(Reading r, std::string_view text, std::size_t readable);
  void follow(const Reading& r, const std::vector<std::uint16_t>& rules);
  void check_sequences(const Reading& r);
  [[nodiscard]] bool matches(const Reading& r, const Rule& rule) const;
  void run(const Reading& r, const Rule& rule);
  void run_verbs(const Reading& r, const Rule& rule);
  void act(const Reading& r, const Rule& rule, const Verb& verb);
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
  void end(std::uint32_t slot, model::InvocationEnd how, Time now);
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
  Workspace::Parts& parts;
  Listener& listener;
  Table table;
  std::unique_ptr<Decoder> decoder;
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

// --- reading -----------------------------------------------------------------------------------------------------

void Session::State::message(Side from, Opcode opcode, const Payload& payload, Time now) {
  const Program::Plans& plans = program->plans[model::index(from)];
  Reading r{.from = from, .now = now, .bytes = payload.on_wire, .binary = opcode == Opcode::binary};
  parts.scratch.clear();
  opened_by_message = 0;
  last_read = r;
  if (decoder) {
    parts.documents.clear();
    if (!decoder->decode(from, opcode, payload.bytes, parts.documents)) listener.odd(Oddity::invalid, from, 1, now);
    if (parts.documents.dropped() != 0) listener.odd(Oddity::too_large, from, parts.documents.dropped(), now);
    // All documents lie in one buffer: what is behind one is readable, and the last is followed by padding.
    std::string& text = parts.documents.text();
    if (text.capacity() < text.size() + padding) text.reserve(2 * text.size() + padding);
    const std::size_t end = text.size() + padding;
    for (const Documents::Document& each : parts.documents.documents()) {
      r.bytes = each.wire_bytes;
      parts.scratch.clear();
      document(r, parts.documents[each], end - each.begin);
    }
    return;
  }
  if (!plans.any) return;
  if (program->decode == Decode::json && (!r.binary || program->binary_is_text)) {
    text_message(r, base::as_text(payload.bytes), payload.readable);
  } else if (r.binary) {
    follow(r, plans.binary);
  }
}

void Session::State::text_message(const Reading& r, std::string_view text, std::size_t readable) {
  if (program->batch) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin != std::string_view::npos && text[begin] == '[') {
      std::size_t count = 0;
      Reading one = r;
      const auto each = [&](std::string_view element, std::size_t more) {
        if (++count > most_batch) return false;
        one.bytes = element.size();
        parts.scratch.clear();
        document(one, element, more);
        return true;
      };
      if (!parts.splitter.elements(text, readable, each)) listener.odd(Oddity::invalid, r.from, 1, r.now);
      if (count > most_batch) listener.odd(Oddity::too_large, r.from, 1, r.now);
      return;
    }
  }
  document(r, text, readable);
}

void Session::State::document(Reading r, std::string_view text, std::size_t readable) {
  const Choice choice(*program, r.from);
  if (parts.document.read(program->tree, text, readable, &choice) == Harvest::Outcome::invalid)
    return listener.odd(Oddity::invalid, r.from, 1, r.now);
  r.document = true;
  if (!program->sequences.empty()) check_sequences(r);
  follow(r, choice.plan(value(r, program->type)).rules);
}

void Session::State::beginning(Side from, Opcode opcode, const Payload& payload, Time now) {
  const std::string_view text = base::as_text(payload.bytes);
  if (decoder || text.size() <= Harvest::view || (program->batch && text.front() == '[')) return;
  const Reading r{.from = from,
                  .now = now,
                  .bytes = payload.on_wire,
                  .binary = opcode == Opcode::binary,
                  .document = true,
                  .cut = true};
  parts.scratch.clear();
  opened_by_message = 0;
  const Choice choice(*program, from);
  static_cast<void>(parts.document.peek(program->tree, text, &choice));  // what it found before it gave up is there
  follow(r, choice.plan(value(r, program->type)).rules);
}

void Session::State::read_again(std::string_view document) {
  const Choice choice(*program, last_read.from);
  if (parts.document.read(program->tree, document, document.size(), &choice) != Harvest::Outcome::done) return;
  if (!table[opened_slot].live) return;
  Reading r = last_read;
  r.document = true;
  parts.scratch.clear();
  bind_keys(r, opened_slot, *opened_with, false);
}

void Session::State::check_sequences(const Reading& r) {
  for (std::size_t i = 0; i < program->sequences.size(); ++i) {
    const Program::Sequence& sequence = program->sequences[i];
    if (sequence.from && *sequence.from != r.from) continue;
    const Value got = value(r, sequence.at);
    const auto read = whole_number(got);
    if (!read) continue;
    const std::int64_t number = *read;
    std::optional<std::int64_t>& last = last_sequence[i];
    const bool anew = number == 0 || number == 1;  // as after a login
    if (last && !anew && *last < std::numeric_limits<std::int64_t>::max() && number != *last + 1)
      listener.odd(Oddity::gap, r.from,
                   number > *last ? static_cast<std::uint64_t>(number) - static_cast<std::uint64_t>(*last) - 1 : 1,
                   r.now);
    last = number;
  }
}

void Session::State::follow(const Reading& r, const std::vector<std::uint16_t>& rules) {
  bool matched = false;
  for (const std::uint16_t index : rules) {
    const Rule& rule = program->rules[index];
    if (!matches(r, rule)) continue;
    matched = true;
    listener.matched(rule.label);
    run(r, rule);
    if (!rule.also) return;
  }
  if (!matched && !r.cut) listener.odd(Oddity::unmatched, r.from, 1, r.now);
}

bool Session::State::matches(const Reading& r, const Rule& rule) const {
  for (const Condition& condition : rule.when) {
    const Value v = value(r, condition.what);
    if (!satisfies(condition.all, v)) return false;
    if (condition.last_of && !is_last(v, value(r, condition.last_of))) return false;
  }
  return rule.of.empty() || select(r, rule.of) != Table::none;
}

Value Session::State::value(const Reading& r, const Extractor& e, const Invocation* about) const {
  using enum Extractor::Kind;
  switch (e.kind) {
    case none:
      return {};
    case slot:
      return r.document ? parts.document[e.index] : Value{};
    case element:
      return r.element ? parts.element[e.index] : Value{};
    case constant:
      return {Value::Kind::string, e.text};
    case direction:
      return {Value::Kind::string, model::direction(r.from)};
    case binary:
      return {Value::Kind::boolean, r.binary ? "true" : "false"};
    case Extractor::Kind::handshake:
      return asked_for[e.index] ? Value{Value::Kind::string, *asked_for[e.index]} : Value{};
    case invocation:
      return about == nullptr ? Value{} : remembered(about->attributes, e.key);
    case session:
      return remembered(attributes, e.key);
    case anchor:
      return std::any_of(anchors.begin(), anchors.end(),
                         [&](const Anchor& each) { return each.name == e.key && each.at != base::never; })
                 ? Value{Value::Kind::boolean, "true"}
                 : Value{};
    case first_of:
      for (const Extractor& part : e.parts)
        if (const Value v = value(r, part, about); v.present() && v.kind != Value::Kind::null) return v;
      return {};
    case join:
      return joined(r, e, about);
    case map: {
      const Value v = value(r, e.parts.front(), about);
      if (v.scalar())
        for (const auto& [from, to] : e.table)
          if (from == v.text) return {Value::Kind::string, to};
      return e.has_default && v.present() ? Value{Value::Kind::string, e.text} : Value{};
    }
    case word: {
      const Value v = value(r, e.parts.front(), about);
      return v.kind == Value::Kind::string ? first_word(v.text) : Value{};
    }
  }
  return {};
}

Value Session::State::joined(const Reading& r, const Extractor& e, const Invocation* about) const {
  const std::string_view between = e.text.empty() ? std::string_view(":") : std::string_view(e.text);
  std::array<std::string_view, 16> texts;
  std::size_t count = 0;
  std::size_t size = 0;
  for (const Extractor& part : e.parts) {
    const Value v = value(r, part, about);
    if (!v.scalar() || count == texts.size()) continue;
    size += v.text.size() + (count == 0 ? 0 : between.size());
    texts[count++] = v.text;
  }
  if (count == 0) return {};
  char* const room = parts.scratch.take(size);
  if (room == nullptr) return {};
  char* at = room;
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) at = std::copy(between.begin(), between.end(), at);
    at = std::copy(texts[i].begin(), texts[i].end(), at);
  }
  return {Value::Kind::string, {room, size}};
}

Value Session::State::remembered(const model::Attributes& from, std::string_view key) const {
  for (const auto& [name, kept] : from) {
    if (name != key) continue;
    if (const auto* const text = std::get_if<std::string>(&kept)) return {Value::Kind::string, *text};
    if (const auto* const flag = std::get_if<bool>(&kept)) return {Value::Kind::boolean, *flag ? "true" : "false"};
    constexpr std::size_t room = 32;
    char* const at = parts.scratch.take(room);
    if (at == nullptr) return {};
    const auto written = std::holds_alternative<double>(kept)
                             ? std::to_chars(at, at + room, std::get<double>(kept))
                             : std::to_chars(at, at + room, std::get<std::int64_t>(kept));
    return {Value::Kind::number, {at, static_cast<std::size_t>(written.ptr - at)}};
  }
  return {};
}

// --- acting ------------------------------------------------------------------------------------------------------

void Session::State::run(const Reading& r, const Rule& rule) {
  if (!rule.each) return run_verbs(r, rule);
  const Value array = value(r, rule.each);
  if (array.kind != Value::Kind::array) return;
  std::size_t count = 0;
  Reading one = r;
  one.element = true;
  const auto each = [&](std::string_view element, std::size_t) {
    if (++count > most_batch) return false;
    // Elements of a document are small: copying one costs less than knowing what lies behind it.
    if (parts.element.read(program->elements, element, 0, nullptr) == Harvest::Outcome::done) run_verbs(one, rule);
    return true;
  };
  if (!parts.document.elements(array.text, 0, each)) listener.odd(Oddity::invalid, r.from, 1, r.now);
}

void Session::State::run_verbs(const Reading& r, const Rule& rule) {
  for (const Verb& verb : rule.verbs) act(r, rule, verb);
}

std::uint32_t Session::State::select(const Reading& r, const std::vector<Selector>& selectors) const {
  for (const Selector& selector : selectors)
    if (const std::uint32_t found = select(r, selector); found != Table::none) return found;
  return Table::none;
}

bool Session::State::fits(const Reading& r, const Selector& s, const Open& open) const {
  const Side opener = open.invocation.opened_by;
  if (s.side == Opener::same && opener != r.from) return false;
  if (s.side == Opener::other && opener == r.from) return false;
  if (!s.lane.empty() && open.lane != s.lane && open.invocation.operation != s.lane) return false;
  const auto bound = [&](std::uint16_t name) { return open.bound(name); };
  if (std::any_of(s.unbound.begin(), s.unbound.end(), bound)) return false;
  if (!std::all_of(s.bound.begin(), s.bound.end(), bound)) return false;
  return std::all_of(s.with.begin(), s.with.end(), [&](const AttributeRule& rule) {
    const Value wanted = value(r, rule.value);
    for (const auto& [key, kept] : open.invocation.attributes)
      if (key == rule.key) return wanted.scalar() && same(kept, wanted);
    return !wanted.scalar();
  });
}

std::uint32_t Session::State::select(const Reading& r, const Selector& s) const {
  if (s.by_key()) {
    const Value key = value(r, s.key);
    if (!key.scalar()) return Table::none;
    for (const Side opener : {model::other(r.from), r.from}) {
      const std::uint32_t found = table.find(table.hash(opener, s.name, key));
      if (found != Table::none && fits(r, s, table[found])) return found;
    }
    return Table::none;
  }
  std::uint32_t best = Table::none;
  table.for_each([&](std::uint32_t i) {
    const Open& open = table[i];
    if (!fits(r, s, open)) return;
    if (best == Table::none || (open.invocation.number > table[best].invocation.number) == s.latest) best = i;
  });
  return best;
}

void Session::State::act(const Reading& r, const Rule& rule, const Verb& verb) {
  if (verb.to.empty()) return act_on(r, rule, verb, Table::none);
  for (const Selector& selector : verb.to) {
    const std::uint32_t found = select(r, selector);
    if (found == Table::none) continue;
    if (!selector.all || verb.effect == Effect::accept) return act_on(r, rule, verb, found);
    std::vector<std::uint32_t> every;  // first: acting on one may end it
    table.for_each([&](std::uint32_t i) {
      if (fits(r, selector, table[i])) every.push_back(i);
    });
    for (const std::uint32_t slot : every) act_on(r, rule, verb, slot);
    return;
  }
  if (verb.effect == Effect::accept) return act_on(r, rule, verb, Table::none);
  if (!verb.optional) listener.odd(Oddity::orphan, r.from, 1, r.now);
}

void Session::State::act_on(const Reading& r, const Rule& rule, const Verb& verb, std::uint32_t slot) {
  listener.effect(verb.effect);
  switch (verb.effect) {
    case Effect::open:
      begin(r, rule, verb);
      break;
    case Effect::accept:
      if (slot == Table::none)
        begin(r, rule, verb);
      else
        adopt(r, slot, verb);
      break;
    case Effect::bind:
      for (const std::uint16_t name : verb.drop) table.unbind(slot, name);
      bind_keys(r, slot, verb, false);
      attach(r, table[slot].invocation, verb.attributes);
      break;
    case Effect::chunk:
      add_chunk(r, slot, verb);
      break;
    case Effect::attrs:
      attach(r, table[slot].invocation, verb.attributes);
      break;
    case Effect::note:
      add_note(table[slot].invocation, verb.name, r.now);
      attach(r, table[slot].invocation, verb.attributes);
      break;
    case Effect::cancel:
      request_cancel(r, slot, verb);
      break;
    case Effect::end:
      end_by_message(r, slot, verb);
      break;
    case Effect::event:
      set_anchor(verb.anchor, r.now);
      listener.event(verb.name, r.from, r.now);
      break;
    case Effect::session:
      remember(r, verb);
      break;
    case Effect::media:
      listener.media(r.from, verb.name, r.bytes, r.now);
      break;
    case Effect::beat:
      beat(r, verb);
      break;
    case Effect::error: {
      const Value type = value(r, verb.status);
      listener.error(r.from, type.scalar() ? kept_text(type.text) : std::string_view(), r.now);
      break;
    }
    case Effect::ignore:
      break;
  }
}

void Session::State::begin(const Reading& r, const Rule& rule, const Verb& verb) {
  if (table.full()) {
    const std::uint32_t oldest = table.oldest();
    listener.odd(Oddity::evicted, r.from, 1, r.now);
    end(oldest, model::InvocationEnd::evicted, r.now);
  }
  const std::uint32_t parent = select(r, verb.parent);
  const std::uint32_t slot = table.add();
  Open& opened_now = table[slot];
  Invocation& invocation = opened_now.invocation;
  invocation.number = ++opened;
  ++opened_by_message;
  opened_slot = slot;
  opened_with = &verb;
  if (parent != Table::none) {
    const Invocation& served = table[parent].invocation;
    invocation.parent = served.number;
    invocation.trace_id = served.trace_id;
    invocation.parent_span_id = served.span_id;
    invocation.trace_flags = served.trace_flags;
  }
  const Value operation = value(r, verb.operation);
  invocation.operation = operation.scalar() && !operation.text.empty()
                             ? base::cut_utf8(operation.text, Invocation::max_operation)
                             : std::string_view("unknown");
  invocation.opened_by = r.from;
  invocation.opened = r.now;
  invocation.request_bytes = r.bytes;
  invocation.trigger = verb.trigger;
  opened_now.lane = verb.lane;
  if (!verb.start.empty()) take_anchor(verb.start, invocation);
  bind_keys(r, slot, verb, true);
  attach(r, table[slot].invocation, verb.attributes);
  if (rule.reads_trace) read_trace(r, table[slot].invocation);
  table[slot].timeout = verb.timeout > base::Duration::zero() ? verb.timeout : program->timeout;
  table[slot].settle = verb.settle;
  if (table[slot].timeout > base::Duration::zero()) expect(slot, r.now + table[slot].timeout);
  listener.opened(table[slot].invocation);
}

// A message answers to what asked for it: from here on it goes by the peer's name for it, too.
void Session::State::adopt(const Reading& r, std::uint32_t slot, const Verb& verb) {
  bind_keys(r, slot, verb, false);
  attach(r, table[slot].invocation, verb.attributes);
  touch(slot, r.now);
}

void Session::State::bind_keys(const Reading& r, std::uint32_t slot, const Verb& verb, bool fresh) {
  for (const KeyRule& key : verb.keys) {
    const Value v = value(r, key.value, &table[slot].invocation);
    if (!v.scalar()) continue;
    const std::uint64_t hash = table.hash(table[slot].invocation.opened_by, key.name, v);
    if (const std::uint32_t before = table.find(hash); before != Table::none && before != slot) {
      listener.odd(Oddity::duplicate, r.from, 1, r.now);
      // The newer one is what the peers mean by the key from now on.
      if (fresh) end(before, model::InvocationEnd::evicted, r.now);
    }
    table.bind(slot, key.name, hash);
  }
}

void Session::State::add_chunk(const Reading& r, std::uint32_t slot, const Verb& verb) {
  Invocation& invocation = table[slot].invocation;
  const std::optional<base::Duration> since = invocation.chunks.add(r.now, r.bytes);
  invocation.reply_bytes += r.bytes;
  if (!verb.lane.empty()) {
    for (model::Chunks& lane : invocation.lanes) {
      if (lane.count != 0 && lane.lane != verb.lane) continue;
      lane.lane = verb.lane;
      lane.add(r.now, r.bytes);
      break;
    }
  }
  attach(r, invocation, verb.attributes);
  touch(slot, r.now);
  listener.chunk(invocation, since);
}

void Session::State::add_note(Invocation& invocation, std::string_view what, Time now) {
  if (invocation.events.size() < Invocation::max_events) invocation.events.push_back({.name = what, .at = now});
}

void Session::State::request_cancel(const Reading& r, std::uint32_t slot, const Verb& verb) {
  Invocation& invocation = table[slot].invocation;
  attach(r, invocation, verb.attributes);
  if (!invocation.cancel_requested) add_note(invocation, "cancel_requested", r.now);
  invocation.cancel_requested = true;
  if (verb.at_once)
    end(slot, model::InvocationEnd::cancel, r.now);
  else
    expect(slot, r.now + limits.cancel_grace);
}

void Session::State::end_by_message(const Reading& r, std::uint32_t slot, const Verb& verb) {
  Invocation& invocation = table[slot].invocation;
  using enum model::InvocationStatus;
  const Value status = value(r, verb.status, &invocation);
  invocation.reply_bytes += r.bytes;
  attach(r, invocation, verb.attributes);
  if (!status.scalar()) {
    invocation.status = invocation.cancel_requested ? cancelled : ok;
  } else if (status.text == "ok") {
    invocation.status = ok;
  } else if (status.text == "cancelled") {
    invocation.status = cancelled;
  } else if (status.text == "incomplete") {
    invocation.status = incomplete;
  } else {
    invocation.status = model::InvocationStatus::error;
    // A status the dialect does not know is no success, and what it was called is the best there is to say.
    if (invocation.error_type.empty() && status.text != "error") invocation.error_type = kept_text(status.text);
  }
  end(slot, model::InvocationEnd::reply, r.now);
}

void Session::State::end(std::uint32_t slot, model::InvocationEnd how, Time now) {
  Invocation ended = std::move(table[slot].invocation);
  table.remove(slot);
  ended.ended = now;
  ended.end = how;
  if (how == model::InvocationEnd::cancel)
    ended.status = model::InvocationStatus::cancelled;
  else if (how != model::InvocationEnd::reply)
    ended.status = model::InvocationStatus::incomplete;
  listener.ended(std::move(ended));
}

void Session::State::touch(std::uint32_t slot, Time now) {
  const Open& open = table[slot];
  if (open.invocation.cancel_requested) return;
  if (open.settle > base::Duration::zero() && open.invocation.chunks.count != 0)
    expect(slot, now + open.settle);
  else if (open.timeout > base::Duration::zero())
    expect(slot, now + open.timeout);
}

void Session::State::read_trace(const Reading& r, Invocation& invocation) const {
  if (!r.document) return;
  for (const TracePlace& place : program->places) {
    if (place.from && *place.from != r.from) continue;
    const Value& parent = parts.document[place.traceparent];
    if (parent.kind != Value::Kind::string) continue;
    const auto text = [&](std::uint16_t slot, std::size_t most) {
      const Value& v = parts.document[slot];
      // Longer than its bound it would be dropped, not cut: half a list is another list.
      return v.kind == Value::Kind::string && v.text.size() <= most ? v.text : std::string_view();
    };
    invocation.traceparent = parent.text.substr(0, 256);
    invocation.tracestate = text(place.tracestate, 512);
    invocation.baggage = text(place.baggage, 8192);
    return;
  }
}

namespace {

// Keeps the first `most` names; a name seen again takes the newer value.
void put(model::Attributes& attributes, std::size_t most, std::string_view key, model::AttributeValue value) {
  for (auto& [name, kept] : attributes)
    if (name == key) return void(kept = std::move(value));
  if (attributes.size() < most) attributes.emplace_back(key, std::move(value));
}

}  // namespace

void Session::State::attach(const Reading& r, Invocation& invocation, const std::vector<AttributeRule>& rules) {
  for (const AttributeRule& rule : rules) {
    const Value v = value(r, rule.value, &invocation);
    if (!v.scalar()) continue;
    if (rule.key == "error.type")
      invocation.error_type = kept_text(v.text);
    else
      put(invocation.attributes, Invocation::max_attributes, rule.key, attribute_value(v));
  }
}

void Session::State::remember(const Reading& r, const Verb& verb) {
  for (const AttributeRule& rule : verb.attributes) {
    const Value v = value(r, rule.value);
    if (!v.scalar()) continue;
    model::AttributeValue kept = attribute_value(v);
    listener.session_attribute(rule.key, kept);
    put(attributes, most_session_attributes, rule.key, std::move(kept));
  }
}

void Session::State::set_anchor(std::string_view anchor, Time now) {
  if (anchor.empty()) return;
  for (Anchor& each : anchors)
    if (each.name == anchor) return void(each.at = now);
  anchors.push_back({anchor, now});  // as many as the program names
}

void Session::State::take_anchor(std::string_view anchor, Invocation& invocation) {
  for (Anchor& each : anchors) {
    if (each.name != anchor || each.at == base::never) continue;
    invocation.anchor = each.at;
    invocation.anchor_name = anchor;
    each.at = base::never;
  }
}

void Session::State::beat(const Reading& r, const Verb& verb) {
  std::optional<base::Duration> rtt;
  Time& asked = pinged[model::index(model::other(r.from))];
  if (verb.answer.value_or(asked != base::never)) {
    if (asked != base::never) rtt = r.now - asked;
    asked = base::never;
  } else {
    pinged[model::index(r.from)] = r.now;
  }
  listener.beat(r.from, verb.name, rtt, r.now);
}

// --- the session -------------------------------------------------------------------------------------------------

Session::Session(ProgramRef program, const Facts& facts, const Limits& limits, Workspace& workspace, Listener& listener,
                 std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(program), facts, limits, workspace, listener, seed)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

bool Session::wants(Side from, Opcode opcode) const {
  const State& s = *state_;
  if (s.decoder) return true;
  const Program::Plans& plans = s.program->plans[model::index(from)];
  return plans.any && s.program->decode == Decode::json && (opcode == Opcode::text || s.program->binary_is_text);
}

void Session::message(Side from, Opcode opcode, const Payload& payload, Time now) {
  if ((payload.cut || payload.bytes.size() > state_->limits.text) && wants(from, opcode)) {
    unread(from, opcode, payload.on_wire, now);
    return state_->beginning(from, opcode, payload, now);
  }
  state_->message(from, opcode, payload, now);
}

void Session::unread(Side from, Opcode opcode, std::uint64_t, Time now) {
  if (wants(from, opcode)) state_->listener.odd(Oddity::too_large, from, 1, now);
}

bool Session::inserts(Side from, Opcode opcode, bool tolerated) const {
  const Program& program = *state_->program;
  if (program.decode != Decode::json && program.decode != Decode::records) return false;
  if (opcode == Opcode::binary && !program.binary_is_text && program.decode == Decode::json) return false;
  for (std::size_t i = 0; i < program.places.size(); ++i)
    if (state_->may_fill(i, from, tolerated)) return true;
  return false;
}

bool Session::insert(base::Bytes message, const TraceText& context, bool tolerated, std::string& out) {
  if (state_->opened_by_message != 1) return false;
  const Program& program = *state_->program;
  const std::string_view text = base::as_text(message);
  std::string_view document = text;
  // Of several records in one message, which one opened the invocation is not known here; nor which call of a batch.
  if (program.decode == Decode::records) {
    if (!document.ends_with(record_separator)) return false;
    document.remove_suffix(1);
    if (document.find(record_separator) != std::string_view::npos) return false;
  }
  for (std::size_t i = 0; i < program.places.size(); ++i) {
    if (!state_->may_fill(i, state_->last_read.from, tolerated)) continue;
    const Insertion found = insert_context(document, program.places[i], context);
    if (found.kind == Insertion::Kind::no_place) continue;
    out.assign(text.substr(0, found.at)).append(found.text);
    out.append(text.substr(found.at + (found.kind == Insertion::Kind::replaced ? found.text.size() : 0)));
    state_->read_again(std::string_view(out).substr(0, out.size() - (text.size() - document.size())));
    return true;
  }
  return false;
}

Time Session::next_deadline() const { return state_->next_deadline; }

void Session::tick(Time now) {
  State& s = *state_;
  if (now < s.next_deadline) return;
  Time next = base::never;
  std::vector<std::uint32_t> due;
  s.table.for_each([&](std::uint32_t i) {
    if (s.table[i].deadline <= now)
      due.push_back(i);
    else
      next = std::min(next, s.table[i].deadline);
  });
  s.next_deadline = next;
  for (const std::uint32_t slot : due) {
    const Open& open = s.table[slot];
    if (open.invocation.cancel_requested)
      s.end(slot, model::InvocationEnd::cancel, now);
    else if (open.settle > base::Duration::zero() && open.invocation.chunks.count != 0)
      s.end(slot, model::InvocationEnd::reply, open.invocation.chunks.last);  // the protocol has no word for it
    else
      s.end(slot, model::InvocationEnd::timeout, now);
  }
}

void Session::finish(Time now) {
  State& s = *state_;
  while (s.table.size() != 0) s.end(s.table.oldest(), model::InvocationEnd::connection_lost, now);
}

const Program& Session::program() const { return *state_->program; }
std::size_t Session::open() const { return state_->table.size(); }

namespace {

std::vector<std::uint32_t> by_age(const Table& table) {
  std::vector<std::uint32_t> order;
  order.reserve(table.size());
  table.for_each([&](std::uint32_t i) { order.push_back(i); });
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return table[a].invocation.number < table[b].invocation.number; });
  return order;
}

}  // namespace

void Session::for_each_open(void (*each)(void*, const Invocation&), void* context) const {
  const Table& table = state_->table;
  for (const std::uint32_t i : by_age(table)) each(context, table[i].invocation);
}

void Session::for_each_open(void (*each)(void*, Invocation&), void* context) {
  for (const std::uint32_t i : by_age(state_->table)) each(context, state_->table[i].invocation);
}

}  // namespace sockeye::dialect
