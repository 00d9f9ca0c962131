// Theory of operation. A spool is a queue of records in segment files with ascending numbers. Only the last segment is
// written, always by appending; only the first is read. `position` says how far the collector has acknowledged. A
// segment is removed when all of it is acknowledged, or as a whole when room is needed: the oldest first.
//
// A record is visible when its header and length are whole, so a crash in the middle of an append leaves a tail that
// the next start ignores. A start never appends to a file it found: it begins a new segment, and so never has to repair
// one. A start reads headers only (a full 1 GiB of 64 KiB records: 16,384 reads of 24 bytes); bodies are checked when
// they are sent.
#include "sockeye/pipeline/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "sockeye/files/directory.h"

namespace sockeye::pipeline {
namespace {

using namespace spool_format;

constexpr std::uint64_t largest_segment = 16U << 20U;
constexpr std::uint64_t smallest_limit = 64U << 10U;

// Reads exactly `to`, or says how much there was; -1 with errno on failure.
ssize_t read_at(int fd, base::MutableBytes to, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t n = ::pread(fd, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

bool whole_read(int fd, base::MutableBytes to, std::uint64_t offset) {
  return read_at(fd, to, offset) == static_cast<ssize_t>(to.size());
}

bool write_all(int fd, base::Bytes first, base::Bytes second) {
  while (!first.empty() || !second.empty()) {
    const std::array<iovec, 2> parts{{{const_cast<base::Byte*>(first.data()), first.size()},
                                      {const_cast<base::Byte*>(second.data()), second.size()}}};
    const ssize_t n = ::writev(fd, parts.data(), 2);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    const std::size_t written = static_cast<std::size_t>(n);
    const std::size_t of_first = std::min(written, first.size());
    first = first.subspan(of_first);
    second = second.subspan(written - of_first);
  }
  return true;
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

Spool::Spool(const SpoolOptions& options)
    : options_(options), segment_limit_(std::min(largest_segment, options.limit / 8)) {}

Spool::~Spool() {
  if (dirty_since_) sync();
  close_fd(writer_fd_);
  close_fd(reader_fd_);
  close_fd(position_fd_);
  close_fd(directory_fd_);
  close_fd(lock_fd_);  // last: the next owner finds everything closed
}

base::Error Spool::describe(const std::string& what) const {
  return {"spool " + options_.directory + ": " + what + ": " + std::strerror(errno)};  // NOLINT(concurrency-mt-unsafe)
}

base::Result<std::unique_ptr<Spool>> Spool::open(const SpoolOptions& options) {
  if (options.limit < smallest_limit)
    return base::fail("spool " + options.directory + ": limit is under 64 KiB, raise it");
  std::unique_ptr<Spool> spool(new Spool(options));
  if (auto opened = spool->open_directory(); !opened) return tl::unexpected(opened.error());
  if (auto recovered = spool->recover(); !recovered) return tl::unexpected(recovered.error());
  return spool;
}

base::Result<void> Spool::open_directory() {
  if (const auto made = files::make_directory(options_.directory); !made)
    return base::fail("spool " + options_.directory + ": cannot be made: " + made.error().message);
  for (const auto* each : {"lock", "position"}) files::make_private(options_.directory + "/" + each);
  directory_fd_ = ::open(options_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd_ < 0) return tl::unexpected(describe("cannot be opened"));
  lock_fd_ = ::openat(directory_fd_, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_fd_ < 0) return tl::unexpected(describe("its lock cannot be opened"));
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return tl::unexpected(describe("cannot be locked"));
    std::array<char, 32> owner{};
    const ssize_t n = ::pread(lock_fd_, owner.data(), owner.size() - 1, 0);
    std::string text(owner.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    text.erase(std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; }), text.end());
    return base::fail("spool " + options_.directory + " is in use by another process" +
                      (text.empty() ? "" : " (pid " + text + ")") + ": give each process its own directory");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";  // for a person only; the lock is the flock
  if (::ftruncate(lock_fd_, 0) != 0 || ::pwrite(lock_fd_, pid.data(), pid.size(), 0) < 0)
    return tl::unexpected(describe("cannot be written"));
  position_fd_ = ::openat(directory_fd_, "position", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (position_fd_ < 0) return tl::unexpected(describe("its position cannot be opened"));
  return {};
}

base::Result<void> Spool::recover() {
  for (std::uint64_t slot = 0; slot < 2; ++slot) {
    std::array<base::Byte, position_slot_size> bytes{};
    if (!whole_read(position_fd_, bytes, slot * position_slot_stride)) continue;
    const auto found = read_position(bytes);
    if (found && found->segment <= max_segment && found->generation >= position_.generation) position_ = *found;
  }
  // Numbers are never used twice: an old position must not apply to a new file.
  next_id_ = position_.segment + 1;

  std::vector<std::uint64_t> ids;
  const int listing_fd = ::openat(directory_fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const listing = listing_fd < 0 ? nullptr : ::fdopendir(listing_fd);
  if (listing == nullptr) {
    auto error = describe("cannot be listed");
    if (listing_fd >= 0) ::close(listing_fd);
    return tl::unexpected(std::move(error));
  }
  while (const dirent* entry = ::readdir(listing))  // NOLINT(concurrency-mt-unsafe): a stream of our own
    if (const auto id = parse_segment_name(static_cast<const char*>(entry->d_name))) ids.push_back(*id);
  ::closedir(listing);
  std::sort(ids.begin(), ids.end());
  for (const auto id : ids) {
    next_id_ = std::max(next_id_, id + 1);
    if (auto done = recover_segment(id); !done) return done;
  }
  recovery_.spans = spans_;
  recovery_.records = records_;
  return {};
}

base::Result<void> Spool::recover_segment(std::uint64_t id) {
  if (id < position_.segment) {
    unlink(id);
    return {};
  }
  const int fd = ::openat(directory_fd_, segment_name(id).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    auto error = describe(segment_name(id) + " cannot be opened");
    if (fd >= 0) ::close(fd);
    return tl::unexpected(std::move(error));
  }
  Segment segment;
  segment.id = id;
  segment.file_size = static_cast<std::uint64_t>(info.st_size);
  const std::uint64_t acknowledged = id == position_.segment ? position_.offset : 0;

  std::array<base::Byte, segment_header_size> head{};
  if (whole_read(fd, head, 0) && read_segment_header(head) == id) {
    segment.head = segment.end = segment_header_size;
    std::array<base::Byte, record_header_size> bytes{};
    while (whole_read(fd, bytes, segment.end)) {
      const auto record = read_record_header(bytes);
      if (!record || record->index != segment.next_index) break;
      if (segment.end + record_header_size + record->length > segment.file_size) break;
      segment.end += record_header_size + record->length;
      ++segment.next_index;
      if (segment.end <= acknowledged) {
        segment.head = segment.end;
      } else {
        ++segment.records;
        segment.spans += record->spans;
      }
    }
  }
  ::close(fd);
  recovery_.damaged_bytes += segment.file_size - segment.end;
  if (segment.records == 0) {
    unlink(id);
    return {};
  }
  spans_ += segment.spans;
  records_ += segment.records;
  bytes_ += segment.file_size;
  segments_.push_back(segment);
  return {};
}

bool Spool::fits(std::size_t body_bytes) const {
  return body_bytes > 0 && body_bytes <= max_body &&
         segment_header_size + record_header_size + body_bytes <= options_.limit;
}

Spool::Appended Spool::append(const Batch& batch, bool pinned) {
  Appended result;
  const std::uint64_t need = record_header_size + batch.body.size();
  if (!fits(batch.body.size()) || batch.spans == 0) {
    result.error = base::Error{"spool " + options_.directory + ": a batch of " + std::to_string(batch.body.size()) +
                               " bytes does not fit, raise the limit"};
    return result;
  }
  if (writer_fd_ >= 0 && segments_.back().end + need > segment_limit_ && segments_.back().records > 0)
    end_segment(true);
  make_room(need, pinned, result);
  if (writer_fd_ < 0) {
    if (auto begun = begin_segment(); !begun) {
      result.error = begun.error();
      return result;
    }
  }

  Segment& segment = segments_.back();
  RecordHeader header;
  header.length = static_cast<std::uint32_t>(batch.body.size());
  header.body_crc = spool_format::crc32(base::as_bytes(batch.body));
  header.spans = batch.spans;
  header.index = segment.next_index;
  header.encoding = batch.encoding;
  std::array<base::Byte, record_header_size> bytes{};
  write_record_header(header, bytes);
  if (!write_all(writer_fd_, bytes, base::as_bytes(batch.body))) {
    result.error = describe("cannot be written");
    // What the disk took of it would hide every record behind it: cut it off, or leave the file for good.
    const bool cut = ::ftruncate(writer_fd_, static_cast<off_t>(segment.end)) == 0;
    if (!cut || segment.records == 0) end_segment(segment.records > 0);
    return result;
  }
  segment.end += need;
  segment.file_size = segment.end;
  ++segment.next_index;
  ++segment.records;
  segment.spans += batch.spans;
  ++records_;
  spans_ += batch.spans;
  bytes_ += need;
  if (!dirty_since_) dirty_since_ = std::chrono::steady_clock::now();
  return result;
}

void Spool::make_room(std::uint64_t need, bool pinned, Appended& result) {
  while (!segments_.empty() && bytes_ + need + (writer_fd_ < 0 ? segment_header_size : 0) > options_.limit) {
    const Segment& front = segments_.front();
    result.dropped_spans += front.spans;
    if (pinned && peeked_) {
      result.unpinned_spans = peeked_->spans;
      result.dropped_spans -= peeked_->spans;
      pinned = false;
    }
    drop_front();
  }
}

base::Result<void> Spool::begin_segment() {
  const std::string name = segment_name(next_id_);
  const int fd =
      ::openat(directory_fd_, name.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return tl::unexpected(describe(name + " cannot be made"));
  std::array<base::Byte, segment_header_size> head{};
  write_segment_header(next_id_, head);
  if (!write_all(fd, head, {})) {
    auto error = describe(name + " cannot be written");
    ::close(fd);
    unlink(next_id_);
    return tl::unexpected(std::move(error));
  }
  Segment segment;
  segment.id = next_id_++;
  segment.head = segment.end = segment.file_size = segment_header_size;
  bytes_ += segment_header_size;
  segments_.push_back(segment);
  writer_fd_ = fd;
  directory_dirty_ = true;
  return {};
}

// `keep`: the file stays for the reader; otherwise it goes, and with it whatever it holds.
void Spool::end_segment(bool keep) {
  if (keep) {
    ::fdatasync(writer_fd_);  // sync() will not see this file again
    close_fd(writer_fd_);
    return;
  }
  close_fd(writer_fd_);
  const Segment& back = segments_.back();
  bytes_ -= back.file_size;
  spans_ -= back.spans;
  records_ -= back.records;
  unlink(back.id);
  segments_.pop_back();
}

void Spool::drop_front() {
  peeked_.reset();
  if (reader_fd_ >= 0 && reader_id_ == segments_.front().id) close_fd(reader_fd_);
  if (segments_.size() == 1 && writer_fd_ >= 0) return end_segment(false);
  const Segment& front = segments_.front();
  bytes_ -= front.file_size;
  spans_ -= front.spans;
  records_ -= front.records;
  unlink(front.id);
  segments_.pop_front();
}

void Spool::unlink(std::uint64_t id) {
  ::unlinkat(directory_fd_, segment_name(id).c_str(), 0);
  directory_dirty_ = true;
}

int Spool::open_reader(std::uint64_t id) {
  if (reader_fd_ >= 0 && reader_id_ == id) return reader_fd_;
  close_fd(reader_fd_);
  reader_fd_ = ::openat(directory_fd_, segment_name(id).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  reader_id_ = id;
  return reader_fd_;
}

Spool::Peek Spool::peek(Batch& out, std::uint64_t& lost_spans) {
  lost_spans = 0;
  peeked_.reset();
  if (records_ == 0) return Peek::empty;
  const Segment& front = segments_.front();
  const int fd = open_reader(front.id);
  if (fd < 0 && errno != ENOENT) return Peek::failed;

  std::array<base::Byte, record_header_size> bytes{};
  std::optional<RecordHeader> header;
  if (fd >= 0 && whole_read(fd, bytes, front.head)) header = read_record_header(bytes);
  // What the start counted, or we wrote, must still be there: another header is as good as none.
  if (!header || front.head + record_header_size + header->length > front.end || header->spans > front.spans ||
      (front.records == 1) != (front.head + record_header_size + header->length == front.end)) {
    lost_spans = front.spans;
    drop_front();
    return Peek::lost;
  }
  out.body.resize(header->length);
  const base::MutableBytes body(reinterpret_cast<base::Byte*>(out.body.data()), out.body.size());
  if (!whole_read(fd, body, front.head + record_header_size) || spool_format::crc32(body) != header->body_crc) {
    lost_spans = header->spans;
    advance(*header);
    return Peek::lost;
  }
  out.spans = header->spans;
  out.encoding = header->encoding;
  peeked_ = header;
  return Peek::ready;
}

bool Spool::pop() {
  if (!peeked_) return true;
  const RecordHeader header = *peeked_;
  return advance(header);
}

// Moves the position over the head record. Position first, then the file: a crash between the two leaves a segment that
// the next start finds acknowledged to its end and removes.
bool Spool::advance(const RecordHeader& header) {
  peeked_.reset();
  Segment& front = segments_.front();
  front.head += record_header_size + header.length;
  front.spans -= header.spans;
  --front.records;
  spans_ -= header.spans;
  --records_;

  ++position_.generation;
  position_.segment = front.id;
  position_.offset = front.head;
  std::array<base::Byte, position_slot_size> bytes{};
  write_position(position_, bytes);
  const auto at = static_cast<off_t>((position_.generation & 1U) * position_slot_stride);
  const bool kept = ::pwrite(position_fd_, bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size());
  if (!dirty_since_) dirty_since_ = std::chrono::steady_clock::now();
  if (front.records == 0) drop_front();
  return kept;
}

bool Spool::sync() {
  dirty_since_.reset();
  bool good = writer_fd_ < 0 || ::fdatasync(writer_fd_) == 0;
  good = ::fdatasync(position_fd_) == 0 && good;
  if (directory_dirty_) good = ::fsync(directory_fd_) == 0 && good;
  directory_dirty_ = false;
  return good;
}

std::optional<std::chrono::steady_clock::time_point> Spool::sync_due() const {
  if (!dirty_since_) return {};
  return *dirty_since_ + options_.sync;
}

}  // namespace sockeye::pipeline
