// An HTTP/1.1 message head as it was received. Views point into the buffer it was parsed from.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace sockeye::model {

struct HttpField {
  std::string_view name;   // as sent; compare case-insensitively
  std::string_view value;  // without leading and trailing white space
};

struct HttpHead {
  std::string_view method;  // requests
  std::string_view target;  // requests: origin-form or absolute-form, as sent
  int status = 0;           // responses: 100 .. 599
  std::string_view reason;  // responses
  int version_minor = 1;    // HTTP/1.x
  std::vector<HttpField> fields;

  // First field of that name, case-insensitive; nullptr when absent.
  [[nodiscard]] const HttpField* find(std::string_view name) const;
  [[nodiscard]] std::string_view value(std::string_view name) const;  // "" when absent
  // True when any field `name` lists `token` (comma-separated, case-insensitive): RFC 9110 §5.6.1.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;
};

[[nodiscard]] bool iequals(std::string_view a, std::string_view b);  // ASCII case-insensitive

}  // namespace sockeye::model
