// Guest manners: what the host program notices of the spawner (nothing).
#include "lib/runtime/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/launcher_test_util.h"
#include "lib/runtime/spawner_image.h"
#include "lib/sys/memfd.h"
#include "lib/sys/pidfd.h"
#include "lib/testing/matchers.h"

namespace containerkit::runtime {
namespace {

std::atomic<int> child_signals{0};
void CountSignal(int) { ++child_signals; }

std::string Slurp(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(65536, '\0');
  const ssize_t n = read(fd.get(), text.data(), text.size());
  text.resize(n < 0 ? 0 : static_cast<size_t>(n));
  return text;
}

UniqueFd Image() {
  auto image = sys::MakeSealedMemfd("ck-helper", HelperImage(),
                                    sys::MemfdUse::kExecutable);
  EXPECT_THAT(image, testing::IsOk());
  return image.ok() ? *std::move(image) : UniqueFd();
}

// Runs `body` in a forked host of its own and expects it to return 0.
void InHost(const std::function<int()>& body) {
  const pid_t host = fork();
  if (host == 0) {
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    _exit(body());
  }
  int status = 0;
  ASSERT_EQ(waitpid(host, &status, 0), host);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Starts and stops a spawner; 0 if all was well.
int UseSpawner() {
  const UniqueFd image = Image();
  auto spawner = StartSpawner(image.get());
  if (!spawner.ok()) return 10;
  const UniqueFd watch(fcntl(spawner->pidfd.get(), F_DUPFD_CLOEXEC, 3));
  StopSpawner(*spawner);
  return sys::WaitForExit(watch.get(), absl::Now() + absl::Seconds(30)).ok()
             ? 0
             : 11;
}

int PidOf(int pidfd) {
  const std::string info = Slurp(absl::StrCat("/proc/self/fdinfo/", pidfd));
  const size_t at = info.find("Pid:");
  return at == std::string::npos ? -1 : atoi(info.c_str() + at + 4);
}

TEST(SpawnerTest, HostSeesNoSignalAndHasNoChild) {
  InHost([] {
    struct sigaction action = {};
    action.sa_handler = CountSignal;
    sigaction(SIGCHLD, &action, nullptr);
    if (const int result = UseSpawner(); result != 0) return result;
    if (child_signals != 0) return 1;
    if (waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD) return 2;
    return 0;
  });
}

TEST(SpawnerTest, WorksWhenTheHostIgnoresItsChildren) {
  InHost([] {
    signal(SIGCHLD, SIG_IGN);
    return UseSpawner();
  });
}

TEST(SpawnerTest, WorksWithoutStandardDescriptors) {
  InHost([] {
    for (int fd = 0; fd < 3; ++fd) close(fd);
    return UseSpawner();
  });
}

TEST(SpawnerTest, WorksWithFewDescriptors) {
  InHost([] {
    const rlimit limit = {32, 32};
    setrlimit(RLIMIT_NOFILE, &limit);
    return UseSpawner();
  });
}

TEST(SpawnerTest, SubreaperHostIsLeftWithoutZombie) {
  InHost([] {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (const int result = UseSpawner(); result != 0) return result;
    return waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD ? 0 : 1;
  });
}

TEST(SpawnerTest, KeepsMaskHandlersAndDirectory) {
  InHost([] {
    sigset_t before;
    sigset_t after;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR1);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    signal(SIGUSR2, CountSignal);
    char old_cwd[4096];
    char new_cwd[4096];
    if (getcwd(old_cwd, sizeof old_cwd) == nullptr) return 1;
    if (const int result = UseSpawner(); result != 0) return result;
    sigprocmask(SIG_SETMASK, nullptr, &after);
    if (sigismember(&after, SIGUSR1) != 1 ||
        sigismember(&after, SIGTERM) != 0) {
      return 2;
    }
    struct sigaction action;
    sigaction(SIGUSR2, nullptr, &action);
    if (action.sa_handler != CountSignal) return 3;
    if (getcwd(new_cwd, sizeof new_cwd) == nullptr) return 4;
    return std::string(old_cwd) == new_cwd ? 0 : 5;
  });
}

TEST(SpawnerTest, IsIsolatedFromItsHost) {
  const UniqueFd leak(open("/etc/passwd", O_RDONLY));  // not O_CLOEXEC
  signal(SIGPIPE, SIG_IGN);
  const UniqueFd image = Image();
  CK_ASSERT_OK_AND_ASSIGN(SpawnerProcess spawner, StartSpawner(image.get()));
  const int pid = PidOf(spawner.pidfd.get());
  ASSERT_GT(pid, 0);
  const std::string proc = absl::StrCat("/proc/", pid);
  char link[256] = {};
  ASSERT_GT(readlink((proc + "/cwd").c_str(), link, sizeof link - 1), 0);
  EXPECT_STREQ(link, "/");
  EXPECT_EQ(Slurp(proc + "/environ"), "");
  EXPECT_EQ(access((proc + "/fd/3").c_str(), F_OK), 0);
  EXPECT_NE(access((proc + "/fd/4").c_str(), F_OK), 0);
  EXPECT_NE(access((proc + "/fd/5").c_str(), F_OK), 0);
  EXPECT_EQ(getsid(pid), pid);
  const std::string status = Slurp(proc + "/status");
  EXPECT_TRUE(absl::StrContains(status, "SigBlk:\t0000000000000000")) << status;
  // Only SIGCHLD, by its own choice.
  EXPECT_TRUE(absl::StrContains(status, "SigIgn:\t0000000000010000")) << status;
  StopSpawner(spawner);
  signal(SIGPIPE, SIG_DFL);
}

TEST(SpawnerTest, BadImageIsAnError) {
  CK_ASSERT_OK_AND_ASSIGN(
      const UniqueFd image,
      sys::MakeSealedMemfd("bad", "no program", sys::MemfdUse::kExecutable));
  const auto spawner = StartSpawner(image.get());
  ASSERT_FALSE(spawner.ok());
  EXPECT_EQ(GetErrorDetail(spawner.status())->os_errno, ENOEXEC)
      << spawner.status();
}

class LauncherSpawnerTest : public LauncherTest {
 protected:
  // This process is the subreaper, so the spawner is its child now.
  static std::vector<int> SpawnerPids() {
    std::vector<int> pids;
    const std::string children =
        Slurp(absl::StrCat("/proc/self/task/", getpid(), "/children"));
    for (const auto text :
         absl::StrSplit(children, ' ', absl::SkipWhitespace())) {
      const std::string pid(text);
      if (Slurp("/proc/" + pid + "/comm") == "ck-spawner\n") {
        pids.push_back(atoi(pid.c_str()));
      }
    }
    return pids;
  }
};

TEST_F(LauncherSpawnerTest, KilledSpawnerIsReplaced) {
  EXPECT_EQ(Run({}), 0);
  ASSERT_EQ(SpawnerPids().size(), 1u);
  for (const int pid : SpawnerPids()) kill(pid, SIGKILL);
  EXPECT_EQ(Run({.argv = {"sh", "-c", "exit 3"}}), 3);
}

TEST_F(LauncherSpawnerTest, ForkedCopyIsRefused) {
  EXPECT_EQ(Run({}), 0);
  const LaunchPlan plan = MakePlan({});
  const pid_t copy = fork();
  if (copy == 0) {
    const auto launched = launcher_->Start(MakeSpec(plan));
    _exit(GetReason(launched.status()) == Reason::kForked ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(copy, &status, 0), copy);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(Run({.argv = {"sh", "-c", "exit 4"}}), 4);
}

}  // namespace
}  // namespace containerkit::runtime
