// A restart or a stop that somebody asks for, and what others do meanwhile.
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

using absl::StatusCode;

class RestartTest : public EngineTest {
 protected:
  void TearDown() override {
    container_ = absl::UnknownError("none any more");
    EngineTest::TearDown();
  }

  using Command = absl::Status (Container::*)(const StopOptions&);

  // Restarts one that ignores its stop signal, and calls `meanwhile` with
  // another engine's handle once that signal was sent.
  absl::Status RestartWhile(const std::function<void(Container&)>& meanwhile) {
    return While(&Container::Restart, meanwhile);
  }

  absl::Status While(Command command,
                     const std::function<void(Container&)>& meanwhile) {
    ContainerConfig config =
        Shell("trap '' TERM; touch /ready; while :; do sleep .05; done");
    config.auto_remove = auto_remove_;
    container_ = engine().Create(config);
    CK_RETURN_IF_ERROR(container_.status());
    CK_RETURN_IF_ERROR(container_->Start().status());
    EXPECT_TRUE(
        Eventually([&] { return container_->StatPath("/ready").ok(); }));
    first_ = container_->Inspect()->pid;
    Engine::Options options;
    options.root = root();
    absl::StatusOr<Engine> other = Engine::Open(options);
    CK_RETURN_IF_ERROR(other.status());
    absl::StatusOr<Container> same = other->GetContainer(container_->id());
    CK_RETURN_IF_ERROR(same.status());
    Container asked = *container_;
    if (adopted_) asked = *same;
    absl::Status done;
    std::thread commander([&] {
      done = (asked.*command)({.timeout = absl::Hours(1), .signal = SIGTERM});
    });
    EventOptions sent;
    sent.since = absl::UnixEpoch();
    sent.filters = {{"event", "kill"}};
    CK_EXPECT_OK(
        engine().Events(sent, [](const EngineEvent&) { return false; }));
    meanwhile(adopted_ ? *container_ : *same);
    commander.join();
    return done;
  }

  // Starts it as soon as the first run is over.
  void StartAgain(Container& container) {
    absl::Status started;
    pid_t pid;
    do {
      pid = container.Inspect()->pid;
      started = container.Start().status();
    } while (GetReason(started) == Reason::kAlreadyStarted &&
             (pid == first_ || pid == 0));
    EXPECT_TRUE(started.ok() || GetReason(started) == Reason::kAlreadyStarted)
        << started;
  }

  absl::StatusOr<Container> container_ = absl::UnknownError("none yet");
  pid_t first_ = 0;
  bool auto_remove_ = false;
  bool adopted_ = false;  // the engine that is asked has not started it
};

TEST_F(RestartTest, KeepsWhatRemovesItselfAtItsEnd) {
  ContainerConfig config = Shell("sleep 100");
  config.auto_remove = true;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  const pid_t first = container.Inspect()->pid;
  CK_ASSERT_OK(
      container.Restart({.timeout = absl::ZeroDuration(), .signal = 0}));
  EXPECT_EQ(container.Inspect()->state, ContainerState::kRunning);
  EXPECT_NE(container.Inspect()->pid, first);
  CK_ASSERT_OK(container.Kill(SIGKILL));
  EXPECT_TRUE(Eventually([&] {
    return GetReason(container.Inspect().status()) ==
           Reason::kContainerNotFound;
  }));
}

TEST_F(RestartTest, WhatRemovesItselfAtItsEndIsKept) {
  auto_remove_ = true;
  CK_ASSERT_OK(RestartWhile([&](Container& same) {
    EXPECT_EQ(kill(first_, SIGKILL), 0);
    // An engine that opens looks for what should have gone.
    Engine::Options options;
    options.root = root();
    CK_EXPECT_OK(Engine::Open(options));
    CK_EXPECT_OK(same.Inspect());
  }));
  EXPECT_EQ(container_->Inspect()->state, ContainerState::kRunning);
  EXPECT_NE(container_->Inspect()->pid, first_);
}

TEST_F(RestartTest, WhatRemovesItselfAtItsEndGoesIfItCannotStart) {
  const std::string source = MakeDirectory("bound");
  ContainerConfig config = Shell("sleep 100");
  config.auto_remove = true;
  config.binds.push_back({.source = source, .target = "/d"});
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  ASSERT_EQ(rmdir(source.c_str()), 0);
  EXPECT_THAT(container.Restart({.timeout = absl::ZeroDuration(), .signal = 0}),
              StatusIs(StatusCode::kNotFound, Reason::kMountSourceMissing));
  EXPECT_THAT(container.Inspect(),
              StatusIs(StatusCode::kNotFound, Reason::kContainerNotFound));
}

TEST_F(RestartTest, WhatIsKilledWhileItStopsIsStartedAtOnce) {
  CK_ASSERT_OK(
      RestartWhile([](Container& same) { CK_EXPECT_OK(same.Kill(SIGKILL)); }));
  EXPECT_EQ(container_->Inspect()->state, ContainerState::kRunning);
  EXPECT_NE(container_->Inspect()->pid, first_);
}

TEST_F(RestartTest, WhatIsRemovedWhileItStopsIsNotFound) {
  EXPECT_THAT(RestartWhile([](Container& same) {
                CK_EXPECT_OK(same.Remove({.force = true}));
              }),
              StatusIs(StatusCode::kNotFound, Reason::kContainerNotFound));
}

// Whoever is first.
TEST_F(RestartTest, WhatIsStartedWhileItStopsRunsOnce) {
  CK_ASSERT_OK(RestartWhile([&](Container& same) {
    CK_EXPECT_OK(same.Kill(SIGKILL));
    StartAgain(same);
  }));
  EXPECT_EQ(container_->Inspect()->state, ContainerState::kRunning);
  int starts = 0;
  EventOptions options;
  options.since = absl::UnixEpoch();
  options.until = absl::Now();
  options.filters = {{"event", "start"}};
  CK_EXPECT_OK(engine().Events(options, [&](const EngineEvent&) {
    ++starts;
    return true;
  }));
  EXPECT_EQ(starts, 2);
}

TEST_F(RestartTest, AStopWaitsForTheRunThatItStopped) {
  for (const bool adopted : {false, true}) {
    adopted_ = adopted;
    CK_ASSERT_OK(While(&Container::Stop, [&](Container& other) {
      EXPECT_EQ(kill(first_, SIGKILL), 0);
      StartAgain(other);
    }));
    EXPECT_EQ(container_->Inspect()->state, ContainerState::kRunning);
    EXPECT_NE(container_->Inspect()->pid, first_);
    CK_ASSERT_OK(container_->Remove({.force = true}));
  }
}

}  // namespace
}  // namespace containerkit::testing
