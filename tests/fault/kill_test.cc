// SIGKILL at every system call of an operation, for the host program and for
// each process of the engine (security.md F01, F02). CI takes every n-th
// point; CK_FAULT_FULL=1 takes all.
#include <stdio.h>
#include <sys/wait.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/fault/fault_fixture.h"

namespace containerkit::testing {
namespace {

// Whose calls count, and who is killed there.
enum class Victim {
  kHost,    // the host's calls kill the host
  kHelper,  // calls of spawner, monitor and child kill the caller
  kAll,     // any call kills them all
};

bool Counts(Victim victim, const SystemCall& call) {
  switch (victim) {
    case Victim::kHost:
      return call.root;
    case Victim::kHelper:
      return !call.root;
    case Victim::kAll:
      return true;
  }
  return false;
}

class KillTest : public FaultTest {
 protected:
  // False when the operation has fewer calls than `point`.
  bool KillAt(const std::string& operation, Victim victim, uint64_t point) {
    Prepare(operation);
    uint64_t seen = 0;
    std::string where;
    const TraceResult result =
        RunWorker(operation, [&](const SystemCall& call) {
          if (!Counts(victim, call) || ++seen != point) return Verdict::Run();
          where = absl::StrCat(operation, ": killed at call ", point, ": ",
                               call.program, " ", call.number);
          return victim == Victim::kAll ? Verdict::KillAll()
                                        : Verdict::KillProcess();
        });
    SCOPED_TRACE(where);
    EXPECT_FALSE(result.timed_out);
    EXPECT_TRUE(result.crashes.empty()) << result.crashes[0];
    const Outcome outcome = ReadOutcome();
    helper_killed_ = victim != Victim::kHost;
    if (victim == Victim::kHelper) ExpectAnswer(result, outcome);
    CheckAfter(operation, outcome);
    return seen >= point;
  }

  // The host must hear what happened to its helpers.
  void ExpectAnswer(const TraceResult& result, const Outcome& outcome) {
    EXPECT_TRUE(WIFEXITED(result.wait_status) &&
                WEXITSTATUS(result.wait_status) == 0);
    ASSERT_TRUE(outcome.answered);
    if (outcome.ok) return;
    EXPECT_NE(outcome.reason, "Unspecified") << outcome.line;
    EXPECT_NE(outcome.reason, "Internal") << outcome.line;
    EXPECT_NE(outcome.operation, "-") << outcome.line;
  }

  void KillEverywhere(const std::string& operation, Victim victim,
                      uint64_t every) {
    const uint64_t step = StepOf(every);
    uint64_t point = 1;
    int failed = 0;
    while (KillAt(operation, victim, point)) {
      point += step;
      if (HasFailure() && ++failed == 3) break;
      if (HasFatalFailure()) break;
    }
    printf("%s: about %d points, each %d-th\n", operation.c_str(),
           static_cast<int>(point), static_cast<int>(step));
    EXPECT_GT(point, step);
  }
};

TEST_F(KillTest, HostWhileItOpens) {
  KillEverywhere("open", Victim::kHost, 11);
}
TEST_F(KillTest, HostWhileItImports) {
  KillEverywhere("import", Victim::kHost, 23);
}
TEST_F(KillTest, HostWhileItLoads) {
  KillEverywhere("load", Victim::kHost, 31);
}
TEST_F(KillTest, HostWhileItPulls) {
  KillEverywhere("pull", Victim::kHost, 47);
}
TEST_F(KillTest, HostWhileItCreates) {
  KillEverywhere("create", Victim::kHost, 11);
}
TEST_F(KillTest, HostWhileItStarts) {
  KillEverywhere("start", Victim::kHost, 13);
}
TEST_F(KillTest, HostWhileItStops) {
  KillEverywhere("stop", Victim::kHost, 11);
}
TEST_F(KillTest, HostWhileItRemoves) {
  KillEverywhere("remove", Victim::kHost, 11);
}
TEST_F(KillTest, HostWhileItExecutes) {
  KillEverywhere("exec", Victim::kHost, 7);
}
TEST_F(KillTest, HostWhileItCollectsGarbage) {
  KillEverywhere("prune", Victim::kHost, 29);
}
TEST_F(KillTest, HostWhileItRecovers) {
  KillEverywhere("recover", Victim::kHost, 17);
}
TEST_F(KillTest, HelpersWhileTheyExecute) {
  KillEverywhere("exec", Victim::kHelper, 11);
}
TEST_F(KillTest, AllWhileTheyExecute) {
  KillEverywhere("exec", Victim::kAll, 17);
}
TEST_F(KillTest, HelpersWhileTheyStart) {
  KillEverywhere("start", Victim::kHelper, 17);
}
TEST_F(KillTest, HelpersWhileTheyStop) {
  KillEverywhere("stop", Victim::kHelper, 3);
}
TEST_F(KillTest, AllWhileTheyStart) {
  KillEverywhere("start", Victim::kAll, 23);
}
TEST_F(KillTest, AllWhileTheyStop) { KillEverywhere("stop", Victim::kAll, 11); }

}  // namespace
}  // namespace containerkit::testing
