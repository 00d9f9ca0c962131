// What of a read is not forwarded yet: a header (or control frame) that earlier reads began, and a range of this one.
#pragma once

#include <array>
#include <cstring>

#include "live_connection.h"

namespace sockeye::relay {

struct LiveConnection::Forwarding {
  Forwarding(Outlet& to, model::Side sender, base::Bytes read) : outlet(to), from(sender), kept(read.data()) {}
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

  void up_to(const base::Byte* end) {
    if (!lead_left.empty()) [[unlikely]]
      outlet.forward(from, lead_left);
    lead_left = {};
    if (end > kept) outlet.forward(from, {kept, end});
    kept = end;
  }
  // The piece's beginning came before this read; `rest` is what follows the piece.
  void take_lead(const wire::Piece& piece, const base::Byte* rest) {
    std::memcpy(lead.data(), piece.held.data(), piece.held.size());
    lead_left = {lead.data(), piece.held.size()};
    kept = piece.kind == wire::Piece::Kind::control ? rest : rest - piece.payload.size();
  }
  // Nothing of the piece at `at` passes.
  void drop(const wire::Piece& piece, const base::Byte* at) {
    if (!piece.held.empty())
      lead_left = {};
    else
      up_to(at);
  }

  Outlet& outlet;
  model::Side from;
  std::array<base::Byte, wire::FrameParser::max_held> lead;  // outlives what forward() was given: until feed() returns
  base::Bytes lead_left;
  const base::Byte* kept;  // first byte of this read not forwarded yet
};

}  // namespace sockeye::relay
