// Device rules and limits on cgroup v1.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/testing/require.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

using absl::StatusCode;

// Of the host, open to root there, and not among those that every container
// may use.
constexpr char kHostDevice[] = "/dev/loop-control";

class LimitsV1Test : public EngineTest {
 protected:
  void SetUp() override {
    CK_REQUIRE("cgroup-v1");
    CK_REQUIRE("loop-devices");
    EngineTest::SetUp();
  }
  std::string Out(const ContainerConfig& config) {
    const RunResult result = Run(config);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  // Makes /dev/zero and the host's device anew under names of its own, and
  // opens both: that nodes can be made is no right to what they stand for.
  static ContainerConfig MakeAndOpen() {
    struct stat info = {};
    EXPECT_EQ(stat(kHostDevice, &info), 0) << kHostDevice;
    return Shell(absl::StrCat(
        "mknod /dev/z c 1 5 && head -c 1 /dev/z | wc -c; mknod /dev/x c ",
        major(info.st_rdev), " ", minor(info.st_rdev),
        "; for way in '</dev/x' '>/dev/x'; do ",
        "sh -c \": $way\" 2>&1 && echo opened; done; ",
        // Not in any table of this machine, so the answer is the cgroup's.
        "mknod /dev/mem c 1 1; sh -c ': </dev/mem' 2>&1; true"));
  }
};

constexpr char kMemDenied[] =
    "sh: can't open /dev/mem: Operation not permitted\n";

TEST_F(LimitsV1Test, DevicesThatWereNotGivenAreDenied) {
  EXPECT_EQ(Out(MakeAndOpen()),
            absl::StrCat("1\nsh: can't open /dev/x: Operation not permitted\n",
                         "sh: can't create /dev/x: Operation not permitted\n",
                         kMemDenied));
}

TEST_F(LimitsV1Test, DevicesThatWereGivenAreAllowedByAnyName) {
  ContainerConfig config = MakeAndOpen();
  config.devices = {{.host_path = kHostDevice}};
  EXPECT_EQ(Out(config), absl::StrCat("1\nopened\nopened\n", kMemDenied));
}

TEST_F(LimitsV1Test, DeviceRulesAllowWhatTheySay) {
  struct stat info = {};
  ASSERT_EQ(stat(kHostDevice, &info), 0);
  const std::string number =
      absl::StrCat("c ", major(info.st_rdev), ":", minor(info.st_rdev), " ");
  ContainerConfig config = MakeAndOpen();
  config.resources.device_rules = {number + "r"};
  EXPECT_EQ(Out(config),
            absl::StrCat("1\nopened\n",
                         "sh: can't create /dev/x: Operation not permitted\n",
                         kMemDenied));
  config.resources.device_rules = {number + "rwm"};
  EXPECT_EQ(Out(config), absl::StrCat("1\nopened\nopened\n", kMemDenied));
}

TEST_F(LimitsV1Test, NodesNeedTheirCapability) {
  ContainerConfig config = Shell("mknod /dev/z c 1 5 2>&1; [ ! -e /dev/z ]");
  config.security.cap_drop = {"MKNOD"};
  EXPECT_TRUE(absl::StrContains(Out(config), "Operation not permitted"));
}

TEST_F(LimitsV1Test, ProcessorsAndMemoryNodesAreThoseOfTheSet) {
  ContainerConfig config = Shell(
      "cat /sys/fs/cgroup/cpuset/cpuset.cpus /sys/fs/cgroup/cpuset/cpuset.mems;"
      " grep -E '_allowed_list' /proc/self/status | tr -d '\\t'");
  config.resources.cpuset_cpus = "0";
  config.resources.cpuset_mems = "0";
  EXPECT_EQ(Out(config), "0\n0\nCpus_allowed_list:0\nMems_allowed_list:0\n");
  config.resources.cpuset_cpus = "4095";
  auto started = engine().Create(config);
  const absl::Status status =
      started.ok() ? started->Start().status() : started.status();
  ASSERT_THAT(status, StatusIs(StatusCode::kOutOfRange, Reason::kCgroupFailed));
  EXPECT_TRUE(absl::EndsWith(GetErrorDetail(status)->path, "/cpuset.cpus"));
}

TEST_F(LimitsV1Test, SharesAndQuotasAreSetAndChanged) {
  ContainerConfig config = Shell(
      "cd /sys/fs/cgroup/cpu; cat cpu.shares cpu.cfs_quota_us "
      "cpu.cfs_period_us; touch /ready; read go; cat cpu.shares");
  config.resources.cpu_shares = 512;
  config.resources.cpu_quota_us = 30000;
  config.resources.cpu_period_us = 60000;
  config.open_stdin = true;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  StartOptions start;
  start.attach = true;
  start.attach_stdin = true;
  CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start(start));
  ASSERT_TRUE(Eventually([&] { return container.StatPath("/ready").ok(); }));
  ResourceConfig change;
  change.cpu_shares = 256;
  CK_EXPECT_OK(container.Update({.resources = change}));
  CK_EXPECT_OK(session->Write("go\n"));
  EXPECT_EQ(Drain(*session).out, "512\n30000\n60000\n256\n");
}

// The first disk of the machine.
std::string AnyDisk() {
  for (const char* disk :
       {"/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/xvda", "/dev/loop0"}) {
    struct stat info = {};
    if (stat(disk, &info) == 0 && S_ISBLK(info.st_mode)) return disk;
  }
  return "";
}

TEST_F(LimitsV1Test, RatesOfDisksAreSet) {
  const std::string disk = AnyDisk();
  ASSERT_NE(disk, "");
  struct stat info = {};
  ASSERT_EQ(stat(disk.c_str(), &info), 0);
  const std::string number =
      absl::StrCat(major(info.st_rdev), ":", minor(info.st_rdev), " ");
  ContainerConfig config = Shell(
      "cd /sys/fs/cgroup/blkio; for i in read_bps write_bps read_iops "
      "write_iops; do cat blkio.throttle.${i}_device; done");
  config.resources.device_read_bps = {{disk, 1 << 20}};
  config.resources.device_write_bps = {{disk, 2 << 20}};
  config.resources.device_read_iops = {{disk, 300}};
  config.resources.device_write_iops = {{disk, 400}};
  EXPECT_EQ(Out(config), absl::StrCat(number, "1048576\n", number, "2097152\n",
                                      number, "300\n", number, "400\n"));
}

}  // namespace
}  // namespace containerkit::testing
