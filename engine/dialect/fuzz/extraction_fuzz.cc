// The walk without a parser gives the parser's answer, wherever it gives one.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "extraction.h"

using namespace sockeye::dialect;

namespace {

Tree make_tree() {
  Tree tree;
  for (const char* pointer : {"/t", "/a", "/a/b", "/a/0", "/0", "/1/x", "/e~1f", "/data/~json/id"})
    tree.add(*parse_pointer(pointer), false);
  tree.add(*parse_pointer("/raw"), true);
  return tree;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree tree = make_tree();
  static Extraction quick, slow;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool fast_enough = quick.fast(tree, text, nullptr);
  // Behind enough white space only the parser sees the document.
  const std::string pushed = std::string(Extraction::view, ' ') + std::string(text);
  const bool parsed = slow.read(tree, pushed, pushed.size(), nullptr) == Extraction::Outcome::done;
  if (!fast_enough) return 0;
  // What fast() steps over it only balances, and so does the parser; but the parser's first stage sees all of the text.
  if (!parsed) return 0;
  for (std::size_t slot = 0; slot < tree.slots(); ++slot)
    if (quick[slot].kind != slow[slot].kind || quick[slot].text != slow[slot].text) __builtin_trap();
  return 0;
}
