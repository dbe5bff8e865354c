#include "lib/runtime/failure.h"

#include <errno.h>
#include <string.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/plan_wire.h"

namespace containerkit::runtime {
namespace {

template <size_t size>
std::string Text(const char (&array)[size]) {
  return std::string(array, strnlen(array, size));
}

// The monitor failed before the plan's first step.
constexpr uint16_t kNoStep = 0;

struct Meaning {
  absl::StatusCode code;
  Reason reason;
};

constexpr Meaning kFull = {absl::StatusCode::kResourceExhausted,
                           Reason::kDiskFull};

bool IsFull(int error) { return error == ENOSPC || error == EDQUOT; }

bool NotPermitted(int error) { return error == EPERM || error == EACCES; }

// What mount_setattr(2) says for file systems that know no id maps.
bool LacksIdMaps(int error) { return error == EINVAL || error == EOPNOTSUPP; }

// What the errno alone says.
absl::StatusCode CodeOf(int error) {
  return SyscallError(error, "", "").code();
}

bool IsFileSystemStep(Op op) {
  return op >= Op::kPropagation && op <= Op::kBindFrom && op != Op::kChildHook;
}

Meaning MeaningOfCommand(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return {absl::StatusCode::kNotFound, Reason::kCommandNotFound};
    case ENOMEM:
    case EAGAIN:
      return {absl::StatusCode::kResourceExhausted, Reason::kSystemCall};
    case E2BIG:
    case EINVAL:
      return {absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument};
    default:  // EACCES, EPERM, EISDIR, ENOEXEC, ELIBBAD, ETXTBSY, EIO
      return {absl::StatusCode::kPermissionDenied,
              Reason::kCommandNotExecutable};
  }
}

Meaning MeaningOfClone(int error) {
  if (error == EPERM) {
    return {absl::StatusCode::kPermissionDenied, Reason::kPrivilegeMissing};
  }
  if (error == EAGAIN || error == ENOMEM || error == ENOSPC) {
    return {absl::StatusCode::kResourceExhausted, Reason::kNamespaceFailed};
  }
  return {CodeOf(error), Reason::kNamespaceFailed};
}

Meaning MeaningOfMount(Op op, absl::string_view call, int error) {
  if (call == kMapIdsCall && LacksIdMaps(error)) {
    return {absl::StatusCode::kUnimplemented, Reason::kKernelUnsupported};
  }
  const bool source =
      op == Op::kBind || op == Op::kBindMapped || op == Op::kRootBind;
  if (source && call == "open_tree" && error == ENOENT) {
    return {absl::StatusCode::kNotFound, Reason::kMountSourceMissing};
  }
  if (IsFull(error)) return kFull;
  if (op == Op::kDevice) return {CodeOf(error), Reason::kDeviceInvalid};
  return {CodeOf(error), Reason::kMountFailed};
}

Meaning MeaningOf(Op op, absl::string_view call, int error) {
  if (IsFileSystemStep(op)) return MeaningOfMount(op, call, error);
  // Its files.
  if (op == static_cast<Op>(kNoStep) && IsFull(error)) return kFull;
  switch (op) {
    case Op::kFindExecutable:
    case Op::kExec:
      return MeaningOfCommand(error);
    case Op::kMakeCgroup:
    case Op::kWriteHost:
    case Op::kDeviceProgram:
    case Op::kAttachCgroup:
      return {CodeOf(error), Reason::kCgroupFailed};
    case Op::kClone:
      return MeaningOfClone(error);
    case Op::kJoinNamespace:
      if (error == ESRCH) {
        return {absl::StatusCode::kFailedPrecondition, Reason::kNotRunning};
      }
      if (error == EBUSY) {
        return {absl::StatusCode::kFailedPrecondition,
                Reason::kContainerPaused};
      }
      return {CodeOf(error), Reason::kNamespaceFailed};
    case Op::kUnshare:
    case Op::kTimeOffsets:
    case Op::kHostname:
    case Op::kDomainname:
    case Op::kLoopbackUp:
      return {CodeOf(error), Reason::kNamespaceFailed};
    case Op::kIdMap:
      return {NotPermitted(error) ? absl::StatusCode::kPermissionDenied
                                  : absl::StatusCode::kInvalidArgument,
              Reason::kIdMapInvalid};
    case Op::kHook:
    case Op::kChildHook:
      return {error == ETIMEDOUT && call == "timeout"
                  ? absl::StatusCode::kDeadlineExceeded
                  : absl::StatusCode::kFailedPrecondition,
              Reason::kHookFailed};
    case Op::kMaskPath:
    case Op::kReadonlyPath:
    case Op::kReadonlyRoot:
      return {CodeOf(error), Reason::kMountFailed};
    case Op::kSysctl:
      return {CodeOf(error), Reason::kSysctlRefused};
    case Op::kRlimit:
      return {CodeOf(error), Reason::kRlimitRefused};
    case Op::kChdir:
      return {CodeOf(error), Reason::kWorkingDirFailed};
    case Op::kSeccomp:
      return {CodeOf(error), Reason::kSeccompInvalid};
    case Op::kTerminal:
      if (call == "sendmsg") {
        return {absl::StatusCode::kUnavailable, Reason::kConsoleSocketFailed};
      }
      return {CodeOf(error), Reason::kSystemCall};
    case Op::kBoundingSet:
    case Op::kCapabilities:
    case Op::kUser:
      if (NotPermitted(error)) {
        return {absl::StatusCode::kPermissionDenied, Reason::kPrivilegeMissing};
      }
      return {CodeOf(error), Reason::kSystemCall};
    default:
      return {CodeOf(error), Reason::kSystemCall};
  }
}

std::string CommandMessage(int error, absl::string_view command) {
  const bool searched = command.find('/') == absl::string_view::npos;
  if (error == ENOENT && searched) {
    return absl::StrCat("exec ", command,
                        ": executable file not found in $PATH");
  }
  if (error == ENOENT) {
    return absl::StrCat("exec ", command, ": no such file or directory");
  }
  if (error == EISDIR) {
    return absl::StrCat("exec ", command, ": is a directory");
  }
  if (error == ENOEXEC) {
    return absl::StrCat("exec ", command, ": exec format error");
  }
  if (NotPermitted(error)) {
    return absl::StrCat("exec ", command, ": permission denied");
  }
  return absl::StrCat("exec ", command, ": ", strerror(error));
}

// "step 17 Mount /proc: fsmount: Operation not permitted"; hooks end with
// "exit status 3" or "killed by signal 9".
std::string StepMessage(const ChildFailure& failure, absl::string_view call,
                        absl::string_view subject) {
  std::string text = failure.op == kNoStep
                         ? std::string("monitor")
                         : absl::StrCat("step ", failure.step, " ",
                                        OpName(static_cast<Op>(failure.op)));
  if (!subject.empty()) absl::StrAppend(&text, " ", subject);
  if (call == "exit") {
    return absl::StrCat(text, ": exit status ", failure.os_errno);
  }
  if (call == "signal") {
    return absl::StrCat(text, ": killed by signal ", failure.os_errno);
  }
  if (call == "timeout") return absl::StrCat(text, ": timed out");
  if (call == kMapIdsCall && LacksIdMaps(failure.os_errno)) {
    return absl::StrCat(text, ": its file system takes no id-mapped mounts");
  }
  return absl::StrCat(text, ": ", call, call.empty() ? "" : ": ",
                      strerror(failure.os_errno));
}

}  // namespace

absl::Status FailureStatus(const ChildFailure& failure) {
  const auto op = static_cast<Op>(failure.op);
  const std::string call = Text(failure.call);
  const std::string subject = Text(failure.subject);
  const bool status_of_program = call == "exit" || call == "signal";
  int error = failure.os_errno;
  if (error <= 0) error = EIO;

  Meaning meaning = MeaningOf(op, call, error);
  if (status_of_program) {
    meaning = {absl::StatusCode::kFailedPrecondition,
               op == Op::kIdMap ? Reason::kIdMapInvalid : Reason::kHookFailed};
  }
  if (failure.op == kNoStep && call == "flock" && error == EAGAIN) {
    meaning = {absl::StatusCode::kFailedPrecondition, Reason::kAlreadyStarted};
  }
  if (error == ECANCELED && call == "launch") {
    meaning = {absl::StatusCode::kCancelled, Reason::kCancelled};
  }
  if (meaning.code == absl::StatusCode::kOk) {
    meaning.code = absl::StatusCode::kInternal;
  }
  ErrorDetail detail;
  detail.reason = meaning.reason;
  detail.os_errno = status_of_program ? 0 : error;
  detail.operation =
      failure.op == kNoStep ? "launch" : absl::StrCat("launch.", OpName(op));
  detail.path = subject;
  const bool command = op == Op::kFindExecutable || op == Op::kExec;
  return MakeError(meaning.code,
                   command && call == "exec"
                       ? CommandMessage(error, subject)
                       : StepMessage(failure, call, subject),
                   detail);
}

}  // namespace containerkit::runtime
