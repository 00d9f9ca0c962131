// What rules do, once they match: verbs act on the table of open invocations and tell the listener->
#include <algorithm>
#include <charconv>

#include "session_state.h"
#include "sockeye/base/utf8.h"
#include "sockeye/model/names.h"

namespace sockeye::dialect {
namespace {

constexpr std::size_t most_session_attributes = 32;

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
    if (parts->element.read(program->elements, element, 0, nullptr) == Extraction::Outcome::done) run_verbs(one, rule);
    return true;
  };
  if (!parts->document.elements(array.text, 0, each)) listener->dialect_error(DialectError::invalid, r.from, 1, r.now);
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
  if (!s.lane.empty() && s.lane != (open.lane.empty() ? std::string_view(open.invocation.operation) : open.lane))
    return false;
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
  if (verb.to.empty()) return verb.effect == Effect::open ? create(r, rule, verb) : act_on(r, rule, verb, Table::none);
  for (const Selector& selector : verb.to) {
    const std::uint32_t found = select(r, selector);
    if (found == Table::none) continue;
    if (verb.effect == Effect::end && selector.by_key() && is_owed(r, verb, found)) return listener->late();
    if (!selector.all || verb.effect == Effect::accept) return act_on(r, rule, verb, found);
    std::vector<std::uint32_t> every;  // first: acting on one may end it
    table.for_each([&](std::uint32_t i) {
      if (fits(r, selector, table[i])) every.push_back(i);
    });
    std::sort(every.begin(), every.end(), [&](std::uint32_t a, std::uint32_t b) {
      return table[a].invocation.number < table[b].invocation.number;
    });
    for (const std::uint32_t slot : every) act_on(r, rule, verb, slot);
    return;
  }
  if (verb.effect == Effect::accept) return create(r, rule, verb);
  if (is_late(r, verb)) return listener->late();
  if (!verb.optional) listener->dialect_error(DialectError::orphan, r.from, 1, r.now);
}

void Session::State::create(const Reading& r, const Rule& rule, const Verb& verb) {
  if (lacks_key(r, verb)) return listener->dialect_error(DialectError::invalid, r.from, 1, r.now);
  act_on(r, rule, verb, Table::none);
}

bool Session::State::lacks_key(const Reading& r, const Verb& verb) const {
  return verb.ended_by != 0 && std::none_of(verb.keys.begin(), verb.keys.end(), [&](const KeyRule& key) {
           return ((verb.ended_by >> key.name) & 1U) != 0 && value(r, key.value).scalar();
         });
}

bool Session::State::is_owed(const Reading& r, const Verb& verb, std::uint32_t slot) {
  Open& open = table[slot];
  if (r.now > open.owed || open.invocation.opened_by == r.from || open.invocation.chunks.count != 0) return false;
  const Value status = value(r, verb.status, &open.invocation);
  if (status.scalar() && status.text != "ok" && status.text != "cancelled") return false;  // it refuses the new one
  open.owed = Time::min();
  return true;
}

bool Session::State::is_late(const Reading& r, const Verb& verb) const {
  return std::any_of(verb.to.begin(), verb.to.end(), [&](const Selector& s) {
    if (!s.by_key() || s.side == Opener::same) return false;
    const Value key = value(r, s.key);
    return key.scalar() && table.late(table.hash(model::other(r.from), s.name, key), r.now);
  });
}

void Session::State::act_on(const Reading& r, const Rule& rule, const Verb& verb, std::uint32_t slot) {
  listener->effect(verb.effect);
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
      table.weigh(slot);
      break;
    case Effect::chunk:
      add_chunk(r, slot, verb);
      break;
    case Effect::attrs:
      attach(r, table[slot].invocation, verb.attributes);
      table.weigh(slot);
      break;
    case Effect::note:
      add_note(table[slot].invocation, verb.name, r.now);
      attach(r, table[slot].invocation, verb.attributes);
      table.weigh(slot);
      break;
    case Effect::cancel:
      request_cancel(r, slot, verb);
      break;
    case Effect::end:
      end_by_message(r, slot, verb);
      break;
    case Effect::event:
      set_anchor(verb.anchor, r.now);
      listener->event(verb.name, r.from, r.now);
      break;
    case Effect::session:
      remember(r, verb);
      break;
    case Effect::media:
      listener->media(r.from, verb.name, r.bytes, r.now);
      break;
    case Effect::beat:
      beat(r, verb);
      break;
    case Effect::error: {
      const Value type = value(r, verb.status);
      listener->error(r.from, type.scalar() ? kept_text(type.text) : std::string_view(), r.now);
      break;
    }
    case Effect::ignore:
      break;
  }
}

void Session::State::begin(const Reading& r, const Rule& rule, const Verb& verb) {
  if (table.full()) {
    const std::uint32_t oldest = table.oldest();
    listener->dialect_error(DialectError::evicted, r.from, 1, r.now);
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
  table[slot].may_stay_unanswered = verb.may_stay_unanswered;
  if (table[slot].timeout > base::Duration::zero()) expect(slot, r.now + table[slot].timeout);
  table.weigh(slot);
  listener->opened(table[slot].invocation);
}

// A message answers to what asked for it: from here on it goes by the peer's name for it, too.
void Session::State::adopt(const Reading& r, std::uint32_t slot, const Verb& verb) {
  bind_keys(r, slot, verb, false);
  attach(r, table[slot].invocation, verb.attributes);
  table.weigh(slot);
  touch(slot, r.now);
}

void Session::State::bind_keys(const Reading& r, std::uint32_t slot, const Verb& verb, bool fresh) {
  for (const KeyRule& key : verb.keys) {
    const Value v = value(r, key.value, &table[slot].invocation);
    if (!v.scalar()) continue;
    const std::uint64_t hash = table.hash(table[slot].invocation.opened_by, key.name, v);
    if (const std::uint32_t before = table.find(hash); before != Table::none && before != slot) {
      // The newer one is what the peers mean by the key from now on. After a cancel it may be used again: an end that
      // is on its way is still the older one's.
      if (fresh && table[before].invocation.cancel_requested) {
        table[slot].owed = table[before].cancelled + limits.cancel_grace;
        give_up(before);
      } else {
        listener->dialect_error(DialectError::duplicate, r.from, 1, r.now);
        if (fresh) end(before, model::InvocationEnd::evicted, r.now);
      }
    }
    table.bind(slot, key.name, hash);
  }
}

void Session::State::add_chunk(const Reading& r, std::uint32_t slot, const Verb& verb) {
  Invocation& invocation = table[slot].invocation;
  const std::optional<base::Duration> since = invocation.add_chunk(r.now, r.bytes);
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
  if (!verb.attributes.empty()) table.weigh(slot);
  touch(slot, r.now);
  listener->chunk(invocation, since);
}

void Session::State::add_note(Invocation& invocation, std::string_view what, Time now) {
  if (invocation.events.size() < Invocation::max_events) invocation.events.push_back({.name = what, .at = now});
}

void Session::State::request_cancel(const Reading& r, std::uint32_t slot, const Verb& verb) {
  Invocation& invocation = table[slot].invocation;
  attach(r, invocation, verb.attributes);
  if (!invocation.cancel_requested) {
    add_note(invocation, "cancel_requested", r.now);
    table[slot].cancelled = r.now;
  }
  invocation.cancel_requested = true;
  if (verb.at_once)
    end(slot, model::InvocationEnd::cancel, r.now, r.from == invocation.opened_by);
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
  // What was ended under it, and need not have been answered.
  const bool unanswered = invocation.status == incomplete && table[slot].may_stay_unanswered;
  end(slot, unanswered ? model::InvocationEnd::unanswered : model::InvocationEnd::reply, r.now,
      r.from == invocation.opened_by);
}

void Session::State::end(std::uint32_t slot, model::InvocationEnd how, Time now, bool by_opener) {
  using enum model::InvocationEnd;
  Open& open = table[slot];
  if (by_opener) table.remember_late(slot, now + limits.cancel_grace);
  if (open.may_stay_unanswered && (how == timeout || how == connection_lost || how == evicted)) how = unanswered;
  Invocation ended = std::move(open.invocation);
  table.remove(slot);
  ended.ended = now;
  ended.end = how;
  if (how == unanswered) {
    ended.ended = ended.chunks.count == 0 ? ended.opened : ended.chunks.last;
    ended.status = model::InvocationStatus::ok;
    ended.error_type.clear();
  } else if (how == cancel) {
    ended.status = model::InvocationStatus::cancelled;
  } else if (how != reply) {
    ended.status = model::InvocationStatus::incomplete;
  }
  listener->ended(std::move(ended));
}

void Session::State::give_up(std::uint32_t slot) {
  const Invocation& invocation = table[slot].invocation;
  Time at = table[slot].cancelled;
  // It was waited for, and for as long again it may still come.
  table.remember_late(slot, at + 2 * limits.cancel_grace);
  if (invocation.chunks.count != 0) at = std::max(at, invocation.chunks.last);
  end(slot, model::InvocationEnd::cancel, at);
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
    const Value& parent = parts->document[place.traceparent];
    if (parent.kind != Value::Kind::string) continue;
    const auto text = [&](std::uint16_t slot, std::size_t most) {
      const Value& v = parts->document[slot];
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
    if (rule.key == model::attribute::error_type)
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
    listener->session_attribute(rule.key, kept);
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
  listener->beat(r.from, verb.name, rtt, r.now);
}

}  // namespace sockeye::dialect
