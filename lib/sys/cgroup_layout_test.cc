#include "lib/sys/cgroup_layout.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::sys {
namespace {

constexpr char kHybrid[] =
    "22 1 8:1 / / rw - ext4 /dev/root rw\n"
    "31 23 0:28 / /sys/fs/cgroup rw shared:3 - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:4 - cgroup cgroup "
    "rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
    "rw,xattr,release_agent=/lib/x,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
constexpr char kHybridPaths[] =
    "4:memory:/user/a\n3:cpu,cpuacct:/\n1:name=systemd:/init\n0::/unit\n";

TEST(CgroupLayoutTest, ReadsHybrid) {
  const CgroupLayout layout = ParseCgroupLayout(kHybrid, kHybridPaths, "");
  EXPECT_EQ(layout.mode, CgroupMode::kHybrid);
  ASSERT_EQ(layout.hierarchies.size(), 4u);
  const CgroupHierarchy* cpu = layout.V1("cpuacct");
  ASSERT_NE(cpu, nullptr);
  EXPECT_EQ(cpu->mount_point, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(cpu->controllers, (std::vector<std::string>{"cpu", "cpuacct"}));
  EXPECT_EQ(cpu, layout.V1("cpu"));
  EXPECT_EQ(layout.V1("memory")->own_path, "/user/a");
  EXPECT_EQ(layout.V1("name=systemd")->own_path, "/init");
  EXPECT_EQ(layout.V1("pids"), nullptr);
  ASSERT_NE(layout.V2(), nullptr);
  EXPECT_EQ(layout.V2()->own_path, "/unit");
  EXPECT_TRUE(layout.hierarchies.back().v2);
}

TEST(CgroupLayoutTest, ReadsUnified) {
  const CgroupLayout layout = ParseCgroupLayout(
      "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
      "0::/user.slice\n", "cpu io memory\n");
  EXPECT_EQ(layout.mode, CgroupMode::kUnified);
  EXPECT_EQ(layout.V2()->controllers,
            (std::vector<std::string>{"cpu", "io", "memory"}));
  EXPECT_EQ(layout.V2()->own_path, "/user.slice");
}

TEST(CgroupLayoutTest, OnlySystemdsNamedHierarchyIsNoLegacyMode) {
  const CgroupLayout layout = ParseCgroupLayout(
      "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
      "rw,name=systemd\n"
      "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
      "1:name=systemd:/\n0::/\n", "cpu");
  EXPECT_EQ(layout.mode, CgroupMode::kUnified);
}

TEST(CgroupLayoutTest, NothingIsAMode) {
  EXPECT_EQ(ParseCgroupLayout("", "", "").mode, CgroupMode::kNone);
  EXPECT_EQ(ParseCgroupLayout("garbage\n1 2 3\n - cgroup\n", "x:y\n", "").mode,
            CgroupMode::kNone);
}

TEST(CgroupLayoutTest, PathsInsideAContainerCountFromTheMountedPart) {
  const CgroupLayout layout = ParseCgroupLayout(
      "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup "
      "rw,memory\n",
      "4:memory:/docker/abc/child\n", "");
  EXPECT_EQ(layout.V1("memory")->own_path, "/child");
  const auto directories = CgroupDirectories(layout, "c1");
  ASSERT_TRUE(directories.ok());
  EXPECT_EQ((*directories)[0].path, "/sys/fs/cgroup/memory/child/c1");
}

TEST(CgroupLayoutTest, DecodesSpacesInMountPoints) {
  const CgroupLayout layout = ParseCgroupLayout(
      "35 31 0:32 / /a\\040b\\134 rw - cgroup cgroup rw,memory\n",
      "4:memory:/\n", "");
  EXPECT_EQ(layout.V1("memory")->mount_point, "/a b\\");
}

TEST(CgroupLayoutTest, AMountPointIsAbsolute) {
  EXPECT_EQ(
      ParseCgroupLayout("1 2 0:3 / sys rw - cgroup2 cgroup2 rw\n", "", "").mode,
      CgroupMode::kNone);
}

TEST(CgroupLayoutTest, AHierarchyThatIsMountedTwiceCountsOnce) {
  const CgroupLayout layout = ParseCgroupLayout(
      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "36 31 0:32 / /other/memory rw - cgroup cgroup rw,memory\n",
      "4:memory:/\n", "");
  ASSERT_EQ(layout.hierarchies.size(), 1u);
  EXPECT_EQ(layout.hierarchies[0].mount_point, "/sys/fs/cgroup/memory");
}

TEST(CgroupLayoutTest, DirectoriesAreAbsoluteOrBelowOurOwn) {
  const CgroupLayout layout = ParseCgroupLayout(kHybrid, kHybridPaths, "");
  auto directories = CgroupDirectories(layout, "/ck//c1/");
  ASSERT_TRUE(directories.ok());
  ASSERT_EQ(directories->size(), 4u);
  EXPECT_EQ((*directories)[1].path, "/sys/fs/cgroup/memory/ck/c1");
  directories = CgroupDirectories(layout, "ck/c1");
  EXPECT_EQ((*directories)[0].path, "/sys/fs/cgroup/cpu,cpuacct/ck/c1");
  EXPECT_EQ((*directories)[1].path, "/sys/fs/cgroup/memory/user/a/ck/c1");
}

TEST(CgroupLayoutTest, PathsDoNotClimb) {
  const CgroupLayout layout = ParseCgroupLayout(kHybrid, kHybridPaths, "");
  for (const char* path : {"/..", "a/../b", "..", "/a\nb"}) {
    const auto directories = CgroupDirectories(layout, path);
    EXPECT_EQ(directories.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetReason(directories.status()), Reason::kInvalidArgument);
  }
  EXPECT_TRUE(CgroupDirectories(layout, "/a..b").ok());
  EXPECT_EQ(GetReason(CgroupDirectories({}, "/a").status()),
            Reason::kCgroupFailed);
}

TEST(CgroupLayoutTest, ThisMachineHasALayout) {
  const auto layout = ProbeCgroupLayout();
  ASSERT_TRUE(layout.ok()) << layout.status();
}

}  // namespace
}  // namespace containerkit::sys
