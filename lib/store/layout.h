// The directories of a state root, open. docs/state-layout.md is the map.
#ifndef CONTAINERKIT_LIB_STORE_LAYOUT_H_
#define CONTAINERKIT_LIB_STORE_LAYOUT_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "lib/base/digest.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/in_user_namespace.h"

namespace containerkit::store {

// On-disk version; a store with a larger one is refused.
inline constexpr int kLayoutVersion = 1;

// Descriptors of the directories, each O_RDONLY|O_DIRECTORY, 0700, and facts
// about the process that opened them.
//
// Immutable once open and told how to run as owner, hence thread-safe.
class Layout {
 public:
  // Opens the state root `root`, an absolute path, making it when it is
  // absent and `create` is set. Several processes may do so at once.
  //
  // Errors: INVALID_ARGUMENT / kInvalidArgument for a relative path; NOT_FOUND
  //         for an absent root without `create`; FAILED_PRECONDITION /
  //         kStoreVersion for a newer layout or a directory that is something
  //         else; PERMISSION_DENIED / kPrivilegeMissing for a root that
  //         belongs to another user; UNAVAILABLE / kStoreBusy.
  static absl::StatusOr<std::unique_ptr<Layout>> Open(
      const std::string& root, bool create, absl::Duration lock_timeout);

  // How to reach files that sub-ids of this user own. Before any other call.
  void set_run_as_owner(sys::RunAsOwner run) { run_as_owner_ = std::move(run); }
  // Runs `body` as set above; where nothing is set, as it is.
  absl::Status RunAsOwner(absl::FunctionRef<absl::Status()> body) const {
    return run_as_owner_ == nullptr ? body() : run_as_owner_(body);
  }

  // FAILED_PRECONDITION / kForked in a process that was forked off the one
  // that opened the store: SQLite and locks do not survive fork().
  absl::Status CheckProcess() const;

  const std::string& root() const { return root_; }
  int root_fd() const { return root_fd_.get(); }
  int blobs_fd(Digest::Algorithm algorithm) const {
    return blobs_fd_[static_cast<int>(algorithm)].get();
  }
  int layers_fd(Digest::Algorithm algorithm) const {
    return layers_fd_[static_cast<int>(algorithm)].get();
  }
  int ingest_fd() const { return ingest_fd_.get(); }
  int temp_fd() const { return temp_fd_.get(); }
  int trash_fd() const { return trash_fd_.get(); }
  int leases_fd() const { return leases_fd_.get(); }
  int containers_fd() const { return containers_fd_.get(); }

  // Identifies the running kernel: changes with each boot.
  const std::string& boot_id() const { return boot_id_; }

  // "layers/sha256/<hex>" below the root.
  static std::string LayerPath(const Digest& diff_id);

  // Moves `dir_fd`/`name` into trash/ under a random name; whether there was
  // anything. What is in trash/ may be removed by any process at any time.
  //
  // Errors: as rename(2).
  absl::StatusOr<bool> MoveToTrash(int dir_fd, const std::string& name) const;

  // Removes trash/`name`.
  //
  // Errors: as RemoveTreeAt().
  absl::Status RemoveTrash(const std::string& name) const;

  // Removes what is in trash/, until `budget` is used up; true: it is empty.
  //
  // Errors: as RemoveTrash(); CANCELLED.
  absl::StatusOr<bool> EmptyTrash(absl::Duration budget,
                                  const CancelToken& cancel = {}) const;

  // The reserve: a file of 1 MiB that is given up so that removals can commit
  // on a full disk. Filling it is best effort.
  void FillReserve() const noexcept;
  void ReleaseReserve() const noexcept;

 private:
  Layout() = default;
  absl::Status OpenDirs(bool create);
  absl::Status Initialize(absl::Duration lock_timeout);
  absl::Status CheckVersion(bool* initialized) const;

  std::string root_;
  std::string boot_id_;
  pid_t pid_ = 0;
  sys::RunAsOwner run_as_owner_;
  UniqueFd root_fd_;
  UniqueFd blobs_fd_[2];
  UniqueFd layers_fd_[2];
  UniqueFd ingest_fd_;
  UniqueFd temp_fd_;
  UniqueFd trash_fd_;
  UniqueFd leases_fd_;
  UniqueFd containers_fd_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_LAYOUT_H_
