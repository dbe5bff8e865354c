#include "lib/sys/cgroup_translate.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"

namespace containerkit::sys {
namespace {

using Writes = std::vector<CgroupWrite>;

constexpr uint64_t kMinShares = 2;
constexpr uint64_t kMaxShares = 262144;
constexpr uint64_t kMinBlkioWeight = 10;
constexpr uint64_t kMaxBlkioWeight = 1000;
constexpr uint64_t kMaxWeight = 10000;

absl::Status Invalid(absl::string_view message) {
  return InvalidArgument(Reason::kInvalidArgument, "cgroup.translate", message);
}

// Control characters would end a value early or add a second one.
bool IsPlain(absl::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20;
  });
}

// "0-3,7".
bool IsCpuList(absl::string_view text) {
  return text.find_first_not_of("0123456789,-") == absl::string_view::npos;
}

std::string MaxOr(int64_t value) {
  return value < 0 ? "max" : absl::StrCat(value);
}

absl::Status CheckCommon(const CgroupResources& resources) {
  const CgroupMemory& memory = resources.memory;
  if (memory.swappiness.value_or(0) > 100) {
    return Invalid(
        absl::StrCat("memory swappiness ", *memory.swappiness, " above 100"));
  }
  const int64_t limit = memory.limit_bytes.value_or(-1);
  const int64_t swap = memory.swap_bytes.value_or(-1);
  if (swap > 0 && limit > 0 && swap < limit) {
    return Invalid("memory+swap limit below the memory limit");
  }
  if (!IsCpuList(resources.cpu.cpus)) {
    return Invalid(absl::StrCat("cpus \"", resources.cpu.cpus, "\""));
  }
  if (!IsCpuList(resources.cpu.mems)) {
    return Invalid(absl::StrCat("mems \"", resources.cpu.mems, "\""));
  }
  const uint64_t weight = resources.block_io.weight.value_or(0);
  if (weight != 0 && (weight < kMinBlkioWeight || weight > kMaxBlkioWeight)) {
    return Invalid(absl::StrCat("block I/O weight ", weight,
                                " is not in the range from 10 to 1000"));
  }
  for (const CgroupHugepageLimit& huge : resources.hugepage_limits) {
    if (huge.page_size.find_first_not_of("0123456789KMGB") !=
        std::string::npos) {
      return Invalid(absl::StrCat("huge page size \"", huge.page_size, "\""));
    }
  }
  for (const auto& [name, limit_of] : resources.rdma) {
    if (!IsPlain(name) || name.find(' ') != std::string::npos) {
      return Invalid("name of an RDMA device");
    }
  }
  return absl::OkStatus();
}

void V1Memory(const CgroupMemory& memory, Writes& out) {
  const auto add = [&](const char* file, int64_t value, bool optional) {
    out.push_back({"memory", file, absl::StrCat(value), optional});
  };
  if (memory.limit_bytes.value_or(0) != 0) {
    add("memory.limit_in_bytes", *memory.limit_bytes, false);
  }
  if (memory.swap_bytes.value_or(0) != 0) {
    add("memory.memsw.limit_in_bytes", *memory.swap_bytes, false);
  }
  if (memory.reservation_bytes.value_or(0) != 0) {
    add("memory.soft_limit_in_bytes", *memory.reservation_bytes, false);
  }
  // Gone or without effect since Linux 5.16.
  if (memory.kernel_bytes.value_or(0) != 0) {
    add("memory.kmem.limit_in_bytes", *memory.kernel_bytes, true);
  }
  if (memory.kernel_tcp_bytes.value_or(0) != 0) {
    add("memory.kmem.tcp.limit_in_bytes", *memory.kernel_tcp_bytes, true);
  }
  if (memory.disable_oom_killer.value_or(false)) {
    add("memory.oom_control", 1, false);
  }
  if (memory.swappiness.has_value()) {
    add("memory.swappiness", static_cast<int64_t>(*memory.swappiness), false);
  }
}

void V1Cpu(const CgroupCpu& cpu, Writes& out) {
  const auto add = [&](const char* file, std::string value) {
    out.push_back({"cpu", file, std::move(value), false});
  };
  if (cpu.shares.value_or(0) != 0) {
    add("cpu.shares", absl::StrCat(*cpu.shares));
  }
  if (cpu.period_us.value_or(0) != 0) {
    add("cpu.cfs_period_us", absl::StrCat(*cpu.period_us));
  }
  if (cpu.quota_us.value_or(0) != 0) {
    add("cpu.cfs_quota_us", absl::StrCat(*cpu.quota_us));
  }
  if (cpu.burst_us.has_value()) {
    add("cpu.cfs_burst_us", absl::StrCat(*cpu.burst_us));
  }
  if (cpu.realtime_period_us.value_or(0) != 0) {
    add("cpu.rt_period_us", absl::StrCat(*cpu.realtime_period_us));
  }
  if (cpu.realtime_runtime_us.value_or(0) != 0) {
    add("cpu.rt_runtime_us", absl::StrCat(*cpu.realtime_runtime_us));
  }
  if (cpu.idle.has_value()) add("cpu.idle", absl::StrCat(*cpu.idle));
}

void Cpuset(const CgroupCpu& cpu, Writes& out) {
  if (!cpu.cpus.empty()) {
    out.push_back({"cpuset", "cpuset.cpus", cpu.cpus, false});
  }
  if (!cpu.mems.empty()) {
    out.push_back({"cpuset", "cpuset.mems", cpu.mems, false});
  }
}

std::string DeviceNumber(int64_t major, int64_t minor) {
  return absl::StrCat(major, ":", minor);
}

void V1BlockIo(const CgroupBlockIo& io, Writes& out) {
  const auto add = [&](const char* file, std::string value, bool optional) {
    out.push_back({"blkio", file, std::move(value), optional});
  };
  // Which scheduler offers weights depends on the kernel and the disk.
  if (io.weight.value_or(0) != 0) {
    add("blkio.weight", absl::StrCat(*io.weight), true);
    add("blkio.bfq.weight", absl::StrCat(*io.weight), true);
  }
  if (io.leaf_weight.value_or(0) != 0) {
    add("blkio.leaf_weight", absl::StrCat(*io.leaf_weight), true);
  }
  for (const CgroupWeightDevice& device : io.weight_devices) {
    const std::string number = DeviceNumber(device.major, device.minor);
    if (device.weight.value_or(0) != 0) {
      const std::string value = absl::StrCat(number, " ", *device.weight);
      add("blkio.weight_device", value, true);
      add("blkio.bfq.weight_device", value, true);
    }
    if (device.leaf_weight.value_or(0) != 0) {
      add("blkio.leaf_weight_device",
          absl::StrCat(number, " ", *device.leaf_weight), true);
    }
  }
  const auto throttle = [&](const char* file,
                            const std::vector<CgroupThrottleDevice>& list) {
    for (const CgroupThrottleDevice& device : list) {
      add(file,
          absl::StrCat(DeviceNumber(device.major, device.minor), " ",
                       device.rate),
          false);
    }
  };
  throttle("blkio.throttle.read_bps_device", io.read_bps);
  throttle("blkio.throttle.write_bps_device", io.write_bps);
  throttle("blkio.throttle.read_iops_device", io.read_iops);
  throttle("blkio.throttle.write_iops_device", io.write_iops);
}

std::string RdmaValue(const std::string& name, const CgroupRdmaLimit& limit) {
  std::string value = name;
  if (limit.hca_handles.has_value()) {
    absl::StrAppend(&value, " hca_handle=", *limit.hca_handles);
  }
  if (limit.hca_objects.has_value()) {
    absl::StrAppend(&value, " hca_object=", *limit.hca_objects);
  }
  return value;
}

void Pids(const CgroupResources& resources, Writes& out) {
  if (!resources.pids_limit.has_value()) return;
  const int64_t limit = *resources.pids_limit;
  out.push_back(
      {"pids", "pids.max", limit > 0 ? absl::StrCat(limit) : "max", false});
}

void V2Memory(const CgroupMemory& memory, Writes& out) {
  const auto add = [&](const char* file, std::string value) {
    out.push_back({"memory", file, std::move(value), false});
  };
  if (memory.limit_bytes.value_or(0) != 0) {
    add("memory.max", MaxOr(*memory.limit_bytes));
  }
  if (memory.reservation_bytes.value_or(0) != 0) {
    add("memory.low", MaxOr(*memory.reservation_bytes));
  }
  // v2 counts swap alone.
  const int64_t swap = memory.swap_bytes.value_or(0);
  const int64_t limit = memory.limit_bytes.value_or(0);
  if (swap < 0) {
    add("memory.swap.max", "max");
  } else if (swap > 0 && limit > 0) {
    add("memory.swap.max", absl::StrCat(swap - limit));
  }
}

absl::Status V2Cpu(const CgroupCpu& cpu, Writes& out) {
  const auto add = [&](const char* file, std::string value) {
    out.push_back({"cpu", file, std::move(value), false});
  };
  if (cpu.realtime_runtime_us.value_or(0) != 0 ||
      cpu.realtime_period_us.value_or(0) != 0) {
    return Invalid("cgroup v2 has no realtime limits");
  }
  if (cpu.idle.has_value()) add("cpu.idle", absl::StrCat(*cpu.idle));
  // The weight of an idle group cannot be set.
  if (cpu.shares.value_or(0) != 0 && cpu.idle.value_or(0) == 0) {
    add("cpu.weight", absl::StrCat(CpuSharesToWeight(*cpu.shares)));
  }
  if (cpu.quota_us.value_or(0) != 0 || cpu.period_us.value_or(0) != 0) {
    constexpr uint64_t kDefaultPeriodUs = 100000;
    const int64_t quota = cpu.quota_us.value_or(0);
    const uint64_t period = cpu.period_us.value_or(0);
    add("cpu.max", absl::StrCat(quota > 0 ? absl::StrCat(quota) : "max", " ",
                                period != 0 ? period : kDefaultPeriodUs));
  }
  if (cpu.burst_us.has_value()) {
    add("cpu.max.burst", absl::StrCat(*cpu.burst_us));
  }
  return absl::OkStatus();
}

void V2BlockIo(const CgroupBlockIo& io, Writes& out) {
  const auto add = [&](const char* file, std::string value, bool optional) {
    out.push_back({"io", file, std::move(value), optional});
  };
  if (io.weight.value_or(0) != 0) {
    add("io.bfq.weight", absl::StrCat(*io.weight), true);
    add("io.weight",
        absl::StrCat("default ", BlkioWeightToIoWeight(*io.weight)), true);
  }
  for (const CgroupWeightDevice& device : io.weight_devices) {
    if (device.weight.value_or(0) == 0) continue;
    add("io.bfq.weight",
        absl::StrCat(DeviceNumber(device.major, device.minor), " ",
                     *device.weight),
        true);
  }
  const auto throttle = [&](const char* key,
                            const std::vector<CgroupThrottleDevice>& list) {
    for (const CgroupThrottleDevice& device : list) {
      add("io.max",
          absl::StrCat(DeviceNumber(device.major, device.minor), " ", key, "=",
                       device.rate == 0 ? "max" : absl::StrCat(device.rate)),
          false);
    }
  };
  throttle("rbps", io.read_bps);
  throttle("wbps", io.write_bps);
  throttle("riops", io.read_iops);
  throttle("wiops", io.write_iops);
}

// A file of the container's own directory, not a path out of it.
absl::Status V2Unified(const CgroupResources& resources, Writes& out) {
  for (const auto& [file, value] : resources.unified) {
    const size_t dot = file.find('.');
    if (dot == std::string::npos || dot == 0 ||
        file.find('/') != std::string::npos || !IsPlain(file)) {
      return Invalid(absl::StrCat("unified file \"", file, "\""));
    }
    if (absl::StartsWith(file, "cgroup.") && file != "cgroup.max.depth" &&
        file != "cgroup.max.descendants") {
      return Invalid(absl::StrCat("unified file \"", file, "\" is ours"));
    }
    if (value.find('\0') != std::string::npos) {
      return Invalid(absl::StrCat("value of unified file ", file));
    }
    out.push_back({file.substr(0, dot), file, value, false});
  }
  return absl::OkStatus();
}

bool IsEverything(const CgroupDeviceRule& rule) {
  const auto has = [&](char c) {
    return rule.access.find(c) != std::string::npos;
  };
  return rule.type == 'a' && !rule.major.has_value() &&
         !rule.minor.has_value() &&
         (rule.access.empty() || (has('r') && has('w') && has('m')));
}

}  // namespace

uint64_t CpuSharesToWeight(uint64_t shares) {
  shares = std::clamp(shares, kMinShares, kMaxShares);
  return 1 +
         (shares - kMinShares) * (kMaxWeight - 1) / (kMaxShares - kMinShares);
}

uint64_t BlkioWeightToIoWeight(uint64_t weight) {
  weight = std::clamp(weight, kMinBlkioWeight, kMaxBlkioWeight);
  return 1 + (weight - kMinBlkioWeight) * (kMaxWeight - 1) /
                 (kMaxBlkioWeight - kMinBlkioWeight);
}

absl::StatusOr<Writes> CgroupV1Writes(const CgroupResources& resources) {
  CK_RETURN_IF_ERROR(CheckCommon(resources));
  Writes out;
  V1Memory(resources.memory, out);
  V1Cpu(resources.cpu, out);
  Cpuset(resources.cpu, out);
  Pids(resources, out);
  V1BlockIo(resources.block_io, out);
  for (const CgroupHugepageLimit& huge : resources.hugepage_limits) {
    out.push_back({"hugetlb",
                   absl::StrCat("hugetlb.", huge.page_size, ".limit_in_bytes"),
                   absl::StrCat(huge.limit_bytes), false});
  }
  if (resources.network.class_id.value_or(0) != 0) {
    out.push_back({"net_cls", "net_cls.classid",
                   absl::StrCat(*resources.network.class_id), false});
  }
  for (const CgroupInterfacePriority& priority : resources.network.priorities) {
    out.push_back({"net_prio", "net_prio.ifpriomap",
                   absl::StrCat(priority.name, " ", priority.priority), false});
  }
  for (const auto& [name, limit] : resources.rdma) {
    out.push_back({"rdma", "rdma.max", RdmaValue(name, limit), false});
  }
  return out;
}

absl::StatusOr<Writes> CgroupV2Writes(const CgroupResources& resources) {
  CK_RETURN_IF_ERROR(CheckCommon(resources));
  Writes out;
  V2Memory(resources.memory, out);
  CK_RETURN_IF_ERROR(V2Cpu(resources.cpu, out));
  Cpuset(resources.cpu, out);
  Pids(resources, out);
  V2BlockIo(resources.block_io, out);
  for (const CgroupHugepageLimit& huge : resources.hugepage_limits) {
    out.push_back({"hugetlb", absl::StrCat("hugetlb.", huge.page_size, ".max"),
                   absl::StrCat(huge.limit_bytes), false});
    // Reservations count too, where the kernel can (5.7).
    out.push_back({"hugetlb",
                   absl::StrCat("hugetlb.", huge.page_size, ".rsvd.max"),
                   absl::StrCat(huge.limit_bytes), true});
  }
  for (const auto& [name, limit] : resources.rdma) {
    out.push_back({"rdma", "rdma.max", RdmaValue(name, limit), false});
  }
  CK_RETURN_IF_ERROR(V2Unified(resources, out));
  return out;
}

std::string FormatDeviceRule(const CgroupDeviceRule& rule) {
  if (IsEverything(rule)) return "a";
  const auto number = [](const std::optional<int64_t>& value) {
    return value.has_value() ? absl::StrCat(*value) : std::string("*");
  };
  return absl::StrCat(std::string(1, rule.type), " ", number(rule.major), ":",
                      number(rule.minor), " ",
                      rule.access.empty() ? "rwm" : rule.access);
}

absl::StatusOr<CgroupDeviceRule> ParseDeviceRule(absl::string_view text) {
  const absl::Status bad =
      InvalidArgument(Reason::kDeviceInvalid, "cgroup.device_rule",
                      absl::StrCat("device rule \"", text, "\""));
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  if (words.size() != 3 || words[0].size() != 1 ||
      absl::string_view("abc").find(words[0][0]) == absl::string_view::npos) {
    return bad;
  }
  const std::vector<absl::string_view> numbers = absl::StrSplit(words[1], ':');
  if (numbers.size() != 2) return bad;
  CgroupDeviceRule rule;
  rule.allow = true;
  rule.type = words[0][0];
  std::optional<int64_t>* const parts[2] = {&rule.major, &rule.minor};
  for (int i = 0; i < 2; ++i) {
    if (numbers[i] == "*") continue;
    uint32_t number = 0;
    if (numbers[i].find_first_not_of("0123456789") != absl::string_view::npos ||
        !absl::SimpleAtoi(numbers[i], &number)) {
      return bad;
    }
    *parts[i] = number;
  }
  rule.access = std::string(words[2]);
  if (rule.access.empty() ||
      rule.access.find_first_not_of("rwm") != std::string::npos) {
    return bad;
  }
  return rule;
}

Writes CgroupV1DeviceWrites(const std::vector<CgroupDeviceRule>& rules) {
  // What came before the last rule about everything has no effect.
  size_t first = 0;
  bool allowed = false;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (!IsEverything(rules[i])) continue;
    first = i + 1;
    allowed = rules[i].allow;
  }
  Writes out;
  if (!allowed) out.push_back({"devices", "devices.deny", "a", false});
  for (size_t i = first; i < rules.size(); ++i) {
    // v1 has no exceptions for type 'a': they are spelled for both types.
    const absl::string_view types =
        rules[i].type == 'a' ? "bc" : absl::string_view(&rules[i].type, 1);
    for (const char type : types) {
      CgroupDeviceRule one = rules[i];
      one.type = type;
      CgroupWrite write{"devices", one.allow ? "devices.allow" : "devices.deny",
                        FormatDeviceRule(one), false};
      if (std::find(out.begin(), out.end(), write) == out.end()) {
        out.push_back(std::move(write));
      }
    }
  }
  return out;
}

}  // namespace containerkit::sys
