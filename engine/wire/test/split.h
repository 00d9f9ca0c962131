// The ways a stream reaches a reader: whole, cut in two at every byte, and byte by byte.
#pragma once

#include <string>
#include <vector>

namespace sockeye::wire {

template <class Visit>
void for_each_split(const std::string& text, Visit visit) {
  visit(std::vector<std::string>{text});
  for (std::size_t at = 1; at < text.size(); ++at) visit(std::vector<std::string>{text.substr(0, at), text.substr(at)});
  std::vector<std::string> bytes;
  for (const char c : text) bytes.emplace_back(1, c);
  if (!bytes.empty()) visit(bytes);
}

}  // namespace sockeye::wire
