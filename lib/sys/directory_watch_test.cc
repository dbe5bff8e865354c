#include "lib/sys/directory_watch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/file_util.h"

namespace containerkit::sys {
namespace {

class DirectoryWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = absl::StrCat(::testing::TempDir(), "/watchXXXXXX");
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
    dir_ = UniqueFd(open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(dir_.ok());
  }
  void TearDown() override { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_).ok()); }

  void Write(const std::string& name) {
    UniqueFd fd(openat(dir_.get(), name.c_str(),
                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    ASSERT_EQ(write(fd.get(), "x", 1), 1);
  }

  // How long Wait() takes.
  absl::Duration Wait(DirectoryWatch& watch, absl::Duration timeout,
                      int fd = -1) {
    const absl::Time start = absl::Now();
    watch.Wait(timeout, fd, -1, [](absl::string_view name) {
      return absl::StartsWith(name, "log");
    });
    return absl::Now() - start;
  }

  std::string path_;
  UniqueFd dir_;
};

TEST_F(DirectoryWatchTest, SeesAChangeMadeBeforeTheWait) {
  DirectoryWatch watch = DirectoryWatch::Create(dir_.get());
  Write("log");
  EXPECT_LT(Wait(watch, absl::Seconds(40)), absl::Seconds(30));
}

TEST_F(DirectoryWatchTest, SeesAChangeMadeDuringTheWait) {
  Write("log");
  DirectoryWatch watch = DirectoryWatch::Create(dir_.get());
  std::thread writer([&] { Write("log"); });
  EXPECT_LT(Wait(watch, absl::Seconds(40)), absl::Seconds(30));
  writer.join();
}

TEST_F(DirectoryWatchTest, IgnoresOtherFiles) {
  DirectoryWatch watch = DirectoryWatch::Create(dir_.get());
  Write("other");
  EXPECT_GE(Wait(watch, absl::Milliseconds(80)), absl::Milliseconds(80));
}

TEST_F(DirectoryWatchTest, ADescriptorEndsTheWait) {
  DirectoryWatch watch = DirectoryWatch::Create(dir_.get());
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
  UniqueFd reader(pipe[0]);
  UniqueFd(pipe[1]).Reset();  // hung up
  EXPECT_LT(Wait(watch, absl::Seconds(40), reader.get()), absl::Seconds(30));
}

}  // namespace
}  // namespace containerkit::sys
