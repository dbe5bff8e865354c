#include "lib/runtime/launcher.h"

#include <signal.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/runtime/launcher_test_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::runtime {
namespace {

using testing::StatusIs;

TEST_F(LauncherTest, RunsAProgramToItsEnd) {
  EXPECT_EQ(Run({.argv = {"/bin/true"}}), 0);
}

TEST_F(LauncherTest, ReportsTheExitCode) {
  EXPECT_EQ(Run({.argv = {"sh", "-c", "exit 42"}}), 42);
}

TEST_F(LauncherTest, ReportsTheSignal) {
  EXPECT_EQ(Run({.argv = {"sh", "-c",
                          "(sleep 0.01; kill -9 1) & kill -STOP 1;"
                          " exit 3"}}),
            3);
}

TEST_F(LauncherTest, WritesTheLog) {
  std::string out;
  EXPECT_EQ(Run({.argv = {"sh", "-c", "hostname; printf partial"}}, &out), 0);
  EXPECT_EQ(out, "box\npartial");
}

TEST_F(LauncherTest, SecondMonitorInADirectoryIsRefused) {
  const LaunchPlan plan = MakePlan({.argv = {"sleep", "1000"}});
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  EXPECT_THAT(
      launcher_->Start(MakeSpec(plan)),
      StatusIs(absl::StatusCode::kFailedPrecondition, Reason::kAlreadyStarted));
  CK_EXPECT_OK(Client().Stop(SIGKILL, absl::ZeroDuration()));
  EXPECT_EQ(Await(launched.events, EventType::kExited).exit_code, 137);
}

TEST_F(LauncherTest, DeadlineUndoesTheStart) {
  TestContainer container;
  container.after_clone = [](LaunchPlan& plan) {
    plan.Add(Op::kChildHook, {std::string("x"), std::string("/bin/busybox"),
                              std::vector<std::string>{"sleep", "100"},
                              std::vector<std::string>{}, uint64_t{0},
                              std::string(), std::string()});
  };
  const LaunchPlan plan = MakePlan(container);
  LaunchSpec spec = MakeSpec(plan);
  spec.deadline = absl::Now() + absl::Milliseconds(100);
  EXPECT_THAT(launcher_->Start(spec),
              StatusIs(absl::StatusCode::kDeadlineExceeded, Reason::kTimeout));
}

TEST_F(LauncherTest, ManyThreadsStartAtOnce) {
  // On one shared directory: no overlay of their own, no cgroups, no files.
  const LaunchPlan plan = MakePlan(
      {.argv = {"sh", "-c", "exit 9"}, .cgroups = false, .overlay = false});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) {
        LaunchSpec spec = MakeSpec(plan);
        spec.directory_fd = -1;
        spec.flags = kLaunchPidPrivate;
        auto launched = launcher_->Start(spec);
        ASSERT_THAT(launched, testing::IsOk());
        EXPECT_EQ(Await(launched->events, EventType::kExited).exit_code, 9);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(LauncherTest, MissingCommandIsNotFound) {
  const LaunchPlan plan = MakePlan({.argv = {"nosuch"}});
  const auto launched = launcher_->Start(MakeSpec(plan));
  EXPECT_THAT(launched,
              StatusIs(absl::StatusCode::kNotFound, Reason::kCommandNotFound));
  EXPECT_EQ(launched.status().message(),
            "exec nosuch: executable file not found in $PATH");
}

}  // namespace
}  // namespace containerkit::runtime
