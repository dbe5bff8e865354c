// MonitorClient: talks to the monitor of one container.
#ifndef CONTAINERKIT_LIB_RUNTIME_MONITOR_CLIENT_H_
#define CONTAINERKIT_LIB_RUNTIME_MONITOR_CLIENT_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/attach_events.h"
#include "lib/runtime/attach_stream.h"
#include "lib/runtime/monitor_wire.h"
#include "lib/runtime/plan.h"

namespace containerkit::runtime {

// A process to run inside the container. Descriptors are borrowed; -1 =
// absent: the monitor makes a pipe or pty and the stream carries it.
struct ExecSpec {
  const LaunchPlan* plan = nullptr;  // not null; an exec plan (kLaunchExec)
  uint32_t flags = 0;  // kLaunchTty, kLaunchStdinOpen, kLaunchDetachOnReply
  uint32_t rows = 0, columns = 0;
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;
  std::vector<int> extra_fds;
};

// Every call opens its own connection to <directory>/monitor.sock, so one
// client serves any number of threads. All of them fail with
//   FAILED_PRECONDITION / kNotRunning when no monitor runs in the directory,
//   UNAVAILABLE / kMonitorLost when it went away during the call,
//   DEADLINE_EXCEEDED / kTimeout when it does not answer (10 s).
// Privileges: the monitor's own uid, or root. Thread-safe.
class MonitorClient {
 public:
  // directory: the container's directory (an O_PATH descriptor will do).
  explicit MonitorClient(UniqueFd directory)
      : directory_(std::move(directory)) {}

  // Events from now on; the current state comes first. With `pid`, as in
  // Signal(): of that exec'd process alone; the stream ends at once when it has
  // ended.
  absl::StatusOr<EventStream> Watch(int32_t pid = 0) const;

  // attach_flags: AttachFlags. Several clients may be attached; one that does
  // not read holds the container's output back.
  absl::StatusOr<AttachStream> Attach(uint32_t attach_flags) const;

  // Runs a process in the container. The stream's first packet is kEvent with
  // kStarted or kFailed (see failure.h), the last one kExited. Closing the
  // stream leaves the process running.
  absl::StatusOr<AttachStream> Exec(const ExecSpec& spec) const;

  // A signal to a process that the monitor started, which `pid` names as its
  // events do (0: the container's first one).
  //
  // Errors: FAILED_PRECONDITION / kNotRunning when it has ended, or waits for a
  // restart.
  absl::Status Signal(int signal, int32_t pid = 0) const;

  // Asks the monitor to stop the container: `signal`, after `timeout` SIGKILL
  // to everything in it, no restart. InfiniteDuration: never kills. Returns
  // at once; the events say when it is gone.
  absl::Status Stop(int signal, absl::Duration timeout) const;

  // The size of the terminal of `pid`, as in Signal().
  //
  // Errors: FAILED_PRECONDITION / kUnsupportedOption without a terminal,
  // kNotRunning.
  absl::Status Resize(uint32_t rows, uint32_t columns, int32_t pid = 0) const;

  absl::Status UpdateRestart(RestartPolicy policy, uint32_t max) const;

 private:
  absl::StatusOr<UniqueFd> Connect() const;
  absl::StatusOr<UniqueFd> Send(const Command& command,
                                const std::vector<int>& fds) const;
  absl::Status Call(const Command& command) const;

  UniqueFd directory_;
};

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_MONITOR_CLIENT_H_
