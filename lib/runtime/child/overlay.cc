#include "lib/runtime/child/overlay.h"

#include <linux/limits.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/make_apart.h"
#include "lib/runtime/child/map_ids.h"
#include "lib/runtime/child/mounts.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

// Longest value of fsconfig(FSCONFIG_SET_STRING), without its NUL.
inline constexpr uint32_t kLongestOption = 255;

// fsconfig takes it as it is: a backslash quotes in some of the options.
bool IsPlain(const char* path) {
  return strlen(path) <= kLongestOption && Find(path, "\\") == nullptr;
}

// Sets one of the overlay's directories, from its parent if need be. The
// working directory is "/" afterwards.
long SetDirectory(int fs, const char* key, Str path) {
  if (IsPlain(path.c_str())) {
    return FsConfig(fs, FSCONFIG_SET_STRING, key, path.c_str());
  }
  const char* name = FindLast(path.c_str(), '/');
  char parent[PATH_MAX];
  if (name == nullptr || path.size >= sizeof parent) return -ENAMETOOLONG;
  Text(parent, sizeof parent).AddBytes(path.data, size_t(name - path.data));
  long result = Sys(SYS_chdir, parent);
  if (result < 0) return result;
  result = FsConfig(fs, FSCONFIG_SET_STRING, key, name + 1);
  Sys(SYS_chdir, "/");
  return result;
}

struct OverlayFields {
  List lowers;
  Str upper, work;
  List options;
  Str mount_point;
  uint64_t attr;
};

OverlayFields ReadOverlay(FieldReader& fields) {
  OverlayFields f;
  f.lowers = fields.L();
  f.upper = fields.S();
  f.work = fields.S();
  f.options = fields.L();
  f.mount_point = fields.S();
  f.attr = fields.U();
  return f;
}

// What all lower directories but the last, which is no layer of the image,
// have in common, up to and with a slash; may be empty.
class CommonDirectory {
 public:
  explicit CommonDirectory(List lowers) {
    const Str first = lowers.Take();
    size_ = first.size < sizeof path_ ? first.size : sizeof path_ - 1;
    while (lowers.count > 1) {
      const Str next = lowers.Take();
      size_t same = 0;
      while (same < size_ && same < next.size &&
             first.data[same] == next.data[same]) {
        ++same;
      }
      size_ = same;
    }
    while (size_ > 0 && first.data[size_ - 1] != '/') --size_;
    memcpy(path_, first.data, size_);
    path_[size_] = '\0';
  }

  const char* path() const { return path_; }

  long Enter() const { return size_ == 0 ? 0 : Sys(SYS_chdir, path_); }

  // `lower` as seen from there.
  const char* Relative(Str lower) const {
    const bool below =
        lower.size > size_ && memcmp(lower.data, path_, size_) == 0;
    return lower.c_str() + (below ? size_ : 0);
  }

 private:
  size_t size_;
  char path_[PATH_MAX];
};

// Short paths: each is looked up component by component.
long SetLowers(int fs, List lowers) {
  const CommonDirectory common(lowers);
  long result = common.Enter();
  if (result < 0) return Fail(result, "chdir", common.path());
  while (lowers.count > 0) {
    const Str lower = lowers.Take();
    const char* relative = common.Relative(lower);
    if (IsPlain(relative)) {
      result = FsConfig(fs, FSCONFIG_SET_STRING, "lowerdir+", relative);
    } else {
      result = SetDirectory(fs, "lowerdir+", lower);
      common.Enter();
    }
    if (result < 0) {
      Fail(result, "fsconfig lowerdir", lower);
      break;
    }
  }
  Sys(SYS_chdir, "/");
  return result;
}

long ConfigureOverlay(int fs, OverlayFields f) {
  long result = SetLowers(fs, f.lowers);
  if (result < 0) return result;
  if (!f.upper.empty()) {
    result = SetDirectory(fs, "upperdir", f.upper);
    if (result < 0) return Fail(result, "fsconfig upperdir", f.upper);
    result = SetDirectory(fs, "workdir", f.work);
    if (result < 0) return Fail(result, "fsconfig workdir", f.work);
  }
  while (f.options.count > 0) {
    const Str option = f.options.Take();
    result = SetOption(fs, option);
    if (result < 0) return Fail(result, "fsconfig", option);
  }
  result = FsConfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr);
  if (result < 0) return Fail(result, "fsconfig create", f.mount_point);
  return 0;
}

// A detached overlay. -EINVAL also where the kernel has no "lowerdir+" (before
// 6.5).
long MakeOverlay(const OverlayFields& f) {
  if (f.upper.empty() && f.lowers.count == 1) {
    List lowers = f.lowers;
    const Str lower = lowers.Take();
    const long fd = Sys(SYS_open_tree, kAtFdCwd, lower.c_str(),
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0) return Fail(fd, "open_tree", lower);
    // An overlay without an upper directory is read-only, so is this.
    const long result =
        SetAttr(int(fd), f.attr | MOUNT_ATTR_RDONLY, 0, 0, false);
    if (result == 0) return fd;
    Close(int(fd));
    return Fail(result, "mount_setattr", lower);
  }
  const long fs = Sys(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
  if (fs < 0) return Fail(fs, "fsopen", "overlay");
  long result = ConfigureOverlay(int(fs), f);
  if (result == 0) {
    result = Sys(SYS_fsmount, fs, FSMOUNT_CLOEXEC, f.attr);
    if (result < 0) Fail(result, "fsmount", f.mount_point);
  }
  Close(int(fs));
  return result;
}

void AddEscaped(Text& data, const char* path) {
  for (; *path != '\0'; ++path) {
    if (*path == ':' || *path == ',' || *path == '\\') data.AddChar('\\');
    data.AddChar(*path);
  }
}

// The overlay through mount(2), for kernels before 6.5: all options in one
// page, lower directories relative to what they have in common.
long MountOverlayByPath(const OverlayFields& f) {
  char data[4096];
  Text text(data, sizeof data);
  List lowers = f.lowers;
  const CommonDirectory common(lowers);
  text.Add("lowerdir=");
  while (lowers.count > 0) {
    AddEscaped(text, common.Relative(lowers.Take()));
    if (lowers.count > 0) text.AddChar(':');
  }
  if (!f.upper.empty()) {
    AddEscaped(text.Add(",upperdir="), f.upper.c_str());
    AddEscaped(text.Add(",workdir="), f.work.c_str());
  }
  for (List options = f.options; options.count > 0;) {
    text.AddChar(',').Add(options.Take());
  }
  if (text.cut()) return Fail(-E2BIG, "mount overlay", f.mount_point);
  long result = common.Enter();
  if (result < 0) return Fail(result, "chdir", common.path());
  result = Sys(SYS_mount, "overlay", f.mount_point.c_str(), "overlay", 0, data);
  Sys(SYS_chdir, "/");
  if (result < 0) return Fail(result, "mount overlay", f.mount_point);
  const long fd = Open(f.mount_point.c_str(), O_PATH | O_DIRECTORY);
  if (fd < 0) return Fail(fd, "open", f.mount_point);
  result = SetAttr(int(fd), f.attr, 0, 0, false);
  return result < 0 ? Fail(result, "mount_setattr", f.mount_point) : fd;
}

// Without room for its work directory overlayfs mounts read-only instead of
// failing.
long CheckWritable(int mount, const OverlayFields& f) {
  constexpr long kReadOnly = 1;  // ST_RDONLY
  struct statfs info;
  if (f.upper.empty() || (f.attr & MOUNT_ATTR_RDONLY) != 0) return 0;
  if (Sys(SYS_fstatfs, mount, &info) < 0 || (info.f_flags & kReadOnly) == 0) {
    return 0;
  }
  return Fail(-ENOSPC, "fsmount", f.work);
}

struct MappedOverlay {
  OverlayFields fields;
  int user;
};

// Covers a directory with itself, seen through the id map.
long CoverMapped(const char* path, int user) {
  const long mount =
      Sys(SYS_open_tree, kAtFdCwd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (mount < 0) return Fail(mount, "open_tree", path);
  long result = MapIds(int(mount), user, false, path);
  if (result == 0) {
    const long target = Open(path, O_PATH | O_DIRECTORY);
    result = target < 0 ? target : Attach(int(mount), int(target));
    Close(int(target));
    if (result < 0) Fail(result, "move_mount", path);
  }
  Close(int(mount));
  return result;
}

// Before Linux 6.15 an overlay takes no layer that is mounted nowhere. So the
// layers are mounted here, in a mount namespace that goes away; the overlay
// keeps what it needs.
long MakeMappedOverlay(void* argument) {
  const auto& overlay = *static_cast<MappedOverlay*>(argument);
  long result =
      Sys(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr);
  if (result < 0) return Fail(result, "mount", "/");
  List lowers = overlay.fields.lowers;
  while (lowers.count > 0) {
    result = CoverMapped(lowers.Take().c_str(), overlay.user);
    if (result < 0) return result;
  }
  const long mount = MakeOverlay(overlay.fields);
  if (mount != -EINVAL) return mount;
  result = MountOverlayByPath(overlay.fields);
  if (result < 0) return result;
  Close(int(result));
  const Str place = overlay.fields.mount_point;
  const long clone = Sys(SYS_open_tree, kAtFdCwd, place.c_str(),
                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  return clone < 0 ? Fail(clone, "open_tree", place) : clone;
}

}  // namespace

long StepRootOverlay(Child& child, const StepView& step) {
  FieldReader fields = step.Fields();
  const OverlayFields f = ReadOverlay(fields);
  if (f.lowers.count == 0) return Fail(-EINVAL, "overlay", "no layer");
  long mount = child.prepared->Find(step.index);
  if (mount < 0 && NeedsMonitor(step.op)) {
    return Fail(-EPERM, "mount_setattr", f.mount_point);
  }
  if (mount < 0) mount = MakeOverlay(f);
  if (mount >= 0) {
    const long result = CheckWritable(int(mount), f);
    if (result < 0) return result;
  }
  if (mount == -EINVAL && f.lowers.count > 1 - !f.upper.empty()) {
    mount = MountOverlayByPath(f);
    if (mount >= 0) child.root = int(mount);
    return mount < 0 ? mount : 0;
  }
  return mount < 0 ? mount : AttachRoot(child, int(mount), f.mount_point);
}

long PrepareOverlay(const StepView& step) {
  FieldReader fields = step.Fields();
  return MakeOverlay(ReadOverlay(fields));
}

long PrepareMapped(const StepView& step, SharedPage& shared) {
  FieldReader fields = step.Fields();
  MappedOverlay overlay = {ReadOverlay(fields), -1};
  const Str uids = fields.S();
  const Str gids = fields.S();
  const long user = MakeUserNamespace(uids, gids);
  if (user < 0) return user;
  overlay.user = int(user);
  const long mount =
      MakeApart(shared, CLONE_NEWNS, MakeMappedOverlay, &overlay);
  Close(int(user));
  return mount;
}

}  // namespace containerkit::runtime::child
