// docker cp: a path of a container as a tar, and a tar into a directory of a
// container. Works on running ones too: nothing the container does to its
// paths meanwhile leads outside its root (openat2, descriptors only).
#ifndef CONTAINERKIT_LIB_CONTAINER_ARCHIVE_H_
#define CONTAINERKIT_LIB_CONTAINER_ARCHIVE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "containerkit/container.h"
#include "lib/container/archive_ids.h"
#include "lib/sys/root_dir.h"

namespace containerkit::container {

// What `path` is. A symlink in its last place is not followed unless a slash
// stands behind it; link_target says where inside the container it leads.
//
// Errors: NOT_FOUND / kPathNotFound; INVALID_ARGUMENT / kNotADirectory for
//         "file/".
absl::StatusOr<PathStat> StatPath(const sys::RootDir& root,
                                  const std::string& path);

// Writes `path` and all below it as a PAX tar to `fd` (borrowed, any kind;
// raises no SIGPIPE). The first entry has the path's last name; "path/." and
// "/" give "./..." and "/...", as docker does. Hard links, devices, user
// xattrs, file capabilities and sub-second times are kept. Sockets and the
// content of proc, sysfs and cgroup file systems are left out.
//
// Trust: the tree is the container's. A file that grows or shrinks meanwhile
// gives an entry of the size that was announced; no byte comes from outside
// the root.
// Errors: as StatPath(); as write(2) on `fd`; RESOURCE_EXHAUSTED /
//         kLimitExceeded for trees of more than 256 levels; CANCELLED.
absl::Status CopyOut(const sys::RootDir& root, const std::string& path, int fd,
                     const ArchiveIds& ids = {},
                     const CancelToken& cancel = {});

struct CopyInOptions {
  // A file does not replace a directory, nor a directory a file.
  bool no_overwrite_dir_non_dir = false;
  // As docker (copyUIDGID): everything belongs to `owner` if there is one,
  // that is the container's user; otherwise owners are the archive's.
  bool copy_uid_gid = false;
  std::optional<std::pair<uint32_t, uint32_t>> owner;
  ArchiveIds ids;
  CancelToken cancel;
};

// Unpacks a tar (plain, gzip or zstd), read from `fd` (borrowed) to its end,
// into the directory `path`; a symlink to one will do.
//
// Without root, owners and device nodes that the kernel refuses are left out.
//
// Trust: archive and tree are hostile: entries and link targets resolve inside
// the root whatever is renamed meanwhile; names with ".." that lead above
// `path` are refused; decompression is in-process; metadata is set by
// descriptor. Of extended attributes only user.* and file capabilities count.
// Errors: NOT_FOUND / kPathNotFound; INVALID_ARGUMENT / kNotADirectory,
//         kArchiveEntryRefused, kInvalidArgument for a refused overwrite;
//         DATA_LOSS / kArchiveCorrupt; PERMISSION_DENIED;
//         RESOURCE_EXHAUSTED / kDiskFull, kLimitExceeded; CANCELLED. What was
//         unpacked before an error stays.
absl::Status CopyIn(const sys::RootDir& root, const std::string& path, int fd,
                    const CopyInOptions& options = {});

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_ARCHIVE_H_
