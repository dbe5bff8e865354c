// RootDir: the only way to name a path that a container or an archive
// controls.
#ifndef CONTAINERKIT_LIB_SYS_ROOT_DIR_H_
#define CONTAINERKIT_LIB_SYS_ROOT_DIR_H_

#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {

struct MkdirOptions {
  // Exact permission bits and owner of directories that are made; existing
  // ones stay as they are. Without an owner: this process's.
  mode_t mode = 0755;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
};

// An O_PATH descriptor of a directory tree whose content is not trusted: a
// container's root file system, a layer being unpacked. Paths are resolved
// inside it by the kernel (openat2, RESOLVE_IN_ROOT): "/", ".." and symlinks
// end at the root, magic links of /proc are refused. So no rename or symlink
// swap, however timed, leads out.
//
// Trust: every path argument may be hostile; a leading slash means the root,
// a NUL byte is refused (INVALID_ARGUMENT / kUnsafePath).
// Errors of all methods: as the system call, kSystemCall, ErrorDetail.path =
//   the path inside the root; UNAVAILABLE / kSystemCall (retryable) when the
//   tree is renamed under us faster than the kernel can look.
// Thread-safe; movable. Kernel: 5.6 (UNIMPLEMENTED / kKernelUnsupported).
class RootDir {
 public:
  // Opens a directory by a trusted path.
  static absl::StatusOr<RootDir> Open(const std::string& path) {
    return OpenAt(-100 /* AT_FDCWD */, path);
  }
  static absl::StatusOr<RootDir> OpenAt(int dir_fd, const std::string& path);
  // Takes a descriptor of a directory; any open mode will do.
  static absl::StatusOr<RootDir> Adopt(UniqueFd fd);

  // For *at() calls with names that have no slash.
  int fd() const { return fd_.get(); }

  // open(2) inside the root, O_CLOEXEC added. The last component is followed
  // (inside the root) unless `flags` has O_NOFOLLOW. Beware of devices and
  // FIFOs: OpenFile() is the safe way to read or write content.
  absl::StatusOr<UniqueFd> OpenRaw(absl::string_view path, int flags,
                                   mode_t mode = 0) const;

  // An O_PATH descriptor of what is at `path`, whatever its type; the last
  // component is followed only on demand.
  absl::StatusOr<UniqueFd> OpenPath(absl::string_view path,
                                    bool follow = false) const;

  // Opens an existing regular file for `flags` (O_RDONLY, O_RDWR|O_TRUNC ...).
  // The type is known before anything is opened, so no device is touched.
  //
  // Errors: FAILED_PRECONDITION / kUnsafePath for anything but a file.
  absl::StatusOr<UniqueFd> OpenFile(absl::string_view path, int flags) const;

  // The directory that holds `path`'s last component, and that component:
  // never empty, "." or ".."; it is not looked at. For *at() calls.
  //
  // Errors: INVALID_ARGUMENT / kUnsafePath for a path without such an end.
  struct Parent {
    UniqueFd fd;
    std::string name;
  };
  absl::StatusOr<Parent> OpenParent(absl::string_view path) const;

  // Makes `path` and what is missing above it; an O_PATH descriptor of the
  // last. Symlinks on the way are followed inside the root.
  absl::StatusOr<UniqueFd> MkdirAll(absl::string_view path,
                                    const MkdirOptions& options = {}) const;

  // Makes a new, empty regular file with exactly `mode`, open for writing.
  //
  // Errors: ALREADY_EXISTS for anything at `path`, dangling links included.
  absl::StatusOr<UniqueFd> CreateFile(absl::string_view path,
                                      mode_t mode) const;

  // symlink(2); `target` is stored as it is.
  absl::Status Symlink(const std::string& target, absl::string_view path) const;
  // link(2) between two paths of this root; a symlink itself is linked.
  absl::Status Link(absl::string_view from, absl::string_view to) const;
  // mknod(2), then exactly `mode`.
  absl::Status Mknod(absl::string_view path, mode_t mode, dev_t device) const;
  // Removes a file or an empty directory. NOT_FOUND when there is nothing.
  absl::Status Unlink(absl::string_view path) const;
  // Removes `path` and all below; OK when there is nothing.
  absl::Status RemoveTree(absl::string_view path) const;

  absl::StatusOr<struct stat> Stat(absl::string_view path,
                                   bool follow = false) const;
  // The target of a symlink.
  absl::StatusOr<std::string> ReadLink(absl::string_view path) const;
  // The content of a regular file, such as etc/passwd of an image.
  //
  // Errors: as OpenFile(); RESOURCE_EXHAUSTED / kLimitExceeded above
  // `max_bytes`.
  absl::StatusOr<std::string> ReadSmallFile(absl::string_view path,
                                            size_t max_bytes) const;

 private:
  explicit RootDir(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// --- Metadata by descriptor, never by path. All work on O_PATH descriptors,
// so also on symlinks and device nodes without opening them.
// Errors: as the system call, kSystemCall.

// chown(2); clears set-user-id bits and capabilities, so call it first.
absl::Status ChownFd(int fd, uid_t uid, gid_t gid);
// chmod(2): fchmodat2 (Linux 6.6), before it through /proc/self/fd.
absl::Status ChmodFd(int fd, mode_t mode);
// utimensat(2).
absl::Status SetTimesFd(int fd, const timespec& atime, const timespec& mtime);
// setxattr(2).
absl::Status SetXattrFd(int fd, const std::string& name,
                        absl::string_view value);
// The value, or nullopt when there is no such attribute (or the file system
// has none).
absl::StatusOr<std::optional<std::string>> GetXattrFd(int fd,
                                                      const std::string& name);
absl::StatusOr<std::vector<std::string>> ListXattrsFd(int fd);

// Opens anew, with other flags, what `fd` (O_PATH too) refers to.
absl::StatusOr<UniqueFd> ReopenFd(int fd, int flags);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_ROOT_DIR_H_
