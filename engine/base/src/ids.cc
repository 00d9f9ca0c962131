#include "sockeye/base/ids.h"

namespace sockeye::base {
namespace {

constexpr char digits[] = "0123456789abcdef";

template <std::size_t N>
void fill(std::array<std::uint8_t, N>& out, Random& random) {
  static_assert(N % 8 == 0);
  do {
    for (std::size_t i = 0; i < N; i += 8) {
      std::uint64_t word = random();
      for (std::size_t j = 0; j < 8; ++j, word >>= 8U) out[i + j] = static_cast<std::uint8_t>(word);
    }
  } while (out == std::array<std::uint8_t, N>{});  // all-zero is "invalid" in W3C Trace Context
}

template <std::size_t N>
std::string hex(const std::array<std::uint8_t, N>& bytes) {
  std::string out(2 * N, '0');
  for (std::size_t i = 0; i < N; ++i) {
    out[2 * i] = digits[bytes[i] >> 4U];
    out[2 * i + 1] = digits[bytes[i] & 15U];
  }
  return out;
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

template <class I>
std::optional<I> unhex(std::string_view text) {
  I id;
  if (text.size() != 2 * id.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    const int high = nibble(text[2 * i]);
    const int low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return id;
}

}  // namespace

TraceId make_trace_id(Random& random) {
  TraceId id;
  fill(id.bytes, random);
  return id;
}

SpanId make_span_id(Random& random) {
  SpanId id;
  fill(id.bytes, random);
  return id;
}

SessionId make_session_id(Random& random, std::uint64_t unix_ms) {
  SessionId id;
  fill(id.bytes, random);
  for (std::size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(unix_ms >> (40U - 8U * i));
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0fU) | 0x70U);  // version 7
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3fU) | 0x80U);  // variant 10
  return id;
}

std::string to_hex(const TraceId& id) { return hex(id.bytes); }
std::string to_hex(const SpanId& id) { return hex(id.bytes); }

std::string to_uuid(const SessionId& id) {
  std::string out = hex(id.bytes);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) out.insert(at, 1, '-');
  return out;
}

std::optional<TraceId> parse_trace_id(std::string_view text) { return unhex<TraceId>(text); }
std::optional<SpanId> parse_span_id(std::string_view text) { return unhex<SpanId>(text); }

std::optional<SessionId> parse_session_id(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) return std::nullopt;
    if (!dash) plain += text[i];
  }
  return unhex<SessionId>(plain);
}

}  // namespace sockeye::base
