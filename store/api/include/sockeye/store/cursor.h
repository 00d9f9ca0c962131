// Where a page of an answer ends, as text that its asker hands back. Opaque to who asks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sockeye::store {

// Where something lies in the order of answers: latest start first, then latest arrival. Where answers are in another
// order, `start` stands for what they are sorted by, such that more of it comes first.
struct Place {
  std::int64_t start = INT64_MAX, id = INT64_MAX;
  [[nodiscard]] bool later_than(const Place& other) const {
    return start != other.start ? start > other.start : id > other.id;
  }
  friend bool operator==(const Place&, const Place&) = default;
};

// `after`: the last place that was answered; `top`: the highest arrival that counts, so that pages are of a fixed set
// while more comes.
struct Cursor {
  Place after;
  std::int64_t top = 0;
};

// Which list it is of and in which order, told by a text of any length: a cursor of another one is none.
[[nodiscard]] std::string to_text(const Cursor&, char list, std::string_view order);
[[nodiscard]] std::optional<Cursor> parse_cursor(std::string_view, char list, std::string_view order);

}  // namespace sockeye::store
