// What happens to containers and their processes, as Engine::Events tells it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/testing/require.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

using Lines = std::vector<std::string>;

class EventsTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    start_ = absl::Now();
  }

  // What has been told since the test began, or since Forget(), by time.
  std::vector<EngineEvent> Told() {
    std::vector<EngineEvent> told;
    EventOptions options;
    options.since = start_;
    options.until = absl::Now();
    CK_EXPECT_OK(engine().Events(options, [&](const EngineEvent& event) {
      told.push_back(event);
      return true;
    }));
    std::stable_sort(told.begin(), told.end(),
                     [](const EngineEvent& a, const EngineEvent& b) {
                       return a.time < b.time;
                     });
    return told;
  }
  void Forget() { start_ = absl::Now(); }

  // The same, "action name=value ...", without what all events have and without
  // the ids of exec'd processes.
  Lines Story() {
    Lines lines;
    for (const EngineEvent& event : Told()) {
      std::string line = event.action;
      for (const auto& [name, value] : event.attributes) {
        if (name == "image" || name == "name" || name == "execID") continue;
        absl::StrAppend(&line, " ", name, "=", value);
      }
      lines.push_back(line);
    }
    return lines;
  }

  Container Started(const ContainerConfig& config) {
    absl::StatusOr<Container> container = engine().Create(config);
    CK_EXPECT_OK(container.status());
    CK_EXPECT_OK(container->Start().status());
    Forget();
    return *container;
  }

  // Has its stream closed?
  static bool Ended(const Session& session) {
    pollfd fd = {.fd = session.fd(), .events = POLLRDHUP, .revents = 0};
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLRDHUP)) != 0;
  }

 private:
  absl::Time start_;
};

ExecConfig ExecOf(std::vector<std::string> command) {
  ExecConfig exec;
  exec.command = std::move(command);
  return exec;
}

TEST_F(EventsTest, AnExecIsToldFromItsMakingToItsEnd) {
  Container container = Started(Shell("sleep 100"));
  CK_ASSERT_OK_AND_ASSIGN(Session session,
                          container.Exec(ExecOf({"sh", "-c", "exit 3"})));
  EXPECT_EQ(Drain(session).exit_code, 3);
  EXPECT_EQ(Story(),
            Lines({"exec_create: sh -c exit 3", "exec_start: sh -c exit 3",
                   "exec_die exitCode=3"}));
  const std::string id = Told()[0].attributes.at("execID");
  EXPECT_EQ(id.size(), 64u);
  for (const EngineEvent& event : Told()) {
    EXPECT_EQ(event.actor_id, container.id());
    EXPECT_EQ(event.attributes.at("execID"), id) << event.action;
  }
}

TEST_F(EventsTest, AnExecOfNothingIsToldWithoutAnEnd) {
  Container container = Started(Shell("sleep 100"));
  EXPECT_FALSE(container.Exec(ExecOf({"nosuch"})).ok());
  EXPECT_EQ(Story(), Lines({"exec_create: nosuch ", "exec_start: nosuch "}));
  CK_ASSERT_OK(container.Pause());
  Forget();
  EXPECT_FALSE(container.Exec(ExecOf({"true"})).ok());
  EXPECT_EQ(Story(), Lines());
  CK_ASSERT_OK(container.Unpause());
}

TEST_F(EventsTest, TheEndOfADetachedExecIsTold) {
  Container container = Started(Shell("sleep 100"));
  ExecConfig exec =
      ExecOf({"sh", "-c", "while [ ! -e /go ]; do sleep .01; done; exit 4"});
  for (const bool detach : {true, false}) {
    exec.detach = detach;
    CK_ASSERT_OK(container.Exec(exec).status());
    CK_ASSERT_OK_AND_ASSIGN(Session touch,
                            container.Exec(ExecOf({"touch", "/go"})));
    EXPECT_EQ(Drain(touch).exit_code, 0);
    const auto told = [&](const std::string& line) {
      const Lines story = Story();
      return std::count(story.begin(), story.end(), line);
    };
    EXPECT_TRUE(Eventually([&] { return told("exec_die exitCode=4") > 0; }));
    EXPECT_EQ(told("exec_die exitCode=4"), 1);
    EXPECT_EQ(told("exec_detach"), detach ? 0 : 1);
    CK_ASSERT_OK_AND_ASSIGN(Session remove,
                            container.Exec(ExecOf({"rm", "/go"})));
    EXPECT_EQ(Drain(remove).exit_code, 0);
    Forget();
  }
}

TEST_F(EventsTest, TheEndOfAnExecThatNobodyReadIsToldOnce) {
  Container container = Started(Shell("sleep 100"));
  CK_ASSERT_OK_AND_ASSIGN(
      std::optional<Session> session,
      container.Exec(ExecOf({"sh", "-c", "echo unread; exit 5"})));
  EXPECT_TRUE(Eventually([&] { return Ended(*session); }));
  Forget();
  session.reset();
  EXPECT_EQ(Story(), Lines({"exec_die exitCode=5"}));
}

TEST_F(EventsTest, TheEndOfAnExecIsToldToASlowReader) {
  Container container = Started(Shell("sleep 100"));
  CK_ASSERT_OK_AND_ASSIGN(Session session,
                          container.Exec(ExecOf({"sh", "-c", "yes & exit 5"})));
  // What it left running is not waited for, which has a time-out of its own.
  absl::SleepFor(absl::Seconds(1));
  EXPECT_EQ(Drain(session).exit_code, 5);
  EXPECT_EQ(Told().back().action, "exec_die");
  EXPECT_EQ(Told().back().attributes.at("exitCode"), "5");
}

TEST_F(EventsTest, AttachedStreamsAreTold) {
  ContainerConfig config = Shell("sleep 100");
  config.tty = config.open_stdin = true;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  Forget();
  StartOptions start;
  start.attach = true;
  CK_ASSERT_OK_AND_ASSIGN(std::optional<Session> session,
                          container.Start(start));
  CK_ASSERT_OK(session->Resize(12, 34));
  session.reset();
  EXPECT_EQ(Story(),
            Lines({"attach", "start", "resize height=12 width=34", "detach"}));
  Forget();
  CK_ASSERT_OK_AND_ASSIGN(session, container.Attach());
  CK_ASSERT_OK(container.Kill(SIGKILL));
  Drain(*session);
  CK_ASSERT_OK(container.Wait());
  session.reset();
  EXPECT_EQ(Story(), Lines({"attach", "kill signal=9", "die exitCode=137"}));
}

TEST_F(EventsTest, AStopIsToldWithItsSignals) {
  Container meek =
      Started(Shell("trap 'exit 7' TERM; touch /ready; sleep 100 & wait"));
  ASSERT_TRUE(Eventually([&] { return meek.StatPath("/ready").ok(); }));
  CK_ASSERT_OK(meek.Stop({.timeout = absl::Seconds(60), .signal = SIGTERM}));
  EXPECT_EQ(Story(), Lines({"kill signal=15", "die exitCode=7", "stop"}));
  // The first process of a pid namespace is deaf to what it does not catch.
  Container deaf = Started(Command({"sleep", "100"}));
  CK_ASSERT_OK(deaf.Stop({.timeout = absl::Milliseconds(20), .signal = 0}));
  EXPECT_EQ(Story(), Lines({"kill signal=15", "kill signal=9",
                            "die exitCode=137", "stop"}));
  Container removed = Started(Shell("sleep 100"));
  CK_ASSERT_OK(removed.Remove({.force = true}));
  EXPECT_EQ(Story(), Lines({"kill signal=9", "die exitCode=137", "destroy"}));
}

TEST_F(EventsTest, AnOomKillIsToldWhileTheContainerLives) {
  ContainerConfig config = Shell("tail /dev/zero; touch /survived; sleep 100");
  config.resources.memory_bytes = 16 << 20;
  config.resources.memory_swap_bytes = 16 << 20;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  EventOptions options;
  options.since = absl::UnixEpoch();
  options.until = absl::Now() + absl::Seconds(30);
  options.filters = {{"event", "oom"}};
  bool told = false;
  CK_EXPECT_OK(engine().Events(options, [&](const EngineEvent&) {
    told = true;
    return false;
  }));
  EXPECT_TRUE(told);
  EXPECT_TRUE(Eventually([&] { return container.StatPath("/survived").ok(); }));
  Forget();
  CK_ASSERT_OK(container.Kill(SIGKILL));
  EXPECT_TRUE(container.Wait()->oom_killed);
  EXPECT_EQ(Story(), Lines({"kill signal=9", "die exitCode=137"}));
}

TEST_F(EventsTest, AnOomKillThatNobodyHeardIsToldWithTheEnd) {
  std::string id;
  {
    Engine::Options options;
    options.root = root();
    CK_ASSERT_OK_AND_ASSIGN(Engine other, Engine::Open(options));
    ContainerConfig config = Shell(
        "while [ ! -e /go ]; do sleep .01; done; tail /dev/zero; "
        "touch /survived; sleep 100");
    config.resources.memory_bytes = 16 << 20;
    config.resources.memory_swap_bytes = 16 << 20;
    CK_ASSERT_OK_AND_ASSIGN(Container container, other.Create(config));
    CK_ASSERT_OK(container.Start());
    id = container.id();
  }
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().GetContainer(id));
  CK_ASSERT_OK_AND_ASSIGN(Session touch,
                          container.Exec(ExecOf({"touch", "/go"})));
  EXPECT_EQ(Drain(touch).exit_code, 0);
  EXPECT_TRUE(Eventually([&] { return container.StatPath("/survived").ok(); }));
  Forget();
  CK_ASSERT_OK(container.Kill(SIGKILL));
  EXPECT_TRUE(container.Wait()->oom_killed);
  EXPECT_EQ(Story(), Lines({"kill signal=9", "oom", "die exitCode=137"}));
}

// A group of the hierarchy `memory` of v1 with a limit, for containers below
// it.
class MemoryParent {
 public:
  MemoryParent() {
    EXPECT_EQ(mkdir(path_.c_str(), 0755), 0) << path_;
    constexpr char kLimit[] = "33554432";
    Write("memory.limit_in_bytes", kLimit);
    Write("memory.memsw.limit_in_bytes", kLimit);
  }
  ~MemoryParent() { EXPECT_EQ(rmdir(path_.c_str()), 0) << path_; }

  const std::string& name() const { return name_; }

 private:
  void Write(const char* file, const std::string& text) const {
    const UniqueFd fd(
        open(absl::StrCat(path_, "/", file).c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.ok() && errno == ENOENT) return;  // no account of swap
    EXPECT_EQ(write(fd.get(), text.data(), text.size()), ssize_t(text.size()))
        << file;
  }

  const std::string name_ = absl::StrCat("/ck-oom-", getpid());
  const std::string path_ = absl::StrCat("/sys/fs/cgroup/memory", name_);
};

TEST_F(EventsTest, ALimitAboveIsToldByTheContainerThatIsKilled) {
  CK_REQUIRE("cgroup-v1");
  const MemoryParent parent;
  ContainerConfig config = Shell("sleep 100");
  config.cgroup_parent = parent.name();
  CK_ASSERT_OK_AND_ASSIGN(Container quiet, engine().Create(config));
  CK_ASSERT_OK(quiet.Start());
  config.cmd = {"sh", "-c", "tail /dev/zero; touch /survived; sleep 100"};
  CK_ASSERT_OK_AND_ASSIGN(Container greedy, engine().Create(config));
  CK_ASSERT_OK(greedy.Start());
  EXPECT_TRUE(Eventually([&] { return greedy.StatPath("/survived").ok(); }));
  // The one that made the parent's groups in other hierarchies removes them.
  for (Container* container : {&greedy, &quiet}) {
    CK_ASSERT_OK(container->Kill(SIGKILL));
    EXPECT_EQ(container->Wait()->oom_killed, container == &greedy);
  }
  std::vector<std::string> killed;
  for (const EngineEvent& event : Told()) {
    if (event.action == "oom") killed.push_back(event.actor_id);
  }
  EXPECT_EQ(killed, std::vector<std::string>{greedy.id()});
  for (Container* container : {&quiet, &greedy}) {
    CK_ASSERT_OK(container->Remove());
  }
}

TEST_F(EventsTest, LooksInsideAreTold) {
  Container container = Started(Shell("sleep 100"));
  CK_ASSERT_OK(container.Top().status());
  const std::string path = scratch() + "/copied.tar";
  const UniqueFd out(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  CK_ASSERT_OK(container.CopyOut("/etc", out.get()));
  ASSERT_EQ(lseek(out.get(), 0, SEEK_SET), 0);
  CK_ASSERT_OK(container.CopyIn("/tmp", out.get()));
  EXPECT_FALSE(container.CopyOut("/nosuch", out.get()).ok());
  EXPECT_EQ(Story(), Lines({"top", "archive-path", "extract-to-dir"}));
}

}  // namespace
}  // namespace containerkit::testing
