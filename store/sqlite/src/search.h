// Finds matching spans, latest start first, without an index for each thing that can be asked.
//
// First it walks the index of starts from the latest down, and looks into those rows whose block may hold a match: what
// is common is found at once. When that does not find enough soon, the filters of all blocks are asked, and the blocks
// that may hold a match are read, those with the latest start first, until none that is left can have a later one than
// the worst that was found: what is rare is in few blocks.
//
// Spans are only ever added, with ascending ids, so "those up to the id that was the highest when the first page was
// asked for" is a fixed set: pages neither skip nor repeat. When the time is over, what the walk found is a page of
// its own, and the next goes on from there; the blocks' finds are then found again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "database.h"
#include "matcher.h"

namespace sockeye::sqlite {

// Opaque to who asks. `after`: the last place that was answered; `top`: the highest id that counts.
struct Cursor {
  Place after;
  std::int64_t top = 0;
};
[[nodiscard]] std::string to_text(const Cursor&);
[[nodiscard]] std::optional<Cursor> parse_cursor(std::string_view);

// Takes what is found, in any order, each once.
class Collector {
 public:
  virtual ~Collector() = default;
  virtual void take(const Place& place, const base::TraceId& trace) = 0;
  // Nothing at `next` or earlier would be kept.
  [[nodiscard]] virtual bool enough(const Place& next) const = 0;
};

struct Found {
  bool complete = true;
  Place down_to;  // where not complete: nothing later than this is missing
};

class Search {
 public:
  Search(Database& db, Matcher& matcher, const Cursor& from) : db_(db), matcher_(matcher), from_(from) {}
  [[nodiscard]] Found run(Collector& to);

 private:
  struct Block {
    std::int64_t id, first, last, min_start, max_start;
    std::uint64_t max_duration;
    bool fields;  // are in its filter
    enum class Verdict : std::uint8_t { unknown, may, not_there } verdict = Verdict::unknown;
  };
  enum class End : std::uint8_t { all, enough, late, tired };

  void read_blocks();
  // Whether the block's filter tells of the group at all.
  [[nodiscard]] bool tells(const Block& block, std::size_t group) const {
    return block.fields || group >= matcher_.groups_of_fields();
  }
  [[nodiscard]] bool group_may(const std::vector<Term>& group, std::string_view bits, const Block& block) const;
  [[nodiscard]] bool may_hold_match(Block& block, std::size_t first_group = 0);
  [[nodiscard]] bool worth_reading(std::int64_t id);
  End walk(Query& index, Collector& to);
  End walk_starts(Collector& to);
  End walk_session(Collector& to);
  End read_candidates(Collector& to);
  End read_rows(std::int64_t first, std::int64_t last, Collector& to);

  Database& db_;
  Matcher& matcher_;
  const Cursor from_;
  Place reached_;  // by the walk
  std::vector<Block> blocks_;
  std::size_t looked_at_ = 0, read_ = 0;
};

}  // namespace sockeye::sqlite
