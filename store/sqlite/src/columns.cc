#include "columns.h"

#include <algorithm>

#include "database.h"
#include "sockeye/store/value_text.h"
#include "varint.h"

namespace sockeye::sqlite {
namespace {

constexpr std::uint64_t version = 1;
constexpr std::size_t most_rows = 1U << 20U;
// A dictionary over it is left out: then the spans themselves are read.
constexpr std::size_t most_text_bytes = 64U << 10U;

void put_part(std::string_view part, std::string& out) {
  put_varint(part.size(), out);
  out += part;
}

// Known values are stored one higher, so that 0 means unknown.
std::uint64_t shifted(std::uint64_t value) { return value + 1; }

}  // namespace

void ColumnsWriter::add_text(Dictionary& to, std::optional<std::string_view> text) {
  if (to.dropped) return;
  std::uint32_t place = 0;
  if (text) {
    auto known = to.places.find(*text);
    if (known == to.places.end()) {
      known = to.places.emplace(*text, 0).first;
      to.bytes += known->first.size() + 2;
      to.texts.push_back(known->first);
      known->second = static_cast<std::uint32_t>(to.texts.size());
    }
    place = known->second;
  }
  to.rows.push_back(place);
  if (to.bytes <= most_text_bytes) return;
  to = {};
  to.dropped = true;
}

void ColumnsWriter::add(const store::Batch& batch, const store::Span& span, const store::Figures& figures,
                        std::int64_t operation) {
  SpanRow row;
  row.start = column_time(span.start_unix_ns);
  row.operation = operation;
  row.kind = span.kind;
  row.status = span.status;
  row.figures = figures;
  for (std::size_t i = 1; i < store::measures; ++i)
    if (row.figures.values[i] != store::Figures::unknown) largest_[i] = std::max(largest_[i], row.figures.values[i]);
  rows_.push_back(row);
  store::ValueText scratch;
  for (std::size_t i = 0; i < texts_.size(); ++i)
    add_text(texts_[i],
             store::attribute_text(batch, span, store::attribute_of(static_cast<store::Dimension>(i)), scratch));
}

void ColumnsWriter::clear() {
  rows_.clear();
  texts_ = {};
  largest_ = {};
}

void ColumnsWriter::encode(std::string& out) const {
  out.clear();
  put_varint(version, out);
  put_varint(rows_.size(), out);
  std::string part;
  const auto column = [&](auto value_of) {
    part.clear();
    for (const auto& row : rows_) put_varint(value_of(row), part);
    put_part(part, out);
  };
  std::int64_t least = INT64_MAX;
  for (const auto& row : rows_) least = std::min(least, row.start);
  part.clear();
  put_varint(static_cast<std::uint64_t>(rows_.empty() ? 0 : least), part);
  for (const auto& row : rows_) put_varint(static_cast<std::uint64_t>(row.start - least), part);
  put_part(part, out);
  column([](const SpanRow& f) { return static_cast<std::uint64_t>(f.operation); });
  column([](const SpanRow& f) { return static_cast<std::uint64_t>(f.kind) << 2U | (f.status & 3U); });
  column([](const SpanRow& f) { return static_cast<std::uint64_t>(f.figures.status); });
  for (std::size_t i = 0; i < store::measures; ++i)
    column([i](const SpanRow& f) { return shifted(f.figures.values[i]); });
  for (const auto& dictionary : texts_) {
    part.clear();
    if (!dictionary.dropped) {
      put_varint(dictionary.texts.size(), part);
      for (const auto text : dictionary.texts) put_part(text, part);
      for (const auto row : dictionary.rows) put_varint(row, part);
    }
    put_part(part, out);
  }
}

bool Columns::open(std::string_view data, std::int64_t first) {
  std::uint64_t which = 0, size = 0, length = 0;
  if (!get_varint(data, which) || which != version || !get_varint(data, size) || size > most_rows) return false;
  for (auto& part : parts_) {
    if (!get_varint(data, length) || length > data.size()) return false;
    part = data.substr(0, length);
    data.remove_prefix(length);
  }
  first_ = first;
  size_ = size;
  return true;
}

bool Columns::read(std::vector<SpanRow>& to) const {
  to.assign(size_, {});
  const auto each = [&](std::size_t which, auto take) {
    std::string_view part = parts_[which];
    std::uint64_t value = 0, base = 0;
    if (which == 0 && !get_varint(part, base)) return false;
    for (auto& row : to) {
      if (!get_varint(part, value)) return false;
      take(row, base + value);
    }
    return true;
  };
  for (std::size_t i = 0; i < size_; ++i) to[i].id = first_ + static_cast<std::int64_t>(i);
  bool good = each(0, [](SpanRow& f, std::uint64_t v) { f.start = static_cast<std::int64_t>(v); }) &&
              each(1, [](SpanRow& f, std::uint64_t v) { f.operation = static_cast<std::int64_t>(v); }) &&
              each(2,
                   [](SpanRow& f, std::uint64_t v) {
                     f.kind = static_cast<std::uint8_t>(v >> 2U);
                     f.status = static_cast<std::uint8_t>(v & 3U);
                   }) &&
              each(3, [](SpanRow& f, std::uint64_t v) {
                f.figures.status = v <= static_cast<std::uint64_t>(store::CallStatus::other)
                                       ? static_cast<store::CallStatus>(v)
                                       : store::CallStatus::other;
              });
  for (std::size_t m = 0; good && m < store::measures; ++m)
    good = each(4 + m, [m](SpanRow& f, std::uint64_t v) { f.figures.values[m] = v - 1; });
  return good;
}

bool Columns::read(store::Dimension dimension, std::vector<std::string_view>& texts,
                   std::vector<std::uint32_t>& rows) const {
  std::string_view part = parts_[numbers + static_cast<std::size_t>(dimension)];
  texts.clear();
  rows.clear();
  std::uint64_t count = 0, length = 0;
  if (!get_varint(part, count) || count > most_rows) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!get_varint(part, length) || length > part.size()) return false;
    texts.push_back(part.substr(0, length));
    part.remove_prefix(length);
  }
  for (std::size_t i = 0; i < size_; ++i) {
    if (!get_varint(part, length) || length > count) return false;
    rows.push_back(static_cast<std::uint32_t>(length));
  }
  return true;
}

}  // namespace sockeye::sqlite
