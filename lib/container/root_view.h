// The files of a container that does not run, as one tree.
#ifndef CONTAINERKIT_LIB_CONTAINER_ROOT_VIEW_H_
#define CONTAINERKIT_LIB_CONTAINER_ROOT_VIEW_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "containerkit/cancel.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/launcher.h"
#include "lib/runtime/plan.h"
#include "lib/sys/root_dir.h"

namespace containerkit::container {

// A mount namespace with the container's root and its bind mounts in it. It
// belongs to a process of the helper, which ends with this object or with this
// process, and the mounts with it. Writes go where the container's would go.
class RootView {
 public:
  // Executes a plan of runtime::PlanView(), which puts the root at
  // `mount_point`.
  //
  // Errors: as Launcher::Start(): kMountFailed, kMountSourceMissing ...;
  // CANCELLED.
  static absl::StatusOr<RootView> Open(runtime::Launcher& launcher,
                                       const runtime::LaunchPlan& plan,
                                       const std::string& mount_point,
                                       const CancelToken& cancel);

  RootView(RootView&&) = default;
  RootView& operator=(RootView&&) = delete;
  // Waits until the process has ended.
  ~RootView();

  const sys::RootDir& root() const { return root_; }

 private:
  RootView(UniqueFd alive, UniqueFd process, sys::RootDir root)
      : alive_(std::move(alive)),
        process_(std::move(process)),
        root_(std::move(root)) {}

  UniqueFd alive_;    // the process waits for its end
  UniqueFd process_;  // pidfd
  sys::RootDir root_;
};

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_ROOT_VIEW_H_
