// Goes through all spans that match, in the columns of their blocks, for questions about more than the latest few:
// sorted by a figure, summed up, counted. What columns do not tell (attributes) is looked up in the span; blocks that
// have no columns, and the spans after the last block, are read span by span.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "candidates.h"
#include "columns.h"
#include "database.h"
#include "matcher.h"

namespace sockeye::sqlite {

// Takes what matches, each span once.
class Sink {
 public:
  virtual ~Sink() = default;
  // Nothing at `best` or behind it in the order of the query would be kept.
  [[nodiscard]] virtual bool enough(const Place& best) const = 0;
  // `text` and `number` where the scan was told to find them.
  virtual void take(const SpanRow& span, std::optional<std::string_view> text, std::uint64_t number) = 0;
};

struct ScanFor {
  std::optional<store::Dimension> text;  // one that is an attribute
  std::string text_key;                  // of Dimension::attribute
  std::string number_key;                // an attribute that is a number, in millionths
  bool in_order = false;                 // those blocks first that may hold the foremost
};

class Scan {
 public:
  // Spans up to id `top`.
  Scan(Database& db, Matcher& matcher, std::int64_t top, const ScanFor& what);
  // Each in its turn; a scan runs once.
  struct End {
    bool complete = true;
    Place down_to{INT64_MAX, INT64_MAX};  // where not complete: nothing before it in the order is missing
  };
  [[nodiscard]] End run(Sink& to);

 private:
  [[nodiscard]] Place best_of(const Candidates::Block& block) const;
  void read_block(const Candidates::Block& block, Sink& to);
  [[nodiscard]] bool read_columns(const Candidates::Block& block, Sink& to);
  void read_rows(std::int64_t first, std::int64_t last, Sink& to);
  void read_session(Sink& to);
  void take_row(Query& row, Sink& to);
  [[nodiscard]] bool confirmed(std::int64_t id);
  [[nodiscard]] std::optional<std::string> text_of(Query& row);
  [[nodiscard]] bool wants_span() const;

  Database& db_;
  Matcher& matcher_;
  const std::int64_t top_;
  const ScanFor for_;
  Candidates candidates_;
  std::string data_;
  std::vector<SpanRow> spans_;
  std::vector<std::string_view> texts_, routes_;
  std::vector<std::uint32_t> text_rows_, route_rows_;
  std::unordered_map<std::int64_t, std::optional<std::string>> origins_;  // their text_key
};

}  // namespace sockeye::sqlite
