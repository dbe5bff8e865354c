#include "lib/runtime/child/covered.h"

#include <sys/mount.h>

#include "lib/runtime/child/mounts.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {

void PrepareCovered(Child& child) {
  constexpr int kMode = 0755;
  if (child.dev < 0 || child.covered >= 0) return;
  Sys(SYS_mkdirat, child.dev, "pts", kMode);
  child.covered =
      int(OpenAt(child.dev, "pts", O_PATH | O_DIRECTORY | O_NOFOLLOW));
}

long MountCovered(const Child& child, const char* name, uint64_t attr) {
  constexpr int kMode = 0755;
  if (child.covered < 0) return -ENOENT;
  long result = Sys(SYS_mkdirat, child.covered, name, kMode);
  if (result < 0) return result;
  const long mount = Sys(SYS_open_tree, child.covered, name,
                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (mount < 0) return mount;
  result = SetAttr(int(mount), attr, MOUNT_ATTR__ATIME, 0, false);
  if (result == 0) return mount;
  Close(int(mount));
  return result;
}

}  // namespace containerkit::runtime::child
