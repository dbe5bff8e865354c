// The rarer steps of a plan, and what a hostile container sees of an exec.
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/failure.h"
#include "lib/runtime/launcher_test_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::runtime {
namespace {

using testing::StatusIs;
using Strings = std::vector<std::string>;

class LauncherStepsTest : public LauncherTest {
 protected:
  std::string Shell(const std::string& script, const LaunchPlan& plan) {
    unlink((directory() + "/log.json").c_str());
    auto launched = launcher_->Start(MakeSpec(plan));
    EXPECT_THAT(launched, testing::IsOk()) << script;
    if (!launched.ok()) return launched.status().ToString();
    Await(launched->events, EventType::kExited);
    return Log();
  }

  // The usual plan for `sh -c script` with steps inside the root.
  LaunchPlan Plan(const std::string& script, const std::vector<Step>& steps,
                  bool before_exec = false) {
    TestContainer container;
    container.argv = {"sh", "-c", script};
    const auto add = [steps](LaunchPlan& plan) {
      for (const Step& step : steps) plan.Add(step.op, step.fields);
    };
    (before_exec ? container.before_exec : container.inside) = add;
    return MakePlan(container);
  }

  std::string Inside(const std::string& script,
                     const std::vector<Step>& steps) {
    return Shell(script, Plan(script, steps));
  }
};

TEST_F(LauncherStepsTest, NamesAndLoopback) {
  EXPECT_EQ(Inside("cat /proc/sys/kernel/domainname; "
                   "grep -c lo: /proc/net/dev; cat /sys/class/net/lo/flags",
                   {{Op::kDomainname, {std::string("example")}},
                    {Op::kLoopbackUp, {}},
                    {Op::kMount,
                     {std::string("sysfs"), std::string("sysfs"), Strings{},
                      std::string("/sys"), uint64_t{MOUNT_ATTR_RDONLY},
                      uint64_t{0}, uint64_t{0}}}}),
            "example\n1\n0x9\n");
}

TEST_F(LauncherStepsTest, TimeNamespace) {
  const std::string out = Inside(
      "cat /proc/self/timens_offsets | tr -s ' '; "
      "read up rest </proc/uptime; echo ${up%%.*}",
      {{Op::kTimeOffsets, {std::string("boottime 1000000 0\n")}}});
  const Strings lines = absl::StrSplit(out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 3u) << out;
  EXPECT_EQ(lines[1], "boottime 1000000 0");
  EXPECT_GT(atoi(lines[2].c_str()), 999999);
}

TEST_F(LauncherStepsTest, SchedulerPriorityAndPersonality) {
  // SCHED_BATCH with nice 5; best effort, level 7; PER_LINUX32.
  EXPECT_EQ(
      Shell("", Plan("set -- $(cat /proc/self/stat); echo ${19} ${41}; "
                     "cat /proc/self/personality",
                     {{Op::kScheduler,
                       {uint64_t{3}, uint64_t{0}, uint64_t{5}, uint64_t{0},
                        uint64_t{0}, uint64_t{0}, uint64_t{0}}},
                      {Op::kIoPriority, {uint64_t{2 << 13 | 7}}},
                      {Op::kPersonality, {uint64_t{8}}}},
                     true)),
      "5 3\n00000008\n");
}

TEST_F(LauncherStepsTest, SessionKeyring) {
  const std::string out = Shell(
      "", Plan("echo ok", {{Op::kSessionKeyring, {std::string("ck")}}}, true));
  EXPECT_EQ(out, "ok\n");
}

TEST_F(LauncherStepsTest, RootByMove) {
  LaunchPlan plan;
  const LaunchPlan usual = MakePlan({.argv = {"ls", "/"}});
  for (const Step& step : usual.steps()) {
    plan.Add(step.op == Op::kPivotRoot ? Op::kMoveRoot : step.op, step.fields);
  }
  EXPECT_EQ(Shell("", plan), "bin\ndev\netc\nold\nproc\nsys\ntmp\n");
}

TEST_F(LauncherStepsTest, SharedHostRootIsNotUnmounted) {
  LaunchPlan plan;
  const LaunchPlan usual = MakePlan({.argv = {"ls", "/old"}});
  for (Step step : usual.steps()) {
    if (step.op == Op::kPropagation) {
      step.fields = {uint64_t{MS_SLAVE}, uint64_t{0}};
    }
    plan.Add(step.op, step.fields);
  }
  EXPECT_EQ(Shell("", plan), "");
  // TearDown compares the host's mounts.
}

TEST_F(LauncherStepsTest, SeccompListenerReceivesTheState) {
  const std::string path = base() + "/agent";
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof address),
            0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  const sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const LaunchPlan plan =
      Plan("echo ok",
           {{Op::kSeccomp,
             {std::string(reinterpret_cast<const char*>(allow), sizeof allow),
              uint64_t{0}, path, std::string("meta\"data"),
              std::string("{\"pid\":"), std::string("}")}}},
           true);
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  const UniqueFd agent(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  char state[1024] = {};
  iovec iov{state, sizeof state - 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ASSERT_GT(recvmsg(agent.get(), &message, MSG_CMSG_CLOEXEC), 0);
  EXPECT_EQ(std::string(state),
            absl::StrCat("{\"ociVersion\":\"1.2.0\",\"fds\":[\"seccompFd\"],"
                         "\"pid\":",
                         launched.pid,
                         ",\"metadata\":\"meta\\\"data\","
                         "\"state\":{\"pid\":",
                         launched.pid, "}}"));
  ASSERT_NE(CMSG_FIRSTHDR(&message), nullptr);
  int fd;
  std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  close(fd);
  EXPECT_EQ(Await(launched.events, EventType::kExited).exit_code, 0);
}

TEST_F(LauncherStepsTest, DeviceProgramOnCgroupV2) {
  const std::string mount = "/sys/fs/cgroup/unified";
  if (access((mount + "/cgroup.procs").c_str(), F_OK) != 0) {
    GTEST_SKIP() << "no cgroup v2 at " << mount;
  }
  const std::string group = absl::StrCat(mount, "/ck-test-", getpid());
  // Allows what BPF_DEVCG_ACC_MKNOD says, in the upper half of access_type.
  const bpf_insn program[] = {
      {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_0, BPF_REG_1, 0, 0},
      {BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 16},
      {BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_0, 0, 0, BPF_DEVCG_ACC_MKNOD},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  LaunchPlan plan;
  plan.Add(Op::kMakeCgroup, {group});
  plan.Add(Op::kDeviceProgram,
           {group,
            std::string(reinterpret_cast<const char*>(program), sizeof program),
            uint64_t{0}});
  const LaunchPlan usual =
      MakePlan({.argv = {"sh", "-c",
                         "cat /proc/self/cgroup | grep -c ck-test; "
                         "cat /dev/null || echo denied"},
                .cgroups = false});
  for (Step step : usual.steps()) {
    if (step.op == Op::kClone) step.fields[1] = group;
    plan.Add(step.op, step.fields);
  }
  EXPECT_EQ(Shell("", plan), "1\ndenied\n");
  EXPECT_NE(access(group.c_str(), F_OK), 0);
}

TEST_F(LauncherStepsTest, CgroupsMadeInsideAreRemovedToo) {
  if (Cgroups().empty()) GTEST_SKIP() << "no cgroup v1";
  const std::string inside = Cgroups().front();
  TestContainer container;
  container.argv = {"sleep", "1000"};
  const LaunchPlan plan = MakePlan(container);
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  ASSERT_EQ(mkdir((inside + "/sub").c_str(), 0755), 0);
  ASSERT_EQ(mkdir((inside + "/sub/deep").c_str(), 0755), 0);
  CK_EXPECT_OK(Client().Stop(SIGKILL, absl::ZeroDuration()));
  Await(launched.events, EventType::kExited);
  EXPECT_NE(access(inside.c_str(), F_OK), 0);
}

TEST_F(LauncherStepsTest, NullIsTheContainersOwn) {
  struct stat before;
  ASSERT_EQ(stat("/dev/null", &before), 0);
  // Its stdin is /dev/null: of the container, not of the host.
  EXPECT_EQ(Inside("stat -L -c %d /proc/self/fd/0 >/tmp/a; "
                   "stat -c %d /dev/null >/tmp/b; read a </tmp/a; "
                   "read b </tmp/b; [ $a = $b ] && echo own",
                   {}),
            "own\n");
}

TEST_F(LauncherStepsTest, SharedParentCgroupIsNotOurs) {
  if (Cgroups().empty()) GTEST_SKIP() << "no cgroup v1";
  const std::string parent =
      Cgroups().front().substr(0, Cgroups().front().rfind('/'));
  LaunchPlan plan;
  plan.Add(Op::kMakeCgroup, {parent});
  plan.Append(MakePlan({.argv = {"sleep", "1000"}}));
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  // A neighbour that another program just made: empty, not yet entered.
  const std::string neighbour = parent + "/neighbour";
  ASSERT_EQ(mkdir(neighbour.c_str(), 0755), 0);
  CK_EXPECT_OK(Client().Stop(SIGKILL, absl::ZeroDuration()));
  Await(launched.events, EventType::kExited);
  EXPECT_EQ(rmdir(neighbour.c_str()), 0);
  EXPECT_EQ(rmdir(parent.c_str()), 0);
}

TEST_F(LauncherStepsTest, InitWorksUnderAFilterWithoutClone3) {
  const sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  TestContainer container;
  container.argv = {"sh", "-c", "exit 13"};
  container.init = true;
  container.before_exec = [&](LaunchPlan& plan) {
    plan.Add(Op::kSeccomp, {std::string(reinterpret_cast<const char*>(program),
                                        sizeof program),
                            uint64_t{0}, std::string(), std::string(),
                            std::string(), std::string()});
    plan.Add(Op::kChildHook,
             {std::string("startContainer"), std::string("/bin/busybox"),
              Strings{"true"}, Strings{}, uint64_t{0}, std::string(),
              std::string()});
  };
  EXPECT_EQ(Run(container), 13);
}

TEST_F(LauncherStepsTest, StopKillsAFrozenContainer) {
  std::string freezer;
  for (const std::string& path : Cgroups()) {
    if (absl::StrContains(path, "/freezer/")) freezer = path;
  }
  if (freezer.empty()) GTEST_SKIP() << "no freezer";
  const LaunchPlan plan = MakePlan({.argv = {"sleep", "1000"}});
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  const UniqueFd state(
      open((freezer + "/freezer.state").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(write(state.get(), "FROZEN", 6), 6);
  const LaunchPlan exec = MakeExecPlan({"true"});
  ExecSpec spec;
  spec.plan = &exec;
  CK_ASSERT_OK_AND_ASSIGN(AttachStream stream, Client().Exec(spec));
  CK_ASSERT_OK_AND_ASSIGN(const AttachPacket packet,
                          stream.Read(absl::Now() + kPatience));
  ASSERT_EQ(packet.event.type, EventType::kFailed);
  EXPECT_THAT(FailureStatus(packet.event.failure),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       Reason::kContainerPaused));
  CK_EXPECT_OK(Client().Stop(SIGTERM, absl::Milliseconds(20)));
  EXPECT_EQ(Await(launched.events, EventType::kExited).exit_code, 137);
}

TEST_F(LauncherStepsTest, CancelledStartLeavesNothing) {
  const CancelToken cancel;
  cancel.Cancel();
  const LaunchPlan plan = Plan("echo", {});
  LaunchPlan slow;
  for (const Step& step : plan.steps()) {
    slow.Add(step.op, step.fields);
    if (step.op == Op::kClone) {
      // Without an end: the cancellation comes first.
      slow.Add(Op::kChildHook, {std::string("x"), std::string("/bin/busybox"),
                                Strings{"sleep", "1000"}, Strings{},
                                uint64_t{0}, std::string(), std::string()});
    }
  }
  LaunchSpec spec = MakeSpec(slow);
  spec.cancel = &cancel;
  EXPECT_THAT(launcher_->Start(spec),
              StatusIs(absl::StatusCode::kCancelled, Reason::kCancelled));
  // TearDown sees that all is gone.
}

TEST_F(LauncherStepsTest, ExecShowsNothingOfTheHost) {
  // R03: a container that may ptrace looks at every process that appears.
  const LaunchPlan plan =
      MakePlan({.argv = {"sh", "-c",
                         "echo up; while :; do for p in /proc/[0-9]*; do "
                         "[ $p = /proc/1 ] || readlink $p/root $p/cwd $p/fd/*; "
                         "done; done 2>/dev/null"}});
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  AwaitLog("up\n");
  const LaunchPlan exec = MakeExecPlan({"true"});
  for (int i = 0; i < 100; ++i) {
    ExecSpec spec;
    spec.plan = &exec;
    CK_ASSERT_OK_AND_ASSIGN(AttachStream stream, Client().Exec(spec));
    ReadAll(stream, nullptr);
  }
  CK_EXPECT_OK(Client().Stop(SIGKILL, absl::ZeroDuration()));
  Await(launched.events, EventType::kExited);
  std::set<std::string> seen;
  for (const auto line : absl::StrSplit(Log(), '\n', absl::SkipEmpty())) {
    std::string text(line);
    const size_t bracket = text.find('[');
    seen.insert(text.substr(0, bracket));
  }
  for (const std::string& text : seen) {
    const bool known = text == "up" || text == "/" || text == "pipe:" ||
                       text == "socket:" || text == "/dev/null" ||
                       absl::StartsWith(text, "/proc");
    EXPECT_TRUE(known) << text;
  }
}

}  // namespace
}  // namespace containerkit::runtime
