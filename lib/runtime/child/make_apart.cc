#include "lib/runtime/child/make_apart.h"

#include <linux/prctl.h>

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {

long MakeApart(SharedPage& shared, uint64_t clone_flags, long (*make)(void*),
               void* argument) {
  shared.made = -ECHILD;  // if it is killed
  int pidfd = -1;
  struct clone_args args = {};
  args.flags = clone_flags | CLONE_FILES | CLONE_PIDFD;
  args.pidfd = uint64_t(ToLong(&pidfd));
  args.exit_signal = SIGCHLD;
  const long pid = Sys(SYS_clone3, &args, sizeof args);
  if (pid < 0) return Fail(pid, "clone3", "mount");
  if (pid == 0) {
    SetFailureSlot(&shared.failure);
    Sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    shared.made = int32_t(make(argument));
    Exit(0);
  }
  WaitPidfd(pidfd, 0, nullptr);
  Close(pidfd);
  if (shared.made == -ECHILD) return Fail(-ECHILD, "clone3", "mount");
  if (shared.made < 0) *FailureSlot() = shared.failure;
  return shared.made;
}

}  // namespace containerkit::runtime::child
