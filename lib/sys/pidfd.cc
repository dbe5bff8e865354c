#include "lib/sys/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {
namespace {

absl::Status Gone(pid_t pid) {
  return SyscallError(ESRCH, "process.open", "pidfd_open", absl::StrCat(pid));
}

}  // namespace

absl::StatusOr<UniqueFd> OpenPidfd(pid_t pid) {
  UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd.ok()) {
    if (errno == ESRCH || errno == EINVAL) return Gone(pid);
    return SyscallError(errno, "process.open", "pidfd_open", absl::StrCat(pid));
  }
  return fd;
}

absl::StatusOr<uint64_t> ReadStartTicks(pid_t pid) {
  const std::string path = absl::StrCat("/proc/", pid, "/stat");
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[1024];
  const ssize_t n = fd.ok() ? read(fd.get(), buffer, sizeof buffer) : -1;
  if (n <= 0) return Gone(pid);
  absl::string_view text(buffer, static_cast<size_t>(n));
  // The name in parentheses may hold anything: fields count from the last ')'.
  const size_t end = text.rfind(')');
  if (end == absl::string_view::npos) return Gone(pid);
  const std::vector<absl::string_view> fields =
      absl::StrSplit(text.substr(end + 1), ' ', absl::SkipEmpty());
  constexpr size_t kStartTime = 22 - 3;  // field 3 is the first one here
  uint64_t ticks;
  if (fields.size() <= kStartTime ||
      !absl::SimpleAtoi(fields[kStartTime], &ticks)) {
    return Gone(pid);
  }
  return ticks;
}

absl::StatusOr<UniqueFd> OpenPidfd(pid_t pid, uint64_t start_ticks) {
  CK_ASSIGN_OR_RETURN(UniqueFd fd, OpenPidfd(pid));
  // Read after opening: the descriptor keeps its process, so if the number's
  // owner has the right start time now, it had it then.
  CK_ASSIGN_OR_RETURN(const uint64_t ticks, ReadStartTicks(pid));
  if (ticks != start_ticks) return Gone(pid);
  return fd;
}

absl::Status SignalPidfd(int pidfd, int signal) {
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0) {
    return absl::OkStatus();
  }
  if (errno == ESRCH) {
    return SyscallError(errno, "process.signal", "pidfd_send_signal", "",
                        Reason::kNotRunning);
  }
  return SyscallError(errno, "process.signal", "pidfd_send_signal");
}

absl::Status WaitForExit(int pidfd, absl::Time deadline) {
  for (;;) {
    int timeout_ms = -1;
    if (deadline != absl::InfiniteFuture()) {
      const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now() +
                                                     absl::Microseconds(999));
      timeout_ms = static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
    }
    pollfd poll_fd{pidfd, POLLIN, 0};
    const int n = poll(&poll_fd, 1, timeout_ms);
    if (n > 0) return absl::OkStatus();
    if (n < 0 && errno != EINTR) {
      return SyscallError(errno, "process.wait", "poll");
    }
    if (n == 0) {
      return SyscallError(ETIMEDOUT, "process.wait", "poll", "",
                          Reason::kTimeout);
    }
  }
}

}  // namespace containerkit::sys
