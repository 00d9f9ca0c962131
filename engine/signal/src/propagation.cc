#include "sockeye/signal/propagation.h"

#include <algorithm>
#include <array>

#include "sockeye/base/text.h"

namespace sockeye::signal {
namespace {

using model::iequals;

constexpr std::size_t max_members = 32;
constexpr std::size_t max_trace_state = 512;
constexpr std::size_t long_member = 128;
constexpr std::size_t max_read = 16 * 1024;  // more than any head may hold
constexpr std::uint8_t known_flags = 0x03;   // level 2: sampled, random

bool lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
unsigned hex_value(char c) { return c <= '9' ? static_cast<unsigned>(c - '0') : static_cast<unsigned>(c - 'a' + 10); }

// --- W3C tracestate (§3.3.1.3)

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool key_char(char c) { return lower(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' || c == '/'; }

bool valid_key(std::string_view key) {
  const auto at = key.find('@');
  const auto tail = [](std::string_view rest) { return std::all_of(rest.begin(), rest.end(), key_char); };
  if (at == std::string_view::npos)
    return !key.empty() && key.size() <= 256 && lower(key.front()) && tail(key.substr(1));
  const auto tenant = key.substr(0, at);
  const auto system = key.substr(at + 1);
  return !tenant.empty() && tenant.size() <= 241 &&
         (lower(tenant.front()) || (tenant.front() >= '0' && tenant.front() <= '9')) && tail(tenant.substr(1)) &&
         !system.empty() && system.size() <= 14 && lower(system.front()) && tail(system.substr(1));
}

bool valid_value(std::string_view value) {  // its trailing blanks are already gone
  return !value.empty() && value.size() <= 256 &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; });
}

// --- B3

// 16 or 32 digits; 64-bit ids are zero-extended on the left, as Zipkin does.
std::optional<base::TraceId> b3_trace_id(std::string_view text) {
  std::optional<base::TraceId> id;
  if (text.size() == 16)
    id = base::parse_trace_id(std::string(16, '0').append(text));
  else
    id = base::parse_trace_id(text);
  if (id && id->is_zero()) id.reset();
  return id;
}

std::optional<base::SpanId> b3_span_id(std::string_view text) {
  auto id = base::parse_span_id(text);
  if (id && id->is_zero()) id.reset();
  return id;
}

// "1", "0", "d" (debug: sampled); `words` adds the "true" and "false" that older senders of X-B3-Sampled use.
std::optional<bool> b3_sampled(std::string_view text, bool words) {
  if (text == "1" || text == "d" || (words && iequals(text, "true"))) return true;
  if (text == "0" || (words && iequals(text, "false"))) return false;
  return std::nullopt;
}

Extracted b3_result(const base::TraceId& trace, const base::SpanId& span, std::optional<bool> sampled) {
  Extracted out;
  out.parent = model::TraceContext{trace, span, static_cast<std::uint8_t>(sampled.value_or(false) ? 1 : 0), {}, true};
  out.sampled = sampled;
  return out;
}
constexpr Extracted invalid() {
  Extracted out;
  out.invalid = true;
  return out;
}

// {TraceId}-{SpanId}[-{SamplingState}[-{ParentSpanId}]], or a sampling state alone.
Extracted parse_b3(std::string_view text) {
  if (const auto decision = b3_sampled(text, false)) {
    Extracted out;
    out.sampled = decision;
    return out;
  }
  std::array<std::string_view, 4> parts;
  std::size_t n = 0;
  for (std::string_view rest = text;;) {
    if (n == parts.size()) return invalid();
    const auto dash = rest.find('-');
    parts[n++] = rest.substr(0, dash);
    if (dash == std::string_view::npos) break;
    rest.remove_prefix(dash + 1);
  }
  if (n < 2) return invalid();
  const auto trace = b3_trace_id(parts[0]);
  const auto span = b3_span_id(parts[1]);
  std::optional<bool> sampled;
  if (n > 2) sampled = b3_sampled(parts[2], false);
  if (!trace || !span || (n > 2 && !sampled) || (n > 3 && !b3_span_id(parts[3]))) return invalid();
  return b3_result(*trace, *span, sampled);
}

Extracted parse_b3_multiple(const model::HttpHead& request) {
  const auto* trace_field = request.find("X-B3-TraceId");
  const auto* span_field = request.find("X-B3-SpanId");
  const auto* sampled_field = request.find("X-B3-Sampled");
  std::optional<bool> sampled;
  bool bad = false;
  if (sampled_field != nullptr) {
    sampled = b3_sampled(sampled_field->value, true);
    bad = !sampled;
  }
  if (request.value("X-B3-Flags") == "1") sampled = true;  // debug implies accept
  if (trace_field == nullptr && span_field == nullptr) {
    Extracted out;
    out.sampled = sampled;
    out.invalid = bad;
    return out;
  }
  const auto trace = b3_trace_id(trace_field != nullptr ? trace_field->value : "");
  const auto span = b3_span_id(span_field != nullptr ? span_field->value : "");
  if (!trace || !span || bad) return invalid();
  return b3_result(*trace, *span, sampled);
}

Extracted extract_tracecontext(const model::HttpHead& request) {
  const model::HttpField* parent = nullptr;
  std::size_t parents = 0;
  std::string state;
  bool has_state = false;
  for (const auto& field : request.fields) {
    if (iequals(field.name, "traceparent")) {
      parent = &field;
      ++parents;
    } else if (iequals(field.name, "tracestate") && state.size() + field.value.size() < max_read) {
      if (has_state) state += ',';
      state += field.value;
      has_state = true;
    }
  }
  if (parent == nullptr) return {};  // §4.3: a tracestate without traceparent means nothing
  return extract_w3c(parents == 1 ? parent->value : std::string_view(), state);
}

Extracted extract_b3(const model::HttpHead& request) {
  Extracted out;
  if (const auto* single = request.find("b3")) out = parse_b3(single->value);
  if (out.parent || out.sampled) return out;
  const bool single_bad = out.invalid;
  out = parse_b3_multiple(request);
  out.invalid = out.invalid || single_bad;
  return out;
}

std::string hex_byte(std::uint8_t byte) {
  static constexpr char digits[] = "0123456789abcdef";
  return {digits[byte >> 4U], digits[byte & 15U]};
}

}  // namespace

std::optional<model::TraceContext> parse_traceparent(std::string_view text) {
  constexpr std::size_t size = 55;
  if (text.size() < size || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  for (const std::size_t at : {0U, 1U, 53U, 54U})
    if (!lower_hex(text[at])) return std::nullopt;
  const auto version = text.substr(0, 2);
  if (version == "ff") return std::nullopt;
  if (text.size() > size && (version == "00" || text[size] != '-')) return std::nullopt;
  const auto trace = base::parse_trace_id(text.substr(3, 32));
  const auto span = base::parse_span_id(text.substr(36, 16));
  if (!trace || !span || trace->is_zero() || span->is_zero()) return std::nullopt;
  const auto flags = static_cast<std::uint8_t>((hex_value(text[53]) << 4U | hex_value(text[54])) & known_flags);
  return model::TraceContext{*trace, *span, flags, {}, true};
}

std::optional<std::string> parse_tracestate(std::string_view text) {
  std::vector<std::string_view> members;
  std::size_t total = 0;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto member = base::trim(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    if (member.empty()) continue;  // §3.3.1.1: empty members are allowed
    const auto equals = member.find('=');
    if (equals == std::string_view::npos || !valid_key(member.substr(0, equals)) ||
        !valid_value(member.substr(equals + 1)) || members.size() == max_members)
      return std::nullopt;
    const auto key = member.substr(0, equals + 1);
    if (std::any_of(members.begin(), members.end(), [key](std::string_view m) { return m.starts_with(key); }))
      return std::nullopt;
    members.push_back(member);
    total += member.size() + 1;
  }
  const auto drop = [&](auto at) {
    total -= at->size() + 1;
    members.erase(at);
  };
  while (total > max_trace_state + 1) {
    const auto longest =
        std::find_if(members.rbegin(), members.rend(), [](std::string_view m) { return m.size() > long_member; });
    drop(longest != members.rend() ? std::prev(longest.base()) : std::prev(members.end()));
  }
  std::string out;
  for (const auto member : members) {
    if (!out.empty()) out += ',';
    out += member;
  }
  return out;
}

Extracted extract(const model::HttpHead& request, const Formats& formats) {
  Extracted out;
  if (formats.tracecontext) out = extract_tracecontext(request);
  if (out.parent) return out;
  const bool before = out.invalid;
  if (formats.b3) out = extract_b3(request);
  if (!out.parent && !out.sampled && formats.tracecontext && formats.browser) {
    const bool b3_bad = out.invalid;
    out = extract_browser(request);
    out.invalid = out.invalid || b3_bad;
  }
  out.invalid = out.invalid || before;
  return out;
}

Extracted extract_w3c(std::string_view traceparent, std::string_view tracestate) {
  Extracted out;
  out.parent = parse_traceparent(traceparent);
  out.invalid = !out.parent;
  if (!out.parent) return out;
  out.sampled = out.parent->sampled();
  if (auto good = parse_tracestate(tracestate))
    out.parent->trace_state = std::move(*good);
  else
    out.invalid = true;  // §4.3 (6): the tracestate goes, the traceparent stays
  return out;
}

std::string to_traceparent(const base::TraceId& trace, const base::SpanId& span, std::uint8_t flags) {
  return "00-" + base::to_hex(trace) + "-" + base::to_hex(span) + "-" + hex_byte(flags);
}

Fields inject(const model::HttpHead& request, const Formats& formats, const base::TraceId& trace,
              const base::SpanId& span, const base::SpanId& parent, std::uint8_t flags, std::string_view trace_state) {
  Fields out;
  const std::string trace_hex = base::to_hex(trace);
  const std::string span_hex = base::to_hex(span);
  if (formats.tracecontext) {
    out.emplace_back("traceparent", to_traceparent(trace, span, flags));
    if (!trace_state.empty() || request.find("tracestate") != nullptr) out.emplace_back("tracestate", trace_state);
  }
  if (formats.b3_inject) {
    const std::string sampled = (flags & 1U) != 0 ? "1" : "0";
    out.emplace_back("b3", trace_hex + "-" + span_hex + "-" + sampled);
    // An upstream that reads the multiple form must not see the sender's ids beside ours.
    if (request.find("X-B3-TraceId") != nullptr || request.find("X-B3-SpanId") != nullptr) {
      out.emplace_back("X-B3-TraceId", trace_hex);
      out.emplace_back("X-B3-SpanId", span_hex);
      out.emplace_back("X-B3-ParentSpanId", parent.is_zero() ? "" : base::to_hex(parent));
      out.emplace_back("X-B3-Sampled", sampled);
    }
  }
  return out;
}

}  // namespace sockeye::signal
