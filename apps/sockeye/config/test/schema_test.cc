// docs/sockeye.schema.json against the reader: the same keys, and the same verdict on values that can be listed.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "sockeye/config/document.h"
#include "sockeye/config/read.h"

namespace sockeye::config {
namespace {

const Node& schema() {
  static const Document document = [] {
    std::ifstream file(SOCKEYE_TEST_DIR "/../../../../docs/sockeye.schema.json");
    return parse_document(std::string{std::istreambuf_iterator<char>(file), {}});
  }();
  EXPECT_TRUE(document.whole && document.faults.empty());
  return document.root;
}

const Node& resolve(const Node& node) {
  const Node* reference = node.find("$ref");
  if (reference == nullptr) return node;
  const std::string prefix = "#/$defs/";
  EXPECT_TRUE(reference->text.starts_with(prefix)) << reference->text;
  const Node* found = schema().find("$defs")->find(reference->text.substr(prefix.size()));
  EXPECT_NE(found, nullptr) << reference->text;
  return found == nullptr ? node : *found;
}

struct Walk {
  std::set<std::string> keys;
  std::vector<std::pair<std::string, std::vector<std::string>>> choices;

  void visit(const Node& node, const std::string& path) {
    if (node.find("$ref") != nullptr) return;  // the shared definitions are of scalars
    if (const Node* values = node.find("enum")) {
      std::vector<std::string> words;
      for (const auto& value : values->items) words.push_back(value.text);
      choices.emplace_back(path, std::move(words));
    }
    if (const Node* alternatives = node.find("anyOf"))
      for (const auto& alternative : alternatives->items) visit(alternative, path);
    if (const Node* items = node.find("items")) visit(*items, path);
    const Node* properties = node.find("properties");
    if (properties == nullptr) return;
    // A closed map: an editor marks what the reader would refuse.
    const Node* additional = node.find("additionalProperties");
    EXPECT_TRUE(additional != nullptr && additional->text == "false") << path;
    for (const auto& [name, at, value] : properties->entries) {
      const Node& definition = resolve(value);
      std::string key = path.empty() ? name : path + "." + name;
      if (definition.find("items") != nullptr) key += "[]";
      if (const Node* more = definition.find("additionalProperties"); more != nullptr && more->kind == Node::Kind::map)
        key += ".{}";
      keys.insert(key);
      visit(value, key);
      EXPECT_TRUE(value.find("description") != nullptr || definition.find("enum") != nullptr)
          << key << " is not described";
    }
  }
};

TEST(Schema, HasTheReadersKeysAndNoOthers) {
  Walk walk;
  walk.visit(schema(), "");
  const auto listed = known_keys();
  const std::set<std::string> known(listed.begin(), listed.end());
  EXPECT_EQ(known.size(), listed.size()) << "a key is listed twice";
  for (const auto& key : known) EXPECT_TRUE(walk.keys.contains(key)) << key << " is not in docs/sockeye.schema.json";
  for (const auto& key : walk.keys) EXPECT_TRUE(known.contains(key)) << key << " is not read";
  EXPECT_GT(known.size(), 60U);
}

// A file with one value at `path`; maps and lists are opened on the way.
std::string file_with(const std::string& path, const std::string& value) {
  std::string flow = value;
  std::string rest = path;
  while (!rest.empty()) {
    const auto dot = rest.rfind('.');
    std::string name = dot == std::string::npos ? rest : rest.substr(dot + 1);
    rest = dot == std::string::npos ? "" : rest.substr(0, dot);
    const bool list = name.ends_with("[]");
    if (list) name.resize(name.size() - 2);
    if (name == "routes" && list)  // what a route needs to be one
      flow = "{upstream: 'ws://a:1', " + flow.substr(1);
    flow = "{" + name + ": " + (list ? "[" + flow + "]" : flow) + "}";
  }
  return path.starts_with("routes") ? flow : flow.substr(0, flow.size() - 1) + ", routes: [{upstream: 'ws://a:1'}]}";
}

TEST(Schema, ListsTheWordsTheReaderTakes) {
  Walk walk;
  walk.visit(schema(), "");
  EXPECT_GE(walk.choices.size(), 12U);
  for (const auto& [path, words] : walk.choices) {
    for (const auto& word : words) {
      const auto text = file_with(path, word);
      const auto reading = read_text(text, "f", {}, nullptr, {.check_files = false});
      EXPECT_TRUE(reading.settings) << text << "\n" << reading.problems.front().text();
    }
    EXPECT_FALSE(read_text(file_with(path, "surely-not"), "f", {}, nullptr, {.check_files = false}).settings) << path;
  }
}

}  // namespace
}  // namespace sockeye::config
