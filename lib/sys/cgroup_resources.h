// What a control group may limit, in the terms of the OCI runtime spec
// (config-linux.md, "Control groups"): independent of cgroup v1 or v2.
#ifndef CONTAINERKIT_LIB_SYS_CGROUP_RESOURCES_H_
#define CONTAINERKIT_LIB_SYS_CGROUP_RESOURCES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace containerkit::sys {

// Absent members are left as the kernel made them. Sizes in bytes, -1:
// unlimited.
struct CgroupMemory {
  std::optional<int64_t> limit_bytes;
  std::optional<int64_t> reservation_bytes;
  // Memory and swap together.
  std::optional<int64_t> swap_bytes;
  std::optional<int64_t> kernel_bytes;
  std::optional<int64_t> kernel_tcp_bytes;
  std::optional<uint64_t> swappiness;  // 0..100
  std::optional<bool> disable_oom_killer;
  std::optional<bool> use_hierarchy;
  // An update to a limit below the present usage fails.
  std::optional<bool> check_before_update;

  friend bool operator==(const CgroupMemory&, const CgroupMemory&) = default;
};

struct CgroupCpu {
  std::optional<uint64_t> shares;  // 2..262144, 0 counts as absent
  std::optional<int64_t> quota_us;
  std::optional<uint64_t> burst_us;
  std::optional<uint64_t> period_us;
  std::optional<int64_t> realtime_runtime_us;
  std::optional<uint64_t> realtime_period_us;
  std::string cpus;  // "0-3,7"; empty: absent
  std::string mems;
  std::optional<int64_t> idle;  // 0 or 1

  friend bool operator==(const CgroupCpu&, const CgroupCpu&) = default;
};

struct CgroupWeightDevice {
  int64_t major = 0;
  int64_t minor = 0;
  std::optional<uint16_t> weight;
  std::optional<uint16_t> leaf_weight;

  friend bool operator==(const CgroupWeightDevice&,
                         const CgroupWeightDevice&) = default;
};

// rate: bytes or operations a second.
struct CgroupThrottleDevice {
  int64_t major = 0;
  int64_t minor = 0;
  uint64_t rate = 0;

  friend bool operator==(const CgroupThrottleDevice&,
                         const CgroupThrottleDevice&) = default;
};

struct CgroupBlockIo {
  std::optional<uint16_t> weight;  // 10..1000, 0 counts as absent
  std::optional<uint16_t> leaf_weight;
  std::vector<CgroupWeightDevice> weight_devices;
  std::vector<CgroupThrottleDevice> read_bps;
  std::vector<CgroupThrottleDevice> write_bps;
  std::vector<CgroupThrottleDevice> read_iops;
  std::vector<CgroupThrottleDevice> write_iops;

  friend bool operator==(const CgroupBlockIo&, const CgroupBlockIo&) = default;
};

struct CgroupHugepageLimit {
  std::string page_size;  // "2MB"
  uint64_t limit_bytes = 0;

  friend bool operator==(const CgroupHugepageLimit&,
                         const CgroupHugepageLimit&) = default;
};

struct CgroupInterfacePriority {
  std::string name;
  uint32_t priority = 0;

  friend bool operator==(const CgroupInterfacePriority&,
                         const CgroupInterfacePriority&) = default;
};

struct CgroupNetwork {
  std::optional<uint32_t> class_id;
  std::vector<CgroupInterfacePriority> priorities;

  friend bool operator==(const CgroupNetwork&, const CgroupNetwork&) = default;
};

struct CgroupRdmaLimit {
  std::optional<uint32_t> hca_handles;
  std::optional<uint32_t> hca_objects;

  friend bool operator==(const CgroupRdmaLimit&,
                         const CgroupRdmaLimit&) = default;
};

// One rule for device nodes. Rules are applied in order, a later one wins.
struct CgroupDeviceRule {
  bool allow = false;
  char type = 'a';               // 'a' all, 'b' block, 'c' character
  std::optional<int64_t> major;  // absent: all
  std::optional<int64_t> minor;
  std::string access = "rwm";  // of "rwm"

  friend bool operator==(const CgroupDeviceRule&,
                         const CgroupDeviceRule&) = default;
};

struct CgroupResources {
  CgroupMemory memory;
  CgroupCpu cpu;
  std::optional<int64_t> pids_limit;  // 0 or less: unlimited
  CgroupBlockIo block_io;
  std::vector<CgroupHugepageLimit> hugepage_limits;
  CgroupNetwork network;
  std::map<std::string, CgroupRdmaLimit> rdma;
  std::vector<CgroupDeviceRule> devices;
  // cgroup v2 files by name, written last: {"memory.high", "1048576"}.
  std::map<std::string, std::string> unified;

  friend bool operator==(const CgroupResources&,
                         const CgroupResources&) = default;
};

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_CGROUP_RESOURCES_H_
