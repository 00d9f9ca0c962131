// What is put into a message, and that nothing else of it changes.
#include "insert.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sockeye::dialect {
namespace {

constexpr std::string_view ours = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::string_view theirs = "00-11111111111111111111111111111111-2222222222222222-00";

TracePlace place_at(std::string_view pointer) {
  TracePlace place;
  place.at = *parse_pointer(pointer);
  place.insert = TracePlace::Insert::reserved;
  return place;
}

// $ in `want` stands for our traceparent.
std::string filled(std::string_view document, const TracePlace& place, std::string_view tracestate = "") {
  const Insertion found = insert_context(document, place, {ours, tracestate});
  if (found.kind == Insertion::Kind::no_place) return "-";
  std::string out(document.substr(0, found.at));
  out += found.text;
  out += document.substr(found.at + (found.kind == Insertion::Kind::replaced ? found.text.size() : 0));
  if (const auto at = out.find(ours); at != std::string::npos) out.replace(at, ours.size(), "$");
  return out;
}

TEST(Insert, GoesToTheFrontOfItsObject) {
  EXPECT_EQ(filled(R"({"headers":{"id":1},"body":2})", place_at("/headers")),
            R"({"headers":{"traceparent":"$","id":1},"body":2})");
  EXPECT_EQ(filled(R"( { "a" : 1 , "headers" : { } } )", place_at("/headers")),
            R"( { "a" : 1 , "headers" : {"traceparent":"$" } } )");
  EXPECT_EQ(filled(R"({"a":1})", place_at("")), R"({"traceparent":"$","a":1})");
  EXPECT_EQ(filled(R"([2,"id","op",{"x":1}])", place_at("/3")), R"([2,"id","op",{"traceparent":"$","x":1}])");
}

TEST(Insert, MakesTheObjectsThatAreMissing) {
  EXPECT_EQ(filled(R"({"id":1,"params":{"name":"x"}})", place_at("/params/_meta")),
            R"({"id":1,"params":{"_meta":{"traceparent":"$"},"name":"x"}})");
  EXPECT_EQ(filled(R"({"id":1})", place_at("/params/_meta")), R"({"params":{"_meta":{"traceparent":"$"}},"id":1})");
  EXPECT_EQ(filled("{}", place_at("/params/_meta")), R"({"params":{"_meta":{"traceparent":"$"}}})");
  EXPECT_EQ(filled("[1]", place_at("/3/x")), "-") << "an element is not made";
  EXPECT_EQ(filled(R"({"a":{}})", place_at("/a/0/b")), "-") << "it may be an array that is missing";
}

TEST(Insert, TakesTheContextFurtherThatIsThere) {
  const std::string there = R"({"headers":{"traceparent":")" + std::string(theirs) + R"(","id":1}})";
  EXPECT_EQ(filled(there, place_at("/headers"), "a=b"), R"({"headers":{"traceparent":"$","id":1}})");
  EXPECT_EQ(filled(R"({"headers":{"traceparent":"short"}})", place_at("/headers")), "-");
  EXPECT_EQ(filled(R"({"headers":{"traceparent":null}})", place_at("/headers")), "-");
  EXPECT_EQ(filled(R"({"headers":{"tracestate":"a=b"}})", place_at("/headers")), "-") << "a state of nobody's";
}

TEST(Insert, WritesTheStateWhereThereIsRoom) {
  EXPECT_EQ(filled("{}", place_at(""), R"(a=b"c)"), R"({"traceparent":"$","tracestate":"a=b\"c"})");
  TracePlace place = place_at("");
  place.most = 60;
  EXPECT_EQ(filled("{}", place, std::string(61, 'a')), R"({"traceparent":"$"})");
  place = place_at("");
  place.pairs = 2;
  EXPECT_EQ(filled(R"({"a":1})", place, "a=b"), R"({"traceparent":"$","a":1})");
  EXPECT_EQ(filled(R"({"a":1,"b":2})", place, "a=b"), "-") << "full";
  place = place_at("");
  place.prefix = "_";
  EXPECT_EQ(filled("{}", place, "a=b"), R"({"_traceparent":"$","_tracestate":"a=b"})");
}

TEST(Insert, KeepsToWhatThePlaceRequires) {
  TracePlace place = place_at("/3/customData");
  place.required = {{"vendorId", "io.sockeye"}};
  EXPECT_EQ(filled(R"([2,"1","Op",{}])", place),
            R"([2,"1","Op",{"customData":{"vendorId":"io.sockeye","traceparent":"$"}}])");
  EXPECT_EQ(filled(R"([2,"1","Op",{"customData":{"vendorId":"io.sockeye"}}])", place),
            R"([2,"1","Op",{"customData":{"traceparent":"$","vendorId":"io.sockeye"}}])");
  EXPECT_EQ(filled(R"([2,"1","Op",{"customData":{"vendorId":"com.else"}}])", place), "-");
  EXPECT_EQ(filled(R"([2,"1","Op",{"customData":{}}])", place), "-");
}

TEST(Insert, LeavesAloneWhatIsNotClear) {
  for (const std::string_view document :
       {"", " ", "7", "\"x\"", "{", "{\"headers\":{}", "{\"headers\":{}}}", "{\"headers\":[]}", "{\"headers\":null}",
        "{\"headers\":1}", "{\"headers\":{},\"headers\":{}}", "{\"head\\u0065rs\":{}}", "{\"x\\\\\":1,\"headers\":{}}",
        "{\"headers\":{\"traceparent\\u0020\":1}}", "{\"headers\":{}} x", "{\"headers\" {}}", "{headers:{}}",
        "{\"headers\":{\"a\":1,}}x", "\xff{}"})
    EXPECT_EQ(filled(document, place_at("/headers")), "-") << document;
  std::string deep = R"({"headers":{},"x":)";
  deep += std::string(500, '[') + std::string(500, ']') + "}";
  EXPECT_EQ(filled(deep, place_at("/headers")), "-");
  EXPECT_EQ(insert_context("{}", place_at(""), {"00-too-short", ""}).kind, Insertion::Kind::no_place);
}

}  // namespace
}  // namespace sockeye::dialect
