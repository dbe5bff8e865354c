#include "lib/sys/pidfd.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::sys {
namespace {

TEST(PidfdTest, NamesAProcessByNumberAndStart) {
  const auto ticks = ReadStartTicks(getpid());
  ASSERT_TRUE(ticks.ok()) << ticks.status();
  EXPECT_TRUE(OpenPidfd(getpid(), *ticks).ok());
  EXPECT_EQ(OpenPidfd(getpid(), *ticks + 1).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(PidfdTest, SignalsAndWaits) {
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  const auto fd = OpenPidfd(child);
  ASSERT_TRUE(fd.ok()) << fd.status();
  const absl::Status early =
      WaitForExit(fd->get(), absl::Now() + absl::Milliseconds(1));
  EXPECT_EQ(GetReason(early), Reason::kTimeout) << early;
  EXPECT_TRUE(SignalPidfd(fd->get(), SIGKILL).ok());
  EXPECT_TRUE(WaitForExit(fd->get(), absl::InfiniteFuture()).ok());
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  const absl::Status gone = SignalPidfd(fd->get(), SIGTERM);
  EXPECT_EQ(GetReason(gone), Reason::kNotRunning) << gone;
}

}  // namespace
}  // namespace containerkit::sys
