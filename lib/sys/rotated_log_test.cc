#include "lib/sys/rotated_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::sys {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RotatedLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = absl::StrCat(::testing::TempDir(), "/rotXXXXXX");
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
    dir_ = UniqueFd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override { CK_EXPECT_OK(RemoveTreeAt(AT_FDCWD, path_)); }

  void Append(absl::string_view text, const std::string& name = "log") {
    UniqueFd fd(openat(dir_.get(), name.c_str(),
                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    CK_ASSERT_OK(WriteAll(fd.get(), text));
  }
  void Rotate() {
    renameat(dir_.get(), "log.1", dir_.get(), "log.2");
    ASSERT_EQ(renameat(dir_.get(), "log", dir_.get(), "log.1"), 0);
    Append("");
  }
  std::vector<std::string> Read(RotatedLog& log, size_t limit = 1000) {
    std::vector<std::string> lines;
    const auto more = log.ReadLines([&](absl::string_view line) {
      lines.emplace_back(line);
      return lines.size() < limit;
    });
    CK_EXPECT_OK(more);
    EXPECT_EQ(*more, lines.size() < limit);
    return lines;
  }

  std::string path_;
  UniqueFd dir_;
};

TEST_F(RotatedLogTest, ALogThatAppearsLaterIsRead) {
  RotatedLog log(dir_.get(), "log", 1 << 20);
  CK_ASSERT_OK(log.Open());
  EXPECT_THAT(Read(log), IsEmpty());
  Append("a\nb");
  EXPECT_THAT(Read(log), ElementsAre("a"));
  Append("c\n");
  EXPECT_THAT(Read(log), ElementsAre("bc"));
}

TEST_F(RotatedLogTest, OldFilesComeFirst) {
  Append("1\n", "log.2");
  Append("2\n", "log.1");
  Append("3\n");
  RotatedLog log(dir_.get(), "log", 1 << 20);
  CK_ASSERT_OK(log.Open());
  ASSERT_EQ(log.files().size(), 3);
  EXPECT_THAT(Read(log), ElementsAre("1", "2", "3"));
}

TEST_F(RotatedLogTest, RotationLosesNothing) {
  Append("1\n");
  RotatedLog log(dir_.get(), "log", 1 << 20);
  CK_ASSERT_OK(log.Open());
  EXPECT_THAT(Read(log), ElementsAre("1"));
  Append("2\n");
  Rotate();
  Append("3\n");
  Rotate();
  Append("4\n");
  EXPECT_THAT(Read(log), ElementsAre("2", "3", "4"));
}

TEST_F(RotatedLogTest, TheSinkEndsIt) {
  Append("1\n2\n3\n");
  RotatedLog log(dir_.get(), "log", 1 << 20);
  CK_ASSERT_OK(log.Open());
  EXPECT_THAT(Read(log, 2), ElementsAre("1", "2"));
}

TEST_F(RotatedLogTest, TruncationStartsAgain) {
  Append("12345\n");
  RotatedLog log(dir_.get(), "log", 1 << 20);
  CK_ASSERT_OK(log.Open());
  EXPECT_THAT(Read(log), ElementsAre("12345"));
  ASSERT_EQ(truncate(absl::StrCat(path_, "/log").c_str(), 0), 0);
  Append("6\n");
  EXPECT_THAT(Read(log), ElementsAre("6"));
}

TEST_F(RotatedLogTest, LongLinesAreLeftOutOrWhole) {
  const std::string fits(700000, 'x');
  Append(absl::StrCat("1\n", std::string(3000000, 'y'), "\n", fits, "\n2\n"));
  RotatedLog log(dir_.get(), "log", 1 << 20);
  CK_ASSERT_OK(log.Open());
  EXPECT_THAT(Read(log), ElementsAre("1", fits, "2"));
}

TEST_F(RotatedLogTest, EndOfLastLineLeavesTheTornOne) {
  Append(absl::StrCat("1\n", std::string(600000, 'y')));
  RotatedLog log(dir_.get(), "log", 1 << 20);
  CK_ASSERT_OK(log.Open());
  EXPECT_EQ(*log.EndOfLastLine(0), 2);
  log.Skip(0, 2);
  Append("\n2\n");
  EXPECT_THAT(Read(log), ElementsAre(std::string(600000, 'y'), "2"));
}

TEST_F(RotatedLogTest, OwnsItsNames) {
  RotatedLog log(dir_.get(), "log", 1);
  EXPECT_TRUE(log.Owns("log"));
  EXPECT_TRUE(log.Owns("log.1"));
  EXPECT_FALSE(log.Owns("logs"));
  EXPECT_FALSE(log.Owns("lo"));
}

}  // namespace
}  // namespace containerkit::sys
