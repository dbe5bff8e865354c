#include "lib/sys/as_file_owner.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/sys/quiet_thread.h"

namespace containerkit::sys {
namespace {

constexpr char kOperation[] = "files.owner";

struct Capabilities {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
};

// The system calls, not glibc's functions for whole processes.
absl::Status SetIds(uid_t uid, gid_t gid) {
  Capabilities capabilities;
  if (syscall(SYS_capget, &capabilities.header, capabilities.data) != 0) {
    return SyscallError(errno, kOperation, "capget");
  }
  syscall(SYS_setfsgid, gid);
  syscall(SYS_setfsuid, uid);
  // Neither call tells whether it worked, but what there was before.
  const bool done = static_cast<gid_t>(syscall(SYS_setfsgid, -1)) == gid &&
                    static_cast<uid_t>(syscall(SYS_setfsuid, -1)) == uid;
  if (!done) {
    return MakeError(absl::StatusCode::kPermissionDenied,
                     "files for other ids need CAP_SETUID and CAP_SETGID",
                     {.reason = Reason::kPrivilegeMissing,
                      .os_errno = EPERM,
                      .operation = kOperation});
  }
  // Leaving the id 0 has cost those that concern files.
  if (syscall(SYS_capset, &capabilities.header, capabilities.data) != 0) {
    return SyscallError(errno, kOperation, "capset");
  }
  return absl::OkStatus();
}

// The kernel takes the whole process's flag away with a thread's ids.
absl::Status SetIdsAndStayDumpable(uid_t uid, gid_t gid) {
  static auto& mu = *new Mutex;
  const MutexLock lock(&mu);
  const int dumpable = prctl(PR_GET_DUMPABLE);
  const absl::Status status = SetIds(uid, gid);
  if (dumpable == 1) prctl(PR_SET_DUMPABLE, 1);
  return status;
}

absl::Status RunBody(absl::FunctionRef<absl::Status()> body) {
  try {
    return body();
  } catch (...) {
    return InternalError(kOperation, "work on files threw");
  }
}

}  // namespace

absl::Status AsFileOwner(uid_t uid, gid_t gid,
                         absl::FunctionRef<absl::Status()> body) {
  absl::Status result;
  CK_ASSIGN_OR_RETURN(std::thread thread, StartQuietThread([&] {
                        result = SetIdsAndStayDumpable(uid, gid);
                        if (result.ok()) result = RunBody(body);
                      }));
  thread.join();
  return result;
}

}  // namespace containerkit::sys
