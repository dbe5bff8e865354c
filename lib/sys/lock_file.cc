#include "lib/sys/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"

namespace containerkit::sys {
namespace {

constexpr char kOperation[] = "lock.acquire";
constexpr absl::Duration kFirstPause = absl::Microseconds(50);
constexpr absl::Duration kLongestPause = absl::Milliseconds(4);

int FlockOperation(LockMode mode) {
  return mode == LockMode::kShared ? LOCK_SH : LOCK_EX;
}

absl::Status Busy(int fd, const std::string& name) {
  std::string message = absl::StrCat("lock ", name, ": time is up");
  if (const std::optional<pid_t> pid = LockHolder(fd); pid.has_value()) {
    const auto comm =
        ReadFileAt(AT_FDCWD, absl::StrCat("/proc/", *pid, "/comm"), 64);
    absl::StrAppend(&message, ", held by process ", *pid);
    if (comm.ok()) {
      absl::StrAppend(&message, " (", absl::StripTrailingAsciiWhitespace(*comm),
                      ")");
    }
  }
  return MakeError(absl::StatusCode::kUnavailable, message,
                   {.reason = Reason::kStoreBusy,
                    .operation = kOperation,
                    .path = name,
                    .retryable = true});
}

}  // namespace

absl::StatusOr<bool> TryLockFd(int fd, LockMode mode) {
  int result;
  do {
    result = flock(fd, FlockOperation(mode) | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return SyscallError(errno, kOperation, "flock");
}

absl::Status LockFd(int fd, LockMode mode, absl::Duration timeout,
                    const std::string& name, const CancelToken* cancel) {
  CK_ASSIGN_OR_RETURN(bool locked, TryLockFd(fd, mode), "lock ", name);
  if (locked) return absl::OkStatus();
  // flock has no time limit of its own, and interrupting it takes a signal,
  // which a library must not use: hence polling, fast at first.
  const absl::Time deadline = absl::Now() + timeout;
  absl::Duration pause = kFirstPause;
  for (;;) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return Busy(fd, name);
    if (cancel == nullptr) {
      absl::SleepFor(std::min(pause, left));
    } else {
      CK_RETURN_IF_ERROR(
          CancellableSleep(*cancel, std::min(pause, left), kOperation));
    }
    pause = std::min(pause * 3 / 2, kLongestPause);
    CK_ASSIGN_OR_RETURN(locked, TryLockFd(fd, mode), "lock ", name);
    if (locked) return absl::OkStatus();
  }
}

void UnlockFd(int fd) noexcept { flock(fd, LOCK_UN); }

std::optional<pid_t> LockHolder(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return std::nullopt;
  const absl::StatusOr<std::string> table =
      ReadFileAt(AT_FDCWD, "/proc/locks", 16 << 20);
  if (!table.ok()) return std::nullopt;
  // "1: FLOCK  ADVISORY  WRITE 1234 08:02:5678 0 EOF"
  const std::string file =
      absl::StrFormat("%02x:%02x:%u", major(info.st_dev), minor(info.st_dev),
                      static_cast<uint64_t>(info.st_ino));
  for (absl::string_view line : absl::StrSplit(*table, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 6 || words[1] != "FLOCK" || words[5] != file) continue;
    pid_t pid;
    if (absl::SimpleAtoi(words[4], &pid) && pid > 0) return pid;
  }
  return std::nullopt;
}

absl::StatusOr<LockFile> LockFile::Acquire(int dir_fd, const std::string& path,
                                           LockMode mode,
                                           absl::Duration timeout) {
  CK_ASSIGN_OR_RETURN(UniqueFd fd,
                      OpenAt(dir_fd, path, O_RDWR | O_CREAT, 0600));
  CK_RETURN_IF_ERROR(LockFd(fd.get(), mode, timeout, path));
  return LockFile(std::move(fd));
}

absl::StatusOr<std::optional<LockFile>> LockFile::TryAcquire(
    int dir_fd, const std::string& path, LockMode mode) {
  CK_ASSIGN_OR_RETURN(UniqueFd fd,
                      OpenAt(dir_fd, path, O_RDWR | O_CREAT, 0600));
  CK_ASSIGN_OR_RETURN(const bool locked, TryLockFd(fd.get(), mode), "lock ",
                      path);
  if (!locked) return std::optional<LockFile>();
  return std::optional<LockFile>(LockFile(std::move(fd)));
}

void LockFile::Release() noexcept {
  if (!fd_.ok()) return;
  UnlockFd(fd_.get());
  fd_.Reset();
}

}  // namespace containerkit::sys
