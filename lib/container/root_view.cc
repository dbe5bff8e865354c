#include "lib/container/root_view.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/container/process_root.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/socket.h"

namespace containerkit::container {
namespace {

// In a user namespace that cannot reach the mount point the root may be
// elsewhere; then this is a directory of the host.
absl::Status CheckMounted(int fd, const std::string& path) {
  constexpr char kOperation[] = "container.root";
  struct statx info;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &info) != 0) {
    return SyscallError(errno, kOperation, "statx", path);
  }
  if ((info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
    return absl::OkStatus();
  }
  return MakeError(
      absl::StatusCode::kInternal, "the root is not mounted",
      {.reason = Reason::kMountFailed, .operation = kOperation, .path = path});
}

}  // namespace

absl::StatusOr<RootView> RootView::Open(runtime::Launcher& launcher,
                                        const runtime::LaunchPlan& plan,
                                        const std::string& mount_point,
                                        const CancelToken& cancel) {
  CK_ASSIGN_OR_RETURN(auto pair, sys::MakeSocketPair());
  runtime::LaunchSpec spec;
  spec.plan = &plan;
  spec.extra_fds = {pair.second.get()};
  spec.preserve_fds = 1;
  spec.cancel = &cancel;
  CK_ASSIGN_OR_RETURN(const runtime::Launched process, launcher.Start(spec));
  CK_ASSIGN_OR_RETURN(UniqueFd pidfd,
                      sys::OpenPidfd(process.pid, process.pid_start_ticks));
  CK_ASSIGN_OR_RETURN(
      sys::RootDir root,
      OpenProcessRoot(process.pid, process.pid_start_ticks, mount_point));
  CK_RETURN_IF_ERROR(CheckMounted(root.fd(), mount_point));
  return RootView(std::move(pair.first), std::move(pidfd), std::move(root));
}

RootView::~RootView() {
  if (!process_.ok()) return;
  constexpr absl::Duration kPatience = absl::Seconds(10);
  alive_.Reset();
  sys::WaitForExit(process_.get(), absl::Now() + kPatience).IgnoreError();
}

}  // namespace containerkit::container
