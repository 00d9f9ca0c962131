#include "fragments.h"

#include <algorithm>

namespace sockeye::tap {

base::Bytes Fragments::add(const Key& key, std::size_t offset, bool more, base::Bytes piece, base::Time now) {
  auto& datagram = find(key, now);
  if (!insert(datagram, offset, more, piece)) {
    drop(datagram);
    return {};
  }
  if (!whole(datagram)) return {};
  done_ = std::move(datagram.bytes);
  std::swap(datagram, datagrams_.back());
  datagrams_.pop_back();
  return done_;
}

Fragments::Datagram& Fragments::find(const Key& key, base::Time now) {
  for (std::size_t i = datagrams_.size(); i > 0; --i) {
    if (now - datagrams_[i - 1].begun > max_age) drop(datagrams_[i - 1]);
  }
  for (auto& datagram : datagrams_)
    if (datagram.key == key) return datagram;
  if (datagrams_.size() == max_datagrams) {
    drop(*std::min_element(datagrams_.begin(), datagrams_.end(),
                           [](const auto& a, const auto& b) { return a.begun < b.begun; }));
  }
  auto& added = datagrams_.emplace_back();
  added.key = key;
  added.begun = now;
  return added;
}

void Fragments::drop(Datagram& datagram) {
  ++dropped_;
  if (&datagram != &datagrams_.back()) datagram = std::move(datagrams_.back());
  datagrams_.pop_back();
}

bool Fragments::insert(Datagram& into, std::size_t offset, bool more, base::Bytes piece) {
  const auto end = offset + piece.size();
  if (piece.empty() || end > max_bytes || (more && piece.size() % 8 != 0)) return false;
  if (into.size != 0 && (end > into.size || (!more && end != into.size))) return false;
  const auto after = std::lower_bound(into.pieces.begin(), into.pieces.end(), std::pair{offset, std::size_t{0}});
  if (after != into.pieces.end() && after->first == offset && after->second == end) return true;  // seen twice
  if (after != into.pieces.end() && after->first < end) return false;
  if (after != into.pieces.begin() && std::prev(after)->second > offset) return false;
  if (!more) {
    if (!into.pieces.empty() && into.pieces.back().second > end) return false;
    into.size = end;
  }
  if (into.pieces.size() == max_pieces) return false;
  into.pieces.insert(after, {offset, end});
  if (into.bytes.size() < end) into.bytes.resize(end);
  std::copy(piece.begin(), piece.end(), into.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  return true;
}

bool Fragments::whole(const Datagram& datagram) {
  if (datagram.size == 0) return false;
  std::size_t reached = 0;
  for (const auto& [from, to] : datagram.pieces) {
    if (from != reached) return false;
    reached = to;
  }
  return reached == datagram.size;
}

}  // namespace sockeye::tap
