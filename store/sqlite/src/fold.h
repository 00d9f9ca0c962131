// Text searched without regard to the case of ASCII letters.
#pragma once

#include <algorithm>
#include <string_view>

namespace sockeye::sqlite {

[[nodiscard]] inline bool holds_folded(std::string_view text, std::string_view part) {
  const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto same = [&](char a, char b) { return fold(a) == fold(b); };
  return part.empty() || std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

}  // namespace sockeye::sqlite
