#include "lib/sys/in_user_namespace.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {
namespace {

constexpr char kOperation[] = "namespace.run";
constexpr size_t kStackSize = 1 << 20;
constexpr size_t kGuardSize = 64 << 10;

struct Call {
  const int namespace_fd;
  const absl::FunctionRef<absl::Status()> body;
  const pid_t parent;
  absl::Status result;
};

absl::Status RunBody(const Call& call) {
  if (setns(call.namespace_fd, CLONE_NEWUSER) != 0) {
    return SyscallError(errno, kOperation, "setns");
  }
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    return SyscallError(errno, kOperation, "prctl");
  }
  if (getppid() != call.parent) return absl::OkStatus();  // Nobody is there.
  try {
    return call.body();
  } catch (...) {
    return InternalError(kOperation, "work in a user namespace threw");
  }
}

int RunChild(void* data) {
  auto& call = *static_cast<Call*>(data);
  call.result = RunBody(call);
  return 0;
}

}  // namespace

absl::Status InUserNamespace(int namespace_fd,
                             absl::FunctionRef<absl::Status()> body) {
  void* const stack = mmap(nullptr, kGuardSize + kStackSize, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return SyscallError(errno, kOperation, "mmap");
  const absl::Cleanup unmap = [stack] {
    munmap(stack, kGuardSize + kStackSize);
  };
  char* const bottom = static_cast<char*>(stack) + kGuardSize;
  if (mprotect(bottom, kStackSize, PROT_READ | PROT_WRITE) != 0) {
    return SyscallError(errno, kOperation, "mprotect");
  }
  Call call = {namespace_fd, body, getpid(),
               InternalError(kOperation, "the child was killed")};
  int child = -1;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  const int pid = clone(
      RunChild, bottom + kStackSize,
      static_cast<int>(CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PIDFD),
      &call, &child);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  if (pid < 0) return SyscallError(error, kOperation, "clone");
  const UniqueFd pidfd(child);
  siginfo_t info;
  while (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(child), &info,
                WEXITED | __WALL) < 0 &&
         errno == EINTR) {
  }
  return call.result;
}

}  // namespace containerkit::sys
