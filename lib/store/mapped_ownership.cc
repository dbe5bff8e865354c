#include "lib/store/mapped_ownership.h"

#include <errno.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

namespace containerkit::store {
namespace {

constexpr char kCapability[] = "security.capability";

// An id that the user's ranges do not reach.
bool IsUnmapped(const absl::Status& status) {
  const auto detail = GetErrorDetail(status);
  return detail.has_value() && detail->os_errno == EINVAL;
}

// Whether the owner could be set.
absl::StatusOr<bool> ApplyOne(const sys::RootDir& root, const std::string& path,
                              const OwnedEntry& entry) {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd,
                      root.OpenPath(path.empty() ? "." : path, false));
  const absl::Status status = sys::ChownFd(fd.get(), entry.uid, entry.gid);
  if (!status.ok() && !IsUnmapped(status)) return status;
  if (!S_ISLNK(entry.mode)) {
    CK_RETURN_IF_ERROR(sys::ChmodFd(fd.get(), entry.mode & 07777));
  }
  if (!entry.capability.empty()) {
    CK_RETURN_IF_ERROR(
        sys::SetXattrFd(fd.get(), kCapability, entry.capability));
  }
  return status.ok();
}

}  // namespace

// Trust: the paths are of entries that LayerWriter made just now in a
// directory that nobody else writes to; RootDir resolves them all the same.
absl::StatusOr<uint64_t> MappedOwnership::Apply(const sys::RootDir& root,
                                                const OwnedEntries& entries) {
  uint64_t dropped = 0;
  CK_RETURN_IF_ERROR(run_as_owner_([&]() -> absl::Status {
    for (const auto& [path, entry] : entries) {
      CK_ASSIGN_OR_RETURN(const bool kept, ApplyOne(root, path, entry));
      if (!kept) ++dropped;
    }
    return absl::OkStatus();
  }));
  return dropped;
}

}  // namespace containerkit::store
