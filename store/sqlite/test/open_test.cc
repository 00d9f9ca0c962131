// What open() accepts, brings up to date and refuses; a refused file stays as it was, byte for byte.
#include "sockeye/sqlite/open.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "embedded_schema.h"
#include "folder.h"

namespace sockeye::sqlite::test {
namespace {

Options in(const std::string& directory) {
  Options out;
  out.directory = directory;
  return out;
}

void run(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
}

void make(const std::string& directory, std::uint64_t spans) {
  const auto store = open(in(directory));
  ASSERT_TRUE(store) << store.error().message;
  if (spans > 0) {
    EXPECT_EQ(write(**store, some_spans(1, spans)).refusal, store::Refusal::none);
  }
}

// Refused with one line that names the file and has `word`, and nothing is changed.
void expect_refused(const Folder& folder, const std::string& word) {
  const std::string before = read_file(folder.database());
  const auto store = open(in(folder.path()));
  ASSERT_FALSE(store);
  const std::string& message = store.error().message;
  EXPECT_NE(message.find(folder.database()), std::string::npos) << message;
  EXPECT_NE(message.find(word), std::string::npos) << message;
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 0) << message;
  EXPECT_EQ(read_file(folder.database()), before);
}

TEST(Open, MakesItsDirectoryForItselfAlone) {
  const Folder folder;
  make(folder.path() + "/a/b", 1);
  struct stat about {};
  ASSERT_EQ(::stat((folder.path() + "/a/b").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0700U);
  // Closed in order, nothing is left beside the file.
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/a/b/sockeye.db-wal"));
}

TEST(Open, OneProcessADirectory) {
  const Folder folder;
  const auto first = open(in(folder.path()));
  ASSERT_TRUE(first);
  const auto second = open(in(folder.path()));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("in use by another process (pid " + std::to_string(::getpid()) + ")"),
            std::string::npos)
      << second.error().message;
}

TEST(Open, RefusesANewerSchema) {
  const Folder folder;
  make(folder.path(), 10);
  run(folder.database(), "PRAGMA user_version = 99");
  expect_refused(folder, "schema 99");
}

TEST(Open, RefusesADatabaseOfAnotherProgram) {
  const Folder folder;
  run(folder.database(), "CREATE TABLE mine(x); INSERT INTO mine VALUES(1)");
  expect_refused(folder, "another program");
  const Folder other;
  run(other.database(), "PRAGMA application_id = 7; CREATE TABLE mine(x)");
  expect_refused(other, "another program");
}

TEST(Open, RefusesWhatIsNoDatabase) {
  for (const std::string& content : {std::string("hello"), std::string(50'000, '\0'), std::string("SQLite format 3"),
                                     std::string("SQLite format 3\0 and then nothing of the kind", 40)}) {
    const Folder folder;
    write_file(folder.database(), content);
    expect_refused(folder, "not a database");
  }
  const Folder folder;
  std::filesystem::create_directory(folder.database());
  EXPECT_FALSE(open(in(folder.path())));
}

TEST(Open, RefusesADamagedFile) {
  const Folder folder;
  make(folder.path(), 3000);
  const std::string whole = read_file(folder.database());
  const auto with = [&](std::size_t at, const std::string& bytes) {
    std::string out = whole;
    out.replace(at, bytes.size(), bytes);
    return out;
  };
  write_file(folder.database(), with(0, "SQLITE FORMAT 3"));
  expect_refused(folder, "not a database");
  write_file(folder.database(), with(16, std::string("\x12\x34", 2)));  // page size
  expect_refused(folder, "damaged");
  write_file(folder.database(), with(100, std::string(400, '\x55')));  // the schema's own page
  expect_refused(folder, "damaged");
  write_file(folder.database(), whole.substr(0, 20'000));
  expect_refused(folder, "damaged");
  write_file(folder.database(), whole);
  const auto store = open(in(folder.path()));
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->stats().spans, 3000U);
}

// Damage found later is an error value of the question that met it, and no more.
TEST(Open, DamageFurtherInIsAnErrorOfWhatMeetsIt) {
  const Folder folder;
  make(folder.path(), 5000);
  std::string bytes = read_file(folder.database());
  const auto size = bytes.size();
  for (std::size_t page = 16384 * 20; page + 16384 <= size; page += 16384 * 2)
    bytes.replace(page, 300, std::string(300, '\xee'));
  write_file(folder.database(), bytes);
  const auto store = open(in(folder.path()));
  if (!store) return;  // it lay where a start looks, and said so
  bool failed = false;
  for (std::uint64_t i = 1; i <= 5000; i += 7) {
    const auto trace = (*store)->trace(number<base::TraceId>(i), 10, soon());
    if (!trace) failed = true;
    EXPECT_TRUE(trace || trace.error().message.find(folder.database()) != std::string::npos);
  }
  EXPECT_TRUE(failed);
}

TEST(Open, AnEmptyFileAndAStartThatWasCutShortAreNew) {
  const Folder folder;
  write_file(folder.database(), "");
  make(folder.path(), 5);
  const Folder other;
  run(other.database(), "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; VACUUM");
  make(other.path(), 5);
}

TEST(Schema, FilesAreNumberedWithoutGaps) {
  int expected = 1;
  for (const auto& each : embedded_schema()) EXPECT_EQ(std::stoi(std::string(each.file.substr(0, 3))), expected++);
  EXPECT_GT(expected, 1);
}

// Filters of schema 1 place their entries elsewhere: they must not rule a block out.
TEST(Schema, FiltersOfSchema1HoldAnythingAfterwards) {
  const Folder folder;
  run(folder.database(), "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL;" +
                             std::string(embedded_schema().front().text) +
                             "; INSERT INTO filter VALUES(0, 1000, x'0000000000000000'); PRAGMA user_version = 1");
  make(folder.path(), 0);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(folder.database().c_str(), &db), SQLITE_OK);
  sqlite3_stmt* rows = nullptr;
  ASSERT_EQ(
      sqlite3_prepare_v2(db, "SELECT count(*), sum(length(bits)) FROM filter WHERE block = 1000", -1, &rows, nullptr),
      SQLITE_OK);
  ASSERT_EQ(sqlite3_step(rows), SQLITE_ROW);
  EXPECT_EQ(sqlite3_column_int(rows, 0), 1);
  EXPECT_EQ(sqlite3_column_int(rows, 1), 0);
  sqlite3_finalize(rows);
  sqlite3_close(db);
}

TEST(Schema, AFailedMigrationChangesNothing) {
  // Version 0 with our mark and a table in the way of schema 1.
  const Folder folder;
  run(folder.database(), "PRAGMA application_id = 1397441881; CREATE TABLE filter(x)");
  const auto store = open(in(folder.path()));
  ASSERT_FALSE(store);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(folder.database().c_str(), &db), SQLITE_OK);
  sqlite3_stmt* count = nullptr;
  ASSERT_EQ(sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_schema", -1, &count, nullptr), SQLITE_OK);
  ASSERT_EQ(sqlite3_step(count), SQLITE_ROW);
  EXPECT_EQ(sqlite3_column_int(count, 0), 1);
  sqlite3_finalize(count);
  sqlite3_close(db);
}

}  // namespace
}  // namespace sockeye::sqlite::test
