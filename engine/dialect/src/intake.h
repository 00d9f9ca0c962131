// What of a connection's messages its dialect's rules see: the messages themselves, or what the dialect's decoder makes
// of them, or what lies inside something round them that nobody announced.
#pragma once

#include <memory>

#include "decoder.h"

namespace sockeye::dialect {

class Intake {
 public:
  explicit Intake(Decode decode);
  // What reads this message, the next one. Null: nothing, it is the document itself (a binary one most often none).
  [[nodiscard]] Decoder* of(model::Side from, model::Opcode, base::Bytes message);
  // Whether messages of this kind may be read by a decoder.
  [[nodiscard]] bool decodes(model::Opcode opcode) const {
    return decode_ == Decode::phoenix && !wrapped_ ? opcode == model::Opcode::binary : decoder_ != nullptr;
  }
  [[nodiscard]] std::size_t held() const { return decoder_ ? decoder_->held() : 0; }
  // Text messages are not the documents themselves, though their dialect's may be.
  [[nodiscard]] bool wrapped() const { return wrapped_; }

 private:
  Decode decode_;
  bool server_spoke_ = false;
  bool wrapped_ = false;
  std::unique_ptr<Decoder> decoder_;
};

// A server's first message that is nothing but this is SockJS's: there is no other protocol that begins so.
[[nodiscard]] inline bool opens_sockjs(model::Side from, model::Opcode opcode, base::Bytes message) {
  return from == model::Side::server && opcode == model::Opcode::text && message.size() == 1 && message[0] == 'o';
}

// Such a message may begin with a Content-Length header.
[[nodiscard]] constexpr bool begins_header(base::Byte first) { return first == 'C' || first == 'c'; }

}  // namespace sockeye::dialect
