#include "lib/runtime/monitor_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/runtime/failure.h"
#include "lib/runtime/launcher_test_util.h"
#include "lib/runtime/state_file.h"
#include "lib/sys/socket.h"
#include "lib/testing/matchers.h"

namespace containerkit::runtime {
namespace {

using testing::StatusIs;

// Waits for an exec session or an attached container to print `text`.
std::string ReadUntil(AttachStream& stream, const std::string& text) {
  std::string out;
  while (!absl::StrContains(out, text)) {
    const auto packet = stream.Read(absl::Now() + kPatience);
    if (!packet.ok()) {
      ADD_FAILURE() << packet.status() << " after: " << out;
      break;
    }
    if (packet->stream != Stream::kEvent) out += packet->data;
  }
  return out;
}

class MonitorClientTest : public LauncherTest {
 protected:
  // Starts a container that runs until it is stopped.
  Launched StartIdle(uint32_t flags = 0) {
    return StartWith({.argv = {"sleep", "1000"}}, flags);
  }

  Launched StartWith(const TestContainer& container, uint32_t flags = 0,
                     int attach_fd = -1) {
    const LaunchPlan plan = MakePlan(container);
    LaunchSpec spec = MakeSpec(plan);
    spec.flags |= flags;
    spec.attach_fd = attach_fd;
    auto launched = launcher_->Start(spec);
    EXPECT_THAT(launched, testing::IsOk());
    return launched.ok() ? *std::move(launched) : Launched{};
  }

  Event Kill(Launched& launched) {
    CK_EXPECT_OK(Client().Stop(SIGKILL, absl::ZeroDuration()));
    return Await(launched.events, EventType::kExited);
  }
};

TEST_F(MonitorClientTest, WithoutMonitorNothingRuns) {
  EXPECT_THAT(
      Client().Signal(SIGTERM),
      StatusIs(absl::StatusCode::kFailedPrecondition, Reason::kNotRunning));
}

TEST_F(MonitorClientTest, WatchTellsTheCurrentStateFirst) {
  Launched launched = StartIdle();
  CK_ASSERT_OK_AND_ASSIGN(EventStream events, Client().Watch());
  const Event event = Await(events, EventType::kStarted);
  EXPECT_EQ(event.pid, launched.pid);
  EXPECT_EQ(event.pid_start_ticks, launched.pid_start_ticks);
  CK_ASSERT_OK_AND_ASSIGN(const auto state,
                          ReadProcessState(directory_fd_.get()));
  EXPECT_EQ(state.state, ProcessState::kRunning);
  EXPECT_EQ(state.pid, launched.pid);
  Kill(launched);
  const Event end = Await(events, EventType::kExited);
  EXPECT_EQ(end.exit_code, 137);
  EXPECT_TRUE(end.flags & kEventFinal);
  EXPECT_TRUE(end.flags & kEventManualStop);
}

TEST_F(MonitorClientTest, StateFileKeepsTheExit) {
  EXPECT_EQ(Run({.argv = {"sh", "-c", "exit 7"}}), 7);
  CK_ASSERT_OK_AND_ASSIGN(const auto state,
                          ReadProcessState(directory_fd_.get()));
  EXPECT_EQ(state.state, ProcessState::kExited);
  EXPECT_EQ(state.exit_code, 7);
  EXPECT_GT(state.started_ns, 0);
  EXPECT_GE(state.finished_ns, state.started_ns);
}

TEST_F(MonitorClientTest, SignalsReachTheProcess) {
  Launched launched = StartWith({.argv = {"sh", "-c",
                                          "trap 'exit 5' USR1; echo up; "
                                          "while :; do sleep 0.05; done"}});
  CK_ASSERT_OK_AND_ASSIGN(AttachStream stream, Client().Attach(kAttachStdout));
  AwaitLog("up\n");
  CK_EXPECT_OK(Client().Signal(SIGUSR1));
  EXPECT_EQ(Await(launched.events, EventType::kExited).exit_code, 5);
}

TEST_F(MonitorClientTest, StopKillsAfterItsTimeout) {
  Launched launched =
      StartWith({.argv = {"sh", "-c",
                          "trap '' TERM; echo up; while :; do sleep 1; "
                          "done"}});
  AwaitLog("up\n");
  const absl::Time start = absl::Now();
  CK_EXPECT_OK(Client().Stop(SIGTERM, absl::Milliseconds(100)));
  const Event event = Await(launched.events, EventType::kExited);
  EXPECT_EQ(event.exit_code, 137);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(100));
}

TEST_F(MonitorClientTest, AttachedFromTheStartSeesEverything) {
  CK_ASSERT_OK_AND_ASSIGN(auto pair, sys::MakeSocketPair());
  Launched launched =
      StartWith({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}}, 0,
                pair.second.get());
  pair.second.Reset();
  AttachStream stream(std::move(pair.first));
  int code = -1;
  const std::string out = ReadAll(stream, &code);
  EXPECT_TRUE(absl::StrContains(out, "out\n")) << out;
  EXPECT_TRUE(absl::StrContains(out, "err\n")) << out;
  EXPECT_EQ(code, 3);
  EXPECT_EQ(Log("stdout"), "out\n");
  EXPECT_EQ(Log("stderr"), "err\n");
}

TEST_F(MonitorClientTest, StdinReachesTheProcessAndEnds) {
  CK_ASSERT_OK_AND_ASSIGN(auto pair, sys::MakeSocketPair());
  Launched launched =
      StartWith({.argv = {"wc", "-c"}}, kLaunchStdinOpen | kLaunchStdinOnce,
                pair.second.get());
  pair.second.Reset();
  AttachStream stream(std::move(pair.first));
  // More than pipe and socket hold, so that back-pressure is exercised.
  const std::string megabyte(1 << 20, 'x');
  CK_EXPECT_OK(stream.Write(megabyte, absl::Now() + kPatience));
  CK_EXPECT_OK(stream.CloseStdin());
  int code = -1;
  EXPECT_EQ(ReadAll(stream, &code), "1048576\n");
  EXPECT_EQ(code, 0);
}

TEST_F(MonitorClientTest, SeveralClientsSeeTheSameAndASlowOneHoldsBack) {
  CK_ASSERT_OK_AND_ASSIGN(auto pair, sys::MakeSocketPair());
  Launched launched = StartWith({.argv = {"sh", "-c", "read x; seq 100000"}},
                                kLaunchStdinOpen, pair.second.get());
  pair.second.Reset();
  AttachStream first(std::move(pair.first));
  CK_ASSERT_OK_AND_ASSIGN(AttachStream second, Client().Attach(kAttachStdout));
  // The answer to a second command proves that the first one was served.
  CK_EXPECT_OK(Client().UpdateRestart(kRestartNo, 0));
  CK_EXPECT_OK(first.Write("go\n"));
  std::string one;
  std::string two;
  std::thread reader([&] { one = ReadAll(first, nullptr); });
  absl::SleepFor(absl::Milliseconds(20));  // the second one reads late
  two = ReadAll(second, nullptr);
  reader.join();
  EXPECT_EQ(one.size(), 588895u);
  EXPECT_EQ(one, two);
  EXPECT_EQ(Log(), one);
}

TEST_F(MonitorClientTest, ExecRunsInTheContainer) {
  Launched launched = StartIdle();
  const LaunchPlan plan =
      MakeExecPlan({"sh", "-c", "hostname; cat /proc/1/comm; cat; exit 9"});
  ExecSpec spec;
  spec.plan = &plan;
  spec.flags = kLaunchStdinOpen;
  CK_ASSERT_OK_AND_ASSIGN(AttachStream stream, Client().Exec(spec));
  CK_EXPECT_OK(stream.Write("input\n"));
  CK_EXPECT_OK(stream.CloseStdin());
  int code = -1;
  EXPECT_EQ(ReadAll(stream, &code), "box\nsleep\ninput\n");
  EXPECT_EQ(code, 9);
  Kill(launched);
}

TEST_F(MonitorClientTest, ExecFailsWithReason) {
  Launched launched = StartIdle();
  const LaunchPlan plan = MakeExecPlan({"/nosuch"});
  ExecSpec spec;
  spec.plan = &plan;
  CK_ASSERT_OK_AND_ASSIGN(AttachStream stream, Client().Exec(spec));
  CK_ASSERT_OK_AND_ASSIGN(const AttachPacket packet,
                          stream.Read(absl::Now() + kPatience));
  ASSERT_EQ(packet.stream, Stream::kEvent);
  ASSERT_EQ(packet.event.type, EventType::kFailed);
  EXPECT_THAT(FailureStatus(packet.event.failure),
              StatusIs(absl::StatusCode::kNotFound, Reason::kCommandNotFound));
  Kill(launched);
}

TEST_F(MonitorClientTest, ManyExecsAtOnce) {
  Launched launched = StartIdle();
  const LaunchPlan plan = MakeExecPlan({"sh", "-c", "echo $$; exit 4"});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        ExecSpec spec;
        spec.plan = &plan;
        auto stream = Client().Exec(spec);
        ASSERT_THAT(stream, testing::IsOk());
        int code = -1;
        EXPECT_NE(ReadAll(*stream, &code), "");
        EXPECT_EQ(code, 4);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Kill(launched);
}

TEST_F(MonitorClientTest, ExecEndsWithTheContainer) {
  Launched launched = StartIdle();
  const LaunchPlan plan = MakeExecPlan({"sleep", "1000"});
  ExecSpec spec;
  spec.plan = &plan;
  CK_ASSERT_OK_AND_ASSIGN(AttachStream stream, Client().Exec(spec));
  CK_ASSERT_OK_AND_ASSIGN(const AttachPacket packet,
                          stream.Read(absl::Now() + kPatience));
  EXPECT_EQ(packet.event.type, EventType::kStarted);
  Kill(launched);
  int code = -1;
  ReadAll(stream, &code);
  EXPECT_EQ(code, 137);
}

TEST_F(MonitorClientTest, TerminalHasSizeAndCanBeResized) {
  CK_ASSERT_OK_AND_ASSIGN(auto pair, sys::MakeSocketPair());
  Launched launched = StartWith(
      {.argv = {"sh", "-c",
                "tty; stty size; ls -l /dev/console; read x; stty size; "
                "echo got $x"},
       .terminal = true},
      kLaunchTty | kLaunchStdinOpen, pair.second.get());
  pair.second.Reset();
  AttachStream stream(std::move(pair.first));
  std::string out = ReadUntil(stream, "console");
  EXPECT_TRUE(absl::StrContains(out, "/dev/pts/0\r\n24 80\r\n")) << out;
  CK_EXPECT_OK(Client().Resize(40, 100));
  CK_EXPECT_OK(stream.Write("line\n"));
  int code = -1;
  out = ReadAll(stream, &code);
  EXPECT_TRUE(absl::StrContains(out, "40 100\r\ngot line\r\n")) << out;
  EXPECT_EQ(code, 0);
}

TEST_F(MonitorClientTest, ExecWithTerminal) {
  Launched launched = StartIdle();
  LaunchPlan plan;
  const LaunchPlan usual = MakeExecPlan({"sh", "-c", "tty; stty size"});
  for (const Step& step : usual.steps()) {
    plan.Add(step.op, step.fields);
    if (step.op == Op::kSession) {
      plan.Add(Op::kTerminal, {uint64_t{10}, uint64_t{20}, uint64_t{0}});
    }
  }
  ExecSpec spec;
  spec.plan = &plan;
  spec.flags = kLaunchTty;
  CK_ASSERT_OK_AND_ASSIGN(AttachStream stream, Client().Exec(spec));
  int code = -1;
  EXPECT_EQ(ReadAll(stream, &code), "/dev/pts/0\r\n10 20\r\n");
  EXPECT_EQ(code, 0);
  Kill(launched);
}

TEST_F(MonitorClientTest, ResizeNeedsATerminal) {
  Launched launched = StartIdle();
  EXPECT_THAT(Client().Resize(1, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       Reason::kUnsupportedOption));
  Kill(launched);
}

TEST_F(MonitorClientTest, OutlivesItsLauncher) {
  Launched launched = StartIdle();
  launched.events = EventStream();
  launcher_.reset();
  CK_ASSERT_OK_AND_ASSIGN(EventStream events, Client().Watch());
  CK_EXPECT_OK(Client().Stop(SIGKILL, absl::ZeroDuration()));
  EXPECT_EQ(Await(events, EventType::kExited).exit_code, 137);
}

TEST_F(MonitorClientTest, SilentMonitorMapsNoMemoryToSpeakOf) {
  Launched launched = StartIdle();
  CK_ASSERT_OK_AND_ASSIGN(const auto state,
                          ReadProcessState(directory_fd_.get()));
  const std::string rollup =
      ReadFile(absl::StrCat("/proc/", state.monitor_pid, "/smaps_rollup"));
  const size_t at = rollup.find("Pss:");
  ASSERT_NE(at, std::string::npos);
  const int pss_kb = atoi(rollup.c_str() + at + 4);
  EXPECT_LE(pss_kb, 512);
  RecordProperty("pss_kb", pss_kb);
  Kill(launched);
}

}  // namespace
}  // namespace containerkit::runtime
