// CgroupResources -> the files that a kernel with cgroup v1 or v2 wants.
// Pure: the same for creating, updating and showing.
#ifndef CONTAINERKIT_LIB_SYS_CGROUP_TRANSLATE_H_
#define CONTAINERKIT_LIB_SYS_CGROUP_TRANSLATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/sys/cgroup_resources.h"

namespace containerkit::sys {

// One value for one file of the container's directory.
struct CgroupWrite {
  std::string controller;  // that owns the file: "memory", "cpu"
  std::string file;
  std::string value;
  // Kernels without the file are common; its absence is no error.
  bool optional = false;

  friend bool operator==(const CgroupWrite&, const CgroupWrite&) = default;
};

// What to write, in order. Device rules are not part of it.
//
// Errors: INVALID_ARGUMENT / kInvalidArgument for values that no kernel takes.
absl::StatusOr<std::vector<CgroupWrite>> CgroupV1Writes(
    const CgroupResources& resources);
absl::StatusOr<std::vector<CgroupWrite>> CgroupV2Writes(
    const CgroupResources& resources);

// The writes to v1's devices.allow and devices.deny that make exactly
// `rules` hold in a cgroup that allows everything. Empty when they allow
// everything.
std::vector<CgroupWrite> CgroupV1DeviceWrites(
    const std::vector<CgroupDeviceRule>& rules);

// "c 1:3 rwm", as v1 writes rules.
std::string FormatDeviceRule(const CgroupDeviceRule& rule);

// Reads "c 13:* rwm", docker's --device-cgroup-rule.
// Errors: INVALID_ARGUMENT / kDeviceInvalid.
absl::StatusOr<CgroupDeviceRule> ParseDeviceRule(absl::string_view text);

// v1's cpu.shares (2..262144) as v2's cpu.weight (1..10000).
uint64_t CpuSharesToWeight(uint64_t shares);
// v1's blkio.weight (10..1000) as v2's io.weight (1..10000).
uint64_t BlkioWeightToIoWeight(uint64_t weight);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_CGROUP_TRANSLATE_H_
