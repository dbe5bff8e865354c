#include "lib/container/overlay_view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/file_util.h"

namespace containerkit::container {
namespace {

// Debian 12's libc has no wrappers for these (mount(2) family of 5.2).
int Configure(int fs, unsigned command, const char* key, const char* value) {
  return static_cast<int>(syscall(SYS_fsconfig, fs, command, key, value, 0));
}

absl::Status OverlayError(const char* call, const std::string& path) {
  if (errno == EPERM) {
    return MakeError(
        absl::StatusCode::kPermissionDenied,
        "mount the container's root file system: Operation not permitted",
        {.reason = Reason::kPrivilegeMissing,
         .os_errno = EPERM,
         .operation = "mount.overlay",
         .path = path,
         .hint = "start the container, or run as root"});
  }
  return SyscallError(errno, "mount.overlay", call, path);
}

}  // namespace

absl::StatusOr<sys::RootDir> OpenOverlayView(const store::Snapshot& snapshot,
                                             bool user_xattrs) {
  const UniqueFd fs(
      static_cast<int>(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC)));
  if (!fs.ok()) return OverlayError("fsopen", "overlay");
  // By descriptor: a value has at most 255 bytes, and some options take a
  // backslash for a quote.
  std::vector<UniqueFd> directories;
  const auto set = [&](const char* key,
                       const std::string& path) -> absl::Status {
    CK_ASSIGN_OR_RETURN(UniqueFd directory,
                        sys::OpenAt(AT_FDCWD, path, O_PATH | O_DIRECTORY));
    directories.push_back(std::move(directory));
    const std::string value =
        absl::StrCat("/proc/self/fd/", directories.back().get());
    if (Configure(fs.get(), FSCONFIG_SET_STRING, key, value.c_str()) == 0) {
      return absl::OkStatus();
    }
    return OverlayError("fsconfig", path);
  };
  for (const std::string& lower : snapshot.lower_paths) {
    CK_RETURN_IF_ERROR(set("lowerdir+", lower));
  }
  CK_RETURN_IF_ERROR(set("upperdir", snapshot.upper_path));
  CK_RETURN_IF_ERROR(set("workdir", snapshot.work_path));
  if (user_xattrs &&
      Configure(fs.get(), FSCONFIG_SET_FLAG, "userxattr", nullptr) < 0) {
    return OverlayError("fsconfig", "userxattr");
  }
  if (Configure(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) < 0) {
    return OverlayError("fsconfig", snapshot.upper_path);
  }
  UniqueFd mount(
      static_cast<int>(syscall(SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC,
                               MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)));
  if (!mount.ok()) return OverlayError("fsmount", snapshot.upper_path);
  return sys::RootDir::Adopt(std::move(mount));
}

}  // namespace containerkit::container
