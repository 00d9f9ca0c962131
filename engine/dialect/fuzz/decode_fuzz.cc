// Decoders against hostile peers. Input: one byte picks the decoder (two bits) and, with the bits above, which side
// sends what; one is the size of pieces; then messages as they come (each: length byte, bytes).
//
// What holds: a document of one balanced value of known members (whatever JSON lies in it cannot add any), all of them
// bounded; for protocols that are streams of bytes, the same however the stream is cut.
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "../src/decoder.h"
#include "../src/decoders.h"

namespace {

using namespace sockeye;
using namespace sockeye::dialect;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::array<Decode, 4> kinds{Decode::records, Decode::socket_io, Decode::stomp, Decode::mqtt};

const std::set<std::string_view> known{"eio",         "type",         "ns",         "ack",          "event",
                                       "attachments", "data",         "command",    "headers",      "body_bytes",
                                       "body",        "packet",       "version",    "client_id",    "keep_alive",
                                       "clean",       "will",         "properties", "reason",       "session_present",
                                       "id",          "topic",        "qos",        "retain",       "dup",
                                       "filters",     "filter_count", "reasons",    "payload_bytes"};

void check(Decode kind, std::string_view text) {
  if (kind == Decode::records) return;
  require(is_one_value(text) && text.front() == '{');
  static simdjson::dom::parser parser;
  simdjson::dom::object object;
  const bool parsed = parser.parse(text.data(), text.size()).get_object().get(object) == simdjson::SUCCESS;
  require(parsed || kind == Decode::socket_io || kind == Decode::stomp);  // these carry a peer's JSON
  if (!parsed) return;
  std::set<std::string_view> seen;
  for (const auto member : object) {
    require(known.count(member.key) == 1);
    require(seen.insert(member.key).second);
  }
}

struct Heard {
  std::vector<std::string> documents;
  bool good = true;
};

class Peer {
 public:
  explicit Peer(Decode kind) : kind_(kind), decoder_(make_decoder(kind)) {}
  void say(model::Side side, base::Bytes message) {
    out_.clear();
    if (stopped_) return;
    // Binary for MQTT; Socket.IO sends both.
    const bool binary = kind_ == Decode::mqtt || (kind_ == Decode::socket_io && !message.empty() && message[0] > 0x7f);
    const bool good = decoder_->decode(side, binary ? model::Opcode::binary : model::Opcode::text, message, out_);
    require(out_.documents().size() <= Documents::most);
    std::size_t text = 0;
    for (const auto& d : out_.documents()) {
      check(kind_, out_[d]);
      text += d.size;
      if (out_[d] == R"({"command":"heartbeat"})") continue;  // these tell where messages begin
      heard_[model::index(side)].documents.push_back(std::to_string(d.wire_bytes) + ' ' + std::string(out_[d]));
    }
    require(text <= Documents::most_text);
    if (!good) heard_[model::index(side)].good = false;
    // Where MQTT goes on behind a fault depends on where the next message begins.
    stopped_ = stopped_ || (!good && kind_ == Decode::mqtt);
  }
  [[nodiscard]] const Heard& heard(model::Side side) const { return heard_[model::index(side)]; }

 private:
  Decode kind_;
  std::unique_ptr<Decoder> decoder_;
  Documents out_;
  std::array<Heard, 2> heard_;
  bool stopped_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Decode kind = kinds[data[0] & 3U];
  const unsigned pattern = data[0] >> 2U;  // a bit a message: the server's
  const std::size_t piece = 1U + data[1];
  base::Bytes rest{data + 2, size - 2};
  Peer whole(kind);
  Peer pieces(kind);
  for (unsigned turn = 0; !rest.empty(); ++turn) {
    const std::size_t n = std::min<std::size_t>(rest[0], rest.size() - 1);
    const base::Bytes message = rest.subspan(1, n);
    rest = rest.subspan(1 + n);
    const auto side = static_cast<model::Side>((pattern >> (turn % 6U)) & 1U);
    whole.say(side, message);
    if (kind == Decode::socket_io) continue;  // not a stream
    for (std::size_t at = 0; at < n; at += piece) pieces.say(side, message.subspan(at, std::min(piece, n - at)));
  }
  if (kind == Decode::socket_io) return 0;
  for (const auto side : {model::Side::client, model::Side::server}) {
    require(whole.heard(side).documents == pieces.heard(side).documents);
    require(whole.heard(side).good == pieces.heard(side).good);
  }
  return 0;
}
