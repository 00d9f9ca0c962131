// What detection and interpretation have in common.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "program_parts.h"

namespace sockeye::dialect {

// As Program::handshake lists them; none: the handshake has no such thing.
using HandshakeValues = std::vector<std::optional<std::string>>;
[[nodiscard]] HandshakeValues read_handshake(const Program&, const HandshakeView&);
// One of them, as a view into the handshake.
[[nodiscard]] std::optional<std::string_view> read_handshake(const HandshakeValue&, const HandshakeView&);

// All of the matchers.
[[nodiscard]] bool satisfies(const std::vector<Matcher>&, const Value&);

// Text that an extractor builds, valid while a message is read. Fixed: what does not fit is absent.
class Scratch {
 public:
  void clear() { used_ = 0; }
  char* take(std::size_t size) {
    if (size > room_.size() - used_) return nullptr;
    char* const at = room_.data() + used_;
    used_ += size;
    return at;
  }

 private:
  std::array<char, 8192> room_;
  std::size_t used_ = 0;
};

struct Workspace::Parts {
  Extraction document, element, splitter;
  Documents documents;
  Scratch scratch;
  std::vector<base::Byte> staged;
};

}  // namespace sockeye::dialect
