#include "sockeye/wire/resync.h"

#include <algorithm>
#include <array>
#include <bit>

#include "sockeye/wire/frame_parser.h"
#include "sockeye/wire/utf8.h"

namespace sockeye::wire {
namespace {

using base::Byte;
using base::Bytes;
using model::Opcode;

constexpr std::uint64_t longest = 64ULL << 20U;  // payload of a frame that is believed
constexpr unsigned header_bits = 4;              // of evidence: a byte pair makes sense by chance one time in 20
constexpr unsigned segment_bits = 8;             // at most: of segments that are 256 bytes long or more
constexpr unsigned text_bits = 8;
constexpr std::uint32_t most_repeated = 4;
constexpr unsigned sure_bits = 5;           // of the header that a run begins with
constexpr unsigned close_bits = 4;          // a code of the allowed range is one of sixteen
constexpr std::size_t text_looked_at = 64;  // bytes

struct Header {
  Opcode opcode;
  bool fin, masked, compressed;
  std::uint32_t mask = 0;
  std::uint64_t length = 0;
  std::size_t size = 2;
};

// None when it makes no sense; `more` when `in` does not have all of it.
std::optional<Header> read_header(Bytes in, bool& more) {
  more = in.size() < 2;
  if (more) return std::nullopt;
  const unsigned first = in[0];
  const unsigned second = in[1];
  Header h{static_cast<Opcode>(first & 15U), (first & 0x80U) != 0, (second & 0x80U) != 0, (first & 0x40U) != 0};
  const bool data = h.opcode <= Opcode::binary;
  const bool control = h.opcode >= Opcode::close && h.opcode <= Opcode::pong;
  if ((!data && !control) || (first & 0x30U) != 0) return std::nullopt;
  if (h.compressed && (control || h.opcode == Opcode::continuation)) return std::nullopt;
  h.length = second & 0x7fU;
  if (h.opcode == Opcode::continuation && !h.fin && h.length == 0) return std::nullopt;  // sent by nobody; zeros
  if (control && (!h.fin || h.length > 125)) return std::nullopt;
  const std::size_t extended = h.length < 126 ? 0 : h.length == 126 ? 2 : 8;
  h.size = 2 + extended + (h.masked ? 4 : 0);
  more = in.size() < h.size;
  if (more) return std::nullopt;
  if (extended != 0) {
    h.length = 0;
    for (std::size_t i = 0; i < extended; ++i) h.length = (h.length << 8U) | in[2 + i];
    if (h.length < (extended == 2 ? 126U : 0x10000U) || h.length > longest) return std::nullopt;
  }
  if (h.masked)
    for (std::size_t i = 0; i < 4; ++i) h.mask |= std::uint32_t{in[2 + extended + i]} << (8U * i);
  return h;
}

// What a payload says for or against its header; none: it cannot be this.
std::optional<unsigned> evidence_of(const Header& h, Bytes payload) {
  const bool whole = payload.size() >= h.length;
  if (whole) payload = payload.first(static_cast<std::size_t>(h.length));
  std::array<Byte, text_looked_at> plain;
  const std::size_t n = std::min(plain.size(), payload.size());
  unmask(payload.first(n), h.mask, 0, plain.data());
  if (h.opcode == Opcode::close) {
    if (h.length == 1) return std::nullopt;
    if (n < 2) return 0;
    const unsigned code = (unsigned{plain[0]} << 8U) | plain[1];
    if (code < 1000 || code > 4999) return std::nullopt;
    Utf8 reason;
    if (!reason.feed(Bytes(plain).subspan(2, n - 2))) return std::nullopt;
    return close_bits;
  }
  if (h.opcode != Opcode::text || h.compressed) return 0;
  Utf8 utf8;
  if (!utf8.feed({plain.data(), n}, 0, 0)) return std::nullopt;
  if (whole && h.fin && n == h.length && !utf8.complete()) return std::nullopt;
  const auto odd = [](Byte b) { return b < 0x20 && b != '\t' && b != '\n' && b != '\r'; };
  const bool printable = std::none_of(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(n), odd);
  return n >= 8 && printable ? text_bits : 0;
}

}  // namespace

bool Resync::begins_segment(std::uint64_t offset) const {
  const auto at = std::lower_bound(segments_.begin(), segments_.end(), offset,
                                   [](const Segment& s, std::uint64_t o) { return s.offset < o; });
  return at != segments_.end() && at->offset == offset && offset != origin_;
}

// As unlikely as it is that an offset is a segment's first by chance: of many tiny segments it says little.
unsigned Resync::segment_weight() const {
  const auto average = std::bit_width(buffer_.size() / segments_.size());
  return average == 0 ? 0 : std::min(segment_bits, static_cast<unsigned>(average) - 1);
}

Resync::Look Resync::look(Candidate& c) const {
  if (c.next >= end()) return Look::more;
  const Bytes in = Bytes(buffer_).subspan(static_cast<std::size_t>(c.next - base_));
  bool more = false;
  const auto h = read_header(in, more);
  if (more) return Look::more;
  if (!h) return Look::no;
  if (c.headers == 0) c.masked = h->masked;
  if (h->masked != c.masked || (sender_ && h->masked != (*sender_ == model::Side::client))) return Look::no;
  using enum Candidate::Message;
  if (!model::is_control(h->opcode)) {
    const bool goes_on = h->opcode == Opcode::continuation;
    if ((goes_on && c.message == none) || (!goes_on && c.message == open)) return Look::no;
    c.message = h->fin ? none : open;
  }
  const auto payload = evidence_of(*h, in.subspan(h->size));
  if (!payload) return Look::no;
  const bool begins = begins_segment(c.next);
  const unsigned weight = *payload + (begins ? segment_weight() : 0);
  // Where a payload repeats itself, as silence does, so do the headers that it looks like, those of empty frames above
  // all: one is evidence only where it was written by itself.
  const bool repeats = h->length == 0 && !begins;
  c.repeated = repeats ? c.repeated + 1 : 0;
  if (c.repeated > most_repeated) return Look::no;
  if (!repeats) c.evidence += header_bits + weight;
  ++c.headers;
  if (!c.sure) {
    c.begin = c.next;
    c.sure = weight >= sure_bits || c.headers == 3;
  }
  c.last = c.next;
  c.next += h->size + h->length;
  return Look::yes;
}

bool Resync::follow(Candidate& c, bool& pending) const {
  for (;;) {
    switch (look(c)) {
      case Look::more:
        pending = true;
        return false;
      case Look::no:
        pending = false;
        return false;
      case Look::yes:
        if (c.evidence >= enough && c.sure) return true;
    }
  }
}

void Resync::keep(const Candidate& c) {
  if (pending_.size() < most_candidates) return pending_.push_back(c);
  const auto weakest = std::min_element(pending_.begin(), pending_.end(),
                                        [](const Candidate& a, const Candidate& b) { return a.evidence < b.evidence; });
  if (weakest->evidence < c.evidence) *weakest = c;
}

bool Resync::feed(Bytes segment, base::Time now) {
  if (segment.empty()) return false;
  segments_.push_back({end(), now});
  buffer_.insert(buffer_.end(), segment.begin(), segment.end());

  std::vector<Candidate> before;
  before.swap(pending_);
  for (Candidate& c : before) {
    bool pending = false;
    if (follow(c, pending)) {
      found_ = c;
      dropped_ += c.begin - base_;
      return true;
    }
    if (pending) keep(c);
  }
  for (; scanned_ < end(); ++scanned_) {
    Candidate c{.begin = scanned_, .last = scanned_, .next = scanned_};
    bool pending = false;
    if (follow(c, pending)) {
      found_ = c;
      dropped_ += c.begin - base_;
      return true;
    }
    if (!pending) continue;
    if (c.evidence == 0) break;  // its header is not whole yet: looked at again with the next bytes
    keep(c);
  }
  trim();
  return false;
}

// The oldest go when there is too much; a run goes on from the last of its headers that is left.
void Resync::trim() {
  if (buffer_.size() <= most_held) return;
  const std::uint64_t base = end() - most_held / 2;
  for (Candidate& c : pending_) {
    if (c.begin >= base) continue;
    c.begin = c.last >= base ? c.last : c.next;
  }
  dropped_ += base - base_;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(base - base_));
  base_ = base;
  scanned_ = std::max(scanned_, base_);
  auto first = std::upper_bound(segments_.begin(), segments_.end(), base_,
                                [](std::uint64_t o, const Segment& s) { return o < s.offset; });
  if (first != segments_.begin()) segments_.erase(segments_.begin(), first - 1);
}

void Resync::gap() {
  dropped_ += buffer_.size();
  base_ = end();
  origin_ = base_;
  scanned_ = base_;
  buffer_.clear();
  segments_.clear();
  pending_.clear();
}

std::vector<Resync::Chunk> Resync::held() const {
  std::vector<Chunk> out;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const std::uint64_t until = i + 1 < segments_.size() ? segments_[i + 1].offset : end();
    const std::uint64_t from = std::max({segments_[i].offset, found_.begin, base_});
    if (from >= until) continue;
    out.push_back(
        {Bytes(buffer_).subspan(static_cast<std::size_t>(from - base_), static_cast<std::size_t>(until - from)),
         segments_[i].at});
  }
  return out;
}

}  // namespace sockeye::wire
