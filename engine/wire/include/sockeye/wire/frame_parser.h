// RFC 6455 §5, one direction, header only.
//
// Theory of operation. The caller holds the bytes it just read and pulls pieces off their front:
//
//   while (!in.empty()) { const auto piece = parser.next(in); in = in.subspan(piece.used); ... }
//
// A data frame that lies whole in the input is one piece; one that does not is a piece per input. Payload is stepped
// over, never read: a piece only says where it lies. Control frames always come whole. So a frame header and a control
// frame are the only things that may have to wait for bytes: those are held back here (at most max_held bytes) and come
// out as Piece::held once complete. What is held was not reported before, so a caller that forwards exactly what pieces
// cover never passes on half a header.
//
// Everything on the path of a well-formed frame is inline and branches the same way frame after frame: a read buffer
// full of tiny frames is the worst case for a relay's own work, and costs 9 ns a frame here (bench/engine).
//
// Wrong frames come out like right ones, with `anomaly` set, and the parser goes on as sanely as the header allows,
// because only the caller knows whether a violation ends the session. Where no header can be trusted any more (a length
// with its top bit set) it turns opaque: everything that follows is one frame that never ends.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>

#include "sockeye/base/bytes.h"
#include "sockeye/model/anomaly.h"
#include "sockeye/model/frame.h"

namespace sockeye::wire {

// What is legal in this direction.
struct FrameRules {
  model::Side sender = model::Side::client;  // a client must mask, a server must not (§5.1)
  bool deflate = false;                      // permessage-deflate in force: RSV1 on a message's first frame
  bool judge_reserved = true;                // false: an extension we do not know may use the reserved bits
  std::uint32_t fragments =
      std::numeric_limits<std::uint32_t>::max();  // frames of one message, an empty last one not counted
  std::uint64_t frame = std::numeric_limits<std::uint64_t>::max();    // payload bytes of one frame
  std::uint64_t message = std::numeric_limits<std::uint64_t>::max();  // payload bytes of one message, on the wire
};

// Undoes (or applies) the mask of §5.3: out[i] = in[i] xor key[(offset + i) mod 4]. `out` has room for in.size() bytes
// and may be in.data().
inline void unmask(base::Bytes in, std::uint32_t mask, std::uint64_t offset, base::Byte* out) {
  using Block [[gnu::vector_size(16)]] = std::uint32_t;
  static_assert(std::endian::native == std::endian::little, "the key's bytes rotate the other way round");
  const std::uint32_t key = std::rotr(mask, static_cast<int>(8U * static_cast<unsigned>(offset & 3U)));
  const Block keys = {key, key, key, key};
  std::size_t i = 0;
  for (; i + sizeof(Block) <= in.size(); i += sizeof(Block)) {
    Block block;
    std::memcpy(&block, in.data() + i, sizeof block);
    block ^= keys;
    std::memcpy(out + i, &block, sizeof block);
  }
  for (; i < in.size(); ++i) out[i] = static_cast<base::Byte>(in[i] ^ (key >> (8U * static_cast<unsigned>(i & 3U))));
}

// What the parser makes of its input, part by part.
struct Piece {
  enum class Kind : std::uint8_t {
    more,    // the input is used up: nothing to report (what it began is held back)
    data,    // a data frame, or a part of one; also a frame of no legal kind, or a control frame in no legal form
    control  // a whole Close, Ping or Pong
  };
  Kind kind = Kind::more;
  bool starts = false;                            // the frame's header is in this piece
  bool frame_done = false;                        // so is its last byte
  bool message_done = false;                      // and its message's
  model::Anomaly anomaly = model::Anomaly::none;  // the first thing wrong with the frame; only where it starts
  std::uint64_t offset = 0;                       // of `payload` in the frame's payload
  std::size_t used = 0;                           // bytes of the input this piece covers, held bytes not counted
  // When the frame began in an earlier input: its header (data) or all of it (control). Valid until the next call.
  base::Bytes held;
  base::Bytes payload;  // as on the wire, masked if header().masked; in the input, for a held control frame in `held`
};

class FrameParser {
 public:
  static constexpr std::size_t max_header = 14;
  static constexpr std::size_t max_held = 2 + 4 + 125;
  static constexpr std::uint64_t max_length = std::numeric_limits<std::uint64_t>::max() >> 1U;  // §5.2: top bit 0

  using Piece = wire::Piece;

  explicit FrameParser(const FrameRules& rules) : rules_(rules) { rules_.frame = std::min(rules_.frame, max_length); }

  // `in` is not empty. Always makes progress.
  Piece next(base::Bytes in);

  // Of the frame last started.
  [[nodiscard]] const model::FrameHeader& header() const { return header_; }
  // Of the message last started: its type, payload bytes on the wire and frames so far (those announced, not received).
  [[nodiscard]] model::Opcode message_opcode() const { return message_opcode_; }
  [[nodiscard]] bool message_compressed() const { return compressed_; }
  [[nodiscard]] std::uint64_t message_length() const { return message_length_; }
  [[nodiscard]] std::uint32_t message_frames() const { return fragments_; }
  // The frame last started is a legal part of a message (not an orphan, not a reserved opcode).
  [[nodiscard]] bool in_message_frame() const { return belongs_; }

  // Everything reported so far ends on a frame boundary: another frame may be put here. Held bytes do not count.
  [[nodiscard]] bool at_boundary() const { return left_ == 0; }
  // Bytes before the next frame's header (in an opaque stream, more than will ever come); none inside of what is held.
  [[nodiscard]] std::optional<std::uint64_t> to_next_frame() const {
    return held_size_ == 0 ? std::optional(left_) : std::nullopt;
  }
  // Inside a frame (held bytes count) or a fragmented message: what an end of the stream would cut off.
  [[nodiscard]] bool mid_frame() const { return left_ != 0 || held_size_ != 0; }
  [[nodiscard]] bool mid_message() const { return open_; }
  [[nodiscard]] bool opaque() const { return left_ == opaque_length; }
  [[nodiscard]] base::Bytes held() const { return {held_.data(), held_size_}; }
  // What is wrong with the frame whose beginning is held, whatever would have followed; what has not come counts as
  // right.
  [[nodiscard]] model::Anomaly held_anomaly() const;

  // So many bytes of the stream are missing here. True: they lie inside the frame that is under way, or end with it,
  // and `piece` stands for them, without payload. False: nobody knows what was in them; the framing is lost.
  [[nodiscard]] bool skip(std::uint64_t bytes, Piece& piece);
  // The input goes on at a frame's header, after what was not seen. Frames that continue a message from before are
  // passed over: they belong to none.
  void resume() {
    left_ = 0;
    held_size_ = 0;
    open_ = foreign_ = false;
    resumed_ = true;
    message_opcode_ = model::Opcode::continuation;
  }
  // Gives up on framing: everything from here on is one frame that never ends.
  void become_opaque() {
    left_ = opaque_length;
    held_size_ = 0;
    belongs_ = false;
  }

 private:
  static constexpr std::uint64_t opaque_length = std::numeric_limits<std::uint64_t>::max();

  static std::size_t header_size(base::Byte second) {
    const unsigned length = second & 0x7fU;
    return 2U + (length < 126 ? 0U : length == 126 ? 2U : 8U) + ((second & 0x80U) != 0 ? 4U : 0U);
  }
  // `bytes` has the whole header.
  void decode(const base::Byte* bytes);
  // Judges header_ and moves the state of the message.
  model::Anomaly begin();
  [[nodiscard]] model::Anomaly begin_odd();
  [[nodiscard]] model::Anomaly past_limit() const;
  [[nodiscard]] bool is_short_control() const {
    return header_.opcode >= model::Opcode::close && header_.opcode <= model::Opcode::pong && header_.length <= 125 &&
           minimal_;
  }
  Piece continue_payload(base::Bytes in);
  Piece hold(base::Bytes in);
  Piece next_held(base::Bytes in);
  void take(Piece& piece, base::Bytes payload_and_rest);

  FrameRules rules_;
  model::FrameHeader header_;
  std::uint64_t left_ = 0;  // payload bytes of the frame still to come
  std::uint64_t message_length_ = 0;
  std::uint32_t fragments_ = 0;
  model::Opcode message_opcode_ = model::Opcode::continuation;
  bool open_ = false;        // between a message's first frame and its last
  bool compressed_ = false;  // RSV1 on its first frame
  bool belongs_ = false;
  bool minimal_ = true;   // the length of header_ took the shortest form
  bool resumed_ = false;  // what the first frames continue was not seen
  bool foreign_ = false;  // the message under way began before resume()
  std::uint8_t held_size_ = 0;
  std::array<base::Byte, max_held> held_;
};

inline void FrameParser::decode(const base::Byte* bytes) {
  const unsigned first = bytes[0];
  const unsigned second = bytes[1];
  header_.fin = (first & 0x80U) != 0;
  header_.rsv = static_cast<std::uint8_t>((first >> 4U) & 7U);
  header_.opcode = static_cast<model::Opcode>(first & 15U);
  header_.masked = (second & 0x80U) != 0;
  header_.length = second & 0x7fU;
  minimal_ = true;
  std::size_t at = 2;
  if (header_.length >= 126) {
    if (header_.length == 126) {
      header_.length = (std::uint64_t{bytes[2]} << 8U) | bytes[3];
      minimal_ = header_.length >= 126;
      at = 4;
    } else {
      header_.length = 0;
      for (std::size_t i = 2; i < 10; ++i) header_.length = (header_.length << 8U) | bytes[i];
      minimal_ = header_.length > 0xffff;
      at = 10;
    }
  }
  header_.mask = 0;
  if (header_.masked) {
    std::memcpy(&header_.mask, bytes + at, 4);
    at += 4;
  }
  header_.size = static_cast<std::uint8_t>(at);
}

inline model::Anomaly FrameParser::begin() {
  // The plain cases: an unfragmented message, and a frame of a fragmented one, by the rules and within the limits.
  const bool starts = header_.opcode == model::Opcode::text || header_.opcode == model::Opcode::binary;
  const bool goes_on = header_.opcode == model::Opcode::continuation;
  const unsigned allowed_rsv = starts && rules_.deflate ? 4U : 0U;
  const bool right_side = header_.masked == (rules_.sender == model::Side::client);
  if ((header_.rsv & ~allowed_rsv) != 0 || !right_side || !minimal_ || header_.length > rules_.frame ||
      !((starts && !open_) || (goes_on && open_))) [[unlikely]] {
    return begin_odd();
  }
  belongs_ = starts || !foreign_;
  open_ = !header_.fin;
  if (starts) {
    message_opcode_ = header_.opcode;
    compressed_ = header_.rsv != 0;
    message_length_ = 0;
    fragments_ = 0;
  }
  message_length_ += header_.length;
  ++fragments_;
  const bool past = message_length_ > rules_.message || fragments_ > rules_.fragments;
  return past ? past_limit() : model::Anomaly::none;
}

// A data frame's payload: as much of it as the input has.
inline void FrameParser::take(Piece& piece, base::Bytes rest) {
  const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(header_.length, rest.size()));
  piece.payload = rest.first(n);
  piece.used += n;
  left_ = header_.length - n;
  piece.frame_done = left_ == 0;
  piece.message_done = piece.frame_done && header_.fin && belongs_;
}

inline FrameParser::Piece FrameParser::continue_payload(base::Bytes in) {
  Piece piece;
  piece.kind = Piece::Kind::data;
  const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
  piece.used = n;
  piece.payload = in.first(n);
  if (opaque()) return piece;
  piece.offset = header_.length - left_;
  left_ -= n;
  piece.frame_done = left_ == 0;
  piece.message_done = piece.frame_done && header_.fin && belongs_;
  return piece;
}

[[gnu::always_inline]] inline FrameParser::Piece FrameParser::next(base::Bytes in) {
  if (left_ != 0) return continue_payload(in);
  if (held_size_ != 0) [[unlikely]]
    return next_held(in);
  if (in.size() < 2 || in.size() < header_size(in[1])) [[unlikely]]
    return hold(in);
  decode(in.data());
  Piece piece;
  piece.starts = true;
  const base::Bytes rest = in.subspan(header_.size);
  piece.used = header_.size;
  if (is_short_control()) {
    if (rest.size() < header_.length) [[unlikely]]
      return hold(in);
    piece.kind = Piece::Kind::control;
    piece.anomaly = begin_odd();
    piece.payload = rest.first(static_cast<std::size_t>(header_.length));
    piece.used += piece.payload.size();
    piece.frame_done = true;
    return piece;
  }
  piece.kind = Piece::Kind::data;
  piece.anomaly = begin();
  if (opaque()) [[unlikely]] {
    piece.payload = rest;
    piece.used = in.size();
    return piece;
  }
  take(piece, rest);
  return piece;
}

}  // namespace sockeye::wire
