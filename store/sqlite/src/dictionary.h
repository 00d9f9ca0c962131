// Numbers for what many spans share: origins (who sent) and operations (service and name). Found in a cache of bounded
// size, else in the table, else entered there. `seen` of a row is never more than `refresh_ms` older than its last use,
// so that retention can tell what nothing refers to any more.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "database.h"

namespace sockeye::sqlite {

inline constexpr std::int64_t refresh_ms = 10'000;

class Dictionary {
 public:
  explicit Dictionary(Database& db) : db_(db) {}

  // Notes that it has spans of this kind.
  std::int64_t operation(std::string_view service, std::string_view name, std::uint8_t kind, std::int64_t now_ms);
  std::int64_t origin(std::string_view service, std::string_view body, std::int64_t now_ms);
  // After a rollback, and when rows were removed: what is cached may not be there.
  void forget();

 private:
  struct Entry {
    std::string first, second;
    std::int64_t id = 0, seen = 0;
    std::uint8_t kinds = 0;  // noted in the table
  };
  using Cache = std::unordered_map<std::uint64_t, Entry>;
  Entry* find(Cache& cache, std::uint64_t key, std::string_view first, std::string_view second);
  void keep(Cache& cache, std::uint64_t key, Entry entry);

  Database& db_;
  Cache operations_, origins_;
  std::size_t held_ = 0;  // bytes of both
};

}  // namespace sockeye::sqlite
