// docs/writing-a-dialect.md shows what really happens.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

namespace {

std::string read(const std::string& path) {
  std::ifstream file(std::string(SOCKEYE_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string block(const std::string& page, const std::string& fence) {
  const std::size_t begin = page.find("```" + fence + "\n");
  EXPECT_NE(begin, std::string::npos) << fence;
  const std::size_t from = begin + 4 + fence.size();
  return page.substr(from, page.find("```", from) - from);
}

std::string run(const std::string& command) {
  std::string out;
  FILE* const pipe = ::popen(("cd " SOCKEYE_SOURCE_DIR " && " + command).c_str(), "r");
  std::array<char, 4096> buffer{};
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) out.append(buffer.data(), n);
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return out;
}

TEST(WritingADialect, ThePageShowsTheFilesAndTheirOutput) {
  const std::string page = read("docs/writing-a-dialect.md");
  EXPECT_EQ(block(page, "yaml"), read("docs/examples/parrot/parrot.yaml"));
  EXPECT_TRUE(read("docs/examples/parrot/samples.jsonl").starts_with(block(page, "json")));
  std::string shown = block(page, "console");
  const std::size_t end = shown.find('\n');
  const std::string command = shown.substr(0, end);
  ASSERT_TRUE(command.starts_with("$ sockeye "));
  EXPECT_EQ(run(SOCKEYE_BINARY + command.substr(9)), shown.substr(end + 1));
}

TEST(WritingADialect, EveryVerbOfTheProgramIsOnThePage) {
  const std::string page = read("docs/writing-a-dialect.md");
  for (const char* verb : {"open", "accept", "bind", "chunk", "attrs", "note", "cancel", "end", "event", "session",
                           "media", "beat", "error"})
    EXPECT_NE(page.find("| `" + std::string(verb) + "` |"), std::string::npos) << verb;
}

}  // namespace
