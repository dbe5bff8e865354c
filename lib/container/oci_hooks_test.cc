#include "lib/container/oci_hooks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using ::containerkit::testing::StatusIs;
using ::testing::HasSubstr;

oci::Hook Shell(const std::string& script) {
  return {.path = "/bin/sh", .args = {"sh", "-c", script}};
}

TEST(OciHooksTest, HookReadsTheStateAndItsOwnEnvironment) {
  std::string file = absl::StrCat(::testing::TempDir(), "/hookXXXXXX");
  const UniqueFd fd(mkstemp(file.data()));
  oci::Hook hook = Shell("{ cat; echo; pwd; /usr/bin/env; } > \"$OUT\"");
  hook.env = {absl::StrCat("OUT=", file)};
  CK_ASSERT_OK(RunHook("poststart", hook, "{\"id\":\"x\"}"));
  CK_ASSERT_OK_AND_ASSIGN(const std::string text,
                          sys::ReadFileAt(AT_FDCWD, file, 1 << 16));
  unlink(file.c_str());
  EXPECT_THAT(text, HasSubstr("{\"id\":\"x\"}\n/\n"));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("OUT=", file)));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("HOME=")));
}

TEST(OciHooksTest, FailureNamesKindStatusAndOutput) {
  const absl::Status status =
      RunHook("poststop", Shell("echo why >&2; exit 3"), "{}");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               Reason::kHookFailed));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("poststop hook failed with exit code 3: /bin/sh: why"));
}

TEST(OciHooksTest, ASignalIsAFailure) {
  EXPECT_THAT(
      RunHook("poststop", Shell("kill -9 $$"), "{}"),
      StatusIs(absl::StatusCode::kFailedPrecondition, Reason::kHookFailed));
}

TEST(OciHooksTest, AMissingProgramIsAHookFailure) {
  EXPECT_THAT(RunHook("poststop", {.path = "/no/such"}, "{}"),
              StatusIs(absl::StatusCode::kNotFound, Reason::kHookFailed));
}

TEST(OciHooksTest, AHookThatIgnoresItsInputIsFine) {
  CK_EXPECT_OK(
      RunHook("poststart", {.path = "/bin/true"}, std::string(1 << 20, ' ')));
}

TEST(OciHooksTest, MuchOutputDoesNotBlock) {
  CK_EXPECT_OK(RunHook("poststart", Shell("head -c 300000 /dev/zero"), "{}"));
}

TEST(OciHooksTest, TheTimeOutKills) {
  oci::Hook hook = Shell("exec sleep 100");
  hook.timeout_s = 0;
  EXPECT_THAT(
      RunHook("poststart", hook, "{}"),
      StatusIs(absl::StatusCode::kDeadlineExceeded, Reason::kHookFailed));
}

TEST(OciHooksTest, OnlyHooksWithoutEnvironmentGetTheDefault) {
  oci::Hooks hooks;
  hooks.prestart = {{.path = "/a"}, {.path = "/b", .env = {"X=1"}}};
  hooks.poststop = {{.path = "/c"}};
  SetHookEnvironment({"PATH=/bin"}, hooks);
  EXPECT_EQ(hooks.prestart[0].env, std::vector<std::string>{"PATH=/bin"});
  EXPECT_EQ(hooks.prestart[1].env, std::vector<std::string>{"X=1"});
  EXPECT_EQ(hooks.poststop[0].env, std::vector<std::string>{"PATH=/bin"});
}

}  // namespace
}  // namespace containerkit::container
