#include "lib/runtime/launcher.h"

#include <sys/wait.h>

#include <string>

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
