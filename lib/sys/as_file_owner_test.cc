#include "lib/sys/as_file_owner.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/testing/matchers.h"
#include "lib/testing/require.h"

namespace containerkit::sys {
namespace {

using ::containerkit::testing::StatusIs;

constexpr uid_t kUid = 300001;
constexpr gid_t kGid = 300002;

TEST(AsFileOwnerTest, GivesNewFilesTheIdsAndKeepsCapabilities) {
  CK_REQUIRE("root");
  const std::string file = absl::StrCat(getenv("TEST_TMPDIR"), "/owned");
  const std::string others = absl::StrCat(getenv("TEST_TMPDIR"), "/others");
  ASSERT_EQ(mkdir(others.c_str(), 0700), 0);
  CK_EXPECT_OK(AsFileOwner(kUid, kGid, [&] {
    EXPECT_TRUE(UniqueFd(open(file.c_str(), O_CREAT | O_WRONLY, 0600)).ok());
    EXPECT_EQ(mkdir((others + "/in").c_str(), 0700), 0);
    EXPECT_EQ(chown((others + "/in").c_str(), 7, 8), 0);
    return absl::OkStatus();
  }));
  struct stat st;
  ASSERT_EQ(stat(file.c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, kUid);
  EXPECT_EQ(st.st_gid, kGid);
  ASSERT_EQ(stat((others + "/in").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 7u);
}

TEST(AsFileOwnerTest, LeavesTheCallerAsItWas) {
  CK_REQUIRE("root");
  const int dumpable = prctl(PR_GET_DUMPABLE);
  CK_EXPECT_OK(AsFileOwner(kUid, kGid, [&] {
    EXPECT_EQ(prctl(PR_GET_DUMPABLE), dumpable);
    return absl::OkStatus();
  }));
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), dumpable);
  const std::string file = absl::StrCat(getenv("TEST_TMPDIR"), "/own");
  EXPECT_TRUE(UniqueFd(open(file.c_str(), O_CREAT | O_WRONLY, 0600)).ok());
  struct stat st;
  ASSERT_EQ(stat(file.c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, geteuid());
}

TEST(AsFileOwnerTest, TellsWhatTheBodySaidOrThatItThrew) {
  CK_REQUIRE("root");
  EXPECT_THAT(
      AsFileOwner(kUid, kGid,
                  [] { return NotFound(Reason::kPathNotFound, "test", "x"); }),
      StatusIs(absl::StatusCode::kNotFound, Reason::kPathNotFound));
  EXPECT_THAT(
      AsFileOwner(kUid, kGid,
                  []() -> absl::Status { throw std::runtime_error("thrown"); }),
      StatusIs(absl::StatusCode::kInternal, Reason::kInternal));
}

}  // namespace
}  // namespace containerkit::sys
