#include "lib/container/oci_process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "gtest/gtest.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using ::containerkit::testing::StatusIs;

constexpr char kTail[] =
    " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 424242 1 2\n";

TEST(OciProcessTest, ReadsStateAndStartTimeWhateverTheNameHolds) {
  for (const char* name : {"(sh)", "(a b)", "() R 7 (x)", "(()"}) {
    const std::optional<ProcessStat> stat =
        ParseProcessStat(absl::StrCat("7 ", name, " S", kTail));
    ASSERT_TRUE(stat.has_value()) << name;
    EXPECT_EQ(stat->state, 'S');
    EXPECT_EQ(stat->start_ticks, 424242);
    EXPECT_FALSE(stat->dead());
  }
}

TEST(OciProcessTest, RefusesATornStat) {
  EXPECT_FALSE(ParseProcessStat("").has_value());
  EXPECT_FALSE(ParseProcessStat("7 (sh").has_value());
  EXPECT_FALSE(ParseProcessStat("7 (sh) S 1 2 3").has_value());
}

class OciProcessLiveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* argv[] = {"sleep", "100", nullptr};
    ASSERT_EQ(posix_spawnp(&pid_, "sleep", nullptr, nullptr,
                           const_cast<char**>(argv), environ),
              0);
    const std::optional<ProcessStat> stat = ReadProcessStat(pid_);
    ASSERT_TRUE(stat.has_value());
    ticks_ = stat->start_ticks;
  }
  void TearDown() override {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid_ = 0;
  uint64_t ticks_ = 0;
};

TEST_F(OciProcessLiveTest, AnotherStartTimeIsAnotherProcess) {
  EXPECT_TRUE(ProcessHandle::Find(pid_, ticks_).has_value());
  EXPECT_FALSE(ProcessHandle::Find(pid_, ticks_ + 1).has_value());
}

TEST_F(OciProcessLiveTest, AZombieHasEnded) {
  std::optional<ProcessHandle> handle = ProcessHandle::Find(pid_, ticks_);
  ASSERT_TRUE(handle.has_value());
  EXPECT_FALSE(handle->WaitGone(absl::ZeroDuration()));
  CK_ASSERT_OK(handle->Signal(SIGKILL));
  EXPECT_TRUE(handle->WaitGone(absl::Seconds(5)));
  EXPECT_FALSE(ProcessHandle::Find(pid_, ticks_).has_value());
}

TEST_F(OciProcessLiveTest, SignallingAReapedProcessIsNotRunning) {
  std::optional<ProcessHandle> handle = ProcessHandle::Find(pid_, ticks_);
  ASSERT_TRUE(handle.has_value());
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  EXPECT_THAT(
      handle->Signal(SIGTERM),
      StatusIs(absl::StatusCode::kFailedPrecondition, Reason::kNotRunning));
}

}  // namespace
}  // namespace containerkit::container
