#include "sockeye/config/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <istream>
#include <optional>
#include <streambuf>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "sockeye/base/utf8.h"
#include "sockeye/config/text.h"

namespace sockeye::config {
namespace {

constexpr std::size_t depth_limit = 64;
constexpr std::size_t node_limit = 50'000;
constexpr std::size_t copy_limit = 4 * document_limit;  // bytes of text, aliases counted as copies
constexpr std::size_t fault_limit = 100;

// Ends the parse from inside an event. Never leaves this file.
struct Stop {
  Fault fault;
};

Position position(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<unsigned>(mark.line) + 1, static_cast<unsigned>(mark.column) + 1};
}

struct Weight {
  std::size_t nodes = 1;
  std::size_t bytes = 0;
  std::size_t depth = 1;
};
Weight weigh(const Node& node) {
  Weight sum{1, node.text.size(), 0};
  const auto add = [&](const Node& child) {
    const Weight w = weigh(child);
    sum.nodes += w.nodes;
    sum.bytes += w.bytes;
    sum.depth = std::max(sum.depth, w.depth);
  };
  for (const auto& item : node.items) add(item);
  for (const auto& entry : node.entries) {
    sum.bytes += entry.key.size();
    add(entry.value);
  }
  ++sum.depth;
  return sum;
}

class Builder final : public YAML::EventHandler {
 public:
  Node root;
  std::vector<Fault> faults;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) stop(mark, "a second document begins here; one is expected: remove the \"---\" before it");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (at_key()) stop(mark, "a key is missing before \":\"");
    Node node;
    // yaml-cpp places an absent value at the token after it, often lines below: point at its key instead.
    node.at = stack_.empty() || stack_.back().node.kind != Node::Kind::map ? position(mark) : stack_.back().key_at;
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (at_key()) stop(mark, "an alias cannot be a key; write the key out");
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) stop(mark, "this alias is inside the value it names");
    spend(mark, found->second.second);
    add(Node(found->second.first), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    spend(mark, {1, value.size(), 1});
    if (at_key()) {
      check_tag(mark, tag);
      if (anchor != 0) stop(mark, "a key cannot have an anchor; anchor its value");
      auto& top = stack_.back();
      top.key = value;
      top.key_at = position(mark);
      top.has_key = true;
      if (!top.seen.insert(value).second)
        fault(top.key_at, "the key " + quote(value) + " is here a second time; keep one of the two");
      if (value == "<<" && tag == "?")
        stop(mark, "merge keys (<<) are not supported; repeat the keys, or alias a whole value with *name");
      return;
    }
    Node node;
    node.kind = Node::Kind::scalar;
    node.at = position(mark);
    node.text = value;
    node.quoted = tag != "?" && !tag.empty();
    check_tag(mark, tag);
    add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    push(mark, tag, anchor, Node::Kind::list);
  }
  void OnSequenceEnd() override { pop(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    push(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override { pop(); }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    std::string key;
    Position key_at;
    std::unordered_set<std::string> seen;
  };

  [[noreturn]] static void stop(const YAML::Mark& mark, std::string message) {
    throw Stop{{position(mark), std::move(message)}};
  }
  void fault(Position at, std::string message) {
    if (faults.size() < fault_limit) faults.push_back({at, std::move(message)});
  }
  [[nodiscard]] bool at_key() const {
    return !stack_.empty() && stack_.back().node.kind == Node::Kind::map && !stack_.back().has_key;
  }
  void spend(const YAML::Mark& mark, const Weight& weight) {
    nodes_ += weight.nodes;
    bytes_ += weight.bytes;
    if (nodes_ > node_limit || bytes_ > copy_limit)
      stop(mark, "too large: more than 50000 values or 4 MiB once aliases are filled in");
    if (stack_.size() + weight.depth > depth_limit) stop(mark, "nested more than 64 levels deep");
  }
  // "?" plain, "!" quoted or block; anything else was written by the user.
  static void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag == "tag:yaml.org,2002:str") return;
    stop(mark, "the tag " + quote(tag) + " is not supported; remove it");
  }
  void push(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    check_tag(mark, tag);
    if (at_key())
      stop(mark, "a list or map stands where a key is expected; close its bracket, or put the text in quotes");
    spend(mark, {1, 0, 1});
    Frame frame;
    frame.node.kind = kind;
    frame.node.at = position(mark);
    frame.anchor = anchor;
    stack_.push_back(std::move(frame));
  }
  void pop() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    add(std::move(frame.node), frame.anchor);
  }
  void add(Node&& node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      const Weight weight = weigh(node);
      nodes_ += weight.nodes;  // the copy kept for its aliases
      bytes_ += weight.bytes;
      anchors_.insert_or_assign(anchor, std::pair(node, weight));
    }
    if (stack_.empty()) {
      root = std::move(node);
      return;
    }
    auto& top = stack_.back();
    if (top.node.kind == Node::Kind::list) {
      top.node.items.push_back(std::move(node));
      return;
    }
    top.node.entries.push_back({std::move(top.key), top.key_at, std::move(node)});
    top.key.clear();
    top.has_key = false;
  }

  std::vector<Frame> stack_;
  std::unordered_map<YAML::anchor_t, std::pair<Node, Weight>> anchors_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
  unsigned documents_ = 0;
};

// Text files only: yaml-cpp would guess UTF-16 or UTF-32 from NUL bytes and read on.
std::optional<Fault> check_bytes(std::string_view text) {
  Position at{1, 1};
  const std::size_t valid = base::valid_utf8_prefix(text);
  for (const char byte : text.substr(0, valid)) {
    const auto c = static_cast<unsigned char>(byte);
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F)
      return Fault{at, "found a control character; expected a text file"};
    if (c == '\n')
      at = {at.line + 1, 1};
    else if ((c & 0xC0U) != 0x80)
      ++at.column;
  }
  if (valid < text.size()) return Fault{at, "found a byte that is not UTF-8; expected a text file in UTF-8"};
  return std::nullopt;
}

// yaml-cpp's messages name its own productions; these say what to do. What is not listed is passed on.
std::string explain(const std::string& message) {
  constexpr std::pair<std::string_view, std::string_view> table[] = {
      {"illegal map value",
       "found \":\" where no key can be; put a value that contains \": \" in quotes, or check the indentation"},
      {"end of map not found", "this line is indented unlike the keys above it; align it with them"},
      {"end of sequence not found", "this line is indented unlike the list above it; align its \"-\" with the others"},
      {"end of sequence flow not found", "a list that begins with \"[\" is not closed; add \"]\" or a comma"},
      {"end of map flow not found", "a map that begins with \"{\" is not closed; add \"}\" or a comma"},
      {"illegal flow end", "found \"]\" or \"}\" that closes nothing; remove it"},
      {"illegal block entry", "found \"- \" where no list can begin; check the indentation"},
      {"the referenced anchor is not defined", "this alias names an anchor (&name) that is not defined above it"},
      {"bad file", "nested too deeply"},
      {"unknown token", "a value cannot begin with this character; put it in quotes"},
  };
  for (const auto& [theirs, ours] : table)
    if (message == theirs) return std::string(ours);
  return "not valid YAML: " + message;
}

// Column of the first tab before the first character of a line; 0 when there is none. yaml-cpp blames what comes after.
unsigned tab_in_indentation(std::string_view text, unsigned line) {
  for (unsigned at = 1; at < line && !text.empty(); ++at)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const auto tab = text.find_first_not_of(' ');
  return tab != std::string_view::npos && text[tab] == '\t' ? static_cast<unsigned>(tab) + 1 : 0;
}

// A read-only stream over borrowed text.
class View : public std::streambuf {
 public:
  explicit View(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // NOLINT: streambuf's interface; never written through
    setg(begin, begin, begin + text.size());
  }
};

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (const auto& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

Document parse_document(std::string_view text) {
  if (text.size() > document_limit) return {{}, {{{}, "larger than 1 MiB; a configuration is a few KiB"}}};
  if (auto fault = check_bytes(text)) return {{}, {std::move(*fault)}};
  Builder builder;
  bool whole = false;
  try {
    View view(text);
    std::istream stream(&view);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    whole = true;
  } catch (const Stop& stop) {
    builder.faults.push_back(stop.fault);
  } catch (const YAML::Exception& error) {
    const Position at = position(error.mark);
    if (const unsigned column = tab_in_indentation(text, at.line); column != 0)
      builder.faults.push_back({{at.line, column}, "a tab indents this line; YAML indents with spaces only"});
    else
      builder.faults.push_back({at, explain(error.msg)});
  } catch (const std::exception& error) {
    builder.faults.push_back({{}, std::string("cannot be read: ") + error.what()});
  }
  return {std::move(builder.root), std::move(builder.faults), whole};
}

}  // namespace sockeye::config
