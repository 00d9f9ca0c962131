// What the spans of a block are sorted, filtered and summed up by, a column each: a question over a whole day reads
// these and not the spans. docs/formats/store.md has the layout.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sockeye/store/figures.h"

namespace sockeye::sqlite {

// Finds a std::string by a view of it.
struct TextHash : std::hash<std::string_view> {
  using is_transparent = void;
};

// One span of a block, as columns hold it.
struct SpanRow {
  std::int64_t id = 0, start = 0, operation = 0;
  std::uint8_t kind = 0, status = 0;
  store::Figures figures;
};

class ColumnsWriter {
 public:
  // Spans come with ascending ids, without gaps.
  void add(const store::Batch&, const store::Span&, const store::Figures&, std::int64_t operation);
  void clear();
  void encode(std::string& out) const;  // replaces
  // The largest of each measure but the duration; 0 where none is known.
  [[nodiscard]] const std::array<std::uint64_t, store::measures>& largest() const { return largest_; }

 private:
  struct Dictionary {
    std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> places;  // from 1
    std::vector<std::string_view> texts;                                               // keys of `places`
    std::vector<std::uint32_t> rows;                                                   // 0: none; else the place
    std::size_t bytes = 0;
    bool dropped = false;  // too large to be worth it
  };
  static void add_text(Dictionary& to, std::optional<std::string_view> text);

  std::vector<SpanRow> rows_;
  std::array<Dictionary, store::attribute_dimensions> texts_;
  std::array<std::uint64_t, store::measures> largest_{};
};

class Columns {
 public:
  // `data` must stay. `first` is the id of the first span. False: it is damaged, or of a later version.
  [[nodiscard]] bool open(std::string_view data, std::int64_t first);
  [[nodiscard]] std::size_t size() const { return size_; }
  // Reads all but texts. False: damaged.
  [[nodiscard]] bool read(std::vector<SpanRow>& to) const;
  // Whether the texts of this dimension are here; `texts` points into the data, `rows` is as in the writer.
  [[nodiscard]] bool read(store::Dimension, std::vector<std::string_view>& texts,
                          std::vector<std::uint32_t>& rows) const;

 private:
  static constexpr std::size_t numbers = 4 + store::measures;  // start, operation, kind and status, call, measures
  std::int64_t first_ = 0;
  std::size_t size_ = 0;
  std::array<std::string_view, numbers + store::attribute_dimensions> parts_;
};

}  // namespace sockeye::sqlite
