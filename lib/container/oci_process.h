// The first process of a container, known by pid and start time.
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_PROCESS_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"

namespace containerkit::container {

// Of /proc/<pid>/stat.
struct ProcessStat {
  char state = '?';          // 'R', 'S', 'Z', ...
  uint64_t start_ticks = 0;  // since boot

  bool dead() const { return state == 'Z' || state == 'X' || state == 'x'; }
};

// Pure; nullopt if the text makes no sense. The name, second field, may hold
// any byte.
std::optional<ProcessStat> ParseProcessStat(absl::string_view text);

// Reads /proc/<pid>/stat; nullopt when there is no such process.
std::optional<ProcessStat> ReadProcessStat(pid_t pid);

// A process held by pidfd, so that its pid cannot be mistaken. Move-only.
class ProcessHandle {
 public:
  // nullopt: it has ended (a zombie counts), or the pid is another process's.
  static std::optional<ProcessHandle> Find(pid_t pid, uint64_t start_ticks);

  int fd() const { return pidfd_.get(); }

  // Errors: FAILED_PRECONDITION / kNotRunning when it has ended; as
  // pidfd_send_signal(2).
  absl::Status Signal(int signal) const;

  // Waits until it has ended. False: not within `timeout`.
  bool WaitGone(absl::Duration timeout) const;

 private:
  explicit ProcessHandle(UniqueFd pidfd) : pidfd_(std::move(pidfd)) {}

  UniqueFd pidfd_;
};

// The error of operations that need a running process; shims look for the
// words "container not running".
absl::Status NotRunningError();

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_PROCESS_H_
