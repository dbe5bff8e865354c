// Processes beside the first one, and streams to it.
#include <fcntl.h>
#include <signal.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/container/container_manager.h"
#include "lib/container/container_manager_internal.h"
#include "lib/runtime/exec_planner.h"
#include "lib/runtime/failure.h"
#include "lib/sys/file_util.h"

namespace containerkit::container {
namespace {

// As docker's events spell it: a command without arguments ends in a space.
std::string WithArguments(const std::vector<std::string>& command) {
  return absl::StrCat(command[0], " ",
                      absl::StrJoin(command.begin() + 1, command.end(), " "));
}

}  // namespace

namespace {

// Kills what an exec started that its caller wants no more.
void EndCancelled(runtime::AttachStream& stream,
                  const runtime::MonitorClient& monitor) {
  constexpr absl::Duration kPatience = absl::Seconds(10);
  const absl::StatusOr<runtime::AttachPacket> first =
      stream.Read(absl::Now() + kPatience);
  // Pid 0 would be the container's first process.
  if (!first.ok() || first->event.pid <= 0) return;
  monitor.Signal(SIGKILL, first->event.pid).IgnoreError();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessSession>> ContainerManager::Attach(
    const std::string& id, const AttachOptions& options) {
  CK_RETURN_IF_ERROR(Load(id).status());
  CK_ASSIGN_OR_RETURN(const runtime::ProcessSnapshot process, Process(id));
  CK_ASSIGN_OR_RETURN(runtime::MonitorClient monitor, Monitor(id));
  uint32_t flags = 0;
  if (options.stdin_stream) flags |= runtime::kAttachStdin;
  if (options.stdout_stream) flags |= runtime::kAttachStdout;
  if (options.stderr_stream) flags |= runtime::kAttachStderr;
  CK_ASSIGN_OR_RETURN(runtime::AttachStream stream, monitor.Attach(flags));
  Emit(id, "attach");
  return std::make_unique<ProcessSession>(ProcessSession::Of::kContainer,
                                          std::move(stream), std::move(monitor),
                                          process.pid, ObserveAttached(id));
}

SessionObserver ContainerManager::ObserveAttached(const std::string& id) {
  SessionObserver observer;
  observer.resized = [this, id](uint16_t rows, uint16_t columns) {
    Emit(id, "resize",
         {{"height", absl::StrCat(rows)}, {"width", absl::StrCat(columns)}});
  };
  observer.left = [this, id](runtime::EventStream) { Emit(id, "detach"); };
  return observer;
}

SessionObserver ContainerManager::ObserveExec(const std::string& id,
                                              const std::string& exec_id,
                                              bool detach) {
  const auto ended = [this, id, exec_id](int exit_code) {
    Emit(id, "exec_die",
         {{"execID", exec_id}, {"exitCode", absl::StrCat(exit_code)}});
  };
  SessionObserver observer;
  observer.ended = ended;
  observer.left = [this, id, exec_id, detach,
                   ended](runtime::EventStream events) {
    if (!detach) Emit(id, "exec_detach", {{"execID", exec_id}});
    absl::StatusOr<std::shared_ptr<LiveProcess>> process = LiveProcess::Create(
        exec_id, FirstProcess(), std::move(events),
        [ended](const std::string&, const runtime::Event& event) {
          if (event.type == runtime::EventType::kExited) ended(event.exit_code);
        });
    // Without the means to listen its end stays untold.
    if (process.ok()) live_.Add(*std::move(process)).IgnoreError();
  };
  return observer;
}

absl::StatusOr<std::unique_ptr<ProcessSession>> ContainerManager::Exec(
    const std::string& id, const containerkit::ExecConfig& config) {
  auto session = StartExec(id, config);
  if (session.ok()) return session;
  return WithObject(
      Prefix(session.status(),
             absl::StrCat("exec in container ", id.substr(0, kShortId))),
      "container", id);
}

absl::StatusOr<std::unique_ptr<ProcessSession>> ContainerManager::StartExec(
    const std::string& id, const containerkit::ExecConfig& config) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  if (config.command.empty()) {
    return InvalidArgument(Reason::kCommandMissing, "container.exec",
                           "no command to execute");
  }
  CK_ASSIGN_OR_RETURN(runtime::MonitorClient monitor, Monitor(id));
  CK_ASSIGN_OR_RETURN(const auto assembly, RecentAssembly(container));
  runtime::ExecConfig exec;
  exec.args = config.command;
  exec.env = config.env;
  exec.user = config.user;
  exec.working_dir = config.working_dir;
  exec.tty = config.tty;
  exec.privileged = config.privileged;
  // The container may have got users since it was started.
  runtime::SpecInputs users;
  if (!exec.user.empty()) {
    ContainerConfig named = container->config;
    named.user = exec.user;
    CK_RETURN_IF_ERROR(AddUserFiles(
        Loaded{container->row, named, container->image, container->record},
        users));
  }
  CK_ASSIGN_OR_RETURN(
      oci::Process process,
      runtime::BuildExecProcess(exec, *assembly->built.spec.process,
                                users.passwd, users.group));
  if (config.rows != 0 && config.columns != 0) {
    process.console_size =
        oci::ConsoleSize{.height = config.rows, .width = config.columns};
  }
  CK_ASSIGN_OR_RETURN(
      const runtime::PlannedLaunch planned,
      runtime::PlanExec(process, *env_.facts, ExecTargetIn(*assembly)));
  runtime::ExecSpec spec;
  spec.plan = &planned.plan;
  spec.flags = runtime::kLaunchExec;
  if (config.tty) spec.flags |= runtime::kLaunchTty;
  if (config.stdin_stream) spec.flags |= runtime::kLaunchStdinOpen;
  spec.rows = config.rows;
  spec.columns = config.columns;
  spec.stdin_fd = config.stdin_fd;
  spec.stdout_fd = config.stdout_fd;
  spec.stderr_fd = config.stderr_fd;
  UniqueFd null;
  if (config.detach) {
    null.Reset(open("/dev/null", O_RDWR | O_CLOEXEC));
    spec.stdin_fd = spec.stdout_fd = spec.stderr_fd = null.get();
  }
  const std::string exec_id = sys::RandomHex(32);
  const absl::Time asked = absl::Now();
  CK_ASSIGN_OR_RETURN(runtime::AttachStream stream, monitor.Exec(spec));
  const absl::StatusOr<runtime::AttachPacket> first =
      stream.Read(absl::InfiniteFuture(), &config.cancel);
  // The container ended meanwhile.
  if (GetReason(first.status()) == Reason::kMonitorLost) {
    return NotRunningError(id);
  }
  if (absl::IsCancelled(first.status())) EndCancelled(stream, monitor);
  CK_RETURN_IF_ERROR(first.status());
  absl::Status failure;
  if (first->event.type == runtime::EventType::kFailed) {
    failure = runtime::FailureStatus(first->event.failure);
  }
  // As docker: of a command that there is not, these two and no end.
  if (GetReason(failure) != Reason::kNotRunning &&
      GetReason(failure) != Reason::kContainerPaused) {
    const std::string command = WithArguments(config.command);
    for (const char* action : {"exec_create: ", "exec_start: "}) {
      Emit(id, action + command, {{"execID", exec_id}}, asked);
    }
  }
  CK_RETURN_IF_ERROR(failure);
  return std::make_unique<ProcessSession>(
      ProcessSession::Of::kExec, std::move(stream), std::move(monitor),
      first->event.pid, ObserveExec(id, exec_id, config.detach));
}

}  // namespace containerkit::container
