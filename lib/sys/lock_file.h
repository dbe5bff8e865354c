// Locks between processes: flock(2) on files that are never unlinked.
//
// flock, not fcntl(F_SETLK): the kernel drops the latter when any descriptor
// of the file is closed in the process, which a library in somebody else's
// program cannot prevent (docs/state-layout.md). A flock belongs to the open
// file: two LockFiles exclude each other even within one thread, and the
// kernel releases it when the last copy of the descriptor is closed, so a
// lock held is the proof that its owner lives.
#ifndef CONTAINERKIT_LIB_SYS_LOCK_FILE_H_
#define CONTAINERKIT_LIB_SYS_LOCK_FILE_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {

enum class LockMode { kShared, kExclusive };

// Locks an open file or directory, waiting at most `timeout` (ZeroDuration:
// one try; InfiniteDuration: for ever) and until `cancel`. `name` is for the
// message.
//
// Errors: UNAVAILABLE / kStoreBusy (retryable) when the time is up; the message
// names the process that holds the lock where /proc/locks tells. CANCELLED.
absl::Status LockFd(int fd, LockMode mode, absl::Duration timeout,
                    const std::string& name,
                    const CancelToken* cancel = nullptr);

// Gives the lock of an open file back. Copies of the descriptor, such as one
// that a child inherited before its exec, lose it too.
void UnlockFd(int fd) noexcept;

// One try: whether the lock was got.
//
// Errors: as flock(2), other than EWOULDBLOCK.
absl::StatusOr<bool> TryLockFd(int fd, LockMode mode);

// The pid in this pid namespace of one process that holds a flock on the file,
// or nullopt: none, or not known.
std::optional<pid_t> LockHolder(int fd);

// A lock that is held. Destroying it releases it; the file stays.
//
// Move-only; one thread at a time.
class LockFile {
 public:
  // Opens `dir_fd`/`path` (0600, made when absent) and locks it as LockFd().
  //
  // Errors: as open(2); as LockFd().
  static absl::StatusOr<LockFile> Acquire(int dir_fd, const std::string& path,
                                          LockMode mode,
                                          absl::Duration timeout);

  // As Acquire() with one try; nullopt when somebody else holds the lock.
  static absl::StatusOr<std::optional<LockFile>> TryAcquire(
      int dir_fd, const std::string& path, LockMode mode);

  LockFile(LockFile&&) noexcept = default;
  LockFile& operator=(LockFile&& other) noexcept {
    Release();
    fd_ = std::move(other.fd_);
    return *this;
  }
  ~LockFile() { Release(); }

  // Gives the lock back early. Idempotent.
  void Release() noexcept;

  int fd() const noexcept { return fd_.get(); }

 private:
  explicit LockFile(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_LOCK_FILE_H_
