// The files of schema/, in their order; the source is generated (cmake/embed.cmake).
#pragma once

#include <span>
#include <string_view>

namespace sockeye::sqlite {

struct EmbeddedSchema {
  std::string_view file, text;
};
[[nodiscard]] std::span<const EmbeddedSchema> embedded_schema();

}  // namespace sockeye::sqlite
