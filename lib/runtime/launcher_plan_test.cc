// What single steps of a plan do, seen from inside the container.
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/launcher_test_util.h"
#include "lib/testing/matchers.h"
#include "lib/testing/require.h"

namespace containerkit::runtime {
namespace {

using testing::StatusIs;
using Strings = std::vector<std::string>;

class LauncherPlanTest : public LauncherTest {
 protected:
  // The log of `sh -c script` in a container that `change` altered.
  std::string Shell(const std::string& script, TestContainer container = {}) {
    unlink((directory() + "/log.json").c_str());
    container.argv = {"sh", "-c", script};
    std::string out;
    Run(container, &out);
    return out;
  }

  absl::Status Fail(const TestContainer& container) {
    const LaunchPlan plan = MakePlan(container);
    return launcher_->Start(MakeSpec(plan)).status();
  }

  void WriteFile(const std::string& path, const std::string& text) {
    const UniqueFd fd(
        open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    ASSERT_EQ(write(fd.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
};

Step MakeBind(std::string source, std::string target, uint64_t attr_set = 0,
              uint64_t flags = 0) {
  return Step{Op::kBind,
              {std::move(source), std::move(target), attr_set, uint64_t{0},
               uint64_t{0}, flags}};
}

TestContainer Before(Step step) {
  TestContainer container;
  container.before_pivot = [step](LaunchPlan& plan) {
    plan.Add(step.op, step.fields);
  };
  return container;
}

TestContainer Inside(std::vector<Step> steps) {
  TestContainer container;
  container.inside = [steps](LaunchPlan& plan) {
    for (const Step& step : steps) plan.Add(step.op, step.fields);
  };
  return container;
}

TestContainer BeforeExec(std::vector<Step> steps) {
  TestContainer container;
  container.before_exec = [steps](LaunchPlan& plan) {
    for (const Step& step : steps) plan.Add(step.op, step.fields);
  };
  return container;
}

TEST_F(LauncherPlanTest, RootIsAnOverlayAndTheHostIsGone) {
  EXPECT_EQ(Shell("touch /made; ls /; grep -c . /proc/self/mountinfo"),
            "bin\ndev\netc\nmade\nold\nproc\nsys\ntmp\n4\n");
  EXPECT_EQ(access((base() + "/upper/made").c_str(), F_OK), 0);
  EXPECT_NE(access((rootfs() + "/made").c_str(), F_OK), 0);
}

TEST_F(LauncherPlanTest, RootCanBeADirectory) {
  EXPECT_EQ(Shell("touch /made; echo ok", {.overlay = false}), "ok\n");
  EXPECT_EQ(access((rootfs() + "/made").c_str(), F_OK), 0);
}

TEST_F(LauncherPlanTest, BindsFilesAndDirectories) {
  WriteFile(base() + "/file", "content\n");
  TestContainer container =
      Before(MakeBind(base() + "/file", "/a/b/c", MOUNT_ATTR_RDONLY));
  EXPECT_EQ(Shell("cat /a/b/c; echo x 2>/dev/null >/a/b/c || echo refused",
                  container),
            "content\nrefused\n");
  container = Before(MakeBind(base() + "/container", "/dir"));
  EXPECT_EQ(Shell("ls /dir | head -n 1; touch /dir/new", container),
            "log.json\n");
  EXPECT_EQ(access((directory() + "/new").c_str(), F_OK), 0);
}

TEST_F(LauncherPlanTest, MissingBindSourceIsSaid) {
  const absl::Status status = Fail(Before(MakeBind("/no/such", "/x")));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound,
                               Reason::kMountSourceMissing));
  EXPECT_EQ(GetErrorDetail(status)->path, "/no/such");
  EXPECT_EQ(GetErrorDetail(status)->os_errno, ENOENT);
}

TEST_F(LauncherPlanTest, TargetsNeverLeaveTheRoot) {
  const std::string canary = base() + "/canary";
  ASSERT_EQ(mkdir(canary.c_str(), 0755), 0);
  ASSERT_EQ(symlink(canary.c_str(), (rootfs() + "/absolute").c_str()), 0);
  ASSERT_EQ(symlink("../../../../../../../../tmp/../../../..",
                    (rootfs() + "/relative").c_str()),
            0);
  ASSERT_EQ(symlink("absolute", (rootfs() + "/chain").c_str()), 0);
  for (const char* target :
       {"/absolute/x", "/relative/x", "/chain/y", "/chain"}) {
    Run(Before(MakeBind(base() + "/container", target)));
    Run(Before(MakeBind("/dev/null", std::string(target) + "/file")));
  }
  Run(Before({Op::kWriteFile,
              {std::string("/absolute/w"), std::string("x"), uint64_t{0644}}}));
  Run(Before(
      {Op::kMkdir,
       {std::string("/chain/z"), uint64_t{0755}, uint64_t{0}, uint64_t{0}}}));
  Run(Before(
      {Op::kSymlink, {std::string("content"), std::string("/absolute/link")}}));
  EXPECT_EQ(rmdir(canary.c_str()), 0) << "something was made in it";
}

TEST_F(LauncherPlanTest, OnlyProcfsIsMountedOnProc) {
  const absl::Status on = Fail(Before(MakeBind(base(), "/proc")));
  EXPECT_THAT(
      on, StatusIs(absl::StatusCode::kPermissionDenied, Reason::kMountFailed));
  const absl::Status below =
      Fail(Before(MakeBind("/dev/null", "/proc/self/attr/exec")));
  EXPECT_THAT(below, StatusIs(absl::StatusCode::kPermissionDenied,
                              Reason::kMountFailed));
  ASSERT_EQ(symlink("proc/sys", (rootfs() + "/sneaky").c_str()), 0);
  const absl::Status link = Fail(Before(MakeBind(base(), "/sneaky")));
  EXPECT_THAT(link, StatusIs(absl::StatusCode::kPermissionDenied,
                             Reason::kMountFailed));
}

TEST_F(LauncherPlanTest, MasksAndReadonlyPaths) {
  const auto mask = [](const char* path) {
    return Step{Op::kMaskPath, {std::string(path)}};
  };
  const TestContainer container =
      Inside({mask("/proc/timer_list"),
              mask("/proc/irq"),
              mask("/proc/fs"),
              mask("/no/such"),
              {Op::kReadonlyPath, {std::string("/proc/sys")}}});
  EXPECT_EQ(Shell("wc -c </proc/timer_list; ls /proc/irq /proc/fs | wc -l;"
                  "echo 1 2>/dev/null >/proc/sys/kernel/msgmax || echo ro; "
                  "umount /proc/sys 2>/dev/null && echo un; echo end",
                  container),
            "0\n3\nro\nun\nend\n");
}

TEST_F(LauncherPlanTest, MaskRefusesAFalseNull) {
  ASSERT_EQ(mkdir((rootfs() + "/dev2").c_str(), 0755), 0);
  TestContainer container = Inside({
      {Op::kMaskPath, {std::string("/proc/timer_list")}},
  });
  container.before_pivot = [](LaunchPlan& plan) {
    // What an image or volume could have put there.
    plan.Add(Op::kMount,
             {std::string("tmpfs"), std::string("tmpfs"), Strings{},
              std::string("/dev"), uint64_t{0}, uint64_t{0}, uint64_t{0}});
    plan.Add(Op::kSymlink, {std::string("/proc/sys/kernel/core_pattern"),
                            std::string("/dev/null")});
  };
  EXPECT_THAT(Fail(container), StatusIs(absl::StatusCode::kPermissionDenied,
                                        Reason::kMountFailed));
}

TEST_F(LauncherPlanTest, ReadonlyRoot) {
  EXPECT_EQ(Shell("touch /x 2>/dev/null || echo ro; touch /dev/x && echo rw",
                  Inside({{Op::kReadonlyRoot, {}}})),
            "ro\nrw\n");
}

TEST_F(LauncherPlanTest, SysctlsAreWrittenAndReadBack) {
  const auto set = [](const char* key, const char* value) {
    return Step{Op::kSysctl, {std::string(key), std::string(value)}};
  };
  EXPECT_EQ(Shell("cat /proc/sys/net/ipv4/ping_group_range "
                  "/proc/sys/kernel/msgmax | tr '\\t' ' '",
                  Inside({set("net.ipv4.ping_group_range", "0 2147483647"),
                          set("kernel/msgmax", "9000")})),
            "0 2147483647\n9000\n");
  EXPECT_THAT(Fail(Inside({set("net.ipv4.nosuch", "1")})),
              StatusIs(absl::StatusCode::kNotFound, Reason::kSysctlRefused));
  EXPECT_THAT(
      Fail(Inside({set("net/../kernel/msgmax", "1")})),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kSysctlRefused));
}

TEST_F(LauncherPlanTest, UserGroupsAndCapabilities) {
  const TestContainer container = BeforeExec(
      {{Op::kBoundingSet, {uint64_t{1} << CAP_KILL}},
       {Op::kUser,
        {uint64_t{1000}, uint64_t{1001}, Strings{"1001", "7"}, uint64_t{0}}},
       {Op::kCapabilities,
        {uint64_t{0}, uint64_t{0}, uint64_t{0}, uint64_t{0}}},
       {Op::kNoNewPrivs, {}}});
  EXPECT_EQ(
      Shell("id -u; id -g; id -G; grep -E 'Cap|NoNew' /proc/self/status | "
            "tr -d ' \\t'; echo hi >/proc/self/fd/1",
            container),
      "1000\n1001\n1001 7\nCapInh:0000000000000000\nCapPrm:0000000000000000\n"
      "CapEff:0000000000000000\nCapBnd:0000000000000020\n"
      "CapAmb:0000000000000000\nNoNewPrivs:1\nhi\n");
}

TEST_F(LauncherPlanTest, AmbientCapabilitiesSurviveTheUser) {
  const uint64_t caps = uint64_t{1} << CAP_NET_BIND_SERVICE;
  EXPECT_EQ(Shell("grep CapEff /proc/self/status | tr -d ' \\t'",
                  BeforeExec({{Op::kUser,
                               {uint64_t{1000}, uint64_t{1000}, Strings{},
                                uint64_t{0}}},
                              {Op::kCapabilities, {caps, caps, caps, caps}}})),
            "CapEff:0000000000000400\n");
}

TEST_F(LauncherPlanTest, UserIdsNeverOverflowToRoot) {
  EXPECT_THAT(
      Fail(BeforeExec(
          {{Op::kUser,
            {uint64_t{4294967295}, uint64_t{0}, Strings{}, uint64_t{0}}}})),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kSystemCall));
  EXPECT_THAT(
      Fail(BeforeExec(
          {{Op::kUser,
            {uint64_t{1} << 32, uint64_t{0}, Strings{}, uint64_t{0}}}})),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kSystemCall));
}

// Refuses mkdir(2) with errno 99.
std::string MkdirFilter() {
  const sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 99),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  return {reinterpret_cast<const char*>(program), sizeof program};
}

TEST_F(LauncherPlanTest, SeccompFilterIsLoaded) {
  EXPECT_EQ(
      Shell("mkdir /x 2>/dev/null || echo refused; "
            "grep Seccomp: /proc/self/status | tr -d '\\t'",
            BeforeExec({{Op::kSeccomp,
                         {MkdirFilter(), uint64_t{0}, std::string(),
                          std::string(), std::string(), std::string()}}})),
      "refused\nSeccomp:2\n");
  EXPECT_THAT(
      Fail(BeforeExec({{Op::kSeccomp,
                        {std::string("odd"), uint64_t{0}, std::string(),
                         std::string(), std::string(), std::string()}}})),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kSeccompInvalid));
}

TEST_F(LauncherPlanTest, LimitsUmaskAndWorkingDirectory) {
  EXPECT_EQ(
      Shell("ulimit -n; umask; pwd",
            BeforeExec({{Op::kRlimit,
                         {uint64_t{RLIMIT_NOFILE}, uint64_t{77}, uint64_t{99}}},
                        {Op::kUmask, {uint64_t{027}}},
                        {Op::kChdir, {std::string("/a/b"), uint64_t{1}}}})),
      "77\n0027\n/a/b\n");
  EXPECT_EQ(Shell("umask"), "0022\n");
  EXPECT_THAT(
      Fail(BeforeExec({{Op::kChdir, {std::string("/nosuch"), uint64_t{0}}}})),
      StatusIs(absl::StatusCode::kNotFound, Reason::kWorkingDirFailed));
}

TEST_F(LauncherPlanTest, WorkingDirectoryIsNeverOutside) {
  // CVE-2024-21626: descriptors of the host reached through /proc.
  for (int fd = 0; fd < 40; ++fd) {
    const absl::Status status = Fail(BeforeExec(
        {{Op::kChdir, {absl::StrCat("/proc/self/fd/", fd), uint64_t{0}}}}));
    EXPECT_EQ(GetReason(status), Reason::kWorkingDirFailed) << fd;
  }
}

TEST_F(LauncherPlanTest, NoDescriptorsLeak) {
  const UniqueFd leak(open("/etc/passwd", O_RDONLY));  // not O_CLOEXEC
  EXPECT_EQ(Shell("ls /proc/self/fd | tr '\\n' ' '"), "0 1 2 3 ");
}

TEST_F(LauncherPlanTest, PreservedDescriptorsGetTheirNumbers) {
  WriteFile(base() + "/first", "one\n");
  WriteFile(base() + "/second", "two\n");
  const UniqueFd first(open((base() + "/first").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd second(
      open((base() + "/second").c_str(), O_RDONLY | O_CLOEXEC));
  const LaunchPlan plan =
      MakePlan({.argv = {"sh", "-c", "cat <&4; cat <&3; ls /proc/self/fd"}});
  LaunchSpec spec = MakeSpec(plan);
  spec.extra_fds = {first.get(), second.get()};
  spec.preserve_fds = 2;
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(spec));
  Await(launched.events, EventType::kExited);
  EXPECT_EQ(Log(), "two\none\n0\n1\n2\n3\n4\n5\n");
}

TEST_F(LauncherPlanTest, GivenDescriptorsAreTheProcesssOwn) {
  WriteFile(base() + "/in", "input\n");
  const UniqueFd in(open((base() + "/in").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd out(
      open((base() + "/out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const LaunchPlan plan = MakePlan({.argv = {"cat"}});
  LaunchSpec spec = MakeSpec(plan);
  spec.stdin_fd = in.get();
  spec.stdout_fd = out.get();
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(spec));
  Await(launched.events, EventType::kExited);
  EXPECT_EQ(ReadFile(base() + "/out"), "input\n");
}

TEST_F(LauncherPlanTest, InitReapsAndForwards) {
  // A zombie, too, can be sent a signal.
  EXPECT_EQ(Shell("cat /proc/1/comm; echo $$; "
                  "(sleep 0.01 & echo $! >/tmp/orphan); "
                  "while kill -0 $(cat /tmp/orphan) 2>/dev/null; do "
                  "sleep 0.01; done; echo reaped; exit 8",
                  {.init = true}),
            "ck-init\n2\nreaped\n");
  const LaunchPlan plan = MakePlan({.argv = {"sh", "-c",
                                             "trap 'exit 5' TERM; echo up; "
                                             "while :; do sleep 0.02; done"},
                                    .init = true});
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  AwaitLog("up\n");
  CK_EXPECT_OK(Client().Stop(SIGTERM, kPatience));
  EXPECT_EQ(Await(launched.events, EventType::kExited).exit_code, 5);
}

TEST_F(LauncherPlanTest, TmpfsCopiesUp) {
  ASSERT_EQ(mkdir((rootfs() + "/data").c_str(), 0755), 0);
  ASSERT_EQ(mkdir((rootfs() + "/data/sub").c_str(), 0700), 0);
  WriteFile(rootfs() + "/data/sub/file", "content\n");
  ASSERT_EQ(symlink("/etc/passwd", (rootfs() + "/data/link").c_str()), 0);
  EXPECT_EQ(Shell("cat /data/sub/file; readlink /data/link; "
                  "stat -c %a /data/sub; stat -f -c %T /data",
                  Before({Op::kMount,
                          {std::string("tmpfs"), std::string("tmpfs"),
                           Strings{"size=1m"}, std::string("/data"),
                           uint64_t{0}, uint64_t{0}, uint64_t{kMountCopyUp}}})),
            "content\n/etc/passwd\n700\ntmpfs\n");
}

TEST_F(LauncherPlanTest, ManyLayersWithLongPaths) {
  Strings lowers = {rootfs()};
  std::string path = base() + "/" + std::string(250, 'l');
  ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
  for (int i = 0; i < 120; ++i) {
    lowers.insert(lowers.begin(), absl::StrCat(path, "/", i));
    ASSERT_EQ(mkdir(lowers.front().c_str(), 0755), 0);
    WriteFile(absl::StrCat(lowers.front(), "/layer"), absl::StrCat(i, "\n"));
  }
  LaunchPlan plan;
  const LaunchPlan usual = MakePlan({.argv = {"cat", "/layer"}});
  for (Step step : usual.steps()) {
    if (step.op == Op::kRootOverlay) step.fields[0] = lowers;
    plan.Add(step.op, step.fields);
  }
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  EXPECT_EQ(Await(launched.events, EventType::kExited).exit_code, 0);
  EXPECT_EQ(Log(), "119\n");
}

TEST_F(LauncherPlanTest, UserNamespaceWithMaps) {
  CK_REQUIRE("user-namespaces");
  ASSERT_EQ(chmod(base().c_str(), 0700), 0);  // the child may not enter
  TestContainer container;
  container.namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
                         CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
  container.after_clone = [](LaunchPlan& plan) {
    plan.Add(Op::kIdMap,
             {std::string("0 100000 65536\n"), std::string("0 100000 65536\n"),
              uint64_t{kIdMapDirect}});
    plan.Add(Op::kSync);
  };
  LaunchPlan plan;
  container.argv = {"sh", "-c",
                    "id -u; cat /proc/self/uid_map | tr -s ' '; "
                    "echo again >/proc/self/fd/1"};
  const LaunchPlan usual = MakePlan(container);
  for (Step step : usual.steps()) {
    // mknod is refused in user namespaces: the host's nodes are bound.
    if (step.op == Op::kDevice) step.fields[7] = uint64_t{1};
    plan.Add(step.op, step.fields);
  }
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  EXPECT_EQ(Await(launched.events, EventType::kExited).exit_code, 0);
  EXPECT_EQ(Log(), "0\n 0 100000 65536\nagain\n");
}

TEST_F(LauncherPlanTest, JoinsANamespaceByPath) {
  TestContainer container;
  container.argv = {"readlink", "/proc/self/ns/net"};
  container.namespaces =
      CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  LaunchPlan plan;
  plan.Add(Op::kJoinNamespace,
           {uint64_t{CLONE_NEWNET}, std::string("/proc/self/ns/net"), kNoFd,
            uint64_t{0}});
  plan.Append(MakePlan(container));
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  Await(launched.events, EventType::kExited);
  char host[64] = {};
  ASSERT_GT(readlink("/proc/self/ns/net", host, sizeof host - 1), 0);
  EXPECT_EQ(Log(), std::string(host) + "\n");
}

Step MakeHook(Op op, std::string kind, std::string script,
              uint64_t timeout_s = 0) {
  return Step{op,
              {std::move(kind), std::string("/bin/busybox"),
               Strings{"sh", "-c", std::move(script)}, Strings{"ONLY=this"},
               timeout_s, std::string("{\"pid\":"), std::string("}")}};
}

TEST_F(LauncherPlanTest, HooksGetStateAndOnlyTheirEnvironment) {
  const std::string out = base() + "/hook";
  TestContainer container;
  container.argv = {"sh", "-c", "sleep 0.01"};
  const Step hook = MakeHook(
      Op::kHook, "prestart",
      absl::StrCat(
          "/bin/busybox cat >", out, "; echo >>", out, "; pwd >>", out,
          "; /bin/busybox env | /bin/busybox grep -v -e ^_= -e PATH -e "
          "PWD -e SHLVL -e OLDPWD >>",
          out));
  container.after_clone = [&](LaunchPlan& plan) {
    plan.Add(hook.op, hook.fields);
    plan.Add(Op::kSync);
  };
  container.after_exec = [&](LaunchPlan& plan) {
    const Step late =
        MakeHook(Op::kHook, "poststart", absl::StrCat("echo late >>", out));
    plan.Add(late.op, late.fields);
  };
  const LaunchPlan plan = MakePlan(container);
  CK_ASSERT_OK_AND_ASSIGN(Launched launched, launcher_->Start(MakeSpec(plan)));
  EXPECT_EQ(ReadFile(out),
            absl::StrCat("{\"pid\":", launched.pid, "}\n/\nONLY=this\nlate\n"));
  Await(launched.events, EventType::kExited);
}

TEST_F(LauncherPlanTest, FailingHooksEndTheStart) {
  for (const Op op : {Op::kHook, Op::kChildHook}) {
    TestContainer container;
    const auto add = [&](LaunchPlan& plan, const Step& step) {
      plan.Add(op, step.fields);
    };
    container.after_clone = [&](LaunchPlan& plan) {
      add(plan, MakeHook(op, "x", "echo broken; exit 3"));
    };
    const absl::Status status = Fail(container);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                                 Reason::kHookFailed));
    EXPECT_TRUE(absl::StrContains(status.message(), "broken")) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "exit status 3")) << status;
    container.after_clone = [&](LaunchPlan& plan) {
      add(plan, MakeHook(op, "x", "sleep 100", 1));
    };
    EXPECT_THAT(Fail(container), StatusIs(absl::StatusCode::kDeadlineExceeded,
                                          Reason::kHookFailed));
  }
}

TEST_F(LauncherPlanTest, CgroupFailuresAreSaid) {
  LaunchPlan plan;
  plan.Add(Op::kMakeCgroup, {std::string("/sys/no/such")});
  const absl::Status status = launcher_->Start(MakeSpec(plan)).status();
  EXPECT_EQ(GetReason(status), Reason::kCgroupFailed) << status;
}

TEST_F(LauncherPlanTest, NotExecutableAndDirectory) {
  WriteFile(rootfs() + "/plain", "text");
  EXPECT_THAT(Fail({.argv = {"/plain"}}),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       Reason::kCommandNotExecutable));
  EXPECT_THAT(Fail({.argv = {"/bin"}}),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       Reason::kCommandNotExecutable));
  ASSERT_EQ(chmod((rootfs() + "/plain").c_str(), 0755), 0);
  EXPECT_THAT(Fail({.argv = {"/plain"}}),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       Reason::kCommandNotExecutable));
}

TEST_F(LauncherPlanTest, HelperCannotBeOverwritten) {
  // CVE-2019-5736: the entrypoint is the runtime's own executable.
  EXPECT_EQ(Shell("cat /proc/1/comm; "
                  "{ echo x >/proc/1/exe; } 2>/dev/null || echo refused",
                  {.init = true}),
            "ck-init\nrefused\n");
}

}  // namespace
}  // namespace containerkit::runtime
