#include "table.h"

#include <algorithm>
#include <cstring>

namespace sockeye::dialect {
namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace

std::uint64_t Table::hash(model::Side opener, std::uint16_t name, const Value& value) const {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15ULL;
  const std::uint64_t kind = value.kind == Value::Kind::string ? 1 : 0;  // JSON-RPC's 1 and "1" are two ids
  std::uint64_t h = mix(secret_ ^ (static_cast<std::uint64_t>(name) << 8U) ^ (model::index(opener) << 1U) ^ kind, odd);
  std::string_view rest = value.text;
  while (rest.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, rest.data(), 8);
    h = mix(h ^ word, secret_ | 1U);
    rest.remove_prefix(8);
  }
  std::uint64_t last = 0;
  std::memcpy(&last, rest.data(), rest.size());
  h = mix(h ^ last, odd ^ (value.text.size() + 1));
  return h == 0 ? 1 : h;
}

std::uint32_t Table::find(std::uint64_t hash) const {
  if (index_.empty()) return none;
  for (std::size_t i = home(hash);; i = (i + 1) & (index_.size() - 1)) {
    if (index_[i].slot == none) return none;
    if (index_[i].hash == hash) return index_[i].slot;
  }
}

void Table::insert(Entry entry) {
  if (2 * (entries_ + 1) > index_.size()) {
    std::vector<Entry> before = std::move(index_);
    index_.assign(before.empty() ? 16 : before.size() * 2, {});
    entries_ = 0;
    for (const Entry& each : before)
      if (each.slot != none) insert(each);
  }
  std::size_t i = home(entry.hash);
  while (index_[i].slot != none) i = (i + 1) & (index_.size() - 1);
  index_[i] = entry;
  ++entries_;
}

void Table::erase(std::uint64_t hash) {
  if (index_.empty()) return;
  const std::size_t mask = index_.size() - 1;
  std::size_t i = home(hash);
  while (index_[i].slot != none && index_[i].hash != hash) i = (i + 1) & mask;
  if (index_[i].slot == none) return;
  // Those behind it move up, unless that would take them before their home.
  for (std::size_t j = (i + 1) & mask; index_[j].slot != none; j = (j + 1) & mask) {
    if (((j - home(index_[j].hash)) & mask) < ((j - i) & mask)) continue;
    index_[i] = index_[j];
    i = j;
  }
  index_[i] = {};
  --entries_;
}

std::uint32_t Table::add() {
  ++live_;
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  slots_[slot].live = true;
  return slot;
}

void Table::remove(std::uint32_t slot) {
  Open& open = slots_[slot];
  for (std::size_t i = 0; i < open.key_count; ++i) erase(open.keys[i].hash);
  texts_ -= open.texts;
  open = Open{};
  free_.push_back(slot);
  --live_;
}

void Table::weigh(std::uint32_t slot) {
  Open& open = slots_[slot];
  const model::Invocation& i = open.invocation;
  std::size_t size = i.operation.capacity() + i.traceparent.capacity() + i.tracestate.capacity() +
                     i.baggage.capacity() + i.attributes.capacity() * sizeof(model::Attributes::value_type) +
                     i.events.capacity() * sizeof(model::InvocationEvent);
  for (const auto& [key, value] : i.attributes)
    if (const auto* const text = std::get_if<std::string>(&value)) size += text->capacity();
  texts_ += size - open.texts;
  open.texts = static_cast<std::uint32_t>(size);
}

bool Table::bind(std::uint32_t slot, std::uint16_t name, std::uint64_t hash) {
  Open& open = slots_[slot];
  if (open.key_count == Open::most_keys || find(hash) != none) return false;
  open.keys[open.key_count++] = {name, hash};
  insert({hash, slot});
  return true;
}

void Table::unbind(std::uint32_t slot, std::uint16_t name) {
  Open& open = slots_[slot];
  for (std::size_t i = 0; i < open.key_count;) {
    if (open.keys[i].name != name) {
      ++i;
      continue;
    }
    erase(open.keys[i].hash);
    open.keys[i] = open.keys[--open.key_count];
  }
}

void Table::remember_late(std::uint32_t slot, base::Time until) {
  const Open& open = slots_[slot];
  for (std::size_t i = 0; i < open.key_count; ++i) {
    const Late late{open.keys[i].hash, until};
    if (late_.size() < most_late)
      late_.push_back(late);
    else
      late_[next_late_++ % most_late] = late;
  }
}

bool Table::late(std::uint64_t hash, base::Time now) const {
  return std::any_of(late_.begin(), late_.end(),
                     [&](const Late& each) { return each.hash == hash && now <= each.until; });
}

std::uint32_t Table::oldest() const {
  std::uint32_t found = none;
  for_each([&](std::uint32_t i) {
    if (found == none || slots_[i].invocation.number < slots_[found].invocation.number) found = i;
  });
  return found;
}

}  // namespace sockeye::dialect
