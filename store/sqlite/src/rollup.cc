#include "rollup.h"

#include <algorithm>
#include <cmath>

#include "varint.h"

namespace sockeye::sqlite {
namespace {

std::uint32_t clamped(std::uint64_t count) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, UINT32_MAX));
}

// Of schema 2: bucket i ended at 1 µs · 2^(i/4), and began where the one before ended. A count of one is put where the
// middle of it (as a ratio) is: 9 % off at most, and then some for the bucket it comes to.
constexpr std::size_t old_buckets = 160;
double old_bound(double bucket) { return 1e3 * std::exp2(bucket / 4); }  // ns

void decode_old(std::string_view from, store::Sketch& to) {
  std::uint64_t at = 0, distance = 0, count = 0;
  while (get_varint(from, distance) && get_varint(from, count)) {
    at += distance;
    if (at >= old_buckets) return;
    const auto bucket = static_cast<double>(at);
    to.add(store::bucket_of(static_cast<std::uint64_t>(at == 0 ? 500 : old_bound(bucket - 0.5))), clamped(count));
    to.widen(at == 0 ? 0 : static_cast<std::uint64_t>(old_bound(bucket - 1)),
             static_cast<std::uint64_t>(old_bound(bucket)));
    to.set_coarse();
  }
}

}  // namespace

void encode_sketch(const store::Sketch& sketch, std::string& out) {
  out.clear();
  if (sketch.count() == 0) return;
  put_varint(sketch.min(), out);
  put_varint(sketch.max(), out);
  std::size_t last = 0;
  sketch.each([&](std::size_t bucket, std::uint32_t count) {
    put_varint(bucket - last, out);
    put_varint(count, out);
    last = bucket;
  });
}

void decode_sketch(std::string_view from, Scale scale, store::Sketch& to) {
  if (scale == Scale::of_schema_2) {
    decode_old(from, to);
    return;
  }
  std::uint64_t least = 0, most = 0, at = 0, distance = 0, count = 0;
  if (!get_varint(from, least) || !get_varint(from, most)) return;
  to.widen(least, most);
  if (scale == Scale::sketch_with_coarse) to.set_coarse();
  while (get_varint(from, distance) && get_varint(from, count)) {
    at += distance;
    if (at >= store::bucket_count()) return;
    to.add(at, clamped(count));
  }
}

std::uint64_t largest_of(std::string_view from, Scale scale) {
  std::uint64_t least = 0, most = 0;
  if (scale != Scale::of_schema_2) return get_varint(from, least) && get_varint(from, most) ? most : 0;
  store::Sketch sketch;
  decode_old(from, sketch);
  return sketch.max();
}

void merge_sketch(std::string_view old, Scale scale, std::vector<std::uint64_t>& values, std::string& out) {
  if (scale == Scale::of_schema_2) {
    store::Sketch sketch;
    decode_sketch(old, scale, sketch);
    for (const auto value : values) sketch.add(value);
    encode_sketch(sketch, out);
    return;
  }
  out.clear();
  if (values.empty()) {
    out = old;
    return;
  }
  std::sort(values.begin(), values.end());
  std::uint64_t least = values.front(), most = values.back(), before = 0;
  if (get_varint(old, before)) least = std::min(least, before);
  if (get_varint(old, before)) most = std::max(most, before);
  put_varint(least, out);
  put_varint(most, out);
  std::uint64_t at = 0, distance = 0, count = 0, last = 0;
  bool more = get_varint(old, distance) && get_varint(old, count);
  at = distance;
  for (auto value = values.begin(); value != values.end() || more;) {
    const std::size_t bucket = value == values.end() ? store::bucket_count() : store::bucket_of(*value);
    const std::uint64_t here = more ? std::min<std::uint64_t>(at, bucket) : bucket;
    std::uint64_t sum = 0;
    if (more && at == here) {
      sum = count;
      more = get_varint(old, distance) && get_varint(old, count);
      at += distance;
    }
    for (; bucket == here && value != values.end() && store::bucket_of(*value) == bucket; ++value) ++sum;
    if (here >= store::bucket_count()) break;  // damaged
    put_varint(here - last, out);
    put_varint(clamped(sum), out);
    last = here;
  }
}

void Rollup::add(const Sample& sample) {
  const auto second = static_cast<std::int64_t>(sample.start_unix_ns / 1'000'000'000U);
  Row& row = rows_[{sample.operation, minute, second - second % minute}];
  ++row.spans;
  row.errors += sample.error ? 1 : 0;
  row.cancelled += sample.figures.status == store::CallStatus::cancelled ? 1 : 0;
  for (std::size_t i = 0; i < rolled_up; ++i)
    if (sample.figures.values[i] != store::Figures::unknown) row.values[i].push_back(sample.figures.values[i]);
}

void Rollup::flush(std::int64_t now_ms) {
  std::unordered_map<Key, Row, KeyHash> hours;
  for (auto& [key, row] : rows_) {
    merge(key, row, now_ms);
    Row& to = hours[{key.operation, hour, key.time - key.time % hour}];
    to.spans += row.spans;
    to.errors += row.errors;
    to.cancelled += row.cancelled;
    for (std::size_t i = 0; i < rolled_up; ++i)
      to.values[i].insert(to.values[i].end(), row.values[i].begin(), row.values[i].end());
  }
  for (auto& [key, row] : hours) merge(key, row, now_ms);
  rows_.clear();
}

void Rollup::merge(const Key& key, Row& row, std::int64_t now_ms) {
  Query old(db_,
            "SELECT duration, first_chunk, last_chunk, scale FROM rollup "
            "WHERE width = ?1 AND time = ?2 AND operation = ?3",
            key.width, key.time, key.operation);
  const bool there = old.next();
  const auto scale = there ? static_cast<Scale>(old.integer(3)) : Scale::sketch;
  for (std::size_t i = 0; i < rolled_up; ++i)
    merge_sketch(there ? old.bytes(static_cast<int>(i)) : std::string_view(), scale, row.values[i], blobs_[i]);
  Query(db_,
        "INSERT INTO rollup(width, time, operation, arrived, spans, errors, cancelled, duration, first_chunk, "
        "last_chunk, scale) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
        "ON CONFLICT(width, time, operation) DO UPDATE SET "
        "spans = spans + excluded.spans, errors = errors + excluded.errors, "
        "cancelled = cancelled + excluded.cancelled, duration = excluded.duration, "
        "first_chunk = excluded.first_chunk, last_chunk = excluded.last_chunk, scale = excluded.scale",
        key.width, key.time, key.operation, now_ms, row.spans, row.errors, row.cancelled, Blob{blobs_[0]},
        MaybeBlob{blobs_[1], !blobs_[1].empty()}, MaybeBlob{blobs_[2], !blobs_[2].empty()},
        static_cast<std::int64_t>(scale == Scale::sketch ? Scale::sketch : Scale::sketch_with_coarse))
      .run();
}

}  // namespace sockeye::sqlite
