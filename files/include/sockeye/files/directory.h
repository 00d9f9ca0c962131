// Directories that we keep files of our own in: spools, stores, recordings. Blocking I/O; any thread.
#pragma once

#include <string>

#include "sockeye/base/result.h"

namespace sockeye::files {

// Makes what of the path is not there yet, readable for us alone. One that is there stays as it is.
[[nodiscard]] base::Result<void> make_directory(const std::string& path);

// A line to log where others than its owner can put files into the directory, or take ours away; "" where not.
[[nodiscard]] std::string shared_with(const std::string& directory);

// Takes a file of ours that is there already from everybody else: what an older version made was the umask's. Symbolic
// links are not followed, and what is not there is left alone.
void make_private(const std::string& file);

}  // namespace sockeye::files
