#include "dictionary.h"

#include "filter.h"

namespace sockeye::sqlite {
namespace {
constexpr std::size_t most_held = 8U << 20U;   // bytes; over it the cache starts over
constexpr std::size_t most_kept = 64U << 10U;  // one that is longer is looked up in the table every time
constexpr std::size_t overhead = 160;
}  // namespace

Dictionary::Entry* Dictionary::find(Cache& cache, std::uint64_t key, std::string_view first, std::string_view second) {
  const auto found = cache.find(key);
  // Others may have the same hash, by chance or on purpose.
  if (found == cache.end() || found->second.first != first || found->second.second != second) return nullptr;
  return &found->second;
}

void Dictionary::keep(Cache& cache, std::uint64_t key, Entry entry) {
  const std::size_t size = entry.first.size() + entry.second.size() + overhead;
  if (size > most_kept) return;
  if (held_ + size > most_held) forget();
  held_ += size;
  cache.insert_or_assign(key, std::move(entry));
}

std::int64_t Dictionary::operation(std::string_view service, std::string_view name, std::uint8_t kind,
                                   std::int64_t now_ms) {
  const std::uint64_t key = of_operation(service, name);
  const auto bit = static_cast<std::uint8_t>(1U << (kind & 7U));
  Entry* entry = find(operations_, key, service, name);
  if (entry != nullptr && now_ms - entry->seen < refresh_ms && (entry->kinds & bit) != 0) return entry->id;
  Query upsert(db_,
               "INSERT INTO operation(seen, service, name, kinds) VALUES(?1, ?2, ?3, ?4) "
               "ON CONFLICT(service, name) DO UPDATE SET seen = excluded.seen, kinds = kinds | excluded.kinds "
               "RETURNING id, kinds",
               now_ms, service, name, bit);
  std::int64_t id = 0;
  std::uint8_t kinds = 0;
  while (upsert.next()) {
    id = upsert.integer(0);
    kinds = static_cast<std::uint8_t>(upsert.integer(1));
  }
  if (entry != nullptr) {
    entry->seen = now_ms;
    entry->kinds = kinds;
  } else {
    keep(operations_, key, {std::string(service), std::string(name), id, now_ms, kinds});
  }
  return id;
}

std::int64_t Dictionary::origin(std::string_view service, std::string_view body, std::int64_t now_ms) {
  const std::uint64_t key = hash(body, of_service(service));
  Entry* entry = find(origins_, key, service, body);
  if (entry != nullptr && now_ms - entry->seen < refresh_ms) return entry->id;
  std::int64_t id = entry == nullptr ? 0 : entry->id;
  if (entry == nullptr) {
    Query look(db_, "SELECT id, service, body FROM origin WHERE hash = ?1", key);
    while (id == 0 && look.next())
      if (look.text(1) == service && look.bytes(2) == body) id = look.integer(0);
  }
  if (id != 0) {
    Query(db_, "UPDATE origin SET seen = ?2 WHERE id = ?1", id, now_ms).run();
  } else {
    Query(db_, "INSERT INTO origin(hash, seen, service, body) VALUES(?1, ?2, ?3, ?4)", key, now_ms, service, Blob{body})
        .run();
    id = sqlite3_last_insert_rowid(db_.raw());
  }
  if (entry != nullptr) {
    entry->seen = now_ms;
  } else {
    keep(origins_, key, {std::string(service), std::string(body), id, now_ms});
  }
  return id;
}

void Dictionary::forget() {
  operations_.clear();
  origins_.clear();
  held_ = 0;
}

}  // namespace sockeye::sqlite
