#include "lib/sys/root_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/mutation.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"

// Newer than Debian 12's headers.
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

namespace containerkit::sys {
namespace {

constexpr char kResolve[] = "rootdir.resolve";
constexpr char kChange[] = "rootdir.change";
constexpr char kMetadata[] = "rootdir.metadata";

// The kernel gives up with EAGAIN when a rename or mount ran during ".."
// resolution; runc has seen bursts of less than 1 ms.
constexpr int kMaxRetries = 4000;

static_assert(AT_FDCWD == -100);

absl::Status UnsafePath(absl::string_view message, absl::string_view path) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = Reason::kUnsafePath,
                    .operation = kResolve,
                    .path = std::string(path)});
}

// Red controls. T01: links are followed wherever they lead. C01: the path is
// checked, then used by its name.
[[maybe_unused]] absl::StatusOr<UniqueFd> OpenMutated(int root_fd,
                                                      std::string path,
                                                      uint64_t flags,
                                                      mode_t mode) {
  path.erase(0, path.find_first_not_of('/'));
  return sys::OpenAt(root_fd, path.empty() ? "." : path,
                     static_cast<int>(flags), mode);
}

[[maybe_unused]] absl::StatusOr<UniqueFd> UseByName(const UniqueFd& checked,
                                                    uint64_t flags,
                                                    mode_t mode) {
  char path[PATH_MAX];
  const std::string name = absl::StrCat("/proc/self/fd/", checked.get());
  const ssize_t n = readlink(name.c_str(), path, sizeof(path));
  return sys::OpenAt(AT_FDCWD, std::string(path, n > 0 ? n : 0),
                     static_cast<int>(flags), mode);
}

absl::StatusOr<UniqueFd> OpenIn(int root_fd, const std::string& path,
                                uint64_t flags, mode_t mode) {
  if (path.find('\0') != std::string::npos) {
    return UnsafePath("path has a NUL byte", path);
  }
  open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  if constexpr (Mutated("T01")) return OpenMutated(root_fd, path, flags, mode);
  for (int tries = 0;; ++tries) {
    const long fd = syscall(SYS_openat2, root_fd, name, &how, sizeof(how));
    if constexpr (Mutated("C01")) {
      if (fd >= 0) return UseByName(UniqueFd(int(fd)), flags, mode);
    }
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno == EINTR) continue;
    if (errno == EAGAIN && tries < kMaxRetries) continue;
    if (errno == ENOSYS) {
      return Unimplemented(Reason::kKernelUnsupported, kResolve,
                           "the kernel has no openat2 (Linux 5.6)");
    }
    return SyscallError(errno, kResolve, "openat2", path);
  }
}

std::string ProcPath(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

// fd-based xattr calls refuse O_PATH descriptors with EBADF; the magic link
// names the same inode, symlinks included.
template <typename ByFd, typename ByPath>
auto XattrCall(int fd, const ByFd& by_fd, const ByPath& by_path) {
  auto result = by_fd();
  if (result < 0 && errno == EBADF) result = by_path(ProcPath(fd).c_str());
  return result;
}

absl::Status ApplyMkdirOptions(int fd, const MkdirOptions& options) {
  if (options.uid.has_value() || options.gid.has_value()) {
    CK_RETURN_IF_ERROR(
        ChownFd(fd, options.uid.value_or(-1), options.gid.value_or(-1)));
  }
  return ChmodFd(fd, options.mode);
}

}  // namespace

absl::StatusOr<RootDir> RootDir::OpenAt(int dir_fd, const std::string& path) {
  CK_ASSIGN_OR_RETURN(UniqueFd fd,
                      sys::OpenAt(dir_fd, path, O_PATH | O_DIRECTORY));
  return RootDir(std::move(fd));
}

absl::StatusOr<RootDir> RootDir::Adopt(UniqueFd fd) {
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return SyscallError(errno, kResolve, "fstat");
  }
  if (!S_ISDIR(info.st_mode)) {
    return SyscallError(ENOTDIR, kResolve, "adopt");
  }
  return RootDir(std::move(fd));
}

absl::StatusOr<UniqueFd> RootDir::OpenRaw(absl::string_view path, int flags,
                                          mode_t mode) const {
  return OpenIn(fd_.get(), std::string(path), static_cast<unsigned>(flags),
                mode);
}

absl::StatusOr<UniqueFd> RootDir::OpenPath(absl::string_view path,
                                           bool follow) const {
  return OpenRaw(path, O_PATH | (follow ? 0 : O_NOFOLLOW));
}

absl::StatusOr<UniqueFd> RootDir::OpenFile(absl::string_view path,
                                           int flags) const {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd, OpenPath(path, /*follow=*/true));
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return SyscallError(errno, kResolve, "fstat", path);
  }
  if (!S_ISREG(info.st_mode) && !Mutated("R18")) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat("not a regular file: ", path),
                     {.reason = Reason::kUnsafePath,
                      .operation = kResolve,
                      .path = std::string(path)});
  }
  return ReopenFd(fd.get(), flags);
}

absl::StatusOr<RootDir::Parent> RootDir::OpenParent(
    absl::string_view path) const {
  absl::string_view rest = path;
  while (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  const size_t slash = rest.rfind('/');
  const absl::string_view name =
      slash == absl::string_view::npos ? rest : rest.substr(slash + 1);
  const absl::string_view parent =
      slash == absl::string_view::npos ? "" : rest.substr(0, slash + 1);
  if (name.empty() || name == "." || name == ".." ||
      name.find('\0') != absl::string_view::npos) {
    return UnsafePath("path does not end in a name", path);
  }
  CK_ASSIGN_OR_RETURN(UniqueFd fd, OpenRaw(parent, O_PATH | O_DIRECTORY));
  return Parent{std::move(fd), std::string(name)};
}

absl::StatusOr<UniqueFd> RootDir::MkdirAll(absl::string_view path,
                                           const MkdirOptions& options) const {
  absl::StatusOr<UniqueFd> whole = OpenRaw(path, O_PATH | O_DIRECTORY);
  if (!absl::IsNotFound(whole.status())) return whole;
  // Prefix by prefix from the root, so that each symlink is seen as the kernel
  // sees it.
  CK_ASSIGN_OR_RETURN(UniqueFd at, OpenRaw("", O_PATH | O_DIRECTORY));
  std::string prefix;
  for (const absl::string_view part :
       absl::StrSplit(path, '/', absl::SkipEmpty())) {
    absl::StrAppend(&prefix, prefix.empty() ? "" : "/", part);
    absl::StatusOr<UniqueFd> next = OpenRaw(prefix, O_PATH | O_DIRECTORY);
    bool made = false;
    if (absl::IsNotFound(next.status()) && part != "..") {
      const std::string name(part);
      if (mkdirat(at.get(), name.c_str(), 0700) == 0) {
        made = true;
      } else if (errno != EEXIST) {
        return SyscallError(errno, kChange, "mkdirat", prefix);
      }
      next = OpenRaw(prefix, O_PATH | O_DIRECTORY);
    }
    CK_ASSIGN_OR_RETURN(at, std::move(next));
    if (made) {
      CK_RETURN_IF_ERROR(ApplyMkdirOptions(at.get(), options));
    }
  }
  return at;
}

absl::StatusOr<UniqueFd> RootDir::CreateFile(absl::string_view path,
                                             mode_t mode) const {
  CK_ASSIGN_OR_RETURN(const Parent parent, OpenParent(path));
  CK_ASSIGN_OR_RETURN(
      UniqueFd fd,
      sys::OpenAt(parent.fd.get(), parent.name,
                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0777));
  if (fchmod(fd.get(), mode) != 0) {
    return SyscallError(errno, kChange, "fchmod", path);
  }
  return fd;
}

absl::Status RootDir::Symlink(const std::string& target,
                              absl::string_view path) const {
  CK_ASSIGN_OR_RETURN(const Parent parent, OpenParent(path));
  if (symlinkat(target.c_str(), parent.fd.get(), parent.name.c_str()) != 0) {
    return SyscallError(errno, kChange, "symlinkat", path);
  }
  return absl::OkStatus();
}

absl::Status RootDir::Link(absl::string_view from, absl::string_view to) const {
  CK_ASSIGN_OR_RETURN(const Parent source, OpenParent(from));
  CK_ASSIGN_OR_RETURN(const Parent target, OpenParent(to));
  if (linkat(source.fd.get(), source.name.c_str(), target.fd.get(),
             target.name.c_str(), 0) != 0) {
    return SyscallError(errno, kChange, "linkat", to);
  }
  return absl::OkStatus();
}

absl::Status RootDir::Mknod(absl::string_view path, mode_t mode,
                            dev_t device) const {
  CK_ASSIGN_OR_RETURN(const Parent parent, OpenParent(path));
  if (mknodat(parent.fd.get(), parent.name.c_str(), (mode & S_IFMT) | 0600,
              device) != 0) {
    return SyscallError(errno, kChange, "mknodat", path);
  }
  CK_ASSIGN_OR_RETURN(
      const UniqueFd fd,
      sys::OpenAt(parent.fd.get(), parent.name, O_PATH | O_NOFOLLOW));
  return ChmodFd(fd.get(), mode & 07777);
}

absl::Status RootDir::Unlink(absl::string_view path) const {
  CK_ASSIGN_OR_RETURN(const Parent parent, OpenParent(path));
  if (unlinkat(parent.fd.get(), parent.name.c_str(), 0) == 0) {
    return absl::OkStatus();
  }
  if (errno == EISDIR &&
      unlinkat(parent.fd.get(), parent.name.c_str(), AT_REMOVEDIR) == 0) {
    return absl::OkStatus();
  }
  return SyscallError(errno, kChange, "unlinkat", path);
}

absl::Status RootDir::RemoveTree(absl::string_view path) const {
  absl::StatusOr<Parent> parent = OpenParent(path);
  if (absl::IsNotFound(parent.status())) return absl::OkStatus();
  CK_RETURN_IF_ERROR(parent.status());
  return RemoveTreeAt(parent->fd.get(), parent->name);
}

absl::StatusOr<struct stat> RootDir::Stat(absl::string_view path,
                                          bool follow) const {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd, OpenPath(path, follow));
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return SyscallError(errno, kResolve, "fstat", path);
  }
  return info;
}

absl::StatusOr<std::string> RootDir::ReadLink(absl::string_view path) const {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd, OpenPath(path));
  char target[PATH_MAX];
  const ssize_t n = readlinkat(fd.get(), "", target, sizeof(target));
  if (n < 0) {
    // ENOENT is the kernel's way to say that it is no symlink.
    return SyscallError(errno == ENOENT ? EINVAL : errno, kResolve,
                        "readlinkat", path);
  }
  return std::string(target, static_cast<size_t>(n));
}

absl::StatusOr<std::string> RootDir::ReadSmallFile(absl::string_view path,
                                                   size_t max_bytes) const {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_RDONLY));
  CK_ASSIGN_OR_RETURN(std::string bytes, ReadFd(fd.get(), max_bytes), "read ",
                      path);
  return bytes;
}

absl::Status ChownFd(int fd, uid_t uid, gid_t gid) {
  if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0) {
    return SyscallError(errno, kMetadata, "fchownat");
  }
  return absl::OkStatus();
}

absl::Status ChmodFd(int fd, mode_t mode) {
  if (fchmod(fd, mode) == 0) return absl::OkStatus();
  if (errno == EBADF) {  // O_PATH
    if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0) {
      return absl::OkStatus();
    }
    if (errno == ENOSYS && chmod(ProcPath(fd).c_str(), mode) == 0) {
      return absl::OkStatus();
    }
  }
  return SyscallError(errno, kMetadata, "fchmodat2");
}

absl::Status SetTimesFd(int fd, const timespec& atime, const timespec& mtime) {
  const timespec times[2] = {atime, mtime};
  if (utimensat(fd, "", times, AT_EMPTY_PATH) != 0) {
    return SyscallError(errno, kMetadata, "utimensat");
  }
  return absl::OkStatus();
}

absl::Status SetXattrFd(int fd, const std::string& name,
                        absl::string_view value) {
  const int result = XattrCall(
      fd,
      [&] {
        return fsetxattr(fd, name.c_str(), value.data(), value.size(), 0);
      },
      [&](const char* path) {
        return setxattr(path, name.c_str(), value.data(), value.size(), 0);
      });
  if (result != 0) return SyscallError(errno, kMetadata, "setxattr", name);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> GetXattrFd(int fd,
                                                      const std::string& name) {
  std::string value(XATTR_SIZE_MAX, '\0');
  const ssize_t n = XattrCall(
      fd, [&] { return fgetxattr(fd, name.c_str(), &value[0], value.size()); },
      [&](const char* path) {
        return getxattr(path, name.c_str(), &value[0], value.size());
      });
  if (n < 0 && (errno == ENODATA || errno == ENOTSUP)) {
    return std::optional<std::string>();
  }
  if (n < 0) return SyscallError(errno, kMetadata, "getxattr", name);
  value.resize(static_cast<size_t>(n));
  return std::optional<std::string>(std::move(value));
}

absl::StatusOr<std::vector<std::string>> ListXattrsFd(int fd) {
  std::string names(XATTR_LIST_MAX, '\0');
  const ssize_t n = XattrCall(
      fd, [&] { return flistxattr(fd, &names[0], names.size()); },
      [&](const char* path) {
        return listxattr(path, &names[0], names.size());
      });
  if (n < 0 && errno == ENOTSUP) return std::vector<std::string>();
  if (n < 0) return SyscallError(errno, kMetadata, "listxattr");
  names.resize(static_cast<size_t>(n));
  return std::vector<std::string>(
      absl::StrSplit(names, '\0', absl::SkipEmpty()));
}

absl::StatusOr<UniqueFd> ReopenFd(int fd, int flags) {
  return OpenAt(AT_FDCWD, ProcPath(fd), flags);
}

}  // namespace containerkit::sys
