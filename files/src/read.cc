#include "sockeye/files/read.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace sockeye::files {
namespace {

struct Opened {
  int fd = -1;
  struct stat about {};

  Opened() = default;
  Opened(Opened&& other) noexcept : fd(std::exchange(other.fd, -1)), about(other.about) {}
  Opened& operator=(Opened&&) = delete;
  ~Opened() {
    if (fd >= 0) ::close(fd);
  }
};

base::Result<Opened> open_regular(const std::string& path) {
  const auto failed = [](int error) { return base::fail(std::generic_category().message(error)); };
  Opened out;
  out.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (out.fd < 0) return failed(errno);
  if (::fstat(out.fd, &out.about) != 0) return failed(errno);
  if (S_ISDIR(out.about.st_mode)) return failed(EISDIR);
  if (!S_ISREG(out.about.st_mode)) return base::fail("not a regular file");
  return out;
}

base::Error too_large(std::size_t limit) {
  const bool whole = limit >= (1U << 20U) && limit % (1U << 20U) == 0;
  return {"larger than " + (whole ? std::to_string(limit >> 20U) + " MiB" : std::to_string(limit) + " bytes")};
}

base::Result<Opened> open_small(const std::string& path, std::size_t limit) {
  auto opened = open_regular(path);
  if (opened && static_cast<std::uint64_t>(opened->about.st_size) > limit) return tl::unexpected(too_large(limit));
  return opened;
}

// The size that was told is only a hint: /proc tells none, and a file may grow.
base::Result<std::string> read_all(const Opened& file, std::size_t limit) {
  std::string out;
  out.reserve(std::min(static_cast<std::size_t>(file.about.st_size), limit));
  std::array<char, 16384> chunk{};
  for (;;) {
    const ssize_t got = ::read(file.fd, chunk.data(), std::min(chunk.size(), limit + 1 - out.size()));
    if (got == 0) return out;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail(std::generic_category().message(errno));
    out.append(chunk.data(), static_cast<std::size_t>(got));
    if (out.size() > limit) return tl::unexpected(too_large(limit));
  }
}

base::Result<void> check_private(const Opened& file, const std::string& path) {
  const auto owner = file.about.st_uid;
  const auto others = file.about.st_mode & (S_IRWXG | S_IRWXO);
  const bool roots = owner == 0 && ::geteuid() != 0;
  if (owner != 0 && owner != ::geteuid())
    return base::fail("belongs to another user (" + std::to_string(owner) + "), who can read and change it; chown it");
  if ((others & ~(roots ? static_cast<mode_t>(S_IRGRP) : mode_t{0})) != 0)
    return base::fail("others may read or change it; run: chmod 600 " + path);
  return {};
}

}  // namespace

base::Result<std::string> read(const std::string& path, std::size_t limit) {
  const auto file = open_small(path, limit);
  if (!file) return tl::unexpected(file.error());
  return read_all(*file, limit);
}

base::Result<std::string> read_secret(const std::string& path, std::size_t limit) {
  const auto file = open_small(path, limit);
  if (!file) return tl::unexpected(file.error());
  if (auto checked = check_private(*file, path); !checked) return tl::unexpected(checked.error());
  return read_all(*file, limit);
}

base::Result<void> check(const std::string& path, std::size_t limit) {
  const auto file = open_small(path, limit);
  if (!file) return tl::unexpected(file.error());
  return {};
}

base::Result<int> open(const std::string& path) {
  auto file = open_regular(path);
  if (!file) return tl::unexpected(file.error());
  return std::exchange(file->fd, -1);
}

}  // namespace sockeye::files
