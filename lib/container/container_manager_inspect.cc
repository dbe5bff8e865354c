// What a container is and does, told.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/container/container_manager.h"
#include "lib/container/container_manager_internal.h"
#include "lib/container/disk_usage.h"
#include "lib/container/docker_json.h"
#include "lib/runtime/failure.h"

namespace containerkit::container {
namespace {

using runtime::ProcessSnapshot;
using runtime::ProcessState;

ContainerState StateOf(const ProcessSnapshot& process, bool paused) {
  switch (process.state) {
    case ProcessState::kNone:
    case ProcessState::kCreated:
    case ProcessState::kFailed:
      return ContainerState::kCreated;
    case ProcessState::kRunning:
      return paused ? ContainerState::kPaused : ContainerState::kRunning;
    case ProcessState::kRestarting:
      return ContainerState::kRestarting;
    case ProcessState::kExited:
      return ContainerState::kExited;
    case ProcessState::kLost:
      // A reboot ends every container; without one, somebody killed the
      // monitor.
      return process.same_boot ? ContainerState::kDead
                               : ContainerState::kExited;
  }
  return ContainerState::kDead;
}

HealthState HealthOf(runtime::Health health) {
  switch (health) {
    case runtime::Health::kNone:
      return HealthState::kNone;
    case runtime::Health::kStarting:
      return HealthState::kStarting;
    case runtime::Health::kHealthy:
      return HealthState::kHealthy;
    case runtime::Health::kUnhealthy:
      return HealthState::kUnhealthy;
  }
  return HealthState::kNone;
}

// Docker's exit codes of a start that failed.
int FailureCode(const absl::Status& failure) {
  switch (GetReason(failure)) {
    case Reason::kCommandNotFound:
      return 127;
    case Reason::kCommandNotExecutable:
      return 126;
    default:
      return 128;
  }
}

absl::Time TimeOf(int64_t ns) {
  return ns == 0 ? absl::InfinitePast() : absl::FromUnixNanos(ns);
}

}  // namespace

ContainerInfo ContainerManager::Describe(const Loaded& container,
                                         const ProcessSnapshot& process,
                                         bool paused) {
  ContainerInfo info;
  info.id = container.row.id;
  info.name = container.row.name;
  info.image_id = container.row.image_id;
  info.image = container.record.image_reference();
  info.state = StateOf(process, paused);
  info.health = HealthOf(process.health);
  info.health_failing_streak = process.failing_streak;
  if (info.state == ContainerState::kRunning ||
      info.state == ContainerState::kPaused) {
    info.pid = process.pid;
  }
  info.exit = {.code = process.exit_code, .oom_killed = process.oom_killed};
  if (process.state == ProcessState::kFailed) {
    const absl::Status failure = runtime::FailureStatus(process.failure);
    info.exit.code = FailureCode(failure);
    info.error = std::string(failure.message());
  } else if (process.state == ProcessState::kLost) {
    info.exit.code = 137;
    info.error = process.same_boot ? "its monitor was killed"
                                   : "the machine was restarted";
  }
  info.created = absl::FromUnixNanos(container.row.created_ns);
  info.started = TimeOf(process.started_ns);
  info.finished = TimeOf(process.finished_ns);
  info.restart_count = process.restart_count;
  // A config that was accepted at creation has a command.
  info.command = runtime::MergeCommand(container.config, container.image.config)
                     .value_or(std::vector<std::string>{});
  info.labels = container.image.config.labels;
  for (const auto& [key, value] : container.config.labels) {
    info.labels[key] = value;
  }
  if (container.config.log.driver == LogConfig::Driver::kJsonFile) {
    info.log_path = absl::StrCat(
        env_.store->snapshots().DirPath(container.row.id).value_or(""),
        "/log.json");
  }
  info.warnings.assign(container.record.warnings().begin(),
                       container.record.warnings().end());
  return info;
}

absl::StatusOr<ContainerConfig> ContainerManager::Config(
    const std::string& id) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  return container->config;
}

absl::StatusOr<ContainerInfo> ContainerManager::Inspect(const std::string& id) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  CK_ASSIGN_OR_RETURN(const ProcessSnapshot process, Process(id));
  bool paused = false;
  if (process.state == ProcessState::kRunning) {
    CK_ASSIGN_OR_RETURN(paused, IsPaused(id));
  }
  return Describe(*container, process, paused);
}

absl::StatusOr<std::string> ContainerManager::InspectJson(const std::string& id,
                                                          bool size) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  CK_ASSIGN_OR_RETURN(const ContainerInfo info, Inspect(id));
  CK_ASSIGN_OR_RETURN(const std::string directory,
                      env_.store->snapshots().DirPath(id));
  CK_ASSIGN_OR_RETURN(
      const store::Snapshot snapshot,
      env_.store->snapshots().Paths(id, container->image.diff_ids));
  InspectExtras extras;
  extras.image_config = container->image.config;
  extras.directory = directory;
  extras.hostname = HostnameOf(container->config, id);
  extras.graph = {{"LowerDir", absl::StrJoin(snapshot.lower_paths, ":")},
                  {"UpperDir", snapshot.upper_path},
                  {"WorkDir", snapshot.work_path},
                  {"MergedDir", absl::StrCat(directory, "/rootfs")}};
  extras.cgroup_v2 = env_.facts->cgroups.mode == sys::CgroupMode::kUnified;
  if (info.health != HealthState::kNone) {
    CK_ASSIGN_OR_RETURN(const UniqueFd files, OpenDirectory(id));
    CK_ASSIGN_OR_RETURN(extras.health_log, runtime::ReadHealthLog(files.get()));
  }
  if (size) {
    CK_RETURN_IF_ERROR(env_.store->RunAsOwner([&]() -> absl::Status {
      CK_ASSIGN_OR_RETURN(const uint64_t written,
                          DiskUsage(absl::StrCat(directory, "/upper")));
      uint64_t total = written;
      for (const std::string& lower : snapshot.lower_paths) {
        CK_ASSIGN_OR_RETURN(const uint64_t bytes, DiskUsage(lower));
        total += bytes;
      }
      extras.size_rw_bytes = written;
      extras.size_root_fs_bytes = total;
      return absl::OkStatus();
    }));
  }
  return containerkit::container::InspectJson(container->config, info, extras);
}

}  // namespace containerkit::container
