// The program that is traced is this one, with an argument.
#include "lib/testing/ptrace_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace containerkit::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A call that is easily told from what the C library does.
void Step(int number) { access("/driver/step", number & 3); }

int Calls() {
  Step(0);
  MarkPhase(1);
  Step(1);
  const pid_t child = fork();
  if (child == 0) {
    Step(2);
    _exit(3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  std::thread([] { Step(3); }).join();
  MarkPhase(2);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

int Fails() { return mkdir("/driver", 0700) == 0 ? 0 : errno; }

int Hangs() {
  fork();
  for (;;) pause();
}

int Crashes() {
  const pid_t child = fork();
  if (child == 0) raise(SIGSEGV);
  int status = 0;
  waitpid(child, &status, 0);
  return 0;
}

int LeavesOne(const char* directory) {
  const std::string gone = std::string(directory) + "/gone";
  if (fork() == 0) {
    // Ends only when nobody holds it any more at its calls.
    while (access(gone.c_str(), F_OK) != 0) usleep(1000);
    _exit(0);
  }
  return 0;
}

TraceResult Trace(std::vector<std::string> arguments,
                  std::function<Verdict(const SystemCall&)> on_call,
                  absl::Duration patience = absl::Seconds(30)) {
  TraceOptions options;
  options.argv = {"/proc/self/exe"};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.on_call = std::move(on_call);
  options.patience = patience;
  return RunTraced(options);
}

bool IsStep(const SystemCall& call) {
  return call.number == SYS_access &&
         ReadTraceeString(call.thread, call.arguments[0]) == "/driver/step";
}

TEST(PtraceDriver, SeesTheCallsOfEveryProcessAndThread) {
  std::vector<uint64_t> steps;
  std::set<pid_t> processes;
  std::set<pid_t> threads;
  std::vector<int> phases;
  uint64_t last = 0;
  const TraceResult result = Trace({"calls"}, [&](const SystemCall& call) {
    if (call.index != 1) {
      EXPECT_EQ(call.index, last + 1);
    }
    last = call.index;
    if (IsStep(call)) {
      steps.push_back(call.arguments[1]);
      processes.insert(call.process);
      threads.insert(call.thread);
      phases.push_back(call.phase);
      EXPECT_EQ(call.root, call.arguments[1] != 2);
    }
    return Verdict::Run();
  });
  EXPECT_THAT(steps, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(phases, ElementsAre(0, 1, 1, 1));
  EXPECT_EQ(processes.size(), 2);
  EXPECT_EQ(threads.size(), 3);
  EXPECT_TRUE(WIFEXITED(result.wait_status));
  EXPECT_EQ(WEXITSTATUS(result.wait_status), 3);
  EXPECT_FALSE(result.timed_out);
  EXPECT_THAT(result.crashes, IsEmpty());
}

TEST(PtraceDriver, FailsACall) {
  const TraceResult result = Trace({"fails"}, [](const SystemCall& call) {
    return call.number == SYS_mkdir ? Verdict::Fail(ENOSPC) : Verdict::Run();
  });
  EXPECT_EQ(WEXITSTATUS(result.wait_status), ENOSPC);
  EXPECT_NE(access("/driver", F_OK), 0);
}

TEST(PtraceDriver, KillsTheProcessBeforeItsCall) {
  bool killed = false;
  const TraceResult result = Trace({"calls"}, [&](const SystemCall& call) {
    // Nothing more is heard of it.
    EXPECT_FALSE(killed && !call.root && IsStep(call));
    if (!IsStep(call) || call.root) return Verdict::Run();
    killed = true;
    return Verdict::KillProcess();
  });
  EXPECT_TRUE(killed);
  // The parent saw it die.
  EXPECT_EQ(WEXITSTATUS(result.wait_status), 100);
  EXPECT_THAT(result.crashes, IsEmpty());
}

TEST(PtraceDriver, KillsAll) {
  const TraceResult result = Trace({"calls"}, [&](const SystemCall& call) {
    return IsStep(call) && !call.root ? Verdict::KillAll() : Verdict::Run();
  });
  EXPECT_TRUE(WIFSIGNALED(result.wait_status));
  EXPECT_EQ(WTERMSIG(result.wait_status), SIGKILL);
}

TEST(PtraceDriver, EndsWhatHangs) {
  const TraceResult result = Trace({"hangs"}, nullptr, absl::Milliseconds(300));
  EXPECT_TRUE(result.timed_out);
  EXPECT_TRUE(WIFSIGNALED(result.wait_status));
}

TEST(PtraceDriver, TellsOfCrashes) {
  const TraceResult result = Trace({"crashes"}, nullptr);
  EXPECT_EQ(WEXITSTATUS(result.wait_status), 0);
  ASSERT_EQ(result.crashes.size(), 1);
  EXPECT_TRUE(absl::EndsWith(result.crashes[0], ": signal 11"));
}

TEST(PtraceDriver, LetsGoOfWhatTheProgramLeaves) {
  const char* tmp = getenv("TEST_TMPDIR");
  std::string directory =
      std::string(tmp == nullptr ? "/tmp" : tmp) + "/XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const TraceResult result = Trace({"leaves-one", directory}, nullptr);
  EXPECT_EQ(WEXITSTATUS(result.wait_status), 0);
  EXPECT_FALSE(result.timed_out);
  // It is ours now, and runs to its end.
  ASSERT_EQ(mkdir((directory + "/gone").c_str(), 0700), 0);
  int status = -1;
  EXPECT_GT(waitpid(-1, &status, 0), 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  rmdir((directory + "/gone").c_str());
  rmdir(directory.c_str());
}

}  // namespace

int TracedMain(int argc, char** argv) {
  const std::string what = argv[1];
  if (what == "calls") return Calls();
  if (what == "fails") return Fails();
  if (what == "hangs") return Hangs();
  if (what == "crashes") return Crashes();
  if (what == "leaves-one" && argc == 3) return LeavesOne(argv[2]);
  return 126;
}

}  // namespace containerkit::testing

int main(int argc, char** argv) {
  if (argc > 1 && argv[1][0] != '-') {
    return containerkit::testing::TracedMain(argc, argv);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
