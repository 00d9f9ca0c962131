// The rare paths of the parser: frames that break a rule, and frames that come in pieces too small to read.
#include "sockeye/wire/frame_parser.h"

namespace sockeye::wire {

using model::Anomaly;
using model::Opcode;

// Control frames, and every data frame that is not plainly right. One anomaly a frame: the first, in the order in which
// the header states it.
Anomaly FrameParser::begin_odd() {
  const bool starts = header_.opcode == Opcode::text || header_.opcode == Opcode::binary;
  const bool goes_on = header_.opcode == Opcode::continuation;
  const bool control = header_.opcode >= Opcode::close && header_.opcode <= Opcode::pong;

  Anomaly found = Anomaly::none;
  const auto note = [&found](bool wrong, Anomaly kind) {
    if (wrong && found == Anomaly::none) found = kind;
  };
  const unsigned allowed_rsv = starts && rules_.deflate ? 4U : 0U;
  note(rules_.judge_reserved && (header_.rsv & ~allowed_rsv) != 0, Anomaly::reserved_bits);
  note(!starts && !goes_on && !control, Anomaly::reserved_opcode);
  note(rules_.sender == model::Side::client && !header_.masked, Anomaly::unmasked_client_frame);
  note(rules_.sender == model::Side::server && header_.masked, Anomaly::masked_server_frame);
  const bool unreadable = (header_.length >> 63U) != 0;
  note(unreadable, Anomaly::length_too_large);
  note(!minimal_, Anomaly::length_not_minimal);
  note(control && header_.length > 125, Anomaly::control_too_long);
  note(control && !header_.fin, Anomaly::control_fragmented);
  // Nothing has begun since resume(): it continues what was not seen.
  const bool foreign = resumed_ && goes_on && !open_ && message_opcode_ == Opcode::continuation;
  note(goes_on && !open_ && !foreign, Anomaly::orphan_continuation);
  note(starts && open_, Anomaly::interleaved_message);
  note(header_.length > rules_.frame, Anomaly::frame_too_large);

  if (unreadable) {
    become_opaque();
    return found;
  }
  if (is_short_control()) return found;  // leaves the message it may interrupt alone
  if (foreign) {
    foreign_ = true;
    open_ = !header_.fin;
  }
  belongs_ = starts || (goes_on && open_ && !foreign_);
  if (!belongs_) return found;
  if (starts) {  // one that interrupts an unfinished message replaces it
    foreign_ = false;
    message_opcode_ = header_.opcode;
    compressed_ = rules_.deflate && (header_.rsv & 4U) != 0;
    message_length_ = 0;
    fragments_ = 0;
  }
  const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - message_length_;
  message_length_ += std::min(header_.length, room);
  ++fragments_;
  open_ = !header_.fin;
  if (found == Anomaly::none) found = past_limit();
  return found;
}

// One anomaly a message and limit: the frame that crosses it, not those behind.
Anomaly FrameParser::past_limit() const {
  if (message_length_ > rules_.message && message_length_ - header_.length <= rules_.message)
    return Anomaly::message_too_large;
  // An empty last frame is no fragment of anything: how senders end a message whose end they did not know beforehand.
  const bool only_ends = header_.fin && header_.length == 0;
  if (fragments_ > rules_.fragments && fragments_ - 1 == rules_.fragments && !only_ends)
    return Anomaly::too_many_fragments;
  return Anomaly::none;
}

bool FrameParser::skip(std::uint64_t bytes, Piece& piece) {
  if (bytes == 0 || held_size_ != 0 || left_ < bytes) return false;
  piece = {};
  piece.kind = Piece::Kind::data;
  if (opaque()) return true;
  piece.offset = header_.length - left_;
  left_ -= bytes;
  piece.frame_done = left_ == 0;
  piece.message_done = piece.frame_done && header_.fin && belongs_;
  return true;
}

Anomaly FrameParser::held_anomaly() const {
  if (held_size_ == 0) return Anomaly::none;
  std::array<base::Byte, max_header> header{};
  if (rules_.sender == model::Side::client) header[1] = 0x80;
  const unsigned length = (held_size_ > 1 ? held_[1] : 0U) & 0x7fU;
  if (length == 126) header[3] = 126;
  if (length == 127) header[7] = 1;  // 65,536: the least that is minimal
  std::copy_n(held_.begin(), std::min<std::size_t>(held_size_, header.size()), header.begin());
  FrameParser whole = *this;
  whole.decode(header.data());
  return whole.begin_odd();
}

FrameParser::Piece FrameParser::hold(base::Bytes in) {
  std::memcpy(held_.data(), in.data(), in.size());  // an incomplete header or control frame: shorter than max_held
  held_size_ = static_cast<std::uint8_t>(in.size());
  Piece piece;
  piece.used = in.size();
  return piece;
}

FrameParser::Piece FrameParser::next_held(base::Bytes in) {
  Piece piece;
  const auto fill = [&](std::size_t size) {
    if (held_size_ < size) {
      const std::size_t n = std::min(size - held_size_, in.size() - piece.used);
      std::memcpy(held_.data() + held_size_, in.data() + piece.used, n);
      held_size_ = static_cast<std::uint8_t>(held_size_ + n);
      piece.used += n;
    }
    return held_size_ >= size;
  };
  if (!fill(2) || !fill(header_size(held_[1]))) return piece;
  decode(held_.data());
  const bool control = is_short_control();
  if (control && !fill(header_.size + static_cast<std::size_t>(header_.length))) return piece;

  piece.starts = true;
  piece.held = {held_.data(), held_size_};
  held_size_ = 0;
  if (control) {
    piece.kind = Piece::Kind::control;
    piece.anomaly = begin_odd();
    piece.payload = piece.held.subspan(header_.size);
    piece.frame_done = true;
    return piece;
  }
  piece.kind = Piece::Kind::data;
  piece.anomaly = begin();
  if (opaque()) {
    piece.payload = in.subspan(piece.used);
    piece.used = in.size();
    return piece;
  }
  take(piece, in.subspan(piece.used));
  return piece;
}

}  // namespace sockeye::wire
