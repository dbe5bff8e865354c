// A container started by an ordinary user: one id, no helper, no cgroup.
#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/runtime/launcher_test_util.h"
#include "lib/testing/matchers.h"
#include "lib/testing/require.h"

namespace containerkit::runtime {
namespace {

constexpr uid_t kUser = 1234;
using Strings = std::vector<std::string>;

class RootlessTest : public LauncherTest {
 protected:
  LaunchPlan MakeRootlessPlan(Strings argv) const {
    TestContainer container;
    container.argv = std::move(argv);
    container.cgroups = false;
    container.namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
                           CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
    const std::string map = absl::StrCat("0 ", kUser, " 1\n");
    container.after_clone = [map](LaunchPlan& plan) {
      plan.Add(Op::kIdMap, {map, map, uint64_t{kIdMapSingle}});
      plan.Add(Op::kSync);
    };
    LaunchPlan plan;
    const LaunchPlan usual = MakePlan(container);
    for (Step step : usual.steps()) {
      if (step.op == Op::kDevice) step.fields[7] = uint64_t{1};
      if (step.op == Op::kRootOverlay) {
        step.fields[3] = Strings{"userxattr"};
      }
      plan.Add(step.op, step.fields);
    }
    return plan;
  }

  // Runs `body` as an ordinary user in a process of its own.
  void AsUser(const std::function<int()>& body) {
    for (const char* name : {"", "/container", "/upper", "/work", "/mnt"}) {
      ASSERT_EQ(chown((base() + name).c_str(), kUser, kUser), 0);
    }
    const pid_t host = fork();
    if (host == 0) {
      if (setgroups(0, nullptr) != 0 || setgid(kUser) != 0 ||
          setuid(kUser) != 0) {
        _exit(100);
      }
      prctl(PR_SET_DUMPABLE, 1);
      auto launcher = Launcher::Create();
      if (!launcher.ok()) _exit(101);
      launcher_ = *std::move(launcher);
      const int result = body();
      launcher_.reset();
      _exit(result);
    }
    int status = 0;
    ASSERT_EQ(waitpid(host, &status, 0), host);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
};

TEST_F(RootlessTest, RunsAsRootOfItsOwnNamespace) {
  CK_REQUIRE("user-namespaces");
  AsUser([this] {
    const LaunchPlan plan = MakeRootlessPlan(
        {"sh", "-c", "id -u; touch /made; cat /proc/self/setgroups"});
    auto launched = launcher_->Start(MakeSpec(plan));
    if (!launched.ok()) {
      fprintf(stderr, "%s\n", launched.status().ToString().c_str());
      return 1;
    }
    const Event event = Await(launched->events, EventType::kExited);
    return event.exit_code == 0 ? 0 : 2;
  });
  EXPECT_EQ(Log(), "0\ndeny\n");
  struct stat made;
  ASSERT_EQ(stat((base() + "/upper/made").c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, kUser);
}

TEST_F(RootlessTest, ExecAndStop) {
  CK_REQUIRE("user-namespaces");
  AsUser([this] {
    const LaunchPlan plan = MakeRootlessPlan({"sleep", "1000"});
    auto launched = launcher_->Start(MakeSpec(plan));
    if (!launched.ok()) return 1;
    LaunchPlan exec;
    const LaunchPlan usual = MakeExecPlan({"id", "-u"});
    for (Step step : usual.steps()) {
      if (step.op == Op::kJoinNamespace) {
        step.fields[3] = std::get<uint64_t>(step.fields[3]) | CLONE_NEWUSER;
      }
      if (step.op == Op::kAttachCgroup) continue;
      exec.Add(step.op, step.fields);
    }
    ExecSpec spec;
    spec.plan = &exec;
    auto stream = Client().Exec(spec);
    if (!stream.ok()) return 2;
    int code = -1;
    if (ReadAll(*stream, &code) != "0\n" || code != 0) return 3;
    if (!Client().Stop(SIGTERM, absl::ZeroDuration()).ok()) return 4;
    return Await(launched->events, EventType::kExited).exit_code == 137 ? 0 : 5;
  });
}

TEST_F(RootlessTest, WithoutUserNamespaceThePrivilegeIsMissing) {
  AsUser([this] {
    TestContainer container;
    container.cgroups = false;
    const LaunchPlan plan = MakePlan(container);
    const auto launched = launcher_->Start(MakeSpec(plan));
    return GetReason(launched.status()) == Reason::kPrivilegeMissing ? 0 : 1;
  });
}

}  // namespace
}  // namespace containerkit::runtime
