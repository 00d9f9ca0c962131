// The golden exchanges of engine/dialect/golden: what each built-in dialect makes of messages as its protocol sends
// them. NAME.jsonl, or NAME~more.jsonl, has the messages, and NAME.expected.jsonl what `sockeye dialect test` says of
// them. After a change of rules that is meant: sockeye dialect test NAME NAME.jsonl --format json, and read every line.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "dialect_command.h"
#include "sockeye/dialect/registry.h"

namespace sockeye::app::testing {
namespace {

namespace fs = std::filesystem;

const fs::path dialects = fs::path(SOCKEYE_SOURCE_DIR) / "engine/dialect";

std::string read(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Golden {
  fs::path samples, expected;
  std::string dialect;
};

const std::vector<Golden>& goldens() {
  static const std::vector<Golden> all = [] {
    std::vector<Golden> found;
    for (const auto& entry : fs::directory_iterator(dialects / "golden")) {
      const std::string name = entry.path().filename();
      if (!name.ends_with(".jsonl") || name.ends_with(".expected.jsonl")) continue;
      const std::string stem = name.substr(0, name.size() - std::string_view(".jsonl").size());
      found.push_back({.samples = entry.path(),
                       .expected = dialects / "golden" / (stem + ".expected.jsonl"),
                       .dialect = stem.substr(0, stem.find('~'))});
    }
    std::sort(found.begin(), found.end(), [](const Golden& a, const Golden& b) { return a.samples < b.samples; });
    return found;
  }();
  return all;
}

// What the command prints.
std::string run(const std::string& dialect, const fs::path& samples, const std::string& target = "",
                const std::string& subprotocol = "") {
  DialectCommand command;
  command.verb = DialectCommand::Verb::test;
  command.name = dialect;
  command.samples = samples;
  command.format = "json";
  command.target = target;
  command.subprotocol = subprotocol;
  const std::ostringstream out;
  std::streambuf* const before = std::cout.rdbuf(out.rdbuf());
  EXPECT_EQ(run_dialect(command), 0) << dialect << " on " << samples;
  std::cout.rdbuf(before);
  return out.str();
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

TEST(Golden, EveryDialectDoesWithItsMessagesWhatWasReviewed) {
  ASSERT_FALSE(goldens().empty());
  for (const Golden& golden : goldens()) {
    const std::vector<std::string> is = lines(run(golden.dialect, golden.samples));
    const std::vector<std::string> should = lines(read(golden.expected));
    for (std::size_t i = 0; i < std::max(is.size(), should.size()); ++i) {
      const std::string a = i < is.size() ? is[i] : "(nothing)";
      const std::string b = i < should.size() ? should[i] : "(nothing)";
      ASSERT_EQ(a, b) << golden.expected << ":" << i + 1;
    }
  }
}

// Wherever a program looks, rules are compiled in; a file that does not compile would be missing without a word.
TEST(Golden, EveryDialectIsListedTitledAndHasAnExchange) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(dialects / "rules")) {
    if (entry.path().extension() != ".yaml") continue;
    const std::string name = entry.path().stem();
    files.push_back(name);
    const auto compiled = dialect::compile(read(entry.path()), entry.path().filename().string());
    ASSERT_TRUE(compiled) << compiled.error().message;
    EXPECT_EQ(dialect::name(**compiled), name) << "the file has another name than its dialect";
    EXPECT_FALSE(dialect::title(**compiled).empty()) << name;
    EXPECT_NE(dialect::find(dialect::built_in(), name), nullptr) << name << " is not built in";
    EXPECT_TRUE(std::any_of(goldens().begin(), goldens().end(), [&](const Golden& g) { return g.dialect == name; }))
        << "golden/" << name << ".jsonl is missing";
  }
  EXPECT_EQ(files.size(), dialect::built_in().size());
  for (const Golden& golden : goldens())
    EXPECT_NE(dialect::find(dialect::built_in(), golden.dialect), nullptr) << golden.samples;
}

std::string detected(const std::string& out) {
  const std::string last = lines(out).back();
  const std::string before = "\"dialect\":\"";
  const auto at = last.find(before);
  return at == std::string::npos
             ? ""
             : last.substr(at + before.size(), last.find('"', at + before.size()) - at - before.size());
}

// By its handshake and first messages; and by the messages alone it is taken for itself or for nothing.
TEST(Golden, EveryExchangeIsDetectedAsItsOwnDialect) {
  for (const Golden& golden : goldens()) {
    EXPECT_EQ(detected(run("auto", golden.samples)), golden.dialect) << golden.samples;
    const std::string alone = detected(run("auto", golden.samples, "/", "-"));
    EXPECT_TRUE(alone == golden.dialect || alone == "none") << golden.samples << " is taken for " << alone;
  }
}

// Nothing is unknown while it is not known what is spoken.
TEST(Golden, AMessageThatMayStillTellTheDialectIsUndecided) {
  const std::vector<std::string> said = lines(run("auto", dialects / "golden" / "jsonrpc~content-length.jsonl"));
  EXPECT_EQ(said.front(), R"({"line":2,"dir":"c2s","rule":null,"effects":["undecided"]})");
  EXPECT_NE(said.back().find(R"("unmatched":0)"), std::string::npos) << said.back();
  // Until there have been enough that did not.
  const fs::path folder = fs::path(::testing::TempDir());
  std::ofstream out(folder / "undecided.jsonl");
  for (int i = 0; i < 9; ++i) out << R"({"dir":"c2s","text":"{}"})" << '\n';
  out.close();
  const std::vector<std::string> nothing = lines(run("auto", folder / "undecided.jsonl"));
  EXPECT_EQ(nothing[6], R"({"line":7,"dir":"c2s","rule":null,"effects":["undecided"]})");
  EXPECT_EQ(nothing[7], R"({"line":8,"dir":"c2s","rule":null,"effects":[]})");
}

// Rules that read another protocol's messages and see invocations in them, because both use the same words.
struct Shared {
  std::string_view dialect;  // whose rules
  std::string_view golden;   // whose messages
  std::string_view why;
};
constexpr std::array<Shared, 11> shared = {{
    {"openai-responses", "openai-realtime", "one family: response.create, response.output_item.done"},
    {"openai-realtime", "openai-responses", "one family: response.create, response.output_item.done"},
    {"jsonrpc", "cdp", "CDP is JSON-RPC without its version"},
    {"cdp", "jsonrpc", "CDP is JSON-RPC without its version"},
    {"graphql-ws-legacy", "graphql-transport-ws", "both begin with connection_init"},
    {"graphql-transport-ws", "graphql-ws-legacy", "both begin with connection_init"},
    {"phoenix", "ocpp-j", "arrays of unlike things, decided by the handshake"},
    {"ocpp-j", "phoenix", "arrays of unlike things, decided by the handshake"},
    {"wamp", "phoenix", "arrays of unlike things, decided by the handshake"},
    {"phoenix", "wamp", "arrays of unlike things, decided by the handshake"},
    {"ocpp-j", "wamp", "arrays of unlike things, decided by the handshake"},
}};

TEST(Golden, NoDialectSeesInvocationsInMessagesOfAnother) {
  std::vector<bool> seen(shared.size());
  for (const Golden& golden : goldens()) {
    for (const auto& program : dialect::built_in()) {
      const std::string_view name = dialect::name(*program);
      if (name == golden.dialect) continue;
      const std::string out = run(std::string(name), golden.samples);
      const bool invents =
          out.find("{\"invocation\":") != std::string::npos || out.find("{\"left_open\":0,") == std::string::npos;
      const auto known = std::find_if(shared.begin(), shared.end(),
                                      [&](const Shared& s) { return s.dialect == name && s.golden == golden.dialect; });
      if (known == shared.end()) {
        EXPECT_FALSE(invents) << name << " on " << golden.samples;
      } else if (invents) {
        seen[static_cast<std::size_t>(known - shared.begin())] = true;
      }
    }
  }
  for (std::size_t i = 0; i < shared.size(); ++i)
    EXPECT_TRUE(seen[i]) << shared[i].dialect << " on " << shared[i].golden << " is in the table for nothing";
}

// What `samples` begin with, tried with rules that take an attribute from the handshake.
class Handshake : public ::testing::Test {
 protected:
  int test(const std::string& samples, const std::string& target = "") {
    const fs::path folder = fs::path(::testing::TempDir());
    std::ofstream(folder / "handshake.yaml") << "dialect: x\nrules: [{do: [{open: {op: x, attrs: {q: $query.q, s: "
                                                "$subprotocol}}}, {end: {to: {op: x}}}]}]\n";
    std::ofstream(folder / "handshake.jsonl") << samples;
    DialectCommand command;
    command.verb = DialectCommand::Verb::test;
    command.name = folder / "handshake.yaml";
    command.samples = folder / "handshake.jsonl";
    command.format = "json";
    command.target = target;
    std::ostringstream out, err;
    std::streambuf* const out_before = std::cout.rdbuf(out.rdbuf());
    std::streambuf* const err_before = std::cerr.rdbuf(err.rdbuf());
    const int status = run_dialect(command);
    std::cout.rdbuf(out_before);
    std::cerr.rdbuf(err_before);
    said = out.str() + err.str();
    return status;
  }
  [[nodiscard]] bool says(std::string_view what) const { return said.find(what) != std::string::npos; }
  std::string said;
  const std::string message = R"({"dir":"c2s","text":"{}"})"
                              "\n";
};

TEST_F(Handshake, IsTheFirstLineAndFlagsWin) {
  const std::string first = R"({"handshake":{"target":"/a?q=1","subprotocol":"sub"}})"
                            "\n";
  EXPECT_EQ(test(first + message), 0);
  EXPECT_TRUE(says(R"("q":"1")")) << said;
  EXPECT_TRUE(says(R"("s":"sub")")) << said;
  EXPECT_EQ(test(first + message, "/a?q=2"), 0);
  EXPECT_TRUE(says(R"("q":"2")")) << said;
  EXPECT_EQ(test(message + first), 2) << "a handshake behind a message";
}

TEST_F(Handshake, ThatIsNoneIsRefusedWithItsLine) {
  EXPECT_EQ(test(R"({"handshake":"/a"})"
                 "\n" +
                 message),
            2);
  EXPECT_TRUE(says(R"(:1: "handshake" must be an object)")) << said;
  EXPECT_EQ(test(R"({"handshake":{"path":"/a"}})"
                 "\n" +
                 message),
            2);
  EXPECT_TRUE(says("target")) << said;
}

}  // namespace
}  // namespace sockeye::app::testing
