// The bytes of docs/formats/spool.md: little-endian, every structure with its own CRC-32 so that a reader trusts a
// length only after it checked it. Pure functions; files are spool.cc's.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "sockeye/pipeline/spool.h"

namespace sockeye::pipeline::spool_format {
namespace {

constexpr std::array<base::Byte, 8> magic{'S', 'K', 'S', 'P', 'O', 'O', 'L', '1'};
constexpr std::string_view suffix = ".seg";

template <class T>
void put(base::MutableBytes to, std::size_t at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    to[at + i] = static_cast<base::Byte>(static_cast<std::uint64_t>(value) >> (8 * i));
}

template <class T>
T get(base::Bytes from, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<std::uint64_t>(from[at + i]) << (8 * i);
  return static_cast<T>(value);
}

}  // namespace

std::uint32_t crc32(base::Bytes bytes) { return static_cast<std::uint32_t>(::crc32_z(0, bytes.data(), bytes.size())); }

void write_segment_header(std::uint64_t id, base::MutableBytes to) {
  std::copy(magic.begin(), magic.end(), to.begin());
  put<std::uint64_t>(to, 8, id);
}

std::optional<std::uint64_t> read_segment_header(base::Bytes from) {
  if (from.size() < segment_header_size || !std::equal(magic.begin(), magic.end(), from.begin())) return {};
  return get<std::uint64_t>(from, 8);
}

void write_record_header(const RecordHeader& header, base::MutableBytes to) {
  put<std::uint32_t>(to, 4, header.length);
  put<std::uint32_t>(to, 8, header.body_crc);
  put<std::uint32_t>(to, 12, header.spans);
  put<std::uint32_t>(to, 16, header.index);
  put<std::uint32_t>(to, 20, header.encoding);  // and three bytes of zero
  put<std::uint32_t>(to, 0, crc32(base::Bytes(to).subspan(4, record_header_size - 4)));
}

std::optional<RecordHeader> read_record_header(base::Bytes from) {
  if (from.size() < record_header_size) return {};
  if (get<std::uint32_t>(from, 0) != crc32(from.subspan(4, record_header_size - 4))) return {};
  RecordHeader header;
  header.length = get<std::uint32_t>(from, 4);
  header.body_crc = get<std::uint32_t>(from, 8);
  header.spans = get<std::uint32_t>(from, 12);
  header.index = get<std::uint32_t>(from, 16);
  const auto last = get<std::uint32_t>(from, 20);
  header.encoding = static_cast<std::uint8_t>(last);
  if (header.length == 0 || header.length > max_body || header.spans == 0 || last > 0xffU) return {};
  return header;
}

void write_position(const Position& position, base::MutableBytes to) {
  put<std::uint32_t>(to, 4, 0);
  put<std::uint64_t>(to, 8, position.generation);
  put<std::uint64_t>(to, 16, position.segment);
  put<std::uint64_t>(to, 24, position.offset);
  put<std::uint32_t>(to, 0, crc32(base::Bytes(to).subspan(4, position_slot_size - 4)));
}

std::optional<Position> read_position(base::Bytes from) {
  if (from.size() < position_slot_size) return {};
  if (get<std::uint32_t>(from, 0) != crc32(from.subspan(4, position_slot_size - 4))) return {};
  return Position{get<std::uint64_t>(from, 8), get<std::uint64_t>(from, 16), get<std::uint64_t>(from, 24)};
}

std::string segment_name(std::uint64_t id) {
  std::array<char, 24> text{};
  const int n = std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(id));
  return std::string(text.data(), static_cast<std::size_t>(n)).append(suffix);
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (name.size() != 16 + suffix.size() || !name.ends_with(suffix)) return {};
  std::uint64_t id = 0;
  const char* const end = name.data() + 16;
  const auto parsed = std::from_chars(name.data(), end, id, 16);
  if (parsed.ec != std::errc{} || parsed.ptr != end || id == 0 || id > max_segment || segment_name(id) != name)
    return {};
  return id;
}

}  // namespace sockeye::pipeline::spool_format
