// What a credential is called, and what one looks like. Judged by patterns, so both ways of being wrong are possible;
// docs/signals.md says which side is preferred where.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sockeye::signal {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
inline bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
inline bool is_alpha(char c) { return is_lower(c) || is_upper(c); }

// A query parameter or header field of this name holds a credential: "access_token", "X-Amz-Signature", "apiKey",
// "client-secret". Spelling does not count: case, "-", "_", "." and camel case are the same.
[[nodiscard]] bool names_credential(std::string_view name);

// Where the first credential in the text is that shows by itself: a JSON Web Token, a key with a well-known prefix
// (sk-…, ghp_…, AKIA…), or 32 characters and more that look drawn at random.
struct TextRange {
  std::size_t begin, end;
};
[[nodiscard]] std::optional<TextRange> find_credential(std::string_view text);

}  // namespace sockeye::signal
