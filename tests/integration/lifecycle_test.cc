// A container's way from creation to removal.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

using absl::StatusCode;

class LifecycleTest : public EngineTest {};

pid_t ParentOf(pid_t pid) {
  std::ifstream in(absl::StrCat("/proc/", pid, "/status"));
  std::string line;
  while (std::getline(in, line)) {
    pid_t parent = 0;
    if (sscanf(line.c_str(), "PPid: %d", &parent) == 1) return parent;
  }
  return 0;
}

// Runs host_program and waits until it is ready.
pid_t StartHost(const std::vector<std::string>& arguments) {
  int out[2];
  EXPECT_EQ(pipe(out), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    close(out[1]);
    std::vector<char*> argv = {const_cast<char*>("host_program")};
    for (const std::string& argument : arguments) {
      argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    execv("tests/integration/host_program", argv.data());
    _exit(127);
  }
  close(out[1]);
  char line[16] = {};
  EXPECT_GT(read(out[0], line, sizeof line - 1), 0) << "host_program failed";
  close(out[0]);
  EXPECT_STREQ(line, "ready\n");
  return pid;
}

TEST_F(LifecycleTest, GivesOutputAndExitCode) {
  const RunResult result = Run(Shell("echo out; echo err >&2; exit 42"));
  EXPECT_EQ(result.exit_code, 42);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
}

TEST_F(LifecycleTest, ReportsSignalsAs128PlusNumber) {
  // Pid 1 of a pid namespace cannot kill itself: the shell is pid 2 here.
  ContainerConfig config = Shell("kill -KILL $$; sleep 9");
  config.init = true;
  EXPECT_EQ(Run(config).exit_code, 128 + SIGKILL);
}

TEST_F(LifecycleTest, MissingCommandIs127AndLeavesItCreated) {
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Command({"/no/such"})));
  const auto started = container.Start();
  EXPECT_THAT(started,
              StatusIs(StatusCode::kNotFound, Reason::kCommandNotFound));
  CK_ASSERT_OK_AND_ASSIGN(const ContainerInfo info, container.Inspect());
  EXPECT_EQ(info.state, ContainerState::kCreated);
  EXPECT_EQ(info.exit.code, 127);
  EXPECT_NE(info.error, "");
}

TEST_F(LifecycleTest, FileThatIsNoProgramIs126) {
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Command({"/etc/passwd"})));
  EXPECT_THAT(container.Start(), StatusIs(StatusCode::kPermissionDenied,
                                          Reason::kCommandNotExecutable));
}

TEST_F(LifecycleTest, UnknownImageIsNotFound) {
  ContainerConfig config = Shell("true");
  config.image = "no-such-image";
  EXPECT_THAT(engine().Create(config),
              StatusIs(StatusCode::kNotFound, Reason::kImageNotFound));
}

TEST_F(LifecycleTest, WarnsOfAnImageForAnotherMachine) {
  const std::string archive = BusyboxArchive(MakeDirectory("foreign"));
  const int fd = open(archive.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  CK_EXPECT_OK(engine().images().Import(
      fd, {.reference = "foreign", .platform = "linux/s390x"}));
  close(fd);
  std::vector<std::string> logged;
  CK_ASSERT_OK_AND_ASSIGN(
      const Engine loud,
      Engine::Open({.root = root(),
                    .log_sink = [&](LogLevel level, absl::string_view text) {
                      if (level == LogLevel::kWarning) {
                        logged.emplace_back(text);
                      }
                    }}));
  const auto warnings = [&](const std::string& image,
                            const std::string& platform) {
    ContainerConfig config = Shell("true");
    config.image = image;
    config.platform = platform;
    absl::StatusOr<Container> container = loud.Create(config);
    CK_EXPECT_OK(container);
    return container.ok() ? container->Inspect()->warnings
                          : std::vector<std::string>{"none"};
  };
  const std::vector<std::string> found = warnings("foreign", "");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(absl::StartsWith(
      found[0],
      "The requested image's platform (linux/s390x) does not match the "
      "detected host platform (linux/"));
  EXPECT_EQ(logged, found);
  EXPECT_TRUE(warnings("foreign", "linux/s390x").empty());
  EXPECT_TRUE(warnings(Shell("true").image, "").empty());
  EXPECT_EQ(logged, found);
}

TEST_F(LifecycleTest, NamesAreUniqueAndChecked) {
  ContainerConfig config = Shell("true");
  config.name = "only-one";
  CK_ASSERT_OK_AND_ASSIGN(Container first, engine().Create(config));
  EXPECT_THAT(engine().Create(config),
              StatusIs(StatusCode::kAlreadyExists, Reason::kNameInUse));
  config.name = "no/slash";
  EXPECT_THAT(engine().Create(config),
              StatusIs(StatusCode::kInvalidArgument, Reason::kInvalidName));
  CK_EXPECT_OK(first.Rename("another"));
  CK_ASSERT_OK_AND_ASSIGN(Container found, engine().GetContainer("another"));
  EXPECT_EQ(found.id(), first.id());
  EXPECT_THAT(engine().GetContainer("only-one"),
              StatusIs(StatusCode::kNotFound, Reason::kContainerNotFound));
}

TEST_F(LifecycleTest, RefusesStringsThatAreNotText) {
  // Docker's JSON could not give them back.
  ContainerConfig argument = Shell("true");
  argument.cmd->push_back("\xff");
  ContainerConfig variable = Shell("true");
  variable.env = {"A=\xc0\xaf"};
  ContainerConfig label = Shell("true");
  label.labels["k"] = std::string("a\0b", 3);
  const std::pair<ContainerConfig, std::string> cases[] = {
      {argument, "Cmd["}, {variable, "Env[0]"}, {label, "Labels.k"}};
  for (const auto& [config, place] : cases) {
    const absl::Status status = engine().Create(config).status();
    EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument,
                                 Reason::kInvalidArgument));
    EXPECT_TRUE(absl::StrContains(status.message(), place)) << status;
  }
  EXPECT_TRUE(engine().ListContainers({.all = true})->empty());
}

TEST_F(LifecycleTest, StatesFollowTheTable) {
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Shell("sleep 100")));
  EXPECT_EQ(container.Inspect()->state, ContainerState::kCreated);
  EXPECT_THAT(container.Kill(SIGTERM),
              StatusIs(StatusCode::kFailedPrecondition, Reason::kNotRunning));
  EXPECT_THAT(container.Stop(), StatusIs(StatusCode::kFailedPrecondition,
                                         Reason::kAlreadyStopped));
  CK_ASSERT_OK(container.Start());
  EXPECT_EQ(container.Inspect()->state, ContainerState::kRunning);
  EXPECT_GT(container.Inspect()->pid, 0);
  EXPECT_THAT(container.Start(), StatusIs(StatusCode::kFailedPrecondition,
                                          Reason::kAlreadyStarted));
  EXPECT_THAT(container.Remove(), StatusIs(StatusCode::kFailedPrecondition,
                                           Reason::kContainerRunning));
  CK_EXPECT_OK(container.Pause());
  EXPECT_EQ(container.Inspect()->state, ContainerState::kPaused);
  EXPECT_THAT(container.Pause(), StatusIs(StatusCode::kFailedPrecondition,
                                          Reason::kContainerPaused));
  CK_EXPECT_OK(container.Unpause());
  EXPECT_THAT(container.Unpause(),
              StatusIs(StatusCode::kFailedPrecondition, Reason::kNotPaused));
  CK_EXPECT_OK(container.Kill(SIGKILL));
  CK_ASSERT_OK_AND_ASSIGN(const ExitStatus exit, container.Wait());
  EXPECT_EQ(exit.code, 137);
  EXPECT_EQ(container.Inspect()->state, ContainerState::kExited);
  CK_EXPECT_OK(container.Remove());
  EXPECT_THAT(container.Inspect(),
              StatusIs(StatusCode::kNotFound, Reason::kContainerNotFound));
}

TEST_F(LifecycleTest, StopsWithTheStopSignal) {
  ContainerConfig config =
      Shell("trap 'exit 7' TERM; touch /ready; while :; do sleep .02; done");
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  EXPECT_TRUE(Eventually([&] { return container.StatPath("/ready").ok(); }));
  CK_ASSERT_OK(container.Stop({.timeout = absl::Seconds(5), .signal = 0}));
  EXPECT_EQ(container.Inspect()->exit.code, 7);
}

TEST_F(LifecycleTest, StopKillsWhatDoesNotListen) {
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Shell("trap '' TERM; sleep 100")));
  CK_ASSERT_OK(container.Start());
  CK_ASSERT_OK(
      container.Stop({.timeout = absl::Milliseconds(100), .signal = 0}));
  EXPECT_EQ(container.Inspect()->exit.code, 137);
}

TEST_F(LifecycleTest, RunsAgainWithItsFiles) {
  CK_ASSERT_OK_AND_ASSIGN(
      Container container,
      engine().Create(Shell("cat /count 2>/dev/null; echo x >> /count")));
  for (int run = 0; run < 3; ++run) {
    CK_ASSERT_OK(container.Start());
    CK_ASSERT_OK(container.Wait());
  }
  std::string log;
  CK_ASSERT_OK(container.Logs({}, [&](const Output& output) {
    log.append(output.data.data(), output.data.size());
    return true;
  }));
  EXPECT_EQ(log, "x\nx\nx\n");
}

TEST_F(LifecycleTest, WaitHasATimeoutAndCanBeCancelled) {
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Shell("sleep 100")));
  CK_ASSERT_OK(container.Start());
  WaitOptions options;
  options.timeout = absl::Milliseconds(20);
  EXPECT_THAT(container.Wait(options),
              StatusIs(StatusCode::kDeadlineExceeded, Reason::kTimeout));
  options.timeout = absl::InfiniteDuration();
  options.cancel.Cancel();
  EXPECT_THAT(container.Wait(options),
              StatusIs(StatusCode::kCancelled, Reason::kCancelled));
}

// Cancels `call` so long after it has begun.
bool CallAndCancel(const std::function<bool(const CancelToken&)>& call,
                   absl::Duration delay) {
  const CancelToken token;
  std::atomic<bool> ready = false;
  std::atomic<bool> begun = false;
  std::thread canceller([&] {
    ready = true;
    while (!begun) {
    }
    const absl::Time moment = absl::Now() + delay;
    while (absl::Now() < moment) {
    }
    token.Cancel();
  });
  while (!ready) {
  }
  begun = true;
  const bool late = call(token);
  canceller.join();
  return late;
}

// Cancels a call at later and later moments, until it has been too late for 20
// times in a row. `call` is given the token; true: it was too late. `check` is
// called when it came in time.
void CancelLaterAndLater(const std::function<bool(const CancelToken&)>& call,
                         const std::function<void()>& check) {
  constexpr int kEnough = 20;
  constexpr absl::Duration kStep = absl::Microseconds(10);
  constexpr absl::Duration kMost = absl::Seconds(30);
  int in_time = 0;
  int late = 0;
  absl::Duration delay;
  while (late < kEnough && delay < kMost && !::testing::Test::HasFailure()) {
    if (CallAndCancel(call, delay)) {
      ++late;
    } else {
      late = 0;
      ++in_time;
      check();
    }
    delay = std::max(delay + kStep, delay * 1.02);
  }
  EXPECT_EQ(late, kEnough);
  EXPECT_GT(in_time, 5);
  printf("cancelled %d times in time\n", in_time);
}

TEST_F(LifecycleTest, ACancelledStartRunsOrLeavesNothing) {
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Shell("sleep 100")));
  for (int i = 0; i < 3; ++i) {
    CK_ASSERT_OK(container.Start());
    CK_ASSERT_OK(container.Stop({.timeout = absl::ZeroDuration()}));
  }
  const Snapshot before = Snapshot::Take();
  const auto start = [&](const CancelToken& token) {
    StartOptions options;
    options.cancel = token;
    const absl::Status status = container.Start(options).status();
    const auto info = container.Inspect();
    CK_EXPECT_OK(info);
    EXPECT_EQ(info->state == ContainerState::kRunning, status.ok());
    if (status.ok()) {
      CK_EXPECT_OK(container.Stop({.timeout = absl::ZeroDuration()}));
      return true;
    }
    EXPECT_THAT(status, StatusIs(StatusCode::kCancelled, Reason::kCancelled));
    return false;
  };
  CancelLaterAndLater(
      start, [&] { EXPECT_EQ(Snapshot::WaitUntilBackTo(before), ""); });
  CK_EXPECT_OK(container.Remove());
}

TEST_F(LifecycleTest, ACancelledExecRunsOrLeavesNothing) {
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Shell("sleep 100")));
  CK_ASSERT_OK(container.Start());
  const auto processes = [&] {
    const auto table = container.Top({});
    CK_EXPECT_OK(table);
    return table.ok() ? table->rows.size() : 0;
  };
  const size_t alone = processes();
  const auto call = [&](const CancelToken& token) {
    ExecConfig exec;
    exec.command = {"sleep", "1000"};
    exec.cancel = token;
    absl::StatusOr<Session> session = container.Exec(exec);
    if (session.ok()) {
      CK_EXPECT_OK(session->Signal(SIGKILL));
      EXPECT_EQ(Drain(*session).exit_code, 128 + SIGKILL);
      return true;
    }
    EXPECT_THAT(session.status(),
                StatusIs(StatusCode::kCancelled, Reason::kCancelled));
    return false;
  };
  CancelLaterAndLater(call, [&] {
    EXPECT_TRUE(Eventually([&] { return processes() == alone; }));
  });
}

// As a process makes it that has no descriptor left.
CancelToken TokenWithoutDescriptor() {
  rlimit limit;
  EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  CancelToken token;
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(token.fd(), -1);
  return token;
}

bool Sleeps(pid_t thread) {
  std::ifstream file(absl::StrCat("/proc/self/task/", thread, "/stat"));
  std::string text;
  std::getline(file, text);
  return absl::StrContains(text, ") S ");
}

// Cancels `token` once the call of this thread sleeps.
void ExpectCancelled(const CancelToken& token,
                     const std::function<absl::Status()>& call) {
  std::atomic<pid_t> waiting = 0;
  std::thread canceller([&] {
    EXPECT_TRUE(Eventually([&] { return waiting != 0 && Sleeps(waiting); }));
    token.Cancel();
  });
  waiting = gettid();
  EXPECT_THAT(call(), StatusIs(StatusCode::kCancelled, Reason::kCancelled));
  canceller.join();
}

TEST_F(LifecycleTest, TokensWithoutADescriptorCancelToo) {
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Shell("sleep 100")));
  WaitOptions next;
  next.condition = WaitCondition::kNextExit;
  next.cancel = TokenWithoutDescriptor();
  ExpectCancelled(next.cancel, [&] { return container.Wait(next).status(); });

  StartOptions start;
  start.attach = true;
  CK_ASSERT_OK_AND_ASSIGN(std::optional<Session> session,
                          container.Start(start));
  const CancelToken token = TokenWithoutDescriptor();
  ExpectCancelled(
      token, [&] { return session->Read([](const auto&) {}, token).status(); });

  WaitOptions wait;
  wait.cancel = TokenWithoutDescriptor();
  ExpectCancelled(wait.cancel, [&] { return container.Wait(wait).status(); });

  Engine::Options options;
  options.root = root();
  CK_ASSERT_OK_AND_ASSIGN(Engine other, Engine::Open(options));
  CK_ASSERT_OK_AND_ASSIGN(Container adopted,
                          other.GetContainer(container.id()));
  wait.cancel = TokenWithoutDescriptor();
  ExpectCancelled(wait.cancel, [&] { return adopted.Wait(wait).status(); });
}

TEST_F(LifecycleTest, AutoRemoveLeavesNothing) {
  ContainerConfig config = Shell("true");
  config.auto_remove = true;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  CK_ASSERT_OK(container.Wait());
  EXPECT_TRUE(Eventually([&] {
    return GetReason(container.Inspect().status()) ==
           Reason::kContainerNotFound;
  }));
}

// Who waits may come late: the engine's own thread takes the end in.
TEST_F(LifecycleTest, AutoRemovedContainerTellsHowItEnded) {
  ContainerConfig config = Shell("exit 7");
  config.auto_remove = true;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  ASSERT_TRUE(Eventually([&] {
    return GetReason(container.Inspect().status()) ==
           Reason::kContainerNotFound;
  }));
  EXPECT_EQ(container.Wait()->code, 7);
  WaitOptions removed;
  removed.condition = WaitCondition::kRemoved;
  EXPECT_EQ(container.Wait(removed)->code, 7);
}

// Another process may be at work on it when it ends.
TEST_F(LifecycleTest, AutoRemoveWaitsForWhoHoldsTheContainer) {
  ContainerConfig config = Shell("while [ ! -e /go ]; do sleep .01; done");
  config.auto_remove = true;
  Engine::Options options;
  options.root = root();
  for (const bool engine_closes : {false, true}) {
    CK_ASSERT_OK_AND_ASSIGN(std::optional<Engine> other, Engine::Open(options));
    CK_ASSERT_OK_AND_ASSIGN(std::optional<Container> container,
                            other->Create(config));
    CK_ASSERT_OK(container->Start());
    const std::string directory = root() + "/containers/" + container->id();
    const int held =
        open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(flock(held, LOCK_EX), 0);
    ExecConfig touch;
    touch.command = {"touch", "/go"};
    CK_ASSERT_OK_AND_ASSIGN(std::optional<Session> session,
                            container->Exec(touch));
    Drain(*session);
    EXPECT_EQ(container->Wait()->code, 0);
    EXPECT_EQ(container->Inspect()->state, ContainerState::kExited);
    close(held);
    if (engine_closes) {
      session.reset();
      container.reset();
      other.reset();
      EXPECT_NE(access(directory.c_str(), F_OK), 0);
    } else {
      EXPECT_TRUE(Eventually([&] {
        return GetReason(container->Inspect().status()) ==
               Reason::kContainerNotFound;
      }));
    }
  }
}

TEST_F(LifecycleTest, AnotherEngineAdoptsIt) {
  CK_ASSERT_OK_AND_ASSIGN(
      Container container,
      engine().Create(Shell("echo before; while [ ! -e /go ]; do sleep .01; "
                            "done; echo after; exit 3")));
  CK_ASSERT_OK(container.Start());
  const std::string id = container.id();
  Engine::Options options;
  options.root = root();
  CK_ASSERT_OK_AND_ASSIGN(Engine other, Engine::Open(options));
  CK_ASSERT_OK_AND_ASSIGN(Container adopted, other.GetContainer(id));
  EXPECT_EQ(adopted.Inspect()->state, ContainerState::kRunning);
  ExecConfig touch;
  touch.command = {"touch", "/go"};
  CK_ASSERT_OK_AND_ASSIGN(Session session, adopted.Exec(touch));
  Drain(session);  // the container's end may kill it
  EXPECT_EQ(adopted.Wait()->code, 3);
  std::string log;
  CK_ASSERT_OK(adopted.Logs({}, [&](const Output& output) {
    log.append(output.data.data(), output.data.size());
    return true;
  }));
  EXPECT_EQ(log, "before\nafter\n");
}

TEST_F(LifecycleTest, ContainersOutliveTheProcessThatStartedThem) {
  const pid_t host = StartHost({root(), "orphan", "orphan"});
  kill(host, SIGKILL);
  waitpid(host, nullptr, 0);
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().GetContainer("orphan"));
  EXPECT_EQ(container.Inspect()->state, ContainerState::kRunning);
  CK_EXPECT_OK(container.Stop({.timeout = absl::ZeroDuration(), .signal = 0}));
  EXPECT_EQ(container.Inspect()->exit.code, 137);
}

TEST_F(LifecycleTest, DeathsThatNobodyHeardAreToldOnce) {
  const absl::Time start = absl::Now();
  for (const char* name : {"stopped", "died", "removed"}) {
    const pid_t host = StartHost({root(), "orphan", name});
    kill(host, SIGKILL);
    waitpid(host, nullptr, 0);
  }
  const auto deaths = [&] {
    std::vector<std::string> names;
    EventOptions options;
    options.since = start;
    options.until = absl::Now();
    options.filters = {{"event", "die"}};
    CK_EXPECT_OK(engine().Events(options, [&](const EngineEvent& event) {
      EXPECT_EQ(event.attributes.at("exitCode"), "137");
      EXPECT_LE(event.time, absl::Now());
      names.push_back(event.attributes.at("name"));
      return true;
    }));
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(deaths(), Names());
  CK_ASSERT_OK_AND_ASSIGN(Container stopped, engine().GetContainer("stopped"));
  CK_EXPECT_OK(stopped.Stop({.timeout = absl::ZeroDuration(), .signal = 0}));
  EXPECT_EQ(deaths(), Names({"stopped"}));
  CK_ASSERT_OK_AND_ASSIGN(Container died, engine().GetContainer("died"));
  kill(died.Inspect()->pid, SIGKILL);
  EXPECT_TRUE(Eventually(
      [&] { return died.Inspect()->state == ContainerState::kExited; }));
  EXPECT_EQ(deaths(), Names({"stopped", "died"}));
  CK_ASSERT_OK_AND_ASSIGN(Container removed, engine().GetContainer("removed"));
  CK_EXPECT_OK(removed.Remove({.force = true}));
  EXPECT_EQ(deaths(), Names({"stopped", "died", "removed"}));
  // Another engine tells nothing twice.
  Reopen();
  EXPECT_EQ(deaths(), Names({"stopped", "died", "removed"}));
}

TEST_F(LifecycleTest, ScopeDiesWithItsOwner) {
  const pid_t host = StartHost({root(), "scope", "3"});
  CK_ASSERT_OK_AND_ASSIGN(const auto running, engine().ListContainers());
  EXPECT_EQ(running.size(), 3u);
  kill(host, SIGKILL);
  waitpid(host, nullptr, 0);
  for (const ContainerInfo& info : running) {
    EXPECT_TRUE(Eventually([&] { return kill(info.pid, 0) != 0; }));
  }
  // What is inside the store goes with the next open.
  Reopen();
  CK_ASSERT_OK_AND_ASSIGN(const auto left,
                          engine().ListContainers({.all = true}));
  EXPECT_TRUE(left.empty());
}

// A child that the owner forked holds copies of all of its descriptors.
TEST_F(LifecycleTest, ScopeDiesThoughAChildOfItsOwnerLives) {
  const pid_t host = StartHost({root(), "forked", "2"});
  CK_ASSERT_OK_AND_ASSIGN(const auto running, engine().ListContainers());
  EXPECT_EQ(running.size(), 2u);
  std::ifstream children(
      absl::StrCat("/proc/", host, "/task/", host, "/children"));
  std::vector<pid_t> forked;
  for (pid_t pid; children >> pid;) {
    std::string name;
    std::getline(std::ifstream(absl::StrCat("/proc/", pid, "/comm")), name);
    if (name == "host_program") forked.push_back(pid);
  }
  ASSERT_EQ(forked.size(), 1u);
  kill(host, SIGKILL);
  waitpid(host, nullptr, 0);
  for (const ContainerInfo& info : running) {
    EXPECT_TRUE(Eventually([&] { return kill(info.pid, 0) != 0; }));
  }
  EXPECT_EQ(kill(forked[0], SIGKILL), 0);
  waitpid(forked[0], nullptr, 0);
  Reopen();
  CK_ASSERT_OK_AND_ASSIGN(const auto left,
                          engine().ListContainers({.all = true}));
  EXPECT_TRUE(left.empty());
}

TEST_F(LifecycleTest, KillWithTheStopSignalEndsRestarting) {
  ContainerConfig config =
      Shell("trap 'exit 3' TERM; touch /ready; while :; do sleep .02; done");
  config.restart.policy = RestartConfig::Policy::kAlways;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  EXPECT_TRUE(Eventually([&] { return container.StatPath("/ready").ok(); }));
  CK_ASSERT_OK(container.Kill(SIGTERM));
  WaitOptions wait;
  wait.timeout = absl::Seconds(30);
  CK_ASSERT_OK_AND_ASSIGN(const ExitStatus exit, container.Wait(wait));
  EXPECT_EQ(exit.code, 3);
  EXPECT_EQ(container.Inspect()->state, ContainerState::kExited);
}

TEST_F(LifecycleTest, WaitsForTheRemovalOfOneThatNeverRan) {
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(Shell("true")));
  WaitOptions removed;
  removed.condition = WaitCondition::kRemoved;
  removed.timeout = absl::Seconds(60);
  std::thread remover([&] {
    absl::SleepFor(absl::Milliseconds(100));  // the wait may begin late, too
    CK_EXPECT_OK(container.Remove());
  });
  const absl::StatusOr<ExitStatus> exit = container.Wait(removed);
  remover.join();
  EXPECT_TRUE(exit.ok() ||
              GetReason(exit.status()) == Reason::kContainerNotFound)
      << exit.status();
}

// Whoever asks gets the same answer, at whatever time.
TEST_F(LifecycleTest, WaitWithoutAMonitorTells137) {
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Shell("sleep 100")));
  CK_ASSERT_OK(container.Start());
  absl::StatusOr<ExitStatus> exit;
  std::thread waiter([&] { exit = container.Wait(); });
  kill(ParentOf(container.Inspect()->pid), SIGKILL);
  waiter.join();
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code, 137);
  CK_ASSERT_OK_AND_ASSIGN(const ExitStatus later, container.Wait());
  EXPECT_EQ(later.code, 137);
  CK_EXPECT_OK(container.Remove({.force = true}));
}

TEST_F(LifecycleTest, ScopeClosesOnRequest) {
  CK_ASSERT_OK_AND_ASSIGN(Scope scope, engine().NewScope());
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          scope.Create(Shell("sleep 100")));
  CK_ASSERT_OK(container.Start());
  CK_EXPECT_OK(scope.Close());
  EXPECT_THAT(container.Inspect(),
              StatusIs(StatusCode::kNotFound, Reason::kContainerNotFound));
}

TEST_F(LifecycleTest, RestartsOnFailureAsOftenAsAllowed) {
  ContainerConfig config = Shell("echo run; exit 1");
  config.restart = {.policy = RestartConfig::Policy::kOnFailure,
                    .max_retries = 2};
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  EXPECT_EQ(container.Wait()->code, 1);
  EXPECT_EQ(container.Inspect()->restart_count, 2u);
  std::string log;
  CK_ASSERT_OK(container.Logs({}, [&](const Output& output) {
    log.append(output.data.data(), output.data.size());
    return true;
  }));
  EXPECT_EQ(log, "run\nrun\nrun\n");
}

TEST_F(LifecycleTest, HealthFollowsTheProbe) {
  ContainerConfig config = Shell("touch /ok; sleep 100");
  config.health.test = {"CMD-SHELL", "test -e /ok"};
  config.health.interval = absl::Milliseconds(50);
  config.health.start_interval = absl::Milliseconds(20);
  config.health.retries = 2;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  EXPECT_TRUE(Eventually(
      [&] { return container.Inspect()->health == HealthState::kHealthy; }));
  ExecConfig remove;
  remove.command = {"rm", "/ok"};
  CK_ASSERT_OK_AND_ASSIGN(Session session, container.Exec(remove));
  EXPECT_EQ(Drain(session).exit_code, 0);
  EXPECT_TRUE(Eventually(
      [&] { return container.Inspect()->health == HealthState::kUnhealthy; }));
  // What the probes said outlives the monitor.
  CK_EXPECT_OK(container.Kill(SIGKILL));
  CK_EXPECT_OK(container.Wait());
  CK_ASSERT_OK_AND_ASSIGN(const std::string json, container.InspectJson());
  EXPECT_TRUE(absl::StrContains(json, "\"ExitCode\":1,\"Output\":\"\""))
      << json;
}

TEST_F(LifecycleTest, EventsTellTheStory) {
  ContainerConfig config = Shell("exit 5");
  config.name = "teller";
  const absl::Time start = absl::Now();
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  CK_ASSERT_OK(container.Wait());
  CK_ASSERT_OK(container.Remove());
  std::vector<std::string> actions;
  EventOptions options;
  options.since = start;
  options.until = absl::Now();
  CK_ASSERT_OK(engine().Events(options, [&](const EngineEvent& event) {
    actions.push_back(event.action);
    if (event.action == "die") {
      EXPECT_EQ(event.attributes.at("exitCode"), "5");
      EXPECT_EQ(event.attributes.at("name"), "teller");
    }
    return true;
  }));
  EXPECT_EQ(actions,
            (std::vector<std::string>{"create", "start", "die", "destroy"}));
}

}  // namespace
}  // namespace containerkit::testing
