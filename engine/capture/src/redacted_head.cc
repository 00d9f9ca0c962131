#include "redacted_head.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "sockeye/base/text.h"
#include "sockeye/signal/redact.h"

namespace sockeye::capture {
namespace {

using model::iequals;

constexpr std::array<std::string_view, 18> kept{
    "accept", "accept-encoding", "accept-language", "b3",          "cache-control", "connection", "date",       "host",
    "origin", "pragma",          "server",          "traceparent", "upgrade",       "user-agent", "tracestate", "via",
    "vary",   "openai-beta"};
constexpr std::array<std::string_view, 2> kept_families{"sec-websocket-", "x-b3-"};

bool starts_with(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() && iequals(name.substr(0, prefix.size()), prefix);
}

bool is_kept(std::string_view name) {
  return std::any_of(kept.begin(), kept.end(), [&](auto each) { return iequals(each, name); }) ||
         std::any_of(kept_families.begin(), kept_families.end(), [&](auto each) { return starts_with(name, each); });
}

// Browsers cannot set headers, so their credentials are among the subprotocols they offer.
std::string redacted_offer(std::string_view offer) {
  std::string out;
  while (!offer.empty()) {
    const auto comma = std::min(offer.find(','), offer.size());
    const auto item = base::trim(offer.substr(0, comma));
    offer.remove_prefix(std::min(comma + 1, offer.size()));
    const bool context = item.starts_with("traceparent.");
    if (!out.empty()) out += ", ";
    out += !context && signal::looks_like_credential(item) ? signal::redacted : item;
  }
  return out;
}

std::string redacted_value(const model::HttpField& field, bool response, const observer::Options& options) {
  if (field.value.empty()) return {};
  if (!is_kept(field.name)) return std::string(signal::redacted);
  if (iequals(field.name, "Sec-WebSocket-Protocol"))
    return response ? signal::redact_subprotocol(field.value, options.redact) : redacted_offer(field.value);
  return signal::redact_header(field.name, field.value, options.redact);
}

}  // namespace

Head redacted_head(const model::HttpHead& head, const observer::Options& options) {
  Head out;
  out.method = head.method;
  out.target = signal::redact_target(head.target, options.redact);
  out.status = head.status;
  out.reason = signal::redact_text(head.reason);
  const bool response = head.status != 0;
  for (const auto& field : head.fields)
    out.fields.emplace_back(std::string(field.name), redacted_value(field, response, options));
  return out;
}

}  // namespace sockeye::capture
