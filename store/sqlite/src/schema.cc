// A database that is not ours, damaged or newer must be left exactly as it is, and SQLite writes early (a hot log is
// replayed, a mode is set). So the header is read first, by hand; only what passes is opened.
#include "schema.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "embedded_schema.h"
#include "sockeye/files/directory.h"
#include "sockeye/model/abnormal_end.h"

namespace sockeye::sqlite {
namespace {

std::int64_t newest() { return static_cast<std::int64_t>(embedded_schema().size()); }

std::string too_new(const std::string& path, std::int64_t version) {
  return path + " has schema " + std::to_string(version) + ", and this version of Sockeye knows up to " +
         std::to_string(newest()) + ": use the newer Sockeye, or another directory";
}
std::string not_ours(const std::string& path) {
  return path + " is a database of another program: move it away, or use another directory";
}

std::uint32_t big_endian(const unsigned char* at) {
  return static_cast<std::uint32_t>(at[0]) << 24U | static_cast<std::uint32_t>(at[1]) << 16U |
         static_cast<std::uint32_t>(at[2]) << 8U | at[3];
}

// https://sqlite.org/fileformat.html §1.3.
base::Result<void> look_at_header(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    if (errno == ENOENT) return {};
    return base::fail(path + " cannot be opened: " + std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
  }
  std::array<unsigned char, 100> header{};
  const ssize_t size = ::read(fd, header.data(), header.size());
  struct stat about {};
  const bool regular = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  ::close(fd);
  if (!regular) return base::fail(path + " is not a regular file");
  if (size == 0) return {};
  const std::string magic("SQLite format 3\0", 16);
  if (size < static_cast<ssize_t>(header.size()) || std::memcmp(header.data(), magic.data(), magic.size()) != 0)
    return base::fail(path + " is not a database: move it away, or use another directory");
  const std::int64_t version = big_endian(&header[60]), application = big_endian(&header[68]);
  // A start that was cut short leaves both zero: then what is in it decides (check_content).
  if (application != application_id && application + version != 0) return base::fail(not_ours(path));
  if (version > newest()) return base::fail(too_new(path, version));
  return {};
}

std::int64_t number(Database& db, const char* sql) {
  Query query(db, sql);
  return query.next() ? query.integer(0) : 0;
}

// What a step of the schema may ask that SQL does not know: abnormal_end(end_reason, close_code).
void teach(Database& db) {
  const auto abnormal = [](sqlite3_context* context, int, sqlite3_value** values) {
    const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
    const std::string_view reason(text == nullptr ? "" : text,
                                  static_cast<std::size_t>(sqlite3_value_bytes(values[0])));
    const auto code = static_cast<std::uint16_t>(sqlite3_value_int(values[1]));
    sqlite3_result_int(context, model::abnormal_end(reason, code).empty() ? 0 : 1);
  };
  if (sqlite3_create_function(db.raw(), "abnormal_end", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, abnormal,
                              nullptr, nullptr) != SQLITE_OK)
    db.fail("");
}

void migrate(Database& db, std::int64_t from) {
  for (std::int64_t version = from; version < newest(); ++version) {
    db.run("BEGIN IMMEDIATE");
    try {
      db.run(std::string(embedded_schema()[static_cast<std::size_t>(version)].text));
      db.run("PRAGMA user_version = " + std::to_string(version + 1));
      db.run("COMMIT");
    } catch (const Failure&) {
      sqlite3_exec(db.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }
}

}  // namespace

base::Result<Database> open_database(const std::string& path) {
  if (auto looked = look_at_header(path); !looked) return tl::unexpected(looked.error());
  // SQLite would take the umask's mode, and gives its logs the database's.
  if (const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600); fd >= 0)
    ::close(fd);
  for (const auto* each : {"", "-wal", "-shm"}) files::make_private(path + each);
  try {
    Database db(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW);
    // What stands in a log that was left behind may differ from the header.
    const std::int64_t version = number(db, "PRAGMA user_version");
    const bool empty = number(db, "SELECT count(*) FROM sqlite_schema") == 0;
    if (!empty && number(db, "PRAGMA application_id") != application_id) return base::fail(not_ours(path));
    if (version > newest()) return base::fail(too_new(path, version));
    if (empty) db.run("PRAGMA page_size = 16384");
    db.run("PRAGMA journal_mode = WAL");
    db.run("PRAGMA synchronous = FULL");
    db.run("PRAGMA wal_autocheckpoint = 0");  // the writer does it, between transactions
    db.run("PRAGMA cache_size = -65536");
    db.run("PRAGMA temp_store = MEMORY");
    db.run("PRAGMA cache_spill = OFF");
    teach(db);
    migrate(db, version);
    // Reads every page of the schema: a damaged one shows now, not at the first batch.
    number(db, "SELECT count(*) FROM sqlite_schema WHERE sql IS NOT NULL");
    return db;
  } catch (const Failure& failure) {
    if (failure.damaged())
      return base::fail(path + " is damaged (" + failure.message + "): move it away, or restore it from a copy");
    return base::fail(path + ": " + failure.message);
  }
}

Database open_reader(const std::string& path) {
  Database db(path, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW);
  db.run("PRAGMA cache_size = -16384");
  db.run("PRAGMA temp_store = MEMORY");
  return db;
}

}  // namespace sockeye::sqlite
