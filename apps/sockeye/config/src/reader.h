// Walks a Node by tables of keys. One table a section: the same table reads a file, names the nearest key to a
// misspelled one, and is listed against the JSON Schema, so the three cannot drift apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/base/result.h"
#include "sockeye/base/time.h"
#include "sockeye/config/document.h"
#include "sockeye/config/read.h"

namespace sockeye::config {

class Reader;
using KeyList = std::vector<std::string>;

template <class Object>
struct Key {
  std::string_view name;
  void (*read)(Reader&, const Node&, Object&);                   // null: named by the design, not served yet
  void (*below)(KeyList&, const std::string& prefix) = nullptr;  // lists the keys of this key's own table
  std::string_view suffix = "";                                  // "[]" for a list, ".{}" for a map of free names
  std::string_view missing = "";  // what this version does not support, when read is null
};

// `table` is a constexpr array of Key.
template <const auto& table>
void list_keys(KeyList& out, const std::string& prefix) {
  for (const auto& key : table) {
    if (key.read == nullptr) continue;
    const std::string path = (prefix.empty() ? prefix : prefix + ".") + std::string(key.name) + std::string(key.suffix);
    out.push_back(path);
    if (key.below != nullptr) key.below(out, path);
  }
}

class Reader {
 public:
  Reader(std::string_view file, const ReadOptions& options, std::vector<Problem>& problems)
      : file_(file), options_(options), problems_(problems) {}

  // Prefixed with the path of the key being read.
  void problem(Position at, std::string message);
  [[nodiscard]] bool full() const { return problems_.size() >= most; }

  template <const auto& table, class Object>
  void map(const Node& node, Object& object) {
    if (!expect_map(node)) return;
    for (const auto& entry : node.entries) {
      if (full()) return;
      const auto* key = std::begin(table);
      while (key != std::end(table) && key->name != entry.key) ++key;
      if (key == std::end(table)) {
        std::vector<std::string_view> names;
        for (const auto& k : table)
          if (k.read != nullptr) names.push_back(k.name);
        unknown(entry, names);
        continue;
      }
      const Path here(*this, entry.key);
      if (key->read == nullptr)
        problem(entry.at, "this version does not support " + std::string(key->missing) + "; remove the key");
      else
        key->read(*this, entry.value, object);
    }
  }
  // each(node) for every item.
  template <class Each>
  void list(const Node& node, std::string_view example, Each each) {
    if (!expect_list(node, example)) return;
    for (std::size_t i = 0; i < node.items.size() && !full(); ++i) {
      const Path here(*this, i);
      each(node.items[i]);
    }
  }
  // each(name, node) for every entry of a map whose keys are the user's.
  template <class Each>
  void names(const Node& node, Each each) {
    if (!expect_map(node)) return;
    for (const auto& entry : node.entries) {
      if (full()) return;
      const Path here(*this, entry.key);
      each(entry, entry.value);
    }
  }

  // A scalar given to `parse`, whose error becomes the problem. False when there was one.
  template <class T, class Parse>
  bool value(const Node& node, std::string_view expected, T& out, Parse parse) {
    if (!expect_line(node, expected)) return false;
    auto parsed = parse(std::string_view(node.text));
    if (!parsed) {
      problem(node.at, std::move(parsed.error().message));
      return false;
    }
    out = static_cast<T>(*std::move(parsed));
    return true;
  }
  bool text(const Node& node, std::string_view expected, std::string& out);  // not empty, no control characters
  void boolean(const Node& node, bool& out);
  void duration(const Node& node, base::Duration& out, base::Duration least, bool zero_allowed);
  void size(const Node& node, std::uint64_t& out, std::uint64_t least, std::uint64_t most_bytes);
  template <class T>
  void integer(const Node& node, T& out, std::uint64_t least, std::uint64_t greatest) {
    std::uint64_t wide = 0;
    if (whole(node, wide, least, greatest)) out = static_cast<T>(wide);
  }
  // The path of a file, readable when asked to check.
  void file(const Node& node, std::string& out, std::string_view what = "a PEM file");
  // `besides`: what else may stand there, for the message.
  template <class T, std::size_t n>
  bool choice(const Node& node, T& out, const std::pair<std::string_view, T> (&choices)[n],
              std::string_view besides = "") {
    std::vector<std::string_view> words;
    for (const auto& choice : choices) words.push_back(choice.first);
    const std::size_t at = word(node, words, besides);
    if (at >= n) return false;
    out = choices[at].second;
    return true;
  }
  // Index into `words` of the scalar; words.size() after a problem.
  std::size_t word(const Node& node, std::span<const std::string_view> words, std::string_view besides = "");

 private:
  static constexpr std::size_t most = 100;

  class Path {
   public:
    Path(Reader& reader, std::string_view key);
    Path(Reader& reader, std::size_t index);
    Path(const Path&) = delete;
    Path& operator=(const Path&) = delete;
    ~Path() { reader_.path_.resize(size_); }

   private:
    Reader& reader_;
    std::size_t size_;
  };

  bool expect_map(const Node& node);
  bool expect_list(const Node& node, std::string_view example);
  bool expect_scalar(const Node& node, std::string_view expected);
  bool expect_line(const Node& node, std::string_view expected);
  bool whole(const Node& node, std::uint64_t& out, std::uint64_t least, std::uint64_t greatest);
  void unknown(const Entry& entry, std::span<const std::string_view> names);

  std::string file_, path_;
  const ReadOptions& options_;
  std::vector<Problem>& problems_;
};

}  // namespace sockeye::config
