#include "lib/runtime/failure.h"

#include <errno.h>

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/runtime/plan.h"
#include "lib/testing/matchers.h"

namespace containerkit::runtime {
namespace {

using testing::StatusIs;

ChildFailure Make(Op op, int error, absl::string_view call,
                  absl::string_view subject) {
  ChildFailure failure;
  std::memset(&failure, 0, sizeof failure);
  failure.step = 17;
  failure.op = static_cast<uint16_t>(op);
  failure.os_errno = error;
  std::memcpy(failure.call, call.data(), call.size());
  std::memcpy(failure.subject, subject.data(), subject.size());
  return failure;
}

TEST(FailureTest, NamesStepCallPathAndErrno) {
  const absl::Status status =
      FailureStatus(Make(Op::kMount, EPERM, "fsmount", "/proc"));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kPermissionDenied,
                               Reason::kMountFailed));
  EXPECT_EQ(status.message(),
            "step 17 Mount /proc: fsmount: Operation not permitted");
  const auto detail = GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->os_errno, EPERM);
  EXPECT_EQ(detail->path, "/proc");
  EXPECT_EQ(detail->operation, "launch.Mount");
}

TEST(FailureTest, CommandsHaveTheWordsThatPeopleKnow) {
  const auto exec = [](int error, absl::string_view command) {
    return FailureStatus(Make(Op::kFindExecutable, error, "exec", command));
  };
  EXPECT_THAT(exec(ENOENT, "x"),
              StatusIs(absl::StatusCode::kNotFound, Reason::kCommandNotFound));
  EXPECT_EQ(exec(ENOENT, "x").message(),
            "exec x: executable file not found in $PATH");
  EXPECT_EQ(exec(ENOENT, "/x").message(), "exec /x: no such file or directory");
  for (const int error : {EACCES, ENOEXEC, EISDIR}) {
    EXPECT_THAT(exec(error, "/x"), StatusIs(absl::StatusCode::kPermissionDenied,
                                            Reason::kCommandNotExecutable));
  }
  EXPECT_EQ(exec(EACCES, "/x").message(), "exec /x: permission denied");
}

TEST(FailureTest, ReasonsFollowTheStep) {
  const auto reason = [](Op op, int error, absl::string_view call) {
    return GetReason(FailureStatus(Make(op, error, call, "s")));
  };
  EXPECT_EQ(reason(Op::kBind, ENOENT, "open_tree"),
            Reason::kMountSourceMissing);
  EXPECT_EQ(reason(Op::kBind, ENOENT, "openat2"), Reason::kMountFailed);
  EXPECT_EQ(reason(Op::kChdir, ENOENT, "openat2"), Reason::kWorkingDirFailed);
  EXPECT_EQ(reason(Op::kWriteHost, EINVAL, "write"), Reason::kCgroupFailed);
  EXPECT_EQ(reason(Op::kClone, EPERM, "clone3"), Reason::kPrivilegeMissing);
  EXPECT_EQ(reason(Op::kClone, EINVAL, "clone3"), Reason::kNamespaceFailed);
  EXPECT_EQ(reason(Op::kJoinNamespace, ESRCH, "setns"), Reason::kNotRunning);
  EXPECT_EQ(reason(Op::kSysctl, ENOENT, "write"), Reason::kSysctlRefused);
  EXPECT_EQ(reason(Op::kMkdir, ENOSPC, "mkdir"), Reason::kDiskFull);
  EXPECT_EQ(reason(Op::kHook, 3, "exit"), Reason::kHookFailed);
}

TEST(FailureTest, SecondMonitorAndPausedContainer) {
  EXPECT_THAT(
      FailureStatus(Make(static_cast<Op>(0), EAGAIN, "flock", "monitor.lock")),
      StatusIs(absl::StatusCode::kFailedPrecondition, Reason::kAlreadyStarted));
  EXPECT_THAT(FailureStatus(Make(Op::kJoinNamespace, EBUSY, "exec", "paused")),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       Reason::kContainerPaused));
}

TEST(FailureTest, TheMonitorsFilesNeedSpace) {
  EXPECT_THAT(
      FailureStatus(Make(static_cast<Op>(0), ENOSPC, "open", "state")),
      StatusIs(absl::StatusCode::kResourceExhausted, Reason::kDiskFull));
}

TEST(FailureTest, HooksTellTheirStatus) {
  EXPECT_EQ(FailureStatus(Make(Op::kHook, 3, "exit", "/bin/hook")).message(),
            "step 17 Hook /bin/hook: exit status 3");
  const absl::Status late =
      FailureStatus(Make(Op::kHook, ETIMEDOUT, "timeout", "/bin/hook"));
  EXPECT_THAT(
      late, StatusIs(absl::StatusCode::kDeadlineExceeded, Reason::kHookFailed));
}

TEST(FailureTest, NeverOkWhateverTheBytesAre) {
  ChildFailure failure;
  for (const int fill : {0, 1, 0x41, 0xff}) {
    std::memset(&failure, fill, sizeof failure);
    EXPECT_FALSE(FailureStatus(failure).ok());
  }
  for (int op = 0; op < 100; ++op) {
    for (int error = -1; error < 140; ++error) {
      EXPECT_FALSE(
          FailureStatus(Make(static_cast<Op>(op), error, "", "")).ok());
    }
  }
}

}  // namespace
}  // namespace containerkit::runtime
