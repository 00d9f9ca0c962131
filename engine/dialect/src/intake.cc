#include "intake.h"

#include "decoders.h"

namespace sockeye::dialect {

// Where most text messages are documents as they are, the decoder is made when one is not.
Intake::Intake(Decode decode) : decode_(decode), decoder_(plain_text(decode) ? nullptr : make_decoder(decode)) {}

Decoder* Intake::of(model::Side from, model::Opcode opcode, base::Bytes message) {
  if (from == model::Side::server && !server_spoke_) {
    server_spoke_ = true;
    if (opens_sockjs(from, opcode, message) && decode_ != Decode::none) {
      decoder_ = make_sockjs_decoder(plain_text(decode_) ? nullptr : make_decoder(decode_));
      wrapped_ = true;
    }
  }
  if (decoder_ == nullptr) {
    const bool header = decode_ == Decode::content_length && !message.empty() && begins_header(message[0]);
    if (header || (decode_ == Decode::phoenix && opcode == model::Opcode::binary)) decoder_ = make_decoder(decode_);
    wrapped_ = header;
  }
  const bool aside = decode_ == Decode::phoenix && opcode == model::Opcode::text && !wrapped_;
  return aside ? nullptr : decoder_.get();
}

}  // namespace sockeye::dialect
