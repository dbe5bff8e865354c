// Stopping a container to start it again.
#include <errno.h>
#include <fcntl.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/container/container_manager.h"
#include "lib/container/container_manager_internal.h"
#include "lib/sys/lock_file.h"

namespace containerkit::container {
namespace {

// Locked, shared, by those who will start it again; taken under its own lock.
constexpr char kRestartFile[] = "restart.lock";
constexpr absl::Duration kLockTimeout = absl::Seconds(1);

absl::StatusOr<UniqueFd> HoldForRestart(int directory_fd) {
  UniqueFd fd(openat(directory_fd, kRestartFile,
                     O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.ok()) {
    return SyscallError(errno, "container.restart", "open", kRestartFile);
  }
  CK_RETURN_IF_ERROR(sys::LockFd(fd.get(), sys::LockMode::kShared, kLockTimeout,
                                 kRestartFile));
  return fd;
}

}  // namespace

bool IsHeldForRestart(int directory_fd) {
  const UniqueFd fd(
      openat(directory_fd, kRestartFile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  return fd.ok() &&
         !sys::TryLockFd(fd.get(), sys::LockMode::kExclusive).value_or(false);
}

absl::Status ContainerManager::Restart(const std::string& id,
                                       const StopOptions& options) {
  CK_ASSIGN_OR_RETURN(Locked locked, Lock(id, options.cancel));
  UniqueFd held;
  // What removes itself when it ends must not now.
  if (locked.container->row.auto_remove) {
    CK_ASSIGN_OR_RETURN(held, HoldForRestart(locked.lock.get()));
  }
  const absl::Status stopped = StopLocked(locked, options);
  if (stopped.ok()) {
    absl::StatusOr<Locked> again = Lock(id, options.cancel);
    // Whoever has it may take long; what was stopped is to run again.
    while (GetReason(again.status()) == Reason::kStoreBusy) {
      again = Lock(id, options.cancel);
    }
    CK_ASSIGN_OR_RETURN(locked, std::move(again));
  } else if (GetReason(stopped) != Reason::kAlreadyStopped) {
    return stopped;
  }
  StartOptions start;
  start.cancel = options.cancel;
  const absl::Status started = StartLocked(locked, start).status();
  if (!started.ok() && GetReason(started) != Reason::kAlreadyStarted) {
    // It has ended and will not come back.
    return locked.container->row.auto_remove
               ? FirstError(started, RemoveLocked(locked, {.force = true}))
               : started;
  }
  Emit(id, "restart");
  return absl::OkStatus();
}

}  // namespace containerkit::container
