// Messages that something may be put into: each piece by itself, held back until its message has been read.
#include "forwarding.h"
#include "live_connection.h"

namespace sockeye::relay {

using base::Bytes;
using model::Anomaly;
using model::Opcode;
using model::Side;
using observer::Observation;
using wire::Piece;

Anomaly LiveConnection::data_with_insertion(Side from, const Piece& piece, Forwarding& out, const Call& call) {
  Stream& s = stream(from);
  const Observation::Insert insert = insertion(from);
  const base::Byte* const end = piece.payload.data() + piece.payload.size();
  if (piece.starts && s.parser.header().opcode != Opcode::continuation) {
    observation_->begin(from, s.parser, piece, call);
    const Opcode opcode = s.parser.message_opcode();
    s.held = rewriter_->begin(from, opcode, s.parser.message_compressed(), s.parser.header().mask,
                              observation_->may_insert(from, opcode, insert));
  }
  if (s.held) {
    const bool late = !piece.held.empty();  // its header began in an earlier read, and is in `lead`
    const base::Byte* const at = end - piece.used;
    if (!late) out.up_to(at);
    hold(from, out.lead_left, {late ? out.kept : at, end});
    out.lead_left = {};
    out.kept = end;
  }
  struct Remake final : Observation::Text {
    Rewriter* rewriter;
    Side from;
    Remake(Rewriter* to, Side sender) : rewriter(to), from(sender) {}
    void text(Bytes inflated) override { rewriter->text(from, inflated); }
  } remake(rewriter_.get(), from);
  const bool remakes = s.held && rewriter_->remakes(from);
  const Anomaly found = observation_->inspect(from, s.parser, piece, remakes ? &remake : nullptr, call);
  // A message that is remade from its text cannot be passed on as it is, whatever is wrong with it.
  if (found != Anomaly::none && (is_violation(found) || remakes)) return found;
  const Bytes instead = observation_->complete(from, s.parser, piece, s.held ? insert : Observation::Insert{}, call);
  if (s.held) release(from, piece.message_done, instead);
  return Anomaly::none;
}

// Nothing of this piece passes now: `raw` is what came of it in this read, behind `lead` of its header.
void LiveConnection::hold(Side from, Bytes lead, Bytes raw) {
  if (rewriter_->remakes(from)) return;  // its text is what counts
  if (rewriter_->hold(from, lead, raw)) return;
  stream(from).held = false;
  outlet_->forward(from, rewriter_->taken(from));
}

// What the rewriter has to pass on.
void LiveConnection::release(Side from, bool complete, Bytes instead) {
  if (complete) rewriter_->finish(from, instead);
  if (const Bytes out = rewriter_->taken(from); !out.empty()) outlet_->forward(from, out);
  if (complete) stream(from).held = false;
}

}  // namespace sockeye::relay
