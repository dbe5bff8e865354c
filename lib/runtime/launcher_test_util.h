// A container made by hand: what the tests of launcher and monitor start.
#ifndef CONTAINERKIT_LIB_RUNTIME_LAUNCHER_TEST_UTIL_H_
#define CONTAINERKIT_LIB_RUNTIME_LAUNCHER_TEST_UTIL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/launcher.h"
#include "lib/runtime/monitor_client.h"
#include "lib/runtime/plan.h"
#include "lib/testing/leak_check.h"

namespace containerkit::runtime {

// How a test's container differs from the usual one.
struct TestContainer {
  std::vector<std::string> argv = {"/bin/true"};
  std::vector<std::string> env = {"PATH=/bin", "HOME=/"};
  uint64_t namespaces = 0;  // 0: all but user
  bool cgroups = true;
  bool overlay = true;
  bool terminal = false;
  bool init = false;
  bool await_start = false;
  std::string memory_limit;  // bytes
  // Adds steps before the process steps; root is "/" by then.
  std::function<void(LaunchPlan&)> inside;
  // Adds steps before PivotRoot.
  std::function<void(LaunchPlan&)> before_pivot;
  // Adds steps of the monitor right after Clone.
  std::function<void(LaunchPlan&)> after_clone;
  // Adds steps just before FindExecutable.
  std::function<void(LaunchPlan&)> before_exec;
  std::function<void(LaunchPlan&)> after_exec;
};

// How long anything is waited for that a test knows will happen.
inline constexpr absl::Duration kPatience = absl::Seconds(30);

// A busybox root file system, a container directory and a Launcher; checks
// that nothing of the containers is left.
class LauncherTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  LaunchPlan MakePlan(const TestContainer& container) const;
  // An exec plan for the container that the monitor runs.
  LaunchPlan MakeExecPlan(std::vector<std::string> argv) const;

  // directory_fd, flags (log, own pid namespace), oom_path.
  LaunchSpec MakeSpec(const LaunchPlan& plan) const;

  // The events until one of `type`; fails the test after kPatience.
  static Event Await(EventStream& events, EventType type);
  // Output of a stream until kExited, whose code goes to *exit_code.
  static std::string ReadAll(AttachStream& stream, int* exit_code);

  // Starts and waits: the exit code, or -1 with a test failure.
  int Run(const TestContainer& container, std::string* out = nullptr);

  // Waits until `text` is in the standard output.
  void AwaitLog(const std::string& text) const;

  // The text of log.json's records of one stream.
  std::string Log(const std::string& stream = "stdout") const;
  std::string ReadFile(const std::string& path) const;
  MonitorClient Client() const;

  const std::string& base() const { return base_; }
  std::string rootfs() const { return base_ + "/rootfs"; }
  std::string directory() const { return base_ + "/container"; }
  // <controller mount>/ck-test-<pid>/c for the v1 controllers memory, pids
  // and freezer; empty on machines without them.
  std::vector<std::string> Cgroups() const;

  std::unique_ptr<Launcher> launcher_;
  UniqueFd directory_fd_;

 private:
  std::string base_;
  std::unique_ptr<testing::Snapshot> before_;
};

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_LAUNCHER_TEST_UTIL_H_
