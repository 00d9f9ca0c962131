// Ties the parts together, and is the border that no failure of SQLite passes but as an error value.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <utility>

#include "ask.h"
#include "readers.h"
#include "schema.h"
#include "sockeye/files/directory.h"
#include "tuning.h"
#include "writer.h"

namespace sockeye::sqlite {
namespace {

using store::TimeRange;

std::string reason() { return std::strerror(errno); }  // NOLINT(concurrency-mt-unsafe)

// Held for the life of the process that owns the directory.
class Lock {
 public:
  static base::Result<Lock> take(const std::string& directory) {
    const std::string path = directory + "/lock";
    Lock out;
    out.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out.fd_ < 0) return base::fail("store " + directory + ": its lock cannot be opened: " + reason());
    if (::flock(out.fd_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return base::fail("store " + directory + " cannot be locked: " + reason());
      std::array<char, 32> owner{};
      const ssize_t n = ::pread(out.fd_, owner.data(), owner.size() - 1, 0);
      std::string text(owner.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
      text.erase(std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; }), text.end());
      return base::fail("store " + directory + " is in use by another process" +
                        (text.empty() ? "" : " (pid " + text + ")") + ": give each process its own directory");
    }
    const std::string pid = std::to_string(::getpid()) + "\n";  // for a person only; the lock is the flock
    if (::ftruncate(out.fd_, 0) != 0 || ::pwrite(out.fd_, pid.data(), pid.size(), 0) < 0) {
      // A full disk: the lock holds all the same.
    }
    return out;
  }
  Lock() = default;
  Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Lock& operator=(Lock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  int fd_ = -1;
};

std::uint64_t size_of(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 ? static_cast<std::uint64_t>(about.st_size) : 0;
}

class SqliteStore final : public store::Store {
 public:
  SqliteStore(Lock lock, Database db, const std::string& path, const Options& options, const Tuning& tuning)
      : lock_(std::move(lock)),
        path_(path),
        readers_(std::make_unique<Readers>(path, tuning.readers)),
        writer_(std::move(db), *readers_, options, tuning) {}
  ~SqliteStore() override {
    writer_.stop();
    readers_.reset();  // the connection that may write goes last, and tidies up
  }

  [[nodiscard]] store::Capabilities capabilities() const override { return {}; }  // all of them
  void write(store::Batch&& batch, store::Done done) override { writer_.write(std::move(batch), std::move(done)); }

  base::Result<store::Batch> trace(const base::TraceId& id, std::size_t limit, Deadline deadline) override {
    return answer<store::Batch>(deadline, [&](Database& db) { return ask::trace(db, id, limit); });
  }
  base::Result<store::SpanPage> spans(const store::SpanQuery& query, Deadline deadline) override {
    return answer<store::SpanPage>(deadline, [&](Database& db) { return ask::spans(db, query); });
  }
  base::Result<store::Page<store::TraceSummary>> traces(const store::SpanQuery& query, Deadline deadline) override {
    return answer<store::Page<store::TraceSummary>>(deadline, [&](Database& db) { return ask::traces(db, query); });
  }
  base::Result<std::vector<std::string>> services(Deadline deadline) override {
    return answer<std::vector<std::string>>(deadline, [&](Database& db) { return ask::services(db); });
  }
  base::Result<store::Page<store::OperationName>> operations(const store::OperationNamesQuery& query,
                                                             Deadline deadline) override {
    return answer<store::Page<store::OperationName>>(deadline,
                                                     [&](Database& db) { return ask::operations(db, query); });
  }
  base::Result<store::Page<store::Dependency>> dependencies(TimeRange range, Deadline deadline) override {
    return answer<store::Page<store::Dependency>>(deadline, [&](Database& db) { return ask::dependencies(db, range); });
  }
  base::Result<store::OperationsPage> latency(const store::OperationsQuery& query, Deadline deadline) override {
    return answer<store::OperationsPage>(deadline, [&](Database& db) { return ask::latency(db, query); });
  }
  base::Result<store::GroupPage> groups(const store::GroupsQuery& query, Deadline deadline) override {
    return answer<store::GroupPage>(deadline, [&](Database& db) { return ask::groups(db, query); });
  }
  base::Result<store::Page<store::Session>> sessions(const store::SessionQuery& query, Deadline deadline) override {
    return answer<store::Page<store::Session>>(deadline, [&](Database& db) { return ask::sessions(db, query); });
  }
  base::Result<std::optional<store::Session>> session(const base::SessionId& id, Deadline deadline) override {
    return answer<std::optional<store::Session>>(deadline, [&](Database& db) { return ask::session(db, id); });
  }
  base::Result<std::vector<store::SessionPoint>> points(const base::SessionId& id, TimeRange range,
                                                        Deadline deadline) override {
    return answer<std::vector<store::SessionPoint>>(deadline, [&](Database& db) { return ask::points(db, id, range); });
  }
  base::Result<std::vector<store::FleetPoint>> fleet(const store::FleetQuery& query, Deadline deadline) override {
    return answer<std::vector<store::FleetPoint>>(deadline, [&](Database& db) { return ask::fleet(db, query); });
  }
  base::Result<std::vector<store::CloseCount>> closes(const store::ClosesQuery& query, Deadline deadline) override {
    return answer<std::vector<store::CloseCount>>(deadline, [&](Database& db) { return ask::closes(db, query); });
  }

  base::Result<store::Lookup> lookup(const store::LookupQuery& query, Deadline deadline) override {
    return answer<store::Lookup>(deadline, [&](Database& db) { return ask::lookup(db, query); });
  }
  base::Result<store::Page<store::Happening>> happenings(const store::HappeningsQuery& query,
                                                         Deadline deadline) override {
    return answer<store::Page<store::Happening>>(deadline, [&](Database& db) { return ask::happenings(db, query); });
  }
  base::Result<std::optional<std::uint64_t>> happening(const store::HappeningsQuery& query, bool last,
                                                       Deadline deadline) override {
    return answer<std::optional<std::uint64_t>>(deadline,
                                                [&](Database& db) { return ask::happening(db, query, last); });
  }
  base::Result<std::vector<store::Presence>> presences(TimeRange range, store::Deadline deadline) override {
    return answer<std::vector<store::Presence>>(deadline, [&](Database& db) { return ask::presences(db, range); });
  }
  base::Result<std::vector<store::RouteTotals>> totals(store::Deadline deadline) override {
    return answer<std::vector<store::RouteTotals>>(deadline, [&](Database& db) { return ask::totals(db); });
  }

  store::StoreStats stats() override {
    store::StoreStats out = writer_.stats();
    out.bytes = size_of(path_) + size_of(path_ + "-wal");
    return out;
  }

 private:
  template <class Answer, class Question>
  base::Result<Answer> answer(Deadline deadline, Question question) {
    try {
      const auto loan = readers_->lend(deadline);
      if (loan == nullptr) return base::fail("the store is busy with other questions: ask again in a moment");
      return question(loan->db());
    } catch (const Failure& failure) {
      return base::fail(path_ + " cannot be read: " + failure.message);
    } catch (const std::bad_alloc&) {
      return base::fail("not enough memory for the answer: ask for less");
    }
  }

  Lock lock_;  // first: the next owner finds everything closed
  const std::string path_;
  std::unique_ptr<Readers> readers_;
  Writer writer_;
};

}  // namespace

base::Result<std::unique_ptr<store::Store>> open_with(Options options, const Tuning& tuning) {
  while (options.directory.size() > 1 && options.directory.back() == '/') options.directory.pop_back();
  if (const auto made = files::make_directory(options.directory); !made)
    return base::fail("store " + options.directory + " cannot be made: " + made.error().message);
  if (const auto shared = files::shared_with(options.directory); !shared.empty() && options.log)
    options.log(LOG_WARNING, shared);
  // SQLite is told to follow no link, on the way neither; the way there may have some.
  std::error_code unknown;
  if (const auto real = std::filesystem::canonical(options.directory, unknown); !unknown)
    options.directory = real.string();
  auto lock = Lock::take(options.directory);
  if (!lock) return tl::unexpected(lock.error());
  const std::string path = options.directory + "/sockeye.db";
  auto db = open_database(path);
  if (!db) return tl::unexpected(db.error());
  try {
    return std::make_unique<SqliteStore>(std::move(*lock), std::move(*db), path, options, tuning);
  } catch (const Failure& failure) {
    return base::fail(path + (failure.damaged() ? " is damaged (" : " cannot be used (") + failure.message + ")");
  }
}

base::Result<std::unique_ptr<store::Store>> open(Options options) { return open_with(std::move(options), {}); }

}  // namespace sockeye::sqlite
