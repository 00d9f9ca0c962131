#include "filter.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sockeye::sqlite {
namespace {

constexpr std::size_t most_terms = 128 * 1024;
constexpr unsigned probes = 8;
constexpr std::size_t bits_each = 16;

constexpr std::uint64_t k0 = 0xa0761d6478bd642fULL, k1 = 0xe7037ed1a0b428dbULL, k2 = 0x8ebc6af09c88c6e3ULL;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

// One bit in `size` bits, for each probe of the term. A plain sum of steps would not do: a term whose step is small
// beside 2^30 / size would have all its probes on one bit.
template <class Each>
bool each_probe(Term term, std::int64_t block, std::uint64_t size, Each each) {
  const std::uint64_t here = mix(term ^ k1, static_cast<std::uint64_t>(block) ^ k2);
  std::uint64_t at = here & 0x3fffffffU;
  const std::uint64_t step = ((here >> 30U) & 0x3fffffffU) | 1U;
  for (unsigned i = 0; i < probes; ++i) {
    if (!each((at * size) >> 30U)) return false;
    at = (at * 0x2c1b3c6dU + step) & 0x3fffffffU;
  }
  return true;
}

}  // namespace

std::uint64_t hash(std::string_view text, std::uint64_t seed) {
  const char* at = text.data();
  std::size_t left = text.size();
  std::uint64_t out = mix(seed ^ k0, text.size() ^ k1);
  while (left > 0) {
    std::uint64_t word = 0;
    const std::size_t size = std::min<std::size_t>(left, 8);
    std::memcpy(&word, at, size);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    out = mix(out ^ word, k2) + word;
    at += size;
    left -= size;
  }
  return mix(out ^ k1, k0);
}

Term key_term(std::string_view key) { return hash(key, 1); }
Term value_term(Term key, std::string_view value) { return hash(value, key); }
Term kind_term(std::uint8_t kind) { return mix(kind + k2, k0); }
std::uint64_t anyone() { return mix(k1, k2); }
std::uint64_t of_service(std::string_view service) { return hash(service, 2); }
std::uint64_t of_name(std::string_view name) { return hash(name, 3); }
std::uint64_t of_operation(std::string_view service, std::string_view name) { return hash(name, hash(service, 4)); }
Term presence_term(std::uint64_t whom) { return whom; }
Term status_term(std::uint64_t whom, std::uint8_t status) { return mix(whom ^ k0, status + k1); }
unsigned duration_power(std::uint64_t ns) { return ns == 0 ? 0 : static_cast<unsigned>(std::bit_width(ns)) - 1; }
Term duration_term(std::uint64_t whom, unsigned power) {
  return (whom & (15ULL << 60U)) | (mix(whom ^ k2, power + k0) >> 4U);
}

bool may_hold(std::string_view bits, Term term, std::int64_t block) {
  if (bits.empty()) return true;
  return each_probe(term, block, bits.size() * 8, [&](std::uint64_t bit) {
    return ((static_cast<unsigned char>(bits[bit >> 3U]) >> (bit & 7U)) & 1U) != 0;
  });
}

bool TermSet::add(Term term) {
  if (term == 0) {  // marks an empty slot
    const bool fresh = !has_zero_;
    has_zero_ = true;
    return fresh;
  }
  if ((size_ + 1) * 2 > slots_.size()) {
    if (size_ >= most_terms) {
      full_ = true;
      return false;
    }
    grow();
  }
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (term ^ (term >> 32U)) & mask;
  while (slots_[at] != 0) {
    if (slots_[at] == term) return false;
    at = (at + 1) & mask;
  }
  slots_[at] = term;
  ++size_;
  return true;
}

void TermSet::grow() {
  std::vector<Term> old(std::max<std::size_t>(8192, slots_.size() * 2));
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Term term : old) {
    if (term == 0) continue;
    std::size_t at = (term ^ (term >> 32U)) & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = term;
  }
}

void TermSet::clear() {
  if (slots_.size() > 64 * 1024) slots_.clear();  // one strange block must not cost memory for ever
  std::fill(slots_.begin(), slots_.end(), 0);
  size_ = 0;
  full_ = has_zero_ = false;
}

void TermSet::bits(unsigned slice, std::int64_t block, std::string& out) const {
  out.clear();
  if (full_) return;
  const auto count =
      std::count_if(slots_.begin(), slots_.end(), [&](Term t) { return t != 0 && slice_of(t) == slice; }) +
      (has_zero_ && slice == 0 ? 1 : 0);
  out.assign(std::max<std::size_t>(8, static_cast<std::size_t>(count) * bits_each / 8), '\0');
  const auto set = [&](Term term) {
    each_probe(term, block, out.size() * 8, [&](std::uint64_t bit) {
      out[bit >> 3U] = static_cast<char>(static_cast<unsigned char>(out[bit >> 3U]) | (1U << (bit & 7U)));
      return true;
    });
  };
  for (const Term term : slots_)
    if (term != 0 && slice_of(term) == slice) set(term);
  if (has_zero_ && slice == 0) set(0);
}

}  // namespace sockeye::sqlite
