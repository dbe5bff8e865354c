// Launcher: starts containers through the static helper, unseen by the host
// program (docs: design D2, D3).
#ifndef CONTAINERKIT_LIB_RUNTIME_LAUNCHER_H_
#define CONTAINERKIT_LIB_RUNTIME_LAUNCHER_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/attach_events.h"
#include "lib/runtime/monitor_wire.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/spawner.h"

namespace containerkit::runtime {

// One start. All descriptors are borrowed for the call; -1 = absent.
struct LaunchSpec {
  // What to execute. Not null.
  const LaunchPlan* plan = nullptr;
  // The health probe's exec plan; null: no probe. It joins the container with
  // JoinNamespace(type 0, path "", fd kNoFd, types).
  const LaunchPlan* health_plan = nullptr;
  HealthSettings health{};

  uint32_t flags = 0;  // LaunchFlags
  RestartPolicy restart_policy = kRestartNo;
  uint32_t restart_max = 0;  // on-failure: 0 = no limit
  uint32_t rows = 0, columns = 0;
  uint32_t log_max_files = 1;
  uint64_t log_max_bytes = 0;  // of one file; 0: no rotation
  // memory.events (v2) or memory.oom_control (v1); "" = none.
  std::string oom_path;

  int directory_fd = -1;  // the container's directory (state, lock, log, sock)
  int stdin_fd = -1;      // given ones become the process's own
  int stdout_fd = -1;
  int stderr_fd = -1;
  int attach_fd = -1;  // attached from the first byte on (AttachStream's peer)
  // The container ends when this is readable or hangs up: a pidfd's process has
  // ended, the writing end of a pipe is closed.
  int scope_fd = -1;
  int console_fd = -1;  // unix socket that receives the pty's master
  // Plan steps name these by index. The first preserve_fds of them are the
  // process's descriptors 3, 4, ...
  std::vector<int> extra_fds;
  uint32_t preserve_fds = 0;

  // How long the start may take, and what cancels it (borrowed).
  absl::Time deadline = absl::InfiniteFuture();
  const CancelToken* cancel = nullptr;
};

// A process that was started (or, with AwaitStart, is ready to be).
struct Launched {
  pid_t pid = 0;                 // in the host's pid namespace
  uint64_t pid_start_ticks = 0;  // with the pid, its identity (proc(5) stat)
  bool ready = false;            // kReady instead of kStarted
  EventStream events;            // the monitor's later events
};

// The parent of all that an Engine starts: owns one spawner process, started
// when first needed and again when it was killed.
//
// The host program never sees it: no SIGCHLD, no status for waitpid(-1), no
// handler, mask, cwd, umask or environment touched, no fork of the host's
// memory. Thread-safe. The destructor ends the spawner; monitors live on.
class Launcher {
 public:
  // Errors: UNIMPLEMENTED / kKernelUnsupported without memfd_create(2).
  static absl::StatusOr<std::unique_ptr<Launcher>> Create();

  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;
  ~Launcher();

  // Executes spec.plan and returns once the program runs or is ready to.
  //
  // Errors: FailureStatus() of the step that failed: nothing of the container
  //   is left then; DEADLINE_EXCEEDED / kTimeout and CANCELLED / kCancelled:
  //   the same, once the monitor has undone it; INVALID_ARGUMENT /
  //   kInvalidArgument: too many descriptors, oom_path too long; UNAVAILABLE /
  //   kMonitorLost: helper or monitor was killed; FAILED_PRECONDITION /
  //   kForked: this is a forked copy of the process that made the Launcher.
  // Blocks until the start succeeded or failed.
  // Privileges: those of the plan's steps; none of its own.
  absl::StatusOr<Launched> Start(const LaunchSpec& spec);

  // Is there a spawner already?
  bool running();

  // Starts the spawner unless it runs, and lets it make the network namespace
  // of the next Start() while the caller does something else. Optional; does
  // nothing if there is one ready. What went wrong shows when a start needs it.
  void PrepareNetwork();

 private:
  explicit Launcher(UniqueFd image);

  absl::Status EnsureSpawner() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopSpawner() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Says which spawner has got it.
  absl::StatusOr<uint64_t> Send(const LaunchRequest& request,
                                const std::vector<int>& fds);
  bool SpawnerDied(uint64_t generation);

  const UniqueFd image_;  // the helper, a sealed memfd
  Mutex mutex_;
  SpawnerProcess spawner_ ABSL_GUARDED_BY(mutex_);
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;  // counts spawners
  // The process that started the spawner; 0: none yet. Another one is a
  // forked copy of it, which must not use it.
  pid_t owner_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_LAUNCHER_H_
