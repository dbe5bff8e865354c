// Files of our own: whole reads with a cap, atomic writes, removal of trees.
//
// These are for directories that only containerkit writes to. Paths inside a
// tree that a container or an archive controls go through RootDir.
#ifndef CONTAINERKIT_LIB_SYS_FILE_UTIL_H_
#define CONTAINERKIT_LIB_SYS_FILE_UTIL_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {

// openat(2) with O_CLOEXEC added, retried on EINTR. `dir_fd` may be AT_FDCWD.
//
// Errors: as open(2), kSystemCall; NOT_FOUND for ENOENT.
absl::StatusOr<UniqueFd> OpenAt(int dir_fd, const std::string& path, int flags,
                                mode_t mode = 0);

// The bytes of `fd` from its current offset to its end.
//
// Errors: RESOURCE_EXHAUSTED / kLimitExceeded when there are more than
// `max_bytes` (checked before they are all read); as read(2).
absl::StatusOr<std::string> ReadFd(int fd, size_t max_bytes);

// The content of a file; follows symlinks. Works for /proc and /sys files.
//
// Errors: as ReadFd() and OpenAt().
absl::StatusOr<std::string> ReadFileAt(int dir_fd, const std::string& path,
                                       size_t max_bytes);

// Writes all of `bytes` at the current offset of `fd`.
//
// Errors: as write(2); kDiskFull for ENOSPC and EDQUOT.
absl::Status WriteAll(int fd, absl::string_view bytes);

// Makes the file `dir_fd`/`name` with exactly these permission bits. A killed
// writer leaves a part of it.
// Errors: as open(2), EEXIST among them, and write(2); then there is none.
absl::Status CreateFileAt(int dir_fd, const std::string& name,
                          absl::string_view contents, mode_t mode);

struct AtomicWriteOptions {
  // Exact permission bits, whatever the process's umask.
  mode_t mode = 0600;
  // fdatasync the file before the rename and fsync the directory after it. The
  // new content then survives a power cut once the call has returned; without
  // it either the old or the new content does, or (on some file systems) an
  // empty file.
  bool durable = true;
};

// Replaces `dir_fd`/`name` by a file with `contents`: readers see the old file
// or the new one, whole. `name` must have no slash. A killed writer leaves at
// most one file named ".tmp-<16 hex>-<name>".
//
// Errors: as open(2), write(2), fsync(2), rename(2); the old file is then
// untouched.
absl::Status AtomicWriteFileAt(int dir_fd, const std::string& name,
                               absl::string_view contents,
                               const AtomicWriteOptions& options = {});

// Makes the directory `dir_fd`/`name` with exactly `mode`. An existing
// directory is fine and stays as it is; returns whether it was made.
//
// Errors: as mkdir(2); ALREADY_EXISTS when `name` is not a directory.
absl::StatusOr<bool> MakeDirAt(int dir_fd, const std::string& name,
                               mode_t mode);

// Names in a directory, without "." and "..", in no order.
//
// Errors: as open(2) and getdents64(2).
absl::StatusOr<std::vector<std::string>> ListDirAt(int dir_fd,
                                                   const std::string& path);

// Removes `dir_fd`/`name` and all below it; OK when there is nothing. Never
// follows a symlink, crosses no mount (EBUSY), keeps at most 40 descriptors
// open whatever the depth, and takes write permission on directories that it
// owns. Concurrent removals of the same tree help each other.
//
// Errors: as unlink(2); what could not be removed stays.
absl::Status RemoveTreeAt(int dir_fd, const std::string& name);

// fsync of a directory or file.
//
// Errors: as fsync(2). Final: a caller must not retry and assume (security.md
// section 4, rule 6).
absl::Status SyncFd(int fd);

// `bytes` random bytes from the kernel, as 2 * `bytes` hex digits.
std::string RandomHex(size_t bytes);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_FILE_UTIL_H_
