// Standard streams, terminals, exec, attach and logs.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

using absl::StatusCode;

class StreamsTest : public EngineTest {
 protected:
  Container Running(const ContainerConfig& config) {
    absl::StatusOr<Container> container = engine().Create(config);
    EXPECT_THAT(container, IsOk());
    EXPECT_THAT(container->Start(), IsOk());
    return *container;
  }

  std::string LogOf(Container& container, const LogOptions& options = {}) {
    std::string text;
    CK_EXPECT_OK(container.Logs(options, [&](const Output& output) {
      text.append(output.data.data(), output.data.size());
      return true;
    }));
    return text;
  }
};

TEST_F(StreamsTest, FeedsStdinUntilItIsClosed) {
  ContainerConfig config = Command({"wc", "-c"});
  config.open_stdin = true;
  config.stdin_once = true;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  StartOptions options;
  options.attach = true;
  options.attach_stdin = true;
  CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start(options));
  const std::string block(64 << 10, 'x');
  for (int i = 0; i < 16; ++i) CK_ASSERT_OK(session->Write(block));
  CK_ASSERT_OK(session->CloseStdin());
  EXPECT_EQ(Drain(*session).out, "1048576\n");
}

TEST_F(StreamsTest, LosesNoByteOfALargeOutput) {
  const RunResult result =
      Run(Shell("dd if=/dev/zero bs=65536 count=256 2>/dev/null"));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out.size(), size_t{16} << 20);
}

TEST_F(StreamsTest, KeepsTheLastPartialLine) {
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Shell("printf 'one\\ntwo'")));
  CK_ASSERT_OK(container.Start());
  CK_ASSERT_OK(container.Wait());
  EXPECT_EQ(LogOf(container), "one\ntwo");
}

TEST_F(StreamsTest, TailsSinceAndFollowsLogs) {
  Container container = Running(
      Shell("for i in 1 2 3; do echo $i; done; sleep .2; echo last; exit 0"));
  std::string followed;
  LogOptions follow;
  follow.follow = true;
  CK_ASSERT_OK(container.Logs(follow, [&](const Output& output) {
    followed.append(output.data.data(), output.data.size());
    return true;
  }));
  EXPECT_EQ(followed, "1\n2\n3\nlast\n");
  LogOptions tail;
  tail.tail = 2;
  EXPECT_EQ(LogOf(container, tail), "3\nlast\n");
  LogOptions future;
  future.since = absl::Now() + absl::Hours(1);
  EXPECT_EQ(LogOf(container, future), "");
}

TEST_F(StreamsTest, RotatesLogsBySizeAndCount) {
  ContainerConfig config = Shell("seq 1 20000");
  config.log.max_size_bytes = 64 << 10;
  config.log.max_files = 2;
  Container container = Running(config);
  CK_ASSERT_OK(container.Wait());
  const std::string log = LogOf(container);
  EXPECT_TRUE(absl::EndsWith(log, "\n20000\n"));
  EXPECT_LT(log.size(), size_t{128} << 10);
}

TEST_F(StreamsTest, GivesATerminalWithItsSize) {
  ContainerConfig config = Shell("stty size; test -t 0 && echo tty; exit 0");
  config.tty = true;
  config.open_stdin = true;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  StartOptions options;
  options.attach = true;
  options.attach_stdin = true;
  options.rows = 33;
  options.columns = 101;
  CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start(options));
  const RunResult result = Drain(*session);
  EXPECT_EQ(result.out, "33 101\r\ntty\r\n");
}

TEST_F(StreamsTest, ResizesATerminal) {
  ContainerConfig config = Shell(
      "trap 'stty size; exit 0' WINCH; touch /ready; "
      "while :; do sleep .02; done");
  config.tty = true;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  StartOptions options;
  options.attach = true;
  CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start(options));
  EXPECT_TRUE(Eventually([&] { return container.StatPath("/ready").ok(); }));
  CK_ASSERT_OK(session->Resize(12, 34));
  EXPECT_EQ(Drain(*session).out, "12 34\r\n");
}

TEST_F(StreamsTest, SeveralClientsAttach) {
  ContainerConfig config = Shell(
      "while [ ! -e /go ]; do sleep .01; done; "
      "echo heard; exit 4");
  Container container = Running(config);
  CK_ASSERT_OK_AND_ASSIGN(Session first, container.Attach());
  CK_ASSERT_OK_AND_ASSIGN(Session second, container.Attach());
  ExecConfig touch;
  touch.command = {"touch", "/go"};
  CK_ASSERT_OK_AND_ASSIGN(Session exec, container.Exec(touch));
  Drain(exec);  // the container's end may kill it
  for (Session* session : {&first, &second}) {
    const RunResult result = Drain(*session);
    EXPECT_EQ(result.out, "heard\n");
    EXPECT_EQ(result.exit_code, 4);
  }
}

TEST_F(StreamsTest, ExecGivesOutputCodeUserAndDirectory) {
  Container container = Running(Shell("sleep 100"));
  ExecConfig config;
  config.command = {"sh", "-c",
                    "id -u; id -g; pwd; echo $WHO; echo bad >&2; exit 9"};
  config.user = "app";
  config.working_dir = "/tmp";
  config.env = {"WHO=me"};
  CK_ASSERT_OK_AND_ASSIGN(Session session, container.Exec(config));
  EXPECT_GT(session.pid(), 0);
  const RunResult result = Drain(session);
  EXPECT_EQ(result.out, "1000\n1000\n/tmp\nme\n");
  EXPECT_EQ(result.err, "bad\n");
  EXPECT_EQ(result.exit_code, 9);
}

TEST_F(StreamsTest, ExecFeedsStdinAndHasATerminal) {
  Container container = Running(Shell("sleep 100"));
  ExecConfig cat;
  cat.command = {"cat"};
  cat.stdin_stream = true;
  CK_ASSERT_OK_AND_ASSIGN(Session session, container.Exec(cat));
  CK_ASSERT_OK(session.Write("to and fro"));
  CK_ASSERT_OK(session.CloseStdin());
  EXPECT_EQ(Drain(session).out, "to and fro");
  ExecConfig tty;
  tty.command = {"tty"};
  tty.tty = true;
  CK_ASSERT_OK_AND_ASSIGN(Session terminal, container.Exec(tty));
  EXPECT_TRUE(absl::StartsWith(Drain(terminal).out, "/dev/pts/"));
}

TEST_F(StreamsTest, UnreadInputHoldsNothingUp) {
  Container container = Running(Shell("sleep 100"));
  const std::string much(size_t{4} << 20, 'x');
  ExecConfig config;
  config.stdin_stream = true;
  config.command = {"sh", "-c", "head -c 1 >/dev/null; exit 3"};
  CK_ASSERT_OK_AND_ASSIGN(Session ends, container.Exec(config));
  EXPECT_THAT(ends.Write(much), StatusIs(absl::StatusCode::kFailedPrecondition,
                                         Reason::kNotRunning));
  EXPECT_EQ(Drain(ends).exit_code, 3);

  config.command = {"sleep", "100"};
  CK_ASSERT_OK_AND_ASSIGN(Session deaf, container.Exec(config));
  const CancelToken cancel;
  std::thread writer([&] {
    EXPECT_THAT(deaf.Write(much, cancel),
                StatusIs(absl::StatusCode::kCancelled, Reason::kCancelled));
  });
  CK_EXPECT_OK(deaf.Signal(SIGCONT));
  cancel.Cancel();
  writer.join();
  EXPECT_THAT(deaf.Resize(1, 1), StatusIs(absl::StatusCode::kFailedPrecondition,
                                          Reason::kUnsupportedOption));
  CK_EXPECT_OK(deaf.Signal(SIGKILL));
  EXPECT_EQ(Drain(deaf).exit_code, 137);
  EXPECT_THAT(
      deaf.Signal(SIGKILL),
      StatusIs(absl::StatusCode::kFailedPrecondition, Reason::kNotRunning));
}

TEST_F(StreamsTest, SessionsReachNoLaterRun) {
  ContainerConfig config =
      Shell("[ -e /again ] && exec sleep 100; touch /again");
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start({.attach = true}));
  CK_ASSERT_OK(container.Wait());
  CK_ASSERT_OK(container.Start());
  const auto gone =
      StatusIs(absl::StatusCode::kFailedPrecondition, Reason::kNotRunning);
  EXPECT_THAT(session->Signal(SIGKILL), gone);  // its end is not read yet
  Drain(*session);
  EXPECT_THAT(session->Signal(SIGKILL), gone);
  EXPECT_EQ(container.Inspect()->state, ContainerState::kRunning);
}

TEST_F(StreamsTest, ExecErrorsNameTheReason) {
  Container container = Running(Shell("sleep 100"));
  ExecConfig config;
  config.command = {"/no/such"};
  EXPECT_THAT(container.Exec(config),
              StatusIs(StatusCode::kNotFound, Reason::kCommandNotFound));
  config.command = {"id"};
  config.user = "nobody-here";
  EXPECT_THAT(container.Exec(config),
              StatusIs(StatusCode::kNotFound, Reason::kUserNotFound));
  config.user = "";
  CK_ASSERT_OK(container.Pause());
  EXPECT_THAT(container.Exec(config), StatusIs(StatusCode::kFailedPrecondition,
                                               Reason::kContainerPaused));
  CK_ASSERT_OK(container.Unpause());
  CK_ASSERT_OK(container.Kill(SIGKILL));
  CK_ASSERT_OK(container.Wait());
  EXPECT_THAT(container.Exec(config),
              StatusIs(StatusCode::kFailedPrecondition, Reason::kNotRunning));
}

TEST_F(StreamsTest, GivesTheHostsOwnDescriptors) {
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  const UniqueFd reading(out[0]);
  UniqueFd writing(out[1]);
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Shell("echo direct")));
  StartOptions options;
  options.stdout_fd = writing.get();
  CK_ASSERT_OK(container.Start(options));
  writing.Reset();
  char text[32] = {};
  EXPECT_EQ(read(reading.get(), text, sizeof text - 1), 7);
  EXPECT_STREQ(text, "direct\n");
  CK_ASSERT_OK(container.Wait());
}

TEST_F(StreamsTest, LogDriverNoneKeepsNothing) {
  ContainerConfig config = Shell("echo x");
  config.log.driver = LogConfig::Driver::kNone;
  Container container = Running(config);
  CK_ASSERT_OK(container.Wait());
  EXPECT_THAT(
      container.Logs({}, [](const Output&) { return true; }),
      StatusIs(StatusCode::kFailedPrecondition, Reason::kLogUnavailable));
}

}  // namespace
}  // namespace containerkit::testing
