// Resource and scope of the records that are read now, as one place in batch.origins for all that have the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "sockeye/store/batch.h"
#include "value.h"

namespace sockeye::intake {

class Origins {
 public:
  explicit Origins(store::Batch& batch, AttributeList& list);

  // A serialized Resource ("" = the request names none), and the URL of the schema that its attributes follow.
  void enter_resource(std::string_view message, std::string_view schema_url);
  // The same of a serialized InstrumentationScope and its records, of the resource entered last.
  void enter_scope(std::string_view message, std::string_view schema_url);
  // Its place. Appends to batch.attributes, once for each scope: not to be called within a list of attributes.
  [[nodiscard]] std::uint32_t current();

 private:
  [[nodiscard]] std::size_t hash(const store::Origin& origin) const;
  [[nodiscard]] bool same(const store::Origin& a, const store::Origin& b) const;
  void read_resource();
  void read_scope();

  store::Batch& batch_;
  AttributeList& list_;
  std::string_view resource_, scope_, resource_schema_, scope_schema_;
  store::Origin origin_;
  bool resource_read_ = false;
  std::optional<std::uint32_t> place_;
  std::unordered_map<std::size_t, std::uint32_t> known_;  // by hash
};

}  // namespace sockeye::intake
