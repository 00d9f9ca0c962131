// Values to bytes. Zero is not written (proto3), so a quiet session's figures are short. Texts leave as well-formed
// UTF-8 of at most longest_text bytes, whatever they were.
#include <algorithm>
#include <array>
#include <optional>
#include <protozero/pbf_writer.hpp>
#include <string_view>
#include <utility>

#include "mapping.h"
#include "sockeye/base/utf8.h"

namespace sockeye::live {
namespace {

using protozero::pbf_writer;

// Writes a message field by field, in the mapping's order.
class Writer {
 public:
  explicit Writer(pbf_writer& to) : to_(to) {}

  template <class F, class T>
  void operator()(F field, const T& value, std::size_t most = longest_text) {
    if constexpr (F::kind == Kind::string_kind) {
      text(F::tag, value, most);
    } else if constexpr (F::kind == Kind::bytes_kind) {
      id(F::tag, value);
    } else if constexpr (F::kind == Kind::message_kind) {
      message(F::tag, value);
    } else if constexpr (F::label == Label::optional_label) {
      if (value) always(field, *value);  // zero is a value here: presence tells
    } else {
      if (value != T{}) always(field, value);
    }
  }
  template <class F, class T>
  void required(F field, const T& value) {
    (*this)(field, value);
  }
  template <class F, class T>
  void always(F, const T& value) {
    const auto number = static_cast<std::uint64_t>(value);
    if constexpr (F::kind == Kind::fixed64_kind)
      to_.add_fixed64(F::tag, number);
    else
      to_.add_uint64(F::tag, number);
  }
  template <class F, class T>
  void first(F field, const std::vector<T>& list, std::size_t most) {
    items(field, list, 0, std::min(list.size(), most));
  }
  template <class F, class T>
  void last(F field, const std::vector<T>& list, std::size_t most) {
    items(field, list, list.size() - std::min(list.size(), most), list.size());
  }

 private:
  template <class F, class T>
  void items(F field, const std::vector<T>& list, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) (*this)(field, list[i]);
  }
  void text(std::uint32_t tag, std::string_view value, std::size_t most) {
    if (value.empty()) return;
    std::string repaired;
    if (base::valid_utf8_prefix(value) != value.size()) {
      repaired = base::repair_utf8(value.substr(0, std::min(value.size(), most)));
      value = repaired;
    }
    value = base::cut_utf8(value, most);
    to_.add_string(tag, value.data(), value.size());
  }
  template <class Id>
  void id(std::uint32_t tag, const Id& value) {
    if (!value.is_zero()) to_.add_bytes(tag, reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
  }
  template <class Id>
  void id(std::uint32_t tag, const std::optional<Id>& value) {
    if (value) id(tag, *value);
  }
  template <class T>
  void message(std::uint32_t tag, const T& value) {
    pbf_writer each(to_, tag);
    Writer writer(each);
    map(writer, value);
  }
  template <class T>
  void message(std::uint32_t tag, const std::optional<T>& value) {
    if (value) message(tag, *value);
  }

  pbf_writer& to_;
};

struct Limits {
  std::size_t bytes, items;
};

// Messages within `limits`: an item that does not fit begins the next one.
class Parts {
 public:
  Parts(std::uint64_t time_unix_ns, Limits limits) : time_(time_unix_ns), limits_(limits) { begin(); }

  template <class F, class Item>
  void add(F field, const Item& item) {
    if (++items_ > limits_.items) next({});
    const std::size_t before = bytes_.size();
    {
      pbf_writer report(bytes_);
      Writer writer(report);
      writer(field, item);
    }
    if (bytes_.size() <= limits_.bytes || before == head_) return;
    const std::string tail = bytes_.substr(before);
    bytes_.resize(before);
    next(tail);
  }
  void all_reported() {
    pbf_writer report(bytes_);
    Writer writer(report);
    writer(fields::report::all_reported, true);
  }
  [[nodiscard]] std::vector<std::string> take() {
    done_.push_back(std::move(bytes_));
    return std::move(done_);
  }

 private:
  void begin() {
    bytes_.clear();
    pbf_writer report(bytes_);
    Writer writer(report);
    writer(fields::report::time_unix_ns, time_);
    head_ = bytes_.size();
    items_ = 0;
  }
  void next(std::string_view first) {
    done_.push_back(std::move(bytes_));
    begin();
    bytes_ += first;
    items_ = 1;
  }

  std::uint64_t time_;
  Limits limits_;
  std::size_t head_ = 0, items_ = 0;
  std::string bytes_;
  std::vector<std::string> done_;
};

std::vector<std::string> in_parts(const Report& report, Limits limits) {
  using namespace fields::report;
  Parts parts(report.time_unix_ns, limits);
  if (report.hello) parts.add(hello, *report.hello);
  for (const auto& each : report.opened) parts.add(opened, each);
  for (const auto& each : report.changed) parts.add(changed, each);
  for (const auto& each : report.ended) parts.add(ended, each);
  for (const auto& each : report.summaries) parts.add(summaries, each);
  for (const auto& each : report.details) parts.add(details, each);
  if (report.all_reported) parts.all_reported();
  return parts.take();
}

template <class T>
std::string whole(const T& message) {
  std::string out;
  pbf_writer to(out);
  Writer writer(to);
  map(writer, message);
  return out;
}

}  // namespace

std::vector<std::string> encode_parts(const Report& report) {
  return in_parts(report, {largest_message - 2, most_items});  // all_reported may follow
}

std::string encode(const Report& report) { return in_parts(report, {SIZE_MAX, SIZE_MAX}).front(); }
std::string encode(const Ask& ask) { return whole(ask); }
std::string encode(const std::vector<Recorded>& recorder) { return whole(recorder); }

}  // namespace sockeye::live
