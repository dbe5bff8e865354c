// What a failed step of a launch plan means to the caller.
#ifndef CONTAINERKIT_LIB_RUNTIME_FAILURE_H_
#define CONTAINERKIT_LIB_RUNTIME_FAILURE_H_

#include "absl/status/status.h"
#include "lib/runtime/plan_wire.h"

namespace containerkit::runtime {

// The status of a ChildFailure: code and reason from the step and its errno,
// path from its subject, message such as
//   step 17 Mount /proc: fsmount: Operation not permitted
//   exec /no/such: executable file not found in $PATH
//
// Errors (the result): NOT_FOUND / kCommandNotFound, PERMISSION_DENIED /
//   kCommandNotExecutable, NOT_FOUND / kMountSourceMissing, kMountFailed,
//   kWorkingDirFailed, kCgroupFailed, kHookFailed, kNamespaceFailed,
//   kPrivilegeMissing, kSysctlRefused, kRlimitRefused, kIdMapInvalid,
//   kDeviceInvalid, kSeccompInvalid, kDiskFull, kSystemCall. Never OK.
// Pure; thread-safe.
//
// Trust: `failure` comes from the helper before the container's program runs;
// its strings are cut at their arrays' ends whatever they hold.
absl::Status FailureStatus(const ChildFailure& failure);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_FAILURE_H_
