// What loading and unloading the library asks of the kernel (E08): mappings of
// files and no more. The traced program is this one.
#include <dlfcn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <set>
#include <string>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/testing/ptrace_driver.h"

namespace containerkit::testing {
namespace {

constexpr char kLibrary[] = "capi/libcontainerkit.so.0";

TEST(LoadCalls, NoProcessNoSignalNoDescriptor) {
  const std::set<long> refused = {
      SYS_clone,         SYS_clone3,         SYS_fork,
      SYS_vfork,         SYS_execve,         SYS_execveat,
      SYS_kill,          SYS_tkill,          SYS_tgkill,
      SYS_rt_sigaction,  SYS_rt_sigprocmask, SYS_sigaltstack,
      SYS_signalfd4,     SYS_prctl,          SYS_setitimer,
      SYS_timer_create,  SYS_timerfd_create, SYS_socket,
      SYS_socketpair,    SYS_pipe2,          SYS_eventfd2,
      SYS_epoll_create1, SYS_memfd_create,   SYS_write,
      SYS_chdir,         SYS_umask,          SYS_unshare,
      SYS_setns,         SYS_setrlimit,      SYS_ptrace};
  std::set<long> seen;
  TraceOptions options;
  options.argv = {"/proc/self/exe", kLibrary};
  options.on_call = [&](const SystemCall& call) {
    if (call.phase == 1) seen.insert(call.number);
    return Verdict::Run();
  };
  options.patience = absl::Seconds(60);
  const TraceResult result = RunTraced(options);
  ASSERT_TRUE(WIFEXITED(result.wait_status));
  ASSERT_EQ(WEXITSTATUS(result.wait_status), 0);
  EXPECT_TRUE(seen.contains(SYS_mmap));
  EXPECT_TRUE(seen.contains(SYS_munmap));
  for (const long number : seen) {
    EXPECT_FALSE(refused.contains(number)) << "system call " << number;
  }
}

int LoadAndUnload(const char* path) {
  MarkPhase(1);
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  const bool good = library != nullptr && dlclose(library) == 0;
  MarkPhase(2);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace containerkit::testing

int main(int argc, char** argv) {
  if (argc == 2 && argv[1][0] != '-') {
    return containerkit::testing::LoadAndUnload(argv[1]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
