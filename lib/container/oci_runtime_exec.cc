// OciRuntimeImpl: exec and statistics.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/container/oci_adjust.h"
#include "lib/container/oci_exec.h"
#include "lib/container/oci_launch.h"
#include "lib/container/oci_runtime_impl.h"
#include "lib/container/oci_stats.h"
#include "lib/container/oci_terminal.h"
#include "lib/runtime/exec_planner.h"
#include "lib/runtime/host_facts.h"

namespace containerkit::container {
namespace {

absl::Status CheckExecStatus(const OciContainer& container,
                             bool ignore_paused) {
  const bool paused = container.status == OciStatus::kPaused;
  if (container.process.has_value() && (!paused || ignore_paused)) {
    return absl::OkStatus();
  }
  return WithObject(
      FailedPrecondition(
          paused ? Reason::kContainerPaused : Reason::kNotRunning, "oci.exec",
          absl::StrCat("cannot exec in a container that is ",
                       OciStatusName(container.status))),
      "container", container.record.id);
}

// Trust: `sub` is the caller's word; it may not lead out of the container's
// cgroup.
absl::Status EnterSubCgroup(const std::string& sub,
                            std::vector<sys::CgroupDirectory>& directories) {
  const absl::string_view relative = absl::StripPrefix(sub, "/");
  if (relative.empty()) return absl::OkStatus();
  for (absl::string_view part : absl::StrSplit(relative, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return InvalidArgument(Reason::kInvalidArgument, "oci.exec",
                             absl::StrCat("invalid cgroup \"", sub, "\""));
    }
  }
  for (sys::CgroupDirectory& directory : directories) {
    absl::StrAppend(&directory.path, "/", relative);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> OciRuntimeImpl::Exec(const std::string& id,
                                         const OciExecOptions& options) {
  CK_ASSIGN_OR_RETURN(const OciContainer container, Load(id, /*lock=*/false));
  CK_RETURN_IF_ERROR(CheckExecStatus(container, options.ignore_paused));
  CK_ASSIGN_OR_RETURN(const oci::RuntimeSpec spec, LoadSpec(container));
  CK_ASSIGN_OR_RETURN(oci::Process process,
                      BuildOciExecProcess(options, *spec.process));
  CK_ASSIGN_OR_RETURN(const runtime::HostFacts facts,
                      runtime::ProbeHostFacts());
  CK_ASSIGN_OR_RETURN(const PreservedFds preserved,
                      CollectPreservedFds(options.preserve_fds));
  AddHome(absl::StrCat("/proc/", container.record.pid, "/root"), process);
  if (!options.detach) UseCallersTerminalSize(options.console_socket, process);
  std::vector<std::string> warnings;
  ClampScheduler(facts.cgroups, spec.linux_config.resources, process, warnings);

  runtime::PlannedLaunch launch;
  launch.cgroup = container.record.cgroup;
  CK_RETURN_IF_ERROR(EnterSubCgroup(options.cgroup, launch.cgroup));
  runtime::ExecTarget target = runtime::ExecTargetOf(spec, facts, launch);
  target.pidfd_index = preserved.fds.size();
  const OciStateDocument document =
      HookStateDocument(container.record, OciStatusName(container.status));
  runtime::ExecPlanOptions plan_options;
  plan_options.oom_score_optional = false;
  plan_options.preserve_fds = static_cast<uint32_t>(preserved.fds.size());
  plan_options.die_with_monitor = false;
  plan_options.state_head = document.head;
  plan_options.state_tail = document.tail;
  CK_ASSIGN_OR_RETURN(const runtime::PlannedLaunch planned,
                      runtime::PlanExec(process, facts, target, plan_options));

  OciProcessMode mode;
  mode.exec = true;
  mode.detached = options.detach;
  mode.terminal = planned.terminal;
  mode.rows = planned.rows;
  mode.columns = planned.columns;
  mode.console_socket = options.console_socket;
  mode.extra_fds = preserved.fds;
  mode.extra_fds.push_back(container.process->fd());
  mode.preserve_fds = plan_options.preserve_fds;
  CK_ASSIGN_OR_RETURN(OciLaunched launched,
                      LaunchOciProcess(planned.plan, mode));
  Warn(warnings);
  Warn(planned.warnings);
  if (!options.pid_file.empty()) {
    CK_RETURN_IF_ERROR(WritePidFile(options.pid_file, launched.launched.pid));
  }
  if (options.detach) return 0;
  return WaitForeground(launched, options.signal_fd);
}

absl::StatusOr<std::string> OciRuntimeImpl::StatsJson(const std::string& id) {
  CK_ASSIGN_OR_RETURN(const OciContainer container, Load(id, /*lock=*/false));
  if (!container.process.has_value()) {
    return WithObject(NotRunningError(), "container", id);
  }
  CK_ASSIGN_OR_RETURN(const auto cgroup, NeedCgroup(container));
  CK_ASSIGN_OR_RETURN(const sys::CgroupStats stats, cgroup->Stats());
  return OciStatsDocument(id, stats);
}

}  // namespace containerkit::container
