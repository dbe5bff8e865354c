// SerializeRuntimeSpec(): the other direction of runtime_spec.cc.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/oci/runtime_spec.h"
#include "nlohmann/json.hpp"

namespace containerkit::oci {
namespace {

using Json = nlohmann::json;

// Members are only written when they say something.
void Put(Json& out, const char* key, const std::string& value) {
  if (!value.empty()) out[key] = value;
}
void Put(Json& out, const char* key, bool value) {
  if (value) out[key] = value;
}
template <typename T>
void Put(Json& out, const char* key, const std::optional<T>& value) {
  if (value.has_value()) out[key] = *value;
}
void Put(Json& out, const char* key, const std::vector<std::string>& value) {
  if (!value.empty()) out[key] = value;
}
void Put(Json& out, const char* key,
         const std::map<std::string, std::string>& value) {
  if (!value.empty()) out[key] = value;
}
void Put(Json& out, const char* key, Json value) {
  if (!value.empty()) out[key] = std::move(value);
}
template <typename T, typename F>
void PutList(Json& out, const char* key, const std::vector<T>& list, F write) {
  if (list.empty()) return;
  Json& array = out[key] = Json::array();
  for (const T& item : list) array.push_back(write(item));
}

Json WriteIdMapping(const IdMapping& map) {
  return {{"containerID", map.container_id},
          {"hostID", map.host_id},
          {"size", map.size}};
}

Json WriteUser(const ProcessUser& user) {
  Json out = {{"uid", user.uid}, {"gid", user.gid}};
  Put(out, "umask", user.umask);
  if (!user.additional_gids.empty()) {
    out["additionalGids"] = user.additional_gids;
  }
  return out;
}

Json WriteCapabilities(const CapabilitySets& sets) {
  Json out = Json::object();
  Put(out, "bounding", sets.bounding);
  Put(out, "effective", sets.effective);
  Put(out, "inheritable", sets.inheritable);
  Put(out, "permitted", sets.permitted);
  Put(out, "ambient", sets.ambient);
  return out;
}

Json WriteScheduler(const Scheduler& scheduler) {
  Json out = {{"policy", scheduler.policy}};
  if (scheduler.nice != 0) out["nice"] = scheduler.nice;
  if (scheduler.priority != 0) out["priority"] = scheduler.priority;
  Put(out, "flags", scheduler.flags);
  if (scheduler.runtime_ns != 0) out["runtime"] = scheduler.runtime_ns;
  if (scheduler.deadline_ns != 0) out["deadline"] = scheduler.deadline_ns;
  if (scheduler.period_ns != 0) out["period"] = scheduler.period_ns;
  return out;
}

Json WriteProcess(const Process& process) {
  Json out = {{"user", WriteUser(process.user)},
              {"args", process.args},
              {"cwd", process.cwd}};
  Put(out, "terminal", process.terminal);
  if (process.console_size.has_value()) {
    out["consoleSize"] = {{"height", process.console_size->height},
                          {"width", process.console_size->width}};
  }
  Put(out, "env", process.env);
  if (process.capabilities.has_value()) {
    out["capabilities"] = WriteCapabilities(*process.capabilities);
  }
  PutList(out, "rlimits", process.rlimits, [](const Rlimit& limit) {
    return Json{
        {"type", limit.type}, {"hard", limit.hard}, {"soft", limit.soft}};
  });
  Put(out, "noNewPrivileges", process.no_new_privileges);
  Put(out, "apparmorProfile", process.apparmor_profile);
  Put(out, "selinuxLabel", process.selinux_label);
  Put(out, "oomScoreAdj", process.oom_score_adj);
  if (process.scheduler.has_value()) {
    out["scheduler"] = WriteScheduler(*process.scheduler);
  }
  if (process.io_priority.has_value()) {
    out["ioPriority"] = {{"class", process.io_priority->io_class},
                         {"priority", process.io_priority->priority}};
  }
  return out;
}

Json WriteMount(const Mount& mount) {
  Json out = {{"destination", mount.destination}};
  Put(out, "type", mount.type);
  Put(out, "source", mount.source);
  Put(out, "options", mount.options);
  PutList(out, "uidMappings", mount.uid_mappings, WriteIdMapping);
  PutList(out, "gidMappings", mount.gid_mappings, WriteIdMapping);
  return out;
}

Json WriteHook(const Hook& hook) {
  Json out = {{"path", hook.path}};
  Put(out, "args", hook.args);
  Put(out, "env", hook.env);
  Put(out, "timeout", hook.timeout_s);
  return out;
}

Json WriteHooks(const Hooks& hooks) {
  Json out = Json::object();
  PutList(out, "prestart", hooks.prestart, WriteHook);
  PutList(out, "createRuntime", hooks.create_runtime, WriteHook);
  PutList(out, "createContainer", hooks.create_container, WriteHook);
  PutList(out, "startContainer", hooks.start_container, WriteHook);
  PutList(out, "poststart", hooks.poststart, WriteHook);
  PutList(out, "poststop", hooks.poststop, WriteHook);
  return out;
}

Json WriteDevice(const Device& device) {
  Json out = {{"type", std::string(1, device.type)},
              {"path", device.path},
              {"major", device.major},
              {"minor", device.minor}};
  Put(out, "fileMode", device.file_mode);
  Put(out, "uid", device.uid);
  Put(out, "gid", device.gid);
  return out;
}

Json WriteDeviceRule(const sys::CgroupDeviceRule& rule) {
  Json out = {{"allow", rule.allow}, {"type", std::string(1, rule.type)}};
  Put(out, "major", rule.major);
  Put(out, "minor", rule.minor);
  Put(out, "access", rule.access);
  return out;
}

Json WriteMemory(const sys::CgroupMemory& memory) {
  Json out = Json::object();
  Put(out, "limit", memory.limit_bytes);
  Put(out, "reservation", memory.reservation_bytes);
  Put(out, "swap", memory.swap_bytes);
  Put(out, "kernel", memory.kernel_bytes);
  Put(out, "kernelTCP", memory.kernel_tcp_bytes);
  Put(out, "swappiness", memory.swappiness);
  Put(out, "disableOOMKiller", memory.disable_oom_killer);
  Put(out, "useHierarchy", memory.use_hierarchy);
  Put(out, "checkBeforeUpdate", memory.check_before_update);
  return out;
}

Json WriteCpu(const sys::CgroupCpu& cpu) {
  Json out = Json::object();
  Put(out, "shares", cpu.shares);
  Put(out, "quota", cpu.quota_us);
  Put(out, "burst", cpu.burst_us);
  Put(out, "period", cpu.period_us);
  Put(out, "realtimeRuntime", cpu.realtime_runtime_us);
  Put(out, "realtimePeriod", cpu.realtime_period_us);
  Put(out, "cpus", cpu.cpus);
  Put(out, "mems", cpu.mems);
  Put(out, "idle", cpu.idle);
  return out;
}

Json WriteBlockIo(const sys::CgroupBlockIo& io) {
  const auto throttle = [](const sys::CgroupThrottleDevice& device) {
    return Json{{"major", device.major},
                {"minor", device.minor},
                {"rate", device.rate}};
  };
  Json out = Json::object();
  Put(out, "weight", io.weight);
  Put(out, "leafWeight", io.leaf_weight);
  PutList(out, "weightDevice", io.weight_devices,
          [](const sys::CgroupWeightDevice& device) {
            Json entry = {{"major", device.major}, {"minor", device.minor}};
            Put(entry, "weight", device.weight);
            Put(entry, "leafWeight", device.leaf_weight);
            return entry;
          });
  PutList(out, "throttleReadBpsDevice", io.read_bps, throttle);
  PutList(out, "throttleWriteBpsDevice", io.write_bps, throttle);
  PutList(out, "throttleReadIOPSDevice", io.read_iops, throttle);
  PutList(out, "throttleWriteIOPSDevice", io.write_iops, throttle);
  return out;
}

Json WriteNetwork(const sys::CgroupNetwork& network) {
  Json out = Json::object();
  Put(out, "classID", network.class_id);
  PutList(
      out, "priorities", network.priorities,
      [](const sys::CgroupInterfacePriority& priority) {
        return Json{{"name", priority.name}, {"priority", priority.priority}};
      });
  return out;
}

Json WriteResources(const Resources& resources) {
  Json out = Json::object();
  Put(out, "memory", WriteMemory(resources.memory));
  Put(out, "cpu", WriteCpu(resources.cpu));
  if (resources.pids_limit.has_value()) {
    out["pids"] = {{"limit", *resources.pids_limit}};
  }
  Put(out, "blockIO", WriteBlockIo(resources.block_io));
  PutList(out, "hugepageLimits", resources.hugepage_limits,
          [](const sys::CgroupHugepageLimit& limit) {
            return Json{{"pageSize", limit.page_size},
                        {"limit", limit.limit_bytes}};
          });
  Put(out, "network", WriteNetwork(resources.network));
  for (const auto& [name, limit] : resources.rdma) {
    Json entry = Json::object();
    Put(entry, "hcaHandles", limit.hca_handles);
    Put(entry, "hcaObjects", limit.hca_objects);
    out["rdma"][name] = std::move(entry);
  }
  PutList(out, "devices", resources.devices, WriteDeviceRule);
  Put(out, "unified", resources.unified);
  return out;
}

Json WriteSeccompRule(const SeccompRule& rule) {
  Json out = {{"names", rule.names}, {"action", rule.action}};
  Put(out, "errnoRet", rule.errno_ret);
  PutList(out, "args", rule.args, [](const SeccompArg& arg) {
    Json entry = {{"index", arg.index}, {"value", arg.value}, {"op", arg.op}};
    if (arg.value_two != 0) entry["valueTwo"] = arg.value_two;
    return entry;
  });
  return out;
}

Json WriteSeccomp(const Seccomp& seccomp) {
  Json out = {{"defaultAction", seccomp.default_action}};
  Put(out, "defaultErrnoRet", seccomp.default_errno_ret);
  Put(out, "architectures", seccomp.architectures);
  Put(out, "flags", seccomp.flags);
  Put(out, "listenerPath", seccomp.listener_path);
  Put(out, "listenerMetadata", seccomp.listener_metadata);
  PutList(out, "syscalls", seccomp.syscalls, WriteSeccompRule);
  return out;
}

Json WriteIntelRdt(const IntelRdt& rdt) {
  Json out = Json::object();
  Put(out, "closID", rdt.clos_id);
  Put(out, "l3CacheSchema", rdt.l3_cache_schema);
  Put(out, "memBwSchema", rdt.mem_bw_schema);
  Put(out, "enableCMT", rdt.enable_cmt);
  Put(out, "enableMBM", rdt.enable_mbm);
  return out;
}

void WriteLinuxRest(const LinuxConfig& config, Json& out) {
  if (config.seccomp.has_value() && !config.seccomp->builtin_profile) {
    out["seccomp"] = WriteSeccomp(*config.seccomp);
  }
  Put(out, "rootfsPropagation", config.rootfs_propagation);
  Put(out, "maskedPaths", config.masked_paths);
  Put(out, "readonlyPaths", config.readonly_paths);
  Put(out, "mountLabel", config.mount_label);
  if (config.personality.has_value()) {
    Json persona = {{"domain", config.personality->domain}};
    Put(persona, "flags", config.personality->flags);
    out["personality"] = std::move(persona);
  }
  if (config.intel_rdt.has_value()) {
    out["intelRdt"] = WriteIntelRdt(*config.intel_rdt);
  }
}

Json WriteLinux(const LinuxConfig& config) {
  Json out = Json::object();
  PutList(out, "namespaces", config.namespaces, [](const Namespace& ns) {
    const absl::string_view name = NamespaceTypeName(ns.type);
    Json entry = {{"type", std::string(name)}};
    Put(entry, "path", ns.path);
    return entry;
  });
  PutList(out, "uidMappings", config.uid_mappings, WriteIdMapping);
  PutList(out, "gidMappings", config.gid_mappings, WriteIdMapping);
  for (const auto& [clock, offset] : config.time_offsets) {
    out["timeOffsets"][clock] = {{"secs", offset.secs},
                                 {"nanosecs", offset.nanosecs}};
  }
  PutList(out, "devices", config.devices, WriteDevice);
  Put(out, "cgroupsPath", config.cgroups_path);
  Put(out, "resources", WriteResources(config.resources));
  Put(out, "sysctl", config.sysctl);
  WriteLinuxRest(config, out);
  return out;
}

}  // namespace

std::string SerializeRuntimeSpec(const RuntimeSpec& spec) {
  Json out = {{"ociVersion", spec.oci_version}};
  if (spec.process.has_value()) out["process"] = WriteProcess(*spec.process);
  out["root"] = {{"path", spec.root.path}};
  if (spec.root.readonly) out["root"]["readonly"] = true;
  Put(out, "hostname", spec.hostname);
  Put(out, "domainname", spec.domainname);
  PutList(out, "mounts", spec.mounts, WriteMount);
  Put(out, "hooks", WriteHooks(spec.hooks));
  Put(out, "annotations", spec.annotations);
  Put(out, "linux", WriteLinux(spec.linux_config));
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace containerkit::oci
