// Names of services and operations, and who calls whom.
#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>

#include "ask.h"
#include "filter.h"
#include "sockeye/store/value_text.h"

namespace sockeye::sqlite::ask {
base::Result<std::vector<std::string>> services(Database& db) {
  std::vector<std::string> out;
  // From one to the next by the index, past all operations of each.
  std::string last;
  while (true) {
    Query next(db, "SELECT service FROM operation WHERE service > ?1 ORDER BY service LIMIT 1", std::string_view(last));
    if (!next.next()) return out;
    last = out.emplace_back(next.text(0));
  }
}

// The cursor is the id of the last one answered.
base::Result<store::Page<store::OperationName>> operations(Database& db, const store::OperationNamesQuery& query) {
  std::string service, name;
  bool begun = false;
  if (!query.cursor.empty()) {
    std::int64_t id = 0;
    const char* const end = query.cursor.data() + query.cursor.size();
    const auto read = std::from_chars(query.cursor.data(), end, id, 36);
    Query row(db, "SELECT service, name FROM operation WHERE id = ?1", id);
    if (read.ec != std::errc() || read.ptr != end || !row.next()) return base::fail(std::string(store::bad_cursor));
    service = row.text(0);
    name = row.text(1);
    begun = true;
  }
  if (!query.service.empty() && !begun) service = query.service;
  store::Page<store::OperationName> out;
  const auto limit = std::clamp<std::size_t>(query.limit, 1, 100'000);
  std::int64_t last = 0;
  Query rows(db,
             "SELECT id, service, name, kinds FROM operation WHERE (service, name) >= (?1, ?2) "
             "AND (?3 = 0 OR (service, name) > (?1, ?2)) ORDER BY service, name",
             std::string_view(service), std::string_view(name), begun);
  while (rows.next()) {
    if (!query.service.empty() && rows.text(1) != query.service) break;
    const auto kinds = static_cast<std::uint8_t>(rows.integer(3));
    const bool fits = (store::holds_folded(rows.text(2), query.contains)) &&
                      (!query.kind || kinds == 0 || (kinds >> *query.kind & 1U) != 0);
    if (fits && out.items.size() == limit) {
      char digits[16];
      out.cursor.assign(digits, std::to_chars(std::begin(digits), std::end(digits), last, 36).ptr);
      return out;
    }
    if (!fits) continue;
    last = rows.integer(0);
    out.items.push_back({std::string(rows.text(1)), std::string(rows.text(2)), kinds});
  }
  out.complete = !db.late();
  return out;
}

namespace {

// Which service a span is of, for as many spans as fit. Open addressing: 12 bytes a slot.
class Owners {
 public:
  static constexpr std::size_t most = 2'000'000;
  [[nodiscard]] bool full() const { return size_ >= most; }

  void put(std::uint64_t key, std::uint32_t service) {
    if ((size_ + 1) * 2 > keys_.size()) grow();
    const std::size_t at = slot(key);
    if (services_[at] == 0) ++size_;
    keys_[at] = key;
    services_[at] = service + 1;
  }
  [[nodiscard]] std::optional<std::uint32_t> find(std::uint64_t key) const {
    if (keys_.empty()) return std::nullopt;
    const std::size_t at = slot(key);
    return services_[at] == 0 ? std::nullopt : std::optional(services_[at] - 1);
  }

 private:
  [[nodiscard]] std::size_t slot(std::uint64_t key) const {
    std::size_t at = key & (keys_.size() - 1);
    while (services_[at] != 0 && keys_[at] != key) at = (at + 1) & (keys_.size() - 1);
    return at;
  }
  void grow() {
    std::vector<std::uint64_t> keys(std::max<std::size_t>(4096, keys_.size() * 2));
    std::vector<std::uint32_t> services(keys.size());
    keys.swap(keys_);
    services.swap(services_);
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (services[i] != 0) {
        const std::size_t at = slot(keys[i]);
        keys_[at] = keys[i];
        services_[at] = services[i];
      }
  }
  std::vector<std::uint64_t> keys_;
  std::vector<std::uint32_t> services_;  // plus one; 0: free
  std::size_t size_ = 0;
};

// Reads runs of spans, latest first, and counts each span whose parent is another service's. A parent may stand in a
// run that comes later, or in none that is read: then the index of span ids knows it.
class Calls {
 public:
  Calls(Database& db, store::TimeRange range) : db_(db), from_(column_time(range.from_unix_ns)) {
    if (range.to_unix_ns <= static_cast<std::uint64_t>(INT64_MAX))
      until_ = static_cast<std::int64_t>(range.to_unix_ns) - 1;
  }

  // False: the time is over, or the room.
  bool read(std::int64_t first, std::int64_t last) {
    Query rows(db_, "SELECT trace_id, span_id, parent_id, start, operation FROM span WHERE id BETWEEN ?1 AND ?2", first,
               last);
    std::vector<Child> children;
    while (rows.next()) {
      const auto service = service_of(rows.integer(4));
      const auto trace = rows.id<base::TraceId>(0);
      owners_.put(key(trace, rows.id<base::SpanId>(1)), service);
      const bool within = rows.integer(3) >= from_ && rows.integer(3) <= until_;
      if (within && !rows.null(2)) children.push_back({trace, rows.id<base::SpanId>(2), service});
    }
    for (const Child& child : children)
      if (const auto parent = owners_.find(key(child.trace, child.parent)))
        count(*parent, child.service);
      else
        waiting_.push_back(child);
    return !db_.late() && !owners_.full();
  }

  // False: late.
  bool settle() {
    for (const Child& child : waiting_) {
      if (const auto parent = owners_.find(key(child.trace, child.parent))) {
        count(*parent, child.service);
        continue;
      }
      Query row(db_, "SELECT operation FROM span INDEXED BY span_identity WHERE trace_id = ?1 AND span_id = ?2",
                blob(child.trace), blob(child.parent));
      if (row.next()) count(service_of(row.integer(0)), child.service);
      if (db_.late()) return false;
    }
    return true;
  }

  [[nodiscard]] std::vector<store::Dependency> sorted() const {
    std::map<std::pair<std::string_view, std::string_view>, std::uint64_t> by_name;
    for (const auto& [pair, calls] : calls_) by_name[{names_[pair.first], names_[pair.second]}] = calls;
    std::vector<store::Dependency> out;
    out.reserve(by_name.size());
    for (const auto& [names, calls] : by_name)
      out.push_back({std::string(names.first), std::string(names.second), calls});
    return out;
  }

 private:
  struct Child {
    base::TraceId trace;
    base::SpanId parent;
    std::uint32_t service;
  };

  static std::uint64_t key(const base::TraceId& trace, const base::SpanId& span) {
    return hash(blob(span).bytes, hash(blob(trace).bytes, 0));
  }
  void count(std::uint32_t parent, std::uint32_t child) {
    if (parent != child) ++calls_[{parent, child}];
  }
  std::uint32_t service_of(std::int64_t operation) {
    const auto known = operations_.find(operation);
    if (known != operations_.end()) return known->second;
    Query row(db_, "SELECT service FROM operation WHERE id = ?1", operation);
    const std::string name(row.next() ? row.text(0) : "unknown_service");
    const auto place = services_.try_emplace(name, static_cast<std::uint32_t>(names_.size())).first;
    if (place->second == names_.size()) names_.push_back(name);
    operations_.emplace(operation, place->second);
    return place->second;
  }

  Database& db_;
  const std::int64_t from_;
  std::int64_t until_ = INT64_MAX;
  Owners owners_;
  std::vector<Child> waiting_;
  std::unordered_map<std::int64_t, std::uint32_t> operations_;
  std::unordered_map<std::string, std::uint32_t> services_;
  std::vector<std::string> names_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> calls_;
};

}  // namespace

base::Result<store::Page<store::Dependency>> dependencies(Database& db, store::TimeRange range) {
  store::Page<store::Dependency> out;
  if (range.from_unix_ns >= range.to_unix_ns) return out;
  struct Run {
    std::int64_t first, last;
  };
  std::vector<Run> runs;
  std::int64_t after = 0;
  {
    Query last(db, "SELECT ifnull(max(last), 0) FROM block");
    if (last.next()) after = last.integer(0);
    runs.push_back({after + 1, INT64_MAX});  // in no block yet
    Query blocks(db, "SELECT first, last FROM block WHERE max_start >= ?1 AND min_start < ?2 ORDER BY id DESC",
                 column_time(range.from_unix_ns), column_time(range.to_unix_ns));
    while (blocks.next()) runs.push_back({blocks.integer(0), blocks.integer(1)});
  }
  Calls calls(db, range);
  out.complete =
      !db.late() && std::all_of(runs.begin(), runs.end(), [&](Run run) { return calls.read(run.first, run.last); });
  if (!calls.settle()) out.complete = false;
  out.items = calls.sorted();
  return out;
}

}  // namespace sockeye::sqlite::ask
