// Context put into any text: taking out what was put in gives the original back; what was JSON still is; and a reader
// finds the context where the dialect says.
#include <simdjson.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "insert.h"

namespace {

using namespace sockeye::dialect;

constexpr std::string_view ours = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::array<std::string_view, 6> pointers = {"",       "/headers", "/params/_meta", "/3/customData",
                                                      "/a/0/b", "/x/y/z"};

void require(bool holds) {
  if (!holds) std::abort();
}

TracePlace place_of(std::uint8_t flags) {
  TracePlace place;
  place.at = *parse_pointer(pointers[flags % pointers.size()]);
  place.insert = TracePlace::Insert::reserved;
  if ((flags & 0x40U) != 0) place.pairs = 3;
  if ((flags & 0x80U) != 0) place.required = {{"vendorId", "io.sockeye"}};
  return place;
}

}  // namespace

// The first byte chooses the place; the rest is the document.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const TracePlace place = place_of(data[0]);
  const std::string document(reinterpret_cast<const char*>(data + 1), size - 1);
  const Insertion found = insert_context(document, place, {ours, (data[0] & 0x20U) != 0 ? "a=\"\\" : ""});
  if (found.kind == Insertion::Kind::no_place) return 0;
  const bool added = found.kind == Insertion::Kind::added;
  require(found.at <= document.size());
  std::string out = document;
  if (added) {
    out.insert(found.at, found.text);
    std::string back = out;
    require(back.erase(found.at, found.text.size()) == document);
  } else {
    require(found.text.size() == ours.size() && found.at + ours.size() <= document.size());
    out.replace(found.at, ours.size(), found.text);
  }
  simdjson::dom::parser before;
  simdjson::dom::parser after;
  simdjson::dom::element was;
  simdjson::dom::element is;
  if (before.parse(document).get(was) != simdjson::SUCCESS) return 0;  // only framed like JSON: like that it stays
  require(after.parse(out).get(is) == simdjson::SUCCESS);
  std::string_view read;
  const std::string at = std::string(pointers[data[0] % pointers.size()]) + "/traceparent";
  require(is.at_pointer(at).get(read) == simdjson::SUCCESS && read == ours);
  return 0;
}
