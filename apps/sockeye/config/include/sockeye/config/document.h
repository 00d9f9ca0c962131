// A YAML (and so also JSON) text as a tree of positioned texts. Nothing is typed here: `on`, `010` and `12:30` stay
// what was written, so none of YAML 1.1's surprises reach a reader.
//
// Built from yaml-cpp's events rather than its Node: events carry the position of aliases, quoting and repeated keys,
// and let hostile input be stopped while it is read. Bounds: 1 MiB of text, 64 levels, 50,000 nodes with every alias
// counted as a copy of what it names (a "billion laughs" file ends there).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sockeye::config {

// From 1; 0 = the whole file.
struct Position {
  unsigned line = 0;
  unsigned column = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

struct Fault {
  Position at;
  std::string message;
};

struct Entry;
struct Node {
  enum class Kind : std::uint8_t { empty, scalar, list, map };
  Kind kind = Kind::empty;
  Position at;
  std::string text;            // scalar
  bool quoted = false;         // scalar: written in quotes or as a block
  std::vector<Node> items;     // list
  std::vector<Entry> entries;  // map, in order, keys unique
  [[nodiscard]] const Node* find(std::string_view key) const;
};
struct Entry {
  std::string key;
  Position at;  // of the key
  Node value;
};

inline constexpr std::size_t document_limit = 1U << 20U;

struct Document {
  Node root;                  // empty for a text of nothing but comments
  std::vector<Fault> faults;  // repeated keys, all of them; then what ended the reading, if anything did
  bool whole = false;         // read to the end: `root` is worth looking at, repeated keys included
};

// Never throws.
[[nodiscard]] Document parse_document(std::string_view text);

}  // namespace sockeye::config
