// What the planner must know about the machine and about us: probed once an
// engine, then only read.
#ifndef CONTAINERKIT_LIB_RUNTIME_HOST_FACTS_H_
#define CONTAINERKIT_LIB_RUNTIME_HOST_FACTS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::runtime {

// A line of /etc/subuid: `count` host ids from `start` on.
struct SubIdRange {
  uint32_t start = 0;
  uint32_t count = 0;

  friend bool operator==(const SubIdRange&, const SubIdRange&) = default;
};

struct KernelVersion {
  int major = 0;
  int minor = 0;

  friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};

struct RlimitValue {
  uint64_t soft = ~uint64_t{0};  // ~0: unlimited
  uint64_t hard = ~uint64_t{0};
};

struct HostFacts {
  KernelVersion kernel;
  uint32_t uid = 0;
  uint32_t gid = 0;
  // One bit a capability.
  uint64_t effective_caps = 0;
  uint64_t bounding_caps = 0;
  // By RLIMIT_* number.
  std::array<RlimitValue, 16> rlimits;
  int32_t oom_score_adj = 0;
  sys::CgroupLayout cgroups;
  // Our ranges in /etc/subuid and /etc/subgid.
  std::vector<SubIdRange> subuids;
  std::vector<SubIdRange> subgids;
  // newuidmap(1) and newgidmap(1) are installed.
  bool id_map_helpers = false;
  // We are not in the initial user namespace.
  bool in_user_namespace = false;
  bool apparmor = false;
  bool selinux = false;
  bool seccomp = false;
  // Existing /proc/sys/net files that Docker presets; absent on old kernels.
  bool sysctl_ping_group_range = false;
  bool sysctl_unprivileged_port_start = false;
  // Memory and swap together can be limited.
  bool swap_limit = false;
  // Existing /sys/devices/system/cpu/cpu*/thermal_throttle.
  std::vector<std::string> thermal_throttle_paths;

  // May we make user namespaces' worth of changes without one: root with
  // CAP_SYS_ADMIN.
  bool privileged() const {
    constexpr uint64_t kSysAdmin = uint64_t{1} << 21;
    return uid == 0 && (effective_caps & kSysAdmin) != 0;
  }
};

// Looks at this machine and process. About twenty small reads; no change to
// anything.
//
// Errors: as the system calls report them, when /proc cannot be read. What
// is merely missing (no subuid file, no cgroups) is no error.
absl::StatusOr<HostFacts> ProbeHostFacts();

// "6.1.0-13-amd64" -> {6, 1}; {0, 0} if it makes no sense.
KernelVersion ParseKernelRelease(absl::string_view release);

// The ranges of `user` (its name or `uid`) in the text of /etc/subuid.
// Lines that make no sense, and ranges that overflow, are skipped.
std::vector<SubIdRange> ParseSubIds(absl::string_view text,
                                    absl::string_view user, uint32_t uid);

// True if the text of /proc/self/uid_map is the initial namespace's.
bool IsInitialUidMap(absl::string_view uid_map);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_HOST_FACTS_H_
