#include "lib/container/oci_exec.h"

#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using ::containerkit::testing::StatusIs;
using Strings = std::vector<std::string>;

oci::Process Base() {
  oci::Process base;
  base.terminal = true;
  base.args = {"init"};
  base.env = {"PATH=/bin", "HOME=/root"};
  base.cwd = "/";
  base.user = {.uid = 1, .gid = 2, .additional_gids = {3}};
  base.capabilities = oci::CapabilitySets{.bounding = {"CAP_KILL"}};
  return base;
}

TEST(OciExecTest, LaysOptionsOverTheContainersProcess) {
  OciExecOptions options;
  options.args = {"ls"};
  options.env = {"HOME=/tmp", "X=1=2"};
  options.cwd = "/srv";
  options.user = "1000";
  options.additional_gids = {4};
  options.no_new_privs = true;
  CK_ASSERT_OK_AND_ASSIGN(const oci::Process process,
                          BuildOciExecProcess(options, Base()));
  EXPECT_EQ(process.args, Strings{"ls"});
  EXPECT_EQ(process.env, (Strings{"PATH=/bin", "HOME=/tmp", "X=1=2"}));
  EXPECT_EQ(process.cwd, "/srv");
  EXPECT_EQ(process.user.uid, 1000);
  EXPECT_EQ(process.user.gid, 2);
  EXPECT_EQ(process.user.additional_gids, (std::vector<uint32_t>{3, 4}));
  EXPECT_TRUE(process.no_new_privileges);
  EXPECT_FALSE(process.terminal);
}

TEST(OciExecTest, CapabilitiesAreAddedToThreeSets) {
  OciExecOptions options;
  options.args = {"ls"};
  options.capabilities = {"CAP_KILL", "CAP_CHOWN"};
  CK_ASSERT_OK_AND_ASSIGN(const oci::Process process,
                          BuildOciExecProcess(options, Base()));
  const Strings both = {"CAP_KILL", "CAP_CHOWN"};
  EXPECT_EQ(process.capabilities->bounding, both);
  EXPECT_EQ(process.capabilities->permitted, both);
  EXPECT_EQ(process.capabilities->effective, both);
  EXPECT_TRUE(process.capabilities->inheritable.empty());
  EXPECT_TRUE(process.capabilities->ambient.empty());
}

TEST(OciExecTest, RefusesBadUsersAndCapabilities) {
  for (const char* user : {"root", "1:", "1:x", "-1", "4294967296"}) {
    OciExecOptions options;
    options.args = {"ls"};
    options.user = user;
    EXPECT_THAT(
        BuildOciExecProcess(options, Base()),
        StatusIs(absl::StatusCode::kInvalidArgument, Reason::kUserNotFound))
        << user;
  }
  OciExecOptions options;
  options.args = {"ls"};
  options.capabilities = {"CAP_UNKNOWN"};
  EXPECT_THAT(
      BuildOciExecProcess(options, Base()),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kCapabilityUnknown));
}

TEST(OciExecTest, AProcessFileStandsAlone) {
  std::string file = absl::StrCat(::testing::TempDir(), "/processXXXXXX");
  const UniqueFd fd(mkstemp(file.data()));
  CK_ASSERT_OK(sys::WriteAll(fd.get(),
                             "{\"user\":{\"uid\":7,\"gid\":8},\"args\":[\"a\"],"
                             "\"env\":[\"E=1\"],\"cwd\":\"/x\"}"));
  OciExecOptions options;
  options.process_file = file;
  CK_ASSERT_OK_AND_ASSIGN(const oci::Process process,
                          BuildOciExecProcess(options, Base()));
  EXPECT_EQ(process.user.uid, 7);
  EXPECT_EQ(process.env, Strings{"E=1"});
  EXPECT_FALSE(process.capabilities.has_value());
  CK_ASSERT_OK(sys::WriteAll(fd.get(), "garbage"));
  EXPECT_THAT(
      BuildOciExecProcess(options, Base()),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidJson));
  unlink(file.c_str());
}

}  // namespace
}  // namespace containerkit::container
