#include "decoder.h"

namespace sockeye::dialect {

void Documents::finish(std::uint64_t wire_bytes) {
  if (documents_.size() >= most || text_.size() > most_text) {
    text_.resize(begun_);
    ++dropped_;
    return;
  }
  documents_.push_back({.begin = begun_, .size = text_.size() - begun_, .wire_bytes = wire_bytes});
}

}  // namespace sockeye::dialect
