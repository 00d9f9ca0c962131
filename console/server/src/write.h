// Answers as JSON: web/src/api/types.ts and docs/formats/openapi.yaml name every field.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "fleet.h"
#include "sockeye/base/json.h"
#include "sockeye/store/store.h"

namespace sockeye::console {

// Unix milliseconds, to the microsecond; null for 0.
void time_ms(base::Json&, std::string_view key, std::uint64_t unix_ns);
void seconds(base::Json&, std::string_view key, double value);  // null when not finite
void write_value(base::Json&, const store::Value&);
void write_attributes(base::Json&, std::string_view key, std::span<const store::Attribute>);
// `more` writes further fields of the same object.
void write_span(base::Json&, const store::Batch&, const store::Span&, const std::function<void()>& more = {});
void write_log(base::Json&, const store::Batch&, const store::Log&);
void write_summary(base::Json&, const store::TraceSummary&);
void write_session(base::Json&, const store::Session&, const std::optional<LiveRates>&);
void write_recorder(base::Json&, std::string_view key, const std::vector<live::Recorded>&);
void write_calls(base::Json&, std::string_view key, const std::vector<live::OpenCall>&);
void write_proxies(base::Json&, const std::vector<ProxyNow>&);
void write_route(base::Json&, const RouteNow&);

[[nodiscard]] std::string_view kind_name(std::uint8_t kind);
[[nodiscard]] std::string_view status_name(std::uint8_t status);

}  // namespace sockeye::console
