// How long is it from Start() to the exit event of a static program, with all
// namespaces, overlay root and three cgroups, and what is an exec?
//
//   bazel run -c opt //lib/runtime:launcher_benchmark
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/runtime/launcher_test_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::runtime {
namespace {

class LauncherBenchmark : public LauncherTest {
 protected:
  static void Print(const char* name, std::vector<double> us) {
    std::sort(us.begin(), us.end());
    printf("%-28s p50 %7.0f us   p90 %7.0f us   min %7.0f us\n", name,
           us[us.size() / 2], us[us.size() * 9 / 10], us.front());
  }

  void Measure(const char* name, const TestContainer& container) {
    constexpr int kRuns = 300;
    const LaunchPlan plan = MakePlan(container);
    std::vector<double> start_us;
    std::vector<double> total_us;
    for (int i = 0; i < kRuns; ++i) {
      const absl::Time begin = absl::Now();
      auto launched = launcher_->Start(MakeSpec(plan));
      CK_ASSERT_OK(launched);
      start_us.push_back(absl::ToDoubleMicroseconds(absl::Now() - begin));
      Await(launched->events, EventType::kExited);
      total_us.push_back(absl::ToDoubleMicroseconds(absl::Now() - begin));
    }
    Print((std::string(name) + " start").c_str(), start_us);
    Print((std::string(name) + " to exit").c_str(), total_us);
  }

  // A program that does nothing but exit.
  void SetUp() override {
    LauncherTest::SetUp();
    const char* program = getenv("CK_TRUE");
    if (program == nullptr) return;
    const std::string bytes = ReadFile(program);
    const UniqueFd fd(open((rootfs() + "/bin/static").c_str(),
                           O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
    ASSERT_EQ(write(fd.get(), bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
    true_ = "/bin/static";
  }

  std::string true_ = "/bin/true";
};

TEST_F(LauncherBenchmark, StartToExit) {
  Measure("all namespaces, 3 cgroups", {.argv = {true_}});
  Measure("no cgroup", {.argv = {true_}, .cgroups = false});
  Measure("no cgroup, no net", {.argv = {true_},
                                .namespaces = CLONE_NEWNS | CLONE_NEWPID |
                                              CLONE_NEWIPC | CLONE_NEWUTS,
                                .cgroups = false});
}

TEST_F(LauncherBenchmark, Exec) {
  const LaunchPlan plan = MakePlan({.argv = {"sleep", "1000"}});
  auto launched = launcher_->Start(MakeSpec(plan));
  CK_ASSERT_OK(launched);
  const LaunchPlan exec = MakeExecPlan({true_});
  std::vector<double> us;
  for (int i = 0; i < 300; ++i) {
    const absl::Time begin = absl::Now();
    ExecSpec spec;
    spec.plan = &exec;
    auto stream = Client().Exec(spec);
    CK_ASSERT_OK(stream);
    ReadAll(*stream, nullptr);
    us.push_back(absl::ToDoubleMicroseconds(absl::Now() - begin));
  }
  Print("exec to exit", us);
  CK_EXPECT_OK(Client().Stop(SIGKILL, absl::ZeroDuration()));
  Await(launched->events, EventType::kExited);
}

}  // namespace
}  // namespace containerkit::runtime
