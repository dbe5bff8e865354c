#include "lib/container/process_root.h"

#include <errno.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/pidfd.h"

namespace containerkit::container {

absl::StatusOr<sys::RootDir> OpenProcessRoot(pid_t pid, uint64_t start_ticks,
                                             const std::string& path) {
  CK_ASSIGN_OR_RETURN(const UniqueFd process, sys::OpenPidfd(pid, start_ticks));
  CK_ASSIGN_OR_RETURN(sys::RootDir root, sys::RootDir::Open(absl::StrCat(
                                             "/proc/", pid, "/root", path)));
  // A process that is not reaped keeps its number, so it was its root.
  const absl::Status alive = sys::SignalPidfd(process.get(), 0);
  if (GetReason(alive) == Reason::kNotRunning) {
    return SyscallError(ESRCH, "process.root", "open", absl::StrCat(pid));
  }
  return root;
}

}  // namespace containerkit::container
