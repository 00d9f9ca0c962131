// A message becomes one document or several (decoder, batch, records); each is extracted once, its discriminator
// chooses a plan, and the plan's rules are tried in the file's order.
#include <algorithm>
#include <charconv>
#include <limits>

#include "session_state.h"

namespace sockeye::dialect {
namespace {

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

}  // namespace

void Session::State::message(Side from, Opcode opcode, const Payload& payload, Time now) {
  const Program::Plans& plans = program->plans[model::index(from)];
  const Reading r{.from = from, .now = now, .bytes = payload.on_wire, .binary = opcode == Opcode::binary};
  parts->scratch.clear();
  opened_by_message = 0;
  last_read = r;
  if (Decoder* const decoder = intake.of(from, opcode, payload.bytes)) return decoded(r, *decoder, opcode, payload);
  if (!plans.any) return;
  if (plain_text(program->decode) && (!r.binary || program->binary_is_text)) {
    text_message(r, base::as_text(payload.bytes), payload.readable);
  } else if (r.binary) {
    follow(r, plans.binary);
  }
}

void Session::State::decoded(Reading r, Decoder& decoder, Opcode opcode, const Payload& payload) {
  Documents& documents = parts->documents;
  documents.clear();
  const bool good = decoder.decode(r.from, opcode, payload.bytes, documents);
  if (!good) listener->dialect_error(DialectError::invalid, r.from, 1, r.now);
  if (documents.dropped() != 0) listener->dialect_error(DialectError::too_large, r.from, documents.dropped(), r.now);
  switch (documents.said()) {
    case Documents::Wrapping::none:
      if (good && documents.documents().empty() && documents.dropped() == 0) listener->partial();
      break;
    case Documents::Wrapping::open:
      listener->matched("SockJS open");
      listener->effect(Effect::ignore);
      break;
    case Documents::Wrapping::heartbeat:
      listener->matched("SockJS heartbeat");
      listener->effect(Effect::beat);
      listener->beat(r.from, "heartbeat", std::nullopt, r.now);
      break;
    case Documents::Wrapping::close:
      listener->matched("SockJS close");
      listener->effect(Effect::event);
      listener->event("close", r.from, r.now);
      break;
  }
  // All documents lie in one buffer: what is behind one is readable, and the last is followed by padding.
  std::string& text = documents.text();
  if (text.capacity() < text.size() + padding) text.reserve(2 * text.size() + padding);
  const std::size_t end = text.size() + padding;
  for (const Documents::Document& each : documents.documents()) {
    r.bytes = each.wire_bytes;
    parts->scratch.clear();
    text_message(r, documents[each], end - each.begin);
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
        parts->scratch.clear();
        document(one, element, more);
        return true;
      };
      if (!parts->splitter.elements(text, readable, each))
        listener->dialect_error(DialectError::invalid, r.from, 1, r.now);
      if (count > most_batch) listener->dialect_error(DialectError::too_large, r.from, 1, r.now);
      return;
    }
  }
  document(r, text, readable);
}

void Session::State::document(Reading r, std::string_view text, std::size_t readable) {
  const Choice choice(*program, r.from);
  if (parts->document.read(program->tree, text, readable, &choice) == Extraction::Outcome::invalid)
    return listener->dialect_error(DialectError::invalid, r.from, 1, r.now);
  r.document = true;
  if (!program->sequences.empty()) check_sequences(r);
  follow(r, choice.plan(value(r, program->type)).rules);
}

void Session::State::beginning(Side from, Opcode opcode, const Payload& payload, Time now) {
  const std::string_view text = base::as_text(payload.bytes);
  if (intake.decodes(opcode) || text.size() <= Extraction::view || (program->batch && text.front() == '[')) return;
  const Reading r{.from = from,
                  .now = now,
                  .bytes = payload.on_wire,
                  .binary = opcode == Opcode::binary,
                  .document = true,
                  .cut = true};
  parts->scratch.clear();
  opened_by_message = 0;
  const Choice choice(*program, from);
  static_cast<void>(parts->document.fast(program->tree, text, &choice));  // what it found before it gave up is there
  follow(r, choice.plan(value(r, program->type)).rules);
}

void Session::State::read_again(std::string_view document) {
  const Choice choice(*program, last_read.from);
  if (parts->document.read(program->tree, document, document.size(), &choice) != Extraction::Outcome::done) return;
  if (!table[opened_slot].live) return;
  Reading r = last_read;
  r.document = true;
  parts->scratch.clear();
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
    const bool restarts = number == 0 || number == 1;  // as after a login
    if (last && !restarts && *last < std::numeric_limits<std::int64_t>::max() && number != *last + 1)
      listener->dialect_error(
          DialectError::gap, r.from,
          number > *last ? static_cast<std::uint64_t>(number) - static_cast<std::uint64_t>(*last) - 1 : 1, r.now);
    last = number;
  }
}

void Session::State::follow(const Reading& r, const std::vector<std::uint16_t>& rules) {
  bool matched = false;
  for (const std::uint16_t index : rules) {
    const Rule& rule = program->rules[index];
    if (!matches(r, rule)) continue;
    matched = true;
    listener->matched(rule.label);
    run(r, rule);
    if (!rule.also) return;
  }
  if (!matched && !r.cut) listener->dialect_error(DialectError::unmatched, r.from, 1, r.now);
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
      return r.document ? parts->document[e.index] : Value{};
    case element:
      return r.element ? parts->element[e.index] : Value{};
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
  char* const room = parts->scratch.take(size);
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
    char* const at = parts->scratch.take(room);
    if (at == nullptr) return {};
    const auto written = std::holds_alternative<double>(kept)
                             ? std::to_chars(at, at + room, std::get<double>(kept))
                             : std::to_chars(at, at + room, std::get<std::int64_t>(kept));
    return {Value::Kind::number, {at, static_cast<std::size_t>(written.ptr - at)}};
  }
  return {};
}

}  // namespace sockeye::dialect
