#include "lib/sys/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutation.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

namespace containerkit::sys {
namespace {

int CreateMemfd(const char* name, MemfdUse use) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  if (use == MemfdUse::kExecutable) {
    const int fd = memfd_create(name, flags | MFD_EXEC);
    // Kernels before 6.3 do not know the flag; all their memfds may execute.
    if (fd >= 0 || errno != EINVAL) return fd;
  }
  return memfd_create(name, flags);
}

}  // namespace

absl::StatusOr<UniqueFd> MakeSealedMemfd(const char* name,
                                         absl::string_view content,
                                         MemfdUse use) {
  constexpr absl::string_view kOperation = "memfd.create";
  UniqueFd fd(CreateMemfd(name, use));
  if (!fd.ok()) {
    const Reason reason = errno == ENOSYS  ? Reason::kKernelUnsupported
                          : errno == EPERM ? Reason::kPrivilegeMissing
                                           : Reason::kSystemCall;
    return SyscallError(errno, kOperation, "memfd_create", name, reason);
  }
  while (!content.empty()) {
    const ssize_t n = write(fd.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SyscallError(errno, kOperation, "write", name);
    content.remove_prefix(static_cast<size_t>(n));
  }
  if constexpr (Mutated("R01")) return fd;
  constexpr int kSeals =
      F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  // Kernels before 6.3 cannot seal the mode.
  if (use == MemfdUse::kExecutable && !Mutated("R01M") &&
      fcntl(fd.get(), F_ADD_SEALS, kSeals | F_SEAL_EXEC) == 0) {
    return fd;
  }
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) < 0) {
    return SyscallError(errno, kOperation, "fcntl", name);
  }
  return fd;
}

}  // namespace containerkit::sys
