#include "lib/store/temp_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"
#include "lib/sys/lock_file.h"

namespace containerkit::store {
namespace {

// Locks what was just made; false when a collector was faster, which takes a
// scan between two system calls of ours.
absl::StatusOr<bool> LockNew(int dir_fd, const TempEntry& entry) {
  CK_ASSIGN_OR_RETURN(
      const bool locked,
      sys::TryLockFd(entry.fd.get(), sys::LockMode::kExclusive));
  return locked && NameIsCurrent(dir_fd, entry.name, entry.fd.get());
}

}  // namespace

bool NameIsCurrent(int dir_fd, const std::string& name, int fd) {
  struct stat by_name, by_fd;
  return fstatat(dir_fd, name.c_str(), &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
         fstat(fd, &by_fd) == 0 && by_name.st_ino == by_fd.st_ino &&
         by_name.st_dev == by_fd.st_dev;
}

absl::StatusOr<TempEntry> MakeTempFile(int dir_fd, const std::string& prefix) {
  for (;;) {
    TempEntry entry{.name = absl::StrCat(prefix, sys::RandomHex(16))};
    CK_ASSIGN_OR_RETURN(entry.fd, sys::OpenAt(dir_fd, entry.name,
                                              O_RDWR | O_CREAT | O_EXCL, 0600));
    CK_ASSIGN_OR_RETURN(const bool locked, LockNew(dir_fd, entry));
    if (locked) return entry;
  }
}

absl::StatusOr<TempEntry> MakeTempDir(int dir_fd, const std::string& prefix) {
  for (;;) {
    TempEntry entry{.name = absl::StrCat(prefix, sys::RandomHex(16))};
    if (mkdirat(dir_fd, entry.name.c_str(), 0700) != 0) {
      return SyscallError(errno, "store.temp", "mkdirat", entry.name);
    }
    absl::StatusOr<UniqueFd> fd =
        sys::OpenAt(dir_fd, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (absl::IsNotFound(fd.status())) continue;
    // Some umasks and set-group-id parents would show.
    if (fd.ok() && fchmod(fd->get(), 0700) != 0) {
      return SyscallError(errno, "store.temp", "fchmod", entry.name);
    }
    CK_ASSIGN_OR_RETURN(entry.fd, std::move(fd));
    CK_ASSIGN_OR_RETURN(const bool locked, LockNew(dir_fd, entry));
    if (locked) return entry;
  }
}

absl::StatusOr<std::optional<TempEntry>> ClaimDeadTemp(
    int dir_fd, const std::string& name) {
  TempEntry entry{.name = name};
  absl::StatusOr<UniqueFd> fd =
      sys::OpenAt(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (absl::IsNotFound(fd.status())) return std::optional<TempEntry>();
  CK_ASSIGN_OR_RETURN(entry.fd, std::move(fd));
  CK_ASSIGN_OR_RETURN(
      const bool locked,
      sys::TryLockFd(entry.fd.get(), sys::LockMode::kExclusive));
  if (!locked || !NameIsCurrent(dir_fd, name, entry.fd.get())) {
    return std::optional<TempEntry>();
  }
  return std::optional<TempEntry>(std::move(entry));
}

}  // namespace containerkit::store
