#include "lib/oci/runtime_spec.h"

#include <sched.h>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/json.h"
#include "lib/base/status.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace containerkit::oci {
namespace {

constexpr absl::string_view kOperation = "runtime_spec.parse";

struct NamespaceInfo {
  NamespaceType type;
  absl::string_view name;
  uint64_t flag;
};

constexpr NamespaceInfo kNamespaces[] = {
    {NamespaceType::kPid, "pid", CLONE_NEWPID},
    {NamespaceType::kNetwork, "network", CLONE_NEWNET},
    {NamespaceType::kMount, "mount", CLONE_NEWNS},
    {NamespaceType::kIpc, "ipc", CLONE_NEWIPC},
    {NamespaceType::kUts, "uts", CLONE_NEWUTS},
    {NamespaceType::kUser, "user", CLONE_NEWUSER},
    {NamespaceType::kCgroup, "cgroup", CLONE_NEWCGROUP},
    {NamespaceType::kTime, "time", CLONE_NEWTIME},
};

// A number that fits T; out of range is an error of the node.
template <typename T>
T Number(const JsonNode& node, T absent = 0) {
  if (!node.present()) return absent;
  if constexpr (std::numeric_limits<T>::is_signed) {
    const int64_t value = node.Int64();
    if (value < std::numeric_limits<T>::min() ||
        value > std::numeric_limits<T>::max()) {
      node.Fail("number out of range");
      return absent;
    }
    return static_cast<T>(value);
  } else {
    const uint64_t value = node.Uint64();
    if (value > std::numeric_limits<T>::max()) {
      node.Fail("number out of range");
      return absent;
    }
    return static_cast<T>(value);
  }
}

template <typename T>
std::optional<T> OptionalNumber(const JsonNode& node) {
  if (!node.present()) return std::nullopt;
  return Number<T>(node);
}

std::optional<bool> OptionalBool(const JsonNode& node) {
  if (!node.present()) return std::nullopt;
  return node.Bool();
}

// A list of objects.
template <typename T>
std::vector<T> List(const JsonNode& node, T (*read)(const JsonNode&)) {
  std::vector<T> out;
  for (const JsonNode& element : node.Elements()) {
    if (!element.is_object()) {
      element.Fail("not an object");
      return out;
    }
    out.push_back(read(element));
  }
  return out;
}

IdMapping ReadIdMapping(const JsonNode& node) {
  return {Number<uint32_t>(node.Get("containerID")),
          Number<uint32_t>(node.Get("hostID")),
          Number<uint32_t>(node.Get("size"))};
}

Rlimit ReadRlimit(const JsonNode& node) {
  return {node.Get("type").RequiredString(), Number<uint64_t>(node.Get("hard")),
          Number<uint64_t>(node.Get("soft"))};
}

CapabilitySets ReadCapabilities(const JsonNode& node) {
  return {node.Get("bounding").Strings(), node.Get("effective").Strings(),
          node.Get("inheritable").Strings(), node.Get("permitted").Strings(),
          node.Get("ambient").Strings()};
}

Scheduler ReadScheduler(const JsonNode& node) {
  Scheduler out;
  out.policy = node.Get("policy").RequiredString();
  out.nice = Number<int32_t>(node.Get("nice"));
  out.priority = Number<int32_t>(node.Get("priority"));
  out.flags = node.Get("flags").Strings();
  out.runtime_ns = Number<uint64_t>(node.Get("runtime"));
  out.deadline_ns = Number<uint64_t>(node.Get("deadline"));
  out.period_ns = Number<uint64_t>(node.Get("period"));
  return out;
}

ProcessUser ReadUser(const JsonNode& node) {
  ProcessUser out;
  out.uid = Number<uint32_t>(node.Get("uid"));
  out.gid = Number<uint32_t>(node.Get("gid"));
  out.umask = OptionalNumber<uint32_t>(node.Get("umask"));
  for (const JsonNode& gid : node.Get("additionalGids").Elements()) {
    out.additional_gids.push_back(Number<uint32_t>(gid));
  }
  return out;
}

Process ReadProcess(const JsonNode& node) {
  Process out;
  out.terminal = node.Get("terminal").Bool();
  if (const JsonNode size = node.Get("consoleSize"); size.present()) {
    out.console_size = ConsoleSize{Number<uint32_t>(size.Get("height")),
                                   Number<uint32_t>(size.Get("width"))};
  }
  out.user = ReadUser(node.Get("user"));
  out.args = node.Get("args").Strings();
  out.env = node.Get("env").Strings();
  out.cwd = node.Get("cwd").RequiredString();
  if (!out.cwd.empty() && out.cwd[0] != '/') {
    node.Get("cwd").Fail("not an absolute path");
  }
  if (const JsonNode caps = node.Get("capabilities"); caps.present()) {
    out.capabilities = ReadCapabilities(caps);
  }
  out.rlimits = List<Rlimit>(node.Get("rlimits"), ReadRlimit);
  out.no_new_privileges = node.Get("noNewPrivileges").Bool();
  out.apparmor_profile = node.Get("apparmorProfile").String();
  out.selinux_label = node.Get("selinuxLabel").String();
  out.oom_score_adj = OptionalNumber<int32_t>(node.Get("oomScoreAdj"));
  if (const JsonNode scheduler = node.Get("scheduler"); scheduler.present()) {
    out.scheduler = ReadScheduler(scheduler);
  }
  if (const JsonNode io = node.Get("ioPriority"); io.present()) {
    out.io_priority = IoPriority{io.Get("class").RequiredString(),
                                 Number<int32_t>(io.Get("priority"))};
  }
  return out;
}

Mount ReadMount(const JsonNode& node) {
  Mount out;
  out.destination = node.Get("destination").RequiredString();
  out.type = node.Get("type").String();
  out.source = node.Get("source").String();
  out.options = node.Get("options").Strings();
  out.uid_mappings = List<IdMapping>(node.Get("uidMappings"), ReadIdMapping);
  out.gid_mappings = List<IdMapping>(node.Get("gidMappings"), ReadIdMapping);
  return out;
}

Hook ReadHook(const JsonNode& node) {
  Hook out;
  out.path = node.Get("path").RequiredString();
  if (!out.path.empty() && out.path[0] != '/') {
    node.Get("path").Fail("not an absolute path");
  }
  out.args = node.Get("args").Strings();
  out.env = node.Get("env").Strings();
  out.timeout_s = OptionalNumber<int64_t>(node.Get("timeout"));
  if (out.timeout_s.has_value() && *out.timeout_s <= 0) {
    node.Get("timeout").Fail("not greater than zero");
  }
  return out;
}

Hooks ReadHooks(const JsonNode& node) {
  Hooks out;
  out.prestart = List<Hook>(node.Get("prestart"), ReadHook);
  out.create_runtime = List<Hook>(node.Get("createRuntime"), ReadHook);
  out.create_container = List<Hook>(node.Get("createContainer"), ReadHook);
  out.start_container = List<Hook>(node.Get("startContainer"), ReadHook);
  out.poststart = List<Hook>(node.Get("poststart"), ReadHook);
  out.poststop = List<Hook>(node.Get("poststop"), ReadHook);
  return out;
}

Namespace ReadNamespace(const JsonNode& node) {
  Namespace out;
  const std::string name = node.Get("type").RequiredString();
  bool known = false;
  for (const NamespaceInfo& info : kNamespaces) {
    if (info.name == name) {
      out.type = info.type;
      known = true;
    }
  }
  if (!known) {
    node.Get("type").Fail(absl::StrCat("unknown namespace \"", name, "\""));
  }
  out.path = node.Get("path").String();
  if (!out.path.empty() && out.path[0] != '/') {
    node.Get("path").Fail("not an absolute path");
  }
  return out;
}

Device ReadDevice(const JsonNode& node) {
  Device out;
  const std::string type = node.Get("type").RequiredString();
  if (type != "c" && type != "u" && type != "b" && type != "p") {
    node.Get("type").Fail(absl::StrCat("unknown device type \"", type, "\""));
  } else {
    out.type = type[0];
  }
  out.path = node.Get("path").RequiredString();
  out.major = Number<int64_t>(node.Get("major"));
  out.minor = Number<int64_t>(node.Get("minor"));
  out.file_mode = OptionalNumber<uint32_t>(node.Get("fileMode"));
  out.uid = OptionalNumber<uint32_t>(node.Get("uid"));
  out.gid = OptionalNumber<uint32_t>(node.Get("gid"));
  return out;
}

sys::CgroupDeviceRule ReadDeviceRule(const JsonNode& node) {
  sys::CgroupDeviceRule out;
  out.allow = node.Get("allow").Bool();
  const std::string type = node.Get("type").String("a");
  // "" is what some engines write for "all"; 'u' is another word for 'c'.
  if (type == "a" || type.empty()) {
    out.type = 'a';
  } else if (type == "b" || type == "c" || type == "u") {
    out.type = type == "b" ? 'b' : 'c';
  } else {
    node.Get("type").Fail(absl::StrCat("unknown device type \"", type, "\""));
  }
  out.major = OptionalNumber<int64_t>(node.Get("major"));
  out.minor = OptionalNumber<int64_t>(node.Get("minor"));
  // -1 is another way to write "all".
  if (out.major == -1) out.major.reset();
  if (out.minor == -1) out.minor.reset();
  out.access = node.Get("access").String();
  for (const char c : out.access) {
    if (c != 'r' && c != 'w' && c != 'm') {
      node.Get("access").Fail("has a letter other than r, w and m");
      break;
    }
  }
  return out;
}

sys::CgroupMemory ReadMemory(const JsonNode& node) {
  sys::CgroupMemory out;
  out.limit_bytes = OptionalNumber<int64_t>(node.Get("limit"));
  out.reservation_bytes = OptionalNumber<int64_t>(node.Get("reservation"));
  out.swap_bytes = OptionalNumber<int64_t>(node.Get("swap"));
  out.kernel_bytes = OptionalNumber<int64_t>(node.Get("kernel"));
  out.kernel_tcp_bytes = OptionalNumber<int64_t>(node.Get("kernelTCP"));
  out.swappiness = OptionalNumber<uint64_t>(node.Get("swappiness"));
  out.disable_oom_killer = OptionalBool(node.Get("disableOOMKiller"));
  out.use_hierarchy = OptionalBool(node.Get("useHierarchy"));
  out.check_before_update = OptionalBool(node.Get("checkBeforeUpdate"));
  return out;
}

sys::CgroupCpu ReadCpu(const JsonNode& node) {
  sys::CgroupCpu out;
  out.shares = OptionalNumber<uint64_t>(node.Get("shares"));
  out.quota_us = OptionalNumber<int64_t>(node.Get("quota"));
  out.burst_us = OptionalNumber<uint64_t>(node.Get("burst"));
  out.period_us = OptionalNumber<uint64_t>(node.Get("period"));
  out.realtime_runtime_us =
      OptionalNumber<int64_t>(node.Get("realtimeRuntime"));
  out.realtime_period_us = OptionalNumber<uint64_t>(node.Get("realtimePeriod"));
  out.cpus = node.Get("cpus").String();
  out.mems = node.Get("mems").String();
  out.idle = OptionalNumber<int64_t>(node.Get("idle"));
  return out;
}

sys::CgroupWeightDevice ReadWeightDevice(const JsonNode& node) {
  return {Number<int64_t>(node.Get("major")),
          Number<int64_t>(node.Get("minor")),
          OptionalNumber<uint16_t>(node.Get("weight")),
          OptionalNumber<uint16_t>(node.Get("leafWeight"))};
}

sys::CgroupThrottleDevice ReadThrottle(const JsonNode& node) {
  return {Number<int64_t>(node.Get("major")),
          Number<int64_t>(node.Get("minor")),
          Number<uint64_t>(node.Get("rate"))};
}

sys::CgroupBlockIo ReadBlockIo(const JsonNode& node) {
  using Throttle = sys::CgroupThrottleDevice;
  sys::CgroupBlockIo out;
  out.weight = OptionalNumber<uint16_t>(node.Get("weight"));
  out.leaf_weight = OptionalNumber<uint16_t>(node.Get("leafWeight"));
  out.weight_devices =
      List<sys::CgroupWeightDevice>(node.Get("weightDevice"), ReadWeightDevice);
  out.read_bps =
      List<Throttle>(node.Get("throttleReadBpsDevice"), ReadThrottle);
  out.write_bps =
      List<Throttle>(node.Get("throttleWriteBpsDevice"), ReadThrottle);
  out.read_iops =
      List<Throttle>(node.Get("throttleReadIOPSDevice"), ReadThrottle);
  out.write_iops =
      List<Throttle>(node.Get("throttleWriteIOPSDevice"), ReadThrottle);
  return out;
}

sys::CgroupHugepageLimit ReadHugepage(const JsonNode& node) {
  return {node.Get("pageSize").RequiredString(),
          Number<uint64_t>(node.Get("limit"))};
}

sys::CgroupInterfacePriority ReadPriority(const JsonNode& node) {
  return {node.Get("name").RequiredString(),
          Number<uint32_t>(node.Get("priority"))};
}

Resources ReadResources(const JsonNode& node) {
  Resources out;
  out.memory = ReadMemory(node.Get("memory"));
  out.cpu = ReadCpu(node.Get("cpu"));
  out.pids_limit = OptionalNumber<int64_t>(node.Get("pids").Get("limit"));
  out.block_io = ReadBlockIo(node.Get("blockIO"));
  out.hugepage_limits =
      List<sys::CgroupHugepageLimit>(node.Get("hugepageLimits"), ReadHugepage);
  out.network.class_id =
      OptionalNumber<uint32_t>(node.Get("network").Get("classID"));
  out.network.priorities = List<sys::CgroupInterfacePriority>(
      node.Get("network").Get("priorities"), ReadPriority);
  for (const auto& [name, limit] : node.Get("rdma").Members()) {
    out.rdma[std::string(name)] = {
        OptionalNumber<uint32_t>(limit.Get("hcaHandles")),
        OptionalNumber<uint32_t>(limit.Get("hcaObjects"))};
  }
  out.devices =
      List<sys::CgroupDeviceRule>(node.Get("devices"), ReadDeviceRule);
  out.unified = node.Get("unified").StringMap();
  return out;
}

SeccompArg ReadSeccompArg(const JsonNode& node) {
  return {
      Number<uint32_t>(node.Get("index")), Number<uint64_t>(node.Get("value")),
      Number<uint64_t>(node.Get("valueTwo")), node.Get("op").RequiredString()};
}

SeccompRule ReadSeccompRule(const JsonNode& node) {
  return {node.Get("names").Strings(), node.Get("action").RequiredString(),
          OptionalNumber<uint32_t>(node.Get("errnoRet")),
          List<SeccompArg>(node.Get("args"), ReadSeccompArg)};
}

Seccomp ReadSeccomp(const JsonNode& node) {
  Seccomp out;
  out.default_action = node.Get("defaultAction").RequiredString();
  out.default_errno_ret = OptionalNumber<uint32_t>(node.Get("defaultErrnoRet"));
  out.architectures = node.Get("architectures").Strings();
  out.flags = node.Get("flags").Strings();
  out.listener_path = node.Get("listenerPath").String();
  out.listener_metadata = node.Get("listenerMetadata").String();
  out.syscalls = List<SeccompRule>(node.Get("syscalls"), ReadSeccompRule);
  return out;
}

IntelRdt ReadIntelRdt(const JsonNode& node) {
  return {node.Get("closID").String(), node.Get("l3CacheSchema").String(),
          node.Get("memBwSchema").String(), node.Get("enableCMT").Bool(),
          node.Get("enableMBM").Bool()};
}

void CheckNamespaces(const JsonNode& node,
                     const std::vector<Namespace>& namespaces) {
  for (size_t i = 0; i < namespaces.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (namespaces[i].type == namespaces[k].type) {
        node.Fail(absl::StrCat(
            "lists \"", NamespaceTypeName(namespaces[i].type), "\" twice"));
        return;
      }
    }
  }
}

LinuxConfig ReadLinux(const JsonNode& node) {
  LinuxConfig out;
  out.namespaces = List<Namespace>(node.Get("namespaces"), ReadNamespace);
  CheckNamespaces(node.Get("namespaces"), out.namespaces);
  out.uid_mappings = List<IdMapping>(node.Get("uidMappings"), ReadIdMapping);
  out.gid_mappings = List<IdMapping>(node.Get("gidMappings"), ReadIdMapping);
  for (const auto& [clock, offset] : node.Get("timeOffsets").Members()) {
    out.time_offsets[std::string(clock)] = {
        Number<int64_t>(offset.Get("secs")),
        Number<uint32_t>(offset.Get("nanosecs"))};
  }
  out.devices = List<Device>(node.Get("devices"), ReadDevice);
  out.cgroups_path = node.Get("cgroupsPath").String();
  out.resources = ReadResources(node.Get("resources"));
  out.sysctl = node.Get("sysctl").StringMap();
  if (const JsonNode seccomp = node.Get("seccomp"); seccomp.present()) {
    out.seccomp = ReadSeccomp(seccomp);
  }
  out.rootfs_propagation = node.Get("rootfsPropagation").String();
  out.masked_paths = node.Get("maskedPaths").Strings();
  out.readonly_paths = node.Get("readonlyPaths").Strings();
  out.mount_label = node.Get("mountLabel").String();
  if (const JsonNode persona = node.Get("personality"); persona.present()) {
    out.personality = Personality{persona.Get("domain").RequiredString(),
                                  persona.Get("flags").Strings()};
  }
  if (const JsonNode rdt = node.Get("intelRdt"); rdt.present()) {
    out.intel_rdt = ReadIntelRdt(rdt);
  }
  return out;
}

RuntimeSpec ReadSpec(const JsonNode& root) {
  RuntimeSpec out;
  out.oci_version = root.Get("ociVersion").RequiredString();
  if (!absl::StartsWith(out.oci_version, "1.")) {
    root.Get("ociVersion")
        .Fail(absl::StrCat("unsupported version \"", out.oci_version, "\""));
  }
  if (const JsonNode process = root.Get("process"); process.present()) {
    out.process = ReadProcess(process);
  }
  const JsonNode rootfs = root.Get("root");
  if (!rootfs.present()) root.Fail("root is missing");
  out.root.path = rootfs.Get("path").RequiredString();
  out.root.readonly = rootfs.Get("readonly").Bool();
  out.hostname = root.Get("hostname").String();
  out.domainname = root.Get("domainname").String();
  out.mounts = List<Mount>(root.Get("mounts"), ReadMount);
  out.hooks = ReadHooks(root.Get("hooks"));
  out.annotations = root.Get("annotations").StringMap();
  out.linux_config = ReadLinux(root.Get("linux"));
  return out;
}

// Parses `json` as one object read by `read`.
template <typename T>
absl::StatusOr<T> ParseWith(absl::string_view json,
                            T (*read)(const JsonNode&)) {
  CK_ASSIGN_OR_RETURN(
      const JsonDocument document,
      JsonDocument::Parse(json, kOperation,
                          JsonLimits{.max_bytes = kMaxRuntimeSpecBytes}));
  const JsonNode root = document.root();
  if (!root.is_object()) root.Fail("not an object");
  T out = read(root);
  CK_RETURN_IF_ERROR(document.status());
  return out;
}

}  // namespace

absl::string_view NamespaceTypeName(NamespaceType type) {
  for (const NamespaceInfo& info : kNamespaces) {
    if (info.type == type) return info.name;
  }
  return "";
}

uint64_t NamespaceCloneFlag(NamespaceType type) {
  for (const NamespaceInfo& info : kNamespaces) {
    if (info.type == type) return info.flag;
  }
  return 0;
}

absl::StatusOr<RuntimeSpec> ParseRuntimeSpec(absl::string_view json) {
  return ParseWith<RuntimeSpec>(json, ReadSpec);
}

absl::StatusOr<Process> ParseProcess(absl::string_view json) {
  return ParseWith<Process>(json, ReadProcess);
}

absl::StatusOr<Resources> ParseResources(absl::string_view json) {
  return ParseWith<Resources>(json, ReadResources);
}

absl::StatusOr<Seccomp> ParseSeccomp(absl::string_view json) {
  return ParseWith<Seccomp>(json, ReadSeccomp);
}

}  // namespace containerkit::oci
