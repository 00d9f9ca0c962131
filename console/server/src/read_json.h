// JSON from the page: the two small things it says. simdjson stays in read_json.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/base/ids.h"
#include "sockeye/base/result.h"

namespace sockeye::console {

// {"token": "..."}
[[nodiscard]] std::optional<std::string> read_token(std::string_view json);

// What a page looks at (docs/formats/openapi.yaml, Subscribe).
struct Subscription {
  bool fleet = false;
  struct Sessions {
    std::string route, instance, dialect, client, text;
    bool trouble = false;
    bool abnormal = false;  // none: what is open has no end
    std::uint64_t min_duration_ns = 0, max_duration_ns = UINT64_MAX;
    std::vector<std::pair<std::string, std::string>> attributes;  // as in store::SessionQuery
    enum class Sort : std::uint8_t { opened, messages, bytes, rtt, misses, buffered, silence } sort = Sort::opened;
    bool ascending = false;
    std::size_t offset = 0, limit = 100;
  };
  std::optional<Sessions> sessions;
  std::optional<base::SessionId> session;
};
[[nodiscard]] base::Result<Subscription> read_subscription(std::string_view json);

}  // namespace sockeye::console
