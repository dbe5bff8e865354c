#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/mounts.h"
#include "lib/runtime/child/process.h"
#include "lib/runtime/child/root.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {

long StepMkdir(Child& child, FieldReader fields) {
  const Str path = fields.S();
  const uint64_t mode = fields.U();
  const uint64_t uid = fields.U();
  const uint64_t gid = fields.U();
  bool made = false;
  const long fd =
      MakeDirectories(child.root, path.c_str(), uint32_t(mode), &made);
  if (fd < 0) return Fail(fd, "mkdir", path);
  long result = 0;
  if (made && (uid != 0 || gid != 0)) {
    result = Sys(SYS_fchownat, fd, "", uid, gid, kAtEmptyPath);
  }
  Close(int(fd));
  return result < 0 ? Fail(result, "chown", path) : 0;
}

long StepSymlink(Child& child, FieldReader fields) {
  const Str content = fields.S();
  const Str path = fields.S();
  Entry entry;
  long result = OpenParent(child.root, path.c_str(), &entry);
  if (result < 0) return Fail(result, "openat2", path);
  result = Sys(SYS_symlinkat, content.c_str(), entry.parent, entry.name);
  Close(entry.parent);
  return result < 0 && result != -EEXIST ? Fail(result, "symlink", path) : 0;
}

namespace {

bool IsDevice(const struct stat& stat, uint64_t type, uint64_t device) {
  return (stat.st_mode & S_IFMT) == type &&
         (type == S_IFIFO || stat.st_rdev == device);
}

long BindDevice(Child& child, Str path, uint64_t type, uint64_t device) {
  const long mount = Sys(SYS_open_tree, kAtFdCwd, path.c_str(),
                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (mount < 0) return Fail(mount, "open_tree", path);
  struct stat stat;
  long result = Fstat(int(mount), &stat);
  if (result == 0 && !IsDevice(stat, type, device)) result = -ENODEV;
  if (result == 0) {
    result = OpenOrMake(child.root, path.c_str(), true);
  }
  if (result >= 0) {
    const int target = int(result);
    result = Attach(int(mount), target);
    Close(target);
  }
  Close(int(mount));
  return result < 0 ? Fail(result, "bind", path) : 0;
}

}  // namespace

long StepDevice(Child& child, FieldReader fields) {
  const Str path = fields.S();
  const uint64_t type = fields.U();
  const uint64_t major = fields.U();
  const uint64_t minor = fields.U();
  const uint64_t mode = fields.U();
  const uint64_t uid = fields.U();
  const uint64_t gid = fields.U();
  const uint64_t device = MakeDevice(major, minor);
  if (fields.U() != 0) return BindDevice(child, path, type, device);
  Entry entry;
  long result = OpenParent(child.root, path.c_str(), &entry);
  if (result < 0) return Fail(result, "openat2", path);
  result = Sys(SYS_mknodat, entry.parent, entry.name,
               uint32_t(type) | (uint32_t(mode) & 07777), device);
  if (result == -EEXIST) {
    struct stat stat;
    result = Sys(SYS_newfstatat, entry.parent, entry.name, &stat,
                 AT_SYMLINK_NOFOLLOW);
    if (result == 0 && !IsDevice(stat, type, device)) result = -EEXIST;
  }
  // Not fchmodat: that would follow a link which took the node's place.
  if (result == 0 && (uid != 0 || gid != 0)) {
    result = Sys(SYS_fchownat, entry.parent, entry.name, uid, gid,
                 AT_SYMLINK_NOFOLLOW);
  }
  Close(entry.parent);
  return result < 0 ? Fail(result, "mknod", path) : 0;
}

long StepWriteFile(Child& child, FieldReader fields) {
  const Str path = fields.S();
  const Str content = fields.S();
  const uint64_t mode = fields.U();
  Entry entry;
  long result = OpenParent(child.root, path.c_str(), &entry);
  if (result < 0) return Fail(result, "openat2", path);
  // EBUSY: something is mounted there; that file is written instead.
  result = Sys(SYS_unlinkat, entry.parent, entry.name, 0);
  const int how = result == -EBUSY ? O_TRUNC : O_CREAT | O_EXCL;
  const long fd =
      OpenAt(entry.parent, entry.name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | how,
             int(mode & 07777));
  Close(entry.parent);
  if (fd < 0) return Fail(fd, "open", path);
  struct stat stat;
  result = Fstat(int(fd), &stat);
  if (result == 0 && !S_ISREG(stat.st_mode)) result = -EINVAL;
  if (result == 0) result = WriteAll(int(fd), content.data, content.size);
  Close(int(fd));
  return result < 0 ? Fail(result, "write", path) : 0;
}

}  // namespace containerkit::runtime::child
