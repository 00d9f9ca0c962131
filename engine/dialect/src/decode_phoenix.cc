// Phoenix's binary frames (serializer version 2): a kind, the sizes of what follows, a byte each, then the texts and
// the payload, which is the rest. Text messages are documents as they are; a binary one becomes a document of the same
// shape, [join_ref, ref, topic, event, payload], its payload only counted:
//
//   0 push      c2s  join_ref ref topic event       ["1","7","room:a","blob",{"bytes":3}]
//               s2c  join_ref topic event           ["1",null,"room:a","blob",{"bytes":3}]
//   1 reply     s2c  join_ref ref topic status      ["1","7","room:a","phx_reply",{"status":"ok","bytes":3}]
//   2 broadcast s2c  topic event                    [null,null,"room:a","blob",{"bytes":3}]
//
// and Supabase's, whose event is the application's, inside the event "broadcast":
//
//   3 push      c2s  join_ref ref topic event metadata, and a byte for the payload's encoding
//   4 broadcast s2c  topic event metadata, and that byte
//               [null,null,"realtime:a","broadcast",{"event":"cursor","bytes":3}]
//
// What is empty is null. False: no such kind from that side, shorter than its sizes say, without a topic or an event,
// or with control characters where names are: audio that another protocol sends may begin as a frame does.
#include <algorithm>
#include <array>

#include "decoders.h"

namespace sockeye::dialect {
namespace {

enum class Part : std::uint8_t { end, join_ref, ref, topic, event, status, user_event, metadata, encoding };

// In the order of their sizes.
using Parts = std::array<Part, 8>;

const Parts* parts_of(std::uint8_t kind, model::Side from) {
  using enum Part;
  static constexpr Parts asked{join_ref, ref, topic, event};
  static constexpr Parts told{join_ref, topic, event};
  static constexpr Parts reply{join_ref, ref, topic, status};
  static constexpr Parts broadcast{topic, event};
  static constexpr Parts user_push{join_ref, ref, topic, user_event, metadata, encoding};
  static constexpr Parts user_broadcast{topic, user_event, metadata, encoding};
  const bool client = from == model::Side::client;
  switch (kind) {
    case 0:
      return client ? &asked : &told;
    case 1:
      return client ? nullptr : &reply;
    case 2:
      return client ? nullptr : &broadcast;
    case 3:
      return client ? &user_push : nullptr;
    case 4:
      return client ? nullptr : &user_broadcast;
    default:
      return nullptr;
  }
}

bool is_name(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

class Phoenix final : public Decoder {
 public:
  bool decode(model::Side from, model::Opcode /*opcode*/, base::Bytes plain, Documents& out) override {
    const Parts* const parts = plain.empty() ? nullptr : parts_of(plain[0], from);
    if (parts == nullptr) return false;
    std::array<std::string_view, 9> texts;  // by part
    std::size_t count = 0;
    while (count < parts->size() && (*parts)[count] != Part::end) ++count;
    if (plain.size() < 1 + count) return false;
    std::string_view rest = base::as_text(plain.subspan(1 + count));
    for (std::size_t i = 0; i < count; ++i) {
      if ((*parts)[i] == Part::encoding) continue;  // no size: the byte is what it says
      const std::size_t size = plain[1 + i];
      if (size > rest.size()) return false;
      const std::string_view text = rest.substr(0, size);
      if (!is_name(text)) return false;
      texts[static_cast<std::size_t>((*parts)[i])] = text;
      rest.remove_prefix(size);
    }
    const auto text = [&](Part part) { return texts[static_cast<std::size_t>(part)]; };
    const std::string_view what = text(plain[0] == 1 ? Part::status : plain[0] > 2 ? Part::user_event : Part::event);
    if (text(Part::topic).empty() || what.empty()) return false;
    out.begin();
    std::string& to = out.text();
    to += '[';
    put(to, text(Part::join_ref));
    to += ',';
    put(to, text(Part::ref));
    to += ',';
    append_json(to, text(Part::topic));
    if (plain[0] == 1)
      to += R"(,"phx_reply",{"status":)";
    else if (plain[0] > 2)
      to += R"(,"broadcast",{"event":)";
    else
      to += ',';
    append_json(to, what);
    to += plain[0] == 1 || plain[0] > 2 ? R"(,"bytes":)" : R"(,{"bytes":)";
    append_number(to, rest.size());
    to += "}]";
    out.finish(plain.size());
    return true;
  }

 private:
  static void put(std::string& to, std::string_view text) {
    if (text.empty())
      to += "null";
    else
      append_json(to, text);
  }
};

}  // namespace

std::unique_ptr<Decoder> make_phoenix_decoder() { return std::make_unique<Phoenix>(); }

}  // namespace sockeye::dialect
