#include "lib/runtime/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/monitor_wire.h"

namespace containerkit::runtime {
namespace {

constexpr absl::string_view kOperation = "state.read";
// The monitor compacts its file long before that.
constexpr size_t kLargestFile = 4 << 20;

// FNV-1a, as the monitor writes it.
uint32_t Checksum(absl::string_view bytes) {
  uint32_t hash = 2166136261u;
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  }
  return hash;
}

absl::StatusOr<std::string> ReadSmallFile(int directory, const char* name) {
  const UniqueFd fd(openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.ok()) return SyscallError(errno, kOperation, "openat", name);
  std::string content;
  char buffer[8192];
  while (content.size() < kLargestFile) {
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SyscallError(errno, kOperation, "read", name);
    if (n == 0) break;
    content.append(buffer, static_cast<size_t>(n));
  }
  return content;
}

using BootId = std::array<uint8_t, 16>;

absl::StatusOr<BootId> ReadBootId() {
  CK_ASSIGN_OR_RETURN(const std::string text,
                      ReadSmallFile(AT_FDCWD,
                                    "/proc/sys/kernel/random/"
                                    "boot_id"));
  const std::string bytes = absl::HexStringToBytes(
      absl::StrReplaceAll(absl::StripAsciiWhitespace(text), {{"-", ""}}));
  BootId id{};
  std::memcpy(id.data(), bytes.data(), std::min(bytes.size(), id.size()));
  return id;
}

// Read once a process, under which it cannot change.
absl::StatusOr<BootId> OurBootId() {
  static std::atomic<const BootId*> known = nullptr;
  const BootId* id = known.load();
  if (id != nullptr) return *id;
  CK_ASSIGN_OR_RETURN(const BootId read, ReadBootId());
  const BootId* const made = new BootId(read);
  if (!known.compare_exchange_strong(id, made)) delete made;
  return read;
}

enum class MonitorLock {
  kFree,
  kHeld,       // a monitor lives
  kAbandoned,  // it ended and left its mark in the file's mode
};

absl::StatusOr<MonitorLock> TryMonitorLock(int directory) {
  const UniqueFd fd(
      openat(directory, "monitor.lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.ok()) {
    if (errno == ENOENT) return MonitorLock::kFree;
    return SyscallError(errno, kOperation, "openat", "monitor.lock");
  }
  // Shared, so that several readers do not see each other as monitors; a
  // monitor that starts in this instant tries again.
  int locked = -1;
  do {
    locked = flock(fd.get(), LOCK_SH | LOCK_NB);
  } while (locked != 0 && errno == EINTR);
  if (locked != 0) {
    if (errno == EWOULDBLOCK) return MonitorLock::kHeld;
    return SyscallError(errno, kOperation, "flock", "monitor.lock");
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return SyscallError(errno, kOperation, "fstat", "monitor.lock");
  }
  return (info.st_mode & kMonitorAtWork) != 0 ? MonitorLock::kAbandoned
                                              : MonitorLock::kFree;
}

void ApplyStart(const StateRecord& record, ProcessSnapshot& snapshot) {
  snapshot.state = record.event.type == EventType::kReady
                       ? ProcessState::kCreated
                       : ProcessState::kRunning;
  snapshot.pid = record.event.pid;
  snapshot.pid_start_ticks = record.event.pid_start_ticks;
  if (record.event.type == EventType::kStarted) {
    snapshot.started_ns = record.event.time_ns;
  }
  snapshot.oom_killed = false;
  snapshot.oom_untold = false;
}

void ApplyEnd(const StateRecord& record, ProcessSnapshot& snapshot) {
  snapshot.exit_code = record.event.exit_code;
  snapshot.oom_killed = (record.event.flags & kEventOom) != 0;
  snapshot.manual_stop = (record.event.flags & kEventManualStop) != 0;
  snapshot.untold = (record.event.flags & kEventUntold) != 0;
  snapshot.finished_ns = record.event.time_ns;
  snapshot.pid = 0;
  snapshot.pid_start_ticks = 0;
}

void Apply(const StateRecord& record, ProcessSnapshot& snapshot) {
  snapshot.monitor_pid = record.monitor_pid;
  snapshot.restart_count = record.event.restart_count;
  snapshot.health = record.event.health;
  snapshot.failing_streak = record.event.failing_streak;
  switch (record.event.type) {
    case EventType::kReady:
    case EventType::kStarted:
      ApplyStart(record, snapshot);
      break;
    case EventType::kExited:
      ApplyEnd(record, snapshot);
      snapshot.state = (record.event.flags & kEventFinal) != 0
                           ? ProcessState::kExited
                           : ProcessState::kRestarting;
      break;
    case EventType::kRestarting:
      ApplyEnd(record, snapshot);
      snapshot.state = ProcessState::kRestarting;
      break;
    case EventType::kFailed:
      snapshot.state = ProcessState::kFailed;
      snapshot.failure = record.event.failure;
      snapshot.finished_ns = record.event.time_ns;
      snapshot.pid = 0;
      snapshot.pid_start_ticks = 0;
      break;
    case EventType::kOom:
      snapshot.oom_untold |= (record.event.flags & kEventUntold) != 0;
      break;
    case EventType::kHealth:
      break;
  }
}

}  // namespace

std::vector<StateRecord> ParseStateRecords(absl::string_view bytes) {
  std::vector<StateRecord> records;
  while (bytes.size() >= sizeof(StateRecord)) {
    StateRecord record;
    std::memcpy(&record, bytes.data(), sizeof record);
    if (record.event.magic != kMonitorMagic ||
        record.checksum !=
            Checksum(bytes.substr(0, offsetof(StateRecord, checksum)))) {
      break;
    }
    records.push_back(record);
    bytes.remove_prefix(sizeof record);
  }
  return records;
}

ProcessSnapshot EvaluateState(const std::vector<StateRecord>& records,
                              bool monitored,
                              const std::array<uint8_t, 16>& boot_id) {
  ProcessSnapshot snapshot;
  snapshot.monitored = monitored;
  for (const StateRecord& record : records) Apply(record, snapshot);
  if (records.empty()) return snapshot;
  snapshot.same_boot =
      std::memcmp(records.back().boot_id, boot_id.data(), boot_id.size()) == 0;
  if (!snapshot.same_boot) snapshot.monitored = false;
  const bool alive = snapshot.state == ProcessState::kCreated ||
                     snapshot.state == ProcessState::kRunning ||
                     snapshot.state == ProcessState::kRestarting;
  if (alive && !snapshot.monitored) snapshot.state = ProcessState::kLost;
  return snapshot;
}

absl::StatusOr<ProcessSnapshot> ReadProcessState(int directory_fd) {
  CK_ASSIGN_OR_RETURN(const BootId boot_id, OurBootId());
  // The lock first: a monitor writes its last record before it lets go, so a
  // free lock means that the records read afterwards are the last ones.
  CK_ASSIGN_OR_RETURN(const MonitorLock lock, TryMonitorLock(directory_fd));
  absl::StatusOr<std::string> bytes = ReadSmallFile(directory_fd, "state");
  if (absl::IsNotFound(bytes.status())) bytes = std::string();
  CK_RETURN_IF_ERROR(bytes.status());
  ProcessSnapshot snapshot = EvaluateState(ParseStateRecords(*bytes),
                                           lock == MonitorLock::kHeld, boot_id);
  snapshot.unfinished = snapshot.state == ProcessState::kLost ||
                        (lock == MonitorLock::kAbandoned && snapshot.same_boot);
  return snapshot;
}

absl::StatusOr<std::vector<HealthLogEntry>> ReadHealthLog(int directory_fd) {
  std::vector<HealthLogEntry> entries;
  const absl::StatusOr<std::string> bytes =
      ReadSmallFile(directory_fd, "health");
  if (absl::IsNotFound(bytes.status())) return entries;
  CK_RETURN_IF_ERROR(bytes.status());
  for (size_t at = 0; at + sizeof(HealthLogEntry) <= bytes->size();
       at += sizeof(HealthLogEntry)) {
    HealthLogEntry entry;
    std::memcpy(&entry, bytes->data() + at, sizeof entry);
    if (entry.start_ns <= 0 || entry.end_ns < entry.start_ns ||
        entry.output_size > sizeof entry.output) {
      continue;
    }
    entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(),
            [](const HealthLogEntry& a, const HealthLogEntry& b) {
              return a.start_ns < b.start_ns;
            });
  return entries;
}

}  // namespace containerkit::runtime
