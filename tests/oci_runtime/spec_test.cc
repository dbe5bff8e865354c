// What a config.json asks for, as the process inside finds it: one probe a
// feature of the runtime spec.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/require.h"
#include "tests/oci_runtime/oci_fixture.h"

namespace containerkit::oci_test {
namespace {

using ::testing::HasSubstr;

// Mounts of the test itself, gone with it.
class HostMount {
 public:
  HostMount(const std::string& source, const std::string& target,
            const char* type, unsigned long flags)
      : target_(target) {
    EXPECT_EQ(mount(source.c_str(), target.c_str(), type, flags, nullptr), 0)
        << target;
  }
  ~HostMount() { umount2(target_.c_str(), MNT_DETACH); }
  HostMount(const HostMount&) = delete;
  HostMount& operator=(const HostMount&) = delete;

 private:
  const std::string target_;
};

class SpecTest : public OciTest {
 protected:
  // What the process printed, both streams; it must end well.
  std::string Out(const Json& config) {
    const Result result = RunConfig(config);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out + result.err;
  }

  std::string NamespacePath(const std::string& id, const std::string& name) {
    return absl::StrCat("/proc/", State(id)["pid"].get<int>(), "/ns/", name);
  }

  std::string NamespaceOf(const std::string& id, const std::string& name) {
    char link[64] = {};
    EXPECT_GT(readlink(NamespacePath(id, name).c_str(), link, sizeof link - 1),
              0);
    return link;
  }

  static void MapIds(Json& config, const Json& uids, const Json& gids) {
    config["linux"]["namespaces"].push_back({{"type", "user"}});
    config["linux"]["uidMappings"] = uids;
    config["linux"]["gidMappings"] = gids;
  }

  static Json Range(int container, int host, int size) {
    return {{"containerID", container}, {"hostID", host}, {"size", size}};
  }
};

// `readlink` of these namespaces of the process itself.
std::string ReadNamespaces(const std::string& names) {
  return absl::StrCat("for n in ", names,
                      "; do readlink /proc/self/ns/$n; done");
}

TEST_F(SpecTest, NamespacesAreJoinedByPath) {
  Json first = Config("exec sleep 100");
  first["linux"]["namespaces"].push_back({{"type", "cgroup"}});
  WriteConfig(first);
  MustOci({"run", "-d", "-b", bundle(), "a"});
  Json second = Config(ReadNamespaces("pid net ipc uts cgroup mnt"));
  second["linux"]["namespaces"] = {
      {{"type", "mount"}},
      {{"type", "pid"}, {"path", NamespacePath("a", "pid")}},
      {{"type", "network"}, {"path", NamespacePath("a", "net")}},
      {{"type", "ipc"}, {"path", NamespacePath("a", "ipc")}},
      {{"type", "uts"}, {"path", NamespacePath("a", "uts")}},
      {{"type", "cgroup"}, {"path", NamespacePath("a", "cgroup")}}};
  const std::vector<std::string> seen = absl::StrSplit(Out(second), '\n');
  ASSERT_EQ(seen.size(), 7u);
  EXPECT_EQ(seen[0], NamespaceOf("a", "pid"));
  EXPECT_EQ(seen[1], NamespaceOf("a", "net"));
  EXPECT_EQ(seen[2], NamespaceOf("a", "ipc"));
  EXPECT_EQ(seen[3], NamespaceOf("a", "uts"));
  EXPECT_EQ(seen[4], NamespaceOf("a", "cgroup"));
  EXPECT_NE(seen[5], NamespaceOf("a", "mnt"));
}

TEST_F(SpecTest, AUserNamespaceIsJoinedByPathWithItsMaps) {
  CK_REQUIRE("user-namespaces");
  Json first = Config("exec sleep 100");
  MapIds(first, Json::array({Range(0, 100000, 1000)}),
         Json::array({Range(0, 100000, 1000)}));
  WriteConfig(first);
  MustOci({"run", "-d", "-b", bundle(), "a"});
  Json second = Config(absl::StrCat(
      ReadNamespaces("user net"),
      "; while read a b c; do echo $a $b $c; done < /proc/self/uid_map; "
      "id -u"));
  second["linux"]["namespaces"] = {
      {{"type", "mount"}},
      {{"type", "pid"}},
      {{"type", "user"}, {"path", NamespacePath("a", "user")}},
      {{"type", "network"}, {"path", NamespacePath("a", "net")}}};
  EXPECT_EQ(Out(second),
            absl::StrCat(NamespaceOf("a", "user"), "\n",
                         NamespaceOf("a", "net"), "\n0 100000 1000\n0\n"));
}

TEST_F(SpecTest, APathThatIsNoSuchNamespaceIsRefused) {
  Json config = Config("true");
  config["linux"]["namespaces"] = {
      {{"type", "mount"}},
      {{"type", "network"}, {"path", "/proc/self/ns/uts"}}};
  const Result other = RunConfig(config);
  EXPECT_EQ(other.code, 1);
  EXPECT_THAT(other.err, HasSubstr("JoinNamespace /proc/self/ns/uts: setns: "
                                   "Invalid argument"));
  // The same through the process that enters pid and user namespaces.
  config["linux"]["namespaces"].push_back(
      {{"type", "pid"}, {"path", "/proc/self/ns/ipc"}});
  config["linux"]["namespaces"].erase(1);
  const Result pid = RunConfig(config);
  EXPECT_EQ(pid.code, 1);
  EXPECT_THAT(pid.err, HasSubstr("JoinNamespace /proc/self/ns/ipc: setns: "
                                 "Invalid argument"));
  WriteText(Scratch("file"), "");
  for (const char* type : {"network", "pid", "ipc", "uts", "cgroup", "user"}) {
    for (const char* name : {"none", "file"}) {
      config["linux"]["namespaces"][1] = {{"type", type},
                                          {"path", Scratch(name)}};
      const Result wrong = RunConfig(config);
      EXPECT_EQ(wrong.code, 1) << type;
      EXPECT_THAT(wrong.err, HasSubstr(Scratch(name))) << type;
    }
  }
  EXPECT_EQ(MustOci({"list", "-q"}), "");
}

TEST_F(SpecTest, ACgroupNamespaceHidesWhereTheContainerIs) {
  Json config = Config("cut -d: -f3 /proc/self/cgroup | sort -u");
  EXPECT_THAT(Out(config), HasSubstr("run-once"));
  config["linux"]["namespaces"].push_back({{"type", "cgroup"}});
  const std::string own = Out(config);
  EXPECT_THAT(own, HasSubstr("/\n"));
  EXPECT_EQ(own.find("run-once"), std::string::npos) << own;
}

TEST_F(SpecTest, SeveralRangesOfIdsAreMapped) {
  CK_REQUIRE("user-namespaces");
  ASSERT_EQ(chmod(absl::StrCat(rootfs(), "/tmp").c_str(), 01777), 0);
  Json config = Config(
      "for f in uid_map gid_map; do "
      "while read a b c; do echo $a $b $c; done < /proc/self/$f; done; "
      "touch /tmp/made; stat -c %u:%g /tmp/made");
  MapIds(
      config,
      {Range(0, 100000, 1000), Range(1000, 200000, 10), Range(5000, 300000, 1)},
      {Range(0, 100000, 1000), Range(7000, 400000, 2)});
  config["process"]["user"] = {{"uid", 1005}, {"gid", 7001}};
  EXPECT_EQ(Out(config),
            "0 100000 1000\n1000 200000 10\n5000 300000 1\n"
            "0 100000 1000\n7000 400000 2\n1005:7001\n");
  struct stat made;
  ASSERT_EQ(stat(absl::StrCat(rootfs(), "/tmp/made").c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, 200005u);
  EXPECT_EQ(made.st_gid, 400001u);
}

TEST_F(SpecTest, AReadonlyRootIsReadOnlyAndOtherMountsAreNot) {
  Json config = Config("touch /x /tmp/x; touch /dev/x && echo made");
  config["root"]["readonly"] = true;
  EXPECT_EQ(Out(config),
            "made\ntouch: /x: Read-only file system\n"
            "touch: /tmp/x: Read-only file system\n");
  EXPECT_NE(access(absl::StrCat(rootfs(), "/x").c_str(), F_OK), 0);
  config["root"]["readonly"] = false;
  EXPECT_EQ(Out(config), "made\n");
}

TEST_F(SpecTest, MaskedAndReadonlyPathsAreThoseOfTheConfig) {
  WriteText(absl::StrCat(rootfs(), "/etc/secret"), "secret\n");
  WriteText(absl::StrCat(rootfs(), "/etc/fixed"), "fixed\n");
  ASSERT_EQ(mkdir(absl::StrCat(rootfs(), "/etc/hidden").c_str(), 0755), 0);
  WriteText(absl::StrCat(rootfs(), "/etc/hidden/name"), "");
  Json config = Config(
      "exec 2>&1; cat /etc/secret; ls -A /etc/hidden; cat /etc/fixed; "
      "(echo y > /etc/fixed); (echo 1 > /proc/sys/net/ipv4/ip_forward); "
      "echo end");
  Json masked = config;
  masked["linux"]["maskedPaths"] = {"/etc/secret", "/etc/hidden", "/no/such"};
  masked["linux"]["readonlyPaths"] = {"/etc/fixed", "/proc/sys", "/no/such"};
  EXPECT_EQ(Out(masked),
            "fixed\nsh: can't create /etc/fixed: Read-only file system\n"
            "sh: can't create /proc/sys/net/ipv4/ip_forward: "
            "Read-only file system\nend\n");
  EXPECT_EQ(
      Out(config),
      "secret\nname\nfixed\nsh: write error: Operation not permitted\nend\n");
}

TEST_F(SpecTest, SysctlsAreSetInTheNamespacesOfTheContainerOnly) {
  const std::string before = ReadText("/proc/sys/kernel/msgmax");
  Json config = Config(
      "cd /proc/sys; cat net/ipv4/ip_forward net/core/somaxconn "
      "kernel/msgmax");
  config["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"},
                               {"net/core/somaxconn", "77"},
                               {"kernel.msgmax", "4099"}};
  EXPECT_EQ(Out(config), "1\n77\n4099\n");
  EXPECT_EQ(ReadText("/proc/sys/kernel/msgmax"), before);
}

TEST_F(SpecTest, SeccompRefusesByCallAndByArgument) {
  Json config = Config(
      "kill -0 1 && echo alive; kill -USR2 1 2>&1; mkdir /tmp/d 2>&1; "
      "grep ^Seccomp: /proc/self/status");
  config["linux"]["seccomp"] = {
      {"defaultAction", "SCMP_ACT_ALLOW"},
      {"syscalls",
       {{{"names", {"kill"}},
         {"action", "SCMP_ACT_ERRNO"},
         {"errnoRet", 99},  // EADDRNOTAVAIL
         {"args", {{{"index", 1}, {"value", 12}, {"op", "SCMP_CMP_EQ"}}}}},
        {{"names", {"mkdir", "mkdirat"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
  EXPECT_EQ(Out(config),
            "alive\nsh: can't kill pid 1: Cannot assign requested address\n"
            "mkdir: can't create directory '/tmp/d': Operation not permitted\n"
            "Seccomp:\t2\n");
  config["linux"].erase("seccomp");
  EXPECT_EQ(Out(config), "alive\nSeccomp:\t0\n");
}

TEST_F(SpecTest, ASeccompListenerWithoutSomethingToListenToIsIgnored) {
  Json config = Config("mkdir /tmp/d 2>&1; exit 3");
  config["linux"]["seccomp"] = {
      {"defaultAction", "SCMP_ACT_ALLOW"},
      {"listenerPath", Scratch("no-such-agent")},
      {"listenerMetadata", "m"},
      {"syscalls",
       {{{"names", {"mkdir", "mkdirat"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
  const Result result = RunConfig(config);
  EXPECT_EQ(result.code, 3) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Operation not permitted"));
  config["linux"]["seccomp"]["syscalls"][0]["action"] = "SCMP_ACT_NOTIFY";
  const Result asks = RunConfig(config);
  EXPECT_EQ(asks.code, 1);
  EXPECT_THAT(asks.err, HasSubstr(Scratch("no-such-agent")));
}

TEST_F(SpecTest, SeccompFlagsReachTheKernel) {
  CK_REQUIRE("strace");
  Json config = Config("true");
  config["linux"]["seccomp"] = {
      {"defaultAction", "SCMP_ACT_ALLOW"},
      {"flags", {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"}},
      {"syscalls", {{{"names", {"mkdir"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
  WriteConfig(config);
  const Result result = RunProgram(
      {"strace", "-f", "-qq", "-e", "trace=seccomp", "-o", Scratch("trace"),
       program(), "--root", Scratch("state"), "run", "-b", bundle(), "a"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(ReadText(Scratch("trace")),
              HasSubstr("SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG|"
                        "SECCOMP_FILTER_FLAG_SPEC_ALLOW, {"));
  config["linux"]["seccomp"]["flags"] = {"SECCOMP_FILTER_FLAG_NONE_SUCH"};
  const Result refused = RunConfig(config);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("SECCOMP_FILTER_FLAG_NONE_SUCH"));
}

TEST_F(SpecTest, DevicesAreMadeAsDescribed) {
  Json config =
      Config("stat -c '%F %t:%T %a %u:%g' /dev/owned /dev/queue /dev/null");
  config["linux"]["devices"] = {
      {{"path", "/dev/owned"},
       {"type", "c"},
       {"major", 1},
       {"minor", 5},
       {"fileMode", 0640},
       {"uid", 7},
       {"gid", 8}},
      {{"path", "/dev/queue"}, {"type", "p"}, {"fileMode", 0600}}};
  EXPECT_EQ(Out(config),
            "character special file 1:5 640 7:8\nfifo 0:0 600 0:0\n"
            "character special file 1:3 666 0:0\n");
}

TEST_F(SpecTest, DeviceRulesDecideWhatCanBeOpened) {
  CK_REQUIRE("loop-devices");
  Json config = Config(
      "exec 2>&1; (exec 3</dev/given) && echo read; "
      "(exec 3>/dev/given) && echo write; head -c 2 /dev/zero | wc -c");
  // /dev/loop-control: a device that opens without further conditions.
  config["linux"]["devices"] = {{{"path", "/dev/given"},
                                 {"type", "c"},
                                 {"major", 10},
                                 {"minor", 237},
                                 {"fileMode", 0666}}};
  const std::string no_read =
      "sh: can't open /dev/given: Operation not permitted\n";
  const std::string no_write =
      "sh: can't create /dev/given: Operation not permitted\n";
  const std::map<std::string, std::string> cases = {
      {"r", absl::StrCat("read\n", no_write, "2\n")},
      {"w", absl::StrCat(no_read, "write\n2\n")},
      {"rw", "read\nwrite\n2\n"},
      {"m", absl::StrCat(no_read, no_write, "2\n")}};
  for (const auto& [access, expected] : cases) {
    config["linux"]["resources"]["devices"] = {
        {{"allow", false}, {"access", "rwm"}},
        {{"allow", true},
         {"type", "c"},
         {"major", 10},
         {"minor", 237},
         {"access", access}}};
    EXPECT_EQ(Out(config), expected) << access;
  }
}

TEST_F(SpecTest, RlimitsAreSoftAndHard) {
  Json config = Config("ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc");
  config["process"]["rlimits"] = {
      {{"type", "RLIMIT_NOFILE"}, {"soft", 77}, {"hard", 88}},
      {{"type", "RLIMIT_CORE"}, {"soft", 0}, {"hard", 512}}};
  EXPECT_EQ(Out(config), "77\n88\n0\n1\n");
}

TEST_F(SpecTest, AllFiveSetsOfCapabilitiesAreSet) {
  Json config = Config("exec grep -E '^(Cap|NoNew)' /proc/self/status");
  config["process"]["user"] = {{"uid", 1000}, {"gid", 1000}};
  config["process"]["noNewPrivileges"] = true;
  config["process"]["capabilities"] = {
      {"bounding", {"CAP_KILL", "CAP_NET_RAW", "CAP_CHOWN"}},
      {"permitted", {"CAP_KILL", "CAP_CHOWN"}},
      {"effective", {"CAP_KILL", "CAP_CHOWN"}},
      {"inheritable", {"CAP_KILL", "CAP_NET_RAW"}},
      {"ambient", {"CAP_KILL"}}};
  EXPECT_EQ(Out(config),
            "CapInh:\t0000000000002020\nCapPrm:\t0000000000000020\n"
            "CapEff:\t0000000000000020\nCapBnd:\t0000000000002021\n"
            "CapAmb:\t0000000000000020\nNoNewPrivs:\t1\n");
}

TEST_F(SpecTest, TheUserHasItsGroupsAndUmask) {
  Json config = Config("id; umask; touch /tmp/made; stat -c %a /tmp/made");
  config["process"]["user"] = {
      {"uid", 0}, {"gid", 3}, {"additionalGids", {5, 6}}, {"umask", 0027}};
  EXPECT_EQ(Out(config), "uid=0 gid=3 groups=5,6\n0027\n640\n");
}

TEST_F(SpecTest, TheUserMayReopenItsStandardStreams) {
  Json config =
      Config("cat /dev/stdin; echo out > /dev/stdout; echo err > /dev/stderr");
  config["process"]["user"] = {{"uid", 1000}, {"gid", 1000}};
  WriteConfig(config);
  // As a shim gives them: pipes that root made, which nobody else may open.
  Strings argv = {"sh", "-c",
                  "exec 3>&1; { echo in | \"$@\" 2>&4 | cat >&3; } 4>&1 | cat",
                  "sh"};
  const auto piped = [&](const Strings& arguments) {
    Strings all = argv;
    const Strings oci = Arguments(arguments);
    all.insert(all.end(), oci.begin(), oci.end());
    return RunProgram(all);
  };
  const Result run = piped({"run", "-b", bundle(), "a"});
  EXPECT_THAT(run.out, HasSubstr("in\n"));
  EXPECT_THAT(run.out, HasSubstr("out\n"));
  EXPECT_THAT(run.out, HasSubstr("err\n"));
  EXPECT_EQ(run.err, "");
  RunSleeper("b");
  const Result exec = piped({"exec", "-u", "1000:1000", "b", "sh", "-c",
                             "cat /dev/stdin; echo out > /dev/stdout"});
  EXPECT_EQ(exec.out, "in\nout\n");
  EXPECT_EQ(exec.err, "");
}

TEST_F(SpecTest, TheOomScoreIsAdjusted) {
  Json config = Config("cat /proc/self/oom_score_adj");
  config["process"]["oomScoreAdj"] = 321;
  EXPECT_EQ(Out(config), "321\n");
  config["process"]["oomScoreAdj"] = 1001;
  const Result refused = RunConfig(config);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("process.oomScoreAdj 1001"));
}

TEST_F(SpecTest, AnOomScoreThatMayNotBeSetIsAnError) {
  Json config = Config("cat /proc/self/oom_score_adj");
  config["process"]["oomScoreAdj"] = -500;
  WriteConfig(config);
  const auto run = [&](const Strings& arguments) {
    Strings argv = {"setpriv", "--bounding-set", "-sys_resource"};
    const Strings oci = Arguments(arguments);
    argv.insert(argv.end(), oci.begin(), oci.end());
    return RunProgram(argv);
  };
  const Result refused = run({"run", "-b", bundle(), "a"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.out, "");
  EXPECT_THAT(refused.err, HasSubstr("oom_score_adj"));
  EXPECT_THAT(refused.err, HasSubstr("Permission denied"));
  EXPECT_EQ(MustOci({"list", "-q"}), "");
  // So is that of an exec.
  RunSleeper("b");
  Json process = Config("true")["process"];
  process["oomScoreAdj"] = -500;
  WriteText(Scratch("process.json"), process.dump());
  const Result exec = run({"exec", "--process", Scratch("process.json"), "b"});
  EXPECT_NE(exec.code, 0);
  EXPECT_THAT(exec.err, HasSubstr("oom_score_adj"));
  process["oomScoreAdj"] = 500;
  WriteText(Scratch("process.json"), process.dump());
  EXPECT_EQ(run({"exec", "--process", Scratch("process.json"), "b"}).code, 0);
}

TEST_F(SpecTest, AMountNamespaceOfAnotherIsRefused) {
  Json config = Config("true");
  config["linux"]["namespaces"] = {
      {{"type", "mount"}, {"path", "/proc/self/ns/mnt"}}};
  const Result result = RunConfig(config);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("joining the mount namespace /proc/self/ns/mnt"));
  EXPECT_EQ(MustOci({"list", "-q"}), "");
}

TEST_F(SpecTest, TheRootHasItsPropagation) {
  const HostMount root(rootfs(), rootfs(), nullptr, MS_BIND);
  ASSERT_EQ(mount("", rootfs().c_str(), nullptr, MS_SHARED, nullptr), 0);
  Json config =
      Config("awk '$5 == \"/\" {print $7}' /proc/self/mountinfo | cut -d: -f1");
  const std::map<std::string, std::string> cases = {
      {"private", "-\n"},
      {"rprivate", "-\n"},
      {"slave", "master\n"},
      {"shared", "shared\n"},
      {"unbindable", "unbindable\n"}};
  for (const auto& [propagation, expected] : cases) {
    config["linux"]["rootfsPropagation"] = propagation;
    EXPECT_EQ(Out(config), expected) << propagation;
  }
}

TEST_F(SpecTest, ASlaveRootSeesWhatTheHostMountsLater) {
  const HostMount root(rootfs(), rootfs(), nullptr, MS_BIND);
  ASSERT_EQ(mount("", rootfs().c_str(), nullptr, MS_SHARED, nullptr), 0);
  WriteText(Scratch("late"), "late\n");
  Json config = Config(
      "while ! grep -q late /etc/target; do sleep 0.02; done; "
      "mount | grep -c target > /dev/seen; cat /dev/seen > /tmp/seen");
  WriteText(absl::StrCat(rootfs(), "/etc/target"), "");
  config["linux"]["rootfsPropagation"] = "rslave";
  WriteConfig(config);
  MustOci({"run", "-d", "-b", bundle(), "a"});
  const HostMount late(Scratch("late"), absl::StrCat(rootfs(), "/etc/target"),
                       nullptr, MS_BIND);
  EXPECT_TRUE(WaitStatus("a", "stopped"));
  EXPECT_EQ(ReadText(absl::StrCat(rootfs(), "/tmp/seen")), "1\n");
}

TEST_F(SpecTest, MountOptionsReachTheTreeIfTheySaySo) {
  const std::string outer = Scratch("outer");
  ASSERT_EQ(mkdir(outer.c_str(), 0755), 0);
  const HostMount first("ck-test", outer, "tmpfs", 0);
  ASSERT_EQ(mkdir(absl::StrCat(outer, "/inner").c_str(), 0755), 0);
  const HostMount second("ck-test", absl::StrCat(outer, "/inner"), "tmpfs", 0);
  Json config = Config("awk '$5 ~ \"^/m\" {print $6}' /proc/self/mountinfo");
  const std::map<std::string, std::string> cases = {
      {"ro", "ro,relatime\nrw,relatime\n"},
      {"rro", "ro,relatime\nro,relatime\n"},
      {"nosuid", "rw,nosuid,relatime\nrw,relatime\n"},
      {"rnosuid", "rw,nosuid,relatime\nrw,nosuid,relatime\n"},
      {"rnodev", "rw,nodev,relatime\nrw,nodev,relatime\n"},
      {"rnoexec", "rw,noexec,relatime\nrw,noexec,relatime\n"},
      {"rnoatime", "rw,noatime\nrw,noatime\n"}};
  for (const auto& [option, expected] : cases) {
    Json changed = config;
    changed["mounts"].push_back({{"destination", "/m"},
                                 {"type", "bind"},
                                 {"source", outer},
                                 {"options", {"rbind", option}}});
    EXPECT_EQ(Out(changed), expected) << option;
  }
}

TEST_F(SpecTest, CpuAndSwapLimitsAreInTheCgroup) {
  Json config = Config("exec sleep 100");
  config["linux"]["resources"] = {
      {"cpu",
       {{"shares", 512},
        {"quota", 50000},
        {"period", 200000},
        {"cpus", "0"},
        {"mems", "0"}}},
      {"memory",
       {{"limit", 33554432}, {"reservation", 16777216}, {"swap", 50331648}}}};
  WriteConfig(config);
  MustOci({"run", "-d", "-b", bundle(), "a"});
  const bool v1 =
      !CgroupFile("a", "memory", "memory.limit_in_bytes", "").empty();
  EXPECT_EQ(CgroupFile("a", "cpu", "cpu.shares", "cpu.weight"),
            v1 ? "512\n" : "20\n");
  EXPECT_EQ(CgroupFile("a", "cpu", "cpu.cfs_quota_us", "cpu.max"),
            v1 ? "50000\n" : "50000 200000\n");
  if (v1) {
    EXPECT_EQ(CgroupFile("a", "cpu", "cpu.cfs_period_us", ""), "200000\n");
  }
  EXPECT_EQ(CgroupFile("a", "cpuset", "cpuset.cpus", "cpuset.cpus"), "0\n");
  EXPECT_EQ(CgroupFile("a", "cpuset", "cpuset.mems", "cpuset.mems"), "0\n");
  EXPECT_EQ(
      CgroupFile("a", "memory", "memory.soft_limit_in_bytes", "memory.low"),
      "16777216\n");
  EXPECT_EQ(CgroupFile("a", "memory", "memory.memsw.limit_in_bytes",
                       "memory.swap.max"),
            v1 ? "50331648\n" : "16777216\n");
}

}  // namespace
}  // namespace containerkit::oci_test
