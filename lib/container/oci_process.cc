#include "lib/container/oci_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"

namespace containerkit::container {

std::optional<ProcessStat> ParseProcessStat(absl::string_view text) {
  const size_t name_end = text.rfind(')');
  if (name_end == absl::string_view::npos) return std::nullopt;
  const std::vector<absl::string_view> fields = absl::StrSplit(
      text.substr(name_end + 1), absl::ByAnyChar(" \n"), absl::SkipEmpty());
  // fields[0] is field 3 of proc(5), the state; start time is field 22.
  ProcessStat stat;
  if (fields.size() < 20 || fields[0].size() != 1 ||
      !absl::SimpleAtoi(fields[19], &stat.start_ticks)) {
    return std::nullopt;
  }
  stat.state = fields[0][0];
  return stat;
}

std::optional<ProcessStat> ReadProcessStat(pid_t pid) {
  absl::StatusOr<std::string> text =
      sys::ReadFileAt(AT_FDCWD, absl::StrCat("/proc/", pid, "/stat"), 4096);
  if (!text.ok()) return std::nullopt;
  return ParseProcessStat(*text);
}

std::optional<ProcessHandle> ProcessHandle::Find(pid_t pid,
                                                 uint64_t start_ticks) {
  if (pid <= 0) return std::nullopt;
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.ok()) return std::nullopt;
  // The order matters: with the pidfd open, a stat that matches is of the
  // process that the pidfd holds.
  const std::optional<ProcessStat> stat = ReadProcessStat(pid);
  if (!stat.has_value() || stat->dead() || stat->start_ticks != start_ticks) {
    return std::nullopt;
  }
  return ProcessHandle(std::move(pidfd));
}

absl::Status ProcessHandle::Signal(int signal) const {
  if (syscall(SYS_pidfd_send_signal, fd(), signal, nullptr, 0) == 0) {
    return absl::OkStatus();
  }
  if (errno == ESRCH) return NotRunningError();
  return SyscallError(errno, "oci.kill", "pidfd_send_signal");
}

bool ProcessHandle::WaitGone(absl::Duration timeout) const {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    const int64_t left_ms = std::clamp<int64_t>(
        absl::ToInt64Milliseconds(deadline - absl::Now()), 0, 1 << 30);
    struct pollfd poll_fd = {.fd = fd(), .events = POLLIN};
    const int ready = poll(&poll_fd, 1, static_cast<int>(left_ms));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

absl::Status NotRunningError() {
  return FailedPrecondition(Reason::kNotRunning, "oci.signal",
                            "container not running");
}

}  // namespace containerkit::container
