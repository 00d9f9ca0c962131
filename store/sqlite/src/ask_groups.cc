// Spans counted by what they have in common.
#include <algorithm>
#include <unordered_map>

#include "ask.h"
#include "filter.h"
#include "scan.h"
#include "search.h"

namespace sockeye::sqlite::ask {
namespace {

using store::Dimension;
using store::Group;
using store::GroupsQuery;

constexpr std::size_t most_groups = 50'000;

class Groups final : public Sink {
 public:
  Groups(Database& db, const GroupsQuery& query) : db_(db), query_(query) {}

  [[nodiscard]] bool enough(const Place&) const override { return false; }
  void take(const SpanRow& span, std::optional<std::string_view> text, std::uint64_t number) override {
    Group* const group = group_of(span, text);
    if (group == nullptr) return;
    ++group->count;
    group->errors += span.status == 2 ? 1 : 0;
    const std::uint64_t value = query_.figure_key.empty() ? span.figures.of(query_.figure) : number;
    if (value != store::Figures::unknown) group->figure.add(value);
  }
  [[nodiscard]] bool too_many() const { return too_many_; }
  [[nodiscard]] std::vector<Group> all() {
    std::vector<Group> out;
    // Operations of several services by one name each, services by all their operations: by text at last.
    std::unordered_map<std::string, std::size_t> places;
    for (auto& [id, group] : by_number_) {
      group.value = name_of(id);
      const auto [place, fresh] = places.try_emplace(*group.value, out.size());
      if (fresh) {
        out.push_back(std::move(group));
        continue;
      }
      Group& to = out[place->second];
      to.count += group.count;
      to.errors += group.errors;
      to.figure.merge(group.figure);
    }
    for (auto& [text, group] : by_text_) {
      group.value = text;
      out.push_back(std::move(group));
    }
    if (none_.count > 0) out.push_back(std::move(none_));
    return out;
  }

 private:
  Group* group_of(const SpanRow& span, std::optional<std::string_view> text) {
    switch (query_.by) {
      case Dimension::service:
      case Dimension::operation:
        return at(by_number_, span.operation);
      case Dimension::status:
        return at(by_number_, span.status);
      case Dimension::kind:
        return at(by_number_, span.kind);
      default:
        if (!text) return &none_;
        return at(by_text_, std::string(*text));
    }
  }
  template <class Map, class Key>
  Group* at(Map& groups, const Key& key) {
    const auto known = groups.find(key);
    if (known != groups.end()) return &known->second;
    too_many_ = too_many_ || groups.size() >= most_groups;
    return too_many_ ? nullptr : &groups[key];
  }
  std::string name_of(std::int64_t id) {
    if (query_.by != Dimension::service && query_.by != Dimension::operation) return std::to_string(id);
    Query row(db_, "SELECT service, name FROM operation WHERE id = ?1", id);
    if (!row.next()) return "";
    return std::string(row.text(query_.by == Dimension::service ? 0 : 1));
  }

  Database& db_;
  const GroupsQuery& query_;
  std::unordered_map<std::int64_t, Group> by_number_;
  std::unordered_map<std::string, Group> by_text_;
  Group none_;
  bool too_many_ = false;
};

// Where a group lies in the order; of equal ones by what their value comes to, whatever it is.
Place place_of(const Group& group, const GroupsQuery& query) {
  std::int64_t key = -1;  // it has none: behind all others
  if (query.sort != GroupsQuery::Sort::percentile || group.figure.count() > 0) {
    const std::uint64_t value = query.sort == GroupsQuery::Sort::count ? group.count
                                : query.sort == GroupsQuery::Sort::errors
                                    ? group.errors
                                    : group.figure.percentile(query.sort_quantile);
    key = query.ascending ? INT64_MAX - column_time(value) : column_time(value);
  }
  const auto text = group.value ? hash(*group.value, 0) : 0;
  return {key == INT64_MAX ? key : key + 1, static_cast<std::int64_t>(text >> 1U)};
}

std::string order_of(const GroupsQuery& query) {
  std::string out(query.ascending ? "a" : "d");
  for (const int which : {static_cast<int>(query.by), static_cast<int>(query.figure), static_cast<int>(query.sort)})
    out += std::to_string(which) + " ";
  return out + std::to_string(query.sort_quantile) + query.by_key + '\0' + query.figure_key;
}

}  // namespace

base::Result<store::GroupPage> groups(Database& db, const GroupsQuery& query) {
  store::SpanQuery spans = query.spans;
  spans.sort.reset();
  spans.ascending = false;
  Cursor from;
  if (!query.cursor.empty()) {
    const auto cursor = parse_cursor(query.cursor, 'g', order_of(query));
    if (!cursor) return base::fail(std::string(store::bad_cursor));
    from = *cursor;
  } else {
    Query top(db, "SELECT ifnull(max(id), 0) FROM span");
    if (top.next()) from.top = top.integer(0);
  }
  if (spans.attributes.size() > store::most_wanted) return base::fail("a search has at most 62 attributes");
  Matcher matcher(db, spans);
  ScanFor what;
  if (static_cast<std::size_t>(query.by) < store::attribute_dimensions || query.by == Dimension::attribute)
    what.text = query.by;
  what.text_key = query.by_key;
  what.number_key = query.figure_key;
  Groups sink(db, query);
  const auto end = Scan(db, matcher, from.top, what).run(sink);
  store::GroupPage out;
  auto all = sink.all();
  out.complete = end.complete && !sink.too_many();
  out.total = all.size();
  std::vector<std::pair<Place, std::size_t>> order;
  for (std::size_t i = 0; i < all.size(); ++i) {
    out.counted += all[i].count;
    const Place place = place_of(all[i], query);
    if (from.after.later_than(place)) order.emplace_back(place, i);
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first.later_than(b.first); });
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, most_answers);
  for (std::size_t i = 0; i < std::min(limit, order.size()); ++i) out.groups.push_back(std::move(all[order[i].second]));
  if (order.size() > limit) out.cursor = to_text({order[limit - 1].first, from.top}, 'g', order_of(query));
  return out;
}

}  // namespace sockeye::sqlite::ask
