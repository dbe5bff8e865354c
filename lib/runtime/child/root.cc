#include "lib/runtime/child/root.h"

#include <linux/limits.h>

#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

inline constexpr int kMaxRaces = 4096;
inline constexpr int kMaxLinks = 40;

// One walk of mkdir -p: `done` is what was opened so far, from the root.
struct Walk {
  char done[PATH_MAX];
  size_t size = 0;
};

long OpenDone(int root, const Walk& walk) {
  return OpenInRoot(root, walk.size == 0 ? "." : walk.done,
                    O_PATH | O_DIRECTORY);
}

long Append(Walk& walk, const char* name, size_t size) {
  if (walk.size + size + 2 > sizeof walk.done) return -ENAMETOOLONG;
  walk.done[walk.size++] = '/';
  memcpy(walk.done + walk.size, name, size);
  walk.size += size;
  walk.done[walk.size] = '\0';
  return 0;
}

long WalkPath(int root, Walk& walk, const char* path, uint32_t mode, bool* made,
              int links);

// The name exists but cannot be opened as a directory: if it is a dangling
// symlink, makes what it points to.
long FollowDangling(int root, Walk& walk, size_t before, const char* name,
                    uint32_t mode, bool* made, int links) {
  if (links <= 0) return -ELOOP;
  const size_t after = walk.size;
  walk.size = before;
  walk.done[before] = '\0';
  const long parent = OpenDone(root, walk);
  if (parent < 0) return parent;
  char target[PATH_MAX];
  const long n =
      Sys(SYS_readlinkat, int(parent), name, target, sizeof target - 1);
  Close(int(parent));
  if (n < 0) {
    walk.size = after;
    return n == -EINVAL ? -ENOTDIR : n;
  }
  target[n] = '\0';
  if (target[0] == '/') {
    walk.size = 0;
    walk.done[0] = '\0';
  }
  return WalkPath(root, walk, target, mode, made, links - 1);
}

// Adds one component to the walk, making it when it is missing.
long Descend(int root, Walk& walk, const char* name, size_t size, uint32_t mode,
             bool* made, int links) {
  const size_t before = walk.size;
  long result = Append(walk, name, size);
  if (result < 0) return result;
  long fd = OpenDone(root, walk);
  if (fd >= 0) {
    Close(int(fd));
    return 0;
  }
  if (fd != -ENOENT) return fd;
  char copy[NAME_MAX + 1];
  if (size > NAME_MAX) return -ENAMETOOLONG;
  memcpy(copy, name, size);
  copy[size] = '\0';
  walk.done[before] = '\0';
  walk.size = before;
  const long parent = OpenDone(root, walk);
  if (parent < 0) return parent;
  result = Sys(SYS_mkdirat, int(parent), copy, mode);
  Close(int(parent));
  if (result == 0 && made != nullptr) *made = true;
  if (result < 0 && result != -EEXIST) return result;
  Append(walk, copy, size);
  fd = OpenDone(root, walk);
  if (fd >= 0) {
    Close(int(fd));
    return 0;
  }
  if (fd != -ENOENT) return fd;
  return FollowDangling(root, walk, before, copy, mode, made, links);
}

long WalkPath(int root, Walk& walk, const char* path, uint32_t mode, bool* made,
              int links) {
  while (*path != '\0') {
    while (*path == '/') ++path;
    size_t size = 0;
    while (path[size] != '\0' && path[size] != '/') ++size;
    if (size == 0) break;
    const bool last = path[size] == '\0';
    if (made != nullptr) *made = false;
    const long result =
        Descend(root, walk, path, size, last ? mode : 0755, made, links);
    if (result < 0) return result;
    path += size;
  }
  return 0;
}

}  // namespace

long OpenInRoot(int root, const char* path, uint64_t flags) {
  struct open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  long fd = -EAGAIN;
  for (int i = 0; i < kMaxRaces && (fd == -EAGAIN || fd == -EINTR); ++i) {
    fd = Sys(SYS_openat2, root, path, &how, sizeof how);
  }
  return fd;
}

long MakeDirectories(int root, const char* path, uint32_t mode, bool* made) {
  if (made != nullptr) *made = false;
  if (*path == '\0') path = "/";
  const long fd = OpenInRoot(root, path, O_PATH | O_DIRECTORY);
  if (fd != -ENOENT) return fd;
  Walk walk;
  walk.done[0] = '\0';
  const long result = WalkPath(root, walk, path, mode, made, kMaxLinks);
  return result < 0 ? result : OpenDone(root, walk);
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
