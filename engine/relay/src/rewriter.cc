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
  direction(Side::client).no_takeover = p.client_no_context_takeover;
  direction(Side::client).window_bits = p.client_max_window_bits;
  direction(Side::server).no_takeover = p.server_no_context_takeover;
  direction(Side::server).window_bits = p.server_max_window_bits;
}

bool Rewriter::begin(Side from, Opcode opcode, bool compressed, std::uint32_t mask, bool wanted) {
  Direction& d = direction(from);
  d.mode = compressed && d.for_good ? Mode::remake : wanted ? Mode::hold : Mode::pass;
  if (d.mode == Mode::pass) return false;
  d.opcode = opcode;
  d.compressed = compressed;
  d.packed = compressed;
  d.begun = false;
  d.wanted = wanted;
  d.mask = mask;
  return true;
}

bool Rewriter::hold(Side from, Bytes lead, Bytes raw) {
  Direction& d = direction(from);
  append(d.held, lead);
  append(d.held, raw);
  if (d.held.size() <= most_held) return true;
  d.mode = Mode::pass;
  std::swap(d.held, d.out);
  return false;
}

void Rewriter::text(Side from, Bytes plain) {
  Direction& d = direction(from);
  if (d.wanted) {
    append(d.held, plain);
    if (d.held.size() <= most_held) return;
    d.wanted = false;  // nothing is put into one that long
    pack(d, d.held, false);
    release(d.held);
  } else {
    pack(d, plain, false);
  }
  if (d.ready.size() >= fragment) write_frame(d, from, false);
}

void Rewriter::finish(Side from, Bytes instead) {
  Direction& d = direction(from);
  if (d.mode == Mode::remake) {
    pack(d, d.wanted ? (instead.empty() ? Bytes(d.held) : instead) : Bytes(), true);
    write_frame(d, from, true);
  } else if (instead.empty()) {
    std::swap(d.held, d.out);
  } else {
    pack(d, instead, true);
    write_frame(d, from, true);
    d.for_good = d.compressed && !d.no_takeover;
  }
  d.mode = Mode::pass;
  release(d.held);
}

void Rewriter::give_up(Side from) {
  Direction& d = direction(from);
  if (d.mode == Mode::hold) std::swap(d.held, d.out);
  d.mode = Mode::pass;
}

Bytes Rewriter::taken(Side from) {
  Direction& d = direction(from);
  if (d.out.empty()) return {};
  lent_.push_back(std::move(d.out));
  d.out = std::vector<Byte>();
  return lent_.back();
}

void Rewriter::pack(Direction& d, Bytes text, bool last) const {
  if (d.compressed) {
    if (!d.deflater) d.deflater.emplace(d.window_bits, d.no_takeover);
    if (d.packed && d.deflater->feed(text, last, d.ready)) return;
    d.packed = false;
  }
  append(d.ready, text);
}

void Rewriter::write_frame(Direction& d, Side from, bool fin) const {
  wire::append_data_frame(d.out, d.begun ? Opcode::continuation : d.opcode, fin, d.packed && !d.begun, d.ready,
                          from == Side::client, d.mask);
  d.begun = true;
  d.ready.clear();
}

}  // namespace sockeye::relay
