#include "sockeye/config/document.h"

#include <gtest/gtest.h>

namespace sockeye::config {
namespace {

std::string repeat(std::string_view part, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += part;
  return out;
}

// The only fault, as "line:column message".
std::string fault(std::string_view text) {
  const auto document = parse_document(text);
  if (document.faults.size() != 1) return std::to_string(document.faults.size()) + " faults";
  const auto& f = document.faults.front();
  return std::to_string(f.at.line) + ":" + std::to_string(f.at.column) + " " + f.message;
}

TEST(Document, KeepsTextsAsWrittenWithTheirPlaces) {
  const auto document = parse_document("on: off\nlist:\n  - 010\n  - '12:30'\n  - {a: null}\nnothing:\n");
  ASSERT_TRUE(document.whole);
  ASSERT_TRUE(document.faults.empty());
  const auto& root = document.root;
  ASSERT_EQ(root.entries.size(), 3U);
  EXPECT_EQ(root.entries[0].key, "on");
  EXPECT_EQ(root.entries[0].value.text, "off");
  EXPECT_EQ(root.entries[0].value.at, (Position{1, 5}));
  const auto& list = root.entries[1].value;
  EXPECT_EQ(list.items[0].text, "010");
  EXPECT_FALSE(list.items[0].quoted);
  EXPECT_EQ(list.items[1].text, "12:30");
  EXPECT_TRUE(list.items[1].quoted);
  EXPECT_EQ(list.items[2].find("a")->kind, Node::Kind::empty);
  EXPECT_EQ(root.find("nothing")->kind, Node::Kind::empty);
  EXPECT_EQ(root.find("nothing")->at, (Position{6, 1}));  // its key's, not the end of the file's
  EXPECT_EQ(root.find("absent"), nullptr);
}

TEST(Document, FillsAliasesIn) {
  const auto document = parse_document("a: &x {k: [1, 2]}\nb: *x\nc: *x\n");
  ASSERT_TRUE(document.whole);
  EXPECT_EQ(document.root.find("c")->find("k")->items[1].text, "2");
  EXPECT_EQ(document.root.find("c")->find("k")->items[1].at, (Position{1, 15}));
}

TEST(Document, ReadsJson) {
  const auto document = parse_document(R"({"a": [1, true, null, "x\u00e9\n"], "b": {}})");
  ASSERT_TRUE(document.whole);
  EXPECT_EQ(document.root.find("a")->items[3].text, "x\u00e9\n");
  EXPECT_EQ(document.root.find("b")->kind, Node::Kind::map);
}

TEST(Document, EmptyIsNoFault) {
  for (const auto* text : {"", "\n\n", "# only a comment\n", "---\n", "---\n...\n"}) {
    const auto document = parse_document(text);
    EXPECT_TRUE(document.whole && document.faults.empty()) << text;
    EXPECT_EQ(document.root.kind, Node::Kind::empty) << text;
  }
}

TEST(Document, ReportsEveryRepeatedKey) {
  const auto document = parse_document("a: 1\na: 2\nb: {c: 1, c: 2}\n");
  EXPECT_TRUE(document.whole);
  ASSERT_EQ(document.faults.size(), 2U);
  EXPECT_EQ(document.faults[0].at, (Position{2, 1}));
  EXPECT_EQ(document.faults[0].message, "the key \"a\" is here a second time; keep one of the two");
  EXPECT_EQ(document.faults[1].at, (Position{3, 11}));
}

TEST(Document, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(fault("a: 1\n\tb: 2\n"), "2:1 a tab indents this line; YAML indents with spaces only");
  EXPECT_EQ(
      fault("a: b: c\n"),
      "1:5 found \":\" where no key can be; put a value that contains \": \" in quotes, or check the indentation");
  EXPECT_EQ(fault("a: [1, 2\n"), "2:1 a list that begins with \"[\" is not closed; add \"]\" or a comma");
  EXPECT_EQ(fault("a: *x\n"), "1:4 this alias names an anchor (&name) that is not defined above it");
  EXPECT_EQ(fault("a: &x [*x]\n"), "1:8 this alias is inside the value it names");
  EXPECT_EQ(fault("a: 1\n---\nb: 2\n"),
            "2:1 a second document begins here; one is expected: remove the \"---\" before it");
  EXPECT_EQ(fault("a: !!python/object:os.system x\n"),
            "1:4 the tag \"tag:yaml.org,2002:python/object:os.system\" is not supported; remove it");
  EXPECT_EQ(fault("a: &x {b: 1}\nc:\n  <<: *x\n"),
            "3:3 merge keys (<<) are not supported; repeat the keys, or alias a whole value with *name");
  EXPECT_EQ(fault("? [a]\n: 1\n"),
            "1:3 a list or map stands where a key is expected; close its bracket, or put the text in quotes");
  EXPECT_EQ(fault("{{ x }}: 1\n"),
            "1:1 a list or map stands where a key is expected; close its bracket, or put the text in quotes");
  EXPECT_EQ(fault(": 1\n"), "1:1 a key is missing before \":\"");
}

TEST(Document, RefusesWhatIsNoText) {
  EXPECT_EQ(fault(std::string_view("a: 1\nb: \0\n", 10)), "2:4 found a control character; expected a text file");
  EXPECT_EQ(fault("a: \xff\xfe"), "1:4 found a byte that is not UTF-8; expected a text file in UTF-8");
  EXPECT_EQ(fault("\x7f"
                  "ELF"),
            "1:1 found a control character; expected a text file");
  EXPECT_EQ(fault(repeat("x", document_limit + 1)), "0:0 larger than 1 MiB; a configuration is a few KiB");
}

TEST(Document, BoundsDepth) {
  EXPECT_TRUE(parse_document(repeat("[", 60) + repeat("]", 60)).whole);
  const std::string expected = "nested more than 64 levels deep";
  for (const auto* part : {"[", "{a: ", "- ", "[[a, "}) {
    const auto document = parse_document(repeat(part, 100'000 / std::string_view(part).size()));
    EXPECT_FALSE(document.whole) << part;
    ASSERT_EQ(document.faults.size(), 1U) << part;
  }
  EXPECT_TRUE(fault(repeat("[", 100) + repeat("]", 100)).ends_with(expected));
  // Through aliases: each level is the one before, once deeper.
  std::string aliases = "a0: &a0 [x]\n";
  for (int i = 1; i < 200; ++i) {
    const auto n = std::to_string(i);
    aliases += "a" + n + ": &a" + n + " [*a" + std::to_string(i - 1) + "]\n";
  }
  EXPECT_TRUE(fault(aliases).ends_with(expected)) << fault(aliases);
}

TEST(Document, BoundsAliasBombs) {
  std::string bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 10; ++i) {
    const auto before = "*a" + std::to_string(i - 1);
    const auto n = std::to_string(i);
    bomb += "a" + n + ": &a" + n + " [" + before + repeat(", " + before, 8) + "]\n";
  }
  EXPECT_TRUE(fault(bomb).ends_with("once aliases are filled in")) << fault(bomb);
  // Few nodes, much text.
  std::string wide = "a: &a " + repeat("x", 500'000) + "\nb: [" + repeat("*a, ", 100'000) + "]\n";
  EXPECT_TRUE(fault(wide).ends_with("once aliases are filled in")) << fault(wide);
}

TEST(Document, StaysQuickOnHostileShapes) {
  const std::string many_keys = [] {
    std::string out;
    for (int i = 0; i < 20'000; ++i) out += "k" + std::to_string(i) + ": 1\n";
    return out;
  }();
  EXPECT_TRUE(parse_document(many_keys).whole);
  for (const auto* part :
       {"? ", "&a ", "!a ", "*a ", "- - ", "a: {", "\"\\x", "%YAML 1.2\n", "%TAG ! x\n", "--- ", "| ", "#", "'"})
    static_cast<void>(parse_document(repeat(part, 1'000'000 / std::string_view(part).size())));
}

}  // namespace
}  // namespace sockeye::config
