// Processes held by descriptor: no signal ever reaches a stranger who got a
// reused number.
#ifndef CONTAINERKIT_LIB_SYS_PIDFD_H_
#define CONTAINERKIT_LIB_SYS_PIDFD_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {

// A pidfd of a process. Errors: NOT_FOUND / kSystemCall when there is none.
absl::StatusOr<UniqueFd> OpenPidfd(pid_t pid);

// A pidfd of the process that had this pid and start time (proc(5), stat,
// field 22); with the boot id the pair names a process for ever.
//
// Errors: NOT_FOUND / kSystemCall when that process is gone, even if another
//   one has its number now.
absl::StatusOr<UniqueFd> OpenPidfd(pid_t pid, uint64_t start_ticks);

// The start time of a process. Errors: NOT_FOUND when it is gone.
absl::StatusOr<uint64_t> ReadStartTicks(pid_t pid);

// Errors: NOT_FOUND when it is gone, PERMISSION_DENIED, INVALID_ARGUMENT.
absl::Status SignalPidfd(int pidfd, int signal);

// Waits until the process has ended (not: was reaped).
// Errors: DEADLINE_EXCEEDED / kTimeout. Blocks.
absl::Status WaitForExit(int pidfd, absl::Time deadline);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_PIDFD_H_
