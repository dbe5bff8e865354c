#include "lib/sys/file_util.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::sys {
namespace {

class FileUtilTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* base = getenv("TEST_TMPDIR");
    path_ = absl::StrCat(base != nullptr ? base : "/tmp", "/ck-file-XXXXXX");
    ASSERT_NE(mkdtemp(&path_[0]), nullptr);
    dir_ = OpenAt(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY).value();
  }
  void TearDown() override { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_).ok()); }

  mode_t ModeOf(const char* name) {
    struct stat info = {};
    EXPECT_EQ(fstatat(dir_.get(), name, &info, AT_SYMLINK_NOFOLLOW), 0);
    return info.st_mode & 07777;
  }

  std::string path_;
  UniqueFd dir_;
};

TEST_F(FileUtilTest, WritesAtomicallyWithTheExactMode) {
  ASSERT_TRUE(AtomicWriteFileAt(dir_.get(), "f", "one", {.mode = 0666}).ok());
  EXPECT_EQ(ModeOf("f"), 0666u);
  ASSERT_TRUE(AtomicWriteFileAt(dir_.get(), "f", "two").ok());
  EXPECT_EQ(ReadFileAt(dir_.get(), "f", 100).value(), "two");
  EXPECT_EQ(ModeOf("f"), 0600u);
  EXPECT_EQ(ListDirAt(dir_.get(), ".").value(), std::vector<std::string>{"f"});
}

TEST_F(FileUtilTest, LeavesTheOldFileAndNoTempWhenTheWriteFails) {
  ASSERT_TRUE(MakeDirAt(dir_.get(), "f", 0700).ok());
  const absl::Status status = AtomicWriteFileAt(dir_.get(), "f", "x");
  EXPECT_EQ(GetReason(status), Reason::kSystemCall);
  EXPECT_EQ(GetErrorDetail(status)->os_errno, EISDIR);
  EXPECT_EQ(ListDirAt(dir_.get(), ".").value(), std::vector<std::string>{"f"});
}

TEST_F(FileUtilTest, ReportsAFullDisk) {
  auto full = OpenAt(AT_FDCWD, "/dev/full", O_WRONLY);
  ASSERT_TRUE(full.ok());
  const absl::Status status = WriteAll(full->get(), "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetReason(status), Reason::kDiskFull);
}

TEST_F(FileUtilTest, CapsReads) {
  ASSERT_TRUE(AtomicWriteFileAt(dir_.get(), "f", std::string(1000, 'x')).ok());
  EXPECT_EQ(ReadFileAt(dir_.get(), "f", 1000).value().size(), 1000u);
  const auto over = ReadFileAt(dir_.get(), "f", 999);
  EXPECT_EQ(over.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetReason(over.status()), Reason::kLimitExceeded);
  // Endless, and without a size.
  EXPECT_EQ(GetReason(ReadFileAt(AT_FDCWD, "/dev/zero", 1 << 20).status()),
            Reason::kLimitExceeded);
  EXPECT_TRUE(ReadFileAt(AT_FDCWD, "/proc/self/status", 1 << 20).ok());
}

TEST_F(FileUtilTest, MakesADirectoryOnce) {
  EXPECT_EQ(MakeDirAt(dir_.get(), "d", 0777).value(), true);
  EXPECT_EQ(ModeOf("d"), 0777u);
  EXPECT_EQ(MakeDirAt(dir_.get(), "d", 0700).value(), false);
  EXPECT_EQ(ModeOf("d"), 0777u);
  ASSERT_EQ(symlinkat("d", dir_.get(), "link"), 0);
  EXPECT_EQ(MakeDirAt(dir_.get(), "link", 0700).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(FileUtilTest, RemovesTreesWithoutFollowingLinks) {
  ASSERT_TRUE(AtomicWriteFileAt(dir_.get(), "canary", "x").ok());
  ASSERT_TRUE(MakeDirAt(dir_.get(), "t", 0700).ok());
  ASSERT_TRUE(MakeDirAt(dir_.get(), "t/sub", 0700).ok());
  ASSERT_EQ(symlinkat("../canary", dir_.get(), "t/link"), 0);
  ASSERT_EQ(symlinkat("..", dir_.get(), "t/sub/up"), 0);
  ASSERT_EQ(symlinkat(".", dir_.get(), "self"), 0);
  EXPECT_TRUE(RemoveTreeAt(dir_.get(), "t").ok());
  EXPECT_TRUE(RemoveTreeAt(dir_.get(), "self").ok());
  EXPECT_TRUE(RemoveTreeAt(dir_.get(), "t").ok());  // Nothing there: fine.
  EXPECT_EQ(ListDirAt(dir_.get(), ".").value(),
            std::vector<std::string>{"canary"});
}

TEST_F(FileUtilTest, RemovesVeryDeepTreesWithFewDescriptors) {
  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old_limit), 0);
  UniqueFd at(dup(dir_.get()));
  for (int i = 0; i < 3000; ++i) {
    ASSERT_EQ(mkdirat(at.get(), "d", 0700), 0);
    at = OpenAt(at.get(), "d", O_RDONLY | O_DIRECTORY).value();
    ASSERT_TRUE(AtomicWriteFileAt(at.get(), "f", "", {.durable = false}).ok());
  }
  at.Reset();
  const rlimit low = {64, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const absl::Status status = RemoveTreeAt(dir_.get(), "d");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old_limit), 0);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(ListDirAt(dir_.get(), ".").value().empty());
}

TEST_F(FileUtilTest, RandomHexDiffers) {
  EXPECT_EQ(RandomHex(16).size(), 32u);
  EXPECT_NE(RandomHex(16), RandomHex(16));
}

}  // namespace
}  // namespace containerkit::sys
