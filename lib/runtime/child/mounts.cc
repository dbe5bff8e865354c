#include "lib/runtime/child/mounts.h"

#include <linux/limits.h>
#include <linux/magic.h>
#include <sys/statfs.h>

#include "lib/base/mutation.h"
#include "lib/runtime/child/covered.h"
#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/map_ids.h"
#include "lib/runtime/child/overlay.h"
#include "lib/runtime/child/root.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

bool IsProcfs(int fd) {
  struct statfs fs;
  return Sys(SYS_fstatfs, fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

bool IsNull(const struct stat& stat) {
  return S_ISCHR(stat.st_mode) && stat.st_rdev == MakeDevice(1, 3);
}

bool IsDirectory(int fd) {
  struct stat stat;
  return Fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode);
}

// The part of a target below /`top`: null outside, "" for /`top` itself.
template <size_t kSize>
const char* Below(const char (&top)[kSize], const char* target) {
  while (*target == '/') ++target;
  if (!StartsWith(target, top)) return nullptr;
  target += kSize - 1;
  if (*target != '\0' && *target != '/') return nullptr;
  while (*target == '/') ++target;
  return target;
}

// Files in /proc that a mount may replace without misleading the kernel's
// interfaces (lxcfs and its like).
bool ReplaceableInProc(const char* name) {
  constexpr const char* kNames[] = {"cpuinfo",
                                    "diskstats",
                                    "meminfo",
                                    "stat",
                                    "swaps",
                                    "uptime",
                                    "loadavg",
                                    "slabinfo",
                                    "net/dev",
                                    "sys/kernel/ns_last_pid",
                                    "sys/crypto/fips_enabled"};
  for (const char* allowed : kNames) {
    if (Equal(name, allowed)) return true;
  }
  return false;
}

// Only procfs may be mounted on /proc, and nothing that matters below it:
// whoever controls /proc controls where labels and sysctls are written
// (CVE-2025-52881, CVE-2019-19921).
long CheckProc(const char* target, int target_fd, bool source_is_procfs) {
  if constexpr (Mutated("R06")) return 0;
  const char* below = Below("proc", target);
  if (below != nullptr && *below == '\0') {
    return source_is_procfs ? 0 : Fail(-EPERM, "mount on /proc", target);
  }
  if (below != nullptr && ReplaceableInProc(below)) return 0;
  if (below == nullptr && !IsProcfs(target_fd)) return 0;
  return Fail(-EPERM, "mount inside /proc", target);
}

// What was mounted on /proc or /sys, if `path` is there.
int* KernelView(Child& child, const char* path, const char** below) {
  *below = Below("proc", path);
  if (*below != nullptr) return &child.proc;
  *below = Below("sys", path);
  return *below != nullptr ? &child.sys : nullptr;
}

// Trust: the directory may have been renamed since something was mounted on
// it, and the mount with it; what was mounted is what is to be hidden.
long OpenToHide(Child& child, const char* path) {
  const char* below;
  const int* view = KernelView(child, path, &below);
  if (view == nullptr || *view < 0 || Find(below, "..") != nullptr) {
    return OpenInRoot(child.root, path, O_PATH);
  }
  return OpenInRoot(*view, *below == '\0' ? "." : below, O_PATH);
}

struct BindFields {
  Str source, target;
  uint64_t attr_set, attr_clear, propagation, flags;
};

BindFields ReadBind(FieldReader& fields) {
  BindFields f;
  f.source = fields.S();
  f.target = fields.S();
  f.attr_set = fields.U();
  f.attr_clear = fields.U();
  f.propagation = fields.U();
  f.flags = fields.U();
  return f;
}

long CloneSource(const char* source, uint64_t flags) {
  unsigned tree = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  if (flags & kMountRecursive) tree |= unsigned(kAtRecursive);
  if (flags & kMountNoFollow) tree |= AT_SYMLINK_NOFOLLOW;
  return Sys(SYS_open_tree, kAtFdCwd, source, tree);
}

// Sets a mount's attributes; with kMountReadonlyFallback those that a user
// namespace may not clear stay.
long SetAttrFor(int fd, uint64_t set, uint64_t clear, uint64_t flags) {
  const bool recursive = (flags & kMountRecursiveAttr) != 0;
  const long result = SetAttr(fd, set, clear, 0, recursive);
  if (result == -EPERM && (flags & kMountReadonlyFallback) != 0) {
    return SetAttr(fd, set, 0, 0, recursive);
  }
  return result;
}

}  // namespace

long FsConfig(int fs, unsigned command, const char* key, const char* value) {
  return Sys(SYS_fsconfig, fs, command, key, value, 0);
}

// "key=value" or "flag".
long SetOption(int fs, Str option) {
  char key[64];
  uint32_t size = 0;
  while (size < option.size && option.data[size] != '=') ++size;
  if (size >= sizeof key) return -EINVAL;
  memcpy(key, option.data, size);
  key[size] = '\0';
  if (size == option.size) return FsConfig(fs, FSCONFIG_SET_FLAG, key, nullptr);
  return FsConfig(fs, FSCONFIG_SET_STRING, key, option.data + size + 1);
}

long SetAttr(int fd, uint64_t set, uint64_t clear, uint64_t propagation,
             bool recursive) {
  if (set == 0 && clear == 0 && propagation == 0) return 0;
  struct mount_attr attr = {};
  attr.attr_set = set;
  attr.attr_clr = clear;
  if (set & MOUNT_ATTR__ATIME) attr.attr_clr |= MOUNT_ATTR__ATIME;
  attr.propagation =
      propagation & (MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE);
  if (propagation & MS_REC) recursive = true;
  return Sys(SYS_mount_setattr, fd, "",
             kAtEmptyPath | (recursive ? kAtRecursive : 0), &attr, sizeof attr);
}

long Attach(int mount, int target) {
  return Sys(SYS_move_mount, mount, "", target, "",
             MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

long Place(Child& child, int mount, Str target, uint64_t propagation,
           uint64_t flags, bool file, bool procfs) {
  const long to = (flags & kMountNoCreate)
                      ? OpenInRoot(child.root, target.c_str(), O_PATH)
                      : OpenOrMake(child.root, target.c_str(), file);
  if (to < 0) return Fail(to, "openat2", target);
  long result = CheckProc(target.c_str(), int(to), procfs);
  if (result == 0 && (flags & kMountCopyUp)) {
    const long from = OpenAt(int(to), ".", O_RDONLY | O_DIRECTORY);
    result = from < 0 ? from : CopyTree(int(from), mount);
    Close(int(from));
    if (result < 0) Fail(result, "tmpcopyup", target);
  }
  if (result == 0) {
    result = Attach(mount, int(to));
    if (result < 0) Fail(result, "move_mount", target);
  }
  Close(int(to));
  const char* below;
  int* view = KernelView(child, target.c_str(), &below);
  if (result == 0 && view != nullptr && *below == '\0') {
    Close(*view);
    *view = int(Sys(SYS_fcntl, mount, F_DUPFD_CLOEXEC, 3));
  }
  if (result == 0 && propagation != 0) {
    result = SetAttr(mount, 0, 0, propagation, false);
    if (result < 0) Fail(result, "mount_setattr", target);
  }
  return result;
}

long MakeMount(const char* fstype, const char* source, List options,
               uint64_t attr, const char** call) {
  *call = "fsopen";
  const long fs = Sys(SYS_fsopen, fstype, FSOPEN_CLOEXEC);
  if (fs < 0) return fs;
  *call = "fsconfig";
  long result = 0;
  if (*source != '\0') {
    result = FsConfig(int(fs), FSCONFIG_SET_STRING, "source", source);
  }
  while (result == 0 && options.count > 0) {
    result = SetOption(int(fs), options.Take());
  }
  if (result == 0) {
    *call = "fsconfig create";
    result = FsConfig(int(fs), FSCONFIG_CMD_CREATE, nullptr, nullptr);
  }
  if (result == 0) {
    *call = "fsmount";
    result = Sys(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr);
  }
  Close(int(fs));
  return result;
}

long OwnProcfs(Child& child) {
  if (child.procfs >= 0) return child.procfs;
  const char* call;
  const long fd = MakeMount(
      "proc", "proc", List(),
      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, &call);
  if (fd < 0) return Fail(fd, call, "proc");
  if (!IsProcfs(int(fd))) return Fail(-EPERM, "fstatfs", "proc");
  child.procfs = int(fd);
  return fd;
}

long OpenInProcfs(int procfs, const char* path, uint64_t flags) {
  struct open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
  return Sys(SYS_openat2, procfs, path, &how, sizeof how);
}

long WriteInProcfs(int procfs, const char* path, const void* data,
                   size_t size) {
  const long fd = OpenInProcfs(procfs, path, O_WRONLY);
  if (fd < 0) return fd;
  const long result = Write(int(fd), data, size);
  Close(int(fd));
  return result < 0 ? result : 0;
}

long StepPropagation(Child& child, FieldReader fields) {
  const uint64_t propagation = fields.U();
  const bool recursive = fields.U() != 0;
  child.shared_root = (propagation & MS_SHARED) != 0 || !recursive;
  const long root = Open("/", O_PATH | O_DIRECTORY);
  if (root < 0) return Fail(root, "open", "/");
  const long result = SetAttr(int(root), 0, 0, propagation, recursive);
  Close(int(root));
  return result < 0 ? Fail(result, "mount_setattr", "/") : 0;
}

long AttachRoot(Child& child, int mount, Str mount_point) {
  long target = Open(mount_point.c_str(), O_PATH | O_DIRECTORY);
  // In a user namespace the store's directories may be out of reach; the
  // place does not matter, since pivot_root takes all of it away.
  if (target == -EACCES) target = Open("/", O_PATH | O_DIRECTORY);
  if (target < 0) return Fail(target, "open", mount_point);
  const long result = Attach(mount, int(target));
  Close(int(target));
  if (result < 0) return Fail(result, "move_mount", mount_point);
  child.root = mount;
  return 0;
}

long StepRootBind(Child& child, const StepView& step) {
  FieldReader fields = step.Fields();
  const Str source = fields.S();
  const bool recursive = fields.U() != 0;
  const uint64_t attr = fields.U();
  const uint64_t propagation = fields.U();
  long mount = child.prepared->Find(step.index);
  if (mount < 0) {
    mount =
        CloneSource(source.c_str(), recursive ? uint64_t{kMountRecursive} : 0);
  }
  if (mount < 0) return Fail(mount, "open_tree", source);
  long result = SetAttr(int(mount), attr, 0, 0, false);
  if (result < 0) return Fail(result, "mount_setattr", source);
  result = AttachRoot(child, int(mount), source);
  if (result < 0 || propagation == 0) return result;
  result = SetAttr(int(mount), 0, 0, propagation, recursive);
  return result < 0 ? Fail(result, "mount_setattr", source) : 0;
}

long StepMount(Child& child, const StepView& step) {
  FieldReader fields = step.Fields();
  const Str fstype = fields.S();
  const Str source = fields.S();
  const List options = fields.L();
  const Str target = fields.S();
  const uint64_t attr = fields.U();
  const uint64_t propagation = fields.U();
  const uint64_t flags = fields.U();
  const bool procfs = Equal(fstype.c_str(), "proc");
  if (Equal(target.c_str(), "/dev/pts")) PrepareCovered(child);
  const char* call = "mount_setattr";
  long mount = child.prepared->Find(step.index);
  long result = mount < 0 ? 0 : SetAttr(int(mount), attr, 0, 0, false);
  if (result < 0) return Fail(result, call, target);
  if (mount < 0 && (flags & kMountCovered) != 0) {
    const char* slash = FindLast(target.c_str(), '/');
    mount = MountCovered(child, slash == nullptr ? "" : slash + 1, attr);
  }
  if (mount < 0) {
    mount = MakeMount(fstype.c_str(), source.c_str(), options, attr, &call);
  }
  if (mount == -ENODEV && (flags & kMountOptional)) return 0;
  if (mount < 0) return Fail(mount, call, target);
  result = Place(child, int(mount), target, propagation, flags, false, procfs);
  // A whole and writable one serves the steps that write there, too.
  const bool whole = options.count == 0 && (attr & MOUNT_ATTR_RDONLY) == 0;
  if (result == 0 && procfs && whole && child.procfs < 0) {
    child.procfs = int(mount);
  } else if (result == 0 && Equal(fstype.c_str(), "tmpfs") &&
             Equal(target.c_str(), "/dev") && child.dev < 0) {
    child.dev = int(mount);
  } else {
    Close(int(mount));
  }
  return result;
}

long StepBind(Child& child, const StepView& step) {
  FieldReader fields = step.Fields();
  const BindFields f = ReadBind(fields);
  long mount = child.prepared->Find(step.index);
  if (mount < 0 && NeedsMonitor(step.op)) {
    return Fail(-EPERM, "mount_setattr", f.source);
  }
  if (mount < 0) mount = CloneSource(f.source.c_str(), f.flags);
  if (mount == -ENOENT && (f.flags & kMountOptional)) return 0;
  if (mount < 0) return Fail(mount, "open_tree", f.source);
  long result = SetAttrFor(int(mount), f.attr_set, f.attr_clear, f.flags);
  if (result < 0) {
    Fail(result, "mount_setattr", f.target);
  } else {
    const bool file =
        !IsDirectory(int(mount)) || (f.flags & kMountTargetFile) != 0;
    result = Place(child, int(mount), f.target, f.propagation, f.flags, file,
                   IsProcfs(int(mount)));
  }
  Close(int(mount));
  return result;
}

long StepSetMountAttr(Child& child, FieldReader fields) {
  const Str target = fields.S();
  const uint64_t set = fields.U();
  const uint64_t clear = fields.U();
  const uint64_t propagation = fields.U();
  const uint64_t flags = fields.U();
  const long fd = OpenInRoot(child.root, target.c_str(), O_PATH);
  if (fd == -ENOENT && (flags & kMountOptional)) return 0;
  if (fd < 0) return Fail(fd, "openat2", target);
  long result = SetAttrFor(int(fd), set, clear, flags);
  if (result == 0) {
    result =
        SetAttr(int(fd), 0, 0, propagation, (flags & kMountRecursiveAttr) != 0);
  }
  Close(int(fd));
  return result < 0 ? Fail(result, "mount_setattr", target) : 0;
}

namespace {

// An empty read-only directory.
long MakeMask(Child& child) {
  constexpr uint64_t kAttr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                             MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const long covered = MountCovered(child, "mask", kAttr);
  if (covered >= 0) return covered;
  const char* call;
  return MakeMount("tmpfs", "tmpfs", List(), kAttr, &call);
}

// The second and later ones are bind mounts of the first.
long MaskDirectory(Child& child, int target) {
  const bool first = child.mask < 0;
  const long mount =
      first ? MakeMask(child)
            : Sys(SYS_open_tree, child.mask, "",
                  kAtEmptyPath | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (mount < 0) return mount;
  const long result = Attach(int(mount), target);
  if (first && result == 0) {
    child.mask = int(mount);
  } else {
    Close(int(mount));
  }
  return result;
}

// The container's /dev/null, if it is one: an image or volume may have put
// something else there (CVE-2025-31133).
long MaskSource(Child& child) {
  if (child.null >= 0) return child.null;
  const long null = OpenInRoot(child.root, "/dev/null",
                               Mutated("R04") ? O_PATH : O_PATH | O_NOFOLLOW);
  if (null < 0) return Fail(null, "openat2", "/dev/null");
  struct stat stat;
  long result = Fstat(int(null), &stat);
  if (result == 0 && !IsNull(stat) && !Mutated("R04")) result = -EPERM;
  if (result < 0) {
    Close(int(null));
    return Fail(result, "mask source", "/dev/null");
  }
  child.null = int(null);
  return null;
}

long MaskFile(Child& child, int target) {
  const long null = MaskSource(child);
  if (null < 0) return null;
  const long mount = Sys(SYS_open_tree, null, "",
                         kAtEmptyPath | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (mount < 0) return mount;
  const long result = Attach(int(mount), target);
  Close(int(mount));
  return result;
}

}  // namespace

long StepMaskPath(Child& child, FieldReader fields) {
  const Str path = fields.S();
  const long target = OpenToHide(child, path.c_str());
  if (target == -ENOENT || target == -ENOTDIR) return 0;
  if (target < 0) return Fail(target, "openat2", path);
  FailureSlot()->call[0] = '\0';
  const long result = IsDirectory(int(target))
                          ? MaskDirectory(child, int(target))
                          : MaskFile(child, int(target));
  Close(int(target));
  if (result < 0 && FailureSlot()->call[0] == '\0') {
    Fail(result, "mount", path);
  }
  return result;
}

long StepReadonlyPath(Child& child, FieldReader fields) {
  const Str path = fields.S();
  const long target = OpenToHide(child, path.c_str());
  if (target == -ENOENT || target == -ENOTDIR) return 0;
  if (target < 0) return Fail(target, "openat2", path);
  const long mount =
      Sys(SYS_open_tree, target, "",
          kAtEmptyPath | kAtRecursive | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  long result = mount;
  if (mount >= 0) {
    result = SetAttr(int(mount), MOUNT_ATTR_RDONLY, 0, 0, true);
    if (result == 0) result = Attach(int(mount), int(target));
    Close(int(mount));
  }
  Close(int(target));
  return result < 0 ? Fail(result, "mount", path) : 0;
}

long StepReadonlyRoot(Child& child) {
  const long result = SetAttr(child.root, MOUNT_ATTR_RDONLY, 0, 0, false);
  return result < 0 ? Fail(result, "mount_setattr", "/") : 0;
}

void ReopenNull(Child& child) {
  long null = -1;
  for (int i = 0; i < 3; ++i) {
    struct stat stat;
    if (Fstat(i, &stat) < 0 || !IsNull(stat)) continue;
    if (null < 0) {
      null = OpenInRoot(child.root, "/dev/null",
                        O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
      if (null < 0 || Fstat(int(null), &stat) < 0 || !IsNull(stat)) break;
      Sys(SYS_fcntl, null, F_SETFL, 0);
    }
    Sys(SYS_dup3, null, i, 0);
  }
  if (null > 2) Close(int(null));
}

namespace {

long ReopenRoot(Child& child) {
  long result = Sys(SYS_chdir, "/");
  if (result < 0) return Fail(result, "chdir", "/");
  result = Open("/", O_PATH | O_DIRECTORY);
  if (result < 0) return Fail(result, "open", "/");
  if (child.root >= 0) Close(child.root);
  child.root = int(result);
  ReopenNull(child);
  return 0;
}

}  // namespace

long StepPivotRoot(Child& child) {
  long old = -1;
  if (child.shared_root) old = Open("/", O_PATH | O_DIRECTORY);
  long result = Sys(SYS_fchdir, child.root);
  if (result < 0) return Fail(result, "fchdir", "/");
  result = Sys(SYS_pivot_root, ".", ".");
  if (result < 0) return Fail(result, "pivot_root", ".");
  if (old >= 0) {
    // The detach below must not reach the host's mounts.
    result = SetAttr(int(old), 0, 0, MS_SLAVE, true);
    Close(int(old));
    if (result < 0) return Fail(result, "mount_setattr", "old root");
  }
  // cwd is the new root with the old one stacked upon it.
  result = Sys(SYS_umount2, ".", kUmountDetach);
  if (result < 0) return Fail(result, "umount2", ".");
  return ReopenRoot(child);
}

long StepMoveRoot(Child& child) {
  long result = Sys(SYS_fchdir, child.root);
  if (result < 0) return Fail(result, "fchdir", "/");
  result = Sys(SYS_mount, ".", "/", nullptr, MS_MOVE, nullptr);
  if (result < 0) return Fail(result, "mount MS_MOVE", "/");
  result = Sys(SYS_chroot, ".");
  if (result < 0) return Fail(result, "chroot", ".");
  return ReopenRoot(child);
}

namespace {

long CloneMapped(FieldReader& fields) {
  const BindFields f = ReadBind(fields);
  const long mount = CloneSource(f.source.c_str(), f.flags);
  if (mount < 0) return Fail(mount, "open_tree", f.source);
  const Str uids = fields.S();
  const Str gids = fields.S();
  const long user = MakeUserNamespace(uids, gids);
  long result = user;
  if (user >= 0) {
    result = MapIds(int(mount), int(user), (f.flags & kMountRecursiveMap) != 0,
                    f.source.c_str());
    Close(int(user));
  }
  if (result == 0) return mount;
  Close(int(mount));
  return result;
}

}  // namespace

bool IsClonedByMonitor(const StepView& step) {
  if (NeedsMonitor(step.op)) return true;
  if (step.op != Op::kBind) return false;
  FieldReader fields = step.Fields();
  return (ReadBind(fields).flags & kMountHostPeer) != 0;
}

long PrepareMount(const StepView& step, SharedPage& shared) {
  FieldReader fields = step.Fields();
  if (step.op == Op::kRootOverlay) return PrepareOverlay(step);
  if (step.op == Op::kRootOverlayMapped) return PrepareMapped(step, shared);
  if (step.op == Op::kBindMapped) return CloneMapped(fields);
  if (step.op == Op::kBind) {
    const BindFields f = ReadBind(fields);
    return CloneSource(f.source.c_str(), f.flags);
  }
  const Str source = fields.S();
  return CloneSource(source.c_str(),
                     fields.U() != 0 ? uint64_t{kMountRecursive} : 0);
}

}  // namespace containerkit::runtime::child
