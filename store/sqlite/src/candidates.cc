#include "candidates.h"

#include <algorithm>

namespace sockeye::sqlite {

void Candidates::read() {
  Query rows(
      db_,
      "SELECT id, first, last, min_start, max_start, max_duration, ifnull(max_first_chunk, 9223372036854775807), "
      "ifnull(max_last_chunk, 9223372036854775807), ifnull(max_longest_pause, 9223372036854775807), "
      "ifnull(max_perceived, 9223372036854775807), fields FROM block ORDER BY id");
  while (rows.next()) {
    auto& block = blocks_.emplace_back();
    block.id = rows.integer(0);
    block.first = rows.integer(1);
    block.last = rows.integer(2);
    block.min_start = rows.integer(3);
    block.max_start = rows.integer(4);
    for (int i = 0; i < 5; ++i) block.largest[static_cast<std::size_t>(i)] = rows.integer(5 + i);
    block.largest[static_cast<std::size_t>(store::Measure::chunks)] = INT64_MAX;
    block.fields = rows.integer(10) != 0;
  }
  if (db_.late()) blocks_.clear();  // half a list is none
}

bool Candidates::group_may(const std::vector<Term>& group, std::string_view bits, const Block& block) {
  return std::any_of(group.begin(), group.end(), [&](Term term) { return may_hold(bits, term, block.id); });
}

bool Candidates::may_hold_match(Block& block, std::size_t first_group) {
  if (block.verdict != Block::Verdict::unknown) return block.verdict == Block::Verdict::may;
  const std::int64_t longest = block.largest[static_cast<std::size_t>(store::Measure::duration)];
  bool may = block.min_start <= std::min(matcher_.until(), until_) && block.max_start >= matcher_.from() &&
             block.first <= top_ &&
             (longest == INT64_MAX || static_cast<std::uint64_t>(longest) >= matcher_.min_duration());
  const auto& groups = matcher_.groups();
  for (std::size_t i = first_group; may && i < groups.size(); ++i) {
    if (!tells(block, i)) continue;
    Query filter(db_, "SELECT bits FROM filter WHERE slice = ?1 AND block = ?2", slice_of(groups[i].front()), block.id);
    if (filter.next()) may = group_may(groups[i], filter.bytes(0), block);
  }
  block.verdict = may ? Block::Verdict::may : Block::Verdict::not_there;
  return may;
}

bool Candidates::worth_reading(std::int64_t id) {
  if (blocks_.empty() || id > blocks_.back().last) return true;
  const auto at = std::partition_point(blocks_.begin(), blocks_.end(), [&](const Block& b) { return b.last < id; });
  return at->first > id || may_hold_match(*at);
}

void Candidates::ask_filters() {
  if (matcher_.groups().empty()) return;
  const auto& group = matcher_.groups().front();
  Query filters(db_, "SELECT block, bits FROM filter WHERE slice = ?1 ORDER BY block", slice_of(group.front()));
  auto block = blocks_.begin();
  while (filters.next()) {
    while (block != blocks_.end() && block->id < filters.integer(0)) ++block;
    if (block == blocks_.end()) break;
    if (block->id == filters.integer(0) && block->verdict == Block::Verdict::unknown && tells(*block, 0) &&
        !group_may(group, filters.bytes(1), *block))
      block->verdict = Block::Verdict::not_there;
  }
}

}  // namespace sockeye::sqlite
