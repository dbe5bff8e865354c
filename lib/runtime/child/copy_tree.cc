// The content of a directory, copied onto a new tmpfs (tmpcopyup).
#include <dirent.h>

#include "lib/runtime/child/mounts.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

inline constexpr int kDeepest = 64;

// As getdents64(2) writes it.
struct DirectoryEntry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

long CopyAttributes(int to, const char* name, const struct stat& stat) {
  long result = Sys(SYS_fchownat, to, name, stat.st_uid, stat.st_gid,
                    AT_SYMLINK_NOFOLLOW);
  if (result < 0) return result;
  if (!S_ISLNK(stat.st_mode)) {
    result = Sys(SYS_fchmodat, to, name, stat.st_mode & 07777);
    if (result < 0) return result;
  }
  const struct timespec times[2] = {stat.st_atim, stat.st_mtim};
  return Sys(SYS_utimensat, to, name, times, AT_SYMLINK_NOFOLLOW);
}

long CopyFile(int from, int to, const char* name) {
  const long in = OpenAt(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (in < 0) return in;
  const long out = OpenAt(to, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
  long n = out;
  while (n >= 0 && (n = Sys(SYS_sendfile, out, in, nullptr, 1 << 20)) > 0) {
  }
  Close(int(in));
  Close(int(out));
  return n;
}

long CopyLink(int from, int to, const char* name) {
  char target[4096];
  const long n = Sys(SYS_readlinkat, from, name, target, sizeof target - 1);
  if (n < 0) return n;
  target[n] = '\0';
  return Sys(SYS_symlinkat, target, to, name);
}

long CopyDirectory(int from, int to, const char* name, int depth) {
  const long in = OpenAt(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (in < 0) return in;
  long result = Sys(SYS_mkdirat, to, name, 0700);
  if (result == 0) {
    const long out = OpenAt(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    result = out < 0 ? out : CopyTree(int(in), int(out), depth + 1);
    Close(int(out));
  }
  Close(int(in));
  return result;
}

long CopyEntry(int from, int to, const char* name, int depth) {
  struct stat stat;
  long result = Sys(SYS_newfstatat, from, name, &stat, AT_SYMLINK_NOFOLLOW);
  if (result < 0) return result;
  switch (stat.st_mode & S_IFMT) {
    case S_IFREG:
      result = CopyFile(from, to, name);
      break;
    case S_IFLNK:
      result = CopyLink(from, to, name);
      break;
    case S_IFDIR:
      result = CopyDirectory(from, to, name, depth);
      break;
    default:
      result = Sys(SYS_mknodat, to, name, stat.st_mode, stat.st_rdev);
      break;
  }
  return result < 0 ? result : CopyAttributes(to, name, stat);
}

}  // namespace

long CopyTree(int from, int to, int depth) {
  if (depth > kDeepest) return -ELOOP;
  alignas(DirectoryEntry) char buffer[2048];
  for (;;) {
    const long n = Sys(SYS_getdents64, from, buffer, sizeof buffer);
    if (n <= 0) return n;
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<DirectoryEntry*>(buffer + at);
      at += entry->size;
      if (Equal(entry->name, ".") || Equal(entry->name, "..")) continue;
      const long result = CopyEntry(from, to, entry->name, depth);
      if (result < 0) return result;
    }
  }
}

}  // namespace containerkit::runtime::child
