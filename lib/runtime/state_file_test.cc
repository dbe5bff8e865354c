#include "lib/runtime/state_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/child/state_writer.h"
#include "lib/testing/matchers.h"

namespace containerkit::runtime {
namespace {

constexpr std::array<uint8_t, 16> kBoot = {1, 2, 3};
constexpr std::array<uint8_t, 16> kOtherBoot = {9};

StateRecord Record(EventType type, uint32_t flags = 0, int code = 0) {
  StateRecord record;
  std::memset(&record, 0, sizeof record);
  record.event.magic = kMonitorMagic;
  record.event.type = type;
  record.event.flags = flags;
  record.event.exit_code = code;
  record.event.pid = 77;
  record.event.pid_start_ticks = 88;
  record.event.time_ns = 1000 + static_cast<int>(type);
  record.monitor_pid = 66;
  std::memcpy(record.boot_id, kBoot.data(), kBoot.size());
  record.checksum = child::RecordChecksum(record);
  return record;
}

std::string Bytes(const std::vector<StateRecord>& records) {
  std::string bytes;
  for (const StateRecord& record : records) {
    bytes.append(reinterpret_cast<const char*>(&record), sizeof record);
  }
  return bytes;
}

TEST(StateFileTest, TornTailIsIgnored) {
  const std::string bytes =
      Bytes({Record(EventType::kStarted), Record(EventType::kExited)});
  EXPECT_EQ(ParseStateRecords(bytes).size(), 2u);
  for (size_t cut = 1; cut <= sizeof(StateRecord); ++cut) {
    EXPECT_EQ(ParseStateRecords(
                  absl::string_view(bytes).substr(0, bytes.size() - cut))
                  .size(),
              1u);
  }
}

TEST(StateFileTest, EveryDamagedByteEndsTheRecords) {
  const std::string bytes = Bytes({Record(EventType::kStarted)});
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    EXPECT_TRUE(ParseStateRecords(damaged).empty()) << i;
  }
}

TEST(StateFileTest, StatesFollowTheRecords) {
  EXPECT_EQ(EvaluateState({}, false, kBoot).state, ProcessState::kNone);
  EXPECT_EQ(EvaluateState({Record(EventType::kReady)}, true, kBoot).state,
            ProcessState::kCreated);
  const ProcessSnapshot running =
      EvaluateState({Record(EventType::kStarted)}, true, kBoot);
  EXPECT_EQ(running.state, ProcessState::kRunning);
  EXPECT_EQ(running.pid, 77);
  EXPECT_EQ(running.pid_start_ticks, 88u);
  EXPECT_EQ(running.monitor_pid, 66);
  const ProcessSnapshot exited =
      EvaluateState({Record(EventType::kStarted),
                     Record(EventType::kExited, kEventFinal | kEventOom, 137)},
                    false, kBoot);
  EXPECT_EQ(exited.state, ProcessState::kExited);
  EXPECT_EQ(exited.exit_code, 137);
  EXPECT_TRUE(exited.oom_killed);
  EXPECT_EQ(exited.pid, 0);
  EXPECT_FALSE(exited.oom_untold);
  const std::vector<StateRecord> killed = {
      Record(EventType::kStarted), Record(EventType::kOom, kEventUntold),
      Record(EventType::kOom)};
  EXPECT_TRUE(EvaluateState(killed, true, kBoot).oom_untold);
  EXPECT_EQ(EvaluateState(
                {Record(EventType::kStarted), Record(EventType::kExited, 0, 1)},
                true, kBoot)
                .state,
            ProcessState::kRestarting);
  EXPECT_EQ(EvaluateState({Record(EventType::kFailed)}, false, kBoot).state,
            ProcessState::kFailed);
}

TEST(StateFileTest, WithoutMonitorOrAfterABootItIsLost) {
  const std::vector<StateRecord> records = {Record(EventType::kStarted)};
  EXPECT_EQ(EvaluateState(records, false, kBoot).state, ProcessState::kLost);
  const ProcessSnapshot other = EvaluateState(records, true, kOtherBoot);
  EXPECT_EQ(other.state, ProcessState::kLost);
  EXPECT_FALSE(other.same_boot);
  EXPECT_FALSE(other.monitored);
}

// Killed before its first record, or in a later run, whose records do not
// tell: the mark does.
TEST(StateFileTest, AMonitorThatWasKilledHasLeftItsMark) {
  std::string path = ::testing::TempDir() + "/ck_state_XXXXXX";
  ASSERT_NE(mkdtemp(path.data()), nullptr);
  const UniqueFd directory(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd lock(openat(directory.get(), "monitor.lock",
                             O_RDWR | O_CREAT | O_CLOEXEC, kMonitorLockMode));
  CK_ASSERT_OK_AND_ASSIGN(auto state, ReadProcessState(directory.get()));
  EXPECT_FALSE(state.unfinished);
  ASSERT_EQ(fchmod(lock.get(), kMonitorLockMode | kMonitorAtWork), 0);
  CK_ASSERT_OK_AND_ASSIGN(state, ReadProcessState(directory.get()));
  EXPECT_TRUE(state.unfinished);
  EXPECT_EQ(state.state, ProcessState::kNone);
  ASSERT_EQ(flock(lock.get(), LOCK_EX), 0);
  CK_ASSERT_OK_AND_ASSIGN(state, ReadProcessState(directory.get()));
  EXPECT_FALSE(state.unfinished);
  EXPECT_TRUE(state.monitored);
  unlinkat(directory.get(), "monitor.lock", 0);
  rmdir(path.c_str());
}

TEST(StateFileTest, ReadsWhatTheMonitorWroteAndCompacted) {
  std::string path = ::testing::TempDir() + "/ck_state_XXXXXX";
  ASSERT_NE(mkdtemp(path.data()), nullptr);
  const UniqueFd directory(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CK_ASSERT_OK_AND_ASSIGN(const auto nothing,
                          ReadProcessState(directory.get()));
  EXPECT_EQ(nothing.state, ProcessState::kNone);
  child::StateWriter writer;
  ASSERT_EQ(writer.Open(directory.get(), kBoot.data()), 0);
  Event event = Record(EventType::kStarted).event;
  writer.Append(event);
  for (uint32_t i = 1; i <= 1000; ++i) {
    event = Record(EventType::kHealth).event;
    event.failing_streak = i;
    writer.Append(event);
  }
  event = Record(EventType::kExited, kEventFinal, 5).event;
  event.failing_streak = 1000;
  writer.Append(event);
  CK_ASSERT_OK_AND_ASSIGN(const auto state, ReadProcessState(directory.get()));
  EXPECT_EQ(state.state, ProcessState::kExited);
  EXPECT_EQ(state.exit_code, 5);
  EXPECT_EQ(state.failing_streak, 1000u);
  EXPECT_EQ(state.started_ns, 1000 + static_cast<int>(EventType::kStarted));
  const UniqueFd file(openat(directory.get(), "state", O_RDONLY | O_CLOEXEC));
  EXPECT_LT(lseek(file.get(), 0, SEEK_END),
            static_cast<off_t>(sizeof(StateRecord) * 130));
  unlinkat(directory.get(), "state", 0);
  rmdir(path.c_str());
}

}  // namespace
}  // namespace containerkit::runtime
