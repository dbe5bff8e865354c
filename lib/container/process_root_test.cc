#include "lib/container/process_root.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/sys/pidfd.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using containerkit::testing::StatusIs;

TEST(ProcessRoot, IsThatOfTheProcessThatStartedThen) {
  const pid_t pid = getpid();
  CK_ASSERT_OK_AND_ASSIGN(const uint64_t ticks, sys::ReadStartTicks(pid));
  CK_ASSERT_OK_AND_ASSIGN(const sys::RootDir root,
                          OpenProcessRoot(pid, ticks, ""));
  CK_EXPECT_OK(root.Stat("/proc/self/stat"));
  CK_ASSERT_OK_AND_ASSIGN(const sys::RootDir below,
                          OpenProcessRoot(pid, ticks, "/proc"));
  CK_EXPECT_OK(below.Stat("self/stat"));
  // Somebody who has its number now.
  EXPECT_THAT(OpenProcessRoot(pid, ticks - 1, ""),
              StatusIs(absl::StatusCode::kNotFound, Reason::kSystemCall));
}

TEST(ProcessRoot, IsNotThatOfOneThatHasEnded) {
  const pid_t pid = fork();
  if (pid == 0) {
    pause();
    _exit(0);
  }
  ASSERT_GT(pid, 0);
  CK_ASSERT_OK_AND_ASSIGN(const uint64_t ticks, sys::ReadStartTicks(pid));
  CK_EXPECT_OK(OpenProcessRoot(pid, ticks, ""));
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_THAT(OpenProcessRoot(pid, ticks, ""),
              StatusIs(absl::StatusCode::kNotFound, Reason::kSystemCall));
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  EXPECT_THAT(OpenProcessRoot(pid, ticks, ""),
              StatusIs(absl::StatusCode::kNotFound, Reason::kSystemCall));
}

}  // namespace
}  // namespace containerkit::container
