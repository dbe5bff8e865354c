#include "lib/sys/file_util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace containerkit::sys {
namespace {

constexpr char kRead[] = "file.read";
constexpr char kWrite[] = "file.write";
constexpr char kRemove[] = "file.remove";

// Directories that RemoveTreeAt() holds open at once; what is deeper is first
// moved up.
constexpr size_t kMaxOpenDirs = 32;

constexpr int kDirFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct DirCloser {
  void operator()(DIR* dir) const { closedir(dir); }
};
using UniqueDir = std::unique_ptr<DIR, DirCloser>;

bool IsDots(const char* name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

// One removal: a stack of open directories, deepest last.
class TreeRemover {
 public:
  absl::Status Run(int parent_fd, const std::string& name) {
    CK_RETURN_IF_ERROR(Enter(parent_fd, name));
    while (!stack_.empty()) CK_RETURN_IF_ERROR(Step(parent_fd));
    return absl::OkStatus();
  }

 private:
  struct Level {
    UniqueDir dir;
    std::string name;
    // Something in it was refused with EACCES once; permission was taken.
    bool took_permission = false;
  };

  int ParentFd(int top_fd) const {
    return stack_.size() < 2 ? top_fd
                             : dirfd(stack_[stack_.size() - 2].dir.get());
  }

  // Opens a directory and puts it on the stack; not an error if it is gone.
  absl::Status Enter(int parent_fd, const std::string& name) {
    int fd = openat(parent_fd, name.c_str(), kDirFlags);
    if (fd < 0 && errno == EACCES &&
        fchmodat(parent_fd, name.c_str(), 0700, 0) == 0) {
      fd = openat(parent_fd, name.c_str(), kDirFlags);
    }
    if (fd < 0) {
      if (errno == ENOENT) return absl::OkStatus();
      return SyscallError(errno, kRemove, "openat", name);
    }
    UniqueDir dir(fdopendir(fd));
    if (dir == nullptr) {
      const int error = errno;
      close(fd);
      return SyscallError(error, kRemove, "fdopendir", name);
    }
    stack_.push_back({std::move(dir), name});
    return absl::OkStatus();
  }

  // Handles the next entry of the deepest directory, or leaves it.
  absl::Status Step(int top_fd) {
    Level& level = stack_.back();
    const int fd = dirfd(level.dir.get());
    errno = 0;
    const dirent* entry = readdir(level.dir.get());
    if (entry == nullptr) {
      if (errno != 0) {
        return SyscallError(errno, kRemove, "getdents64", level.name);
      }
      return Leave(top_fd);
    }
    if (IsDots(entry->d_name)) return absl::OkStatus();
    if (entry->d_type != DT_DIR) {
      if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT) {
        return absl::OkStatus();
      }
      if (errno == EACCES && TakePermission(level)) {
        if (unlinkat(fd, entry->d_name, 0) == 0) return absl::OkStatus();
      }
      if (errno != EISDIR) {
        return SyscallError(errno, kRemove, "unlinkat", entry->d_name);
      }
    }
    const std::string name = entry->d_name;
    if (stack_.size() < kMaxOpenDirs) return Enter(fd, name);
    // Too deep: move it to the first level, where the scan finds it again.
    const int first = dirfd(stack_.front().dir.get());
    const std::string moved = absl::StrCat(".deep-", RandomHex(8));
    if (renameat(fd, name.c_str(), first, moved.c_str()) == 0) {
      first_changed_ = true;
      return absl::OkStatus();
    }
    if (errno == ENOENT) return absl::OkStatus();
    return SyscallError(errno, kRemove, "renameat", name);
  }

  absl::Status Leave(int top_fd) {
    Level& level = stack_.back();
    if (stack_.size() == 1 && std::exchange(first_changed_, false)) {
      rewinddir(level.dir.get());
      return absl::OkStatus();
    }
    const int parent = ParentFd(top_fd);
    int result = unlinkat(parent, level.name.c_str(), AT_REMOVEDIR);
    if (result != 0 && errno == EACCES && stack_.size() > 1 &&
        TakePermission(stack_[stack_.size() - 2])) {
      result = unlinkat(parent, level.name.c_str(), AT_REMOVEDIR);
    }
    if (result != 0 && errno == ENOTEMPTY && retries_++ < 16) {
      // Somebody added to it, or the scan skipped an entry: look again.
      rewinddir(level.dir.get());
      return absl::OkStatus();
    }
    if (result != 0 && errno != ENOENT) {
      return SyscallError(errno, kRemove, "rmdir", level.name);
    }
    stack_.pop_back();
    return absl::OkStatus();
  }

  // Makes a directory that this user owns writable; once a directory.
  bool TakePermission(Level& level) {
    if (level.took_permission) return false;
    level.took_permission = true;
    return fchmod(dirfd(level.dir.get()), 0700) == 0;
  }

  std::vector<Level> stack_;
  bool first_changed_ = false;
  int retries_ = 0;
};

}  // namespace

absl::StatusOr<UniqueFd> OpenAt(int dir_fd, const std::string& path, int flags,
                                mode_t mode) {
  int fd;
  do {
    fd = openat(dir_fd, path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return SyscallError(errno, "file.open", "openat", path);
  return UniqueFd(fd);
}

absl::StatusOr<std::string> ReadFd(int fd, size_t max_bytes) {
  struct stat info;
  size_t guess = 4096;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
    guess = static_cast<size_t>(info.st_size) + 1;
  }
  std::string out;
  size_t used = 0;
  out.resize(std::min(guess, max_bytes + 1));
  for (;;) {
    if (used == out.size()) out.resize(std::min(2 * used, max_bytes + 1));
    const ssize_t n = read(fd, &out[used], out.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SyscallError(errno, kRead, "read");
    if (n == 0) break;
    used += static_cast<size_t>(n);
    if (used > max_bytes) {
      return MakeError(absl::StatusCode::kResourceExhausted,
                       absl::StrCat("file has more than ", max_bytes, " bytes"),
                       {.reason = Reason::kLimitExceeded, .operation = kRead});
    }
  }
  out.resize(used);
  return out;
}

absl::StatusOr<std::string> ReadFileAt(int dir_fd, const std::string& path,
                                       size_t max_bytes) {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd, OpenAt(dir_fd, path, O_RDONLY));
  CK_ASSIGN_OR_RETURN(std::string bytes, ReadFd(fd.get(), max_bytes), "read ",
                      path);
  return bytes;
}

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SyscallError(errno, kWrite, "write");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status CreateFileAt(int dir_fd, const std::string& name,
                          absl::string_view contents, mode_t mode) {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd,
                      OpenAt(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600),
                      "write ", name);
  absl::Cleanup remove = [&] { unlinkat(dir_fd, name.c_str(), 0); };
  CK_RETURN_IF_ERROR(WriteAll(fd.get(), contents)) << "write " << name;
  if (fchmod(fd.get(), mode) != 0) {
    return SyscallError(errno, kWrite, "fchmod", name);
  }
  std::move(remove).Cancel();
  return absl::OkStatus();
}

absl::Status AtomicWriteFileAt(int dir_fd, const std::string& name,
                               absl::string_view contents,
                               const AtomicWriteOptions& options) {
  const std::string temp = absl::StrCat(".tmp-", RandomHex(8), "-", name);
  CK_ASSIGN_OR_RETURN(const UniqueFd fd,
                      OpenAt(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL, 0600),
                      "write ", name);
  absl::Cleanup remove_temp = [&] { unlinkat(dir_fd, temp.c_str(), 0); };
  CK_RETURN_IF_ERROR(WriteAll(fd.get(), contents)) << "write " << name;
  if (fchmod(fd.get(), options.mode) != 0) {
    return SyscallError(errno, kWrite, "fchmod", name);
  }
  if (options.durable && fdatasync(fd.get()) != 0) {
    return SyscallError(errno, kWrite, "fdatasync", name);
  }
  if (renameat(dir_fd, temp.c_str(), dir_fd, name.c_str()) != 0) {
    return SyscallError(errno, kWrite, "rename", name);
  }
  std::move(remove_temp).Cancel();
  return options.durable ? SyncFd(dir_fd) : absl::OkStatus();
}

absl::StatusOr<bool> MakeDirAt(int dir_fd, const std::string& name,
                               mode_t mode) {
  if (mkdirat(dir_fd, name.c_str(), mode) != 0) {
    if (errno != EEXIST) {
      return SyscallError(errno, "file.mkdir", "mkdirat", name);
    }
    struct stat info;
    if (fstatat(dir_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(info.st_mode)) {
      return false;
    }
    return SyscallError(EEXIST, "file.mkdir", "mkdirat", name);
  }
  CK_ASSIGN_OR_RETURN(const UniqueFd fd, OpenAt(dir_fd, name, kDirFlags));
  if (fchmod(fd.get(), mode) != 0) {
    return SyscallError(errno, "file.mkdir", "fchmod", name);
  }
  return true;
}

absl::StatusOr<std::vector<std::string>> ListDirAt(int dir_fd,
                                                   const std::string& path) {
  CK_ASSIGN_OR_RETURN(UniqueFd fd,
                      OpenAt(dir_fd, path, O_RDONLY | O_DIRECTORY));
  const UniqueDir dir(fdopendir(fd.get()));
  if (dir == nullptr) return SyscallError(errno, kRead, "fdopendir", path);
  fd.Release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(dir.get())) {
    if (!IsDots(entry->d_name)) names.emplace_back(entry->d_name);
    errno = 0;
  }
  if (errno != 0) return SyscallError(errno, kRead, "getdents64", path);
  return names;
}

absl::Status RemoveTreeAt(int dir_fd, const std::string& name) {
  if (unlinkat(dir_fd, name.c_str(), 0) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  if (errno != EISDIR && errno != EPERM) {
    return SyscallError(errno, kRemove, "unlinkat", name);
  }
  return TreeRemover().Run(dir_fd, name);
}

absl::Status SyncFd(int fd) {
  if (fsync(fd) != 0) return SyscallError(errno, "file.sync", "fsync");
  return absl::OkStatus();
}

std::string RandomHex(size_t bytes) {
  std::string raw(bytes, '\0');
  size_t got = 0;
  while (got < bytes) {
    const ssize_t n = getrandom(&raw[got], bytes - got, 0);
    if (n > 0) got += static_cast<size_t>(n);
  }
  return absl::BytesToHexString(raw);
}

}  // namespace containerkit::sys
