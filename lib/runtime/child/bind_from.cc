#include "lib/runtime/child/bind_from.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/make_apart.h"
#include "lib/runtime/child/mounts.h"
#include "lib/runtime/child/root.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {
namespace {

struct Source {
  int mount_namespace;
  Str path;
};

bool IsTmpfs(int fd) {
  struct statfs fs;
  return Sys(SYS_fstatfs, fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

// Trust: the tree is the other container's. What it may have put at the path
// is resolved inside its root, and is shared only if it is a tmpfs.
long CloneTmpfs(void* argument) {
  const auto& source = *static_cast<Source*>(argument);
  long result = Sys(SYS_setns, source.mount_namespace, CLONE_NEWNS);
  if (result < 0) return Fail(result, "setns", source.path);
  const long root = Open("/", O_PATH | O_DIRECTORY);
  if (root < 0) return Fail(root, "open", "/");
  const long directory =
      OpenInRoot(int(root), source.path.c_str(), O_PATH | O_DIRECTORY);
  Close(int(root));
  if (directory < 0) return Fail(directory, "openat2", source.path);
  if (IsTmpfs(int(directory))) {
    result = Sys(SYS_open_tree, directory, "",
                 kAtEmptyPath | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (result < 0) Fail(result, "open_tree", source.path);
  } else {
    result = Fail(-EINVAL, "tmpfs of a container", source.path);
  }
  Close(int(directory));
  return result;
}

}  // namespace

long PrepareBindFrom(const StepView& step, int& kept, SharedPage& shared) {
  FieldReader fields = step.Fields();
  const Str place = fields.S();
  if (kept < 0) {
    const long fd = Open(place.c_str(), O_RDONLY);
    if (fd < 0) return Fail(fd, "open", place);
    kept = int(fd);
  }
  Source source = {kept, fields.S()};
  return MakeApart(shared, 0, CloneTmpfs, &source);
}

long StepBindFrom(Child& child, const StepView& step) {
  FieldReader fields = step.Fields();
  fields.S();  // namespace
  fields.S();  // source
  const Str target = fields.S();
  const long mount = child.prepared->Find(step.index);
  if (mount < 0) return Fail(-EPERM, "open_tree", target);
  return Place(child, int(mount), target, MS_PRIVATE, 0, false, false);
}

}  // namespace containerkit::runtime::child
