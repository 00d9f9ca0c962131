#include "sockeye/model/http_head.h"

#include "sockeye/base/text.h"

namespace sockeye::model {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

const HttpField* HttpHead::find(std::string_view name) const {
  for (const auto& field : fields)
    if (iequals(field.name, name)) return &field;
  return nullptr;
}

std::string_view HttpHead::value(std::string_view name) const {
  const auto* field = find(name);
  return field != nullptr ? field->value : std::string_view{};
}

bool HttpHead::has_token(std::string_view name, std::string_view token) const {
  for (const auto& field : fields) {
    if (!iequals(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      if (iequals(base::trim(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

}  // namespace sockeye::model
