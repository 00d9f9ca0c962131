#include "extraction.h"

#include <simdjson.h>

#include <cstring>
#include <optional>

#include "fast_path.h"

namespace sockeye::dialect {

static_assert(padding >= simdjson::SIMDJSON_PADDING);
namespace ondemand = simdjson::ondemand;

std::uint16_t Tree::add(const Pointer& pointer, bool raw) {
  std::uint16_t at = 0;
  for (const Pointer::Step& step : pointer.steps) {
    const auto fresh = [this] {
      nodes_.emplace_back();
      return static_cast<std::uint16_t>(nodes_.size() - 1);
    };
    if (step.embedded) {
      if (nodes_[at].embedded == none) {
        const std::uint16_t inside = fresh();
        nodes_[at].embedded = inside;
      }
      at = nodes_[at].embedded;
      continue;
    }
    std::uint16_t next = none;
    for (const Branch& branch : nodes_[at].branches)
      if (branch.name == step.name) next = branch.node;
    if (next == none) {
      next = fresh();
      nodes_[at].branches.push_back({.name = step.name, .index = step.index, .is_index = step.is_index, .node = next});
    }
    at = next;
  }
  nodes_[at].raw = nodes_[at].raw || raw;
  if (nodes_[at].slot == none && slots_ < most_slots) nodes_[at].slot = slots_++;
  return nodes_[at].slot;
}

struct Extraction::Parsers {
  static constexpr std::size_t most_embedded = 3;  // JSON texts inside JSON texts inside the message
  struct Level {
    ondemand::parser parser;
    std::string text;  // an embedded text, padded; or a document that had no room behind it
  };
  std::array<Level, most_embedded + 1> levels;
  Level array;  // of elements()
};

Extraction::Extraction() : parsers_(std::make_unique<Parsers>()) {}
Extraction::~Extraction() = default;

void Extraction::start(const Chooser* chooser) {
  found_.clear();
  chooser_ = chooser;
  needed_ = nullptr;
  parsed_ = false;
  if (chooser != nullptr && chooser->discriminator() == Tree::none) needed_ = &chooser->needed(absent_);
}

bool Extraction::put(std::uint16_t slot, const Value& value) {
  if (found_.has(slot)) return false;
  values_[slot] = value;
  found_.add(slot);
  if (needed_ == nullptr) {
    if (chooser_ == nullptr || chooser_->discriminator() != slot) return false;
    needed_ = &chooser_->needed(value);
  }
  return found_.covers(*needed_);
}

// The On Demand walk. Each function returns: go on, all is found, or an error.
class Walk {
 public:
  enum class State : std::uint8_t { on, enough, bad };
  Walk(Extraction& extraction, const Tree& tree) : extraction_(extraction), tree_(tree) {}

  State document(std::size_t level, std::uint16_t root, std::string_view text, std::size_t readable) {
    Extraction::Parsers::Level& at = extraction_.parsers_->levels[level];
    if (readable < text.size() + padding) {
      at.text.reserve(text.size() + padding);
      at.text.assign(text);
      text = at.text;
    }
    ondemand::document parsed;
    if (at.parser.iterate(text.data(), text.size(), text.size() + padding).get(parsed) != simdjson::SUCCESS)
      return State::bad;
    ondemand::json_type type{};
    if (parsed.type().get(type) != simdjson::SUCCESS) return State::bad;
    State state = State::on;
    level_ = level;
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      if (parsed.get_object().get(object) != simdjson::SUCCESS) return State::bad;
      state = members(object, root);
    } else if (type == ondemand::json_type::array) {
      ondemand::array array;
      if (parsed.get_array().get(array) != simdjson::SUCCESS) return State::bad;
      state = elements(array, root);
    } else {
      std::string_view token;
      if (parsed.raw_json_token().get(token) != simdjson::SUCCESS) return State::bad;
    }
    level_ = level;
    // Something behind the document: where the walk ended there must be nothing more to point at.
    const char* behind = nullptr;
    if (state == State::on && parsed.current_location().get(behind) == simdjson::SUCCESS) return State::bad;
    return state;
  }

  // simdjson's raw texts reach up to the next token.
  static std::string_view trimmed(std::string_view token) {
    const std::size_t end = token.find_last_not_of(" \t\r\n");
    return end == std::string_view::npos ? token : token.substr(0, end + 1);
  }

 private:
  State members(ondemand::object& object, std::uint16_t node) {
    for (auto member : object) {
      ondemand::field field;
      if (std::move(member).get(field) != simdjson::SUCCESS) return State::bad;
      const Tree::Node& here = tree_[node];
      std::string_view key;
      if (field.unescaped_key().get(key) != simdjson::SUCCESS) return State::bad;
      std::uint16_t next = Tree::none;
      for (const Tree::Branch& branch : here.branches)
        if (branch.name == key) next = branch.node;
      if (next == Tree::none) continue;
      if (const State state = value(field.value(), next); state != State::on) return state;
    }
    return State::on;
  }

  State elements(ondemand::array& array, std::uint16_t node) {
    std::uint32_t index = 0;
    for (auto item : array) {
      if (item.error() != simdjson::SUCCESS) return State::bad;
      ondemand::value element = item.value_unsafe();
      std::uint16_t next = Tree::none;
      for (const Tree::Branch& branch : tree_[node].branches)
        if (branch.is_index && branch.index == index) next = branch.node;
      ++index;
      if (next == Tree::none) continue;
      if (const State state = value(element, next); state != State::on) return state;
    }
    return State::on;
  }

  State value(ondemand::value v, std::uint16_t node) {
    const Tree::Node& here = tree_[node];
    ondemand::json_type type{};
    if (v.type().get(type) != simdjson::SUCCESS) return State::bad;
    switch (type) {
      case ondemand::json_type::object:
        return container<ondemand::object>(v.get_object(), here, node, Value::Kind::object);
      case ondemand::json_type::array:
        return container<ondemand::array>(v.get_array(), here, node, Value::Kind::array);
      case ondemand::json_type::string: {
        std::string_view text;
        if (v.get_string().get(text) != simdjson::SUCCESS) return State::bad;
        if (filled(here, {Value::Kind::string, text})) return State::enough;
        return here.embedded == Tree::none ? State::on : embedded(here.embedded, text);
      }
      default: {
        const std::string_view token = trimmed(v.raw_json_token());
        const Value::Kind kind = type == ondemand::json_type::number    ? Value::Kind::number
                                 : type == ondemand::json_type::boolean ? Value::Kind::boolean
                                                                        : Value::Kind::null;
        if (!well_formed_scalar(token)) return State::bad;
        return filled(here, {kind, token}) ? State::enough : State::on;
      }
    }
  }

  template <class Container>
  State container(simdjson::simdjson_result<Container>&& got, const Tree::Node& here, std::uint16_t node,
                  Value::Kind kind) {
    Container inner;
    if (std::move(got).get(inner) != simdjson::SUCCESS) return State::bad;
    std::string_view raw;
    if (here.raw) {
      if (inner.raw_json().get(raw) != simdjson::SUCCESS) return State::bad;
      raw = trimmed(raw);
      if (inner.reset().error() != simdjson::SUCCESS) return State::bad;
    }
    if (filled(here, {kind, raw})) return State::enough;
    if constexpr (std::is_same_v<Container, ondemand::object>)
      return members(inner, node);
    else
      return elements(inner, node);
  }

  // An embedded text that is no JSON is a string like any other.
  State embedded(std::uint16_t root, std::string_view text) {
    const std::size_t level = level_ + 1;
    if (level >= extraction_.parsers_->levels.size()) return State::on;
    const State state = document(level, root, text, 0);
    level_ = level - 1;
    return state == State::bad ? State::on : state;
  }

  bool filled(const Tree::Node& node, const Value& value) {
    return node.slot != Tree::none && extraction_.put(node.slot, value);
  }

  Extraction& extraction_;
  const Tree& tree_;
  std::size_t level_ = 0;
};

bool Extraction::fast(const Tree& tree, std::string_view document, const Chooser* chooser) {
  start(chooser);
  return FastPath(*this, tree, document).run();
}

Extraction::Outcome Extraction::read(const Tree& tree, std::string_view document, std::size_t readable,
                                     const Chooser* chooser) {
  if (fast(tree, document, chooser)) return Outcome::done;
  start(chooser);
  parsed_ = true;
  return Walk(*this, tree).document(0, 0, document, readable) == Walk::State::bad ? Outcome::invalid : Outcome::done;
}

bool Extraction::for_elements(std::string_view array, std::size_t readable,
                              bool (*each)(void*, std::string_view, std::size_t), void* context) {
  Parsers::Level& at = parsers_->array;
  if (readable < array.size() + padding) {
    at.text.reserve(array.size() + padding);
    at.text.assign(array);
    array = at.text;
    readable = array.size() + padding;
  }
  ondemand::document parsed;
  if (at.parser.iterate(array.data(), array.size(), array.size() + padding).get(parsed) != simdjson::SUCCESS)
    return false;
  ondemand::array items;
  if (parsed.get_array().get(items) != simdjson::SUCCESS) return false;
  for (auto item : items) {
    if (item.error() != simdjson::SUCCESS) return false;
    ondemand::value element = item.value_unsafe();
    ondemand::json_type type{};
    if (element.type().get(type) != simdjson::SUCCESS) return false;
    std::string_view raw;
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      if (element.get_object().get(object) != simdjson::SUCCESS || object.raw_json().get(raw) != simdjson::SUCCESS)
        return false;
    } else if (type == ondemand::json_type::array) {
      ondemand::array inner;
      if (element.get_array().get(inner) != simdjson::SUCCESS || inner.raw_json().get(raw) != simdjson::SUCCESS)
        return false;
    } else {
      raw = element.raw_json_token();
    }
    raw = Walk::trimmed(raw);
    const std::size_t offset = static_cast<std::size_t>(raw.data() - array.data());
    if (!each(context, raw, readable - offset)) return true;
  }
  return true;
}

}  // namespace sockeye::dialect
