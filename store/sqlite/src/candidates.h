// The blocks of spans that may hold a match, by what is known of them: their times, their largest figures, their
// filters.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "database.h"
#include "matcher.h"

namespace sockeye::sqlite {

class Candidates {
 public:
  struct Block {
    std::int64_t id, first, last, min_start, max_start;
    std::array<std::int64_t, store::measures> largest;  // INT64_MAX where it is not known
    bool fields;                                        // are in its filter
    enum class Verdict : std::uint8_t { unknown, may, not_there } verdict = Verdict::unknown;
  };

  // Spans up to id `top` that began at `until` or before.
  Candidates(Database& db, Matcher& matcher, std::int64_t top, std::int64_t until)
      : db_(db), matcher_(matcher), top_(top), until_(until) {}

  void read();  // the list; none when there was no time
  [[nodiscard]] std::vector<Block>& blocks() { return blocks_; }
  [[nodiscard]] bool empty() const { return blocks_.empty(); }
  [[nodiscard]] std::int64_t last_id() const { return blocks_.empty() ? 0 : blocks_.back().last; }
  // Asks the first group's filters of all blocks in one pass: faster than one by one where most are asked.
  void ask_filters();
  [[nodiscard]] bool may_hold_match(Block& block, std::size_t first_group = 0);
  [[nodiscard]] bool worth_reading(std::int64_t id);

 private:
  // Whether the block's filter tells of the group at all.
  [[nodiscard]] bool tells(const Block& block, std::size_t group) const {
    return block.fields || group >= matcher_.groups_of_fields();
  }
  [[nodiscard]] static bool group_may(const std::vector<Term>& group, std::string_view bits, const Block& block);

  Database& db_;
  Matcher& matcher_;
  const std::int64_t top_, until_;
  std::vector<Block> blocks_;
};

}  // namespace sockeye::sqlite
