#include "sockeye/wire/extensions.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sockeye::wire {
namespace {

model::HttpHead head_with(const std::vector<std::string>& values) {
  model::HttpHead head;
  for (const auto& v : values) head.fields.push_back({"sec-websocket-extensions", v});
  return head;
}
Negotiated negotiate(const std::vector<std::string>& offer, const std::vector<std::string>& answer) {
  return negotiated(head_with(offer), head_with(answer));
}

// One row: the offer, the answer, and what is in force: "!" invalid, "-" nothing, "other", or
// client/server bits and c/s for their no_context_takeover.
std::string in_force(const std::string& offer, const std::string& answer) {
  const auto out = negotiate({offer}, {answer});
  if (!out.valid) return "!";
  std::string text = out.extensions.deflate ? "" : "-";
  const auto& p = out.extensions.parameters;
  if (out.extensions.deflate) {
    text = std::to_string(p.client_max_window_bits) + (p.client_no_context_takeover ? "c " : " ") +
           std::to_string(p.server_max_window_bits) + (p.server_no_context_takeover ? "s" : "");
  }
  return text + (out.extensions.other ? " other" : "");
}

TEST(Extensions, NothingOffered) {
  EXPECT_EQ(in_force("", ""), "-");
  EXPECT_TRUE(negotiate({}, {}).valid);
  EXPECT_FALSE(negotiate({"permessage-deflate"}, {}).extensions.deflate);
  EXPECT_EQ(in_force("", "permessage-deflate"), "!");
}

TEST(Extensions, Rfc7692Table) {  // §7.1
  struct Row {
    const char* offer;
    const char* answer;
    const char* force;
  };
  const char* plain = "permessage-deflate";
  const char* bits = "permessage-deflate; client_max_window_bits";
  for (const auto& [offer, answer, force] : std::vector<Row>{
           {plain, "permessage-deflate", "15 15"},
           {plain, " permessage-deflate ; server_no_context_takeover ;client_no_context_takeover", "15c 15s"},
           {plain, "permessage-deflate; server_max_window_bits=8", "15 8"},
           {bits, "permessage-deflate; client_max_window_bits=8", "8 15"},
           {bits, "permessage-deflate; client_max_window_bits=\"10\"; server_max_window_bits=\"1\\2\"", "10 12"},
           {bits, "permessage-deflate", "15 15"},
           {"permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=15", "15 15"},
           {"permessage-deflate; client_max_window_bits=\"9\"", "permessage-deflate; client_max_window_bits=9", "9 15"},
           {"permessage-deflate; client_no_context_takeover", "permessage-deflate", "15 15"},
           {"permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover",
            "15 15s"},
           {"permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10", "15 10"},
           {"permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=9", "15 9"},
           // what the offer asked for and the answer must give
           {"permessage-deflate; server_no_context_takeover", "permessage-deflate", "!"},
           {"permessage-deflate; server_max_window_bits=10", "permessage-deflate", "!"},
           {"permessage-deflate; server_max_window_bits=15", "permessage-deflate", "15 15"},
           {"permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=11", "!"},
           // what only an offer allows
           {plain, "permessage-deflate; client_max_window_bits=10", "!"},
           // a second offer saves it, a broken one does not count
           {"permessage-deflate; server_max_window_bits=10, permessage-deflate", "permessage-deflate", "15 15"},
           {"permessage-deflate; server_no_context_takeover, permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=12", "12 15"},
           {"permessage-deflate; unknown, permessage-deflate", "permessage-deflate", "15 15"},
           {"permessage-deflate; unknown", "permessage-deflate", "!"},
           {"permessage-deflate; server_no_context_takeover=1", "permessage-deflate", "!"},
           {"permessage-deflate; server_max_window_bits", "permessage-deflate; server_max_window_bits=15", "!"},
           {"permessage-deflate; client_max_window_bits=7", "permessage-deflate", "!"},
           {"permessage-deflate; client_max_window_bits; client_max_window_bits=9", "permessage-deflate", "!"},
           // parameters that make an answer invalid
           {bits, "permessage-deflate; unknown", "!"},
           {bits, "permessage-deflate; client_max_window_bits", "!"},
           {bits, "permessage-deflate; client_max_window_bits=", "!"},
           {bits, "permessage-deflate; client_max_window_bits=\"\"", "!"},
           {bits, "permessage-deflate; client_max_window_bits=7", "!"},
           {bits, "permessage-deflate; client_max_window_bits=16", "!"},
           {bits, "permessage-deflate; client_max_window_bits=08", "!"},
           {bits, "permessage-deflate; client_max_window_bits=+9", "!"},
           {bits, "permessage-deflate; client_max_window_bits=99999999999999999999", "!"},
           {bits, "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9", "!"},
           {bits, "permessage-deflate; server_max_window_bits", "!"},
           {bits, "permessage-deflate; server_max_window_bits=7", "!"},
           {bits, "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", "!"},
           {bits, "permessage-deflate; server_no_context_takeover=true", "!"},
           {bits, "permessage-deflate; client_no_context_takeover=\"\"", "!"},
           {bits, "permessage-deflate; server_no_context_takeover; server_no_context_takeover", "!"},
           {bits, "permessage-deflate; client_no_context_takeover; client_no_context_takeover", "!"},
           {bits, "permessage-deflate; Server_no_context_takeover", "!"},
           // lists
           {bits, "permessage-deflate, permessage-deflate", "!"},
           {bits, "permessage-deflate;", "!"},
           {bits, "permessage-deflate; =1", "!"},
           {bits, "permessage-deflate server_no_context_takeover", "!"},
           {bits, "permessage-deflate; client_max_window_bits=\"9", "!"},
           {bits, "permessage deflate", "!"},
           {bits, ";", "!"},
           {bits, "", "-"},
           {bits, ", permessage-deflate,", "15 15"},
           {"Permessage-Deflate", "permessage-deflate", "!"},
           // extensions we do not know
           {"x-sum; a=b, permessage-deflate", "x-sum", "- other"},
           {"x-sum, permessage-deflate", "permessage-deflate, x-sum", "15 15 other"},
           {"permessage-deflate", "x-sum", "!"},
       })
    EXPECT_EQ(in_force(offer, answer), force) << offer << " → " << answer;
}

// Of an answer that breaks the rules and is passed on all the same: enough to read what follows.
TEST(Extensions, AnInvalidAnswerIsTakenForWhatItNames) {
  struct Row {
    const char* offer;
    const char* answer;
    bool deflate;
  };
  for (const auto& [offer, answer, deflate] : std::vector<Row>{
           {"permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits", true},
           {"permessage-deflate", "permessage-deflate; client_max_window_bits=10", true},
           {"permessage-deflate; server_max_window_bits=9", "permessage-deflate", true},
           {"permessage-deflate", "permessage-deflate; server_max_window_bits=\"9", true},
           {"permessage-deflate", "permessage-deflate; server_max_window_bits=9, permessage-deflate", true},
           {"", "permessage-deflate", true},
           {"permessage-deflate", "x-sum", false},
           {"permessage-deflate", ";", false},
       }) {
    const auto out = negotiate({offer}, {answer});
    EXPECT_FALSE(out.valid) << answer;
    EXPECT_FALSE(out.extensions.certain) << answer;
    EXPECT_TRUE(out.extensions.other) << answer;
    EXPECT_EQ(out.extensions.deflate, deflate) << answer;
    EXPECT_EQ(out.extensions.parameters.client_max_window_bits, 15) << answer;
    EXPECT_EQ(out.extensions.parameters.server_max_window_bits, 15) << answer;
    EXPECT_FALSE(out.extensions.parameters.server_no_context_takeover) << answer;
  }
  EXPECT_TRUE(negotiate({"permessage-deflate"}, {"permessage-deflate"}).extensions.certain);
}

TEST(Extensions, SeveralFieldsAreOneList) {
  EXPECT_TRUE(negotiate({"x-sum", "permessage-deflate"}, {"x-sum", "permessage-deflate"}).extensions.deflate);
  EXPECT_FALSE(negotiate({"permessage-deflate"}, {"permessage-deflate", "permessage-deflate"}).valid);
}

TEST(Extensions, AnEndlessOfferIsCut) {
  std::string offer = "permessage-deflate";
  for (int i = 0; i < 8000; ++i) offer += ",a";
  EXPECT_TRUE(negotiate({offer}, {"permessage-deflate"}).valid);
  EXPECT_FALSE(negotiate({offer + ",late"}, {"late"}).valid);
}

TEST(WithoutDeflate, TakesItOutAndLeavesTheRest) {
  EXPECT_EQ(without_deflate(""), "");
  EXPECT_EQ(without_deflate("permessage-deflate"), "");
  EXPECT_EQ(without_deflate("permessage-deflate; client_max_window_bits, permessage-deflate"), "");
  EXPECT_EQ(without_deflate("x-sum; a=\"b,permessage-deflate\", permessage-deflate ;c, y"),
            "x-sum; a=\"b,permessage-deflate\", y");
  EXPECT_EQ(without_deflate("x; a=\"\\\",permessage-deflate\",permessage-deflate"), "x; a=\"\\\",permessage-deflate\"");
  EXPECT_EQ(without_deflate("permessage-deflate-2, ,x"), "permessage-deflate-2, x");
  EXPECT_EQ(without_deflate("x; a=\"open, permessage-deflate"), "x; a=\"open, permessage-deflate");
  EXPECT_EQ(without_deflate("x; a=\"\\"), "x; a=\"\\");
}

}  // namespace
}  // namespace sockeye::wire
