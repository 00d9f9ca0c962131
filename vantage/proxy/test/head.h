// Heads for tests, from text, through the real parser.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "sockeye/wire/http.h"

namespace sockeye::proxy::test {

// A head together with the bytes it views into. Lines may end in "\n"; the blank line is added.
class Head {
 public:
  explicit Head(const std::string& lines, wire::HeadParser::Kind kind = wire::HeadParser::Kind::request)
      : text_(std::make_unique<std::string>()), parser_(kind) {
    for (const char c : lines) {
      if (c == '\n' && (text_->empty() || text_->back() != '\r')) text_->push_back('\r');
      text_->push_back(c);
    }
    while (text_->ends_with("\r\n")) text_->resize(text_->size() - 2);
    text_->append("\r\n\r\n");
    EXPECT_EQ(parser_.parse(base::as_bytes(*text_)), wire::HeadParser::Progress::done)
        << parser_.failure().why << " in:\n"
        << lines;
  }
  static Head response(const std::string& lines) { return Head(lines, wire::HeadParser::Kind::response); }
  [[nodiscard]] const model::HttpHead& operator*() const { return parser_.head(); }
  [[nodiscard]] const model::HttpHead* operator->() const { return &parser_.head(); }

 private:
  std::unique_ptr<std::string> text_;
  wire::HeadParser parser_;
};

}  // namespace sockeye::proxy::test
