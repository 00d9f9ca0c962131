#include "sockeye/wire/frame_writer.h"

#include <gtest/gtest.h>

#include <string>

#include "sockeye/wire/frame_parser.h"

namespace sockeye::wire {
namespace {

using model::Opcode;
using model::Side;

std::string payload_of(const ControlFrame& frame, Side sender, Opcode opcode) {
  FrameParser parser({.sender = sender});
  const auto piece = parser.next(frame.view());
  EXPECT_EQ(piece.kind, FrameParser::Piece::Kind::control);
  EXPECT_EQ(piece.used, frame.size);
  EXPECT_EQ(piece.anomaly, model::Anomaly::none);
  EXPECT_EQ(parser.header().opcode, opcode);
  std::string plain(piece.payload.size(), '\0');
  unmask(piece.payload, parser.header().mask, 0, reinterpret_cast<base::Byte*>(plain.data()));
  return plain;
}

TEST(FrameWriter, writes_what_the_parser_reads) {
  for (std::size_t n = 0; n <= 125; ++n) {
    const std::string payload(n, 'p');
    EXPECT_EQ(
        payload_of(control_frame(Opcode::ping, base::as_bytes(payload), true, 0xa1b2c3d4), Side::client, Opcode::ping),
        payload);
    EXPECT_EQ(payload_of(control_frame(Opcode::pong, base::as_bytes(payload), false, 1), Side::server, Opcode::pong),
              payload);
  }
  const std::string long_payload(300, 'p');
  EXPECT_EQ(
      payload_of(control_frame(Opcode::ping, base::as_bytes(long_payload), true, 5), Side::client, Opcode::ping).size(),
      125U);
}

TEST(FrameWriter, masks_only_for_the_server) {
  const auto masked = control_frame(Opcode::ping, base::as_bytes("abc"), true, 0x01010101);
  EXPECT_EQ(base::as_text(masked.view()), std::string_view("\x89\x83\x01\x01\x01\x01`cb", 9));
  const auto plain = control_frame(Opcode::ping, base::as_bytes("abc"), false, 0x01010101);
  EXPECT_EQ(base::as_text(plain.view()), std::string_view("\x89\x03"
                                                          "abc",
                                                          5));
}

TEST(FrameWriter, close_has_code_and_a_reason_that_fits) {
  EXPECT_EQ(payload_of(close_frame(1001, "going", true, 9), Side::client, Opcode::close), "\x03\xe9going");
  EXPECT_EQ(payload_of(close_frame(1005, "ignored", false, 0), Side::server, Opcode::close), "");
  EXPECT_EQ(payload_of(close_frame(1000, std::string(123, 'r'), false, 0), Side::server, Opcode::close).size(), 125U);
  EXPECT_EQ(payload_of(close_frame(1000, std::string(124, 'r'), false, 0), Side::server, Opcode::close).size(), 125U);
  // cut between code points: 122 + the two bytes of é do not fit
  const std::string reason = std::string(122, 'r') + "\xc3\xa9";
  EXPECT_EQ(payload_of(close_frame(1000, reason, false, 0), Side::server, Opcode::close).substr(2),
            std::string(122, 'r'));
}

}  // namespace
}  // namespace sockeye::wire
