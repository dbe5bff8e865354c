// Logs, statistics, processes and files of a container.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/container/archive.h"
#include "lib/container/container_manager.h"
#include "lib/container/container_manager_internal.h"
#include "lib/container/docker_json.h"
#include "lib/container/log_reader.h"
#include "lib/container/process_root.h"
#include "lib/container/process_table.h"
#include "lib/container/root_view.h"
#include "lib/runtime/users.h"
#include "lib/sys/as_file_owner.h"
#include "lib/sys/file_util.h"

namespace containerkit::container {
namespace {

using runtime::ProcessState;

// Jiffies of all CPUs, busy and idle, as nanoseconds (proc(5), stat).
absl::StatusOr<uint64_t> HostCpuNanos() {
  CK_ASSIGN_OR_RETURN(const std::string stat,
                      sys::ReadFileAt(AT_FDCWD, "/proc/stat", 1 << 20));
  const absl::string_view line =
      absl::string_view(stat).substr(0, stat.find('\n'));
  uint64_t ticks = 0;
  int column = 0;
  for (const absl::string_view field :
       absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    uint64_t value = 0;
    // "cpu user nice system idle iowait irq softirq steal"; guest time is
    // part of user time.
    if (column++ > 0 && column <= 9 && absl::SimpleAtoi(field, &value)) {
      ticks += value;
    }
  }
  return ticks * (1000000000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK)));
}

template <typename T>
void Override(const std::optional<T>& from, std::optional<T>& to) {
  if (from.has_value()) to = from;
}

// What `docker update` can change.
void MergeResources(const ResourceConfig& from, ResourceConfig& to) {
  Override(from.memory_bytes, to.memory_bytes);
  Override(from.memory_reservation_bytes, to.memory_reservation_bytes);
  Override(from.memory_swap_bytes, to.memory_swap_bytes);
  Override(from.nano_cpus, to.nano_cpus);
  Override(from.cpu_quota_us, to.cpu_quota_us);
  Override(from.cpu_period_us, to.cpu_period_us);
  Override(from.cpu_shares, to.cpu_shares);
  Override(from.cpu_realtime_runtime_us, to.cpu_realtime_runtime_us);
  Override(from.cpu_realtime_period_us, to.cpu_realtime_period_us);
  Override(from.pids_limit, to.pids_limit);
  Override(from.blkio_weight, to.blkio_weight);
  if (!from.cpuset_cpus.empty()) to.cpuset_cpus = from.cpuset_cpus;
  if (!from.cpuset_mems.empty()) to.cpuset_mems = from.cpuset_mems;
  for (const auto& [key, value] : from.unified) to.unified[key] = value;
}

}  // namespace

int CpusOnline() { return static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)); }

absl::Status ContainerManager::Logs(
    const std::string& id, const LogOptions& options,
    const std::function<bool(const Output&)>& sink) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  if (container->config.log.driver == LogConfig::Driver::kNone) {
    return WithObject(
        FailedPrecondition(Reason::kLogUnavailable, "container.logs",
                           "the container was made with log driver \"none\""),
        "container", id);
  }
  CK_ASSIGN_OR_RETURN(const UniqueFd directory, OpenDirectory(id));
  return ReadLogs(
      directory.get(), options,
      [&] {
        const auto process = runtime::ReadProcessState(directory.get());
        return process.ok() && process->monitored;
      },
      sink);
}

absl::StatusOr<ContainerStats> ContainerManager::Stats(const std::string& id) {
  CK_RETURN_IF_ERROR(Monitor(id).status());
  CK_ASSIGN_OR_RETURN(const auto cgroup, OpenCgroup(id));
  CK_ASSIGN_OR_RETURN(const sys::CgroupStats read, cgroup->Stats());
  ContainerStats stats;
  stats.time = absl::Now();
  stats.cpu_total_ns = read.cpu_usage_ns;
  stats.cpu_user_ns = read.cpu_user_ns;
  stats.cpu_system_ns = read.cpu_system_ns;
  stats.online_cpus = static_cast<uint32_t>(CpusOnline());
  stats.memory_usage_bytes = read.memory_usage_bytes;
  stats.memory_limit_bytes = read.memory_limit_bytes;
  stats.memory_cache_bytes = read.memory_cache_bytes;
  stats.pids_current = read.pids_current;
  stats.pids_limit = read.pids_limit;
  stats.block_read_bytes = read.block_read_bytes;
  stats.block_write_bytes = read.block_write_bytes;
  CK_ASSIGN_OR_RETURN(stats.host_cpu_ns, HostCpuNanos());
  return stats;
}

absl::StatusOr<ProcessTable> ContainerManager::Top(
    const std::string& id, const std::vector<std::string>& columns) {
  CK_RETURN_IF_ERROR(Monitor(id).status());
  CK_ASSIGN_OR_RETURN(const auto cgroup, OpenCgroup(id));
  CK_ASSIGN_OR_RETURN(const std::vector<pid_t> pids, cgroup->Processes());
  CK_ASSIGN_OR_RETURN(ProcessTable table, ListProcesses(pids, columns));
  Emit(id, "top");
  return table;
}

absl::Status ContainerManager::WithRoot(
    const Loaded& container, const CancelToken& cancel,
    absl::FunctionRef<absl::Status(const sys::RootDir&)> use) {
  const std::string& id = container.row.id;
  CK_ASSIGN_OR_RETURN(const runtime::ProcessSnapshot process, Process(id));
  if (process.state == ProcessState::kRunning) {
    const absl::StatusOr<sys::RootDir> root =
        OpenProcessRoot(process.pid, process.pid_start_ticks, "");
    if (!absl::IsNotFound(root.status())) {
      CK_RETURN_IF_ERROR(root.status());
      return env_.store->RunAsOwner([&] { return use(*root); });
    }
    // It has ended since.
  }
  // Nobody starts it while its files are looked at: two overlays must not have
  // the same upper directory. And it may be gone.
  CK_ASSIGN_OR_RETURN(const Locked locked, Lock(id, cancel));
  CK_ASSIGN_OR_RETURN(const RootView view, OpenView(*locked.container, cancel));
  return env_.store->RunAsOwner([&] { return use(view.root()); });
}

absl::StatusOr<RootView> ContainerManager::OpenView(const Loaded& container,
                                                    const CancelToken& cancel) {
  CK_RETURN_IF_ERROR(MakeBindSources(container.config));
  CK_ASSIGN_OR_RETURN(const store::Snapshot snapshot,
                      PrepareSnapshot(container));
  CK_ASSIGN_OR_RETURN(const UniqueFd directory,
                      OpenDirectory(container.row.id));
  CK_ASSIGN_OR_RETURN(const std::string path,
                      env_.store->snapshots().DirPath(container.row.id));
  runtime::SpecInputs inputs;
  inputs.auto_ids = MapsOf(container.record);
  inputs.root_path = snapshot.work_path;
  // The first start makes these.
  const auto made = [&](const char* name) {
    struct stat st;
    return fstatat(directory.get(), name, &st, AT_SYMLINK_NOFOLLOW) == 0
               ? absl::StrCat(path, "/", name)
               : std::string();
  };
  inputs.hostname_path = made(kHostnameFile);
  inputs.hosts_path = made(kHostsFile);
  inputs.resolv_conf_path = made(kResolvConfFile);
  CK_ASSIGN_OR_RETURN(
      const oci::RuntimeSpec spec,
      runtime::BuildViewSpec(container.config, *env_.facts, inputs));
  runtime::PlanOptions options;
  options.root = RootOf(snapshot);
  CK_ASSIGN_OR_RETURN(const runtime::LaunchPlan plan,
                      runtime::PlanView(spec, *env_.facts, options));
  absl::StatusOr<RootView> view =
      RootView::Open(*env_.launcher, plan, inputs.root_path, cancel);
  if (!view.ok()) {
    return Prefix(view.status(), "mount the container's root file system");
  }
  return view;
}

absl::StatusOr<std::optional<std::pair<uint32_t, uint32_t>>>
ContainerManager::OwnerOf(const Loaded& container) {
  const std::string& name = container.config.user.empty()
                                ? container.image.config.user
                                : container.config.user;
  std::optional<std::pair<uint32_t, uint32_t>> owner;
  if (name.empty()) return owner;
  runtime::SpecInputs inputs;
  CK_RETURN_IF_ERROR(AddUserFiles(container, inputs));
  CK_ASSIGN_OR_RETURN(const runtime::ResolvedUser user,
                      runtime::ResolveUser(name, inputs.passwd, inputs.group));
  owner = {user.uid, user.gid};
  return owner;
}

absl::Status ContainerManager::CopyOut(const std::string& id,
                                       const std::string& path, int fd,
                                       const CancelToken& cancel) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  const auto copy = [&](const sys::RootDir& root) {
    return container::CopyOut(root, path, fd, IdsOf(container->record), cancel);
  };
  CK_RETURN_IF_ERROR(
      WithObject(WithRoot(*container, cancel, copy), "container", id));
  Emit(id, "archive-path");
  return absl::OkStatus();
}

absl::Status ContainerManager::CopyIn(
    const std::string& id, const std::string& path, int fd,
    const containerkit::CopyInOptions& options) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  CopyInOptions in;
  in.no_overwrite_dir_non_dir = options.no_overwrite_dir_non_dir;
  in.copy_uid_gid = options.copy_uid_gid;
  in.ids = IdsOf(container->record);
  in.cancel = options.cancel;
  if (options.copy_uid_gid) {
    CK_ASSIGN_OR_RETURN(in.owner, OwnerOf(*container));
  }
  const auto copy = [&](const sys::RootDir& root) {
    if (in.ids.uid_map.empty() || in.ids.gid_map.empty() || geteuid() != 0) {
      return container::CopyIn(root, path, fd, in);
    }
    // Its bind mounts may have id maps, which must know who makes files.
    return sys::AsFileOwner(
        in.ids.uid_map.front().host_id, in.ids.gid_map.front().host_id,
        [&] { return container::CopyIn(root, path, fd, in); });
  };
  CK_RETURN_IF_ERROR(
      WithObject(WithRoot(*container, options.cancel, copy), "container", id));
  Emit(id, "extract-to-dir");
  return absl::OkStatus();
}

absl::StatusOr<PathStat> ContainerManager::StatPath(const std::string& id,
                                                    const std::string& path) {
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  PathStat stat;
  CK_RETURN_IF_ERROR(
      WithRoot(*container, {}, [&](const sys::RootDir& root) -> absl::Status {
        CK_ASSIGN_OR_RETURN(stat, container::StatPath(root, path));
        return absl::OkStatus();
      }));
  return stat;
}

absl::Status ContainerManager::Update(const std::string& id,
                                      const ContainerUpdate& update) {
  CK_RETURN_IF_ERROR(WithObject(
      runtime::CheckCpus(update.resources, CpusOnline()), "container", id));
  CK_ASSIGN_OR_RETURN(const auto container, Load(id));
  ContainerConfig changed = container->config;
  MergeResources(update.resources, changed.resources);
  if (update.restart.has_value()) changed.restart = *update.restart;

  Loaded next{container->row, changed, container->image, container->record};
  CK_ASSIGN_OR_RETURN(const std::string config_json, CheckedJson(changed));
  next.record.set_config_json(config_json);
  next.row.record = next.record.SerializeAsString();
  // Says now what a start would say later.
  CK_ASSIGN_OR_RETURN(const Assembly assembly,
                      Assemble(next, Purpose::kLookup));
  CK_ASSIGN_OR_RETURN(const runtime::ProcessSnapshot process, Process(id));
  if (process.monitored) {
    CK_ASSIGN_OR_RETURN(const auto cgroup, OpenCgroup(id));
    CK_RETURN_IF_ERROR(
        WithObject(cgroup->Update(assembly.built.spec.linux_config.resources),
                   "container", id));
    if (update.restart.has_value()) {
      CK_ASSIGN_OR_RETURN(const runtime::MonitorClient monitor, Monitor(id));
      CK_RETURN_IF_ERROR(monitor.UpdateRestart(PolicyOf(changed.restart.policy),
                                               changed.restart.max_retries));
    }
  }
  CK_RETURN_IF_ERROR(env_.store->Transaction(
      [&](store::Txn& txn) { return txn.UpdateContainer(next.row); }));
  Emit(id, "update");
  return absl::OkStatus();
}

absl::StatusOr<std::string> ContainerManager::DryRun(
    const ContainerConfig& config, const ContainerImage& image) {
  CK_RETURN_IF_ERROR(runtime::CheckCpus(config.resources, CpusOnline()));
  Loaded container;
  container.config = config;
  CK_RETURN_IF_ERROR(ResolveContainers(container.config));
  container.image = image.config;
  container.row.id = std::string(64, '0');
  container.row.image_id = image.id;
  CK_RETURN_IF_ERROR(AssignIds(container));
  CK_ASSIGN_OR_RETURN(const Assembly assembly,
                      Assemble(container, Purpose::kLookup));
  return assembly.planned.plan.Describe();
}

}  // namespace containerkit::container
