#include "lib/runtime/child/root.h"

#include <linux/limits.h>

#include "lib/base/mutation.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

inline constexpr int kMaxRaces = 4096;
inline constexpr int kMaxLinks = 40;

long Make(int root, char* path, uint32_t mode, bool* made, int links);

// Copies a path with single slashes and none at its end.
bool CopyPath(const char* path, char (&copy)[PATH_MAX]) {
  size_t size = 0;
  for (; *path != '\0'; ++path) {
    if (*path == '/' && (path[1] == '/' || path[1] == '\0')) continue;
    if (size + 1 == sizeof copy) return false;
    copy[size++] = *path;
  }
  copy[size] = '\0';
  return true;
}

// The path's last name, in `parent`, leads nowhere: makes what it points to.
long FollowDangling(int root, int parent, const char* path, const char* name,
                    uint32_t mode, bool* made, int links) {
  if (links <= 0) return -ELOOP;
  char target[PATH_MAX];
  const long n = Sys(SYS_readlinkat, parent, name, target, sizeof target - 1);
  if (n < 0) return n == -EINVAL ? -ENOTDIR : n;
  target[n] = '\0';
  char joined[PATH_MAX];
  Text text(joined, sizeof joined);
  if (target[0] != '/') text.AddBytes(path, size_t(name - path));
  text.Add(target);
  char next[PATH_MAX];
  if (text.cut() || !CopyPath(joined, next)) return -ENAMETOOLONG;
  return Make(root, next, mode, made, links - 1);
}

// mkdir -p from the deepest directory that exists. `path` is CopyPath()'s;
// it is shortened and restored on the way.
long Make(int root, char* path, uint32_t mode, bool* made, int links) {
  const uint64_t flags = O_PATH | O_DIRECTORY;
  long fd = OpenInRoot(root, *path == '\0' ? "/" : path, flags);
  if (fd != -ENOENT || *path == '\0') return fd;
  char* slash = const_cast<char*>(FindLast(path, '/'));
  const char* name = slash == nullptr ? path : slash + 1;
  char top[] = "";
  if (slash != nullptr) *slash = '\0';
  const long parent =
      Make(root, slash == nullptr ? top : path, 0755, nullptr, links);
  if (slash != nullptr) *slash = '/';
  if (parent < 0) return parent;
  const long result = Sys(SYS_mkdirat, parent, name, mode);
  if (result == 0 && made != nullptr) *made = true;
  fd = result;
  if (result == 0 || result == -EEXIST) fd = OpenInRoot(root, path, flags);
  if (result == -EEXIST && fd == -ENOENT) {
    fd = FollowDangling(root, int(parent), path, name, mode, made, links);
  }
  Close(int(parent));
  return fd;
}

// Red controls. R07: links are followed wherever they lead. R09: the path is
// checked, then used by its name.
[[maybe_unused]] long OpenMutated(int root, const char* path, uint64_t flags) {
  while (*path == '/') ++path;
  return OpenAt(root, *path == '\0' ? "." : path, int(flags));
}

[[maybe_unused]] long UseByName(long checked, uint64_t flags) {
  char name[32], path[PATH_MAX];
  Text(name, sizeof name).Add("/proc/self/fd/").AddInt(checked);
  const long n = Sys(SYS_readlinkat, kAtFdCwd, name, path, sizeof path - 1);
  if (n < 0) return checked;
  path[n] = '\0';
  const long used = Open(path, int(flags));
  Close(int(checked));
  return used;
}

}  // namespace

long OpenInRoot(int root, const char* path, uint64_t flags) {
  if constexpr (Mutated("R07")) return OpenMutated(root, path, flags);
  struct open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  long fd = -EAGAIN;
  for (int i = 0; i < kMaxRaces && (fd == -EAGAIN || fd == -EINTR); ++i) {
    fd = Sys(SYS_openat2, root, path, &how, sizeof how);
  }
  if constexpr (Mutated("R09")) return fd < 0 ? fd : UseByName(fd, flags);
  return fd;
}

long MakeDirectories(int root, const char* path, uint32_t mode, bool* made) {
  if (made != nullptr) *made = false;
  char copy[PATH_MAX];
  if (!CopyPath(path, copy)) return -ENAMETOOLONG;
  return Make(root, copy, mode, made, kMaxLinks);
}

long OpenParent(int root, const char* path, Entry* entry) {
  const char* slash = FindLast(path, '/');
  const char* name = slash == nullptr ? path : slash + 1;
  if (*name == '\0' || Equal(name, ".") || Equal(name, "..")) return -EINVAL;
  char parent[PATH_MAX];
  const size_t size = size_t(name - path);
  if (size >= sizeof parent) return -ENAMETOOLONG;
  memcpy(parent, path, size);
  parent[size] = '\0';
  const long fd = MakeDirectories(root, parent, 0755, nullptr);
  if (fd < 0) return fd;
  entry->parent = int(fd);
  entry->name = name;
  return 0;
}

long OpenOrMake(int root, const char* path, bool file) {
  if (!file) return MakeDirectories(root, path, 0755, nullptr);
  long fd = OpenInRoot(root, path, O_PATH);
  if (fd != -ENOENT) return fd;
  Entry entry;
  const long result = OpenParent(root, path, &entry);
  if (result < 0) return result;
  fd = OpenAt(entry.parent, entry.name,
              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK, 0644);
  Close(entry.parent);
  if (fd < 0 && fd != -EEXIST) return fd;
  if (fd >= 0) Close(int(fd));
  fd = OpenInRoot(root, path, O_PATH);
  // A dangling symlink: a file is made where it points to, inside the root.
  if (fd != -ENOENT) return fd;
  struct open_how how = {};
  how.flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK;
  how.mode = 0644;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  fd = Sys(SYS_openat2, root, path, &how, sizeof how);
  if (fd < 0) return fd;
  Close(int(fd));
  return OpenInRoot(root, path, O_PATH);
}

}  // namespace containerkit::runtime::child
