#include "lib/sys/mount_peers.h"

#include <errno.h>
#include <fcntl.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"

namespace containerkit::sys {
namespace {

constexpr char kMountinfo[] = "/proc/self/mountinfo";

absl::StatusOr<std::string> MountIdOf(int fd) {
  constexpr size_t kMostBytes = 64 << 10;
  const std::string path = absl::StrCat("/proc/self/fdinfo/", fd);
  CK_ASSIGN_OR_RETURN(const std::string text,
                      ReadFileAt(AT_FDCWD, path, kMostBytes));
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, "mnt_id:\t")) return std::string(line);
  }
  return SyscallError(ENOENT, "mount.peers", "mnt_id", path);
}

}  // namespace

std::optional<MountPeers> FindMountPeers(absl::string_view mountinfo,
                                         absl::string_view mount_id) {
  // proc(5): id, parent, device, root, mount point, options, optional fields.
  constexpr size_t kMountPoint = 4;
  constexpr size_t kFirstOptional = 6;
  for (const absl::string_view line : absl::StrSplit(mountinfo, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    if (fields[0] != mount_id || fields.size() <= kFirstOptional) continue;
    MountPeers peers;
    peers.mount_point = std::string(fields[kMountPoint]);
    for (size_t i = kFirstOptional; i < fields.size() && fields[i] != "-";
         ++i) {
      if (absl::StartsWith(fields[i], "shared:")) peers.shared = true;
      if (absl::StartsWith(fields[i], "master:")) peers.slave = true;
    }
    return peers;
  }
  return std::nullopt;
}

absl::StatusOr<MountPeers> MountPeersOf(int fd) {
  constexpr size_t kMostBytes = 64 << 20;
  CK_ASSIGN_OR_RETURN(const std::string id, MountIdOf(fd));
  CK_ASSIGN_OR_RETURN(const std::string mountinfo,
                      ReadFileAt(AT_FDCWD, kMountinfo, kMostBytes));
  const std::optional<MountPeers> peers = FindMountPeers(mountinfo, id);
  if (peers.has_value()) return *peers;
  return SyscallError(ENOENT, "mount.peers", "find", kMountinfo);
}

}  // namespace containerkit::sys
