#include "lib/sys/lock_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"

namespace containerkit::sys {
namespace {

class LockFileTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* base = getenv("TEST_TMPDIR");
    path_ = absl::StrCat(base != nullptr ? base : "/tmp", "/ck-lock-XXXXXX");
    ASSERT_NE(mkdtemp(&path_[0]), nullptr);
    file_ = path_ + "/l";
  }
  void TearDown() override { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_).ok()); }

  absl::StatusOr<LockFile> Lock(LockMode mode, absl::Duration timeout) {
    return LockFile::Acquire(AT_FDCWD, file_, mode, timeout);
  }

  std::string path_;
  std::string file_;
};

TEST_F(LockFileTest, ExcludesWithinOneProcess) {
  auto first = Lock(LockMode::kExclusive, absl::ZeroDuration());
  ASSERT_TRUE(first.ok());
  const auto second = Lock(LockMode::kShared, absl::Milliseconds(5));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(GetReason(second.status()), Reason::kStoreBusy);
  EXPECT_TRUE(GetErrorDetail(second.status())->retryable);
  EXPECT_TRUE(
      absl::StrContains(second.status().message(), absl::StrCat(getpid())));
  EXPECT_FALSE(
      LockFile::TryAcquire(AT_FDCWD, file_, LockMode::kShared)->has_value());
  first->Release();
  EXPECT_TRUE(Lock(LockMode::kExclusive, absl::ZeroDuration()).ok());
}

TEST_F(LockFileTest, SharesAmongReaders) {
  const auto first = Lock(LockMode::kShared, absl::ZeroDuration());
  const auto second = Lock(LockMode::kShared, absl::ZeroDuration());
  EXPECT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(Lock(LockMode::kExclusive, absl::ZeroDuration()).ok());
}

TEST_F(LockFileTest, WaitsForTheHolder) {
  auto first = Lock(LockMode::kExclusive, absl::ZeroDuration());
  std::thread releaser([&first] {
    absl::SleepFor(absl::Milliseconds(10));
    first->Release();
  });
  const auto second = Lock(LockMode::kExclusive, absl::InfiniteDuration());
  EXPECT_TRUE(second.ok()) << second.status();
  releaser.join();
}

TEST_F(LockFileTest, IsReleasedByDeathAndNamesThePid) {
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const auto lock = Lock(LockMode::kExclusive, absl::ZeroDuration());
    if (write(ready[1], "", 1) == 1) pause();
    _exit(1);
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  close(ready[1]);
  const auto busy = Lock(LockMode::kExclusive, absl::ZeroDuration());
  EXPECT_TRUE(
      absl::StrContains(busy.status().message(), absl::StrCat("process ", pid)))
      << busy.status();
  kill(pid, SIGKILL);
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  EXPECT_TRUE(Lock(LockMode::kExclusive, absl::ZeroDuration()).ok());
  EXPECT_EQ(access(file_.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace containerkit::sys
