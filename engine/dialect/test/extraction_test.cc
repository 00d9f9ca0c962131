#include "extraction.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sockeye::dialect {
namespace {

struct Rig {
  Tree tree;
  Extraction extraction;
  std::vector<std::uint16_t> slots;
  explicit Rig(const std::vector<std::string>& pointers, bool raw = false) {
    for (const std::string& each : pointers) slots.push_back(tree.add(*parse_pointer(each), raw));
  }
  // By the walk without a parser where it can, else by the parser.
  std::string read(std::string_view text, const Chooser* chooser = nullptr) {
    const auto outcome = extraction.read(tree, text, text.size(), chooser);
    std::string all = outcome == Extraction::Outcome::done ? "" : "invalid ";
    for (const std::uint16_t slot : slots) {
      const Value& v = extraction[slot];
      constexpr const char* kinds[] = {"-", "null", "bool", "num", "str", "obj", "arr"};
      all += std::string(kinds[static_cast<int>(v.kind)]) + (v.text.empty() ? "" : ":" + std::string(v.text)) + " ";
    }
    if (!all.empty()) all.pop_back();
    return all;
  }
};

// Long enough that fast() cannot see the end.
std::string padded(std::string text) {
  const auto at = text.find('{');
  return text.substr(0, at + 1) + R"("pad":")" + std::string(Extraction::view, 'x') + R"(",)" + text.substr(at + 1);
}

TEST(Extraction, BothWalkersFindTheSame) {
  Rig rig({"/a", "/b/c", "/b/d/1", "/e~1f", "/n"});
  const std::vector<std::pair<std::string, std::string>> documents = {
      {R"({"a":"x","b":{"c":1.5,"d":[true,null]},"e/f":"s","n":null})", "str:x num:1.5 null:null str:s null:null"},
      {R"( { "b" : { "d" : [ 1 , 2 , 3 ] , "c" : { } } , "a" : [ ] } )", "arr obj num:2 - -"},
      {R"({"a":"first","a":"second"})", "str:first - - - -"},
      {R"({"a":"esc\u0041\"q"})", "str:escA\"q - - - -"},
      {R"({"\u0061":"by escape"})", "str:by escape - - - -"},
      {R"({"b":"no object","n":-0.5e+3})", "- - - - num:-0.5e+3"},
      {R"({"z":{"deep":[[[{"a":1}]]]},"a":false})", "bool:false - - - -"},
  };
  for (const auto& [text, expected] : documents) {
    EXPECT_EQ(rig.read(text), expected) << text;
    EXPECT_EQ(rig.read(padded(text)), expected) << text;
    EXPECT_TRUE(rig.extraction.parsed());
  }
}

TEST(Extraction, WhatIsNoDocumentIsInvalid) {
  Rig rig({"/a"});
  for (const char* text :
       {"", "{", R"({"a":)", R"({"a":1,})", R"({"a":01})", R"({"a":tru})", R"({"a":1} x)", R"({a:1})", R"({"a":"x)",
        R"({"a" 1})", "}", R"([1,2)", R"({"a":1}{"a":2})", "nonsense", "{]}", "{\"a\":\"con\ntrol\"}"})
    EXPECT_TRUE(rig.read(text).starts_with("invalid")) << text;
  for (const char* text : {"1", "\"x\"", "null", "[]", "{}", "[1,2]"}) EXPECT_EQ(rig.read(text), "-") << text;
}

TEST(Extraction, ArraysByIndex) {
  Rig rig({"/0", "/2", "/3/customData/traceparent"});
  EXPECT_EQ(rig.read(R"([2,"id","Action",{"customData":{"traceparent":"00-a"}}])"), "num:2 str:Action str:00-a");
  EXPECT_EQ(rig.read(R"([2])"), "num:2 - -");
}

TEST(Extraction, StepsIntoEmbeddedJson) {
  Rig rig({"/data", "/data/~json/id", "/data/~json/more/~json/x"});
  EXPECT_EQ(rig.read(R"({"data":"{\"id\":7,\"more\":\"{\\\"x\\\":true}\"}","z":1})"),
            R"(str:{"id":7,"more":"{\"x\":true}"} num:7 bool:true)");
  EXPECT_EQ(rig.read(R"({"data":"not json"})"), "str:not json - -");
  EXPECT_EQ(rig.read(R"({"data":{"id":1}})"), "obj - -");
}

TEST(Extraction, RawContainers) {
  Rig rig({"/list", "/list/1/x"}, true);
  const std::string text = R"({"list":[{"x":1}, {"x":[2, 3]} ],"b":2})";
  EXPECT_EQ(rig.read(text), R"(arr:[{"x":1}, {"x":[2, 3]} ] arr:[2, 3])");
  EXPECT_EQ(rig.read(padded(text)), R"(arr:[{"x":1}, {"x":[2, 3]} ] arr:[2, 3])");
  std::string seen;
  EXPECT_TRUE(rig.extraction.elements(R"([1, {"a":[2]}, "x", [3] ])", 0, [&](std::string_view element, std::size_t) {
    seen += "<" + std::string(element) + ">";
    return true;
  }));
  EXPECT_EQ(seen, R"(<1><{"a":[2]}><"x"><[3]>)");
}

// Stops as soon as what the discriminator asks for is there: what lies behind is not looked at.
class ByType final : public Chooser {
 public:
  std::uint16_t type;
  SlotSet few, all;
  [[nodiscard]] std::uint16_t discriminator() const override { return type; }
  [[nodiscard]] const SlotSet& needed(const Value& v) const override { return v.text == "media" ? few : all; }
};

TEST(Extraction, StopsEarly) {
  Rig rig({"/type", "/id", "/late"});
  ByType chooser;
  chooser.type = rig.slots[0];
  chooser.few.add(rig.slots[0]);
  for (const std::uint16_t slot : rig.slots) chooser.all.add(slot);
  const std::string payload(100'000, 'A');
  EXPECT_EQ(rig.read(R"({"type":"media","payload":")" + payload + R"(","late":1})", &chooser), "str:media - -");
  EXPECT_FALSE(rig.extraction.parsed());
  EXPECT_EQ(rig.read(R"({"type":"call","payload":")" + payload + R"(","late":1,"id":2})", &chooser),
            "str:call num:2 num:1");
  EXPECT_TRUE(rig.extraction.parsed());
  // The discriminator at the very end.
  EXPECT_EQ(rig.read(R"({"payload":")" + payload + R"(","id":5,"type":"call"})", &chooser), "str:call num:5 -");
}

TEST(Pointer, SaysWhatIsWrong) {
  EXPECT_TRUE(parse_pointer(""));
  EXPECT_TRUE(parse_pointer("/"));
  EXPECT_EQ(parse_pointer("/a~1b/~0")->steps[0].name, "a/b");
  EXPECT_TRUE(parse_pointer("/7")->steps[0].is_index);
  EXPECT_FALSE(parse_pointer("/07")->steps[0].is_index);
  EXPECT_FALSE(parse_pointer("a"));
  EXPECT_FALSE(parse_pointer("/a~2"));
  EXPECT_FALSE(parse_pointer("/~json"));
  EXPECT_FALSE(parse_pointer("/1/2/3/4/5/6/7/8/9/10/11/12/13"));
}

}  // namespace
}  // namespace sockeye::dialect
