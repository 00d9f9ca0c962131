// Whether a span fits a SpanQuery: the definition that every backend's own way to find spans comes to. A backend that
// reads part of a span (a serialized body, columns) asks the parts of it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/store/batch.h"
#include "sockeye/store/query.h"

namespace sockeye::store {

// Keys and values that are asked for; an empty value: the key alone. At most 64: sets of them are bits.
using Wanted = std::vector<std::pair<std::string, std::string>>;
// Most attributes of a search, so that there is room for what stands for its other conditions.
inline constexpr std::size_t most_wanted = 62;

// The attributes that a query asks for, route and calls among them.
[[nodiscard]] Wanted wanted_attributes(const SpanQuery&);
[[nodiscard]] std::uint64_t all_of(const Wanted&);

// Which of `wanted` an attribute, several, or a field beside attributes is; as bits.
[[nodiscard]] std::uint64_t matched(const Attribute&, const Wanted&);
[[nodiscard]] std::uint64_t matched(std::span<const Attribute>, const Wanted&);
[[nodiscard]] std::uint64_t field_matched(std::string_view key, std::string_view value, const Wanted&);
// Of a resource and its scope; with `fields` the scope's name and version, too.
[[nodiscard]] std::uint64_t origin_matched(const Batch&, const Origin&, const Wanted&, bool fields);

// The conditions on a measure, and that what is sorted by is known.
[[nodiscard]] bool figures_fit(const SpanQuery&, const Figures&);

[[nodiscard]] bool within(std::uint64_t time, const TimeRange&);

// One query, held against decoded spans.
class SpanMatch {
 public:
  explicit SpanMatch(const SpanQuery& query);  // which must stay
  [[nodiscard]] bool fits(const Batch&, const Span&) const;

 private:
  [[nodiscard]] bool attributes_fit(const Batch&, const Span&) const;

  const SpanQuery& query_;
  const Wanted attributes_, without_;
};

}  // namespace sockeye::store
