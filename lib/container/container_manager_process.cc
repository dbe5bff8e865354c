// Stopping, waiting, pausing: what is done to a container's process.
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/container/container_manager.h"
#include "lib/container/container_manager_internal.h"
#include "lib/runtime/attach_events.h"

namespace containerkit::container {
namespace {

using runtime::ProcessSnapshot;
using runtime::ProcessState;

constexpr absl::Duration kDefaultGrace = absl::Seconds(10);
// How long a killed container may take to be gone (conventions.md, 5).
constexpr absl::Duration kKillAllowance = absl::Seconds(5);

absl::Status WithContainer(const absl::Status& status, const std::string& id) {
  return WithObject(status, "container", id);
}

// What a caller is told of SendStop()'s result.
absl::Status StopError(const std::string& id, const absl::Status& sent) {
  if (GetReason(sent) != Reason::kNotRunning) return sent;
  return WithContainer(
      FailedPrecondition(Reason::kAlreadyStopped, "container.stop",
                         absl::StrCat("container ", id.substr(0, kShortId),
                                      " is not running")),
      id);
}

}  // namespace

ExitStatus ExitOf(const ProcessSnapshot& process) {
  if (process.state == ProcessState::kLost) {
    return {.code = 137, .oom_killed = false};
  }
  return {.code = process.exit_code, .oom_killed = process.oom_killed};
}

absl::StatusOr<runtime::MonitorClient> ContainerManager::Monitor(
    const std::string& id) {
  CK_ASSIGN_OR_RETURN(const ProcessSnapshot process, Process(id));
  if (!process.monitored) return NotRunningError(id);
  CK_ASSIGN_OR_RETURN(UniqueFd directory, OpenDirectory(id));
  return runtime::MonitorClient(std::move(directory));
}

absl::StatusOr<UniqueFd> ContainerManager::NotifyOfChange(
    const std::string& id) {
  UniqueFd notify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  // One that was never started has none yet.
  CK_RETURN_IF_ERROR(OpenDirectory(id).status());
  CK_ASSIGN_OR_RETURN(const std::string path,
                      env_.store->snapshots().DirPath(id));
  if (!notify.ok() || inotify_add_watch(notify.get(), path.c_str(),
                                        IN_MODIFY | IN_CREATE | IN_MOVE_SELF |
                                            IN_DELETE_SELF) < 0) {
    return SyscallError(errno, "container.wait", "inotify", path);
  }
  return notify;
}

// Conditions that no monitor can tell about: the start of a container that
// does not run, its removal. The directory's changes wake us.
absl::StatusOr<ExitStatus> ContainerManager::WaitForChange(
    const std::string& id, const WaitOptions& options) {
  const absl::Time deadline = absl::Now() + options.timeout;
  std::optional<ExitStatus> exit;
  if (options.condition == WaitCondition::kRemoved &&
      live_.Find(id) != nullptr) {
    CK_ASSIGN_OR_RETURN(exit, WaitStopped(id, deadline, options.cancel));
  }
  // The end of an inotify(7) instance takes the kernel some 10 ms, so what is
  // about to happen is waited for without one.
  constexpr absl::Duration kSoon = absl::Milliseconds(20);
  constexpr absl::Duration kPause = absl::Microseconds(100);
  const absl::Time soon = absl::Now() + std::min(kSoon, options.timeout);
  UniqueFd notify;
  while (true) {
    const absl::StatusOr<ProcessSnapshot> process = Process(id);
    const absl::Status loaded = Load(id).status();
    if (!loaded.ok()) {
      if (options.condition == WaitCondition::kRemoved &&
          GetReason(loaded) == Reason::kContainerNotFound) {
        if (!exit.has_value()) exit = live_.Ended(id);
        return exit.value_or(ExitStatus());
      }
      return loaded;
    }
    CK_RETURN_IF_ERROR(process.status());
    if (process->monitored && process->state != ProcessState::kExited &&
        options.condition == WaitCondition::kNextExit) {
      return WaitStopped(id, deadline, options.cancel);
    }
    exit = ExitOf(*process);
    if (absl::Now() < soon && !options.cancel.cancelled()) {
      absl::SleepFor(kPause);
      continue;
    }
    if (!notify.ok()) {
      CK_ASSIGN_OR_RETURN(notify, NotifyOfChange(id));
      continue;
    }
    CK_RETURN_IF_ERROR(
        runtime::WaitForFd(notify.get(), POLLIN, deadline, &options.cancel));
    char events[4096];
    [[maybe_unused]] const ssize_t drained =
        read(notify.get(), events, sizeof events);
  }
}

absl::StatusOr<ExitStatus> ContainerManager::Wait(const std::string& id,
                                                  const WaitOptions& options) {
  absl::StatusOr<ExitStatus> exit = WaitFor(id, options);
  if (GetReason(exit.status()) != Reason::kContainerNotFound) return exit;
  // It ended, and was removed as it had asked for, before anybody looked.
  const std::optional<ExitStatus> ended = live_.Ended(id);
  return ended.has_value() ? *ended : exit;
}

absl::StatusOr<ExitStatus> ContainerManager::WaitFor(
    const std::string& id, const WaitOptions& options) {
  if (options.condition == WaitCondition::kRemoved) {
    return WaitForChange(id, options);
  }
  const absl::Time deadline = absl::Now() + options.timeout;
  // What this engine started needs no look at files.
  if (live_.Find(id) != nullptr) {
    return WaitStopped(id, deadline, options.cancel);
  }
  CK_RETURN_IF_ERROR(Load(id).status());
  CK_ASSIGN_OR_RETURN(const ProcessSnapshot process, Process(id));
  if (process.monitored && process.state != ProcessState::kExited) {
    return WaitStopped(id, deadline, options.cancel);
  }
  if (options.condition == WaitCondition::kNextExit) {
    return WaitForChange(id, options);
  }
  return ExitOf(process);
}

absl::StatusOr<ContainerManager::Run> ContainerManager::SendStop(
    const std::string& id, int signal, absl::Duration grace) {
  CK_ASSIGN_OR_RETURN(Run run, CurrentRun(id));
  if (run.over) return NotRunningError(id);
  const absl::Time asked = absl::Now();
  const absl::Status sent = run.monitor.Stop(signal, grace);
  if (GetReason(sent) == Reason::kMonitorLost ||
      GetReason(sent) == Reason::kNotRunning) {
    // It ended by itself before the command arrived.
    CK_RETURN_IF_ERROR(WaitUntilGone(id, run));
    return NotRunningError(id);
  }
  CK_RETURN_IF_ERROR(WithContainer(sent, id));
  Emit(id, "kill", {{"signal", absl::StrCat(signal)}}, asked);
  // A frozen process cannot take the signal: thaw it, as docker does.
  CK_ASSIGN_OR_RETURN(const bool paused, IsPaused(id));
  if (!paused) return run;
  const auto cgroup = OpenCgroup(id);
  const absl::Status thawed = cgroup.ok() ? (*cgroup)->Thaw() : cgroup.status();
  // The monitor may have ended it meanwhile.
  if (thawed.code() != absl::StatusCode::kNotFound) {
    CK_RETURN_IF_ERROR(WithContainer(thawed, id));
  }
  return run;
}

absl::Status ContainerManager::WaitUntilGone(const std::string& id, Run& run,
                                             const CancelToken& cancel) {
  const absl::StatusOr<ExitStatus> exit =
      WaitStopped(id, run, absl::Now() + kKillAllowance, cancel);
  if (GetReason(exit.status()) == Reason::kTimeout) {
    return WithContainer(
        MakeError(absl::StatusCode::kDeadlineExceeded,
                  absl::StrCat("container ", id.substr(0, kShortId),
                               " survived SIGKILL"),
                  {.reason = Reason::kStopTimedOut,
                   .operation = "container.stop",
                   .hint = "a process is stuck in the kernel; look at its "
                           "/proc/PID/stack"}),
        id);
  }
  return exit.status();
}

absl::StatusOr<ContainerManager::StopPlan> ContainerManager::StopPlanOf(
    const Loaded& container, const StopOptions& options) {
  const ContainerConfig& config = container.config;
  StopPlan plan{
      options.signal,
      options.timeout.value_or(config.stop_timeout.value_or(kDefaultGrace))};
  if (plan.signal != 0) return plan;
  const std::string& name = config.stop_signal.empty()
                                ? container.image.config.stop_signal
                                : config.stop_signal;
  plan.signal = SIGTERM;
  if (!name.empty()) {
    CK_ASSIGN_OR_RETURN(plan.signal, runtime::ParseSignal(name));
  }
  return plan;
}

absl::Status ContainerManager::Stop(const std::string& id,
                                    const StopOptions& options) {
  CK_ASSIGN_OR_RETURN(Locked locked, Lock(id, options.cancel));
  return StopLocked(locked, options);
}

absl::Status ContainerManager::StopLocked(Locked& locked,
                                          const StopOptions& options) {
  const std::string& id = locked.container->row.id;
  CK_ASSIGN_OR_RETURN(const StopPlan plan,
                      StopPlanOf(*locked.container, options));
  const absl::Time patience = absl::Now() + plan.grace;
  absl::StatusOr<Run> run = SendStop(id, plan.signal, plan.grace);
  CK_RETURN_IF_ERROR(StopError(id, run.status()));
  locked.lock.Reset();
  CK_RETURN_IF_ERROR(
      WaitForStop(id, *run, plan.signal, patience, options.cancel));
  Emit(id, "stop");
  return absl::OkStatus();
}

absl::Status ContainerManager::WaitForStop(const std::string& id, Run& run,
                                           int signal, absl::Time patience,
                                           const CancelToken& cancel) {
  const absl::Status gone = WaitStopped(id, run, patience, cancel).status();
  const bool runs = GetReason(gone) == Reason::kTimeout;
  if (!gone.ok() && !runs) return gone;
  if (signal != SIGKILL && absl::Now() >= patience) {
    Emit(id, "kill", {{"signal", absl::StrCat(SIGKILL)}}, patience);
  }
  return runs ? WaitUntilGone(id, run, cancel) : absl::OkStatus();
}

absl::Status ContainerManager::Kill(const std::string& id, int signal) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  if (signal < 1 || signal > 64) {
    return InvalidArgument(Reason::kInvalidArgument, "container.kill",
                           absl::StrCat("no signal ", signal));
  }
  CK_ASSIGN_OR_RETURN(const StopPlan stop, StopPlanOf(*container, {}));
  CK_ASSIGN_OR_RETURN(const Locked locked, Lock(id));
  // SIGKILL and the stop signal are not to be undone by a restart policy, and
  // not held up by a pause.
  if (signal == SIGKILL || signal == stop.signal) {
    return SendStop(id, signal,
                    signal == SIGKILL ? absl::ZeroDuration()
                                      : absl::InfiniteDuration())
        .status();
  }
  CK_ASSIGN_OR_RETURN(const runtime::MonitorClient monitor, Monitor(id));
  const absl::Status sent = monitor.Signal(signal);
  if (GetReason(sent) == Reason::kMonitorLost) return NotRunningError(id);
  CK_RETURN_IF_ERROR(WithContainer(sent, id));
  Emit(id, "kill", {{"signal", absl::StrCat(signal)}});
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<sys::Cgroup>> ContainerManager::OpenCgroup(
    const std::string& id) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  CK_ASSIGN_OR_RETURN(const auto assembly, RecentAssembly(container));
  if (assembly->planned.cgroup.empty()) {
    return WithContainer(
        FailedPrecondition(Reason::kCgroupFailed, "container.cgroup",
                           "the container has no cgroup of its own"),
        id);
  }
  return sys::Cgroup::Open(assembly->planned.cgroup);
}

absl::StatusOr<bool> ContainerManager::IsPaused(const std::string& id) {
  const auto cgroup = OpenCgroup(id);
  if (!cgroup.ok()) {
    // Without a cgroup of its own nobody can have frozen it.
    const absl::StatusCode code = cgroup.status().code();
    if (code == absl::StatusCode::kNotFound ||
        GetReason(cgroup.status()) == Reason::kCgroupFailed) {
      return false;
    }
    return cgroup.status();
  }
  const absl::StatusOr<bool> frozen = (*cgroup)->Frozen();
  // Removed since it was opened.
  if (frozen.status().code() == absl::StatusCode::kNotFound) return false;
  return frozen;
}

absl::Status ContainerManager::Pause(const std::string& id) {
  CK_RETURN_IF_ERROR(Monitor(id).status());
  CK_ASSIGN_OR_RETURN(const bool paused, IsPaused(id));
  if (paused) {
    return WithContainer(
        FailedPrecondition(Reason::kContainerPaused, "container.pause",
                           absl::StrCat("container ", id.substr(0, kShortId),
                                        " is already paused")),
        id);
  }
  CK_ASSIGN_OR_RETURN(const auto cgroup, OpenCgroup(id));
  CK_RETURN_IF_ERROR(WithContainer(cgroup->Freeze(), id));
  Emit(id, "pause");
  return absl::OkStatus();
}

absl::Status ContainerManager::Unpause(const std::string& id) {
  CK_RETURN_IF_ERROR(Monitor(id).status());
  CK_ASSIGN_OR_RETURN(const bool paused, IsPaused(id));
  if (!paused) {
    return WithContainer(
        FailedPrecondition(Reason::kNotPaused, "container.unpause",
                           absl::StrCat("container ", id.substr(0, kShortId),
                                        " is not paused")),
        id);
  }
  CK_ASSIGN_OR_RETURN(const auto cgroup, OpenCgroup(id));
  CK_RETURN_IF_ERROR(WithContainer(cgroup->Thaw(), id));
  Emit(id, "unpause");
  return absl::OkStatus();
}

absl::Status ContainerManager::KillLeftovers(const std::string& id) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  const absl::StatusOr<Assembly> assembly =
      Assemble(*container, Purpose::kLookup);
  if (!assembly.ok()) return absl::OkStatus();  // it could not start either
  const std::vector<sys::CgroupDirectory>& groups = assembly->planned.cgroup;
  if (const auto cgroup = sys::Cgroup::Open(groups); cgroup.ok()) {
    CK_RETURN_IF_ERROR(WithContainer((*cgroup)->KillAll(), id));
    CK_RETURN_IF_ERROR(WithContainer((*cgroup)->Remove(), id));
  }
  // The engine's own parent goes with the last container, as it does when a
  // monitor ends well.
  for (const sys::CgroupDirectory& group : groups) {
    const std::string parent = group.path.substr(0, group.path.rfind('/'));
    if (absl::EndsWith(parent, "/containerkit")) rmdir(parent.c_str());
  }
  return absl::OkStatus();
}

}  // namespace containerkit::container
