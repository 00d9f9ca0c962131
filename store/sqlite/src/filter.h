// Bloom filters over what spans can be searched by, one for each block of about 1,024 spans. A filter is cut into 16
// slices, and an entry lies in one of them: a search reads the slice of each of its terms and no more. 16 bits an entry
// and 8 probes: one block in some 2,000 is looked at in vain; none that has a match is ever passed over.
//
// The hash is part of the file's format (docs/formats/store.md): it must not change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sockeye::sqlite {

inline constexpr unsigned filter_slices = 16;

// An entry: the top four bits are its slice, the others its probes.
using Term = std::uint64_t;
[[nodiscard]] constexpr unsigned slice_of(Term term) { return static_cast<unsigned>(term >> 60U); }

[[nodiscard]] std::uint64_t hash(std::string_view text, std::uint64_t seed);

// What is entered for a span. A query asks for the same terms.
[[nodiscard]] Term key_term(std::string_view key);
[[nodiscard]] Term value_term(Term key, std::string_view value);  // of key_term()
[[nodiscard]] Term kind_term(std::uint8_t kind);
// Of whom: all spans, a service's, those of one name, or of one operation.
[[nodiscard]] std::uint64_t anyone();
[[nodiscard]] std::uint64_t of_service(std::string_view service);
[[nodiscard]] std::uint64_t of_name(std::string_view name);
[[nodiscard]] std::uint64_t of_operation(std::string_view service, std::string_view name);
[[nodiscard]] Term presence_term(std::uint64_t whom);
[[nodiscard]] Term status_term(std::uint64_t whom, std::uint8_t status);
// Durations by the power of two in nanoseconds (0 … 63). All of one `whom` lie in the same slice.
[[nodiscard]] unsigned duration_power(std::uint64_t ns);
[[nodiscard]] Term duration_term(std::uint64_t whom, unsigned power);

// `block`: whose filter it is. It is part of where an entry lies: otherwise a term that falls on bits of entries which
// every block has would be looked for in vain in all of them.
[[nodiscard]] bool may_hold(std::string_view bits, Term term, std::int64_t block);

// A set of terms of bounded size.
class TermSet {
 public:
  // False: it was there, or there is no room (full() says which).
  bool add(Term term);
  void clear();
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool full() const { return full_; }
  // The filter's slice; "" (anything may be in it) where the set was full.
  void bits(unsigned slice, std::int64_t block, std::string& out) const;

 private:
  void grow();

  std::vector<Term> slots_;
  std::size_t size_ = 0;
  bool full_ = false, has_zero_ = false;
};

}  // namespace sockeye::sqlite
