// Who a container runs as: `USER` against the image's passwd and group files.
#ifndef CONTAINERKIT_LIB_RUNTIME_USERS_H_
#define CONTAINERKIT_LIB_RUNTIME_USERS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::runtime {

// What a reader of /etc/passwd and /etc/group in an image takes at most.
inline constexpr size_t kMaxUserFileBytes = 16 << 20;
inline constexpr size_t kMaxUserFileLine = 1 << 20;

struct ResolvedUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  // With `gid` itself: a group that is primary only would not count where a
  // file denies it (CVE-2022-36109).
  std::vector<uint32_t> additional_gids;
  std::string home = "/";
  std::string name;  // empty: the uid has no entry
};

// Resolves "user", "uid", "user:group", "uid:gid" or "" (root).
//
// A text of digits is always an id, never a name, and must be below 2^31;
// everything else must be a name of the file. Supplementary groups come from
// the group file, unless a group is given. `group_add` are further groups,
// names or ids.
//
// Trust: the files are the image's. Lines that make no sense are skipped, so
// are lines above kMaxUserFileLine; a home with control characters is "/".
// Errors: NOT_FOUND / kUserNotFound, kGroupNotFound; INVALID_ARGUMENT /
//         kInvalidArgument for texts that are neither id nor name, and
//         kLimitExceeded for files above kMaxUserFileBytes.
absl::StatusOr<ResolvedUser> ResolveUser(
    absl::string_view user, const std::optional<std::string>& passwd,
    const std::optional<std::string>& group,
    const std::vector<std::string>& group_add = {});

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_USERS_H_
