#include "lib/runtime/child/map_ids.h"

#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/host_steps.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

// The kernel takes maps only from a user namespace, which needs a process to
// come into being: one that does nothing until it is killed.
long ForkHolder(int* pidfd) {
  struct clone_args args = {};
  args.flags = CLONE_NEWUSER | CLONE_PIDFD;
  args.pidfd = uint64_t(ToLong(pidfd));
  args.exit_signal = SIGCHLD;
  const long pid = Sys(SYS_clone3, &args, sizeof args);
  if (pid != 0) return pid;
  Sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  for (;;) Sys(SYS_pause);
}

long OpenUserNamespace(int pid) {
  char path[64];
  Text(path, sizeof path).Add("/proc/").AddInt(pid).Add("/ns/user");
  const long fd = Open(path, O_RDONLY);
  return fd < 0 ? Fail(fd, "open", path) : fd;
}

}  // namespace

long MakeUserNamespace(Str uids, Str gids) {
  int pidfd = -1;
  const long pid = ForkHolder(&pidfd);
  if (pid < 0) return Fail(pid, "clone3", "id-mapped mount");
  long result = WriteIdMaps(int(pid), uids, gids);
  if (result == 0) result = OpenUserNamespace(int(pid));
  Sys(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
  WaitPidfd(pidfd, 0, nullptr);
  Close(pidfd);
  return result;
}

long MapIds(int mount, int user, bool recursive, const char* source) {
  struct mount_attr attr = {};
  attr.attr_set = MOUNT_ATTR_IDMAP;
  attr.userns_fd = uint64_t(user);
  const long result =
      Sys(SYS_mount_setattr, mount, "",
          kAtEmptyPath | (recursive ? kAtRecursive : 0), &attr, sizeof attr);
  return result < 0 ? Fail(result, kMapIdsCall, source) : 0;
}

}  // namespace containerkit::runtime::child
