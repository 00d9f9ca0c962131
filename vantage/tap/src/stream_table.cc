#include "stream_table.h"

#include <algorithm>
#include <cstring>

namespace sockeye::tap {
namespace {

// The 128-bit product folded (wyhash, Wang Yi).
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const auto product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace

StreamTable::StreamTable(std::size_t limit, std::uint64_t seed)
    : limit_(std::max<std::size_t>(limit, 1)), seed_(seed | 1U), slots_(256) {}

std::uint64_t StreamTable::mix(const Endpoint& endpoint) const {
  std::array<std::uint64_t, 2> words{};
  std::memcpy(words.data(), endpoint.address.data(), sizeof words);
  return fold(words[0] ^ 0xa0761d6478bd642fULL ^ seed_, words[1] ^ 0xe7037ed1a0b428dbULL ^ endpoint.port * seed_);
}

std::uint32_t StreamTable::hash(const Endpoint& a, const Endpoint& b) const {
  return static_cast<std::uint32_t>(fold((mix(a) + mix(b)) ^ seed_, 0x8ebc6af09c88c6e3ULL) >> 32U);
}

Stream* StreamTable::find(std::uint32_t wanted, const Endpoint& source, const Endpoint& destination,
                          model::Side& from) {
  const auto mask = slots_.size() - 1;
  for (std::size_t i = wanted & mask; slots_[i].stream != 0; i = (i + 1) & mask) {
    if (slots_[i].hash != wanted) continue;
    auto& stream = at(slots_[i].stream - 1);
    if (stream.client == source && stream.server == destination) {
      from = model::Side::client;
      return &stream;
    }
    if (stream.server == source && stream.client == destination) {
      from = model::Side::server;
      return &stream;
    }
  }
  return nullptr;
}

Stream& StreamTable::add(std::uint32_t hash, const Endpoint& client, const Endpoint& server, base::Time now) {
  if (2 * (size_ + 1) > slots_.size()) grow();
  if (free_.empty()) {
    const auto first = static_cast<std::uint32_t>(chunks_.size() * chunk);
    chunks_.push_back(std::make_unique<Stream[]>(chunk));
    for (std::uint32_t i = chunk; i > 0; --i) free_.push_back(first + i - 1);
  }
  const auto index = free_.back();
  free_.pop_back();
  auto& stream = at(index);
  stream = Stream{};
  stream.client = client;
  stream.server = server;
  stream.opened = stream.touched = now;
  stream.index = index;
  stream.hash = hash;
  for (auto& half : stream.halves) half.stream = &stream;
  insert({stream.hash, index + 1});
  stream.list = spare;
  append(stream);
  ++size_;
  return stream;
}

void StreamTable::remove(Stream& stream) {
  const auto mask = slots_.size() - 1;
  std::size_t hole = stream.hash & mask;
  while (slots_[hole].stream != stream.index + 1) hole = (hole + 1) & mask;
  for (std::size_t i = (hole + 1) & mask; slots_[i].stream != 0; i = (i + 1) & mask) {
    const std::size_t home = slots_[i].hash & mask;  // it may move back unless that is past its home
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    slots_[hole] = slots_[i];
    hole = i;
  }
  slots_[hole] = {};
  unlink(stream);
  free_.push_back(stream.index);
  --size_;
}

Stream& StreamTable::oldest() {
  for (const auto& list : lists_)
    if (list.first != nullptr) return *list.first;
  __builtin_unreachable();
}

void StreamTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const auto& slot : old)
    if (slot.stream != 0) insert(slot);
}

void StreamTable::insert(Slot slot) {
  const auto mask = slots_.size() - 1;
  std::size_t i = slot.hash & mask;
  while (slots_[i].stream != 0) i = (i + 1) & mask;
  slots_[i] = slot;
}

void StreamTable::move(Stream& stream, base::Time now) {
  unlink(stream);
  stream.list = list_of(stream);
  stream.touched = now;
  append(stream);
}

void StreamTable::append(Stream& stream) {
  auto& list = lists_[stream.list];
  stream.previous = list.last;
  stream.following = nullptr;
  (list.last != nullptr ? list.last->following : list.first) = &stream;
  list.last = &stream;
}

void StreamTable::unlink(Stream& stream) {
  auto& list = lists_[stream.list];
  (stream.previous != nullptr ? stream.previous->following : list.first) = stream.following;
  (stream.following != nullptr ? stream.following->previous : list.last) = stream.previous;
}

}  // namespace sockeye::tap
