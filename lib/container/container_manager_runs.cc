// Waiting for the end of one run of a container, which others may start again
// at once.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/container/container_manager.h"
#include "lib/container/container_manager_internal.h"
#include "lib/runtime/attach_events.h"

namespace containerkit::container {
namespace {

using runtime::ProcessSnapshot;

FirstProcess FirstOf(const ProcessSnapshot& process) {
  return {process.pid, process.pid_start_ticks};
}

}  // namespace

absl::StatusOr<ContainerManager::Run> ContainerManager::CurrentRun(
    const std::string& id) {
  Run run;
  CK_ASSIGN_OR_RETURN(UniqueFd directory, OpenDirectory(id));
  CK_ASSIGN_OR_RETURN(const ProcessSnapshot process,
                      runtime::ReadProcessState(directory.get()));
  run.monitor = runtime::MonitorClient(std::move(directory));
  run.first = FirstOf(process);
  run.over = !process.monitored;
  if (run.over) return run;
  run.live = live_.Find(id);
  if (run.live != nullptr && run.live->Pump()) run.live = nullptr;
  run.own = run.live != nullptr && run.live->first() == run.first;
  if (!run.own) Watch(run);
  return run;
}

void ContainerManager::Watch(Run& run) {
  absl::StatusOr<runtime::EventStream> events = run.monitor.Watch();
  if (events.ok()) run.events = *std::move(events);
}

absl::StatusOr<std::optional<ExitStatus>> ContainerManager::WatchUntilExit(
    const std::string& id, Run& run, absl::Time deadline,
    const CancelToken& cancel) {
  while (run.events.ok()) {
    const absl::StatusOr<runtime::Event> event =
        run.events.Next(deadline, &cancel);
    if (GetReason(event.status()) == Reason::kMonitorLost) {
      run.over = true;
      break;
    }
    CK_RETURN_IF_ERROR(WithObject(event.status(), "container", id));
    if (event->pid_start_ticks != 0) {
      run.first = {event->pid, event->pid_start_ticks};
    }
    if (event->type == runtime::EventType::kExited &&
        (event->flags & runtime::kEventFinal) != 0) {
      return std::optional<ExitStatus>(
          ExitStatus{.code = event->exit_code,
                     .oom_killed = (event->flags & runtime::kEventOom) != 0});
    }
  }
  return std::optional<ExitStatus>();
}

absl::StatusOr<std::optional<ExitStatus>> ContainerManager::WaitAdopted(
    const std::string& id, Run& run, absl::Time deadline,
    const CancelToken& cancel) {
  while (true) {
    if (!run.over) {
      CK_ASSIGN_OR_RETURN(const std::optional<ExitStatus> exit,
                          WatchUntilExit(id, run, deadline, cancel));
      if (exit.has_value()) return exit;
    }
    // Its monitor is gone, or not there yet: the state file has the answer.
    CK_ASSIGN_OR_RETURN(const ProcessSnapshot process, Process(id));
    if (!run.over && run.first == FirstProcess()) run.first = FirstOf(process);
    // With another first process it is another run; ours has ended.
    if (!process.monitored ||
        (process.pid != 0 && FirstOf(process) != run.first)) {
      return std::optional<ExitStatus>(ExitOf(process));
    }
    if (absl::Now() > deadline) return std::optional<ExitStatus>();
    CK_RETURN_IF_ERROR(CheckCancelled(cancel, "container.wait"));
    absl::SleepFor(absl::Milliseconds(1));
    if (!run.over) Watch(run);
  }
}

absl::StatusOr<std::optional<ExitStatus>> ContainerManager::WaitForRun(
    const std::string& id, Run& run, absl::Time deadline,
    const CancelToken& cancel) {
  if (run.own) {
    absl::StatusOr<std::optional<ExitStatus>> exit =
        run.live->Wait(deadline, cancel);
    if (GetReason(exit.status()) != Reason::kMonitorLost) return exit;
    run.first = run.live->first();
    run.over = true;
  }
  CK_ASSIGN_OR_RETURN(const std::optional<ExitStatus> exit,
                      WaitAdopted(id, run, deadline, cancel));
  if (!exit.has_value()) return exit;
  TellDeath(id);
  // What it has to tell comes before what its end brings about.
  if (run.live != nullptr) run.live->Wait(deadline, cancel).IgnoreError();
  return exit;
}

absl::StatusOr<ExitStatus> ContainerManager::WaitStopped(
    const std::string& id, Run& run, absl::Time deadline,
    const CancelToken& cancel) {
  CK_ASSIGN_OR_RETURN(const std::optional<ExitStatus> exit,
                      WaitForRun(id, run, deadline, cancel));
  if (exit.has_value()) return *exit;
  return WithObject(
      MakeError(
          absl::StatusCode::kDeadlineExceeded,
          absl::StrCat("container ", id.substr(0, kShortId), " still runs"),
          {.reason = Reason::kTimeout, .operation = "container.wait"}),
      "container", id);
}

absl::StatusOr<ExitStatus> ContainerManager::WaitStopped(
    const std::string& id, absl::Time deadline, const CancelToken& cancel) {
  Run run;
  run.live = live_.Find(id);
  run.own = run.live != nullptr;
  // What this engine started needs no look at files.
  if (!run.own) {
    CK_ASSIGN_OR_RETURN(run, CurrentRun(id));
  }
  return WaitStopped(id, run, deadline, cancel);
}

}  // namespace containerkit::container
