#include "rewriter.h"

#include "sockeye/wire/frame_writer.h"

namespace sockeye::relay {
namespace {

using base::Byte;
using base::Bytes;
using model::Opcode;
using model::Side;

constexpr std::size_t fragment = 32U << 10U;  // payload of a frame, where a message is passed on in several
constexpr std::size_t kept_bytes = 4096;      // bytes a buffer may keep between messages

void release(std::vector<Byte>& buffer) {
  if (buffer.capacity() > kept_bytes)
    buffer = std::vector<Byte>();  // = {} would keep the capacity
  else
    buffer.clear();
}

void append(std::vector<Byte>& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

}  // namespace

Rewriter::Rewriter(const wire::Extensions& in_force) {
  const wire::DeflateParameters& p = in_force.parameters;
  lane(Side::client).no_takeover = p.client_no_context_takeover;
  lane(Side::client).window_bits = p.client_max_window_bits;
  lane(Side::server).no_takeover = p.server_no_context_takeover;
  lane(Side::server).window_bits = p.server_max_window_bits;
}

bool Rewriter::begin(Side from, Opcode opcode, bool compressed, std::uint32_t mask, bool wanted) {
  Lane& l = lane(from);
  l.mode = compressed && l.for_good ? Mode::remake : wanted ? Mode::hold : Mode::pass;
  if (l.mode == Mode::pass) return false;
  l.opcode = opcode;
  l.compressed = compressed;
  l.packed = compressed;
  l.begun = false;
  l.wanted = wanted;
  l.mask = mask;
  return true;
}

bool Rewriter::hold(Side from, Bytes lead, Bytes raw) {
  Lane& l = lane(from);
  append(l.held, lead);
  append(l.held, raw);
  if (l.held.size() <= most_held) return true;
  l.mode = Mode::pass;
  std::swap(l.held, l.out);
  return false;
}

void Rewriter::text(Side from, Bytes plain) {
  Lane& l = lane(from);
  if (l.wanted) {
    append(l.held, plain);
    if (l.held.size() <= most_held) return;
    l.wanted = false;  // nothing is put into one that long
    pack(l, l.held, false);
    release(l.held);
  } else {
    pack(l, plain, false);
  }
  if (l.ready.size() >= fragment) write_frame(l, from, false);
}

void Rewriter::finish(Side from, Bytes instead) {
  Lane& l = lane(from);
  if (l.mode == Mode::remake) {
    pack(l, l.wanted ? (instead.empty() ? Bytes(l.held) : instead) : Bytes(), true);
    write_frame(l, from, true);
  } else if (instead.empty()) {
    std::swap(l.held, l.out);
  } else {
    pack(l, instead, true);
    write_frame(l, from, true);
    l.for_good = l.compressed && !l.no_takeover;
  }
  l.mode = Mode::pass;
  release(l.held);
}

void Rewriter::give_up(Side from) {
  Lane& l = lane(from);
  if (l.mode == Mode::hold) std::swap(l.held, l.out);
  l.mode = Mode::pass;
}

Bytes Rewriter::taken(Side from) {
  Lane& l = lane(from);
  if (l.out.empty()) return {};
  lent_.push_back(std::move(l.out));
  l.out = std::vector<Byte>();
  return lent_.back();
}

void Rewriter::pack(Lane& l, Bytes text, bool last) const {
  if (l.compressed) {
    if (!l.deflater) l.deflater.emplace(l.window_bits, l.no_takeover);
    if (l.packed && l.deflater->feed(text, last, l.ready)) return;
    l.packed = false;
  }
  append(l.ready, text);
}

void Rewriter::write_frame(Lane& l, Side from, bool fin) const {
  wire::append_data_frame(l.out, l.begun ? Opcode::continuation : l.opcode, fin, l.packed && !l.begun, l.ready,
                          from == Side::client, l.mask);
  l.begun = true;
  l.ready.clear();
}

}  // namespace sockeye::relay
