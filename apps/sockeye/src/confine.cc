#include "confine.h"

#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace sockeye::app {
namespace {

base::Error because(const std::string& what) { return {what + ": " + std::strerror(errno)}; }

// Of all capabilities the one that binds ports below 1024 stays.
bool keep_only_ports() {
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> kept{};
  kept[0].effective = kept[0].permitted = 1U << static_cast<unsigned>(CAP_NET_BIND_SERVICE);
  return ::syscall(SYS_capset, &header, kept.data()) == 0;
}

// A sanitizer's own threads trace the process when it ends.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

#if defined(__x86_64__)
constexpr std::uint32_t machine = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t machine = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t machine = 0;  // no filter
#endif

// What no proxy, tap or console does once it runs.
constexpr int denied[] = {
    SYS_execve,
    SYS_execveat,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
#endif
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsmount,
    SYS_fsconfig,
    SYS_mount_setattr,
    SYS_setns,
    SYS_unshare,
    SYS_open_by_handle_at,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_acct,
    SYS_quotactl,
    SYS_personality,
    SYS_syslog,
    SYS_mknodat,
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_uselib,
    SYS_mknod,
#endif
};

constexpr sock_filter load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
constexpr sock_filter give(std::uint32_t verdict) { return BPF_STMT(BPF_RET | BPF_K, verdict); }
constexpr sock_filter unless_equal_skip(std::uint32_t value, std::uint8_t skip) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
}

// A thread is made with clone(); clone3(), whose flags a filter cannot see, is said not to exist, and the C library
// falls back on clone(). A process by either is not.
std::vector<sock_filter> filter() {
  constexpr std::uint32_t fails = SECCOMP_RET_ERRNO | EPERM;
  constexpr std::uint32_t missing = SECCOMP_RET_ERRNO | ENOSYS;
  std::vector<sock_filter> out{
      load(offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, machine, 1, 0),  // another machine's numbers mean something else
      give(missing),
      load(offsetof(seccomp_data, nr)),
  };
#if defined(__x86_64__)
  out.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000U, 0, 1));  // x32
  out.push_back(give(missing));
#endif
  for (const int call : denied) {
    out.push_back(unless_equal_skip(static_cast<std::uint32_t>(call), 1));
    out.push_back(give(fails));
  }
  out.push_back(unless_equal_skip(SYS_clone3, 1));
  out.push_back(give(missing));
  out.push_back(unless_equal_skip(SYS_clone, 3));
  out.push_back(load(offsetof(seccomp_data, args)));
  out.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0));
  out.push_back(give(fails));
  out.push_back(give(SECCOMP_RET_ALLOW));
  return out;
}

}  // namespace

base::Result<void> drop_root(const std::string& user) {
  if (user.empty()) return {};
  if (::geteuid() != 0) return base::fail("only root can become " + user + ": start as root, or as that user");
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr) return base::fail("there is no user " + user);
  if (entry->pw_uid == 0) return base::fail(user + " is root");
  const auto gid = entry->pw_gid;
  const auto uid = entry->pw_uid;
  if (::initgroups(user.c_str(), gid) != 0 || ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
      ::setresgid(gid, gid, gid) != 0 || ::setresuid(uid, uid, uid) != 0 || !keep_only_ports())
    return tl::unexpected(because("becoming " + user));
  if (::setuid(0) == 0) return base::fail("root was given up and can be had back");
  return {};
}

void keep_memory_private() {
  if (!sanitized) ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

base::Result<void> confine() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return tl::unexpected(because("PR_SET_NO_NEW_PRIVS"));
  if (sanitized || machine == 0) return {};
  std::vector<sock_filter> program = filter();
  const sock_fprog whole{static_cast<unsigned short>(program.size()), program.data()};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &whole) != 0)
    return tl::unexpected(because("seccomp"));
  return {};
}

}  // namespace sockeye::app
