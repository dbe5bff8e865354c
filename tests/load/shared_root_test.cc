// Eight processes with four threads each on one state root, while one of them
// is killed every 200 ms: no error but the killed one's own, nothing leaked,
// the store clean (security.md L04, L05).
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

constexpr int kProcesses = 8;
constexpr int kThreads = 4;

class SharedRootTest : public EngineTest {
 protected:
  pid_t Spawn(int seed, int seconds) {
    const std::vector<std::string> arguments = {
        "worker", root(), absl::StrCat(seed), absl::StrCat(seconds),
        absl::StrCat(kThreads)};
    std::vector<char*> argv;
    for (const std::string& argument : arguments) {
      argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
      execv("tests/load/worker", argv.data());
      _exit(127);
    }
    return pid;
  }
};

// ThreadSanitizer finds what it finds at once, if the threads meet.
#ifdef __SANITIZE_THREAD__
constexpr int kCiSeconds = 20;
#else
constexpr int kCiSeconds = 180;
#endif

TEST_F(SharedRootTest, SurvivesKilledProcesses) {
  const char* ci = getenv("CI");
  const bool in_ci = ci != nullptr && std::string(ci) == "true";
  const int seconds = in_ci ? kCiSeconds : 20;
  std::mt19937 random(7);
  std::map<pid_t, bool> workers;  // pid -> we killed it
  int seed = 0;
  for (int i = 0; i < kProcesses; ++i) workers[Spawn(seed++, seconds)] = false;
  const absl::Time end = absl::Now() + absl::Seconds(seconds);
  int kills = 0;
  while (absl::Now() < end) {
    absl::SleepFor(absl::Milliseconds(200));
    auto victim = workers.begin();
    std::advance(victim, random() % workers.size());
    kill(victim->first, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(victim->first, &status, 0), victim->first);
    // Either our signal, or it had ended by itself without an error.
    ASSERT_TRUE(WIFSIGNALED(status) ||
                (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        << "a worker failed after " << kills << " kills";
    workers.erase(victim);
    ++kills;
    workers[Spawn(seed++, seconds)] = false;
  }
  for (const auto& [pid, killed] : workers) kill(pid, SIGKILL);
  for (const auto& [pid, killed] : workers) waitpid(pid, nullptr, 0);
  EXPECT_GT(kills, seconds / 2);
  Reopen();
  CK_ASSERT_OK_AND_ASSIGN(const auto findings, engine().CheckStore(false));
  for (const StoreFinding& finding : findings) {
    // What a killed process was writing is a leftover, not damage.
    EXPECT_FALSE(finding.damage)
        << finding.kind << " " << finding.object << ": " << finding.problem;
  }
}

}  // namespace
}  // namespace containerkit::testing
