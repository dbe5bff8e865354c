// Whom a mount tells of what is mounted below it (mount_namespaces(7)).
#ifndef CONTAINERKIT_LIB_SYS_MOUNT_PEERS_H_
#define CONTAINERKIT_LIB_SYS_MOUNT_PEERS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::sys {

struct MountPeers {
  std::string mount_point;  // as mountinfo spells it
  bool shared = false;      // both ways
  bool slave = false;       // it is told

  friend bool operator==(const MountPeers&, const MountPeers&) = default;
};

// The mount with that id; nullopt: mountinfo does not have it. Pure.
std::optional<MountPeers> FindMountPeers(absl::string_view mountinfo,
                                         absl::string_view mount_id);

// Of the mount that the file is on, as the calling process sees it.
//
// Errors: as reading /proc; NOT_FOUND for a mount of another namespace.
absl::StatusOr<MountPeers> MountPeersOf(int fd);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_MOUNT_PEERS_H_
