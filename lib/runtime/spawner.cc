#include "lib/runtime/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/mutation.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/socket.h"

// The functions below run in processes that share the host's memory on small
// stacks of their own: no sanitizer may instrument them.
#define CK_SHARED_MEMORY_CHILD \
  __attribute__((no_sanitize("address", "thread", "undefined")))

// glibc's clone under its other name: ThreadSanitizer takes each call of
// clone() for a fork and stops looking at the process. Declared here because
// <sched.h> and <linux/sched.h> do not go together.
extern "C" int __clone(int (*fn)(void*), void* stack, int flags, void* arg,
                       ...);

namespace containerkit::runtime {
namespace {

// kSpawnerSocket of the helper.
constexpr int kSocketInHelper = 3;
constexpr size_t kStackSize = 32 * 1024;
constexpr size_t kKernelSigsetSize = 8;

struct Arguments {
  int image;
  int socket;
  char* grandchild_stack;  // its upper end
  // Written by the children.
  int pidfd = -1;
  int error = 0;
  const char* call = "";
};

CK_SHARED_MEMORY_CHILD
int FailIn(Arguments& arguments, const char* call) {
  arguments.error = errno;
  arguments.call = call;
  return 127;
}

// The kernel's struct sigaction: glibc's wrapper refuses some signals.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

// Becomes the helper. Runs while its parent is suspended.
CK_SHARED_MEMORY_CHILD
int RunGrandchild(void* data) {
  auto& arguments = *static_cast<Arguments*>(data);
  // The host's handlers must never run here: gone before the mask opens.
  const KernelAction action = {};
  for (int i = 1; i <= 64; ++i) {
    syscall(SYS_rt_sigaction, i, &action, nullptr, kKernelSigsetSize);
  }
  if constexpr (!Mutated("R22")) setsid();
  if (chdir("/") < 0) return FailIn(arguments, "chdir");
  const int socket = fcntl(arguments.socket, F_DUPFD, kSocketInHelper + 1);
  if (socket < 0) return FailIn(arguments, "fcntl");
  const int image =
      fcntl(arguments.image, F_DUPFD_CLOEXEC, kSocketInHelper + 1);
  if (image < 0) return FailIn(arguments, "fcntl");
  // Not open() and dup2(): ThreadSanitizer would take this table of
  // descriptors for the host's.
  const long null =
      syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return FailIn(arguments, "open /dev/null");
  const int high =
      fcntl(static_cast<int>(null), F_DUPFD_CLOEXEC, kSocketInHelper + 1);
  if (high < 0) return FailIn(arguments, "fcntl");
  for (int i = Mutated("R22") ? 3 : 0; i < 3; ++i) {
    if (syscall(SYS_dup3, high, i, 0) < 0) return FailIn(arguments, "dup2");
  }
  if (syscall(SYS_dup3, socket, kSocketInHelper, 0) < 0)
    return FailIn(arguments, "dup2");
  constexpr unsigned kCloexec = 1U << 2;  // CLOSE_RANGE_CLOEXEC
  if (!Mutated("R02") &&
      syscall(SYS_close_range, kSocketInHelper + 1, ~0U, kCloexec) < 0) {
    return FailIn(arguments, "close_range");
  }
  const uint64_t none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kKernelSigsetSize);
  static const char* const argv[] = {"ck-helper", nullptr};
  static const char* const envp[] = {nullptr};
  syscall(SYS_execveat, image, "", argv, envp, AT_EMPTY_PATH);
  return FailIn(arguments, "execveat");
}

// Shares memory and descriptors with the host, so the pidfd that it gets is
// the host's too.
CK_SHARED_MEMORY_CHILD
int RunIntermediate(void* data) {
  auto& arguments = *static_cast<Arguments*>(data);
  const int pid = __clone(RunGrandchild, arguments.grandchild_stack,
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                          &arguments, &arguments.pidfd);
  if (pid < 0) FailIn(arguments, "clone");
  return 0;
}

// Clones the intermediate and reaps it. errno in arguments.error.
void Spawn(Arguments& arguments, char* stack) {
  int intermediate = -1;
  const int pid = __clone(
      RunIntermediate, stack,
      static_cast<int>(CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PIDFD),
      &arguments, &intermediate);
  if (pid < 0) {
    FailIn(arguments, "clone");
    return;
  }
  const UniqueFd pidfd(intermediate);
  siginfo_t info;
  while (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd.get()),
                &info, WEXITED | __WALL) < 0 &&
         errno == EINTR) {
  }
}

}  // namespace

absl::StatusOr<SpawnerProcess> StartSpawner(int image) {
  CK_ASSIGN_OR_RETURN(auto pair, sys::MakeSocketPair());
  auto stacks = std::make_unique<char[]>(2 * kStackSize);
  const auto top = [&stacks](size_t end) {
    return reinterpret_cast<char*>(
        reinterpret_cast<uintptr_t>(stacks.get() + end) & ~uintptr_t{15});
  };
  Arguments arguments{image, pair.second.get(), top(2 * kStackSize)};

  const uint64_t all = ~uint64_t{0};
  uint64_t old = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, kKernelSigsetSize);
  Spawn(arguments, top(kStackSize));
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, nullptr, kKernelSigsetSize);

  SpawnerProcess spawner{std::move(pair.first), UniqueFd(arguments.pidfd)};
  if (arguments.error != 0) {
    const int error = arguments.error;
    StopSpawner(spawner);
    // A seccomp filter of the host's: nothing else forbids these calls.
    return SyscallError(
        error, "launcher.spawn", arguments.call, "",
        error == EPERM ? Reason::kPrivilegeMissing : Reason::kSystemCall);
  }
  return spawner;
}

void StopSpawner(SpawnerProcess& spawner) {
  constexpr absl::Duration kPatience = absl::Seconds(5);
  if (spawner.socket.ok()) shutdown(spawner.socket.get(), SHUT_RDWR);
  spawner.socket.Reset();
  if (!spawner.pidfd.ok()) return;
  if (!sys::WaitForExit(spawner.pidfd.get(), absl::Now() + kPatience).ok()) {
    (void)sys::SignalPidfd(spawner.pidfd.get(), SIGKILL);
    (void)sys::WaitForExit(spawner.pidfd.get(), absl::Now() + kPatience);
  }
  // A host that is a subreaper (or pid 1) has inherited it.
  siginfo_t info;
  waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(spawner.pidfd.get()),
         &info, WEXITED | WNOHANG | __WALL);
  spawner.pidfd.Reset();
}

}  // namespace containerkit::runtime
