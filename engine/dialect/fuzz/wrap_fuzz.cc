// What wraps messages, against hostile peers: SockJS's frames, Content-Length headers, Phoenix's binary frames. Input:
// a byte picks the decoder, and with the bits above which side sends what; one is the size of pieces; then messages as
// they come (each: length byte, bytes).
//
// What holds: documents are bounded, and what the decoder writes itself is one balanced value; what is behind headers
// is the same however it is cut; a text in a SockJS string comes out as it went in.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "../src/decoder.h"
#include "../src/decoders.h"
#include "sockeye/base/utf8.h"

namespace {

using namespace sockeye;
using namespace sockeye::dialect;
using model::Opcode;
using model::Side;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Reader {
  explicit Reader(std::unique_ptr<Decoder> made) : decoder(std::move(made)) {}
  bool say(Side from, Opcode opcode, base::Bytes message) {
    out.clear();
    const bool good = decoder->decode(from, opcode, message, out);
    std::size_t text = 0;
    for (const auto& each : out.documents()) {
      text += each.size;
      documents.emplace_back(out[each]);
    }
    require(text <= Documents::most_text && out.documents().size() <= Documents::most);
    return good;
  }
  std::unique_ptr<Decoder> decoder;
  Documents out;
  std::vector<std::string> documents;
};

void sockjs(Side from, base::Bytes message) {
  static Reader stomp(make_sockjs_decoder(make_decoder(Decode::stomp)));
  stomp.say(from, Opcode::text, message);
  Reader any(make_sockjs_decoder(nullptr));
  any.say(from, Opcode::text, message);
  Reader sent(make_sockjs_decoder(nullptr));
  const std::string_view text = base::as_text(message);
  std::string frame = from == Side::server ? "a[" : "[";
  append_json(frame, text);
  frame += ']';
  require(sent.say(from, Opcode::text, base::as_bytes(frame)));
  const bool whole = base::valid_utf8_prefix(text) == text.size();
  require(sent.documents.size() == 1 && (!whole || sent.documents[0] == text));
}

void phoenix(Side from, base::Bytes message) {
  Reader reader(make_phoenix_decoder());
  const bool good = reader.say(from, Opcode::binary, message);
  require(good == (reader.documents.size() == 1));
  for (const std::string& each : reader.documents) require(is_one_value(each) && each.front() == '[');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const unsigned pattern = data[0] >> 2U;
  const std::size_t piece = 1U + data[1];
  base::Bytes rest{data + 2, size - 2};
  Reader headers(make_content_length_decoder());
  std::string stream;
  std::vector<std::string> bodies;
  for (unsigned turn = 0; !rest.empty(); ++turn) {
    const std::size_t n = std::min<std::size_t>(rest[0], rest.size() - 1);
    const base::Bytes message = rest.subspan(1, n);
    rest = rest.subspan(1 + n);
    const auto from = static_cast<Side>((pattern >> (turn % 6U)) & 1U);
    switch (data[0] & 3U) {
      case 0:
        sockjs(from, message);
        break;
      case 1:
        phoenix(from, message);
        break;
      default:
        headers.say(from, Opcode::text, message);
        if (message.empty()) break;
        stream += "Content-Length: " + std::to_string(n) + "\r\n\r\n";
        stream += base::as_text(message);
        bodies.emplace_back(base::as_text(message));
    }
  }
  Reader pieces(make_content_length_decoder());
  for (std::size_t at = 0; at < stream.size(); at += piece)
    require(pieces.say(Side::client, Opcode::text, base::as_bytes(std::string_view(stream).substr(at, piece))));
  require(pieces.documents == bodies);
  return 0;
}
