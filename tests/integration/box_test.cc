// What a process in a container sees, may and may not do.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "lib/testing/require.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

using absl::StatusCode;

class BoxTest : public EngineTest {
 protected:
  std::string Out(const ContainerConfig& config) {
    const RunResult result = Run(config);
    EXPECT_EQ(result.err, "");
    return result.out;
  }
  std::string Status(ContainerConfig config, const std::string& field) {
    config.cmd = {{"grep", absl::StrCat("^", field, ":"), "/proc/self/status"}};
    std::vector<std::string> words = absl::StrSplit(
        Out(config), absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
    return words.empty() ? "" : words.back();
  }
};

TEST_F(BoxTest, IsPidOneWithItsOwnNames) {
  ContainerConfig config = Shell("echo $$; hostname; cat /etc/hostname");
  config.hostname = "boxed";
  EXPECT_EQ(Out(config), "1\nboxed\nboxed\n");
}

TEST_F(BoxTest, SeesOnlyLoopbackWithoutNetwork) {
  EXPECT_EQ(Out(Shell("ls /sys/class/net; cat /sys/class/net/lo/flags")),
            "lo\n0x9\n");
}

TEST_F(BoxTest, HasDockersFourteenCapabilities) {
  const ContainerConfig config = Shell("");
  EXPECT_EQ(Status(config, "CapEff"), "00000000a80425fb");
  EXPECT_EQ(Status(config, "CapPrm"), "00000000a80425fb");
  EXPECT_EQ(Status(config, "CapBnd"), "00000000a80425fb");
  EXPECT_EQ(Status(config, "CapInh"), "0000000000000000");
  EXPECT_EQ(Status(config, "CapAmb"), "0000000000000000");
  EXPECT_EQ(Status(config, "Seccomp"), "2");
}

TEST_F(BoxTest, UserHasNoCapabilitiesAndItsGroups) {
  ContainerConfig config = Shell("id -u; id -g; id -G");
  config.user = "app";
  config.group_add = {"777"};
  EXPECT_EQ(Out(config), "1000\n1000\n1000 777 2000\n");
  EXPECT_EQ(Status(config, "CapEff"), "0000000000000000");
  EXPECT_EQ(Status(config, "CapPrm"), "0000000000000000");
}

TEST_F(BoxTest, UnknownUserIsRefusedByName) {
  ContainerConfig config = Shell("true");
  config.user = "nobody-here";
  EXPECT_THAT(engine().Create(config),
              StatusIs(StatusCode::kNotFound, Reason::kUserNotFound));
}

TEST_F(BoxTest, AddsAndDropsCapabilities) {
  ContainerConfig config = Shell("");
  config.security.cap_drop = {"ALL"};
  config.security.cap_add = {"NET_ADMIN"};
  EXPECT_EQ(Status(config, "CapEff"), "0000000000001000");
  config.security.cap_add = {"NO_SUCH_THING"};
  EXPECT_THAT(engine().Create(config), StatusIs(StatusCode::kInvalidArgument,
                                                Reason::kCapabilityUnknown));
}

TEST_F(BoxTest, MasksAndProtectsProcAndSys) {
  const RunResult result = Run(Shell(
      "for f in /proc/kcore /proc/keys /proc/timer_list; do "
      "[ ! -e $f ] || [ -z \"$(head -c1 $f)\" ] || echo $f readable; done; "
      "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do "
      "(echo x > $f) 2>/dev/null && echo $f written; done; "
      "umount /proc/kcore 2>/dev/null && echo unmasked; "
      "mount -t tmpfs none /tmp 2>/dev/null && echo mounted; "
      "unshare -U true 2>/dev/null && echo unshared; "
      "mknod /tmp/d b 8 0 2>/dev/null && cat /tmp/d 2>/dev/null && echo disk; "
      "ls /sys/firmware; exit 0"));
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.exit_code, 0);
}

// They are directories of the tmpfs on /dev, where no path leads to them.
TEST_F(BoxTest, MasksNeedNoFileSystemOfTheirOwn) {
  EXPECT_EQ(Out(Shell("for d in /sys/firmware /sys/fs/cgroup; do"
                      "  [ $(stat -f -c %t $d) = $(stat -f -c %t /dev/shm) ] &&"
                      "  [ $(stat -c %d $d) = $(stat -c %d /dev) ] ||"
                      "  grep -q \" $d cgroup2\" /proc/mounts ||"
                      "  echo \"$d has its own\";"
                      "  touch $d/x 2>/dev/null && echo \"$d is writable\";"
                      "done; ls -A /sys/firmware; ls /dev/pts")),
            "ptmx\n");
  ContainerConfig config = Shell(
      "umount /sys/firmware && ls -A /sys/firmware | grep -q . && echo shown");
  config.security.cap_add = {"SYS_ADMIN"};
  EXPECT_EQ(Out(config), "shown\n");
}

TEST_F(BoxTest, PrivilegedMayMount) {
  ContainerConfig config = Shell("mount -t tmpfs none /tmp && echo mounted");
  config.Allow(Privileged{});
  EXPECT_EQ(Out(config), "mounted\n");
}

TEST_F(BoxTest, NoNewPrivilegesIsSet) {
  ContainerConfig config = Shell("");
  config.security.no_new_privileges = true;
  EXPECT_EQ(Status(config, "NoNewPrivs"), "1");
}

TEST_F(BoxTest, UnconfinedSeccompIsANamedGrant) {
  ContainerConfig config = Shell("");
  config.Allow(UnconfinedSeccomp{});
  EXPECT_EQ(Status(config, "Seccomp"), "0");
}

TEST_F(BoxTest, CustomSeccompProfileDecides) {
  ContainerConfig config = Shell("mkdir /x 2>/dev/null || echo refused");
  config.security.seccomp = {
      .kind = SeccompChoice::Kind::kCustom,
      .profile = R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
          {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]})"};
  EXPECT_EQ(Out(config), "refused\n");
  config.security.seccomp.profile = "{";
  EXPECT_THAT(engine().Create(config).status().code(),
              StatusCode::kInvalidArgument);
}

TEST_F(BoxTest, HasNoDescriptorsButItsOwn) {
  EXPECT_EQ(Out(Shell("ls /proc/1/fd; exit 0")), "0\n1\n2\n");
}

TEST_F(BoxTest, LeakedDescriptorsOfTheHostStayOutside) {
  // Deliberately without O_CLOEXEC (R02).
  std::vector<int> leaked;
  for (int i = 0; i < 50; ++i) leaked.push_back(open("/", O_RDONLY));
  EXPECT_EQ(Out(Shell("ls /proc/1/fd; exit 0")), "0\n1\n2\n");
  for (int n = 3; n < 12; ++n) {
    ContainerConfig config = Shell("pwd");
    config.working_dir = absl::StrCat("/proc/self/fd/", n);
    absl::StatusOr<Container> container = engine().Create(config);
    if (!container.ok()) continue;
    StartOptions options;
    options.attach = true;
    auto session = container->Start(options);
    if (!session.ok()) {
      EXPECT_EQ(GetReason(session.status()), Reason::kWorkingDirFailed)
          << session.status();
      continue;
    }
    const RunResult result = Drain(**session);
    EXPECT_TRUE(absl::StartsWith(result.out, "/") || result.exit_code != 0)
        << result.out;
    EXPECT_FALSE(absl::StrContains(result.out, "unreachable"));
  }
  for (const int fd : leaked) close(fd);
}

TEST_F(BoxTest, ReadOnlyRootRefusesWrites) {
  ContainerConfig config = Shell(
      "touch /x 2>/dev/null || echo refused; touch /dev/shm/y && echo ok");
  config.readonly_root = true;
  EXPECT_EQ(Out(config), "refused\nok\n");
}

TEST_F(BoxTest, EnvironmentAndDirectoryAreTheConfigs) {
  ContainerConfig config = Shell("env | sort; pwd");
  config.env = {"A=1", "B=two words"};
  config.working_dir = "/made/here";
  config.hostname = "h";
  EXPECT_EQ(
      Out(config),
      "A=1\nB=two words\nHOME=/root\nHOSTNAME=h\n"
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
      "PWD=/made/here\nSHLVL=1\n/made/here\n");
}

TEST_F(BoxTest, InitReapsAndPassesTheExitCode) {
  ContainerConfig config = Shell("echo $$; exit 6");
  config.init = true;
  const RunResult result = Run(config);
  EXPECT_NE(result.out, "1\n");
  EXPECT_EQ(result.exit_code, 6);
}

TEST_F(BoxTest, LimitsAreSet) {
  CK_REQUIRE("cgroup-v1");
  ContainerConfig config = Shell(
      "cat /sys/fs/cgroup/memory/memory.limit_in_bytes "
      "/sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  config.resources.memory_bytes = 32 << 20;
  config.resources.pids_limit = 17;
  config.resources.nano_cpus = 500'000'000;
  EXPECT_EQ(Out(config), "33554432\n17\n50000\n");
}

TEST_F(BoxTest, MoreCpusThanThereAreAreRefused) {
  CK_ASSERT_OK_AND_ASSIGN(const EngineInfo info, engine().Info());
  ContainerConfig config = Shell("sleep 100");
  config.resources.nano_cpus = info.cpus * int64_t{1'000'000'000};
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  ContainerUpdate update;
  update.resources.nano_cpus = ++*config.resources.nano_cpus;
  for (const absl::Status& status :
       {container.Update(update), engine().Create(config).status(),
        engine().DryRun(config).status()}) {
    ASSERT_THAT(status, StatusIs(StatusCode::kInvalidArgument,
                                 Reason::kInvalidArgument));
    EXPECT_TRUE(absl::EndsWith(
        status.message(),
        absl::StrCat("range of CPUs is from 0.01 to ", info.cpus,
                     ".00, as there are only ", info.cpus, " CPUs available")))
        << status;
  }
}

TEST_F(BoxTest, OutOfMemoryIsReported) {
  ContainerConfig config = Shell("tail /dev/zero");
  config.resources.memory_bytes = 16 << 20;
  config.resources.memory_swap_bytes = 16 << 20;
  const RunResult result = Run(config);
  EXPECT_EQ(result.exit_code, 137);
  EXPECT_TRUE(result.oom_killed);
}

TEST_F(BoxTest, PidsLimitStopsAForkBomb) {
  ContainerConfig config = Shell(
      "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done 2>/dev/null; exit 3");
  config.resources.pids_limit = 4;
  EXPECT_NE(Run(config).exit_code, 3);
}

TEST_F(BoxTest, UlimitsAndSysctlsApply) {
  ContainerConfig config =
      Shell("ulimit -n; cat /proc/sys/net/ipv4/ip_forward");
  config.ulimits = {{.name = "nofile", .soft = 99, .hard = 99}};
  config.sysctls = {{"net.ipv4.ip_forward", "1"}};
  EXPECT_EQ(Out(config), "99\n1\n");
  config.sysctls = {{"kernel.core_pattern", "|/evil"}};
  EXPECT_THAT(engine().Create(config),
              StatusIs(StatusCode::kInvalidArgument, Reason::kSysctlRefused));
}

TEST_F(BoxTest, DevicesAreThoseThatWereGiven) {
  EXPECT_EQ(Out(Shell("ls -d /dev/fuse 2>/dev/null; exit 0")), "");
  ContainerConfig config = Shell("head -c 3 /dev/given | wc -c");
  config.devices = {{.host_path = "/dev/zero", .container_path = "/dev/given"}};
  EXPECT_EQ(Out(config), "3\n");
  config.devices = {{.host_path = "/dev/no-such-device"}};
  const auto created = engine().Create(config);
  EXPECT_EQ(GetReason(created.status()), Reason::kDeviceInvalid)
      << created.status();
}

TEST_F(BoxTest, SharesNamespacesOfAnotherContainer) {
  ContainerConfig first = Shell("hostname; sleep 100");
  first.hostname = "first";
  first.name = "first";
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(first));
  CK_ASSERT_OK(container.Start());
  ContainerConfig second = Shell("readlink /proc/self/ns/net; ps | wc -l");
  second.network = {.kind = NamespaceChoice::Kind::kContainer,
                    .container = "first"};
  second.pid = second.network;
  const std::string seen = Out(second);
  char link[64] = {};
  const std::string path =
      absl::StrCat("/proc/", container.Inspect()->pid, "/ns/net");
  ASSERT_GT(readlink(path.c_str(), link, sizeof link - 1), 0);
  EXPECT_TRUE(absl::StartsWith(seen, absl::StrCat(link, "\n"))) << seen;
}

TEST_F(BoxTest, HostNetworkHasTheHostsName) {
  char name[256] = {};
  ASSERT_EQ(gethostname(name, sizeof name - 1), 0);
  ContainerConfig config = Shell("echo $HOSTNAME; hostname; cat /etc/hostname");
  config.Allow(HostNetwork{});
  EXPECT_EQ(Out(config), absl::StrCat(name, "\n", name, "\n", name, "\n"));
}

TEST_F(BoxTest, ARefusedConfigNamesTheContainer) {
  ContainerConfig config = Shell("true");
  config.name = "refused";
  config.user = "nobody-of-that-name";
  const absl::Status status = engine().Create(config).status();
  EXPECT_EQ(GetReason(status), Reason::kUserNotFound) << status;
  EXPECT_EQ(GetErrorDetail(status)->object_kind, "container");
  EXPECT_EQ(GetErrorDetail(status)->object_id, "refused");
  config.name = "";
  EXPECT_EQ(GetErrorDetail(engine().Create(config).status())->object_kind,
            "image");
}

// Whose namespaces it uses may be started later, end, and be started again.
TEST_F(BoxTest, OutlivesTheContainerWhoseNetworkItUses) {
  ContainerConfig first = Shell("sleep 100");
  first.name = "owner";
  first.hostname = "owners-name";
  CK_ASSERT_OK_AND_ASSIGN(Container owner, engine().Create(first));
  ContainerConfig second = Shell(
      "echo $HOSTNAME; cat /etc/hostname; [ -e /again ] || { touch /again; "
      "while [ ! -e /die ]; do sleep .02; done; exit 1; }; sleep 100");
  second.restart.policy = RestartConfig::Policy::kAlways;
  second.network = {.kind = NamespaceChoice::Kind::kContainer,
                    .container = "owner"};
  CK_ASSERT_OK_AND_ASSIGN(Container guest, engine().Create(second));
  EXPECT_THAT(guest.Start().status(),
              StatusIs(StatusCode::kFailedPrecondition, Reason::kNotRunning));
  CK_ASSERT_OK(owner.Rename("renamed"));
  CK_ASSERT_OK(owner.Start());
  CK_ASSERT_OK(guest.Start());
  const auto network = [](Container& of) {
    char link[64] = {};
    const std::string path =
        absl::StrCat("/proc/", of.Inspect()->pid, "/ns/net");
    EXPECT_GT(readlink(path.c_str(), link, sizeof link - 1), 0);
    return std::string(link);
  };
  const std::string shared = network(owner);
  EXPECT_EQ(network(guest), shared);
  CK_ASSERT_OK(owner.Stop({.timeout = absl::ZeroDuration(), .signal = 0}));

  EXPECT_EQ(guest.Inspect()->state, ContainerState::kRunning);
  EXPECT_TRUE(engine().ListContainers({.all = true}).ok());
  CK_EXPECT_OK(guest.Pause());
  CK_EXPECT_OK(guest.Unpause());
  EXPECT_TRUE(guest.Stats().ok());
  ExecConfig exec;
  exec.command = {"touch", "/die"};
  CK_ASSERT_OK_AND_ASSIGN(Session session, guest.Exec(exec));
  Drain(session);
  // Its restart finds the network that it had.
  EXPECT_TRUE(Eventually([&] {
    const auto info = guest.Inspect();
    return info->restart_count == 1 && info->state == ContainerState::kRunning;
  }));
  EXPECT_EQ(network(guest), shared);
  std::string log;
  CK_ASSERT_OK(guest.Logs({}, [&](const Output& output) {
    log.append(output.data.data(), output.data.size());
    return true;
  }));
  EXPECT_TRUE(absl::StartsWith(log, "owners-name\n")) << log;
  CK_EXPECT_OK(guest.Remove({.force = true}));
  CK_EXPECT_OK(owner.Remove());
}

TEST_F(BoxTest, HostNetworkIsANamedGrant) {
  char link[64] = {};
  ASSERT_GT(readlink("/proc/self/ns/net", link, sizeof link - 1), 0);
  ContainerConfig config = Shell("readlink /proc/self/ns/net");
  config.Allow(HostNetwork{});
  EXPECT_EQ(Out(config), absl::StrCat(link, "\n"));
}

TEST_F(BoxTest, ControlBytesDoNotReachGeneratedFiles) {
  ContainerConfig config = Shell("true");
  config.hostname = "a\n127.0.0.1 evil";
  EXPECT_EQ(engine().Create(config).status().code(),
            StatusCode::kInvalidArgument);
  config.hostname = "";
  config.names.extra_hosts = {{"x\ny", "1.2.3.4"}};
  absl::StatusOr<Container> container = engine().Create(config);
  EXPECT_EQ((container.ok() ? container->Start().status() : container.status())
                .code(),
            StatusCode::kInvalidArgument);
}

TEST_F(BoxTest, DryRunPrintsTheStepsAndRunsNothing) {
  CK_ASSERT_OK_AND_ASSIGN(const std::string plan,
                          engine().DryRun(Shell("true")));
  EXPECT_TRUE(absl::StrContains(plan, "RootOverlay"));
  EXPECT_TRUE(absl::StrContains(plan, "PivotRoot"));
  EXPECT_TRUE(absl::StrContains(plan, "Seccomp"));
  EXPECT_LT(plan.find("Sysctl"), plan.find("Seccomp"));
  EXPECT_LT(plan.find("BoundingSet"), plan.find(" User "));
  CK_ASSERT_OK_AND_ASSIGN(const auto left,
                          engine().ListContainers({.all = true}));
  EXPECT_TRUE(left.empty());
}

TEST_F(BoxTest, StatsTopAndUpdateTellTheTruth) {
  ContainerConfig config = Shell("sleep 100");
  config.resources.memory_bytes = 64 << 20;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  EXPECT_THAT(container.Stats(),
              StatusIs(StatusCode::kFailedPrecondition, Reason::kNotRunning));
  CK_ASSERT_OK(container.Start());
  CK_ASSERT_OK_AND_ASSIGN(const ContainerStats stats, container.Stats());
  EXPECT_EQ(stats.memory_limit_bytes, uint64_t{64} << 20);
  EXPECT_GT(stats.memory_usage_bytes, 0u);
  EXPECT_GE(stats.pids_current, 1u);
  CK_ASSERT_OK_AND_ASSIGN(const ProcessTable table, container.Top());
  EXPECT_EQ(table.titles.back(), "CMD");
  ASSERT_FALSE(table.rows.empty());
  ContainerUpdate update;
  update.resources.memory_bytes = 48 << 20;
  update.resources.memory_swap_bytes = 96 << 20;
  CK_ASSERT_OK(container.Update(update));
  EXPECT_EQ(container.Stats()->memory_limit_bytes, uint64_t{48} << 20);
}

}  // namespace
}  // namespace containerkit::testing
