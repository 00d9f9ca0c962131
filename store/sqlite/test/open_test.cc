// What open() accepts, brings up to date and refuses; a refused file stays as it was, byte for byte.
#include "sockeye/sqlite/open.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

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
  // Steps of the schema ask it (schema.cc); what these tests make is of no session.
  const auto calm = [](sqlite3_context* context, int, sqlite3_value**) { sqlite3_result_int(context, 0); };
  sqlite3_create_function(db, "abnormal_end", 2, SQLITE_UTF8, nullptr, calm, nullptr, nullptr);
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

mode_t mode_of(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 ? about.st_mode & 0777U : 0U;
}

// Whatever the umask and the directory's mode are.
TEST(Open, ItsFilesAreItsOwn) {
  const Folder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  std::vector<std::string> lines;
  auto options = in(folder.path());
  options.log = [&](int, const std::string& line) { lines.push_back(line); };
  const mode_t before = ::umask(0);
  {
    const auto store = open(options);
    ASSERT_TRUE(store);
    for (const auto* each : {"", "-wal", "-shm"}) EXPECT_EQ(mode_of(folder.database() + each), 0600U) << each;
  }
  ::umask(before);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("chmod go-w " + folder.path()), std::string::npos) << lines[0];
  // What an older version left.
  ASSERT_EQ(::chmod(folder.database().c_str(), 0644), 0);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  const auto store = open(options);
  ASSERT_TRUE(store);
  EXPECT_EQ(mode_of(folder.database()), 0600U);
  EXPECT_EQ(mode_of(folder.path()), 0755U);
  EXPECT_EQ(lines.size(), 1U);
}

TEST(Open, FollowsNoLinkToAFile) {
  const Folder folder, elsewhere;
  make(elsewhere.path(), 1);
  std::filesystem::create_symlink(elsewhere.database(), folder.database());
  const auto store = open(in(folder.path()));
  ASSERT_FALSE(store);
  // But a directory may be reached by one.
  std::filesystem::create_directory_symlink(elsewhere.path(), folder.path() + "/link");
  EXPECT_TRUE(open(in(folder.path() + "/link")));
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

// A database as version `version` of the schema made it, with `sql` in it.
void make_old(const Folder& folder, std::size_t version, const std::string& sql) {
  std::string all = "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL;";
  for (std::size_t i = 0; i < version; ++i) all += embedded_schema()[i].text;
  run(folder.database(), all + sql + "; PRAGMA user_version = " + std::to_string(version));
}

TEST(Schema, FilesAreNumberedWithoutGaps) {
  int expected = 1;
  for (const auto& each : embedded_schema()) EXPECT_EQ(std::stoi(std::string(each.file.substr(0, 3))), expected++);
  EXPECT_GT(expected, 1);
}

// Runs `sql`, which gives one number.
std::int64_t number_of(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  sqlite3_stmt* rows = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &rows, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  EXPECT_EQ(sqlite3_step(rows), SQLITE_ROW);
  const std::int64_t out = sqlite3_column_int64(rows, 0);
  sqlite3_finalize(rows);
  sqlite3_close(db);
  return out;
}

// As the schema before that of calls left it: no columns of blocks, and histograms of 19 % wide buckets (here one value
// in bucket 80: 0.88 to 1.05 s, in each row).
void make_before_calls(const Folder& folder, std::uint64_t spans) {
  const Folder made;
  make(made.path(), spans);
  std::string sql = "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL;";
  int version = 0;
  for (const auto& each : embedded_schema()) {
    if (each.file.ends_with("_calls.sql")) break;
    sql.append(each.text).append(";");
    ++version;
  }
  sql += "ATTACH '" + made.database() + "' AS made;";
  for (const std::string table_columns :
       {"origin(id, hash, seen, service, body)", "operation(id, seen, service, name)",
        "span(id, trace_id, span_id, parent_id, start, duration, kind, status, flags, "
        "origin, operation, session, body)",
        "block(id, first, last, spans, arrived, min_start, max_start, max_duration)", "filter(slice, block, bits)"}) {
    const auto open = table_columns.find('(');
    sql += "INSERT INTO main." + table_columns + " SELECT " +
           table_columns.substr(open + 1, table_columns.size() - open - 2) + " FROM made." +
           table_columns.substr(0, open) + ";";
  }
  sql +=
      "INSERT INTO main.rollup(width, time, operation, arrived, spans, errors, cancelled, duration) "
      "SELECT width, time, operation, arrived, 1, 0, 0, x'5001' FROM made.rollup;"
      "PRAGMA user_version = " +
      std::to_string(version);
  run(folder.database(), sql);
}

// Filters of schema 1 place their entries elsewhere: they must not rule a block out.
TEST(Schema, FiltersOfSchema1HoldAnythingAfterwards) {
  const Folder folder;
  make_old(folder, 1, "INSERT INTO filter VALUES(0, 1000, x'0000000000000000')");
  make(folder.path(), 0);
  EXPECT_EQ(number_of(folder.database(), "SELECT count(*) FROM filter WHERE block = 1000"), 1);
  EXPECT_EQ(number_of(folder.database(), "SELECT sum(length(bits)) FROM filter WHERE block = 1000"), 0);
}

TEST(Schema, LatenciesOfBeforeKeepTheirCountsAndSayHowCoarseTheyAre) {
  const Folder folder;
  make_before_calls(folder, 10);
  const auto store = open(in(folder.path()));
  ASSERT_TRUE(store) << store.error().message;
  const auto before = (*store)->latency({}, soon());
  ASSERT_TRUE(before);
  ASSERT_EQ(before->points.size(), 10U);
  const auto& old = before->points[0].stats.latency[0];
  EXPECT_EQ(old.count(), 1U);
  EXPECT_TRUE(old.coarse());
  for (const double q : {0.5, 0.99}) {
    // It may have been anywhere in the bucket: the figure is within what it says of all of it.
    const auto figure = static_cast<double>(old.percentile(q));
    EXPECT_GE(figure, 1.0486e9 * (1 - old.error()));
    EXPECT_LE(figure, 0.8817e9 * (1 + old.error()));
  }
  // What comes is added to it, and the row still says so.
  EXPECT_EQ(write(**store, some_spans(101, 10)).refusal, store::Refusal::none);
  const auto after = (*store)->latency({}, soon());
  ASSERT_TRUE(after);
  for (const auto& point : after->points) {
    EXPECT_EQ(point.stats.count, 2U);
    EXPECT_EQ(point.stats.latency[0].count(), 2U);
    EXPECT_TRUE(point.stats.latency[0].coarse());
  }
  // Of another hour: exact.
  auto later = some_spans(201, 10);
  for (auto& span : later.spans) {
    span.start_unix_ns += 7'200'000'000'000;
    span.end_unix_ns += 7'200'000'000'000;
  }
  EXPECT_EQ(write(**store, std::move(later)).refusal, store::Refusal::none);
  store::OperationsQuery only_later;
  only_later.time.from_unix_ns = 1'790'000'000'000'000'000 + 7'000'000'000'000;
  const auto exact = (*store)->latency(only_later, soon());
  ASSERT_TRUE(exact);
  ASSERT_EQ(exact->points.size(), 10U);
  EXPECT_FALSE(exact->points[0].stats.latency[0].coarse());
}

TEST(Schema, BlocksOfBeforeAreReadAsTheyAreUntilTheirColumnsAreMade) {
  const Folder folder;
  make_before_calls(folder, 3000);
  ASSERT_GE(number_of(folder.database(), "SELECT count(*) FROM block"), 2);
  const auto longest = [](store::Store& store) {
    store::SpanQuery query;
    query.sort = store::Measure::duration;
    query.limit = 5;
    const auto page = store.spans(query, soon());
    EXPECT_TRUE(page);
    std::vector<std::uint64_t> out;
    for (const auto& span : page->spans.spans) out.push_back(span.duration_ns());
    return out;
  };
  const std::vector<std::uint64_t> expected = {999'000, 999'000, 999'000, 998'000, 998'000};
  const auto store = open(in(folder.path()));
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(longest(**store), expected);
  const auto deadline = soon();
  while (number_of(folder.database(),
                   "SELECT count(*) FROM block b LEFT JOIN columns c ON c.block = b.id "
                   "WHERE c.block IS NULL OR b.max_first_chunk IS NULL") > 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(longest(**store), expected);
}

TEST(Schema, BlocksWithoutColumnsAreReadSpanBySpan) {
  const Folder folder;
  make(folder.path(), 3000);
  const auto ask = [&] {
    const auto store = open(in(folder.path()));
    store::GroupsQuery groups;
    groups.by = store::Dimension::operation;
    groups.spans.measure = store::Measure::duration;
    groups.spans.below_measure = 500'000;
    const auto page = (*store)->groups(groups, soon());
    EXPECT_TRUE(page);
    return page ? page->counted : 0;
  };
  EXPECT_EQ(ask(), 1500U);
  run(folder.database(), "DELETE FROM columns WHERE block = 1");  // and its block says that they were made
  EXPECT_EQ(ask(), 1500U);
  run(folder.database(), "UPDATE columns SET data = substr(data, 1, length(data) / 2)");
  EXPECT_EQ(ask(), 1500U) << "damaged";
  EXPECT_GE(number_of(folder.database(), "SELECT count(*) FROM columns"), 1);
}

// Sessions that were stored before the column was there are judged as later ones are.
TEST(Schema, AbnormalEndsOfOlderSessionsAreFoundOut) {
  const Folder folder;
  std::string sql;
  const auto session = [&](int n, const char* ended, int code, const char* reason, const char* service = "gate") {
    const std::string who = service == std::string("gate") ? "'i-1','gate','r'" : "'','sockeye-console','console'";
    sql +=
        "INSERT INTO session(id, arrived, opened, ended, seen_ns, instance, service, route, dialect, client, target, "
        "host, subprotocol, close_code, end_reason, initiator, close_reason, messages_client, messages_server, "
        "bytes_client, bytes_server, misses, anomalies) VALUES(x'" +
        std::string(30, '0') + "0" + std::to_string(n) + "', 4000000000000, 1, " + ended + ", 2, " + who +
        ", '', '', '', '', '', " + std::to_string(code) + ", '" + reason + "', '', '', 0, 0, 0, 0, 3, 0);";
  };
  session(1, "9223372036854775807", 0, "");
  session(2, "100", 1000, "normal");
  session(3, "100", 1011, "normal");
  session(4, "100", 1006, "lost");
  session(5, "100", 1001, "drain");
  session(6, "100", 1006, "reset", "sockeye-console");
  make_old(folder, 2, sql);
  make(folder.path(), 0);
  EXPECT_EQ(number_of(folder.database(), "SELECT count(*) FROM session"), 5)
      << "the console's own page is none of the fleet";
  EXPECT_EQ(number_of(folder.database(), "SELECT count(*) FROM session WHERE abnormal = 1"), 2);
  EXPECT_EQ(number_of(folder.database(), "SELECT sum(close_code) FROM session WHERE abnormal = 1"), 1011 + 1006);
}

// Presences came with schema 7: whose figures are older was there before.
TEST(Schema, FiguresOfBeforeTellThatSomebodyWasThere) {
  const Folder folder;
  make_old(folder, 7,
           "INSERT INTO fleet(time, instance, route, data) VALUES(1000, 'a', 'r', ''), (5000, 'a', 'r', ''), "
           "(9000, 'a', 'r', ''); INSERT INTO presence VALUES(0, '', 8000, 9500, 8000, 0, '', '', '')");
  {
    const auto store = open({.directory = folder.path(), .keep_for = std::chrono::seconds(0)});
    ASSERT_TRUE(store) << store.error().message;
    const auto there = (*store)->presences({}, std::chrono::steady_clock::now() + std::chrono::minutes(1));
    ASSERT_TRUE(there);
    ASSERT_EQ(there->size(), 2U);
    EXPECT_EQ((*there)[0].from_unix_ns, 1000U);
    EXPECT_EQ((*there)[0].until_unix_ns, 5000U);
    EXPECT_EQ((*there)[1].from_unix_ns, 8000U);
  }
}

// Figures and totals said nothing of their version before schema 9; the first had no covered_ms, either.
TEST(Schema, FiguresOfBeforeAreReadAndLaterOnesRefused) {
  const Folder folder;
  // interval_ms = 10,000, active = 7; the rest is 0.
  const std::string first =
      "x'10270000"
      "0700000000000000" +
      std::string(2 * (132 - 12), '0');
  make_old(folder, 8,
           "INSERT INTO fleet(time, instance, route, data) VALUES(1000, 'old', 'r', " + first +
               "'), (2000, 'new', 'r', " + first +
               "88130000'); INSERT INTO total(instance, route, time, data) VALUES('i', 'r', 5, x'05" +
               std::string(2 * 71, '0') + "')");
  const auto in_a_minute = [] { return std::chrono::steady_clock::now() + std::chrono::minutes(1); };
  store::FleetQuery each;
  each.step_ns = 1;
  const auto ask = [&](const std::string& change) {
    if (!change.empty()) run(folder.database(), change);
    const auto store = open({.directory = folder.path(), .keep_for = std::chrono::seconds(0)});
    EXPECT_TRUE(store) << store.error().message;
    return std::pair((*store)->fleet(each, in_a_minute()), (*store)->totals(in_a_minute()));
  };
  const auto [fleet, totals] = ask("");
  ASSERT_TRUE(fleet) << fleet.error().message;
  ASSERT_EQ(fleet->size(), 2U);
  EXPECT_EQ((*fleet)[0].active, 7U);
  EXPECT_EQ((*fleet)[0].covered_ms, 10'000U) << "all of the interval";
  EXPECT_EQ((*fleet)[1].covered_ms, 5'000U);
  ASSERT_TRUE(totals) << totals.error().message;
  ASSERT_EQ(totals->size(), 1U);
  EXPECT_EQ((*totals)[0].counts[0], 5U);
  // Written by a later Sockeye: said, neither misread nor left out.
  const auto later = ask("UPDATE fleet SET version = 3 WHERE instance = 'new'; UPDATE total SET version = 2");
  ASSERT_FALSE(later.first);
  EXPECT_NE(later.first.error().message.find("of version 3, and this version of Sockeye knows up to 2"),
            std::string::npos)
      << later.first.error().message;
  ASSERT_FALSE(later.second);
  EXPECT_NE(later.second.error().message.find("of version 2"), std::string::npos) << later.second.error().message;
  // Of a length that its version has not.
  const auto cut =
      ask("UPDATE fleet SET version = 2, data = substr(data, 1, 135); UPDATE total SET version = 1, data = x'00'");
  ASSERT_FALSE(cut.first);
  EXPECT_NE(cut.first.error().message.find("damaged"), std::string::npos) << cut.first.error().message;
  EXPECT_FALSE(cut.second);
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
