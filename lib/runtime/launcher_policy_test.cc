// Restart policies, health probes, out of memory, scopes, unmonitored starts.
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/launcher_test_util.h"
#include "lib/runtime/state_file.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/socket.h"
#include "lib/testing/matchers.h"

namespace containerkit::runtime {
namespace {

using testing::StatusIs;

class LauncherPolicyTest : public LauncherTest {
 protected:
  ProcessSnapshot State() {
    const auto state = ReadProcessState(directory_fd_.get());
    EXPECT_THAT(state, testing::IsOk());
    return state.ok() ? *state : ProcessSnapshot{};
  }
};

TEST_F(LauncherPolicyTest, RestartsOnFailureUpToTheMaximum) {
  const LaunchPlan plan = MakePlan({.argv = {"sh", "-c", "echo run; exit 3"}});
  LaunchSpec spec = MakeSpec(plan);
  spec.restart_policy = kRestartOnFailure;
  spec.restart_max = 2;
  const absl::Time start = absl::Now();
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(spec));
  Event event;
  do {
    event = Await(launched.events, EventType::kExited);
  } while (event.magic != 0 && (event.flags & kEventFinal) == 0);
  EXPECT_EQ(event.exit_code, 3);
  EXPECT_EQ(event.restart_count, 2u);
  EXPECT_EQ(Log(), "run\nrun\nrun\n");
  // 100 ms, then 200 ms.
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(300));
  EXPECT_EQ(State().restart_count, 2u);
}

TEST_F(LauncherPolicyTest, SuccessIsNotAFailure) {
  const LaunchPlan plan = MakePlan({.argv = {"true"}});
  LaunchSpec spec = MakeSpec(plan);
  spec.restart_policy = kRestartOnFailure;
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(spec));
  const Event event = Await(launched.events, EventType::kExited);
  EXPECT_TRUE(event.flags & kEventFinal);
}

TEST_F(LauncherPolicyTest, StopEndsRestarting) {
  const LaunchPlan plan = MakePlan({.argv = {"false"}});
  LaunchSpec spec = MakeSpec(plan);
  spec.restart_policy = kRestartAlways;
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(spec));
  // Each pause is twice the last: a slow machine, too, comes to look in one.
  Event pause;
  ProcessState state;
  absl::Status signal;
  do {
    pause = Await(launched.events, EventType::kRestarting);
    signal = Client().Signal(SIGTERM);
    state = State().state;
  } while ((signal.ok() || state != ProcessState::kRestarting) &&
           pause.magic != 0 && pause.restart_count < 8);
  EXPECT_EQ(state, ProcessState::kRestarting);
  EXPECT_THAT(signal, StatusIs(absl::StatusCode::kFailedPrecondition,
                               Reason::kNotRunning));
  CK_EXPECT_OK(Client().Stop(SIGTERM, kPatience));
  Event event;
  do {
    event = Await(launched.events, EventType::kExited);
  } while (event.magic != 0 && (event.flags & kEventFinal) == 0);
  EXPECT_TRUE(event.flags & kEventManualStop);
  EXPECT_EQ(State().state, ProcessState::kExited);
}

TEST_F(LauncherPolicyTest, PolicyCanBeChangedLater) {
  const LaunchPlan plan = MakePlan({.argv = {"sleep", "1000"}});
  LaunchSpec spec = MakeSpec(plan);
  spec.restart_policy = kRestartAlways;
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(spec));
  CK_EXPECT_OK(Client().UpdateRestart(kRestartNo, 0));
  CK_EXPECT_OK(Client().Signal(SIGKILL));
  const Event event = Await(launched.events, EventType::kExited);
  EXPECT_TRUE(event.flags & kEventFinal);
  EXPECT_EQ(event.exit_code, 137);
}

// A probe that looks for a file, in a container that makes and removes it.
class HealthTest : public LauncherPolicyTest {
 protected:
  Launched StartProbed(std::vector<std::string> probe,
                       absl::Duration timeout = absl::Seconds(5)) {
    plan_ = MakePlan({.argv = {"sleep", "1000"}});
    probe_ = MakeExecPlan(std::move(probe));
    LaunchSpec spec = MakeSpec(plan_);
    spec.health_plan = &probe_;
    spec.health.interval_ns = 20 * 1000 * 1000;
    spec.health.timeout_ns = absl::ToInt64Nanoseconds(timeout);
    spec.health.retries = 2;
    auto launched = launcher_->Start(spec);
    EXPECT_THAT(launched, testing::IsOk());
    return launched.ok() ? *std::move(launched) : Launched{};
  }

  Event AwaitHealth(Launched& launched, Health health) {
    for (;;) {
      const Event event = Await(launched.events, EventType::kHealth);
      if (event.magic == 0 || event.health == health) return event;
    }
  }

  void Kill(Launched& launched) {
    CK_EXPECT_OK(Client().Stop(SIGKILL, absl::ZeroDuration()));
    Await(launched.events, EventType::kExited);
  }

  LaunchPlan plan_, probe_;
};

TEST_F(HealthTest, GoesThroughAllStates) {
  // The one after the first that succeeds waits, so that the log stays.
  Launched launched = StartProbed(
      {"sh", "-c",
       "echo probing; cat /tmp/good && { mkdir /tmp/seen || sleep 1000; }"},
      kPatience);
  EXPECT_EQ(AwaitHealth(launched, Health::kStarting).failing_streak, 0u);
  const Event sick = AwaitHealth(launched, Health::kUnhealthy);
  EXPECT_EQ(sick.failing_streak, 2u);
  EXPECT_EQ(State().health, Health::kUnhealthy);
  const LaunchPlan touch = MakeExecPlan({"touch", "/tmp/good"});
  ExecSpec spec;
  spec.plan = &touch;
  CK_ASSERT_OK_AND_ASSIGN(AttachStream stream, Client().Exec(spec));
  ReadAll(stream, nullptr);
  EXPECT_EQ(AwaitHealth(launched, Health::kHealthy).failing_streak, 0u);
  CK_ASSERT_OK_AND_ASSIGN(const auto log, ReadHealthLog(directory_fd_.get()));
  ASSERT_GE(log.size(), 3u);
  EXPECT_LE(log.size(), 5u);
  EXPECT_EQ(log.back().exit_code, 0);
  EXPECT_EQ(std::string(log.back().output, log.back().output_size),
            "probing\n");
  EXPECT_NE(log.front().exit_code, 0);
  EXPECT_GE(log.front().end_ns, log.front().start_ns);
  Kill(launched);
}

TEST_F(HealthTest, TimeoutKillsTheProbe) {
  Launched launched = StartProbed({"sleep", "1000"}, absl::Milliseconds(50));
  AwaitHealth(launched, Health::kUnhealthy);
  CK_ASSERT_OK_AND_ASSIGN(const auto log, ReadHealthLog(directory_fd_.get()));
  ASSERT_FALSE(log.empty());
  EXPECT_EQ(log.front().exit_code, -1);
  EXPECT_EQ(std::string(log.front().output, log.front().output_size),
            "Health check exceeded timeout (50ms)");
  Kill(launched);
}

TEST_F(HealthTest, MissingProbeIsUnhealthy) {
  Launched launched = StartProbed({"/nosuch"});
  AwaitHealth(launched, Health::kUnhealthy);
  Kill(launched);
}

TEST_F(LauncherPolicyTest, OutOfMemoryIsReported) {
  if (Cgroups().empty()) GTEST_SKIP() << "no cgroup v1 memory controller";
  const LaunchPlan plan =
      MakePlan({.argv = {"sh", "-c", "x=a; while :; do x=$x$x$x$x; done"},
                .memory_limit = "8388608"});
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  Await(launched.events, EventType::kOom);
  const Event event = Await(launched.events, EventType::kExited);
  EXPECT_EQ(event.exit_code, 137);
  EXPECT_TRUE(event.flags & kEventOom);
  EXPECT_TRUE(State().oom_killed);
}

TEST_F(LauncherPolicyTest, ScopeEndsEverything) {
  int scope[2];
  ASSERT_EQ(pipe2(scope, O_CLOEXEC), 0);
  const LaunchPlan plan =
      MakePlan({.argv = {"sh", "-c", "sleep 1000 & sleep 1000 & wait"}});
  LaunchSpec spec = MakeSpec(plan);
  spec.scope_fd = scope[0];
  spec.restart_policy = kRestartAlways;
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(spec));
  close(scope[0]);
  close(scope[1]);
  const Event event = Await(launched.events, EventType::kExited);
  EXPECT_EQ(event.exit_code, 137);
  EXPECT_TRUE(event.flags & kEventFinal);
}

TEST_F(LauncherPolicyTest, SharedPidNamespaceIsKilledByCgroup) {
  if (Cgroups().empty()) GTEST_SKIP() << "no cgroup v1";
  TestContainer container;
  container.argv = {"sh", "-c", "sleep 1000 & sleep 1000 & exit 6"};
  container.namespaces = CLONE_NEWNS | CLONE_NEWUTS;
  const LaunchPlan plan = MakePlan(container);
  LaunchSpec spec = MakeSpec(plan);
  spec.flags = kLaunchLog;
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(spec));
  EXPECT_EQ(Await(launched.events, EventType::kExited).exit_code, 6);
  // TearDown finds processes that are left.
}

TEST_F(LauncherPolicyTest, UnmonitoredProcessGoesToTheSubreaper) {
  TestContainer container;
  container.argv = {"sh", "-c", "exit 21"};
  container.await_start = true;
  container.cgroups = false;
  ASSERT_EQ(mkfifo((directory() + "/exec.fifo").c_str(), 0600), 0);
  const LaunchPlan plan = MakePlan(container);
  LaunchSpec spec = MakeSpec(plan);
  spec.flags = kLaunchUnmonitored | kLaunchPidPrivate;
  spec.directory_fd = -1;
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(spec));
  EXPECT_TRUE(launched.ready);
  EXPECT_THAT(launched.events.Next(absl::Now() + kPatience),
              StatusIs(absl::StatusCode::kUnavailable, Reason::kMonitorLost));
  const std::string comm =
      ReadFile(absl::StrCat("/proc/", launched.pid, "/comm"));
  EXPECT_NE(comm, "sh\n");
  const UniqueFd fifo(
      open((directory() + "/exec.fifo").c_str(), O_RDONLY | O_CLOEXEC));
  char byte;
  EXPECT_EQ(read(fifo.get(), &byte, 1), 1);
  // The leak check made this process the subreaper.
  // A dying monitor closes its socket before its children change hands.
  int status = 0;
  pid_t reaped = -1;
  for (int i = 0; i < 400 && reaped < 0; ++i) {
    reaped = waitpid(launched.pid, &status, 0);
    if (reaped < 0) usleep(5000);
  }
  ASSERT_EQ(reaped, launched.pid);
  EXPECT_EQ(WEXITSTATUS(status), 21);
}

TEST_F(LauncherPolicyTest, MonitoredProcessWaitsForItsStart) {
  TestContainer container;
  container.argv = {"sh", "-c", "exit 22"};
  container.await_start = true;
  ASSERT_EQ(mkfifo((directory() + "/exec.fifo").c_str(), 0600), 0);
  const LaunchPlan plan = MakePlan(container);
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  EXPECT_TRUE(launched.ready);
  EXPECT_EQ(State().state, ProcessState::kCreated);
  const UniqueFd fifo(
      open((directory() + "/exec.fifo").c_str(), O_RDONLY | O_CLOEXEC));
  Await(launched.events, EventType::kStarted);
  EXPECT_EQ(Await(launched.events, EventType::kExited).exit_code, 22);
}

TEST_F(LauncherPolicyTest, KilledMonitorTakesThePrivatePidNamespaceAlong) {
  TestContainer container;
  container.argv = {"sleep", "1000"};
  container.cgroups = false;
  container.before_exec = [](LaunchPlan& plan) {
    plan.Add(Op::kDieWithMonitor);
  };
  const LaunchPlan plan = MakePlan(container);
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  CK_ASSERT_OK_AND_ASSIGN(const UniqueFd pidfd, sys::OpenPidfd(launched.pid));
  const pid_t monitor = State().monitor_pid;
  ASSERT_GT(monitor, 1);
  ASSERT_EQ(kill(monitor, SIGKILL), 0);
  CK_EXPECT_OK(sys::WaitForExit(pidfd.get(), absl::Now() + kPatience));
  EXPECT_EQ(State().state, ProcessState::kLost);
  EXPECT_THAT(launched.events.Next(absl::Now() + kPatience),
              StatusIs(absl::StatusCode::kUnavailable, Reason::kMonitorLost));
  waitpid(launched.pid, nullptr, 0);
}

TEST_F(LauncherPolicyTest, ConsoleSocketReceivesTheTerminal) {
  CK_ASSERT_OK_AND_ASSIGN(auto pair, sys::MakeSocketPair());
  TestContainer container;
  container.argv = {"sh", "-c", "tty; exit 2"};
  container.terminal = true;
  const LaunchPlan plan = MakePlan(container);
  LaunchSpec spec = MakeSpec(plan);
  spec.flags |= kLaunchTty;
  spec.console_fd = pair.second.get();
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(spec));
  char name[64] = {};
  iovec iov{name, sizeof name - 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ASSERT_GT(recvmsg(pair.first.get(), &message, MSG_CMSG_CLOEXEC), 0);
  EXPECT_STREQ(name, "/dev/pts/0");
  int master_number;
  memcpy(&master_number, CMSG_DATA(CMSG_FIRSTHDR(&message)),
         sizeof master_number);
  const UniqueFd master(master_number);
  EXPECT_EQ(Await(launched.events, EventType::kExited).exit_code, 2);
  char text[64] = {};
  EXPECT_GT(read(master.get(), text, sizeof text - 1), 0);
  EXPECT_STREQ(text, "/dev/pts/0\r\n");
}

}  // namespace
}  // namespace containerkit::runtime
