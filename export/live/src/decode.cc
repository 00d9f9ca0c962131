// Bytes to values. The bytes come from a peer that may be anybody: every list, text and number is bounded here, and a
// session must have its id, so that no message of two bytes can become a value of four hundred.
#include <algorithm>
#include <limits>
#include <optional>
#include <protozero/pbf_reader.hpp>
#include <string_view>
#include <type_traits>

#include "mapping.h"
#include "sockeye/base/utf8.h"

namespace sockeye::live {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

// Ends a decoding; never leaves this file. `what` names the field.
struct Malformed {
  const char* what;
};

void expect(bool good, const char* what) {
  if (!good) throw Malformed{what};
}

template <class T>
bool is_none(const T& value) {
  if constexpr (std::is_integral_v<T>)
    return value == 0;
  else if constexpr (std::is_same_v<T, std::string>)
    return value.empty();
  else if constexpr (std::is_same_v<T, model::SessionUpdate>)
    return value.id.is_zero();
  else
    return value.is_zero();
}

// Visits what a message must have, and nothing else.
template <class Action>
struct Required {
  template <class F, class T>
  void required(F field, T& value) {
    action(field, value);
  }
  template <class F, class T>
  void operator()(F, T&, std::size_t = 0) {}
  template <class F, class T>
  void always(F, T&) {}
  template <class F, class T>
  void first(F, T&, std::size_t) {}
  template <class F, class T>
  void last(F, T&, std::size_t) {}
  Action action;
};
template <class Action>
Required(Action) -> Required<Action>;

template <class T>
void read(pbf_reader from, T& out);

// Takes the field that `from` stands on, if it is one of the mapping's.
class Reader {
 public:
  explicit Reader(pbf_reader& from) : from_(from), tag_(from.tag()) {}
  [[nodiscard]] bool taken() const { return taken_; }

  template <class F, class T>
  void operator()(F field, T& value) {
    if (take(field)) get(field, value);
  }
  template <class F, class T>
  void operator()(F field, T& value, std::size_t most) {
    if (!take(field)) return;
    if constexpr (F::kind == Kind::string_kind)
      get(field, value);
    else
      value = number<F, T>(field.what, most);
  }
  template <class F, class T>
  void required(F field, T& value) {
    (*this)(field, value);
  }
  template <class F, class T>
  void always(F field, T& value) {
    (*this)(field, value);
  }
  template <class F, class T>
  void first(F field, std::vector<T>& list, std::size_t most) {
    if (!take(field)) return;
    expect(list.size() < most, field.what);
    get(field, list.emplace_back());
    if constexpr (F::kind == Kind::bytes_kind) expect(!is_none(list.back()), field.what);
  }
  template <class F, class T>
  void last(F field, std::vector<T>& list, std::size_t most) {
    first(field, list, most);
  }

 private:
  template <class F>
  bool take(F) {
    if (tag_ != F::tag) return false;
    taken_ = true;
    return true;
  }
  // protozero asserts the wire type in debug builds only.
  void expect_type(pbf_wire_type type, const char* what) const { expect(from_.wire_type() == type, what); }

  template <class F, class T>
  void get(F field, T& value) {
    if constexpr (F::kind == Kind::string_kind) {
      value = text(field.what);
    } else if constexpr (F::kind == Kind::bytes_kind) {
      id(field.what, value);
    } else if constexpr (F::kind == Kind::message_kind) {
      expect_type(pbf_wire_type::length_delimited, field.what);
      message(value);  // where it comes twice: merged, as protobuf does
    } else if constexpr (F::label == Label::optional_label) {
      value = number<F, typename T::value_type>(field.what);
    } else {
      value = number<F, T>(field.what);
    }
  }
  template <class F, class T>
  T number(const char* what, std::uint64_t most = largest<T>()) {
    if constexpr (F::kind == Kind::fixed64_kind) {
      static_assert(std::is_same_v<T, std::uint64_t>);
      expect_type(pbf_wire_type::fixed64, what);
      return from_.get_fixed64();
    } else {
      static_assert(F::kind == Kind::uint64_kind ? sizeof(T) == 8 : sizeof(T) <= 4);
      static_assert((F::kind == Kind::bool_kind) == std::is_same_v<T, bool>);
      expect_type(pbf_wire_type::varint, what);
      const std::uint64_t value = from_.get_uint64();
      expect(value <= most, what);
      return static_cast<T>(value);
    }
  }
  template <class T>
  static constexpr std::uint64_t largest() {
    static_assert(std::is_unsigned_v<T>, "a signed number or an enumerator needs its bound");
    return std::numeric_limits<T>::max();
  }
  std::string text(const char* what) {
    expect_type(pbf_wire_type::length_delimited, what);
    const auto view = from_.get_view();
    expect(view.size() <= longest_text, what);
    const std::string_view bytes(view.data(), view.size());
    expect(base::valid_utf8_prefix(bytes) == bytes.size(), what);
    return std::string(bytes);
  }
  template <class Id>
  void id(const char* what, Id& out) {
    expect_type(pbf_wire_type::length_delimited, what);
    const auto view = from_.get_view();
    expect(view.size() == out.bytes.size(), what);
    std::copy_n(view.data(), view.size(), out.bytes.begin());
  }
  template <class Id>
  void id(const char* what, std::optional<Id>& out) {
    id(what, out.emplace());
  }
  template <class T>
  void message(T& out) {
    read(from_.get_message(), out);
  }
  template <class T>
  void message(std::optional<T>& out) {
    message(out.emplace());
  }

  pbf_reader& from_;
  const std::uint32_t tag_;
  bool taken_ = false;
};

template <class T>
void read(pbf_reader from, T& out) {
  Required clear{[](auto, auto& value) { value = std::remove_reference_t<decltype(value)>{}; }};
  map(clear, out);
  while (from.next()) {
    Reader field(from);
    map(field, out);
    if (!field.taken()) from.skip();
  }
  Required check{[](auto field, auto& value) { expect(!is_none(value), field.what); }};
  map(check, out);
}

// `what`: the message's name in errors.
template <class T>
base::Result<T> decode(base::Bytes bytes, const std::string& what) {
  if (bytes.size() > largest_message)
    return base::fail(what + ": " + std::to_string(bytes.size()) + " bytes; at most " +
                      std::to_string(largest_message) + " are taken");
  try {
    T out;
    read(pbf_reader(reinterpret_cast<const char*>(bytes.data()), bytes.size()), out);
    return out;
  } catch (const Malformed& fault) {
    return base::fail(what + ": " + fault.what + " is missing, malformed or out of range");
  } catch (const std::exception& fault) {
    return base::fail(what + ": malformed protobuf: " + fault.what());
  }
}

}  // namespace

base::Result<Report> decode_report(base::Bytes bytes) { return decode<Report>(bytes, "live report"); }
base::Result<Ask> decode_ask(base::Bytes bytes) { return decode<Ask>(bytes, "live ask"); }
base::Result<std::vector<Recorded>> decode_recorder(base::Bytes bytes) {
  return decode<std::vector<Recorded>>(bytes, "flight recorder");
}

}  // namespace sockeye::live
