// What a container's directory says about its process (monitor_wire.h).
#ifndef CONTAINERKIT_LIB_RUNTIME_STATE_FILE_H_
#define CONTAINERKIT_LIB_RUNTIME_STATE_FILE_H_

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/runtime/monitor_wire.h"

namespace containerkit::runtime {

enum class ProcessState {
  kNone,        // never started: no record
  kCreated,     // ready, waits for AwaitStart
  kRunning,     // started, its monitor lives
  kRestarting,  // ended, its monitor will start it again
  kExited,      // ended, exit code known
  kFailed,      // the start failed
  kLost,        // the records say "running", but the monitor is gone
};

struct ProcessSnapshot {
  ProcessState state = ProcessState::kNone;
  // True while a monitor holds monitor.lock.
  bool monitored = false;
  // A monitor of this boot ended without putting away what it had made:
  // processes and cgroups may still be there, whatever the state is.
  bool unfinished = false;
  pid_t pid = 0;  // kCreated, kRunning; kLost: the last one
  uint64_t pid_start_ticks = 0;
  pid_t monitor_pid = 0;
  // kExited, kRestarting: as Docker counts, 0..255.
  int exit_code = 0;
  bool oom_killed = false;
  bool manual_stop = false;
  bool untold = false;      // kExited: nobody has written its "die" event
  bool oom_untold = false;  // nor that the kernel killed for memory
  // CLOCK_REALTIME nanoseconds; 0: never.
  int64_t started_ns = 0;
  int64_t finished_ns = 0;
  uint32_t restart_count = 0;
  Health health = Health::kNone;
  uint32_t failing_streak = 0;
  ChildFailure failure{};  // kFailed
  // False: the records are from before the last boot.
  bool same_boot = true;
};

// The records of a state file's bytes, oldest first; stops at the first one
// that is torn or has a wrong checksum. Pure.
//
// Trust: reads what a crash may have left; every length and sum is checked.
std::vector<StateRecord> ParseStateRecords(absl::string_view bytes);

// What the records say, given whether a monitor lives and this boot's id.
// Pure.
ProcessSnapshot EvaluateState(const std::vector<StateRecord>& records,
                              bool monitored,
                              const std::array<uint8_t, 16>& boot_id);

// Reads <directory>/state and tries <directory>/monitor.lock.
//
// Errors: SYSCALL errors of reading; a missing file is ProcessState::kNone.
// Never waits for the monitor; thread-safe; no privileges.
absl::StatusOr<ProcessSnapshot> ReadProcessState(int directory_fd);

// The last probes of the health check, oldest first; those of an earlier run
// too. Empty if there were none.
//
// Trust: the output in them is the container's; a place that a crash left half
// written is left out.
absl::StatusOr<std::vector<HealthLogEntry>> ReadHealthLog(int directory_fd);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_STATE_FILE_H_
