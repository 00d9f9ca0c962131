#include "log.h"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace sockeye::app {
namespace {

constexpr std::uint64_t at = 1772368496009;

TEST(Log, TextLinesCannotBeForged) {
  EXPECT_EQ(log_line(config::LogFormat::text, at, "warn", "route calls: gone"),
            "2026-03-01T12:34:56.009Z warn  route calls: gone");
  EXPECT_EQ(log_line(config::LogFormat::text, at, "error", "a\nb\x1b[2J\x7f\xff ü \xc2\x9b"),
            "2026-03-01T12:34:56.009Z error a\\x0ab\\x1b[2J\\x7f\uFFFD ü \\x9b");
}

TEST(Log, JsonLinesAreJson) {
  const auto line = log_line(config::LogFormat::json, at, "info", "quote \" backslash \\ break \n bad \xff");
  EXPECT_EQ(line.find('\n'), std::string::npos);
  simdjson::dom::parser parser;
  simdjson::dom::element out;
  ASSERT_FALSE(parser.parse(line).get(out)) << line;
  EXPECT_EQ(std::string_view(out["time"]), "2026-03-01T12:34:56.009Z");
  EXPECT_EQ(std::string_view(out["level"]), "info");
  EXPECT_EQ(std::string_view(out["message"]), "quote \" backslash \\ break \n bad \uFFFD");
}

}  // namespace
}  // namespace sockeye::app
