#include "scan.h"

#include <algorithm>

#include "body.h"
#include "sockeye/store/value_text.h"

namespace sockeye::sqlite {
namespace {

constexpr std::size_t most_origins = 4096;

std::string key_of(const ScanFor& what) {
  if (!what.text || *what.text == store::Dimension::attribute) return what.text_key;
  return std::string(store::attribute_of(*what.text));
}

}  // namespace

Scan::Scan(Database& db, Matcher& matcher, std::int64_t top, const ScanFor& what)
    : db_(db),
      matcher_(matcher),
      top_(top),
      for_{what.text, key_of(what), what.number_key, what.in_order},
      candidates_(db, matcher, top, INT64_MAX) {}

bool Scan::wants_span() const {
  return !for_.number_key.empty() || (for_.text && *for_.text == store::Dimension::attribute);
}

Place Scan::best_of(const Candidates::Block& block) const {
  const auto& query = matcher_.query();
  if (query.ascending) return {query.sort ? INT64_MAX : INT64_MAX - block.min_start, block.last};
  return {query.sort ? block.largest[static_cast<std::size_t>(*query.sort)] : block.max_start, block.last};
}

std::optional<std::string> Scan::text_of(Query& row) {
  if (!for_.text) return std::nullopt;
  store::ValueText scratch;
  std::string_view text;
  if (const auto own = span_attribute(row.bytes(8), for_.text_key); own && store::value_text(*own, scratch, text))
    return std::string(text);
  const std::int64_t id = row.integer(6);
  const auto known = origins_.find(id);
  if (known != origins_.end()) return known->second;
  if (origins_.size() >= most_origins) origins_.clear();
  std::optional<std::string> out;
  Query origin(db_, "SELECT body FROM origin WHERE id = ?1", id);
  if (origin.next()) {
    store::Batch batch;
    store::Span none;
    decode_origin(origin.bytes(0), batch, batch.origins.emplace_back());
    out = store::attribute_text(batch, none, for_.text_key, scratch);
  }
  origins_.emplace(id, out);
  return out;
}

void Scan::take_row(Query& row, Sink& to) {
  if (!matcher_.row(row)) return;
  const SpanRow span = matcher_.span_of(row);
  if (for_.in_order && to.enough(matcher_.place(span))) return;
  const auto text = text_of(row);
  const auto number = for_.number_key.empty() ? std::nullopt : span_attribute(row.bytes(8), for_.number_key);
  to.take(span, text ? std::optional<std::string_view>(*text) : std::nullopt,
          store::millionths_of(number ? &*number : nullptr));
}

void Scan::read_rows(std::int64_t first, std::int64_t last, Sink& to) {
  Query rows(db_,
             "SELECT " SOCKEYE_MATCH_COLUMNS
             " FROM span WHERE id BETWEEN ?1 AND ?2 AND (?3 = 0 OR operation = ?3) AND (?4 < 0 OR status = ?4) "
             "AND start BETWEEN ?5 AND ?6",
             first, std::min(last, top_), matcher_.operation(),
             matcher_.query().status ? int{*matcher_.query().status} : -1, matcher_.from(), matcher_.until());
  while (rows.next()) take_row(rows, to);
}

void Scan::read_session(Sink& to) {
  Query rows(db_,
             "SELECT " SOCKEYE_MATCH_COLUMNS
             " FROM span INDEXED BY span_session WHERE session = ?1 AND start BETWEEN ?2 AND ?3 AND id <= ?4",
             blob(*matcher_.query().session), matcher_.from(), matcher_.until(), top_);
  while (rows.next()) take_row(rows, to);
}

bool Scan::confirmed(std::int64_t id) {
  Query row(db_, "SELECT " SOCKEYE_MATCH_COLUMNS " FROM span WHERE id = ?1", id);
  return row.next() && matcher_.row(row);
}

bool Scan::read_columns(const Candidates::Block& block, Sink& to) {
  {
    Query row(db_, "SELECT data FROM columns WHERE block = ?1", block.id);
    if (!row.next()) return false;
    data_.assign(row.bytes(0));
  }
  Columns columns;
  if (!columns.open(data_, block.first) || !columns.read(spans_)) return false;
  const std::string& route = matcher_.query().route;
  std::uint32_t wanted_route = 0;
  if (!route.empty()) {
    if (!columns.read(store::Dimension::route, routes_, route_rows_)) return false;
    const auto at = std::find(routes_.begin(), routes_.end(), route);
    if (at == routes_.end()) return true;
    wanted_route = static_cast<std::uint32_t>(at - routes_.begin()) + 1;
  }
  if (for_.text && !columns.read(*for_.text, texts_, text_rows_)) return false;
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    const SpanRow& span = spans_[i];
    if (span.id > top_) break;
    if (!matcher_.fits(span) || (wanted_route != 0 && route_rows_[i] != wanted_route)) continue;
    if (for_.in_order && to.enough(matcher_.place(span))) continue;
    if (matcher_.needs_span() && !confirmed(span.id)) continue;
    std::optional<std::string_view> text;
    if (for_.text && text_rows_[i] != 0) text = texts_[text_rows_[i] - 1];
    to.take(span, text, store::Figures::unknown);
  }
  return true;
}

void Scan::read_block(const Candidates::Block& block, Sink& to) {
  if (!wants_span() && read_columns(block, to)) return;
  if (!db_.late()) read_rows(block.first, block.last, to);
}

Scan::End Scan::run(Sink& to) {
  if (!matcher_.possible()) return {};
  if (matcher_.query().session) {
    read_session(to);
    return {!db_.late(), {INT64_MAX, INT64_MAX}};
  }
  candidates_.read();
  if (db_.late()) return {false, {INT64_MAX, INT64_MAX}};
  read_rows(candidates_.last_id() + 1, INT64_MAX, to);
  candidates_.ask_filters();
  std::vector<const Candidates::Block*> list;
  for (auto& block : candidates_.blocks()) {
    if (candidates_.may_hold_match(block, 1)) list.push_back(&block);
    if (db_.late()) return {false, {INT64_MAX, INT64_MAX}};
  }
  if (for_.in_order)
    std::stable_sort(list.begin(), list.end(),
                     [&](const auto* a, const auto* b) { return best_of(*a).later_than(best_of(*b)); });
  for (const auto* block : list) {
    const Place best = best_of(*block);
    if (for_.in_order && to.enough(best)) break;
    if (db_.late()) return {false, best};
    read_block(*block, to);
    if (db_.late()) return {false, best};
  }
  return {};
}

}  // namespace sockeye::sqlite
