// Snapshots: the writable directories of containers over read-only layers.
#ifndef CONTAINERKIT_LIB_STORE_SNAPSHOTS_H_
#define CONTAINERKIT_LIB_STORE_SNAPSHOTS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "lib/base/digest.h"
#include "lib/base/unique_fd.h"
#include "lib/store/janitor.h"
#include "lib/store/layout.h"

namespace containerkit::store {

// What an overlay mount of a container is made of; absolute paths. The mount
// itself is the runtime's. A path may hold any byte but NUL: give each to
// fsconfig(2) on its own ("lowerdir+"), never joined into an option text.
struct Snapshot {
  // Top first; at least one (an empty directory for an image of no layers).
  std::vector<std::string> lower_paths;
  std::string upper_path;
  std::string work_path;
  // Prepare() made the upper directory: nothing is in it yet.
  bool fresh = false;
};

// What a user namespace makes of an owner; the default: nothing.
struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
};
using OwnerMap = absl::FunctionRef<Owner(Owner)>;
inline Owner SameOwner(Owner owner) { return owner; }

// Thread-safe. Must not outlive its Layout and Janitor.
class Snapshots {
 public:
  Snapshots(const Layout* layout, Janitor* janitor)
      : layout_(layout), janitor_(janitor) {}

  // Makes containers/<id>/{upper,work} where they are missing. The upper root
  // gets mode and mapped owner of the topmost layer's root. Call it after the
  // container's row is committed: a directory without a row is garbage.
  // `diff_ids`: base first, as an image config has them.
  //
  // Errors: INVALID_ARGUMENT / kInvalidArgument for an unsafe id; NOT_FOUND /
  //         kLayerNotFound for a layer that is not unpacked; as mkdir(2).
  absl::StatusOr<Snapshot> Prepare(absl::string_view container_id,
                                   absl::Span<const Digest> diff_ids,
                                   OwnerMap owner_of = SameOwner) const;

  // The same paths without making or checking anything.
  absl::StatusOr<Snapshot> Paths(absl::string_view container_id,
                                 absl::Span<const Digest> diff_ids) const;

  // Lower directories alone, top first, for a read-only view of an image.
  std::vector<std::string> LowerPaths(absl::Span<const Digest> diff_ids) const;

  // containers/<id>, made when it is missing (0700): also for the caller's
  // own files of the container.
  absl::StatusOr<UniqueFd> OpenDir(absl::string_view container_id) const;
  // The same, NOT_FOUND when it is missing.
  absl::StatusOr<UniqueFd> FindDir(absl::string_view container_id) const;
  absl::StatusOr<std::string> DirPath(absl::string_view container_id) const;

  // Takes the container's directory away at once (one rename); its bytes are
  // freed soon after, by the store's Janitor. OK when there is none.
  absl::Status Remove(absl::string_view container_id) const;

 private:
  const Layout* layout_;
  Janitor* janitor_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_SNAPSHOTS_H_
