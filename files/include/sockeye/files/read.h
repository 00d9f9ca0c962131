// Files that a person named: configuration, rules, keys, certificates, tokens. Each is opened without waiting (a FIFO
// that nobody writes to would hang the start), has to be a regular file (a device may have no end), and has a greatest
// size. Symbolic links are followed: Kubernetes hands secrets out as such. Blocking I/O; any thread.
//
// Errors are the reason alone, "No such file or directory" or "larger than 1 MiB": the caller says what the file is
// for.
#pragma once

#include <cstddef>
#include <string>

#include "sockeye/base/result.h"

namespace sockeye::files {

inline constexpr std::size_t largest = 1U << 20U;  // bytes; a bundle of all public CAs has a quarter of it

// The whole content.
[[nodiscard]] base::Result<std::string> read(const std::string& path, std::size_t limit = largest);

// Likewise; and nobody but its owner may read it. It belongs to whom we run as, or to root, whose file may be readable
// for a group: that is how Kubernetes and systemd give a secret to a service. The error says how to mend it.
[[nodiscard]] base::Result<std::string> read_secret(const std::string& path, std::size_t limit = largest);

// Whether read() would find it, without reading it.
[[nodiscard]] base::Result<void> check(const std::string& path, std::size_t limit = largest);

// A descriptor of a regular file of any size, for what reads as it goes. The caller closes it.
[[nodiscard]] base::Result<int> open(const std::string& path);

}  // namespace sockeye::files
