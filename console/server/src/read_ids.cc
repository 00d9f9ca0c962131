#include "read_ids.h"

#include "sockeye/base/text.h"

namespace sockeye::console {

std::optional<std::string> hex_digits(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    if (c == '-') continue;
    const int digit = base::hex_digit(c);
    if (digit < 0) return std::nullopt;
    out += digits[static_cast<std::size_t>(digit)];
  }
  return out.empty() ? std::nullopt : std::optional(std::move(out));
}

std::optional<base::TraceId> read_trace_id(std::string_view text) {
  if (text.size() > 32 || text.find('-') != std::string_view::npos) return std::nullopt;
  auto digits = hex_digits(text);
  if (!digits) return std::nullopt;
  digits->insert(0, 32 - digits->size(), '0');
  const auto id = base::parse_trace_id(*digits);
  return id && !id->is_zero() ? id : std::nullopt;
}

std::optional<base::SessionId> read_session_id(std::string_view text) {
  if (text.size() != 32 && text.size() != 36) return std::nullopt;
  auto digits = hex_digits(text);
  if (!digits || digits->size() != 32) return std::nullopt;
  for (const std::size_t at : {8U, 13U, 18U, 23U}) {
    if (text.size() == 36 && text[at] != '-') return std::nullopt;
    digits->insert(at, 1, '-');
  }
  return base::parse_session_id(*digits);
}

}  // namespace sockeye::console
