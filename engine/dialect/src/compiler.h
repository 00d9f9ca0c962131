// YAML → Program. Everything wrong is reported, each with its place and what was expected, because who writes a dialect
// wants one round trip, not ten. compile_values.cc reads what rules are made of, compile_rules.cc the rules, compile.cc
// puts the program together.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "program_parts.h"

namespace sockeye::dialect {

using model::Side;
using YAML::Node;

inline constexpr std::size_t most_problems = 20;
inline constexpr std::size_t most_nodes = 20'000;
inline constexpr std::size_t most_attribute_name = 128;

struct Where {
  int line = 0, column = 0;
};
[[nodiscard]] Where where(const Node& node);

class Compiler {
 public:
  Compiler(std::string_view file, Program& out) : file_(file), out_(out) { out_.key_names.emplace_back("id"); }

  void document(const Node& root);
  Decode decode_kind(const Node&);
  void add_sequence(const Node&);
  void check_whole();
  void plan();
  // What each `open` must have so that something can end it.
  void find_ends();
  [[nodiscard]] const std::string& problems() const { return problems_; }
  void problem(Where at, const std::string& what) {
    if (count_++ >= most_problems) return;
    if (!problems_.empty()) problems_ += '\n';
    problems_ += file_;
    if (at.line > 0) problems_ += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
    problems_ += ": " + what;
  }

 private:
  using Handler = std::function<void(const Node& value)>;
  struct Entry {
    std::string_view name;
    Handler read;
  };
  void map(const Node& node, std::string_view what, std::initializer_list<Entry> entries);
  bool each_pair(const Node& node, std::string_view what, const std::function<void(const Node&, const Node&)>& each);
  // A list, or a single item in its place.
  void one_or_many(const Node& node, const std::function<void(const Node&)>& each);

  std::string text(const Node& node, std::string_view what);
  std::vector<std::string> texts(const Node& node, std::string_view what);
  bool flag(const Node& node, std::string_view what);
  std::optional<Side> side(const Node& node);
  base::Duration duration(const Node& node);
  std::string_view name(const Node& node, std::string_view what) { return immortal(text(node, what)); }

  enum class Bare : std::uint8_t { no, constant };
  Extractor extractor(const Node& node, Bare bare = Bare::no, bool raw = false, int depth = 0);
  Extractor scalar_extractor(const Node& node, Bare bare, bool raw);
  std::uint16_t handshake(HandshakeValue::Kind kind, std::string_view name, Where at);
  std::uint16_t slot(const Node& node, std::string_view pointer, Tree& tree, bool raw);
  std::vector<Matcher> matchers(const Node& node, int depth = 0);
  std::vector<Condition> conditions(const Node& node);
  std::vector<AttributeRule> attributes(const Node& node);
  std::uint16_t key_name(const Node& node);
  std::vector<KeyRule> keys(const Node& node);
  Selector selector(const Node& node);
  std::vector<Selector> selectors(const Node& node);
  Verb verb(Effect effect, const Node& node);
  void check_verb(const Verb&, const Node&);
  Rule rule(const Node& node);
  bool number(const Node& node, std::size_t& out);
  void trace_place(const Node& node);
  Sign sign(const Node& node);

  std::string file_;
  Program& out_;
  std::string problems_;
  // An alias can make a small file a huge document.
  bool affordable(const Node& node) {
    if (++visited_ == most_nodes) problem(where(node), "more than " + std::to_string(most_nodes) + " parts");
    return visited_ < most_nodes;
  }

  std::size_t count_ = 0;
  std::size_t visited_ = 0;
  bool in_each_ = false;
  std::unordered_set<std::uint16_t> given_;                 // key names that some rule gives
  std::vector<std::pair<std::uint16_t, Where>> looked_up_;  // and those that selectors ask for
  std::vector<Where> endless_;                              // may stay unanswered, and have no timeout of their own
};

}  // namespace sockeye::dialect
