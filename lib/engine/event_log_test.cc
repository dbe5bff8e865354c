#include "lib/engine/event_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::engine {
namespace {

using ::containerkit::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

EngineEvent Event(const std::string& action, int second = 0) {
  return {.type = "container",
          .action = action,
          .actor_id = "abcdef0123",
          .attributes = {{"image", "debian:12"}, {"name", "web"}, {"k", "v"}},
          .time = absl::FromUnixSeconds(1700000000 + second)};
}

TEST(EventTest, HasDockersShape) {
  EXPECT_EQ(
      EventJson(Event("start")),
      R"({"Action":"start","Actor":{"Attributes":{"image":"debian:12",)"
      R"("k":"v","name":"web"},"ID":"abcdef0123"},"Type":"container",)"
      R"("from":"debian:12","id":"abcdef0123","scope":"local",)"
      R"("status":"start","time":1700000000,"timeNano":1700000000000000000})");
  EXPECT_EQ(EventJson({.type = "network", .action = "create", .actor_id = "n"}),
            R"({"Action":"create","Actor":{"Attributes":{},"ID":"n"},)"
            R"("Type":"network","scope":"local","time":0,"timeNano":0})");
}

TEST(EventTest, ParseUndoesJson) {
  const EngineEvent event = Event("health_status: healthy", 1);
  CK_ASSERT_OK_AND_ASSIGN(const EngineEvent back, ParseEvent(EventJson(event)));
  EXPECT_EQ(back.type, event.type);
  EXPECT_EQ(back.action, event.action);
  EXPECT_EQ(back.actor_id, event.actor_id);
  EXPECT_EQ(back.attributes, event.attributes);
  EXPECT_EQ(back.time, event.time);
  EXPECT_EQ(back.json, EventJson(event));
  EXPECT_THAT(ParseEvent("{}"), StatusIs(absl::StatusCode::kInvalidArgument,
                                         Reason::kInvalidJson));
}

TEST(EventTest, Filters) {
  EngineEvent exec = Event("exec_start: sh");
  EngineEvent pull = {.type = "image",
                      .action = "pull",
                      .actor_id = "localhost:5000/a:1",
                      .attributes = {{"name", "localhost:5000/a"}}};
  const struct {
    std::multimap<std::string, std::string> filters;
    bool exec, pull;
  } kCases[] = {
      {{}, true, true},
      {{{"type", "container"}}, true, false},
      {{{"type", "container"}, {"type", "image"}}, true, true},
      {{{"event", "exec_start"}}, true, false},
      {{{"event", "exec_start: sh"}}, true, false},
      {{{"event", "exec"}}, false, false},
      {{{"event", "pull"}, {"event", "exec_start"}}, true, true},
      {{{"container", "abcdef"}}, true, false},
      {{{"container", "web"}}, true, false},
      {{{"container", "we"}}, false, false},
      {{{"image", "debian"}}, true, false},
      {{{"image", "debian:12"}}, true, false},
      {{{"image", "debian:11"}}, false, false},
      {{{"image", "localhost:5000/a"}}, false, true},
      {{{"image", "localhost"}}, false, false},
      {{{"label", "k"}}, true, false},
      {{{"label", "k=v"}, {"label", "name"}}, true, false},
      {{{"label", "k=v"}, {"label", "k=w"}}, false, false},
      {{{"scope", "local"}, {"daemon", "x"}}, true, true},
      {{{"scope", "swarm"}}, false, false},
      {{{"network", "x"}}, false, false},
  };
  for (const auto& one : kCases) {
    const std::string name =
        one.filters.empty() ? "" : one.filters.begin()->second;
    EXPECT_EQ(*EventMatches(exec, one.filters), one.exec) << name;
    EXPECT_EQ(*EventMatches(pull, one.filters), one.pull) << name;
  }
  EXPECT_THAT(
      EventMatches(exec, {{"colour", "red"}}),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument));
}

class EventLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = absl::StrCat(::testing::TempDir(), "/eventsXXXXXX");
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  void TearDown() override { CK_EXPECT_OK(sys::RemoveTreeAt(AT_FDCWD, path_)); }

  UniqueFd Directory() {
    return UniqueFd(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  static std::vector<std::string> Actions(const EventLog& log,
                                          const EventOptions& options) {
    std::vector<std::string> actions;
    CK_EXPECT_OK(log.Read(options, [&](const EngineEvent& event) {
      actions.push_back(event.action);
      return true;
    }));
    return actions;
  }
  static EventOptions History() {
    return {.since = absl::InfinitePast(), .until = absl::Now()};
  }

  std::string path_;
};

TEST_F(EventLogTest, NoEventsAreNoError) {
  const EventLog log(Directory());
  EXPECT_THAT(Actions(log, History()), IsEmpty());
}

TEST_F(EventLogTest, ReplaysATimeSpan) {
  const EventLog log(Directory());
  for (int i = 0; i < 5; ++i)
    CK_ASSERT_OK(log.Append(Event(absl::StrCat(i), i)));
  EXPECT_THAT(Actions(log, {.since = absl::FromUnixSeconds(1700000001),
                            .until = absl::FromUnixSeconds(1700000003)}),
              ElementsAre("1", "2", "3"));
  EXPECT_THAT(Actions(log, {.since = absl::InfinitePast(),
                            .until = absl::Now(),
                            .filters = {{"event", "4"}}}),
              ElementsAre("4"));
}

TEST_F(EventLogTest, DamagedLinesAreLeftOut) {
  const EventLog log(Directory());
  CK_ASSERT_OK(log.Append(Event("1")));
  UniqueFd fd(open(absl::StrCat(path_, "/events.log").c_str(),
                   O_WRONLY | O_APPEND | O_CLOEXEC));
  CK_ASSERT_OK(sys::WriteAll(fd.get(), "nonsense\n{\"Action\":\"to"));
  CK_ASSERT_OK(log.Append(Event("2")));
  EXPECT_THAT(Actions(log, History()), ElementsAre("1", "2"));
}

TEST_F(EventLogTest, FollowsFromNowOn) {
  const EventLog log(Directory());
  CK_ASSERT_OK(log.Append(Event("old")));
  std::vector<std::string> actions;
  std::thread reader([&] {
    CK_EXPECT_OK(log.Read({}, [&](const EngineEvent& event) {
      actions.push_back(event.action);
      return actions.size() < 3;
    }));
  });
  // Until the reader has started, events are not for it.
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done) {
      CK_EXPECT_OK(log.Append(Event("new")));
      absl::SleepFor(absl::Milliseconds(1));
    }
  });
  reader.join();
  done = true;
  writer.join();
  EXPECT_THAT(actions, ElementsAre("new", "new", "new"));
}

TEST_F(EventLogTest, RotationKeepsEveryEventForAFollower) {
  constexpr int kThreads = 4, kEvents = 200;
  // About eighty events a file.
  constexpr uint64_t kMaxBytes = 20000;
  const EventLog log(Directory(), kMaxBytes);
  CK_ASSERT_OK(log.Append(Event("first")));
  std::multiset<std::string> seen;
  absl::Notification started;
  std::atomic<int> read_count{0}, write_count{0};
  std::thread reader([&] {
    CK_EXPECT_OK(log.Read({.since = absl::InfinitePast()},
                          [&](const EngineEvent& event) {
                            if (event.action == "first") started.Notify();
                            seen.insert(event.action);
                            ++read_count;
                            return event.action != "last";
                          }));
  });
  started.WaitForNotification();
  // Each thread is its own process as far as locks go: another open file.
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, t] {
      const EventLog own(Directory(), kMaxBytes);
      for (int i = 0; i < kEvents; ++i) {
        CK_EXPECT_OK(own.Append(Event(absl::StrCat(t, "-", i))));
        // Two rotations that the reader does not see lose events.
        ++write_count;
        while (write_count - read_count > 40) std::this_thread::yield();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  CK_ASSERT_OK(log.Append(Event("last")));
  reader.join();
  EXPECT_EQ(seen.size(), kThreads * kEvents + 2);
  std::set<std::string> unique(seen.begin(), seen.end());
  EXPECT_EQ(unique.size(), kThreads * kEvents + 2);
  struct stat st;
  ASSERT_EQ(stat(absl::StrCat(path_, "/events.log.1").c_str(), &st), 0);
  EXPECT_LT(st.st_size, kMaxBytes + (kThreads + 1) * 500);
}

TEST_F(EventLogTest, UntilEndsIt) {
  const EventLog log(Directory());
  EXPECT_THAT(Actions(log, {.until = absl::Now() + absl::Milliseconds(30)}),
              IsEmpty());
}

TEST_F(EventLogTest, CancelEndsIt) {
  const EventLog log(Directory());
  EventOptions options;
  std::thread canceller([&] {
    absl::SleepFor(absl::Milliseconds(10));
    options.cancel.Cancel();
  });
  EXPECT_THAT(log.Read(options, [](const EngineEvent&) { return true; }),
              StatusIs(absl::StatusCode::kCancelled, Reason::kCancelled));
  canceller.join();
}

TEST_F(EventLogTest, AnUnknownFilterIsAnErrorAtOnce) {
  const EventLog log(Directory());
  EXPECT_THAT(
      log.Read({.filters = {{"colour", "red"}}},
               [](const EngineEvent&) { return true; }),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument));
}

}  // namespace
}  // namespace containerkit::engine
