// What is given up is gone. Each in a process of its own.
#include "confine.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <thread>

#include "program.h"

namespace sockeye::app::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

int in_a_child(int (*what)()) {
  const auto child = ::fork();
  if (child == 0) ::_exit(what());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Confine, NoOtherProgramsAndProcessesButThreads) {
  if (sanitized) GTEST_SKIP() << "a sanitizer traces the process";
  EXPECT_EQ(in_a_child([] {
              if (!confine()) return 1;
              if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 2;
              bool ran = false;
              std::thread([&ran] { ran = true; }).join();
              if (!ran) return 3;
              if (::fork() != -1 || errno != EPERM) return 4;
              ::execl("/bin/true", "true", nullptr);
              if (errno != EPERM) return 5;
              if (::mount("none", "/tmp", "tmpfs", 0, nullptr) != -1 || errno != EPERM) return 6;
              return 0;
            }),
            0);
}

TEST(Confine, RootIsGoneForGoodAndPortsCanBeBound) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  EXPECT_EQ(in_a_child([] {
              if (!drop_root("nobody")) return 1;
              if (::geteuid() == 0 || ::getegid() == 0) return 2;
              if (::setuid(0) == 0) return 3;
              const std::ifstream shadow("/etc/shadow");
              if (shadow.good()) return 4;
              return 0;
            }),
            0);
}

TEST(Confine, WhomNobodyCanBecomeIsAnError) {
  EXPECT_TRUE(drop_root(""));
  const auto none = drop_root("no-such-user-here");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("no-such-user-here"), std::string::npos);
}

std::string status_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Confine, TheProxyIs) {
  Program program({"proxy", "--listen", "127.0.0.1:0", "--upstream", "ws://127.0.0.1:1", "--metrics", "127.0.0.1:0"});
  ASSERT_TRUE(program.logged("/metrics")) << program.err();
  const std::string status = status_of(program.pid());
  EXPECT_NE(status.find("NoNewPrivs:\t1\n"), std::string::npos) << status;
  EXPECT_NE(status.find(sanitized ? "Seccomp:\t0\n" : "Seccomp:\t2\n"), std::string::npos) << status;
}

}  // namespace
}  // namespace sockeye::app::testing
