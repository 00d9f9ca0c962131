#include "sockeye/recordings/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "sockeye/files/directory.h"

namespace sockeye::recordings {
namespace {

constexpr std::string_view suffix = ".capture";
constexpr auto recount = std::chrono::seconds(1);  // how often what is there is counted again, while it is too much

enum class Cut : std::uint8_t { queue_full, disk_full, write_error, limit, count_ };
constexpr std::array<std::string_view, static_cast<std::size_t>(Cut::count_)> cut_names{"queue_full", "disk_full",
                                                                                        "write_error", "limit"};

// Closed once.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

// One file; shared by the worker that records and the thread that writes.
struct File {
  std::string name;
  Descriptor fd;                 // the writer's
  bool begun = false;            // the worker's: a chunk was taken
  bool failed = false;           // the writer's: nothing can be written
  std::atomic<bool> cut{false};  // it ends here, which was counted
};

struct Chunk {
  std::shared_ptr<File> file;
  std::string bytes;
  bool last = false;
};

std::string last_error() { return std::strerror(errno); }

// Bytes of the recordings that are there.
std::uint64_t found_in(int directory) {
  std::uint64_t out = 0;
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const listing = copy >= 0 ? ::fdopendir(copy) : nullptr;
  if (listing == nullptr) {
    if (copy >= 0) ::close(copy);
    return 0;
  }
  while (const dirent* entry = ::readdir(listing)) {
    struct stat about {};
    if (std::string_view(entry->d_name).ends_with(suffix) &&
        ::fstatat(directory, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about.st_mode))
      out += static_cast<std::uint64_t>(about.st_size);
  }
  ::closedir(listing);
  return out;
}

class Writer final : public Directory {
 public:
  Writer(const Options& options, Descriptor directory)
      : options_(options),
        kept_{.payload = options.payload, .limit = options.limit},
        directory_(std::move(directory)),
        stored_(found_in(directory_.get())) {
    thread_ = std::thread([this] { run(); });
  }
  ~Writer() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  [[nodiscard]] const capture::RecordingOptions& options() const override { return kept_; }
  [[nodiscard]] std::unique_ptr<capture::Sink> open(const base::SessionId& id) override;
  void flush() override {
    std::unique_lock lock(mutex_);
    written_.wait(lock, [this] { return queue_.empty() && queued_ == 0; });
  }
  [[nodiscard]] std::vector<model::MetricFamily> families() const override;
  [[nodiscard]] std::uint64_t lost() const override;
  [[nodiscard]] std::uint64_t limited() const override { return cuts(Cut::limit); }

  bool take(const std::shared_ptr<File>& file, std::string bytes, bool last);
  // Once a recording. False, as take() says it.
  bool cut(File& file, Cut why);

 private:
  void run();
  void write(Chunk& chunk);
  // Of another recording there would be no more than a stub.
  [[nodiscard]] bool full() const {
    return stored_.load(std::memory_order_relaxed) + std::min(options_.least, options_.limit) > options_.total;
  }
  void count_again(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] int create(const File& file) const;
  void remove(const File& file);
  [[nodiscard]] std::uint64_t cuts(Cut why) const {
    return cuts_[static_cast<std::size_t>(why)].load(std::memory_order_relaxed);
  }

  const Options options_;
  const capture::RecordingOptions kept_;
  const Descriptor directory_;
  std::mutex mutex_;  // guards the next four
  std::condition_variable wake_, written_;
  std::deque<Chunk> queue_;
  std::size_t queued_ = 0;
  bool stopping_ = false;
  std::atomic<std::uint64_t> stored_;  // bytes in the directory, and promised to it
  std::atomic<std::uint64_t> begun_{0}, refused_{0}, bytes_{0};
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Cut::count_)> cuts_{};
  std::thread thread_;
};

class FileSink final : public capture::Sink {
 public:
  FileSink(Writer& writer, std::string name) : writer_(writer), file_(std::make_shared<File>()) {
    file_->name = std::move(name);
  }
  bool write(std::string bytes, bool last) override { return writer_.take(file_, std::move(bytes), last); }
  void limited() override { writer_.cut(*file_, Cut::limit); }

 private:
  Writer& writer_;
  std::shared_ptr<File> file_;
};

std::unique_ptr<capture::Sink> Writer::open(const base::SessionId& id) {
  if (full()) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  begun_.fetch_add(1, std::memory_order_relaxed);
  return std::make_unique<FileSink>(*this, base::to_uuid(id) + std::string(suffix));
}

// From a worker. A last chunk is taken whatever is queued: it says that the recording was ended.
bool Writer::take(const std::shared_ptr<File>& file, std::string bytes, bool last) {
  const std::size_t size = bytes.size();
  if (last && !file->begun) return true;  // of what was refused from its beginning there is nothing to end
  if (!last && file->cut.load(std::memory_order_relaxed)) return false;
  if (!last && stored_.load(std::memory_order_relaxed) + size > options_.total) return cut(*file, Cut::disk_full);
  {
    std::unique_lock lock(mutex_);
    if (!last && options_.waits)
      written_.wait(lock, [&] { return queued_ == 0 || queued_ + size <= options_.queued; });
    else if (!last && queued_ + size > options_.queued)
      return cut(*file, Cut::queue_full);
    stored_.fetch_add(size, std::memory_order_relaxed);
    queued_ += size;
    queue_.push_back({file, std::move(bytes), last});
  }
  file->begun = true;
  wake_.notify_one();
  return true;
}

bool Writer::cut(File& file, Cut why) {
  if (!file.cut.exchange(true)) cuts_[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  return false;
}

void Writer::run() {
  std::unique_lock lock(mutex_);
  const auto called = [this] { return stopping_ || !queue_.empty(); };
  for (;;) {
    while (full() && !called())
      if (!wake_.wait_for(lock, recount, called)) count_again(lock);
    wake_.wait(lock, called);
    if (queue_.empty()) return;
    Chunk chunk = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    const std::size_t size = chunk.bytes.size();
    write(chunk);
    chunk = {};
    lock.lock();
    queued_ -= size;
    written_.notify_all();
  }
}

// Files may have been deleted. Nothing is being written meanwhile: this is the thread that does.
void Writer::count_again(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const auto found = found_in(directory_.get());
  lock.lock();
  stored_.store(found + queued_, std::memory_order_relaxed);
}

int Writer::create(const File& file) const {
  return ::openat(directory_.get(), file.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  S_IRUSR | S_IWUSR);
}

void Writer::remove(const File& file) {
  struct stat about {};
  if (::fstatat(directory_.get(), file.name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (::unlinkat(directory_.get(), file.name.c_str(), 0) == 0 && S_ISREG(about.st_mode))
    stored_.fetch_sub(static_cast<std::uint64_t>(about.st_size), std::memory_order_relaxed);
}

void Writer::write(Chunk& chunk) {
  File& file = *chunk.file;
  if (file.fd.get() < 0 && !file.failed) {
    file.fd = Descriptor(create(file));
    if (file.fd.get() < 0 && errno == EEXIST && options_.replaces) {
      remove(file);
      file.fd = Descriptor(create(file));
    }
    file.failed = file.fd.get() < 0 && !cut(file, Cut::write_error);
  }
  std::string_view rest = chunk.bytes;
  while (file.fd.get() >= 0 && !rest.empty()) {
    const auto wrote = ::write(file.fd.get(), rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      cut(file, errno == ENOSPC || errno == EDQUOT ? Cut::disk_full : Cut::write_error);
      file.failed = true;
      file.fd.close();
      break;
    }
    bytes_.fetch_add(static_cast<std::uint64_t>(wrote), std::memory_order_relaxed);
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
  stored_.fetch_sub(rest.size(), std::memory_order_relaxed);
  if (chunk.last) file.fd.close();
}

std::uint64_t Writer::lost() const {
  std::uint64_t out = refused_.load(std::memory_order_relaxed);
  for (const Cut each : {Cut::queue_full, Cut::disk_full, Cut::write_error}) out += cuts(each);
  return out;
}

std::vector<model::MetricFamily> Writer::families() const {
  using model::MetricType;
  const auto value = [](const std::atomic<std::uint64_t>& of) {
    return model::MetricSample{
        .labels = {}, .value = static_cast<double>(of.load(std::memory_order_relaxed)), .histogram = {}};
  };
  std::vector<model::MetricFamily> out{
      {"sockeye_recordings_total", "Recordings of sessions begun.", "", MetricType::counter, {value(begun_)}},
      {"sockeye_recordings_refused_total",
       "Sessions not recorded because the directory is full.",
       "",
       MetricType::counter,
       {value(refused_)}},
      {"sockeye_recording_bytes_total", "Bytes of recordings written.", "bytes", MetricType::counter, {value(bytes_)}},
      {"sockeye_recordings_cut_total",
       "Recordings ended before their session, by reason.",
       "",
       MetricType::counter,
       {}}};
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    auto sample = value(cuts_[i]);
    sample.labels = {{"reason", std::string(cut_names[i])}};
    out.back().samples.push_back(std::move(sample));
  }
  return out;
}

}  // namespace

base::Result<std::unique_ptr<Directory>> Directory::start(const Options& options) {
  if (const auto made = files::make_directory(options.directory); !made)
    return base::fail("cannot make " + options.directory + ": " + made.error().message);
  Descriptor directory(::open(options.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return base::fail(options.directory + ": " + last_error());
  if (::faccessat(directory.get(), ".", W_OK | X_OK, 0) != 0)
    return base::fail("cannot write to " + options.directory + ": " + last_error());
  return std::make_unique<Writer>(options, std::move(directory));
}

}  // namespace sockeye::recordings
