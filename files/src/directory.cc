#include "sockeye/files/directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace sockeye::files {

base::Result<void> make_directory(const std::string& path) {
  std::filesystem::path so_far;
  for (const auto& part : std::filesystem::path(path)) {
    so_far /= part;
    if (::mkdir(so_far.c_str(), S_IRWXU) == 0) continue;
    const int error = errno;  // what is there, or is on the way to it and not ours to write to
    struct stat about {};
    const bool there = ::stat(so_far.c_str(), &about) == 0;
    if (!there || !S_ISDIR(about.st_mode)) return base::fail(std::generic_category().message(there ? ENOTDIR : error));
  }
  return {};
}

std::string shared_with(const std::string& directory) {
  struct stat about {};
  if (::stat(directory.c_str(), &about) != 0 || (about.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return directory + ": others can put files there and take ours away; run: chmod go-w " + directory;
}

void make_private(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return;
  struct stat about {};
  if (::fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    static_cast<void>(::fchmod(fd, about.st_mode & S_IRWXU) == 0);  // of another's file we can do no more
  ::close(fd);
}

}  // namespace sockeye::files
