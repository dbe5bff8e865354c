#include "lib/store/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"

namespace containerkit::store {
namespace {

constexpr char kPrepare[] = "store.prepare_snapshot";

absl::Status CheckId(absl::string_view id) {
  bool safe = !id.empty() && id.size() <= 128 && id[0] != '.';
  for (const char c : id) {
    safe = safe && (absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                    c == '_' || c == '-' || c == '.');
  }
  if (safe) return absl::OkStatus();
  return InvalidArgument(Reason::kInvalidArgument, kPrepare,
                         "container id is not fit for a file name");
}

absl::Status GiveUpper(int upper_fd, Owner from, OwnerMap owner_of) {
  const Owner owner = owner_of(from);
  if ((owner.uid != geteuid() || owner.gid != getegid()) &&
      fchown(upper_fd, owner.uid, owner.gid) != 0) {
    return SyscallError(errno, kPrepare, "fchown", "upper");
  }
  return absl::OkStatus();
}

// Gives a new upper directory the attributes that the merged root had.
absl::Status MatchRoot(int upper_fd, int root_fd, const std::string& lower,
                       OwnerMap owner_of) {
  struct stat info;
  if (fstatat(root_fd, lower.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) {
      return SyscallError(errno, kPrepare, "fstatat", lower);
    }
    return MakeError(absl::StatusCode::kNotFound,
                     absl::StrCat("layer is not unpacked: ", lower),
                     {.reason = Reason::kLayerNotFound,
                      .operation = kPrepare,
                      .object_kind = "layer",
                      .object_id = lower,
                      .path = lower});
  }
  CK_RETURN_IF_ERROR(GiveUpper(upper_fd, {info.st_uid, info.st_gid}, owner_of));
  if (fchmod(upper_fd, info.st_mode & 07777) != 0) {
    return SyscallError(errno, kPrepare, "fchmod", "upper");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> Snapshots::LowerPaths(
    absl::Span<const Digest> diff_ids) const {
  std::vector<std::string> paths;
  paths.reserve(diff_ids.size());
  // An image may have a layer twice; overlayfs takes it once. What the lower
  // copy has, the upper one has already decided.
  absl::flat_hash_set<absl::string_view> seen;
  for (auto it = diff_ids.rbegin(); it != diff_ids.rend(); ++it) {
    if (!seen.insert(it->str()).second) continue;
    paths.push_back(
        absl::StrCat(layout_->root(), "/", Layout::LayerPath(*it), "/fs"));
  }
  return paths;
}

absl::StatusOr<std::string> Snapshots::DirPath(
    absl::string_view container_id) const {
  CK_RETURN_IF_ERROR(CheckId(container_id));
  return absl::StrCat(layout_->root(), "/containers/", container_id);
}

absl::StatusOr<Snapshot> Snapshots::Paths(
    absl::string_view container_id, absl::Span<const Digest> diff_ids) const {
  CK_ASSIGN_OR_RETURN(const std::string dir, DirPath(container_id));
  std::vector<std::string> lowers = LowerPaths(diff_ids);
  lowers.push_back(absl::StrCat(layout_->root(), "/base"));
  return Snapshot{.lower_paths = std::move(lowers),
                  .upper_path = absl::StrCat(dir, "/upper"),
                  .work_path = absl::StrCat(dir, "/work"),
                  .fresh = false};
}

absl::StatusOr<UniqueFd> Snapshots::FindDir(
    absl::string_view container_id) const {
  CK_RETURN_IF_ERROR(layout_->CheckProcess());
  CK_RETURN_IF_ERROR(CheckId(container_id));
  return sys::OpenAt(layout_->containers_fd(), std::string(container_id),
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

absl::StatusOr<UniqueFd> Snapshots::OpenDir(
    absl::string_view container_id) const {
  absl::StatusOr<UniqueFd> found = FindDir(container_id);
  if (!absl::IsNotFound(found.status())) return found;
  CK_RETURN_IF_ERROR(
      sys::MakeDirAt(layout_->containers_fd(), std::string(container_id), 0700)
          .status());
  return FindDir(container_id);
}

absl::StatusOr<Snapshot> Snapshots::Prepare(absl::string_view container_id,
                                            absl::Span<const Digest> diff_ids,
                                            OwnerMap owner_of) const {
  CK_ASSIGN_OR_RETURN(Snapshot snapshot, Paths(container_id, diff_ids));
  CK_ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(container_id));
  CK_RETURN_IF_ERROR(sys::MakeDirAt(dir.get(), "work", 0700).status());
  CK_ASSIGN_OR_RETURN(snapshot.fresh, sys::MakeDirAt(dir.get(), "upper", 0755));
  if (!snapshot.fresh) {
    // The mark of an earlier "volatile" mount forbids another one. Whether
    // its data is whole is known: a crash of the machine ends all containers
    // that were mounted so.
    unlinkat(dir.get(), "work/work/incompat/volatile/dirty", 0);
    unlinkat(dir.get(), "work/work/incompat/volatile", AT_REMOVEDIR);
    unlinkat(dir.get(), "work/work/incompat", AT_REMOVEDIR);
  }
  if (!snapshot.fresh) return snapshot;
  CK_ASSIGN_OR_RETURN(
      const UniqueFd upper,
      sys::OpenAt(dir.get(), "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const auto match = [&] {
    return diff_ids.empty()
               ? GiveUpper(upper.get(), {geteuid(), getegid()}, owner_of)
               : MatchRoot(
                     upper.get(), layout_->root_fd(),
                     absl::StrCat(Layout::LayerPath(diff_ids.back()), "/fs"),
                     owner_of);
  };
  absl::Status matched = match();
  if (absl::IsPermissionDenied(matched)) matched = layout_->RunAsOwner(match);
  CK_RETURN_IF_ERROR(matched) << "prepare snapshot " << container_id;
  return snapshot;
}

absl::Status Snapshots::Remove(absl::string_view container_id) const {
  CK_RETURN_IF_ERROR(layout_->CheckProcess());
  CK_RETURN_IF_ERROR(CheckId(container_id));
  CK_ASSIGN_OR_RETURN(
      const bool moved,
      layout_->MoveToTrash(layout_->containers_fd(), std::string(container_id)),
      "remove snapshot");
  if (moved) janitor_->Wake();
  return absl::OkStatus();
}

}  // namespace containerkit::store
