// Takes the payload out of a stream of frames and leaves their headers: same length, byte by byte. Of a Close the code
// stays, which is no payload of an application.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "sockeye/base/bytes.h"

namespace sockeye::capture {

class Scrubber {
 public:
  // In place.
  void scrub(base::MutableBytes stream) {
    for (base::Byte& byte : stream) {
      if (left_ == 0)
        header(byte);
      else
        payload(byte);
    }
  }
  // So many bytes are missing; none: nobody knows how many. Where that leaves the framing unknown nothing that follows
  // is kept.
  void skip(std::optional<std::uint64_t> bytes) {
    if (left_ == UINT64_MAX) return;
    code_left_ = 0;
    if (bytes && *bytes <= left_ && have_ == 0)
      left_ -= *bytes;
    else
      left_ = UINT64_MAX;
  }

 private:
  [[nodiscard]] std::size_t extended() const {
    const unsigned length = header_[1] & 0x7fU;
    return length < 126 ? 0 : length == 126 ? 2 : 8;
  }
  void header(base::Byte& byte) {
    header_[have_++] = byte;
    if (have_ > 2 + extended()) byte = 0;  // of the masking key
    const bool masked = have_ >= 2 && (header_[1] & 0x80U) != 0;
    if (have_ < 2 || have_ < 2 + extended() + (masked ? 4U : 0U)) return;
    left_ = header_[1] & 0x7fU;
    if (extended() > 0) left_ = 0;
    for (std::size_t i = 0; i < extended(); ++i) left_ = left_ << 8U | header_[2 + i];
    for (std::size_t i = 0; i < 2; ++i) key_[i] = masked ? header_[2 + extended() + i] : base::Byte{0};
    if ((left_ >> 63U) != 0) left_ = UINT64_MAX;  // a length that is none: no header follows that could be trusted
    code_left_ = (header_[0] & 0x0fU) == 8 && left_ <= 125 ? 2 : 0;
    have_ = 0;
  }
  void payload(base::Byte& byte) {
    byte = code_left_ > 0 ? static_cast<base::Byte>(byte ^ key_[2U - code_left_]) : base::Byte{0};
    if (code_left_ > 0) --code_left_;
    if (left_ != UINT64_MAX) --left_;
    if (left_ == 0) code_left_ = 0;
  }

  std::uint64_t left_ = 0;  // payload bytes of the frame still to come
  std::array<base::Byte, 14> header_{};
  std::array<base::Byte, 2> key_{};
  std::size_t have_ = 0;
  unsigned code_left_ = 0;
};

}  // namespace sockeye::capture
