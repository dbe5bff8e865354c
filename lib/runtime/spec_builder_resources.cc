// Namespaces and limits of a container.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/defaults.h"
#include "lib/runtime/id_map.h"
#include "lib/runtime/spec_builder_internal.h"

namespace containerkit::runtime::builder {
namespace {

using Kind = NamespaceChoice::Kind;
using oci::NamespaceType;

std::vector<oci::IdMapping> Mappings(
    const std::vector<UserNamespaceChoice::Range>& ranges) {
  std::vector<oci::IdMapping> out;
  for (const UserNamespaceChoice::Range& range : ranges) {
    out.push_back({range.container_id, range.host_id, range.size});
  }
  return out;
}

// A namespace for all kinds but the host's.
absl::Status AddNamespace(Building& b, NamespaceType type,
                          const NamespaceChoice& choice,
                          const std::string& path) {
  if (choice.kind == Kind::kHost) return absl::OkStatus();
  oci::Namespace ns;
  ns.type = type;
  if (choice.kind == Kind::kContainer) {
    if (path.empty()) {
      return Invalid(
          Reason::kInvalidArgument,
          absl::StrCat("no ", oci::NamespaceTypeName(type),
                       " namespace of container ", choice.container));
    }
    ns.path = path;
  }
  b.linux_config().namespaces.push_back(std::move(ns));
  return absl::OkStatus();
}

// docker's default: private with v2, the host's with v1 (where the namespace
// hides nothing that the bind mounts do not hide).
NamespaceChoice CgroupChoice(const Building& b) {
  NamespaceChoice choice = b.config.cgroup;
  if (choice.kind != Kind::kDefault) return choice;
  const bool unified = b.facts.cgroups.mode == sys::CgroupMode::kUnified;
  choice.kind = unified && !b.privileged() ? Kind::kPrivate : Kind::kHost;
  return choice;
}

const BlockDevice* FindDisk(const Building& b, absl::string_view path) {
  for (const BlockDevice& disk : b.inputs.block_devices) {
    if (disk.path == path) return &disk;
  }
  return nullptr;
}

absl::Status AddThrottle(
    const Building& b,
    const std::vector<std::pair<std::string, uint64_t>>& limits,
    std::vector<sys::CgroupThrottleDevice>& out) {
  for (const auto& [path, rate] : limits) {
    const BlockDevice* disk = FindDisk(b, path);
    if (disk == nullptr) {
      return Invalid(Reason::kDeviceInvalid,
                     absl::StrCat("no block device ", path));
    }
    out.push_back({disk->major, disk->minor, rate});
  }
  return absl::OkStatus();
}

absl::Status BuildBlockIo(Building& b) {
  const ResourceConfig& config = b.config.resources;
  sys::CgroupBlockIo& io = b.linux_config().resources.block_io;
  io.weight = config.blkio_weight;
  for (const auto& [path, weight] : config.blkio_weight_devices) {
    const BlockDevice* disk = FindDisk(b, path);
    if (disk == nullptr) {
      return Invalid(Reason::kDeviceInvalid,
                     absl::StrCat("no block device ", path));
    }
    io.weight_devices.push_back(
        {disk->major, disk->minor, weight, std::nullopt});
  }
  CK_RETURN_IF_ERROR(AddThrottle(b, config.device_read_bps, io.read_bps));
  CK_RETURN_IF_ERROR(AddThrottle(b, config.device_write_bps, io.write_bps));
  CK_RETURN_IF_ERROR(AddThrottle(b, config.device_read_iops, io.read_iops));
  return AddThrottle(b, config.device_write_iops, io.write_iops);
}

absl::Status BuildMemory(Building& b) {
  const ResourceConfig& config = b.config.resources;
  sys::CgroupMemory& memory = b.linux_config().resources.memory;
  const int64_t limit = config.memory_bytes.value_or(0);
  if (limit < 0 || (limit > 0 && limit < kMinMemoryBytes)) {
    return Invalid(Reason::kInvalidArgument,
                   absl::StrCat("memory limit of ", limit,
                                " bytes is below the minimum of 6 MiB"));
  }
  const int64_t reservation = config.memory_reservation_bytes.value_or(0);
  if (limit > 0 && reservation > limit) {
    return Invalid(Reason::kInvalidArgument,
                   "memory reservation above the memory limit");
  }
  if (limit > 0) memory.limit_bytes = limit;
  if (reservation > 0) memory.reservation_bytes = reservation;
  const int64_t swap = config.memory_swap_bytes.value_or(0);
  if (swap > 0 && limit == 0) {
    return Invalid(Reason::kInvalidArgument,
                   "a memory-swap limit needs a memory limit");
  }
  if (swap > 0 && swap < limit) {
    return Invalid(Reason::kInvalidArgument,
                   "memory-swap limit below the memory limit");
  }
  if (!b.facts.swap_limit) {
    if (swap > 0) {
      b.out.warnings.push_back(
          "this kernel cannot limit swap: only memory is limited");
    }
  } else if (swap != 0) {
    memory.swap_bytes = swap;
  } else if (limit > 0) {
    memory.swap_bytes = limit > INT64_MAX / 2 ? int64_t{-1} : limit * 2;
  }
  const int64_t swappiness = config.memory_swappiness.value_or(-1);
  if (swappiness > 100 || swappiness < -1) {
    return Invalid(Reason::kInvalidArgument, "memory swappiness not 0 to 100");
  }
  if (swappiness >= 0) memory.swappiness = static_cast<uint64_t>(swappiness);
  if (config.oom_kill_disable) memory.disable_oom_killer = true;
  return absl::OkStatus();
}

absl::Status BuildCpu(Building& b) {
  const ResourceConfig& config = b.config.resources;
  sys::CgroupCpu& cpu = b.linux_config().resources.cpu;
  cpu.shares = config.cpu_shares;
  cpu.cpus = config.cpuset_cpus;
  cpu.mems = config.cpuset_mems;
  cpu.realtime_runtime_us = config.cpu_realtime_runtime_us;
  cpu.realtime_period_us = config.cpu_realtime_period_us;
  cpu.quota_us = config.cpu_quota_us;
  cpu.period_us = config.cpu_period_us;
  const int64_t nano_cpus = config.nano_cpus.value_or(0);
  if (nano_cpus == 0) return absl::OkStatus();
  if (config.cpu_quota_us.value_or(0) != 0 ||
      config.cpu_period_us.value_or(0) != 0) {
    return Invalid(Reason::kInvalidArgument,
                   "cpus excludes cpu-quota and cpu-period");
  }
  constexpr int64_t kPeriodUs = 100000;
  constexpr int64_t kNanos = 1000000000;
  // The kernel's smallest quota is a millisecond.
  constexpr int64_t kMinQuotaUs = 1000;
  constexpr int64_t kMostCpus = int64_t{1} << 20;
  if (nano_cpus < 0 || nano_cpus / kNanos > kMostCpus) {
    return Invalid(Reason::kInvalidArgument, "cpus out of range");
  }
  const int64_t quota = nano_cpus / 1000 * kPeriodUs / (kNanos / 1000);
  if (quota < kMinQuotaUs) {
    return Invalid(Reason::kInvalidArgument, "cpus is below 0.01");
  }
  cpu.quota_us = quota;
  cpu.period_us = kPeriodUs;
  return absl::OkStatus();
}

}  // namespace

absl::Status BuildUserNamespace(Building& b) {
  using UserKind = UserNamespaceChoice::Kind;
  const UserNamespaceChoice& choice = b.config.user_namespace;
  const bool privileged = b.facts.privileged();
  if (!b.inputs.user_namespace_path.empty()) {
    b.linux_config().namespaces.push_back(
        {NamespaceType::kUser, b.inputs.user_namespace_path});
    b.user_namespace = true;
    return absl::OkStatus();
  }
  DefaultIdMaps maps;
  switch (choice.kind) {
    case UserKind::kHost:
      if (!privileged) {
        return Invalid(Reason::kUnsupportedOption,
                       "without root privileges a user namespace is needed");
      }
      break;
    case UserKind::kDefault:
      if (!privileged) maps = RootlessIdMaps(b.facts);
      break;
    case UserKind::kAuto:
      maps = privileged ? b.inputs.auto_ids : RootlessIdMaps(b.facts);
      if (maps.uids.empty() || maps.gids.empty()) {
        return Invalid(Reason::kIdMapInvalid,
                       "/etc/subuid and /etc/subgid have no free ids for us");
      }
      break;
    case UserKind::kMapped:
      maps = {Mappings(choice.uid_map), Mappings(choice.gid_map)};
      if (maps.uids.empty() || maps.gids.empty()) {
        return Invalid(Reason::kIdMapInvalid, "the id map is empty");
      }
      break;
  }
  // In a user namespace we are not the host's root, whatever our uid is.
  b.user_namespace = b.facts.in_user_namespace || !maps.uids.empty();
  if (maps.uids.empty()) return absl::OkStatus();
  b.linux_config().namespaces.push_back({NamespaceType::kUser, ""});
  b.linux_config().uid_mappings = std::move(maps.uids);
  b.linux_config().gid_mappings = std::move(maps.gids);
  return absl::OkStatus();
}

absl::Status BuildNamespaces(Building& b) {
  const ContainerConfig& config = b.config;
  const SpecInputs& inputs = b.inputs;
  auto& namespaces = b.linux_config().namespaces;
  namespaces.push_back({NamespaceType::kMount, ""});
  CK_RETURN_IF_ERROR(BuildUserNamespace(b));
  CK_RETURN_IF_ERROR(AddNamespace(b, NamespaceType::kNetwork, config.network,
                                  inputs.network_namespace_path));
  CK_RETURN_IF_ERROR(AddNamespace(b, NamespaceType::kPid, config.pid,
                                  inputs.pid_namespace_path));
  CK_RETURN_IF_ERROR(AddNamespace(b, NamespaceType::kIpc, config.ipc,
                                  inputs.ipc_namespace_path));
  CK_RETURN_IF_ERROR(AddNamespace(b, NamespaceType::kUts, config.uts,
                                  inputs.uts_namespace_path));
  CK_RETURN_IF_ERROR(AddNamespace(b, NamespaceType::kCgroup, CgroupChoice(b),
                                  inputs.cgroup_namespace_path));
  b.new_network = config.network.kind != Kind::kHost &&
                  config.network.kind != Kind::kContainer;
  b.own_ipc =
      config.ipc.kind != Kind::kHost && config.ipc.kind != Kind::kContainer;
  return absl::OkStatus();
}

absl::Status BuildResources(Building& b) {
  const ResourceConfig& config = b.config.resources;
  oci::Resources& out = b.linux_config().resources;
  CK_RETURN_IF_ERROR(BuildMemory(b));
  CK_RETURN_IF_ERROR(BuildCpu(b));
  CK_RETURN_IF_ERROR(BuildBlockIo(b));
  if (config.pids_limit.value_or(0) > 0) out.pids_limit = config.pids_limit;
  if (!config.unified.empty() &&
      b.facts.cgroups.mode != sys::CgroupMode::kUnified) {
    return Invalid(Reason::kUnsupportedOption,
                   "cgroup v2 files need cgroup v2");
  }
  out.unified = config.unified;
  return absl::OkStatus();
}

}  // namespace containerkit::runtime::builder
