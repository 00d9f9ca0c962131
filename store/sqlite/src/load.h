// Rows back into a Batch.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "database.h"
#include "sockeye/store/batch.h"

namespace sockeye::sqlite {

class Load {
 public:
  Load(Database& db, store::Batch& to) : db_(db), to_(to) {}
  // False: the deadline came before it was read; nothing of it is there then.
  bool span(std::int64_t id);
  bool log(std::int64_t id);

 private:
  // None: late.
  std::optional<std::uint32_t> origin(std::int64_t id);
  std::optional<std::string_view> name(std::int64_t operation);

  Database& db_;
  store::Batch& to_;
  std::unordered_map<std::int64_t, std::uint32_t> origins_;
  std::unordered_map<std::int64_t, std::string_view> names_;
};

}  // namespace sockeye::sqlite
