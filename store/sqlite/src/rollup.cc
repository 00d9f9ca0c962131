#include "rollup.h"

namespace sockeye::sqlite {
namespace {

void put_varint(std::uint32_t value, std::string& out) {
  for (; value >= 0x80U; value >>= 7U) out.push_back(static_cast<char>(value | 0x80U));
  out.push_back(static_cast<char>(value));
}

bool get_varint(std::string_view& from, std::uint32_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 35 && !from.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    value |= static_cast<std::uint32_t>(byte & 0x7fU) << shift;
    if ((byte & 0x80U) == 0) return true;
  }
  return false;
}

}  // namespace

void encode_histogram(const store::LatencyHistogram& histogram, std::string& out) {
  out.clear();
  std::size_t last = 0;
  for (std::size_t i = 0; i < histogram.size(); ++i) {
    if (histogram[i] == 0) continue;
    put_varint(static_cast<std::uint32_t>(i - last), out);
    put_varint(histogram[i], out);
    last = i;
  }
}

void decode_histogram(std::string_view from, store::LatencyHistogram& to) {
  std::size_t at = 0;
  std::uint32_t distance = 0, count = 0;
  while (get_varint(from, distance) && get_varint(from, count)) {
    at += distance;
    if (at >= to.size()) return;
    to[at] = count > UINT32_MAX - to[at] ? UINT32_MAX : to[at] + count;
  }
}

void Rollup::add(const Sample& sample) {
  const auto second = static_cast<std::int64_t>(sample.start_unix_ns / 1'000'000'000U);
  Row& row = rows_[{sample.operation, minute, second - second % minute}];
  ++row.spans;
  row.errors += sample.error ? 1 : 0;
  row.cancelled += sample.cancelled ? 1 : 0;
  for (int i = 0; i < 3; ++i)
    if (sample.buckets[i] >= 0) row.hits[i].push_back(static_cast<std::uint8_t>(sample.buckets[i]));
}

void Rollup::flush(std::int64_t now_ms) {
  std::unordered_map<Key, Row, KeyHash> hours;
  for (const auto& [key, row] : rows_) {
    merge(key, row, now_ms);
    Row& to = hours[{key.operation, hour, key.time - key.time % hour}];
    to.spans += row.spans;
    to.errors += row.errors;
    to.cancelled += row.cancelled;
    for (int i = 0; i < 3; ++i) to.hits[i].insert(to.hits[i].end(), row.hits[i].begin(), row.hits[i].end());
  }
  for (const auto& [key, row] : hours) merge(key, row, now_ms);
  rows_.clear();
}

void Rollup::merge(const Key& key, const Row& row, std::int64_t now_ms) {
  Query old(db_,
            "SELECT duration, first_chunk, last_chunk FROM rollup WHERE width = ?1 AND time = ?2 AND operation = ?3",
            key.width, key.time, key.operation);
  const bool there = old.next();
  for (int i = 0; i < 3; ++i) {
    histogram_.fill(0);
    if (there) decode_histogram(old.bytes(i), histogram_);
    for (const auto bucket : row.hits[i])
      if (histogram_[bucket] != UINT32_MAX) ++histogram_[bucket];
    encode_histogram(histogram_, blobs_[i]);
  }
  Query(db_,
        "INSERT INTO rollup(width, time, operation, arrived, spans, errors, cancelled, duration, first_chunk, "
        "last_chunk) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT(width, time, operation) DO UPDATE SET "
        "spans = spans + excluded.spans, errors = errors + excluded.errors, "
        "cancelled = cancelled + excluded.cancelled, duration = excluded.duration, "
        "first_chunk = excluded.first_chunk, last_chunk = excluded.last_chunk",
        key.width, key.time, key.operation, now_ms, row.spans, row.errors, row.cancelled, Blob{blobs_[0]},
        MaybeBlob{blobs_[1], !blobs_[1].empty()}, MaybeBlob{blobs_[2], !blobs_[2].empty()})
      .run();
}

}  // namespace sockeye::sqlite
