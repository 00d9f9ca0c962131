#include "sockeye/store/match.h"

#include "sockeye/model/names.h"
#include "sockeye/store/value_text.h"

namespace sockeye::store {

Wanted wanted_attributes(const SpanQuery& query) {
  Wanted out = query.attributes;
  if (!query.route.empty()) out.emplace_back(attribute_of(Dimension::route), query.route);
  if (query.calls) out.emplace_back(call_attribute, "");
  return out;
}

std::uint64_t all_of(const Wanted& wanted) { return wanted.empty() ? 0 : ~std::uint64_t{0} >> (64 - wanted.size()); }

std::uint64_t matched(const Attribute& attribute, const Wanted& wanted) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (attribute.key != wanted[i].first) continue;
    ValueText scratch;
    std::string_view text;
    if (wanted[i].second.empty() || (value_text(attribute.value, scratch, text) && text == wanted[i].second))
      out |= 1ULL << i;
  }
  return out;
}

std::uint64_t matched(std::span<const Attribute> attributes, const Wanted& wanted) {
  std::uint64_t out = 0;
  for (const auto& each : attributes) out |= matched(each, wanted);
  return out;
}

std::uint64_t field_matched(std::string_view key, std::string_view value, const Wanted& wanted) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!value.empty() && wanted[i].first == key && (wanted[i].second.empty() || wanted[i].second == value))
      out |= 1ULL << i;
  return out;
}

std::uint64_t origin_matched(const Batch& batch, const Origin& origin, const Wanted& wanted, bool fields) {
  std::uint64_t out = matched(batch.of(origin.resource), wanted) | matched(batch.of(origin.scope), wanted);
  if (fields)
    out |= field_matched(model::attribute::otel_scope_name, origin.scope_name, wanted) |
           field_matched(model::attribute::otel_scope_version, origin.scope_version, wanted);
  return out;
}

bool figures_fit(const SpanQuery& query, const Figures& figures) {
  if (query.sort && figures.of(*query.sort) == Figures::unknown) return false;
  if (!query.measure) return true;
  const std::uint64_t value = figures.of(*query.measure);
  return value != Figures::unknown && value >= query.least_measure && value < query.below_measure;
}

bool within(std::uint64_t time, const TimeRange& range) {
  return time >= range.from_unix_ns && (time < range.to_unix_ns || range.to_unix_ns == UINT64_MAX);
}

SpanMatch::SpanMatch(const SpanQuery& query)
    : query_(query),
      attributes_(wanted_attributes(query)),
      without_(query.without.empty() ? Wanted{} : Wanted{{query.without, ""}}) {}

bool SpanMatch::fits(const Batch& batch, const Span& span) const {
  const auto& q = query_;
  const std::uint64_t duration = span.duration_ns();
  if (!within(span.start_unix_ns, q.time) || duration < q.min_duration_ns || duration > q.max_duration_ns) return false;
  if ((q.kind && span.kind != *q.kind) || (q.status && span.status != *q.status) || (q.not_error && span.status == 2))
    return false;
  if (!q.service.empty() && batch.origins[span.origin].service != q.service) return false;
  if (!q.operation.empty() && span.name != q.operation) return false;
  if (!holds_folded(span.name, q.operation_contains) || (q.session && span.session != q.session)) return false;
  if ((q.measure || q.sort) && !figures_fit(q, figures_of(batch.of(span.attributes), duration))) return false;
  return attributes_fit(batch, span);
}

bool SpanMatch::attributes_fit(const Batch& batch, const Span& span) const {
  const auto& origin = batch.origins[span.origin];
  if (!without_.empty() &&
      (matched(batch.of(span.attributes), without_) | origin_matched(batch, origin, without_, false)) != 0)
    return false;
  const std::uint64_t all = all_of(attributes_);
  if (all == 0) return true;
  std::uint64_t has = matched(batch.of(span.attributes), attributes_);
  if (query_.fields) {
    has |= field_matched(model::attribute::w3c_tracestate, span.trace_state, attributes_) |
           field_matched(model::attribute::otel_status_description, span.status_message, attributes_);
    for (const auto& event : batch.events_of(span))
      has |= field_matched(model::attribute::event, event.name, attributes_) |
             matched(batch.of(event.attributes), attributes_);
  }
  return has == all || (has | origin_matched(batch, origin, attributes_, query_.fields)) == all;
}

}  // namespace sockeye::store
