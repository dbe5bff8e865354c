#include "lib/container/oci_adjust.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using Strings = std::vector<std::string>;

class OciAdjustTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = absl::StrCat(::testing::TempDir(), "/adjustXXXXXX");
    ASSERT_NE(mkdtemp(root_.data()), nullptr);
  }
  void TearDown() override { CK_EXPECT_OK(sys::RemoveTreeAt(AT_FDCWD, root_)); }
  void Write(const std::string& name, const std::string& text) {
    CK_ASSERT_OK_AND_ASSIGN(
        const UniqueFd fd, sys::OpenAt(AT_FDCWD, absl::StrCat(root_, "/", name),
                                       O_WRONLY | O_CREAT, 0644));
    CK_ASSERT_OK(sys::WriteAll(fd.get(), text));
  }
  std::string root_;
};

TEST_F(OciAdjustTest, HomeIsThatOfTheImagesPasswd) {
  ASSERT_EQ(mkdir(absl::StrCat(root_, "/etc").c_str(), 0755), 0);
  Write("passwd", "root:x:0:0::/root:\nweb:x:7:7::/srv/web:/bin/sh\n");
  // A link that a runtime outside of the root would follow to the host.
  ASSERT_EQ(symlink("/passwd", absl::StrCat(root_, "/etc/passwd").c_str()), 0);
  oci::Process process;
  process.user.uid = 7;
  process.env = {"A=1"};
  AddHome(root_, process);
  EXPECT_EQ(process.env, (Strings{"A=1", "HOME=/srv/web"}));
}

TEST_F(OciAdjustTest, HomeStaysOrIsTheRoot) {
  oci::Process process;
  process.env = {"HOME=/mine"};
  AddHome(root_, process);
  EXPECT_EQ(process.env, Strings{"HOME=/mine"});
  process.env.clear();
  AddHome(root_, process);
  EXPECT_EQ(process.env, Strings{"HOME=/"});
  process.env.clear();
  AddHome("/no/such/root", process);
  EXPECT_EQ(process.env, Strings{"HOME=/"});
}

TEST_F(OciAdjustTest, RealTimeNeedsABudgetOnV1WithGroupScheduling) {
  sys::CgroupLayout layout;
  layout.hierarchies = {{.controllers = {"cpu"}, .mount_point = root_}};
  oci::Process process;
  process.scheduler = oci::Scheduler{.policy = "SCHED_FIFO", .priority = 10};
  oci::Resources resources;
  Strings warnings;
  ClampScheduler(layout, resources, process, warnings);
  EXPECT_TRUE(process.scheduler.has_value());  // no group scheduling

  Write("cpu.rt_runtime_us", "950000\n");
  resources.cpu.realtime_runtime_us = 1000;
  ClampScheduler(layout, resources, process, warnings);
  EXPECT_TRUE(process.scheduler.has_value());
  EXPECT_TRUE(warnings.empty());

  resources.cpu.realtime_runtime_us.reset();
  ClampScheduler(layout, resources, process, warnings);
  EXPECT_FALSE(process.scheduler.has_value());
  EXPECT_EQ(warnings.size(), 1);
}

TEST_F(OciAdjustTest, ACgroupNeedsAWritableAncestorInEveryHierarchy) {
  sys::CgroupLayout layout;
  layout.mode = sys::CgroupMode::kLegacy;
  layout.hierarchies = {{.controllers = {"cpu"}, .mount_point = root_}};
  EXPECT_TRUE(MayMakeCgroup(layout, "/a/b"));
  EXPECT_FALSE(MayMakeCgroup(layout, "/../b"));
  layout.hierarchies.push_back(
      {.controllers = {"memory"}, .mount_point = "/no/such/mount"});
  EXPECT_FALSE(MayMakeCgroup(layout, "/a/b"));
}

}  // namespace
}  // namespace containerkit::container
