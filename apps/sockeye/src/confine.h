// What a process gives up for good, so that a fault in what reads strangers' bytes leads nowhere: being root, gaining
// privileges, starting programs, and system calls that no service needs. Linux.
#pragma once

#include <string>

#include "sockeye/base/result.h"

namespace sockeye::app {

// Before other threads exist and files are opened. `user` is whom root becomes ("": whoever it is); ports below 1024
// can still be bound. Fails where `user` is given and we are not root, or there is no such user.
[[nodiscard]] base::Result<void> drop_root(const std::string& user);

// From here on no core file is written of this process, and nobody else of its user can read its memory: keys are in
// it.
void keep_memory_private();

// At any time, for all threads and for good: no new privileges (set-user-ID programs, file capabilities), no other
// programs and processes, no tracing, mounting, kernel modules, key rings, BPF: those calls fail with EPERM. Where the
// kernel has no seccomp the first is all there is. Says what could not be done.
[[nodiscard]] base::Result<void> confine();

}  // namespace sockeye::app
